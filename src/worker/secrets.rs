//! A run's secrets, opened: its keys, its secret variables and the files among them, and what its package is encrypted with.

use super::PrepareError;
use crate::{
    domain::{DeploymentId, PrivateKeyId, VersionId, form, playbook::PlaybookFile},
    ingest::redact::Redactor,
    playbooks::{
        configuration::{self, Ours, Terms},
        vault_ids::{self, MissingPasswords, OpenedPassword, StoredPassword},
    },
    store::{Connection, deployments, keys::get_sealed_keys, packages, vault_passwords},
    vault::{RowIdentity, Vault, ssh_key},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A file that is the value of a variable.
#[derive(Debug)]
pub(super) struct SecretFile {
    /// What it is called: one plain part of a path.
    pub(super) name: String,
    /// What is in it.
    pub(super) content: SecretBox<Vec<u8>>,
}

/// A run's secrets.
#[derive(Debug)]
pub(super) struct RunSecrets {
    /// Values of the secret variables.
    pub(super) variables: BTreeMap<String, SecretString>,
    /// The files, by variable.
    pub(super) files: BTreeMap<String, SecretFile>,
    /// Keys as SSH takes them without asking.
    pub(super) keys: BTreeMap<PrivateKeyId, SecretString>,
    /// Passwords of `ansible-vault`.
    pub(super) vault_passwords: Vec<OpenedPassword>,
    /// Content of the package that no password is there for.
    pub(super) missing_passwords: Option<MissingPasswords>,
    /// Keys as they were stored, which may be in another format and encrypted.
    stored_keys: Vec<SecretString>,
    passphrases: Vec<SecretString>,
    /// The public halves of the keys. They are part of the private keys, and no secrets.
    public_keys: Vec<String>,
}

impl RunSecrets {
    /// Opens what the deployment and the keys in use hold, and what its package's files are encrypted with.
    pub(super) async fn open(
        connection: &mut Connection,
        vault: &Vault,
        deployment_id: DeploymentId,
        keys: &BTreeSet<PrivateKeyId>,
        package_files: &[PlaybookFile],
    ) -> Result<Self, PrepareError> {
        let frozen = deployments::get_frozen(connection, deployment_id).await?;
        let variables = frozen
            .sealed_variables
            .map(|sealed| open_variables(vault, deployment_id, &sealed))
            .transpose()?
            .unwrap_or_default();
        let files = frozen
            .sealed_files
            .map(|sealed| open_files(vault, deployment_id, &sealed))
            .transpose()?
            .unwrap_or_default();
        let ids: Vec<PrivateKeyId> = keys.iter().copied().collect();
        let mut secrets = Self {
            variables,
            files,
            keys: BTreeMap::new(),
            vault_passwords: Vec::new(),
            missing_passwords: None,
            stored_keys: Vec::new(),
            passphrases: Vec::new(),
            public_keys: Vec::new(),
        };
        if let Some(version) = frozen.playbook_version_id {
            secrets
                .open_vault_passwords(connection, vault, version, package_files)
                .await?;
        }
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
            secrets
                .public_keys
                .extend(ssh_key::inspect(&plain, None, "").map(|key| key.public_key_line));
            secrets.keys.insert(key.id, plain);
            secrets.stored_keys.push(text);
            secrets.passphrases.extend(passphrase);
        }
        Ok(secrets)
    }

    async fn open_vault_passwords(
        &mut self,
        connection: &mut Connection,
        vault: &Vault,
        version: VersionId,
        files: &[PlaybookFile],
    ) -> Result<(), PrepareError> {
        let package = packages::get_version(connection, version).await?.package_id;
        let sealed = vault_passwords::list_sealed(connection, package).await?;
        let stored: Vec<StoredPassword<'_>> = sealed
            .iter()
            .map(|password| StoredPassword {
                vault_id: &password.vault_id,
                of_package: password.of_package,
            })
            .collect();
        let own = configuration::merge(files, Terms::default(), &Ours::default())?.own_passwords;
        let choice = vault_ids::choose(&vault_ids::used(files), &own, &stored);
        for index in choice.chosen {
            let password = &sealed[index];
            let opened = vault.open_text(&password.sealed_password, RowIdentity::vault_password(password.id));
            self.vault_passwords.push(OpenedPassword {
                vault_id: password.vault_id.clone(),
                password: opened.map_err(|source| PrepareError::Vault {
                    what: format!("the password of the vault id {:?}", password.vault_id),
                    source,
                })?,
            });
        }
        self.missing_passwords = choice.missing;
        Ok(())
    }

    /// Finds these secrets in what the run prints. `hosts` are the names of its hosts, which are not secret.
    pub(super) fn redactor(&self, hosts: impl IntoIterator<Item = String>) -> Redactor {
        Redactor::new(self.all())
            .sparing(self.public_keys.iter().cloned())
            .with_hosts(hosts)
    }

    /// Everything that is secret of the run. This is the only place that decides so: whatever else a run is given in secret belongs here.
    /// Passwords for SSH and for becoming another user are secret variables.
    fn all(&self) -> impl Iterator<Item = &[u8]> {
        let variables = self.variables.values();
        let vault_passwords = self.vault_passwords.iter().map(|opened| &opened.password);
        let texts = variables
            .chain(self.keys.values())
            .chain(&self.stored_keys)
            .chain(&self.passphrases)
            .chain(vault_passwords);
        let files = self.files.values().map(|file| file.content.expose_secret().as_slice());
        texts.map(|text| text.expose_secret().as_bytes()).chain(files)
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

fn open_files(
    vault: &Vault,
    deployment_id: DeploymentId,
    sealed: &[u8],
) -> Result<BTreeMap<String, SecretFile>, PrepareError> {
    #[derive(Deserialize)]
    struct Stored {
        name: String,
        content_base64: SecretString,
    }
    let what = || "the files among the variables".to_owned();
    let unreadable = || PrepareError::Unreadable(what());
    let text = vault
        .open_text(sealed, RowIdentity::deployment_files(deployment_id))
        .map_err(|source| PrepareError::Vault { what: what(), source })?;
    let stored: BTreeMap<String, Stored> = serde_json::from_str(text.expose_secret()).map_err(|_| unreadable())?;
    let mut files = BTreeMap::new();
    for (variable, file) in stored {
        let content = STANDARD
            .decode(file.content_base64.expose_secret())
            .map_err(|_| unreadable())?;
        // They become parts of a path.
        if !form::is_variable_name(&variable) || !form::is_file_name(&file.name) {
            return Err(unreadable());
        }
        let file = SecretFile {
            name: file.name,
            content: SecretBox::new(Box::new(content)),
        };
        files.insert(variable, file);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_secret_is_found_and_public_keys_are_not() {
        let (plain, parsed) = ssh_key::generate_ed25519("me@example.org").unwrap();
        let id = crate::domain::clock::new_id();
        let secrets = RunSecrets {
            variables: BTreeMap::from([("ansible_become_password".to_owned(), "become-1".into())]),
            files: BTreeMap::from([(
                "license".to_owned(),
                SecretFile {
                    name: "license.key".to_owned(),
                    content: SecretBox::new(Box::new(b"license-1".to_vec())),
                },
            )]),
            keys: BTreeMap::from([(id, plain.clone())]),
            vault_passwords: vec![OpenedPassword {
                vault_id: "prod".to_owned(),
                password: "vault-1".into(),
            }],
            missing_passwords: None,
            stored_keys: vec!["stored-1".into()],
            passphrases: vec!["passphrase-1".into()],
            public_keys: vec![parsed.public_key_line.clone()],
        };
        let redactor = secrets.redactor(["become-1".to_owned()]);
        let text = "become-1 license-1 vault-1 stored-1 passphrase-1";
        let expected = "******** ******** ******** ******** ********";
        assert_eq!(redactor.redact_text(text).as_deref(), Some(expected));
        let event = r#"{"event":"e","host":"become-1","task":"become-1"}"#;
        let redacted = redactor.redact_line(event).unwrap();
        assert!(redacted.contains(r#""host":"become-1""#) && redacted.contains(r#""task":"********""#));
        for line in plain.expose_secret().lines().filter(|line| !line.starts_with("-----")) {
            assert_eq!(redactor.redact_text(line).as_deref(), Some("********"), "{line}");
        }
        assert_eq!(redactor.redact_text(&parsed.public_key_line), None);
    }
}
