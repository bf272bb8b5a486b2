//! `DELETE /api/galaxy-servers/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    store::{StoreError, galaxy_servers},
};
use axum::{extract::State, http::StatusCode};
use uuid::Uuid;

/// Forgets a server. What was fetched from it is fetched anew from the others.
#[utoipa::path(
    delete, path = "/api/galaxy-servers/{id}", tag = "galaxy-servers", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeSettings))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_galaxy_server(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = galaxy_servers::get_galaxy_server(&mut transaction, id).await?;
    galaxy_servers::delete_galaxy_server(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("galaxy_server.delete").object(id).before(&before),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
