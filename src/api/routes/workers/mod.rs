//! The processes that carry runs out.

mod drain_worker;
mod list_workers;
mod undo_drain_worker;

pub use list_workers::WorkerList;

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    domain::{WorkerId, worker::Worker},
    store::{StoreError, workers},
};
use axum::Json;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/workers`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_workers::list_workers))
        .routes(routes!(
            drain_worker::drain_worker,
            undo_drain_worker::undo_drain_worker
        ))
}

/// Has a worker claim nothing more, or again; `action` is what the audit log calls it.
async fn set_draining(
    state: &AppState,
    actor: &Actor,
    id: WorkerId,
    draining: bool,
    action: &str,
) -> Result<Json<Worker>, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = workers::get_worker(&mut transaction, id).await?;
    workers::set_draining(&mut transaction, id, draining).await?;
    let worker = workers::get_worker(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry(action).object(id).before(&before).after(&worker),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(worker))
}
