//! `GET /api/workers`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    domain::worker::Worker,
    store::workers,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All workers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkerList {
    /// By name.
    pub data: Vec<Worker>,
}

/// Lists the workers there are: those that stopped are not, those that were killed are for as long as they own runs.
#[utoipa::path(
    get, path = "/api/workers", tag = "workers",
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, body = WorkerList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_workers(State(state): State<AppState>) -> Result<Json<WorkerList>, Problem> {
    let mut connection = state.database.acquire().await?;
    Ok(Json(WorkerList {
        data: workers::list_workers(&mut connection).await?,
    }))
}
