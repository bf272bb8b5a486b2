//! SSH private keys. What was stored is never sent again.

mod create_key;
mod delete_key;
mod generate_key;
mod get_key;
mod import;
mod list_keys;
mod update_key;

pub(super) use import::import_key;

use crate::{
    api::{AppState, problem::Problem},
    domain::{clock::new_id, key::PrivateKey, validation::Validator},
    store::{
        Connection,
        keys::{self, NewKey},
    },
    vault::{RowIdentity, ssh_key::ParsedKey},
};
use secrecy::{ExposeSecret as _, SecretString};
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/keys`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_keys::list_keys, create_key::create_key))
        .routes(routes!(generate_key::generate_key))
        .routes(routes!(
            get_key::get_key,
            update_key::update_key,
            delete_key::delete_key
        ))
}

/// The name without blanks around it; notes what is wrong with it.
fn check_name<'a>(validator: &mut Validator, name: &'a str) -> &'a str {
    let name = name.trim();
    let fits = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    validator.check(
        fits,
        "name",
        "must have between 1 and 100 characters and no control characters",
    );
    name
}

/// Seals and stores a key.
async fn store_key(
    connection: &mut Connection,
    state: &AppState,
    name: &str,
    parsed: &ParsedKey,
    private_key: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<PrivateKey, Problem> {
    let id = new_id();
    let seal = |secret: &SecretString, row: RowIdentity| {
        state
            .vault
            .seal(secret.expose_secret().as_bytes(), row)
            .map_err(|error| Problem::internal(&error))
    };
    let sealed_key = seal(private_key, RowIdentity::private_key(id))?;
    let sealed_passphrase = passphrase
        .map(|passphrase| seal(passphrase, RowIdentity::passphrase(id)))
        .transpose()?;
    let new = NewKey {
        id,
        name,
        key_type: &parsed.key_type,
        bits: parsed.bits,
        fingerprint: &parsed.fingerprint,
        public_key: &parsed.public_key_line,
        sealed_key: &sealed_key,
        sealed_passphrase: sealed_passphrase.as_deref(),
    };
    Ok(keys::insert_key(connection, &new).await?)
}
