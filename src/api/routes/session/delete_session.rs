//! `DELETE /api/session`.

use super::set_cookie;
use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    auth::policy::Action,
    domain::principal::Via,
    store::{StoreError, sessions},
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

/// Signs out. This does not revoke a token.
#[utoipa::path(
    delete, path = "/api/session", tag = "session",
    extensions(("x-permission" = json!(Action::OwnSession))),
    responses((status = 204, description = "Signed out"), (status = 401, description = "Signed out already", body = Problem))
)]
pub(super) async fn delete_session(State(state): State<AppState>, actor: Actor) -> Result<Response, Problem> {
    if let Via::Session(id) = actor.principal.via {
        let mut transaction = state.database.begin().await?;
        if sessions::delete_session_by_id(&mut transaction, id).await? {
            actor.record(&mut transaction, actor.entry("session.delete")).await?;
        }
        transaction.commit().await.map_err(StoreError::from)?;
    }
    let cookie = set_cookie("", 0, state.config.secure_cookies)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
