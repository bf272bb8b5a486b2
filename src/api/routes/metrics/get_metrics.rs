//! `GET /metrics`.

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    auth::policy::Action,
    telemetry::{CONTENT_TYPE, Snapshot},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

/// Figures for Prometheus, in OpenMetrics text. Scrapers send an API token; with `serve --public-metrics` none is needed.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::api::routes) async fn get_metrics(
    State(state): State<AppState>,
    actor: Result<Actor, Problem>,
) -> Result<Response, Problem> {
    if !state.config.public_metrics {
        actor?.require(Action::ReadMetrics)?;
    }
    let (deployment_viewers, list_viewers) = state.live.viewers();
    let snapshot = Snapshot {
        queue: state.scrape.queue(&state.database).await,
        pool: state.database.pool_use(),
        deployment_viewers,
        list_viewers,
    };
    let text = state
        .metrics
        .encode(&snapshot)
        .map_err(|error| Problem::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}
