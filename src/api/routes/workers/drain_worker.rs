//! `POST /api/workers/{id}/drain`.

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

/// Has a worker claim nothing more. Its runs go on to their end; a process that is nothing but a worker then ends.
#[utoipa::path(
    post, path = "/api/workers/{id}/drain", tag = "workers", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::DrainWorker))),
    responses(
        (status = 200, description = "It claims nothing more", body = Worker),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such worker, or it has stopped", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn drain_worker(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, Problem> {
    super::set_draining(&state, &actor, id, true, "worker.drain").await
}
