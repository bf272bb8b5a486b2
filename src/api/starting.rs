//! What is answered while the server starts: that it is not ready yet.

use super::{
    problem::{Problem, RETRY_AFTER},
    routes::health::{DatabaseHealth, Health, HealthStatus},
    serve::answer,
};
use axum::{
    Json, Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers every request on `listener` with 503 until `shutdown` is cancelled: what waits for a database must be told so, and not be left
/// waiting as well.
pub async fn serve_starting(listener: TcpListener, shutdown: CancellationToken) -> Result<(), std::io::Error> {
    let router = Router::new().route("/api/health", get(health)).fallback(refuse);
    answer(listener, router, shutdown).await
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
