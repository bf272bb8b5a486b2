//! `POST /api/deployments/{id}/retry`.

use super::OptionalBody;
use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        launch,
        problem::Problem,
    },
    auth::policy::Action,
    domain::deployment::Deployment,
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Nothing to say yet.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryDeployment {}

/// Launches a deployment anew on its hosts that failed, were unreachable or never ran: same files, variables and options.
#[utoipa::path(
    post, path = "/api/deployments/{id}/retry", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number")),
    request_body = RetryDeployment,
    extensions(("x-permission" = json!(Action::Launch))),
    responses(
        (status = 201, body = Deployment),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not ended yet", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is nothing to retry", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry_deployment(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<String>,
    OptionalBody(RetryDeployment {}): OptionalBody<RetryDeployment>,
) -> Result<(StatusCode, Json<Deployment>), Problem> {
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    drop(connection);
    let deployment = launch::retry(&state, &actor, id).await?;
    Ok((StatusCode::CREATED, Json(deployment)))
}
