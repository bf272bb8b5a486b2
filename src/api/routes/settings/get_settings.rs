//! `GET /api/settings`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    domain::settings::Settings,
    store::settings,
};
use axum::{Json, extract::State};

/// What holds for the whole installation.
#[utoipa::path(
    get, path = "/api/settings", tag = "settings",
    extensions(("x-permission" = json!(Action::ReadSettings))),
    responses(
        (status = 200, body = Settings),
        (status = 401, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_settings(State(state): State<AppState>) -> Result<Json<Settings>, Problem> {
    let mut connection = state.database.acquire().await?;
    Ok(Json(settings::get_settings(&mut connection).await?))
}
