//! Listens until told to stop. Slow and idle clients cannot hold the server up: requests and answers have deadlines, and the number of
//! connections is limited.

mod body;
mod progress;
mod seats;
mod stream;
#[cfg(test)]
mod tests;

pub(in crate::api) use body::ReceiveError;

use super::{
    AppState,
    problem::Problem,
    router::{metrics_router, probes, router},
    starting::starting,
};
use crate::telemetry::Metrics;
use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, Request},
    http::{HeaderValue, Response, header},
    response::IntoResponse as _,
};
use body::{Received, Sent};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use progress::{Event, Overdue};
use seats::{Kind, RESERVE, Seat, Seats, Turn};
use socket2::SockRef;
use std::{convert::Infallible, future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll, time::Duration};
use stream::ClientStream;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

/// The time that requests under way are given after the server was told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// The buffer of a connection: for a request's head, and for an answer that the client does not read.
const BUFFER_BYTES: usize = 64 * 1024;
/// A client that has confirmed no bytes for this long is gone.
const UNCONFIRMED: Duration = Duration::from_mins(1);
/// The most that the kernel keeps of an answer that the client has no room for. Without a limit it would keep megabytes.
const UNSENT_BYTES: u32 = 128 * 1024;
/// The wait after the system had no room for another connection.
const PAUSE: Duration = Duration::from_millis(50);
/// The only path that is answered on a seat of the reserve.
const HEALTH: &str = "/api/health";
/// Connections of a listener that serves only metrics.
const SCRAPERS: usize = 64;
/// Open files that are not connections of clients: those of the database, of runs and of the log.
const OTHER_FILES: u64 = 192;

/// The number of connections, at most `wanted`, for which a process with a limit of `open_files` has room.
pub fn connections_within(wanted: usize, open_files: u64) -> usize {
    let room = open_files.saturating_sub(OTHER_FILES + RESERVE as u64).max(16);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

/// Answers requests on `listener` until `shutdown` is cancelled; then closes the streams, which tells their viewers to come back, and
/// finishes the requests under way, for two seconds at most.
pub async fn serve(listener: TcpListener, mut state: AppState, shutdown: CancellationToken) -> io::Result<()> {
    state.shutdown = shutdown.clone();
    let terms = Terms::of(&state);
    answer(listener, router(state), terms, shutdown).await
}

/// Answers `GET /metrics` on `listener`, and nothing else, until `shutdown` is cancelled.
pub async fn serve_metrics(listener: TcpListener, state: AppState, shutdown: CancellationToken) -> io::Result<()> {
    let mut terms = Terms::of(&state);
    terms.max_connections = terms.max_connections.min(SCRAPERS);
    answer(listener, metrics_router(state), terms, shutdown).await
}

/// As [`serve`], for a process that is not the API: whether it can do its work, its figures, and nothing else.
pub async fn serve_probes(listener: TcpListener, state: AppState, shutdown: CancellationToken) -> io::Result<()> {
    let terms = Terms::of(&state);
    answer(listener, probes(state), terms, shutdown).await
}

/// Answers every request on `listener` with 503 until `shutdown` is cancelled: clients are told to wait for the database instead of
/// waiting without an answer.
pub async fn serve_starting(
    listener: TcpListener,
    max_connections: usize,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let terms = Terms {
        max_connections,
        metrics: Metrics::default(),
    };
    answer(listener, starting(), terms, shutdown).await
}

/// The terms for all connections of a listener.
#[derive(Clone)]
struct Terms {
    max_connections: usize,
    metrics: Metrics,
}

impl Terms {
    fn of(state: &AppState) -> Self {
        Self {
            max_connections: state.config.max_connections,
            metrics: state.metrics.clone(),
        }
    }
}

async fn answer(listener: TcpListener, router: Router, terms: Terms, shutdown: CancellationToken) -> io::Result<()> {
    let seats = Seats::new(terms.max_connections);
    let attended = TaskTracker::new();
    let stopped = CancellationToken::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                make_room(&seats, &error).await;
                continue;
            }
        };
        let Some(seat) = seats.take() else { continue };
        let attending = Attending {
            router: router.clone(),
            metrics: terms.metrics.clone(),
            address,
            shutdown: shutdown.clone(),
        };
        let stopped = stopped.clone();
        attended.spawn(async move { stopped.run_until_cancelled(attending.attend(stream, seat)).await });
    }
    drop(listener);
    attended.close();
    if timeout(GRACE, attended.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time");
        stopped.cancel();
    }
    Ok(())
}

/// Closes a connection if that may help to accept the next one.
async fn make_room(seats: &Seats, error: &io::Error) {
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return;
    }
    // Usually too many files are open.
    tracing::warn!(%error, "a connection could not be accepted");
    seats.free_one();
    tokio::time::sleep(PAUSE).await;
}

/// One connection.
struct Attending {
    router: Router,
    metrics: Metrics,
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Attending {
    async fn attend(self, stream: TcpStream, seat: Seat) {
        let turn = seat.turn();
        let _counted = self.metrics.open_connection();
        set_options(&stream);
        let service = service_fn(|request| self.answer(request, Arc::clone(turn)));
        let stream = TokioIo::new(ClientStream::new(stream, Arc::clone(turn)));
        let mut connection = pin!(
            http1::Builder::new()
                .max_buf_size(BUFFER_BYTES)
                // `Progress` has the deadlines.
                .header_read_timeout(None)
                .serve_connection(stream, service)
        );
        let mut alarm = pin!(sleep_until(Instant::now()));
        let mut stopping = false;
        loop {
            let ended = poll_fn(|context| {
                // This reads and answers requests, which moves the deadline.
                if connection.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                let Some((at, overdue)) = turn.deadline() else {
                    return Poll::Pending;
                };
                if alarm.deadline() != at {
                    alarm.as_mut().reset(at);
                }
                alarm.as_mut().poll(context).map(|()| Some(overdue))
            });
            tokio::select! {
                overdue = ended => {
                    if let Some(overdue) = overdue {
                        self.tell(overdue);
                    }
                    return;
                }
                () = turn.body_ended.notified() => {}
                () = turn.gives_way.cancelled() => {
                    self.metrics.count_closed_connection("full");
                    return;
                }
                () = self.shutdown.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    fn tell(&self, overdue: Overdue) {
        let reason = match overdue {
            Overdue::Idle => "idle",
            Overdue::SlowHead => "slow_request",
            Overdue::Stalled => "stalled_answer",
        };
        self.metrics.count_closed_connection(reason);
        tracing::debug!(address = %self.address, reason, "a connection was closed");
    }

    async fn answer(&self, request: Request<Incoming>, turn: Arc<Turn>) -> Result<Response<Sent>, Infallible> {
        let (mut parts, body) = request.into_parts();
        let asks_first = parts.headers.contains_key(header::EXPECT);
        let body = Received::new(body, asks_first, Arc::clone(&turn));
        turn.note(Event::Requested {
            with_body: !body.is_end_stream(),
        });
        parts.extensions.insert(ConnectInfo(self.address));
        let response = if turn.kind == Kind::Reserve && parts.uri.path() != HEALTH {
            let mut refused =
                Problem::unavailable("all connections to this server are in use; try again shortly").into_response();
            let close = HeaderValue::from_static("close");
            refused.headers_mut().insert(header::CONNECTION, close);
            refused
        } else {
            let request = Request::from_parts(parts, Body::new(body));
            match self.router.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        Ok(response.map(|body| Sent::new(body, turn)))
    }
}

/// Small messages leave at once, vanished clients are noticed, and little is kept for clients that read nothing.
fn set_options(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let set = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_user_timeout(Some(UNCONFIRMED)))
        .and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES));
    if let Err(error) = set {
        // The client has left already.
        tracing::debug!(%error, "the options of a connection could not be set");
    }
}
