//! Secret variables, between the request and the database: one sealed JSON object for each row.

use super::problem::Problem;
use crate::vault::{RowIdentity, Vault};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Seals secret variables for a row; `None` when there are none.
pub(super) fn seal_variables(
    vault: &Vault,
    secret: &BTreeMap<String, SecretString>,
    row: RowIdentity,
) -> Result<Option<Vec<u8>>, Problem> {
    if secret.is_empty() {
        return Ok(None);
    }
    let exposed: BTreeMap<&str, &str> = secret
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose_secret()))
        .collect();
    let text = serde_json::to_vec(&exposed)
        .map(Zeroizing::new)
        .map_err(|error| Problem::internal(&error))?;
    vault
        .seal(&text, row)
        .map(Some)
        .map_err(|error| Problem::internal(&error))
}

/// Opens what [`seal_variables`] made for the same row.
pub(super) fn open_variables(
    vault: &Vault,
    sealed: Option<&[u8]>,
    row: RowIdentity,
) -> Result<BTreeMap<String, SecretString>, Problem> {
    let Some(sealed) = sealed else {
        return Ok(BTreeMap::new());
    };
    let text = vault
        .open_text(sealed, row)
        .map_err(|error| Problem::internal(&error))?;
    serde_json::from_str(text.expose_secret()).map_err(|error| Problem::internal(&error))
}

/// What was sealed for one row, for another one.
pub(super) fn reseal(
    vault: &Vault,
    sealed: Option<&[u8]>,
    from: RowIdentity,
    to: RowIdentity,
) -> Result<Option<Vec<u8>>, Problem> {
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = vault.open(sealed, from).map_err(|error| Problem::internal(&error))?;
    vault
        .seal(plain.expose_secret(), to)
        .map(Some)
        .map_err(|error| Problem::internal(&error))
}
