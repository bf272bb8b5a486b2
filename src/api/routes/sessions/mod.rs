//! Sessions: the browsers that are signed in.

mod delete_session;
mod delete_sessions;
mod list_sessions;

pub use delete_sessions::EndedSessions;

use crate::{
    api::{AppState, extract::Actor},
    domain::principal::Via,
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// `/api/sessions`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_sessions::list_sessions, delete_sessions::delete_sessions))
        .routes(routes!(delete_session::delete_session_by_id))
}

/// The session that the request was made with.
fn current(actor: &Actor) -> Option<Uuid> {
    match actor.principal.via {
        Via::Session(id) => Some(id),
        Via::Token(_) | Via::LocalCommand => None,
    }
}
