//! `DELETE /api/session`.

use super::set_cookie;
use crate::{
    api::{
        AppState,
        extract::{Actor, session_cookie},
        problem::Problem,
    },
    auth::{policy::Action, sessions},
    store::StoreError,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

/// Signs out.
#[utoipa::path(
    delete, path = "/api/session", tag = "session",
    responses((status = 204, description = "Signed out"), (status = 401, description = "Signed out already", body = Problem))
)]
pub(super) async fn delete_session(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    actor.require(Action::OwnSession)?;
    if let Some(token) = session_cookie(&headers) {
        let mut transaction = state.database.begin().await?;
        if sessions::end(&mut transaction, &token).await? {
            actor.record(&mut transaction, actor.entry("session.delete")).await?;
        }
        transaction.commit().await.map_err(StoreError::from)?;
    }
    let cookie = set_cookie("", 0, state.config.secure_cookies)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
