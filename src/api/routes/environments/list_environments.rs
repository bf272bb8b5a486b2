//! `GET /api/environments`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    domain::variable_set::Environment,
    store::environments,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All environments.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentList {
    /// By name.
    pub data: Vec<Environment>,
}

/// Lists the environments.
#[utoipa::path(
    get, path = "/api/environments", tag = "environments",
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses((status = 200, body = EnvironmentList))
)]
pub(super) async fn list_environments(State(state): State<AppState>) -> Result<Json<EnvironmentList>, Problem> {
    let mut connection = state.database.acquire().await?;
    let data = environments::list_environments(&mut connection).await?;
    Ok(Json(EnvironmentList { data }))
}
