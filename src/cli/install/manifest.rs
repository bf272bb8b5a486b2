//! The list of everything that `admiral install` made. `admiral uninstall` removes nothing else.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const VERSION: u32 = 1;

/// The state of the data directory before `admiral install`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// Nothing: all of it was made.
    Missing,
    /// An empty folder, such as one that a disk is mounted on: everything in it was made.
    Empty,
    /// A folder with data.
    InUse,
}

/// The manifest, a file that only root may change. Each thing is written down before it is made, so that the parts of an interrupted
/// installation can be removed too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// The account of the service.
    pub account: String,
    /// Its data directory.
    pub data_directory: PathBuf,
    /// Whether the installation made the account.
    pub made_account: bool,
    /// The state of the data directory before.
    pub data_directory_was: Before,
    /// Files and links that were made.
    pub files: BTreeSet<PathBuf>,
    /// Folders that were made with everything that is in them.
    pub trees: BTreeSet<PathBuf>,
    /// Folders that were made, and that may hold files of others by now.
    pub folders: BTreeSet<PathBuf>,
    /// Packages that were installed.
    pub packages: BTreeSet<String>,
    /// Whether the running service still uses files that were replaced, because the installation was interrupted.
    #[serde(default)]
    pub needs_restart: bool,
}

impl Manifest {
    /// A manifest for an installation that has made nothing yet.
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
            needs_restart: false,
        }
    }

    /// Reads it; `None` when there is none. It is an error when accounts besides root may change it: it says what root removes.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let read = || -> io::Result<(fs::Metadata, String)> {
            let mut file = fs::File::open(path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok((file.metadata()?, text))
        };
        let (metadata, text) = match read() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
        };
        let is_roots = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
        anyhow::ensure!(
            is_roots && metadata.mode() & 0o022 == 0,
            "{} cannot be trusted, because accounts besides root may change it",
            path.display()
        );
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
    use std::os::unix::fs::PermissionsExt as _;

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
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        let refused = Manifest::read(&path).unwrap_err().to_string();
        assert!(refused.contains("accounts besides root may change it"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        // Versions before this one did not write the last field.
        let shorter = text.replace(",\n  \"needs_restart\": false", "");
        assert_ne!(shorter, text);
        fs::write(&path, shorter).unwrap();
        assert!(Manifest::read(&path).unwrap().is_some());
        fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        assert!(
            Manifest::read(&path)
                .unwrap_err()
                .to_string()
                .contains("another version")
        );
    }
}
