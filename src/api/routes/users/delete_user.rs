//! `DELETE /api/users/{id}`.

use super::keep_an_admin;
use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::UserId,
    store::{StoreError, users},
};
use axum::{extract::State, http::StatusCode};

/// Deletes a user with their sessions and tokens. What they launched stays, under their name.
#[utoipa::path(
    delete, path = "/api/users/{id}", tag = "users", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ManageUsers))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not an admin", body = Problem),
        (status = 404, description = "No such user", body = Problem),
        (status = 409, description = "The last admin", body = Problem),
    )
)]
pub(super) async fn delete_user(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    users::lock_users(&mut transaction).await?;
    let before = users::get_user(&mut transaction, id).await?;
    users::delete_user(&mut transaction, id).await?;
    keep_an_admin(&mut transaction).await?;
    actor
        .record(&mut transaction, actor.entry("user.delete").object(id).before(&before))
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
