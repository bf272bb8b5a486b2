//! `POST /api/users/{id}/sign-in-link`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::{links, policy::Action},
    domain::UserId,
    store::{StoreError, users},
};
use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A link that signs a user in, once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    /// Path and query, to be put behind the server's address. Secret; shown this once.
    pub url_path: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

/// Makes a link that signs a user in, once, within 30 minutes; earlier ones stop working.
#[utoipa::path(
    post, path = "/api/users/{id}/sign-in-link", tag = "users", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ManageUsers))),
    responses(
        (status = 201, body = SignInLink),
        (status = 403, description = "Not an admin", body = Problem),
        (status = 404, description = "No such user", body = Problem),
        (status = 409, description = "The user is disabled", body = Problem),
    )
)]
pub(super) async fn create_sign_in_link(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<UserId>,
) -> Result<(StatusCode, Json<SignInLink>), Problem> {
    let mut transaction = state.database.begin().await?;
    let user = users::get_user(&mut transaction, id).await?;
    if user.disabled {
        return Err(Problem::conflict("this user is disabled"));
    }
    let link = links::create_sign_in(&mut transaction, id, state.clock.now()).await?;
    actor
        .record(&mut transaction, actor.entry("user.create_sign_in_link").object(id))
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((
        StatusCode::CREATED,
        Json(SignInLink {
            url_path: link.url_path(),
            expires_at: link.expires_at,
        }),
    ))
}
