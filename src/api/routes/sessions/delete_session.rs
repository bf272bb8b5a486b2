//! `DELETE /api/sessions/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    store::{StoreError, sessions},
};
use axum::{extract::State, http::StatusCode};
use uuid::Uuid;

/// Ends a session, which signs its browser out at once. Only an admin finds the sessions of others.
#[utoipa::path(
    delete, path = "/api/sessions/{id}", tag = "session", params(("id" = Uuid, Path)),
    extensions(("x-permission" = json!(Action::OwnSession))),
    responses((status = 204, description = "Ended"), (status = 404, description = "No such session", body = Problem))
)]
pub(super) async fn delete_session_by_id(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let session = sessions::get_session(&mut transaction, id, state.clock.now()).await?;
    let is_own = actor.principal.user_id == Some(session.user_id);
    // A concurrent request may have ended it.
    if (!is_own && !actor.may(Action::ManageUsers)) || !sessions::delete_session_by_id(&mut transaction, id).await? {
        return Err(Problem::not_found("session"));
    }
    actor
        .record(
            &mut transaction,
            actor.entry("session.revoke").object(id).before(&session),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
