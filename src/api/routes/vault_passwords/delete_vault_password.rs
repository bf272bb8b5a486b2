//! `DELETE /api/vault-passwords/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    store::{StoreError, vault_passwords},
};
use axum::{extract::State, http::StatusCode};
use uuid::Uuid;

/// Forgets a password. Packages that are encrypted with it cannot be launched any more.
#[utoipa::path(
    delete, path = "/api/vault-passwords/{id}", tag = "vault-passwords", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_vault_password(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = vault_passwords::get_vault_password(&mut transaction, id).await?;
    vault_passwords::delete_vault_password(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("vault_password.delete").object(id).before(&before),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
