//! `DELETE /api/servers/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::ServerId,
    store::{StoreError, servers},
};
use axum::{extract::State, http::StatusCode};

/// Deletes a server. Rows of earlier deployments keep its name.
#[utoipa::path(
    delete, path = "/api/servers/{id}", tag = "servers", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such server", body = Problem),
    )
)]
pub(super) async fn delete_server(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<ServerId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = servers::lock_server(&mut transaction, id).await?;
    servers::delete_server(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("server.delete").object(id).before(&before),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
