//! `GET /metrics`.

use crate::{
    api::{AppState, problem::Problem},
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
    extensions(("x-permission" = json!(Action::ReadMetrics))),
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_metrics(State(state): State<AppState>) -> Result<Response, Problem> {
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
