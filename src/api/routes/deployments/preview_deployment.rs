//! `POST /api/deployments/preview`.

use super::CreateDeployment;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        launch::{self, DeploymentPreview},
        problem::Problem,
    },
    auth::policy::Action,
};
use axum::{Json, extract::State};

/// Shows what a launch would do, with all that is wrong; launches nothing.
#[utoipa::path(
    post, path = "/api/deployments/preview", tag = "deployments", request_body = CreateDeployment,
    extensions(("x-permission" = json!(Action::Launch))),
    responses(
        (status = 200, body = DeploymentPreview),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such playbook or version, or it cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn preview_deployment(
    actor: Actor,
    State(state): State<AppState>,
    JsonBody(body): JsonBody<CreateDeployment>,
) -> Result<Json<DeploymentPreview>, Problem> {
    launch::preview(&state, &actor, body.into()).await.map(Json)
}
