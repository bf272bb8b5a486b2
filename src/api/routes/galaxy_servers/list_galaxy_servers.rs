//! `GET /api/galaxy-servers`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    domain::galaxy_server::GalaxyServer,
    store::galaxy_servers,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All servers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GalaxyServerList {
    /// In the order in which they are asked.
    pub data: Vec<GalaxyServer>,
}

/// The servers that roles and collections are fetched from. Without any, those of the project's `ansible.cfg` are asked, or else
/// Ansible's own.
#[utoipa::path(
    get, path = "/api/galaxy-servers", tag = "galaxy-servers",
    extensions(("x-permission" = json!(Action::ReadSettings))),
    responses(
        (status = 200, body = GalaxyServerList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_galaxy_servers(State(state): State<AppState>) -> Result<Json<GalaxyServerList>, Problem> {
    let data = galaxy_servers::list_galaxy_servers(&mut *state.database.acquire().await?).await?;
    Ok(Json(GalaxyServerList { data }))
}
