//! Puts the resources and the middleware together.

use super::{AppState, admission, assets, middleware, problem::Problem, routes};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, Uri},
    response::Response,
};

/// Longest body that an endpoint takes unless it says otherwise.
const BODY_LIMIT: usize = 1024 * 1024;

/// The whole HTTP surface: `/api/…` and the console.
pub fn router(state: AppState) -> Router {
    let (router, document) = routes::router().split_for_parts();
    let router = admission::before(router, &document, &state)
        .fallback(assets::serve_asset)
        .method_not_allowed_fallback(refuse_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    middleware::around(router, &state).with_state(state)
}

/// `/metrics` alone: for an address of its own, and for processes that do not serve the API.
pub fn metrics_router(state: AppState) -> Router {
    let (router, document) = routes::metrics::router().split_for_parts();
    let router = admission::before(router, &document, &state);
    middleware::around(router, &state).with_state(state)
}

/// What a process without the API serves, when it is told to listen: whether it can do its work.
pub(super) fn probes(state: AppState) -> Router {
    let (router, document) = routes::probes().split_for_parts();
    let router = admission::before(router, &document, &state)
        .fallback(|| async { Problem::not_found("endpoint") })
        .method_not_allowed_fallback(refuse_method);
    middleware::around(router, &state).with_state(state)
}

async fn refuse_method(uri: Uri) -> Result<Response, Problem> {
    Err(Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take this method", uri.path()),
    ))
}
