//! Server-sent events: how a stream is framed.

use super::streams::Reader;
use crate::domain::clock::new_id;
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a viewer whose stream broke off waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);
/// After a stop, viewers come back over this many milliseconds, and not all at once.
const SPREAD: u64 = 1000;

/// The last event of a stream that ends because the server stops: come back soon and go on after `id`. A viewer that knows nothing of
/// it finds the stream ended, and comes back as well.
pub(super) fn closing(id: Option<i64>) -> Result<Event, axum::Error> {
    let spread = new_id().as_u128() as u64 % SPREAD;
    let event = event("closing", id, &json!({ "reason": "stopping" }))?;
    Ok(event.retry(RETRY / 2 + Duration::from_millis(spread)))
}

/// One event, with `data` as JSON.
pub(super) fn event(name: &str, id: Option<i64>, data: &impl Serialize) -> Result<Event, axum::Error> {
    let event = Event::default().event(name);
    let event = match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    };
    event.json_data(data)
}

/// The answer; a comment keeps the connection open when there is nothing to say. It ends when the reader loses the right to read on.
pub(super) fn respond(
    reader: Reader,
    events: impl Stream<Item = Result<Event, axum::Error>> + Send + 'static,
) -> Response {
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    let opening = stream::once(async { Ok(Event::default().comment("open").retry(RETRY)) });
    // Fused: the keep-alive asks once more after the end.
    let events = opening.chain(events).take_until(Box::pin(reader.until_lost())).fuse();
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies such as nginx would otherwise hold the stream back.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}
