//! Secrets at rest: envelope encryption, the key ring, SSH private keys. The only user of `aes-gcm`.
//!
//! The database holds only envelopes ([`envelope`]); the master keys that open them live in a file outside of it
//! ([`key_ring`]). An envelope is bound to the row it was sealed for, so one that is copied to another row does not open.

pub mod envelope;
pub mod error;
pub mod key_ring;
pub mod ssh_key;

pub use envelope::RowIdentity;
pub use error::VaultError;
pub use key_ring::KeyRing;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use uuid::Uuid;

/// What a check value says once opened. Changing it would make every stored check value fail.
const CHECK_TEXT: &[u8] = b"admiral vault check value 1";

/// Check values are bound to their key alone: the row's own identity is the key id, which every envelope covers anyway.
const CHECK_ROW: RowIdentity = RowIdentity {
    table: "vault_keys",
    column: "check_value",
    id: Uuid::nil(),
};

/// Opens and seals secrets.
#[derive(Debug)]
pub struct Vault {
    ring: KeyRing,
}

impl Vault {
    /// A vault that seals with the ring's current key and opens with any of its keys.
    pub fn new(ring: KeyRing) -> Self {
        Self { ring }
    }

    /// Encrypts `plaintext` so that only `row` opens it again.
    pub fn seal(&self, plaintext: &[u8], row: RowIdentity) -> Result<Vec<u8>, VaultError> {
        envelope::seal(self.ring.current(), plaintext, row)
    }

    /// Decrypts what [`Vault::seal`] made for the same row.
    pub fn open(&self, sealed: &[u8], row: RowIdentity) -> Result<SecretBox<Vec<u8>>, VaultError> {
        let key_id = envelope::key_id(sealed, row)?;
        let key = self.ring.find(key_id).ok_or_else(|| VaultError::KeyMissing {
            key_id: key_id.to_owned(),
            row,
        })?;
        envelope::open(key, sealed, row)
    }

    /// Like [`Vault::open`], for text.
    pub fn open_text(&self, sealed: &[u8], row: RowIdentity) -> Result<SecretString, VaultError> {
        let bytes = self.open(sealed, row)?;
        let text = std::str::from_utf8(bytes.expose_secret()).map_err(|_| VaultError::NotText { row })?;
        Ok(SecretString::from(text))
    }

    /// The key that new envelopes are sealed with.
    pub fn current_key_id(&self) -> &str {
        self.ring.current().id()
    }

    /// Every key that opens, the current one among them.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.ring.ids()
    }

    /// A known text sealed with the current key, for `admiral.vault_keys`: see [`Vault::verify_check_value`].
    pub fn check_value(&self) -> Result<Vec<u8>, VaultError> {
        self.seal(CHECK_TEXT, CHECK_ROW)
    }

    /// Says whether this ring's `key_id` is the key the database knows by that name, before any row fails to open.
    pub fn verify_check_value(&self, key_id: &str, check_value: &[u8]) -> Result<(), VaultError> {
        if self.ring.find(key_id).is_none() {
            return Err(VaultError::KeyMissing {
                key_id: key_id.to_owned(),
                row: CHECK_ROW,
            });
        }
        let mismatch = || VaultError::KeyReplaced {
            key_id: key_id.to_owned(),
        };
        if envelope::key_id(check_value, CHECK_ROW)? != key_id {
            return Err(mismatch());
        }
        let opened = self.open(check_value, CHECK_ROW).map_err(|_| mismatch())?;
        if opened.expose_secret() == CHECK_TEXT {
            Ok(())
        } else {
            Err(mismatch())
        }
    }
}

#[cfg(test)]
mod tests;
