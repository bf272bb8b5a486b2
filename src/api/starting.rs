//! Answers requests while the server starts, by saying that it is not ready yet.

use super::{
    problem::{Problem, RETRY_AFTER},
    routes::health::{DatabaseHealth, Health, HealthStatus},
};
use axum::{
    Json, Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

/// A router that answers every request with 503.
pub(super) fn starting() -> Router {
    Router::new().route("/api/health", get(health)).fallback(refuse)
}

async fn health() -> Response {
    let health = Health {
        status: HealthStatus::Degraded,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: DatabaseHealth::Unavailable,
    };
    let retry_after = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, Json(health)).into_response()
}

async fn refuse() -> Problem {
    Problem::unavailable("Admiral is starting and waits for its database; try again shortly")
}
