//! The first admin.

mod complete_setup;
mod get_setup;

use crate::api::{AppState, body_memory::FREE};
use axum::extract::DefaultBodyLimit;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/setup`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_setup::get_setup, complete_setup::complete_setup))
        // Anybody may send these, so they stay within the part of a body that does not count.
        .layer(DefaultBodyLimit::max(FREE))
}

/// Whether the first admin is still to be made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// It is.
    pub needed: bool,
}
