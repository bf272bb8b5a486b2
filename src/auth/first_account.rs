//! The link that makes the first account. It is made once and works for a day. It is written to a file in the data directory and to no log.

use super::{AuthError, OneTimeLink, links, secrets::hash_token};
use crate::{
    domain::clock::Clock,
    store::{
        Connection, Database, StoreError,
        links::{LinkPurpose, find_link},
        users,
    },
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Whether there is an account, or a link to make the first one.
#[derive(Debug)]
pub enum FirstAccount {
    /// There is an account.
    Exists,
    /// There is no account, and this link is new.
    NewLink(OneTimeLink),
    /// There is no account, and an earlier link still works.
    EarlierLink {
        /// SHA-256 of its token.
        token_hash: Vec<u8>,
        /// When it stops working.
        expires_at: DateTime<Utc>,
    },
}

/// Makes a link, unless there is an account or an earlier link that still works.
pub async fn prepare(database: &Database, clock: &dyn Clock) -> Result<FirstAccount, AuthError> {
    let mut transaction = database.begin().await?;
    // If two processes start at once, only one makes the link.
    users::lock_users(&mut transaction).await?;
    let now = clock.now();
    let found = if users::any_user(&mut transaction).await? {
        FirstAccount::Exists
    } else if let Some((token_hash, expires_at)) = find_link(&mut transaction, LinkPurpose::Setup, now).await? {
        FirstAccount::EarlierLink { token_hash, expires_at }
    } else {
        FirstAccount::NewLink(links::create_setup(&mut transaction, now).await?)
    };
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(found)
}

/// Makes a new link, and the earlier one stops working; `None` when there is an account.
pub async fn renew_link(connection: &mut Connection, now: DateTime<Utc>) -> Result<Option<OneTimeLink>, AuthError> {
    users::lock_users(connection).await?;
    if users::any_user(connection).await? {
        return Ok(None);
    }
    links::create_setup(connection, now).await.map(Some)
}

/// The file that holds the link. Only its owner can read it.
#[derive(Debug, Clone)]
pub struct LinkFile(PathBuf);

impl LinkFile {
    /// The file in this data directory.
    pub fn in_directory(data_directory: &Path) -> Self {
        Self(data_directory.join("first-account-link"))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes the link, in place of an earlier one.
    pub fn write(&self, url: &str) -> io::Result<()> {
        self.remove()?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)?;
        file.write_all(format!("{url}\n").as_bytes())
    }

    /// The link, if the hash of its token is `token_hash`.
    pub fn read(&self, token_hash: &[u8]) -> Option<String> {
        let text = fs::read_to_string(&self.0).ok()?;
        let (_, token) = text.trim().split_once("?token=")?;
        (hash_token(&SecretString::from(token))[..] == *token_hash).then(|| text.trim().to_owned())
    }

    /// Removes the file, if there is one.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_link_is_written_for_its_owner_only_and_read_by_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = LinkFile::in_directory(folder.path());
        let hash = |token: &str| hash_token(&SecretString::from(token));
        assert_eq!(file.read(&hash("one")), None);
        file.remove().unwrap();
        // A link that somebody has put in its place is not followed.
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, file.path()).unwrap();
        file.write("http://127.0.0.1:8080/setup?token=one").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        file.write("http://127.0.0.1:8080/setup?token=two").unwrap();
        assert_eq!(file.read(&hash("one")), None);
        assert_eq!(
            file.read(&hash("two")).as_deref(),
            Some("http://127.0.0.1:8080/setup?token=two")
        );
        file.remove().unwrap();
        assert!(!file.path().exists());
    }
}
