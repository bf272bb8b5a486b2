//! Forms as they are written, before they are saved beside a playbook.

mod parse_form;

pub use parse_form::{ParseForm, ParsedForm};

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/forms…`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(parse_form::parse_form))
}
