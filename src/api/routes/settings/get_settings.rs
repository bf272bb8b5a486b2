//! `GET /api/settings`.

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    auth::policy::Action,
    domain::settings::Settings,
    store::settings,
};
use axum::{Json, extract::State};

/// What holds for the whole installation.
#[utoipa::path(
    get, path = "/api/settings", tag = "settings",
    responses(
        (status = 200, body = Settings),
        (status = 401, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_settings(State(state): State<AppState>, actor: Actor) -> Result<Json<Settings>, Problem> {
    actor.require(Action::ReadSettings)?;
    let mut connection = state.database.acquire().await?;
    Ok(Json(settings::get_settings(&mut connection).await?))
}
