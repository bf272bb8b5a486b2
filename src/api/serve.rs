//! Listens until told to stop.

use super::{AppState, metrics_router, router};
use axum::Router;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Answers requests on `listener` until `shutdown` is cancelled; then finishes those under way, for ten seconds at most.
pub async fn serve(
    listener: TcpListener,
    mut state: AppState,
    shutdown: CancellationToken,
) -> Result<(), std::io::Error> {
    state.shutdown = shutdown.clone();
    listen(listener, router(state), shutdown).await
}

/// Answers `GET /metrics` on `listener`, and nothing else, until `shutdown` is cancelled.
pub async fn serve_metrics(
    listener: TcpListener,
    state: AppState,
    shutdown: CancellationToken,
) -> Result<(), std::io::Error> {
    listen(listener, metrics_router(state), shutdown).await
}

async fn listen(listener: TcpListener, router: Router, shutdown: CancellationToken) -> Result<(), std::io::Error> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        ended = async { server.await } => ended,
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}
