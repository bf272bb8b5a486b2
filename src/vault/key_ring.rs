//! The master keys, and the file they live in: JSON, mode 0600, made on the first start.
//!
//! ```json
//! {"version": 1, "current": "<id>", "keys": [{"id": "<id>", "key": "<base64 of 32 bytes>", "created_at": "<RFC 3339>"}]}
//! ```
//! Whoever has this file and the database has every secret; whoever loses it has none. Back it up apart from the database.

use super::VaultError;
use crate::domain::clock::{Clock, SystemClock};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const VERSION: u32 = 1;
const KEY_BYTES: usize = 32;
/// A ring of a thousand keys is below this.
const FILE_LIMIT: u64 = 256 * 1024;

/// One AES-256 key.
pub(super) struct MasterKey {
    id: String,
    secret: SecretBox<[u8; KEY_BYTES]>,
    created_at: DateTime<Utc>,
}

impl MasterKey {
    fn generate() -> Result<Self, VaultError> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(VaultError::Random)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(VaultError::Random)?;
        Ok(Self {
            id: hex::encode(id),
            secret: SecretBox::new(Box::new(*bytes)),
            created_at: SystemClock.now(),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        self.secret.expose_secret()
    }
}

/// The keys that open secrets; one of them seals new ones.
pub struct KeyRing {
    /// The key that seals is the first.
    keys: Vec<MasterKey>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &self.ids().collect::<Vec<_>>())
            .finish()
    }
}

impl KeyRing {
    /// A ring with one new key, which is not stored anywhere.
    pub fn generate() -> Result<Self, VaultError> {
        Ok(Self {
            keys: vec![MasterKey::generate()?],
        })
    }

    /// Reads the ring, or makes it where there is none yet. Two processes that start at once end with the same ring.
    pub fn load_or_create(path: &Path) -> Result<Self, VaultError> {
        match Self::load(path) {
            Err(VaultError::RingMissing { .. }) => {}
            other => return other,
        }
        Self::generate()?.create(path)?;
        // Read back what is there now: it is another's ring when two started at once.
        Self::load(path)
    }

    /// Reads the ring. Refused when anybody else on this machine could read it too.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::RingFile {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VaultError::RingMissing { path: path.to_owned() });
            }
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(damaged(path, "it is not a regular file"));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(VaultError::RingExposed {
                path: path.to_owned(),
                mode: metadata.mode() & 0o7777,
            });
        }
        if metadata.len() > FILE_LIMIT {
            return Err(damaged(path, "it is far too long"));
        }
        // With room for everything, so that reading never moves the text and leaves a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_LIMIT as usize + 1));
        file.take(FILE_LIMIT).read_to_end(&mut text).map_err(failed)?;
        Self::from_json(&text).map_err(|reason| damaged(path, reason))
    }

    pub(super) fn current(&self) -> &MasterKey {
        // Proof: `generate` and `from_json` are the only ways to make a ring, and neither makes an empty one.
        &self.keys[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(MasterKey::id)
    }

    /// Writes a file that was not there; one that is there stays as it is.
    fn create(&self, path: &Path) -> Result<(), VaultError> {
        let failed = |source| VaultError::RingFile {
            action: "create",
            path: path.to_owned(),
            source,
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(VaultError::Random)?;
        let draft = folder.join(format!(".key-ring-{}", hex::encode(name)));
        let written = self.write_new(&draft).and_then(|()| {
            // A hard link, unlike a rename, never replaces what another process put there in between.
            match std::fs::hard_link(&draft, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => File::open(folder)?.sync_all(),
            }
        });
        let removed = std::fs::remove_file(&draft);
        written.and(removed).map_err(failed)
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&self.to_json()?)?;
        file.sync_all()
    }

    fn to_json(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let stored = StoredRing {
            version: VERSION,
            current: self.current().id.clone(),
            keys: self
                .keys
                .iter()
                .map(|key| StoredKey {
                    id: key.id.clone(),
                    key: STANDARD.encode(key.bytes()),
                    created_at: key.created_at,
                })
                .collect(),
        };
        let mut text = Zeroizing::new(Vec::with_capacity(256 * (1 + self.keys.len())));
        serde_json::to_writer_pretty(&mut *text, &stored)?;
        text.push(b'\n');
        Ok(text)
    }

    fn from_json(text: &[u8]) -> Result<Self, String> {
        // serde's own message may quote what it found; the position is enough.
        let stored: StoredRing = serde_json::from_slice(text)
            .map_err(|error| format!("line {} column {} is not a key ring's", error.line(), error.column()))?;
        if stored.version != VERSION {
            return Err(format!(
                "its version is {}, and this Admiral knows only {VERSION}",
                stored.version
            ));
        }
        let mut keys: Vec<MasterKey> = Vec::with_capacity(stored.keys.len());
        for key in &stored.keys {
            if !is_key_id(&key.id) {
                return Err("a key's id is not 1 to 64 of a-z, 0-9, `-` and `_`".to_owned());
            }
            if keys.iter().any(|other| other.id == key.id) {
                return Err(format!("it has two keys {}", key.id));
            }
            let bytes = STANDARD.decode(&key.key).map(Zeroizing::new).ok();
            let bytes: &[u8; KEY_BYTES] = bytes
                .as_ref()
                .and_then(|bytes| bytes.as_slice().try_into().ok())
                .ok_or_else(|| format!("key {} is not 32 bytes in base64", key.id))?;
            let secret = SecretBox::new(Box::new(*bytes));
            keys.push(MasterKey {
                id: key.id.clone(),
                secret,
                created_at: key.created_at,
            });
        }
        let current = keys
            .iter()
            .position(|key| key.id == stored.current)
            .ok_or_else(|| format!("its current key {:?} is not among its keys", stored.current))?;
        keys.swap(0, current);
        Ok(Self { keys })
    }
}

/// Whether `id` may name a key: it is shown in messages and stored in one byte's length.
pub(super) fn is_key_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn damaged(path: &Path, reason: impl Into<String>) -> VaultError {
    VaultError::RingDamaged {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

#[derive(Serialize, Deserialize)]
struct StoredRing {
    version: u32,
    current: String,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct StoredKey {
    #[zeroize(skip)]
    id: String,
    key: String,
    #[zeroize(skip)]
    created_at: DateTime<Utc>,
}
