//! `GET /api/environments`.

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
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
    get, path = "/api/environments", tag = "environments", responses((status = 200, body = EnvironmentList))
)]
pub(super) async fn list_environments(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<EnvironmentList>, Problem> {
    actor.require(Action::ReadPlaybooks)?;
    let mut connection = state.database.acquire().await?;
    let data = environments::list_environments(&mut connection).await?;
    Ok(Json(EnvironmentList { data }))
}
