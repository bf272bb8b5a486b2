//! Figures for Prometheus.

mod get_metrics;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/metrics`: where scrapers look unless they are told otherwise.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_metrics::get_metrics))
}
