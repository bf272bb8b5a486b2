//! What `admiral install` made: the only things that `admiral uninstall` takes away.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

const VERSION: u32 = 1;

/// What was there before `admiral install`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// Nothing: all of it was made.
    Missing,
    /// An empty folder, such as one that a disk is mounted on: what is in it was made.
    Empty,
    /// Somebody's data.
    InUse,
}

/// The manifest, a file that only root may change. Each thing is written down before it is made, so that what an interrupted installation
/// left can be taken away too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// The account of the service.
    pub account: String,
    /// Its data directory.
    pub data_directory: PathBuf,
    /// Whether the account was made.
    pub made_account: bool,
    /// What the data directory was before.
    pub data_directory_was: Before,
    /// Files and links that were made.
    pub files: BTreeSet<PathBuf>,
    /// Folders that were made with everything that is in them.
    pub trees: BTreeSet<PathBuf>,
    /// Folders that were made and may hold what others put there.
    pub folders: BTreeSet<PathBuf>,
    /// Packages that were installed.
    pub packages: BTreeSet<String>,
}

impl Manifest {
    /// Nothing was made yet.
    pub fn new(account: &str, data_directory: &Path) -> Self {
        Self {
            version: VERSION,
            account: account.to_owned(),
            data_directory: data_directory.to_owned(),
            made_account: false,
            data_directory_was: Before::InUse,
            files: BTreeSet::new(),
            trees: BTreeSet::new(),
            folders: BTreeSet::new(),
            packages: BTreeSet::new(),
        }
    }

    /// Reads it; `None` when there is none.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
        };
        let manifest: Self =
            serde_json::from_str(&text).with_context(|| format!("failed to understand {}", path.display()))?;
        anyhow::ensure!(
            manifest.version == VERSION,
            "{} was written by another version of Admiral; use that one",
            path.display()
        );
        Ok(Some(manifest))
    }

    /// Replaces it.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let temporary = path.with_extension("new");
        let write = || -> io::Result<()> {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&temporary)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().with_context(|| format!("failed to write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_back_and_other_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("installed.json");
        assert_eq!(Manifest::read(&path).unwrap(), None);
        let mut manifest = Manifest::new("admiral", Path::new("/var/lib/admiral"));
        manifest.files.insert("/usr/local/bin/admiral".into());
        manifest.write(&path).unwrap();
        manifest.packages.insert("git".to_owned());
        manifest.write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), Some(manifest));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        assert!(
            Manifest::read(&path)
                .unwrap_err()
                .to_string()
                .contains("another version")
        );
    }
}
