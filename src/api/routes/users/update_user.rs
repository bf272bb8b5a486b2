//! `PATCH /api/users/{id}`.

use super::keep_an_admin;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::{
        passwords,
        policy::Action,
        revocation::{self, Tokens},
    },
    domain::{
        UserId,
        user::{Role, User},
        validation::Validator,
    },
    store::{
        StoreError,
        users::{self, UserChange},
    },
};
use axum::{Json, extract::State};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes to a user; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// The new role.
    role: Option<Role>,
    /// 12 to 1024 characters.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Whether the user may not sign in.
    disabled: Option<bool>,
}

/// Changes a user. A new password ends all sessions of the user and revokes all their API tokens and unused sign-in links; your own
/// password is changed at `POST /api/account/password`. Disabling a user ends their sessions and links, and suspends their tokens.
#[utoipa::path(
    patch, path = "/api/users/{id}", tag = "users", request_body = UpdateUser, params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ManageUsers))),
    responses(
        (status = 200, body = User),
        (status = 403, description = "Not an admin", body = Problem),
        (status = 404, description = "No such user", body = Problem),
        (status = 409, description = "The last admin, or your own password", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn update_user(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<UserId>,
    JsonBody(body): JsonBody<UpdateUser>,
) -> Result<Json<User>, Problem> {
    if body.password.is_some() && actor.principal.user_id == Some(id) {
        // Otherwise a stolen session of an admin would be enough to take the account over.
        return Err(Problem::conflict(
            "change your own password in your account, which asks for the current one (POST /api/account/password)",
        ));
    }
    let mut validator = Validator::new();
    if let Some(password) = &body.password {
        passwords::check_new(&mut validator, "password", password);
    }
    validator.finish()?;
    let new_password = body.password.is_some();
    let password_hash = match body.password {
        Some(password) => Some(passwords::hash(password).await?),
        None => None,
    };
    let change = UserChange {
        role: body.role,
        password_hash,
        disabled: body.disabled,
    };
    let mut transaction = state.database.begin().await?;
    users::lock_users(&mut transaction).await?;
    let before = users::get_user(&mut transaction, id).await?;
    let after = users::update_user(&mut transaction, id, &change).await?;
    keep_an_admin(&mut transaction).await?;
    if new_password || after.disabled {
        let tokens = if new_password { Tokens::Revoke } else { Tokens::Keep };
        revocation::revoke(&mut transaction, id, tokens, None, state.clock.now()).await?;
    }
    let action = if new_password {
        "user.update_with_password"
    } else {
        "user.update"
    };
    actor
        .record(
            &mut transaction,
            actor.entry(action).object(id).before(&before).after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
