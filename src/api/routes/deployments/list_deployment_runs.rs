//! `GET /api/deployments/{id}/runs`.

use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::run::Run,
    store::{deployments, runs},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All runs: at most one hundred.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// By slice.
    pub data: Vec<Run>,
}

/// The runs that carry a deployment out, or did: one, or one for each slice.
#[utoipa::path(
    get, path = "/api/deployments/{id}/runs", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number")),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, body = RunList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_deployment_runs(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<RunList>, Problem> {
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    deployments::get_deployment(&mut connection, id).await?;
    let data = runs::list_runs(&mut connection, id).await?;
    Ok(Json(RunList { data }))
}
