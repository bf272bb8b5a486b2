//! `GET /api/servers`.

use crate::{
    api::{
        AppState,
        extract::{Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::server::{Server, ServerStatus},
    store::servers::{self, ServerListFilter, ServerSort},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which servers, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListServers {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
    /// Part of the hostname, name, address, distro or a tag.
    search: Option<String>,
    /// A tag that the servers have; may be repeated: they have all of them.
    #[serde(default)]
    tag: Vec<String>,
    /// Exactly this status.
    status: Option<ServerStatus>,
    /// Exactly this distro.
    distro: Option<String>,
    /// By hostname when not said.
    #[param(inline)]
    sort: Option<ServerSort>,
}

/// Lists servers.
#[utoipa::path(
    get, path = "/api/servers", tag = "servers", params(ListServers),
    extensions(("x-permission" = json!(Action::ReadFleet))),
    responses((status = 200, body = Page<Server>), (status = 422, description = "A parameter is wrong", body = Problem))
)]
pub(super) async fn list_servers(
    State(state): State<AppState>,
    Query(query): Query<ListServers>,
) -> Result<Json<Page<Server>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let filter = ServerListFilter {
        search: query.search,
        tags: query.tag,
        status: query.status,
        distro: query.distro,
        sort: query.sort,
    };
    let mut connection = state.database.acquire().await?;
    Ok(Json(Page::new(
        servers::list_servers(&mut connection, &filter, request).await?,
        request,
    )))
}
