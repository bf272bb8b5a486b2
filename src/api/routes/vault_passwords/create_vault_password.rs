//! `POST /api/vault-passwords`.

use super::{check_password, seal};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        clock::new_id,
        validation::{Invalid, Validator},
        vault_password::{VaultPassword, is_vault_id},
    },
    store::{StoreError, packages, vault_passwords},
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A password to be stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVaultPassword {
    /// What stands before the `@` of `--vault-id`; `default` for content whose header names none. 1 to 100 characters without
    /// blanks, `@`, `;` and `,`.
    vault_id: String,
    /// The only package that it is for; for all of them when left out.
    package_id: Option<Uuid>,
    /// The password; blanks around it are no part of it.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Stores a password that encrypted files and values of packages are read with.
#[utoipa::path(
    post, path = "/api/vault-passwords", tag = "vault-passwords", request_body = CreateVaultPassword,
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 201, body = VaultPassword),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is one already", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_vault_password(
    actor: Actor,
    State(state): State<AppState>,
    JsonBody(body): JsonBody<CreateVaultPassword>,
) -> Result<(StatusCode, Json<VaultPassword>), Problem> {
    let mut validator = Validator::new();
    validator.check(
        is_vault_id(&body.vault_id),
        "vault_id",
        "must have 1 to 100 characters, and no blanks, @, ; or commas",
    );
    check_password(&mut validator, &body.password);
    validator.finish()?;
    let id = new_id();
    let sealed = seal(&state, id, &body.password)?;
    let mut transaction = state.database.begin().await?;
    if let Some(package) = body.package_id {
        match packages::get_package(&mut transaction, package).await {
            Err(StoreError::NotFound(_)) => return Err(Invalid::field("package_id", "names no package").into()),
            found => found.map(drop)?,
        }
    }
    let stored =
        vault_passwords::insert_vault_password(&mut transaction, id, &body.vault_id, body.package_id, &sealed).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("vault_password.create").object(id).after(&stored),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(stored)))
}
