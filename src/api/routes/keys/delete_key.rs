//! `DELETE /api/keys/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::PrivateKeyId,
    store::{StoreError, keys},
};
use axum::{extract::State, http::StatusCode};

/// Deletes a key that no server uses.
#[utoipa::path(
    delete, path = "/api/keys/{id}", tag = "keys", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such key", body = Problem),
        (status = 409, description = "A server uses it", body = Problem),
    )
)]
pub(super) async fn delete_key(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PrivateKeyId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = keys::get_key(&mut transaction, id).await?;
    if before.servers > 0 {
        return Err(Problem::conflict(format!(
            "{} server(s) use this key; give them another one first",
            before.servers
        )));
    }
    // The foreign key refuses too, should a server take the key up in between.
    keys::delete_key(&mut transaction, id).await?;
    actor
        .record(&mut transaction, actor.entry("key.delete").object(id).before(&before))
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
