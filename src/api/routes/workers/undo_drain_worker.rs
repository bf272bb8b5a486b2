//! `DELETE /api/workers/{id}/drain`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{WorkerId, worker::Worker},
};
use axum::{Json, extract::State};

/// Has a worker claim runs again.
#[utoipa::path(
    delete, path = "/api/workers/{id}/drain", tag = "workers", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::DrainWorker))),
    responses(
        (status = 200, description = "It claims again", body = Worker),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such worker, or it has stopped", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn undo_drain_worker(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, Problem> {
    super::set_draining(&state, &actor, id, false, "worker.undo_drain").await
}
