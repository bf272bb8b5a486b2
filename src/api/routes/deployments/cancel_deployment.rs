//! `POST /api/deployments/{id}/cancel`.

use super::OptionalBody;
use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::deployment::Deployment,
    store::{StoreError, deployments},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// How to cancel.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CancelDeployment {
    /// End everything at once. A second request does so in any case.
    pub force: bool,
}

/// Ends a deployment: one that has not begun at once, another as soon as its worker has ended the run.
#[utoipa::path(
    post, path = "/api/deployments/{id}/cancel", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number")),
    request_body = CancelDeployment,
    extensions(("x-permission" = json!(Action::CancelDeployment))),
    responses(
        (status = 202, body = Deployment),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has ended already", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel_deployment(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<CancelDeployment>,
) -> Result<(StatusCode, Json<Deployment>), Problem> {
    let mut transaction = state.database.begin().await?;
    let id = super::find(&mut transaction, &id).await?;
    deployments::request_cancel(&mut transaction, id, &actor.principal.username, body.force).await?;
    let deployment = deployments::get_deployment(&mut transaction, id).await?;
    let asked = json!({ "force": body.force, "status": deployment.status });
    actor
        .record(
            &mut transaction,
            actor.entry("deployment.cancel").object(id).after(&asked),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    tracing::info!(deployment = %id, force = body.force, "a deployment is to be cancelled");
    Ok((StatusCode::ACCEPTED, Json(deployment)))
}
