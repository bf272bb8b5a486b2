//! The library: what lies in the built-in and the watched folder, taken over into the database as packages and versions.
//!
//! Each top folder is a package of its own, and what lies beside them another one, without a name. But a watched folder that has an
//! `ansible.cfg` at its root is one project, and one package.

use super::{
    ansible::{self, AnsibleTools, SyntaxContext, SyntaxError},
    check::{self, Report},
    folder::{self, FoundPackage},
    galaxy::Galaxy,
    snapshot::Snapshot,
    watch::Writing,
};
use crate::{
    domain::{
        VersionId,
        playbook::{Outline, PlaybookFile, PlaybookOrigin},
    },
    runner::Seclusion,
    store::{
        Connection, Database, StoreError,
        packages::{self, Author, NewVersion},
        playbooks,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard};

/// Who makes the versions that are found in a folder.
const FOUND_BY: &str = "folder";

/// Where the library finds things.
#[derive(Debug, Clone)]
pub struct LibraryConfig {
    /// Where [`super::builtin::unpack`] wrote the built-in playbooks.
    pub builtin_folder: PathBuf,
    /// The watched folder; need not exist.
    pub project_folder: PathBuf,
    /// Where roles and collections that packages ask for are kept.
    pub galaxy_folder: PathBuf,
    /// Checks their syntax.
    pub ansible: AnsibleTools,
    /// Where it does.
    pub seclusion: Seclusion,
}

/// Why the library could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A symlink leads out of the library.
    #[error("{0:?} is a link that leads out of the library")]
    LeavesLibrary(String),
    /// A symlink leads to a folder that it lies in.
    #[error("{0:?} is a link that leads back to itself")]
    Loop(String),
    /// A device, a socket, a pipe.
    #[error("{0:?} is neither a file nor a folder")]
    NotAFile(String),
    /// Folders inside folders without end.
    #[error("{0:?} is nested too deeply")]
    TooDeep(String),
    /// More than [`super::MAX_FILES`].
    #[error("there are more than 10,000 files beside the playbook; put it in a folder of its own")]
    TooManyFiles,
    /// More than [`super::MAX_TOTAL_BYTES`].
    #[error("there are more than 64 MiB of files beside the playbook; put it in a folder of its own")]
    TooLarge,
    /// A name that no inventory or database can hold.
    #[error("the file name {0:?} is not UTF-8")]
    NameNotUtf8(String),
    /// The disk said no.
    #[error("failed to read {path:?}")]
    Read {
        /// Relative to the package.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The work was given up because the process is ending.
    #[error("the library is shutting down")]
    Stopped,
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes folders over into the database, and lets Ansible check what is in it.
#[derive(Debug, Clone)]
pub struct Library {
    config: LibraryConfig,
    galaxy: Galaxy,
    syntax_turn: Arc<Mutex<()>>,
    checks: Arc<Mutex<check::Kept>>,
    /// What each package looked like when it was last taken over.
    seen: Arc<Mutex<HashMap<PlaybookOrigin, HashMap<String, u64>>>>,
    writing: Writing,
}

impl Library {
    /// A library over these folders.
    pub fn new(config: LibraryConfig) -> Self {
        Self {
            galaxy: Galaxy::new(
                config.galaxy_folder.clone(),
                config.ansible.ansible_playbook.clone(),
                Some(config.ansible.version.clone()),
                config.seclusion.clone(),
            ),
            config,
            syntax_turn: Arc::default(),
            checks: Arc::default(),
            seen: Arc::default(),
            writing: Writing::default(),
        }
    }

    /// What is being written in the watched folder; [`mod@super::watch`] keeps it.
    pub(super) fn writing(&self) -> &Writing {
        &self.writing
    }

    /// The Ansible that checks and runs the playbooks.
    pub fn ansible(&self) -> &AnsibleTools {
        &self.config.ansible
    }

    /// Where repositories are while they are read: beside the built-in playbooks, in the data directory.
    pub fn git_folder(&self) -> PathBuf {
        self.config.builtin_folder.with_file_name("git")
    }

    /// The roles and collections that packages ask for.
    pub fn galaxy(&self) -> &Galaxy {
        &self.galaxy
    }

    /// The watched folder.
    pub fn project_folder(&self) -> &Path {
        &self.config.project_folder
    }

    /// Takes over what has changed in the folders since the last time. Cheap when nothing has.
    pub async fn sync(&self, database: &Database) -> Result<(), LibraryError> {
        let mut seen = self.seen.lock().await;
        for (origin, root) in [
            (PlaybookOrigin::BuiltIn, &self.config.builtin_folder),
            (PlaybookOrigin::Project, &self.config.project_folder),
        ] {
            let place = root.to_string_lossy().into_owned();
            let (root, known) = (root.clone(), seen.get(&origin).cloned());
            let is_first = known.is_none();
            let mut known = known.unwrap_or_default();
            let writing = self.writing.clone();
            let (found, mut known) = blocking(move || {
                let is_busy = |name: &str, left_out: &BTreeSet<String>| {
                    origin == PlaybookOrigin::Project && writing.is_busy(&root, name, left_out)
                };
                let found = folder::look(&root, &|name| known.get(name).copied(), &is_busy);
                known.retain(|name, _| found.iter().any(|package| package.name == *name));
                Ok((found, known))
            })
            .await?;
            let names: Vec<String> = found.iter().map(|package| package.name.clone()).collect();
            for package in found {
                let (name, signature) = (package.name.clone(), package.signature);
                if take_over(database, origin, &place, package).await? {
                    known.insert(name, signature);
                }
            }
            if is_first || seen.get(&origin) != Some(&known) {
                let mut transaction = database.begin().await?;
                packages::mark_missing_packages(&mut transaction, origin, &place, &names).await?;
                transaction.commit().await.map_err(StoreError::from)?;
            }
            seen.insert(origin, known);
        }
        Ok(())
    }

    /// Held by whoever checks a syntax and keeps the outcome.
    pub async fn syntax_turn(&self) -> MutexGuard<'_, ()> {
        self.syntax_turn.lock().await
    }

    /// Checks playbooks of a version with all that there is to check them with. One check at a time: each runs processes for seconds.
    pub async fn check(
        &self,
        version: VersionId,
        files: Vec<PlaybookFile>,
        entries: Vec<String>,
    ) -> Result<Report, SyntaxError> {
        let mut kept = self.checks.lock().await;
        if let Some(report) = kept.find(version, &entries) {
            return Ok(report);
        }
        let report = check::check(
            &self.config.ansible,
            &self.config.seclusion,
            files.into(),
            entries.clone(),
        )
        .await?;
        kept.keep(version, entries, &report);
        Ok(report)
    }

    /// Checks playbooks among files that are no version yet, in the same way.
    pub async fn check_files(&self, files: Vec<PlaybookFile>, entries: Vec<String>) -> Result<Report, SyntaxError> {
        let _turn = self.checks.lock().await;
        check::check(&self.config.ansible, &self.config.seclusion, files.into(), entries).await
    }

    /// Lets Ansible check a playbook among its files.
    pub async fn syntax_check(
        &self,
        files: &[PlaybookFile],
        entry_path: &str,
        context: SyntaxContext<'_>,
    ) -> Result<(), SyntaxError> {
        ansible::syntax_check(&self.config.ansible, &self.config.seclusion, files, entry_path, context).await
    }
}

/// Stores a package as it was found. Says whether it is known now.
async fn take_over(
    database: &Database,
    origin: PlaybookOrigin,
    place: &str,
    found: FoundPackage,
) -> Result<bool, LibraryError> {
    let Some(content) = found.content else {
        return Ok(false);
    };
    let author = Author {
        id: None,
        name: match origin {
            PlaybookOrigin::BuiltIn => "admiral".to_owned(),
            _ => FOUND_BY.to_owned(),
        },
    };
    let mut transaction = database.begin().await?;
    let head = packages::upsert_package(&mut transaction, origin, &found.name, &author).await?;
    if packages::is_git(&mut transaction, head.id).await? {
        tracing::warn!(name = found.name, "a folder is passed over: a git project has its name");
        return Ok(true);
    }
    let error = match &content.snapshot {
        Ok(snapshot) => {
            if head.digest.as_deref() != Some(&snapshot.digest) {
                store_version(&mut transaction, &head, snapshot, &author).await?;
            }
            None
        }
        Err(error) => Some(error.to_string()),
    };
    packages::set_package_error(&mut transaction, head.id, error.as_deref()).await?;
    packages::set_found_in(&mut transaction, head.id, place).await?;
    playbooks::set_entry_points(&mut transaction, origin, head.id, &found.name, &content.playbooks).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(true)
}

async fn store_version(
    connection: &mut Connection,
    head: &packages::PackageHead,
    snapshot: &Snapshot,
    author: &Author,
) -> Result<(), StoreError> {
    packages::add_version(
        connection,
        &NewVersion {
            package_id: head.id,
            digest: &snapshot.digest,
            manifest: &snapshot.manifest,
            files: &snapshot.files,
            comment: "",
            author,
            commit_id: None,
            rolled_back_to: None,
        },
    )
    .await
    .map(drop)
}

/// The playbooks that a package holds, by the same rules as in a folder: what an upload or a repository offers to launch.
pub fn find_entry_points(files: &[PlaybookFile]) -> Vec<(String, Outline)> {
    files
        .iter()
        .filter(|file| folder::may_be_entry_point(&file.path))
        .filter_map(|file| Some((file.path.clone(), super::outline::outline(&file.path, &file.content)?)))
        .collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LibraryError> + Send + 'static,
) -> Result<T, LibraryError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(LibraryError::Stopped))
}
