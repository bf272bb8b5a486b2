//! Refuses foreign pages where no cookie is needed.

use crate::api::{AppState, origin, problem::Problem};
use axum::{extract::FromRequestParts, http::request::Parts};

/// For requests that make a cookie: a foreign page may not sign its visitor in. A request that does not say where it comes from
/// was not made by a browser, and is let through.
#[derive(Debug, Clone, Copy)]
pub struct FromOwnPages;

impl FromRequestParts<AppState> for FromOwnPages {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        if origin::is_foreign(&parts.headers, &parts.uri, &state.config) {
            Err(origin::mismatch())
        } else {
            Ok(Self)
        }
    }
}
