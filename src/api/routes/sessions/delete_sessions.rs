//! `DELETE /api/sessions`.

use super::current;
use crate::{
    api::{
        AppState,
        extract::{Actor, Query},
        problem::Problem,
    },
    auth::policy::Action,
    store::{StoreError, sessions, users},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Selects the user.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteSessions {
    /// The user whose sessions end; your own when left out.
    user_id: Option<Uuid>,
}

/// The number of sessions that were ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct EndedSessions {
    /// The number.
    pub sessions_ended: u64,
}

/// Ends all sessions of a user except the one that makes the request. API tokens keep working.
#[utoipa::path(
    delete, path = "/api/sessions", tag = "session", params(DeleteSessions),
    extensions(("x-permission" = json!(Action::OwnSession))),
    responses(
        (status = 200, body = EndedSessions),
        (status = 403, description = "The sessions of another user, and you are not an admin", body = Problem),
        (status = 404, description = "No such user", body = Problem),
    )
)]
pub(super) async fn delete_sessions(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<DeleteSessions>,
) -> Result<Json<EndedSessions>, Problem> {
    let owner = match query.user_id {
        Some(owner) => owner,
        None => actor.user_id()?,
    };
    actor.require_own(owner)?;
    let mut transaction = state.database.begin().await?;
    users::get_user(&mut transaction, owner).await?;
    let sessions_ended = sessions::delete_sessions_of_user(&mut transaction, owner, current(&actor)).await?;
    let entry = actor.entry("user.revoke_sessions").object(owner);
    actor
        .record(
            &mut transaction,
            entry.after(&json!({ "sessions_ended": sessions_ended })),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(EndedSessions { sessions_ended }))
}
