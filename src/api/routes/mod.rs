//! The endpoints: one folder per resource, one file per operation.

pub mod deployments;
pub mod health;
pub mod playbooks;
pub mod stream;

use super::{AppState, openapi::Document};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

/// All resources. A new one is registered here, and nowhere else.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(deployments::router())
        .merge(health::router())
        .merge(playbooks::router())
        .merge(stream::router())
}
