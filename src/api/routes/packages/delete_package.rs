//! `DELETE /api/packages/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, playbook::PlaybookOrigin},
    store::{StoreError, packages},
};
use axum::{extract::State, http::StatusCode};

/// Takes a custom package out of the library. What was launched from it stays as it is.
#[utoipa::path(
    delete, path = "/api/packages/{id}", tag = "packages", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was not uploaded", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_package(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    packages::lock_package(&mut transaction, id).await?;
    let before = packages::get_package(&mut transaction, id).await?;
    if before.origin != PlaybookOrigin::Custom {
        return Err(Problem::conflict(
            "only custom playbooks are deleted here; delete this one in its folder, or its git project",
        ));
    }
    packages::delete_package(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("package.delete").object(id).before(&before),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
