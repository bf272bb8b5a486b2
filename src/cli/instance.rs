//! Admiral in this process: the data directory, the database, the key ring, the library.

use super::{failure::Hinted, options::GlobalOptions, worker_options::WorkerOptions};
use crate::{
    api::{AppState, state::ApiConfig},
    domain::clock::{Clock, SystemClock},
    embedded::EmbeddedPostgres,
    playbooks::{self, AnsibleTools, Library, LibraryConfig},
    store::{Database, vault_keys, workers},
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

/// How much of Admiral a command needs.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Connections at most.
    pub connections: u32,
    /// Whether playbooks will be checked or run.
    pub ansible: bool,
    /// Settings of the API.
    pub api: ApiConfig,
}

/// Admiral in this process. Call [`Instance::close`] at the end.
pub struct Instance {
    /// What the API's handlers share.
    pub state: AppState,
    /// The data directory.
    pub data_directory: PathBuf,
    /// Ansible, when the command needs it.
    pub ansible: Option<AnsibleTools>,
    embedded: Option<EmbeddedPostgres>,
}

impl Instance {
    /// Opens what the options name, and makes what is not there yet.
    pub async fn open(global: &GlobalOptions, needs: Needs) -> anyhow::Result<Self> {
        let data_directory = global.data_directory()?;
        let (database, embedded) = open_database(global, &data_directory, needs.connections).await?;
        match Self::open_on(global, needs, data_directory, database).await {
            Ok((state, data_directory, ansible)) => Ok(Self {
                state,
                data_directory,
                ansible,
                embedded,
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
    ) -> anyhow::Result<(AppState, PathBuf, Option<AnsibleTools>)> {
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
        let library = library(global, &data_directory, ansible.clone())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let state = AppState::new(database, Arc::new(vault), Arc::new(library), clock, needs.api);
        Ok((state, data_directory, ansible))
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
        Ok(Some(
            self.start_worker(CancellationToken::new(), WorkerOptions::default())
                .await?,
        ))
    }

    /// Carries deployments out in this process until `shutdown`.
    pub async fn start_worker(
        &self,
        shutdown: CancellationToken,
        options: WorkerOptions,
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
        let config = WorkerConfig {
            metrics: self.state.metrics.clone(),
            ..options.apply(config).await?
        };
        let worker = Worker::new(
            config,
            self.state.database.clone(),
            self.state.vault.clone(),
            self.state.clock.clone(),
        );
        let task = tokio::spawn(worker.run(shutdown.clone()));
        Ok(RunningWorker { task, shutdown })
    }

    /// Lets go of the database; the embedded PostgreSQL stops when nobody else uses it.
    pub async fn close(self) -> anyhow::Result<()> {
        self.state.shutdown.cancel();
        // A stream that is still open may hold a connection for a moment.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.state.database.close()).await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await.map(drop)?;
        }
        Ok(())
    }
}

/// A worker in this process.
#[derive(Debug)]
pub struct RunningWorker {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl RunningWorker {
    /// Ends the worker, not the runs.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if tokio::time::timeout(Duration::from_secs(4), self.task).await.is_err() {
            tracing::warn!("the worker did not stop in time");
        }
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
    let mut connection = database.acquire().await?;
    let known = vault_keys::list_vault_keys(&mut connection).await?;
    if !known.is_empty() && !path.exists() {
        return Err(Hinted::new(
            format!(
                "the key ring {} is missing, and the database holds secrets sealed with it",
                path.display()
            ),
            "restore the key ring from a backup, or point --data-dir at the data directory that holds it",
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
    Ok(vault)
}

fn wrong_ring(path: &Path, error: VaultError) -> Hinted {
    Hinted::new(
        format!("the key ring {} does not fit this database", path.display()),
        "restore the key ring that belongs to this database, or point --data-dir at the right data directory",
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

fn library(global: &GlobalOptions, data_directory: &Path, ansible: Option<AnsibleTools>) -> anyhow::Result<Library> {
    let builtin_folder = data_directory.join("builtin-playbooks");
    playbooks::builtin::unpack(&builtin_folder).context("failed to unpack the built-in playbooks")?;
    // A command that runs no playbook works without Ansible, and sooner.
    let ansible = ansible.unwrap_or_else(|| AnsibleTools {
        ansible_playbook: "ansible-playbook".into(),
        version: String::new(),
    });
    Ok(Library::new(LibraryConfig {
        builtin_folder,
        custom_folder: global.custom_playbooks(data_directory)?,
        ansible,
    }))
}
