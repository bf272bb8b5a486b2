//! Keys that come along with an inventory.

use super::{check_name, store_key};
use crate::{
    api::{
        AppState,
        extract::Actor,
        problem::Problem,
        routes::servers::{ImportAction, ImportKey, ImportedKey},
    },
    domain::{PrivateKeyId, validation::Validator},
    store::{Connection, keys},
    vault::ssh_key::{self, KeyError},
};

/// Stores a key unless it is there already, by its fingerprint. A key that cannot be read is skipped, and told of.
pub(in crate::api::routes) async fn import_key(
    connection: &mut Connection,
    state: &AppState,
    actor: &Actor,
    key: ImportKey,
) -> Result<(Option<PrivateKeyId>, ImportedKey), Problem> {
    let told = |name: &str, action, note| ImportedKey {
        path: key.path.clone(),
        name: name.to_owned(),
        action,
        note,
    };
    let mut validator = Validator::new();
    let name = check_name(&mut validator, &key.name).to_owned();
    if let Err(invalid) = validator.finish() {
        return Ok((None, told(&key.name, ImportAction::Skipped, Some(invalid.to_string()))));
    }
    let (text, passphrase, comment) = (key.private_key.clone(), key.passphrase.clone(), name.clone());
    let inspected = tokio::task::spawn_blocking(move || ssh_key::inspect(&text, passphrase.as_ref(), &comment))
        .await
        .map_err(|error| Problem::internal(&error))?;
    let parsed = match inspected {
        Ok(parsed) => parsed,
        Err(error) => {
            // The public half of an encrypted key tells whether it is here already.
            let known = match (&error, ssh_key::public_fingerprint(&key.private_key)) {
                (KeyError::PassphraseMissing, Some(fingerprint)) => {
                    keys::find_by_fingerprint(connection, &fingerprint).await?
                }
                _ => None,
            };
            if let Some(known) = known {
                return Ok((Some(known.id), told(&known.name, ImportAction::Unchanged, None)));
            }
            return Ok((None, told(&name, ImportAction::Skipped, Some(error.to_string()))));
        }
    };
    if let Some(known) = keys::find_by_fingerprint(connection, &parsed.fingerprint).await? {
        return Ok((Some(known.id), told(&known.name, ImportAction::Unchanged, None)));
    }
    let name = keys::free_name(connection, &name).await?;
    let stored = store_key(
        connection,
        state,
        &name,
        &parsed,
        &key.private_key,
        key.passphrase.as_ref(),
    )
    .await?;
    actor
        .record(connection, actor.entry("key.create").object(stored.id).after(&stored))
        .await?;
    Ok((Some(stored.id), told(&name, ImportAction::Created, None)))
}
