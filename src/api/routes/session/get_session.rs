//! `GET /api/session`.

use super::Session;
use crate::{
    api::{
        AppState,
        extract::{Actor, session_cookie},
        problem::Problem,
    },
    auth::{self, policy::Action},
    domain::principal::Via,
    store::users,
};
use axum::{Json, extract::State, http::HeaderMap};

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/session", tag = "session",
    responses((status = 200, body = Session), (status = 401, description = "Signed out", body = Problem))
)]
pub(super) async fn get_session(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
) -> Result<Json<Session>, Problem> {
    actor.require(Action::OwnSession)?;
    let mut connection = state.database.acquire().await?;
    let user = users::get_user(&mut connection, actor.user_id()?).await?;
    let mut expires_at = None;
    if actor.principal.via == Via::Session
        && let Some(token) = session_cookie(&headers)
    {
        let session = auth::sessions::authenticate(&mut connection, &token, state.clock.now()).await?;
        expires_at = session.map(|session| session.expires_at);
    }
    Ok(Json(Session { user, expires_at }))
}
