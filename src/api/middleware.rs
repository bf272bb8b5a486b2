//! What happens around every request, outermost first: its id and its span, what every answer carries, compression, panics.

use super::{AppState, problem::Problem};
use crate::{domain::clock::new_id, store::audit};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use std::{
    any::Any,
    pin::pin,
    time::{Duration, Instant},
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use tracing::Instrument as _;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request that takes longer may be waiting for a database that is gone.
const SLOW: Duration = Duration::from_secs(2);

const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

pub(super) fn around(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    router
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(state.clone(), watch_database))
        .layer(from_fn_with_state(state.clone(), finish_problem))
        .layer(CompressionLayer::new())
        .layer(from_fn(add_headers))
        .layer(from_fn_with_state(state.clone(), count))
        .layer(from_fn(identify))
}

/// The id of a request, for whoever needs it on the way.
#[derive(Debug, Clone)]
struct RequestId(String);

async fn identify(mut request: Request, next: Next) -> Response {
    let id = new_id().to_string();
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = %request.method(),
        // Without the query: a link's token stands there.
        path = %request.uri().path(),
        actor = tracing::field::Empty,
        deployment = tracing::field::Empty,
    );
    request.extensions_mut().insert(RequestId(id.clone()));
    async {
        let mut response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID.clone(), value);
        }
        response
    }
    .instrument(span)
    .await
}

/// Counts by the route's template: paths are without number.
async fn count(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        // Whatever a client makes up.
        _ => "other",
    };
    let response = next.run(request).await;
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    state
        .metrics
        .observe_request(route, method, response.status().as_u16(), began.elapsed());
    response
}

async fn add_headers(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Ends the wait of a request whose database has gone away under it: a query that was sent to a machine that is gone is never answered.
/// What needs no database is not disturbed.
async fn watch_database(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = pin!(next.run(request));
    loop {
        tokio::select! {
            biased;
            response = &mut response => return response,
            () = tokio::time::sleep(SLOW) => state.database.suspect(),
        }
        tokio::select! {
            biased;
            response = &mut response => return response,
            () = state.database.lost() => {
                return Problem::unavailable("the database is unavailable; try again shortly").into_response();
            }
            () = tokio::time::sleep(SLOW) => {}
        }
    }
}

/// Puts the request's id into a problem's body, and audits the refusals among them.
async fn finish_problem(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone());
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    if let Some(entry) = problem.audit.take() {
        let recorded = async { audit::record(&mut *state.database.acquire().await?, &entry).await };
        if let Err(error) = recorded.await {
            tracing::error!(%error, action = %entry.action, actor = %entry.actor_name, "failed to audit a refusal");
        }
    }
    problem.request_id = id;
    let mut finished = problem.into_response();
    // What others added to the answer stays (`Allow`, `Set-Cookie`); only the body is new.
    for (name, value) in response.headers() {
        if !finished.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            finished.headers_mut().append(name, value.clone());
        }
    }
    finished
}

fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = message, "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "something went wrong inside Admiral; the log has the details",
    )
    .into_response()
}
