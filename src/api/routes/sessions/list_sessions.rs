//! `GET /api/sessions`.

use super::current;
use crate::{
    api::{
        AppState,
        extract::{Actor, Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::user::UserSession,
    store::sessions,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Selects sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSessions {
    /// Only the sessions of this user.
    user_id: Option<Uuid>,
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when left out.
    per_page: Option<i64>,
}

/// Lists your own sessions; an admin gets the sessions of everybody, or of one user.
#[utoipa::path(
    get, path = "/api/sessions", tag = "session", params(ListSessions),
    extensions(("x-permission" = json!(Action::OwnSession))),
    responses(
        (status = 200, body = Page<UserSession>),
        (status = 403, description = "The sessions of another user, and you are not an admin", body = Problem),
    )
)]
pub(super) async fn list_sessions(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<ListSessions>,
) -> Result<Json<Page<UserSession>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let owner = actor.owner_to_list(query.user_id)?;
    let mut connection = state.database.acquire().await?;
    let (mut rows, total) = sessions::list_sessions(&mut connection, owner, state.clock.now(), request).await?;
    let current = current(&actor);
    for session in &mut rows {
        session.current = Some(session.id) == current;
    }
    Ok(Json(Page::new((rows, total), request)))
}
