//! What holds for the whole installation.

mod get_settings;
mod update_settings;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/settings`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_settings::get_settings, update_settings::update_settings))
}
