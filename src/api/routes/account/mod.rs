//! The account of the user who is signed in.

mod change_password;

pub use change_password::PasswordChanged;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/account/password`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(change_password::change_password))
}
