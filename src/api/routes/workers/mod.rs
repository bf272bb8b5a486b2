//! The processes that carry runs out.

mod drain_worker;
mod list_workers;
mod undo_drain_worker;

pub use list_workers::WorkerList;

use crate::api::AppState;
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
