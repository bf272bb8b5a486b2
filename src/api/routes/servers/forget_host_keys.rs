//! `DELETE /api/servers/{id}/host-keys`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::ServerId,
    store::{StoreError, host_keys, servers},
};
use axum::{extract::State, http::StatusCode};

/// Forgets a server's SSH host keys, so that the next contact trusts anew.
#[utoipa::path(
    delete, path = "/api/servers/{id}/host-keys", tag = "servers", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such server", body = Problem),
    )
)]
pub(super) async fn forget_host_keys(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<ServerId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = servers::lock_server(&mut transaction, id).await?;
    host_keys::forget(&mut transaction, id).await?;
    let entry = actor
        .entry("server.forget_host_keys")
        .object(id)
        .before(&before.host_keys);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
