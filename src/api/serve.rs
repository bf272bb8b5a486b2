//! Listens until told to stop.

use super::{
    AppState,
    router::{metrics_router, probes, router},
};
use axum::Router;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Answers requests on `listener` until `shutdown` is cancelled; then closes the streams, which tells their viewers to come back, and
/// finishes the requests under way, for two seconds at most.
pub async fn serve(
    listener: TcpListener,
    mut state: AppState,
    shutdown: CancellationToken,
) -> Result<(), std::io::Error> {
    state.shutdown = shutdown.clone();
    answer(listener, router(state), shutdown).await
}

/// Answers `GET /metrics` on `listener`, and nothing else, until `shutdown` is cancelled.
pub async fn serve_metrics(
    listener: TcpListener,
    state: AppState,
    shutdown: CancellationToken,
) -> Result<(), std::io::Error> {
    answer(listener, metrics_router(state), shutdown).await
}

/// As [`serve`], for a process that is not the API: whether it can do its work, its figures, and nothing else.
pub async fn serve_probes(
    listener: TcpListener,
    state: AppState,
    shutdown: CancellationToken,
) -> Result<(), std::io::Error> {
    answer(listener, probes(state), shutdown).await
}

pub(super) async fn answer(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), std::io::Error> {
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
