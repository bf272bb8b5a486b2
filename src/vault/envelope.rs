//! The envelope around a secret.
//!
//! ```text
//! version: u8 = 1 | length of key id: u8 | key id | nonce: 12 bytes | ciphertext | tag: 16 bytes
//! ```
//! AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The additional data are the version, the key id and the
//! identity of the row, each with its length, so that no two rows share them.

use super::{VaultError, key_ring::MasterKey};
use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use secrecy::SecretBox;
use std::fmt;
use uuid::Uuid;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Names the place a secret is stored at: it opens there and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowIdentity {
    /// The table, without its schema.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's primary key.
    pub id: Uuid,
}

impl RowIdentity {
    /// The private part of a key.
    pub const fn private_key(id: Uuid) -> Self {
        Self {
            table: "private_keys",
            column: "sealed_key",
            id,
        }
    }

    /// The passphrase of a key.
    pub const fn passphrase(id: Uuid) -> Self {
        Self {
            table: "private_keys",
            column: "sealed_passphrase",
            id,
        }
    }

    /// The secret variables of a deployment.
    pub const fn deployment_variables(id: Uuid) -> Self {
        Self {
            table: "deployments",
            column: "sealed_variables",
            id,
        }
    }

    /// The files among the variables of a deployment.
    pub const fn deployment_files(id: Uuid) -> Self {
        Self {
            table: "deployments",
            column: "sealed_files",
            id,
        }
    }

    /// The secret variables of a preset.
    pub const fn preset_variables(id: Uuid) -> Self {
        Self {
            table: "presets",
            column: "sealed_variables",
            id,
        }
    }

    /// The secret variables of an environment.
    pub const fn environment_variables(id: Uuid) -> Self {
        Self {
            table: "environments",
            column: "sealed_variables",
            id,
        }
    }

    /// The token that a git project is read with; `id` is its package's.
    pub const fn git_token(id: Uuid) -> Self {
        Self {
            table: "git_projects",
            column: "sealed_token",
            id,
        }
    }

    /// The secret of a git project's webhook; `id` is its package's.
    pub const fn webhook_secret(id: Uuid) -> Self {
        Self {
            table: "git_projects",
            column: "sealed_webhook_secret",
            id,
        }
    }

    /// A password of ansible-vault.
    pub const fn vault_password(id: Uuid) -> Self {
        Self {
            table: "vault_passwords",
            column: "sealed_password",
            id,
        }
    }

    /// The token of a Galaxy server.
    pub const fn galaxy_token(id: Uuid) -> Self {
        Self {
            table: "galaxy_servers",
            column: "sealed_token",
            id,
        }
    }
}

impl fmt::Display for RowIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of row {}", self.table, self.column, self.id)
    }
}

pub(super) fn seal(key: &MasterKey, plaintext: &[u8], row: RowIdentity) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(VaultError::Random)?;
    let additional = additional_data(VERSION, key.id(), row);
    let ciphertext = Aes256Gcm::new(key.bytes().into())
        .encrypt(
            Nonce::from_slice(&nonce),
            Payload {
                msg: plaintext,
                aad: &additional,
            },
        )
        .map_err(|_| VaultError::TooLong { row })?;
    let id = key.id().as_bytes();
    let mut sealed = Vec::with_capacity(2 + id.len() + NONCE_BYTES + ciphertext.len());
    sealed.push(VERSION);
    sealed.push(id.len() as u8);
    sealed.extend_from_slice(id);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// The id of the key that `sealed` wants.
pub(super) fn key_id(sealed: &[u8], row: RowIdentity) -> Result<&str, VaultError> {
    split(sealed, row).map(|parts| parts.key_id)
}

pub(super) fn open(key: &MasterKey, sealed: &[u8], row: RowIdentity) -> Result<SecretBox<Vec<u8>>, VaultError> {
    let parts = split(sealed, row)?;
    let additional = additional_data(VERSION, parts.key_id, row);
    Aes256Gcm::new(key.bytes().into())
        .decrypt(
            Nonce::from_slice(parts.nonce),
            Payload {
                msg: parts.ciphertext,
                aad: &additional,
            },
        )
        .map(|plaintext| SecretBox::new(Box::new(plaintext)))
        .map_err(|_| VaultError::Tampered { row })
}

struct Parts<'a> {
    key_id: &'a str,
    nonce: &'a [u8],
    ciphertext: &'a [u8],
}

fn split(sealed: &[u8], row: RowIdentity) -> Result<Parts<'_>, VaultError> {
    let malformed = || VaultError::NotAnEnvelope { row };
    let (&version, rest) = sealed.split_first().ok_or_else(malformed)?;
    if version != VERSION {
        return Err(VaultError::UnknownVersion { row, version });
    }
    let (&length, rest) = rest.split_first().ok_or_else(malformed)?;
    let (id, rest) = rest.split_at_checked(usize::from(length)).ok_or_else(malformed)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or_else(malformed)?;
    if ciphertext.len() < TAG_BYTES {
        return Err(malformed());
    }
    // The id goes into messages and lookups before anything is authenticated: only what a key ring allows gets that far.
    let key_id = std::str::from_utf8(id)
        .ok()
        .filter(|id| super::key_ring::is_key_id(id))
        .ok_or_else(malformed)?;
    Ok(Parts {
        key_id,
        nonce,
        ciphertext,
    })
}

fn additional_data(version: u8, key_id: &str, row: RowIdentity) -> Vec<u8> {
    let mut data = vec![version];
    for part in [
        key_id.as_bytes(),
        row.table.as_bytes(),
        row.column.as_bytes(),
        row.id.as_bytes(),
    ] {
        data.extend_from_slice(&(part.len() as u32).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}
