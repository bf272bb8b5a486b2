//! Whether this server can do its work, and the description of its API.

mod get_health;
mod get_openapi;

pub use get_health::{DatabaseHealth, Health, HealthStatus};

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/health`.
pub fn probe() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_health::get_health))
}

/// `/api/health`, `/api/openapi.json`.
pub fn router() -> OpenApiRouter<AppState> {
    probe().routes(routes!(get_openapi::get_openapi))
}
