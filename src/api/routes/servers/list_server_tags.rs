//! `GET /api/server-tags`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    store::servers,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tag in use.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerTag {
    /// The tag.
    pub tag: String,
    /// How many servers have it.
    pub servers: i64,
}

/// All tags in use.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerTags {
    /// In alphabetical order.
    pub data: Vec<ServerTag>,
}

/// Lists the tags in use.
#[utoipa::path(get, path = "/api/server-tags", tag = "servers", extensions(("x-permission" = json!(Action::ReadFleet))), responses((status = 200, body = ServerTags)))]
pub(super) async fn list_server_tags(State(state): State<AppState>) -> Result<Json<ServerTags>, Problem> {
    let mut connection = state.database.acquire().await?;
    let tags = servers::count_tags(&mut connection).await?;
    let data = tags
        .into_iter()
        .map(|count| ServerTag {
            tag: count.tag,
            servers: count.servers,
        })
        .collect();
    Ok(Json(ServerTags { data }))
}
