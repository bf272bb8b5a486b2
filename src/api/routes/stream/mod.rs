//! Changes of any deployment, for lists.

mod stream_deployments;

pub use stream_deployments::DeploymentsMessage;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/stream`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stream_deployments::stream_deployments))
}
