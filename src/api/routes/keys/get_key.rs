//! `GET /api/keys/{id}`.

use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::{PrivateKeyId, key::PrivateKey},
    store::keys,
};
use axum::{Json, extract::State};

/// One key, as far as it may be shown.
#[utoipa::path(
    get, path = "/api/keys/{id}", tag = "keys", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ReadFleet))),
    responses((status = 200, body = PrivateKey), (status = 404, description = "No such key", body = Problem))
)]
pub(super) async fn get_key(
    State(state): State<AppState>,
    Path(id): Path<PrivateKeyId>,
) -> Result<Json<PrivateKey>, Problem> {
    let mut connection = state.database.acquire().await?;
    Ok(Json(keys::get_key(&mut connection, id).await?))
}
