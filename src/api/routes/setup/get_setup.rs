//! `GET /api/setup`.

use super::SetupState;
use crate::{
    api::{AppState, problem::Problem},
    store::users,
};
use axum::{Json, extract::State};

/// Whether the first admin is still to be made.
#[utoipa::path(get, path = "/api/setup", tag = "setup", security(()), responses((status = 200, body = SetupState)))]
pub(super) async fn get_setup(State(state): State<AppState>) -> Result<Json<SetupState>, Problem> {
    let mut connection = state.database.acquire().await?;
    Ok(Json(SetupState {
        needed: !users::any_user(&mut connection).await?,
    }))
}
