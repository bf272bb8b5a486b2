//! Syncs: each takes what a project's repository has now over into the database, one at a time for each project.

use super::{
    GitError,
    access::open_credentials,
    fetch::{self, Fetched},
    reference::Reference,
    session::Session,
    url::GitUrl,
};
use crate::{
    domain::{
        PackageId,
        playbook::{Outline, PlaybookFile, PlaybookId, PlaybookOrigin},
    },
    playbooks::{find_entry_points, snapshot::Snapshot},
    store::{
        Connection, Database, StoreError,
        packages::{self, Author, NewVersion},
        playbooks,
        projects::{self, StoredProject, SyncRecord, SyncTurn},
    },
    vault::Vault,
};
use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    env,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

/// Who makes the versions that come from a repository.
const SYNCED_BY: &str = "git";
/// Syncs of one process at once.
const AT_ONCE: usize = 4;
/// A `known_hosts` file that is longer is not kept.
const MAX_KNOWN_HOSTS: usize = 64 * 1024;
/// How often a sync begins anew because the project was changed meanwhile.
const ATTEMPTS: usize = 3;

/// Why nothing can be said about a sync. That a repository could not be read is none of these: it is noted with the project.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The database said no, or has no such project.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is ending.
    #[error("the sync was interrupted")]
    Interrupted,
}

/// Takes repositories over into the database.
#[derive(Debug)]
pub struct GitProjects {
    vault: Arc<Vault>,
    /// Where repositories are while they are read.
    folder: PathBuf,
    ca_file: Option<PathBuf>,
    room: Semaphore,
    /// Who waits in this process waits here, and not each with a connection to the database.
    waiting: Mutex<HashMap<PackageId, Weak<AsyncMutex<()>>>>,
}

/// What one look at a repository came to.
struct Look {
    known_hosts: String,
    outcome: Result<Taken, GitError>,
}

enum Taken {
    /// The remote has what we have.
    Same(String),
    New(Box<NewCommit>),
}

struct NewCommit {
    commit: String,
    subject: String,
    snapshot: Snapshot,
    playbooks: Vec<(String, Outline)>,
}

impl GitProjects {
    /// `folder` is this machine's alone, and need not exist. `ADMIRAL_GIT_CA_FILE` names the authorities that certificates of `https`
    /// hosts are checked against, instead of the system's.
    pub fn new(vault: Arc<Vault>, folder: PathBuf) -> Self {
        Self {
            vault,
            folder,
            ca_file: env::var_os("ADMIRAL_GIT_CA_FILE")
                .filter(|file| !file.is_empty())
                .map(PathBuf::from),
            room: Semaphore::new(AT_ONCE),
            waiting: Mutex::default(),
        }
    }

    /// With another file of authorities than the environment names.
    #[must_use]
    pub fn with_ca_file(self, file: PathBuf) -> Self {
        Self {
            ca_file: Some(file),
            ..self
        }
    }

    /// Syncs a project and returns why that failed, if it did. Who comes while others wait gets their result: one that was begun
    /// after everybody asked. Goes on when the caller no longer waits.
    pub async fn sync(self: &Arc<Self>, database: &Database, id: PackageId) -> Result<Option<String>, SyncError> {
        let (projects, database) = (Arc::clone(self), database.clone());
        tokio::spawn(async move { projects.sync_in_turn(&database, id).await })
            .await
            .unwrap_or(Err(SyncError::Interrupted))
    }

    /// Syncs a project if that is due and nobody else is at it.
    pub async fn sync_if_due(&self, database: &Database, id: PackageId) -> Result<(), SyncError> {
        let Some(turn) = SyncTurn::take_if_due(database, id).await? else {
            return Ok(());
        };
        self.take_turn(database, turn, None).await.map(drop)
    }

    async fn sync_in_turn(&self, database: &Database, id: PackageId) -> Result<Option<String>, SyncError> {
        let asked = projects::now(&mut *database.acquire().await?).await?;
        let line = self.line(id);
        let _first = line.lock().await;
        let project = projects::get_project(&mut *database.acquire().await?, id).await?;
        if project.attempted_at.is_some_and(|began| began >= asked) {
            return Ok(project.error);
        }
        let turn = SyncTurn::take(database, id).await?;
        self.take_turn(database, turn, Some(asked)).await
    }

    fn line(&self, id: PackageId) -> Arc<AsyncMutex<()>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, line| line.strong_count() > 0);
        if let Some(line) = waiting.get(&id).and_then(Weak::upgrade) {
            return line;
        }
        let line = Arc::new(AsyncMutex::default());
        waiting.insert(id, Arc::downgrade(&line));
        line
    }

    async fn take_turn(
        &self,
        database: &Database,
        mut turn: SyncTurn,
        asked: Option<DateTime<Utc>>,
    ) -> Result<Option<String>, SyncError> {
        let _room = self.room.acquire().await.map_err(|_| SyncError::Interrupted)?;
        for _ in 0..ATTEMPTS {
            let (project, began) = turn.begin().await?;
            if let (Some(asked), Some(attempted)) = (asked, project.attempted_at)
                && attempted >= asked
            {
                turn.end().await;
                return Ok(project.error);
            }
            let look = self.look(database, &project).await?;
            let known_hosts = look.known_hosts.clone();
            let recorded = match record(database, &project, began, look).await {
                // Not noted, it would be due again at once, and fetched anew without end.
                Err(error) if !error.is_unavailable() => {
                    tracing::error!(?error, project = project.name, "a commit could not be stored");
                    let outcome = Err(GitError::NotStored(error));
                    record(database, &project, began, Look { known_hosts, outcome }).await?
                }
                recorded => recorded?,
            };
            if let Some(result) = recorded {
                turn.end().await;
                return Ok(result);
            }
        }
        turn.end().await;
        Err(StoreError::WrongState("the project is changed faster than it can be synced").into())
    }

    async fn look(&self, database: &Database, project: &StoredProject) -> Result<Look, StoreError> {
        let credentials = match open_credentials(&self.vault, database, project).await? {
            Ok(credentials) => credentials,
            Err(error) => {
                return Ok(Look {
                    known_hosts: project.host_keys.clone(),
                    outcome: Err(error),
                });
            }
        };
        let opened = GitUrl::parse(&project.settings.url)
            .map_err(GitError::Url)
            .and_then(|url| {
                let session = Session::open(&self.folder, project.id, self.ca_file.clone(), url.clone(), credentials)?;
                Ok((url, session))
            });
        Ok(match opened {
            Ok((url, session)) => {
                let outcome = read_remote(&session, &url, project).await;
                Look {
                    known_hosts: Some(session.known_hosts())
                        .filter(|text| text.len() <= MAX_KNOWN_HOSTS && !text.contains('\0'))
                        .unwrap_or_else(|| project.host_keys.clone()),
                    outcome,
                }
            }
            Err(error) => Look {
                known_hosts: project.host_keys.clone(),
                outcome: Err(error),
            },
        })
    }
}

async fn read_remote(session: &Session, url: &GitUrl, project: &StoredProject) -> Result<Taken, GitError> {
    let reference = Reference::parse(&project.settings.reference)
        .map_err(|_| GitError::NotACommit(project.settings.reference.clone()))?;
    let found = fetch::look_up(session, url, &reference).await?;
    let known = project
        .commit_id
        .as_ref()
        .filter(|commit| project.version_commit.as_ref() == Some(*commit));
    if known == Some(&found.commit) {
        return Ok(Taken::Same(found.commit));
    }
    let fetched = fetch::fetch(session, "project", url, &found).await?;
    let files = fetch::read_files(session, url, &fetched, project.settings.submodules).await?;
    let Fetched { commit, subject, .. } = fetched;
    // Digests of up to 64 MiB, and as much YAML.
    let name = project.name.clone();
    let read = tokio::task::spawn_blocking(move || {
        let playbooks = entry_points(&name, &files);
        (Snapshot::new(files), playbooks)
    });
    let (snapshot, playbooks) = read.await.map_err(|_| GitError::TimedOut)?;
    Ok(Taken::New(Box::new(NewCommit {
        commit,
        subject,
        snapshot,
        playbooks,
    })))
}

/// Those that the library can name.
fn entry_points(package: &str, files: &[PlaybookFile]) -> Vec<(String, Outline)> {
    let mut found = find_entry_points(files);
    found.retain(|(path, _)| PlaybookId::new(PlaybookOrigin::Project, format!("{package}/{path}")).is_ok());
    found
}

/// Stores what was taken and how the sync went, in one transaction; `None` when the project was changed meanwhile.
async fn record(
    database: &Database,
    project: &StoredProject,
    began: DateTime<Utc>,
    look: Look,
) -> Result<Option<Option<String>>, StoreError> {
    let mut transaction = database.begin().await?;
    let (commit, error) = match &look.outcome {
        Ok(Taken::Same(commit)) => (Some(commit.clone()), None),
        Ok(Taken::New(new)) => {
            store(&mut transaction, project, new).await?;
            (Some(new.commit.clone()), None)
        }
        Err(error) => (None, Some(error.to_string().replace('\0', ""))),
    };
    let outcome = match (&commit, &error) {
        (Some(commit), _) => Ok(commit.as_str()),
        (None, error) => Err(error.as_deref().unwrap_or_default()),
    };
    let record = SyncRecord {
        began,
        known_hosts_before: &project.host_keys,
        known_hosts: &look.known_hosts,
        outcome,
    };
    if !projects::record_sync(&mut transaction, project, &record).await? {
        return Ok(None);
    }
    transaction.commit().await.map_err(StoreError::from)?;
    match (&look.outcome, &error) {
        (Ok(Taken::Same(_)), _) => tracing::debug!(project = project.name, "nothing new in the repository"),
        (Ok(Taken::New(new)), _) => {
            tracing::info!(project = project.name, commit = new.commit, "a commit was taken over");
        }
        (Err(_), error) => tracing::warn!(
            project = project.name,
            error = error.as_deref(),
            "a git project could not be synced"
        ),
    }
    Ok(Some(error))
}

async fn store(connection: &mut Connection, project: &StoredProject, new: &NewCommit) -> Result<(), StoreError> {
    let head = packages::lock_package(connection, project.id).await?;
    if head.digest.as_ref() != Some(&new.snapshot.digest) || project.version_commit.as_ref() != Some(&new.commit) {
        let author = Author {
            id: None,
            name: SYNCED_BY.to_owned(),
        };
        packages::add_version(
            connection,
            &NewVersion {
                package_id: project.id,
                digest: &new.snapshot.digest,
                manifest: &new.snapshot.manifest,
                files: &new.snapshot.files,
                comment: &new.subject,
                author: &author,
                commit_id: Some(&new.commit),
                rolled_back_to: None,
            },
        )
        .await?;
    }
    packages::set_package_error(connection, project.id, None).await?;
    playbooks::set_entry_points(
        connection,
        PlaybookOrigin::Project,
        project.id,
        &head.name,
        &new.playbooks,
    )
    .await
}
