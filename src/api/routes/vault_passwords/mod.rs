//! Passwords of `ansible-vault`. What was stored is never sent again.

mod create_vault_password;
mod delete_vault_password;
mod list_vault_passwords;
mod update_vault_password;

use crate::{
    api::{AppState, problem::Problem},
    domain::validation::Validator,
    vault::RowIdentity,
};
use secrecy::{ExposeSecret as _, SecretString};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Longest password, in bytes.
const MAX_PASSWORD: usize = 4096;

/// `/api/vault-passwords`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list_vault_passwords::list_vault_passwords,
            create_vault_password::create_vault_password
        ))
        .routes(routes!(
            update_vault_password::update_vault_password,
            delete_vault_password::delete_vault_password
        ))
}

/// Notes what is wrong with a password. Ansible takes blanks off both ends of what it reads from a file.
fn check_password(validator: &mut Validator, password: &SecretString) {
    let text = password.expose_secret();
    validator.check(
        !text.trim().is_empty() && text.len() <= MAX_PASSWORD && !text.contains('\0'),
        "password",
        "must have between 1 and 4096 bytes, and more than blanks",
    );
}

fn seal(state: &AppState, id: Uuid, password: &SecretString) -> Result<Vec<u8>, Problem> {
    let text = password.expose_secret().trim();
    state
        .vault
        .seal(text.as_bytes(), RowIdentity::vault_password(id))
        .map_err(|error| Problem::internal(&error))
}
