//! `GET /api/servers/{id}`.

use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::{ServerId, server::Server},
    store::servers,
};
use axum::{Json, extract::State};

/// One server.
#[utoipa::path(
    get, path = "/api/servers/{id}", tag = "servers", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ReadFleet))),
    responses((status = 200, body = Server), (status = 404, description = "No such server", body = Problem))
)]
pub(super) async fn get_server(
    State(state): State<AppState>,
    Path(id): Path<ServerId>,
) -> Result<Json<Server>, Problem> {
    let mut connection = state.database.acquire().await?;
    Ok(Json(servers::get_server(&mut connection, id).await?))
}
