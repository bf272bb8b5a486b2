//! `GET /api/deployments/{id}/events`.

use crate::{
    api::{
        AppState,
        extract::{Path, Query},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{event::DeploymentEvent, validation::Validator},
    store::{
        deployments,
        events::{self, EventFilter, PageLimit},
        retention,
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListDeploymentEventsQuery {
    /// Only events with a higher position; 0 when not said.
    after: Option<i64>,
    /// 1 to 5000; 500 when not said. Fewer come when they are large.
    limit: Option<i64>,
    /// Only events about this host.
    host: Option<String>,
    /// Only events of this kind, or of these kinds, separated by commas.
    kind: Option<String>,
    /// Only events of the run of this slice.
    slice: Option<i32>,
}

/// Events in the order of their positions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// The events.
    pub data: Vec<DeploymentEvent>,
    /// Where to go on; null when there is no more at present.
    pub next_after: Option<i64>,
    /// Events up to this position were removed, because they are older than the setting `retention_days` or were when it was lower;
    /// 0 when all are there.
    pub removed_up_to: i64,
}

/// The events of a deployment.
#[utoipa::path(
    get, path = "/api/deployments/{id}/events", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number"), ListDeploymentEventsQuery),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, body = EventList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_deployment_events(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<ListDeploymentEventsQuery>,
) -> Result<Json<EventList>, Problem> {
    let (after, limit) = (query.after.unwrap_or(0), query.limit.unwrap_or(500));
    let mut validator = Validator::new();
    validator.check(after >= 0, "after", "must not be negative");
    validator.check((1..=5000).contains(&limit), "limit", "must be between 1 and 5000");
    validator.finish()?;
    let filter = EventFilter {
        host: query.host,
        kinds: query
            .kind
            .iter()
            .flat_map(|kinds| kinds.split(','))
            .map(str::to_owned)
            .collect(),
        slice: query.slice,
    };
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    let deployment = deployments::get_deployment(&mut connection, id).await?;
    let removed_up_to = retention::removed_events(&mut connection, &deployment).await?;
    let page = events::list_after(&mut connection, id, after, PageLimit::events(limit), &filter).await?;
    let next_after = page.events.last().filter(|_| page.more).map(|event| event.position);
    Ok(Json(EventList {
        data: page.events,
        next_after,
        removed_up_to,
    }))
}
