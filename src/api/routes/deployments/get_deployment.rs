//! `GET /api/deployments/{id}`.

use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::deployment::Deployment,
    store::deployments,
};
use axum::{Json, extract::State};

/// One deployment.
#[utoipa::path(
    get, path = "/api/deployments/{id}", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number")),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, body = Deployment),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_deployment(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Deployment>, Problem> {
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    Ok(Json(deployments::get_deployment(&mut connection, id).await?))
}
