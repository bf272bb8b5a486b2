//! `GET /api/session`.

use super::Session;
use crate::{
    api::{AppState, admission, extract::Actor, problem::Problem},
    auth::{policy::Action, standing},
    store::users,
};
use axum::{Json, extract::State};

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/session", tag = "session",
    extensions(("x-permission" = json!(Action::OwnSession))),
    responses((status = 200, body = Session), (status = 401, description = "Signed out", body = Problem))
)]
pub(super) async fn get_session(State(state): State<AppState>, actor: Actor) -> Result<Json<Session>, Problem> {
    let mut connection = state.database.acquire().await?;
    let user = users::get_user(&mut connection, actor.user_id()?).await?;
    let has_password = users::get_password_hash(&mut connection, user.id).await?.is_some();
    let standing = standing::check(&mut connection, &actor.principal, state.clock.now())
        .await?
        .ok_or_else(admission::unauthenticated)?;
    Ok(Json(Session {
        user,
        role: standing.role,
        has_password,
        expires_at: standing.expires_at,
    }))
}
