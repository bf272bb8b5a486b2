//! API tokens.

mod create_token;
mod delete_token;
mod list_tokens;

pub use create_token::CreatedToken;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/tokens`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_tokens::list_tokens, create_token::create_token))
        .routes(routes!(delete_token::delete_token))
}
