//! A run's secrets, opened: its keys and its secret variables.

use super::PrepareError;
use crate::{
    domain::{DeploymentId, PrivateKeyId},
    ingest::redact::Redactor,
    store::{Connection, deployments, keys::get_sealed_keys},
    vault::{RowIdentity, Vault, ssh_key},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::{BTreeMap, BTreeSet};

/// A run's secrets.
#[derive(Debug)]
pub(super) struct RunSecrets {
    /// Values of the secret variables.
    pub(super) variables: BTreeMap<String, SecretString>,
    /// Keys as SSH takes them without asking.
    pub(super) keys: BTreeMap<PrivateKeyId, SecretString>,
    passphrases: Vec<SecretString>,
}

impl RunSecrets {
    /// Opens what the deployment and the keys in use hold.
    pub(super) async fn open(
        connection: &mut Connection,
        vault: &Vault,
        deployment_id: DeploymentId,
        keys: &BTreeSet<PrivateKeyId>,
    ) -> Result<Self, PrepareError> {
        let frozen = deployments::get_frozen(connection, deployment_id).await?;
        let variables = frozen
            .sealed_variables
            .map(|sealed| open_variables(vault, deployment_id, &sealed))
            .transpose()?
            .unwrap_or_default();
        let ids: Vec<PrivateKeyId> = keys.iter().copied().collect();
        let mut secrets = Self {
            variables,
            keys: BTreeMap::new(),
            passphrases: Vec::new(),
        };
        for key in get_sealed_keys(connection, &ids).await? {
            let failed = |source| PrepareError::Vault {
                what: format!("the private key {:?}", key.name),
                source,
            };
            let text = vault
                .open_text(&key.sealed_key, RowIdentity::private_key(key.id))
                .map_err(failed)?;
            let passphrase = key
                .sealed_passphrase
                .as_deref()
                .map(|sealed| vault.open_text(sealed, RowIdentity::passphrase(key.id)))
                .transpose()
                .map_err(failed)?;
            let plain = ssh_key::open_for_ansible(&text, passphrase.as_ref()).map_err(|source| PrepareError::Key {
                name: key.name.clone(),
                source,
            })?;
            secrets.keys.insert(key.id, plain);
            secrets.passphrases.extend(passphrase);
        }
        Ok(secrets)
    }

    /// Finds these secrets in what the run prints.
    pub(super) fn redactor(&self) -> Redactor {
        Redactor::new(self.variables.values().chain(&self.passphrases))
    }
}

fn open_variables(
    vault: &Vault,
    deployment_id: DeploymentId,
    sealed: &[u8],
) -> Result<BTreeMap<String, SecretString>, PrepareError> {
    let what = || "the secret variables".to_owned();
    let text = vault
        .open_text(sealed, RowIdentity::deployment_variables(deployment_id))
        .map_err(|source| PrepareError::Vault { what: what(), source })?;
    let values: BTreeMap<String, String> =
        serde_json::from_str(text.expose_secret()).map_err(|_| PrepareError::Unreadable(what()))?;
    Ok(values
        .into_iter()
        .map(|(name, value)| (name, SecretString::from(value)))
        .collect())
}
