//! Admiral in this process: the data directory, the database, the key ring, the library.

use super::{failure::Hinted, installation, options::GlobalOptions, owner, worker_options::WorkerOptions};
use crate::{
    api::{AppState, state::ApiConfig},
    auth::first_account::LinkFile,
    domain::{
        clock::{Clock, SystemClock},
        worker::ProcessRole,
    },
    embedded::EmbeddedPostgres,
    playbooks::{self, AnsibleTools, Library, LibraryConfig},
    runner::{IsolationMode, Seclusion},
    store::{Database, Schema, vault_keys, workers},
    vault::{KeyRing, Vault, VaultError},
    worker::{Worker, WorkerConfig},
};
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A worker that was not heard of for this long is taken for gone.
pub const WORKER_SILENCE: Duration = Duration::from_secs(15);

/// Connections of a worker besides those of its runs: for its claims, its heartbeat and LISTEN.
const WORKER_CONNECTIONS: u32 = 4;
/// More runs than these share their connections: each needs one for moments only.
const MOST_RUN_CONNECTIONS: usize = 12;
/// How long a worker may take to stop; a little more than it gives itself.
const WORKER_STOP_LIMIT: Duration = Duration::from_millis(3300);
/// How long saying goodbye to the database may take.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Between two looks at an embedded PostgreSQL that does not answer.
const REVIVE_EVERY: Duration = Duration::from_secs(1);

/// How much of Admiral a command needs.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Connections at most.
    pub connections: u32,
    /// Whether to make an installation if there is none.
    pub may_make: bool,
    /// Whether playbooks will be checked or run.
    pub ansible: bool,
    /// Settings of the API.
    pub api: ApiConfig,
    /// How playbooks are kept apart from the machine, checked or run.
    pub worker: WorkerOptions,
}

/// Admiral in this process. Call [`Instance::close`] at the end.
pub struct Instance {
    /// What the API's handlers share.
    pub state: AppState,
    /// The data directory.
    pub data_directory: PathBuf,
    /// Ansible, when the command needs it.
    pub ansible: Option<AnsibleTools>,
    /// How playbooks are isolated from this machine.
    pub isolation: IsolationMode,
    embedded: Option<KeptPostgres>,
}

/// The embedded PostgreSQL, started again should it die.
struct KeptPostgres {
    task: JoinHandle<EmbeddedPostgres>,
    let_go: CancellationToken,
}

impl KeptPostgres {
    fn keep(embedded: EmbeddedPostgres, database: Database) -> Self {
        let let_go = CancellationToken::new();
        let until = let_go.clone();
        let task = tokio::spawn(async move {
            until.run_until_cancelled(revive(&embedded, &database)).await;
            embedded
        });
        Self { task, let_go }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.let_go.cancel();
        let embedded = self.task.await.context("keeping the embedded PostgreSQL panicked")?;
        embedded.stop().await?;
        Ok(())
    }
}

async fn revive(embedded: &EmbeddedPostgres, database: &Database) -> std::convert::Infallible {
    loop {
        database.lost().await;
        match embedded.revive().await {
            Ok(true) => tracing::warn!("the embedded PostgreSQL had died and was started again"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the embedded PostgreSQL has died and does not start; trying again"),
        }
        tokio::time::sleep(REVIVE_EVERY).await;
    }
}

impl Instance {
    /// Opens the installation that the options name. It is an error if there is none, unless one may be made.
    pub async fn open(global: &GlobalOptions, needs: Needs) -> anyhow::Result<Self> {
        owner::check(&global.data_directory_path()?)?;
        let data_directory = if needs.may_make {
            global.data_directory()?
        } else {
            let path = global.data_directory_path()?;
            installation::require(global, &path)?;
            path
        };
        let (database, embedded) = open_database(global, &data_directory, needs.connections).await?;
        match Self::open_on(global, needs, data_directory, database).await {
            Ok((state, data_directory, ansible, isolation)) => Ok(Self {
                embedded: embedded.map(|embedded| KeptPostgres::keep(embedded, state.database.clone())),
                state,
                data_directory,
                ansible,
                isolation,
            }),
            Err(error) => {
                if let Some(embedded) = embedded {
                    embedded.stop().await?;
                }
                Err(error)
            }
        }
    }

    async fn open_on(
        global: &GlobalOptions,
        needs: Needs,
        data_directory: PathBuf,
        database: Database,
    ) -> anyhow::Result<(AppState, PathBuf, Option<AnsibleTools>, IsolationMode)> {
        if !needs.may_make && database.schema().await? == Schema::Missing {
            return Err(Hinted::new(
                "the database holds no installation of Admiral",
                "is --database-url or DATABASE_URL right? `admiral serve` makes an installation in an empty database",
            )
            .into());
        }
        database
            .migrate()
            .await
            .context("failed to bring the database up to date")?;
        let vault = open_vault(&key_ring_path(&data_directory), &database).await?;
        let ansible = if needs.ansible {
            Some(discover_ansible().await?)
        } else {
            None
        };
        let isolation = if needs.ansible {
            needs.worker.isolation().await?
        } else {
            IsolationMode::Unavailable {
                reason: "this command does not run playbooks".to_owned(),
            }
        };
        let seclusion = Seclusion::new(isolation.clone(), data_directory.clone())
            .context("failed to make a folder for temporary files")?;
        let library = library(global, &data_directory, ansible.clone(), seclusion)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut state = AppState::new(database, Arc::new(vault), Arc::new(library), clock, needs.api);
        state.first_link = Some(LinkFile::in_directory(&data_directory));
        Ok((state, data_directory, ansible, isolation))
    }

    /// Whether somebody carries deployments out.
    pub async fn worker_is_alive(&self) -> anyhow::Result<bool> {
        let mut connection = self.state.database.acquire().await?;
        Ok(workers::any_worker_alive(&mut connection, WORKER_SILENCE).await?)
    }

    /// Carries deployments out in this process, when nobody else does.
    pub async fn start_worker_unless_one_is_alive(&self) -> anyhow::Result<Option<RunningWorker>> {
        if self.worker_is_alive().await? {
            return Ok(None);
        }
        Ok(Some(self.start_worker(
            CancellationToken::new(),
            WorkerOptions::from_environment()?,
            &[ProcessRole::Worker],
        )?))
    }

    /// Carries deployments out in this process, which has these `roles`, until `shutdown`.
    pub fn start_worker(
        &self,
        shutdown: CancellationToken,
        options: WorkerOptions,
        roles: &[ProcessRole],
    ) -> anyhow::Result<RunningWorker> {
        let ansible = self
            .ansible
            .as_ref()
            .context("this command was not opened to run Ansible")?;
        let config = WorkerConfig::new(
            self.data_directory.clone(),
            std::env::current_exe().context("failed to find this program's own file")?,
            ansible.ansible_playbook.clone(),
        );
        let mut config = options.apply(config);
        config.isolation = self.isolation.clone();
        config.roles = roles.to_vec();
        config.metrics = self.state.metrics.clone();
        let drained = config.drained.clone();
        // Requests that take all connections must not keep runs from being recorded.
        let connections = WORKER_CONNECTIONS + config.max_runs.min(MOST_RUN_CONNECTIONS) as u32;
        let database = self.state.database.sibling(connections);
        let worker = Worker::new(
            config,
            database.clone(),
            self.state.vault.clone(),
            self.state.clock.clone(),
        );
        let task = tokio::spawn(worker.run(shutdown.clone()));
        Ok(RunningWorker {
            drained,
            database,
            task,
            shutdown,
        })
    }

    /// Lets go of the database; the embedded PostgreSQL stops when nobody else uses it.
    pub async fn close(self) -> anyhow::Result<()> {
        self.state.shutdown.cancel();
        // A stream that is still open may hold a connection for a moment, and a database that is gone says no goodbye.
        let closed = async { tokio::join!(self.state.database.close(), self.state.stream_database.close()) };
        let _ = tokio::time::timeout(CLOSE_LIMIT, closed).await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

/// A worker in this process.
#[derive(Debug)]
pub struct RunningWorker {
    /// Cancelled once it was asked to claim nothing more and its last run has ended.
    pub drained: CancellationToken,
    database: Database,
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl RunningWorker {
    /// Ends the worker, not the runs.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if tokio::time::timeout(WORKER_STOP_LIMIT, self.task).await.is_err() {
            tracing::warn!("the worker did not stop in time");
        }
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.database.close()).await;
    }
}

/// Where the key ring is.
pub fn key_ring_path(data_directory: &Path) -> PathBuf {
    data_directory.join("key-ring.json")
}

/// Opens the database that the options name, embedded when they name none.
pub async fn open_database(
    global: &GlobalOptions,
    data_directory: &Path,
    connections: u32,
) -> anyhow::Result<(Database, Option<EmbeddedPostgres>)> {
    if let Some(url) = &global.database_url {
        let database = Database::connect(url, connections).await.map_err(|error| {
            Hinted::new(
                "failed to open the database",
                "is the address in --database-url or DATABASE_URL right, and does PostgreSQL answer there?",
            )
            .caused_by(error)
        })?;
        return Ok((database, None));
    }
    let embedded = EmbeddedPostgres::start(data_directory).await.map_err(|error| {
        Hinted::new(
            "failed to start the embedded PostgreSQL",
            "`admiral doctor` says what is missing",
        )
        .caused_by(error)
    })?;
    match Database::connect(&embedded.url(), connections).await {
        Ok(database) => Ok((database, Some(embedded))),
        Err(error) => {
            embedded.stop().await?;
            Err(anyhow::Error::from(error).context("failed to open the embedded database"))
        }
    }
}

/// Opens the key ring and makes sure that it fits the database.
async fn open_vault(path: &Path, database: &Database) -> anyhow::Result<Vault> {
    let mut connection = database.begin().await?;
    // Of two that start for the first time at once, on two machines, only one may make a key ring.
    vault_keys::lock_vault_keys(&mut connection).await?;
    let known = vault_keys::list_vault_keys(&mut connection).await?;
    if !known.is_empty() && !path.exists() {
        return Err(Hinted::new(
            format!(
                "the key ring {} is missing, and the database holds secrets sealed with it",
                path.display()
            ),
            "restore the key ring from a backup, or point --data-dir at the data directory that holds it; \
             a process on another machine needs a copy of it (mode 600) in its own data directory",
        )
        .into());
    }
    let vault = Vault::new(KeyRing::load_or_create(path).context("failed to open the key ring")?);
    for key in &known {
        vault
            .verify_check_value(&key.key_id, &key.check_value)
            .map_err(|error| wrong_ring(path, error))?;
    }
    if !known.iter().any(|key| key.key_id == vault.current_key_id()) {
        let check_value = vault.check_value().context("failed to use the key ring")?;
        vault_keys::insert_vault_key(&mut connection, vault.current_key_id(), &check_value).await?;
    }
    connection.commit().await.context("failed to note the key ring")?;
    Ok(vault)
}

fn wrong_ring(path: &Path, error: VaultError) -> Hinted {
    Hinted::new(
        format!("the key ring {} does not fit this database", path.display()),
        "restore the key ring that belongs to this database, or point --data-dir at the right data directory; \
         all processes on one database use copies of the same key ring",
    )
    .caused_by(error)
}

async fn discover_ansible() -> anyhow::Result<AnsibleTools> {
    playbooks::ansible::discover(None).await.map_err(|error| {
        Hinted::new(
            "failed to find Ansible",
            "install ansible-core 2.16 to 2.19, or set ADMIRAL_ANSIBLE_BIN to the folder with ansible-playbook",
        )
        .caused_by(error)
        .into()
    })
}

fn library(
    global: &GlobalOptions,
    data_directory: &Path,
    ansible: Option<AnsibleTools>,
    seclusion: Seclusion,
) -> anyhow::Result<Library> {
    let builtin_folder = data_directory.join("builtin-playbooks");
    playbooks::builtin::unpack(&builtin_folder).context("failed to unpack the built-in playbooks")?;
    // A command that runs no playbook works without Ansible, and sooner.
    let ansible = ansible.unwrap_or_else(|| AnsibleTools {
        ansible_playbook: "ansible-playbook".into(),
        version: String::new(),
    });
    Ok(Library::new(LibraryConfig {
        galaxy_folder: playbooks::galaxy::folder_in(data_directory),
        builtin_folder,
        project_folder: global.project_folder(data_directory)?,
        ansible,
        seclusion,
    }))
}
