//! `GET /api/deployments/{id}/stream`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path, Query},
        feed::{Content, Feed, Message},
        problem::Problem,
        sse,
        streams::Reader,
    },
    auth::policy::Action,
    domain::{deployment::DeploymentServer, event::DeploymentEvent, validation::Invalid},
    store::deployments,
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::Instrument as _;
use utoipa::{IntoParams, ToSchema};

/// Where to begin, and what to send.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamDeploymentQuery {
    /// What changed after this position is sent; everything when not said. The header `Last-Event-ID` wins.
    after: Option<i64>,
    /// Send the events as well.
    events: Option<bool>,
}

/// Rows that have changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServersMessage {
    /// At most 1000.
    pub rows: Vec<DeploymentServer>,
}

/// The next events, without gaps.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventsMessage {
    /// At most 1000.
    pub events: Vec<DeploymentEvent>,
}

/// Server-sent events: `deployment` (first of all, and when it has changed), `servers` (rows that have changed), `events` (when asked
/// for), `end`; or `closing`, when the server stops: then come back. Each has the position that it leads up to as its id; a client that
/// comes back sends it as `Last-Event-ID`.
#[utoipa::path(
    get, path = "/api/deployments/{id}/stream", tag = "deployments",
    params(
        ("id" = String, Path, description = "The deployment's id, or its number"),
        ("Last-Event-ID" = Option<i64>, Header, description = "Go on after this position"),
        StreamDeploymentQuery,
    ),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, description = "`event: deployment | servers | events | end | closing`", body = ServersMessage, content_type = "text/event-stream"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The user has too many streams open", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream_deployment(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<StreamDeploymentQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reader = Reader::admit(&state, actor, Action::ReadDeployments)?;
    let after = match headers.get("last-event-id") {
        Some(value) => {
            let position = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            position.ok_or_else(|| Invalid::field("Last-Event-ID", "must be a position"))?
        }
        None => query.after.unwrap_or(0),
    };
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    deployments::get_deployment(&mut connection, id).await?;
    drop(connection);
    let feed = Feed::new(state, id, after, query.events.unwrap_or(false));
    // The stream outlives the handler, and what it logs belongs to the request all the same.
    let span = tracing::Span::current();
    Ok(sse::respond(
        reader,
        stream::unfold((feed, span), |(mut feed, span)| async {
            let message = feed.next().instrument(span.clone()).await?;
            Some((to_event(&message), (feed, span)))
        }),
    ))
}

fn to_event(message: &Message) -> Result<Event, axum::Error> {
    let id = Some(message.id);
    match &message.content {
        Content::Deployment(deployment) => sse::event("deployment", id, deployment),
        Content::Servers(rows) => sse::event("servers", id, &json!({ "rows": rows })),
        Content::Events(events) => sse::event("events", id, &Events { events }),
        Content::End => sse::event("end", id, &json!({})),
        Content::Closing => sse::closing(id),
    }
}

/// Borrowed: payloads are passed on as they are.
#[derive(Serialize)]
struct Events<'a> {
    events: &'a [DeploymentEvent],
}
