//! Why a secret could not be sealed or opened, and what to do about it.

use super::RowIdentity;
use std::{io, path::PathBuf};

/// Why the vault refused.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The row was sealed with a key that this ring does not hold.
    #[error(
        "open {row}: it was sealed with master key {key_id}, which is not in the key ring; the key ring file was lost \
         or replaced, so restore the file that belongs to this database from a backup"
    )]
    KeyMissing {
        /// The key's id, as the envelope has it.
        key_id: String,
        /// The row that does not open.
        row: RowIdentity,
    },
    /// The ring holds a different key under the same id.
    #[error(
        "verify master key {key_id}: the key ring holds another key under that id than the one this database was \
         sealed with; restore the key ring file that belongs to this database"
    )]
    KeyReplaced {
        /// The key's id.
        key_id: String,
    },
    /// The bytes were changed, or were sealed for another row.
    #[error("open {row}: the stored value was changed, or was sealed for another row; enter the secret again")]
    Tampered {
        /// The row that does not open.
        row: RowIdentity,
    },
    /// The bytes are not an envelope.
    #[error("open {row}: the stored value is not a sealed secret; enter the secret again")]
    NotAnEnvelope {
        /// The row that does not open.
        row: RowIdentity,
    },
    /// The envelope is of a later format.
    #[error("open {row}: the envelope has version {version}, which this Admiral does not know; upgrade Admiral")]
    UnknownVersion {
        /// The row that does not open.
        row: RowIdentity,
        /// The version byte.
        version: u8,
    },
    /// The secret opened, but is not UTF-8 text.
    #[error("open {row}: the secret is not text")]
    NotText {
        /// The row.
        row: RowIdentity,
    },
    /// More than AES-GCM takes in one message.
    #[error("seal {row}: the secret is too long")]
    TooLong {
        /// The row.
        row: RowIdentity,
    },
    /// The system gave no random bytes.
    #[error("get random bytes from the system: {0}")]
    Random(getrandom::Error),
    /// The key ring file could not be read or written.
    #[error("{action} the key ring file {}", path.display())]
    RingFile {
        /// "read", "create", …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no key ring file.
    #[error(
        "find the key ring file {}: it holds the keys to every stored secret; restore it from a backup, or point \
         Admiral at the data directory it lives in",
        path.display()
    )]
    RingMissing {
        /// The file.
        path: PathBuf,
    },
    /// Others could read the key ring file.
    #[error(
        "trust the key ring file {}: its mode is {mode:04o}, so others on this machine can read it; run `chmod 600` on it",
        path.display()
    )]
    RingExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key ring file does not hold a key ring.
    #[error("understand the key ring file {}: {reason}; restore it from a backup", path.display())]
    RingDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong; never holds key material.
        reason: String,
    },
}
