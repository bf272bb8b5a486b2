//! `PATCH /api/vault-passwords/{id}`.

use super::{check_password, seal};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{validation::Validator, vault_password::VaultPassword},
    store::{StoreError, vault_passwords},
};
use axum::{Json, extract::State};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What changes about a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateVaultPassword {
    /// The new password; blanks around it are no part of it.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Stores another password for the same vault id.
#[utoipa::path(
    patch, path = "/api/vault-passwords/{id}", tag = "vault-passwords", request_body = UpdateVaultPassword,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = VaultPassword),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_vault_password(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<UpdateVaultPassword>,
) -> Result<Json<VaultPassword>, Problem> {
    let mut validator = Validator::new();
    check_password(&mut validator, &body.password);
    validator.finish()?;
    let sealed = seal(&state, id, &body.password)?;
    let mut transaction = state.database.begin().await?;
    let before = vault_passwords::get_vault_password(&mut transaction, id).await?;
    let after = vault_passwords::update_vault_password(&mut transaction, id, &sealed).await?;
    actor
        .record(
            &mut transaction,
            actor
                .entry("vault_password.update")
                .object(id)
                .before(&before)
                .after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
