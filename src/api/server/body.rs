//! The bodies of requests and answers on their way through a connection.

use super::{progress::Event, seats::Turn};
use crate::api::problem::Problem;
use axum::{
    body::{Body, Bytes, HttpBody},
    http::StatusCode,
};
use hyper::body::{Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep_until, timeout},
};

/// The longest pause in a body.
const PAUSE: Duration = Duration::from_secs(20);
/// The lowest average speed of a body in bytes a second, after [`PAUSE`] at the beginning.
const SLOWEST: u64 = 1024;
/// A client that has sent this much goes to the end of the line (`seats`).
const GOOD_PART: usize = 16 * 1024;
/// The most that is discarded of a body that nobody reads. A client that is still sending would not see the answer otherwise.
const MOST_DISCARDED: usize = 64 * 1024 * 1024;
/// The longest time that is spent on it.
const DISCARDING: Duration = Duration::from_secs(30);

/// Why a body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum ReceiveError {
    /// It came too slowly.
    #[error("the body came too slowly: it must not pause for more than {} seconds, and needs {SLOWEST} bytes a second on average", PAUSE.as_secs())]
    TooSlow,
    /// The connection was lost, or the body is malformed.
    #[error("the body could not be read")]
    Broken(#[source] hyper::Error),
}

impl From<&ReceiveError> for Problem {
    fn from(error: &ReceiveError) -> Self {
        match error {
            ReceiveError::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", error.to_string()),
            ReceiveError::Broken(_) => {
                Self::new(StatusCode::BAD_REQUEST, "malformed_body", "the body could not be read")
            }
        }
    }
}

/// A request's body, with limits on its speed. If it is dropped before its end, the rest is read and discarded.
pub(super) struct Received(Option<Arriving>);

struct Arriving {
    body: Incoming,
    /// The client sends nothing before we begin to read (`Expect: 100-continue`).
    is_held_back: bool,
    turn: Arc<Turn>,
    /// The number of this body on its connection.
    number: u64,
    began: Instant,
    bytes: u64,
    since_noted: usize,
    patience: Pin<Box<Sleep>>,
}

impl Received {
    pub(super) fn new(body: Incoming, asks_first: bool, turn: Arc<Turn>) -> Self {
        if body.is_end_stream() {
            return Self(None);
        }
        let began = Instant::now();
        Self(Some(Arriving {
            body,
            is_held_back: asks_first,
            number: turn.begin_body(),
            turn,
            began,
            bytes: 0,
            since_noted: 0,
            patience: Box::pin(sleep_until(began + PAUSE)),
        }))
    }
}

impl Arriving {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        self.is_held_back = false;
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.patience.as_mut().poll(context));
                return Poll::Ready(Some(Err(ReceiveError::TooSlow)));
            }
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len() as u64;
            self.since_noted += data.len();
            if self.since_noted >= GOOD_PART {
                self.since_noted = 0;
                self.turn.note(Event::Received);
            }
            let at_all = self.began + PAUSE + Duration::from_secs(self.bytes / SLOWEST);
            self.patience.as_mut().reset(at_all.min(Instant::now() + PAUSE));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(ReceiveError::Broken)))
    }

    /// Reads and forgets the rest, so that the client gets to read its answer.
    async fn discard(mut self) {
        let mut bytes = 0;
        while let Some(Ok(frame)) = std::future::poll_fn(|context| self.poll(context)).await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > MOST_DISCARDED {
                break;
            }
        }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.turn.end_body(self.number);
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let Some(arriving) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let frame = ready!(arriving.poll(context));
        if !matches!(frame, Some(Ok(_))) || arriving.body.is_end_stream() {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |arriving| arriving.body.size_hint())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let Some(arriving) = self.0.take().filter(|arriving| !arriving.is_held_back) else {
            return;
        };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(DISCARDING, arriving.discard()));
        }
    }
}

/// An answer's body. It is dropped when all of it has been handed to the connection.
pub(super) struct Sent {
    body: Body,
    turn: Arc<Turn>,
}

impl Sent {
    pub(super) fn new(body: Body, turn: Arc<Turn>) -> Self {
        Self { body, turn }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.turn.note(Event::Answered);
    }
}
