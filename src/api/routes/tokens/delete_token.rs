//! `DELETE /api/tokens/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    store::{StoreError, tokens},
};
use axum::{extract::State, http::StatusCode};
use serde_json::json;
use uuid::Uuid;

/// Revokes a token, and all tokens that were made with it. Other people's are not found, unless by an admin.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", tag = "tokens", params(("id" = Uuid, Path)),
    extensions(("x-permission" = json!(Action::OwnTokens))),
    responses((status = 204, description = "Revoked"), (status = 404, description = "No such token", body = Problem))
)]
pub(super) async fn delete_token(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let token = tokens::get_token(&mut transaction, id).await?;
    if Some(token.user_id) != actor.principal.user_id && !actor.may(Action::ManageUsers) {
        return Err(Problem::not_found("token"));
    }
    let others = tokens::revoke_token(&mut transaction, id, state.clock.now()).await?;
    let entry = actor.entry("token.revoke").object(id).before(&token);
    actor
        .record(
            &mut transaction,
            entry.after(&json!({ "tokens_made_with_it_revoked": others })),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
