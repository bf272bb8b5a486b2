//! Carries out deployments: claims runs, makes them ready, starts their supervisors, follows their files into the store.
//!
//! The only bridge between `runner` and `store`. Nothing here takes input: woken by a notice or by the clock, it looks at the
//! database and does what is due, so that a restart, many workers and the usual case are the same code.

mod carry_out;
mod command;
mod error;
mod follow;
mod home;
mod host_keys;
mod observe;
mod prepare;
mod reading;
mod recover;
mod secrets;

use crate::{
    domain::{RunId, WorkerId, clock::Clock, clock::new_id, isolation::WorkerIsolation, worker::ProcessRole},
    playbooks::galaxy::{self, Galaxy},
    process::kill_point,
    runner::{IsolationMode, ResourceLimits, Seclusion},
    store::{
        Database, StoreError,
        claims::{self, ClaimTerms},
        notifications::{Listener, Notification},
        runs::{self, CancelState, OwnedRun},
        workers::{self, NewWorker},
    },
    telemetry::Metrics,
    vault::Vault,
};
use error::{FollowError, PrepareError};
use home::{Home, Presence};
use std::{
    collections::HashMap, fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::PathBuf, sync::Arc, time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// The database is looked at this often even when nothing was heard.
const TICK: Duration = Duration::from_secs(1);

/// How long runs that are being started may take when the worker is to stop.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How long giving claimed runs back may take then.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);

/// Settings of a worker.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// A name for people, such as the machine's.
    pub name: String,
    /// Admiral's data; run folders are made in `runs/` below it.
    pub data_directory: PathBuf,
    /// The program whose `supervise` subcommand watches over a run.
    pub admiral_binary: PathBuf,
    /// `ansible-playbook`, as an absolute path.
    pub ansible_playbook: PathBuf,
    /// What else its process does, for people.
    pub roles: Vec<ProcessRole>,
    /// Runs at a time.
    pub max_runs: usize,
    /// Seconds between asking a run to end and killing it.
    pub grace_seconds: u64,
    /// What is put between runs and the machine.
    pub isolation: IsolationMode,
    /// How much of the machine one run may take.
    pub limits: ResourceLimits,
    /// How long a run is this worker's without a sign of life.
    pub lease: Duration,
    /// How long after the end of its lease a run of another machine counts as lost.
    pub lost_after: Duration,
    /// Cancelled by the worker once it was asked to claim nothing more and its last run has ended.
    pub drained: CancellationToken,
    /// Where what happens is counted.
    pub metrics: Metrics,
}

impl WorkerConfig {
    /// Usual settings.
    pub fn new(data_directory: PathBuf, admiral_binary: PathBuf, ansible_playbook: PathBuf) -> Self {
        Self {
            name: "worker".to_owned(),
            data_directory,
            admiral_binary,
            ansible_playbook,
            roles: vec![ProcessRole::Worker],
            max_runs: 5,
            grace_seconds: 10,
            isolation: IsolationMode::None,
            limits: ResourceLimits::default(),
            lease: Duration::from_secs(30),
            lost_after: Duration::from_mins(5),
            drained: CancellationToken::new(),
            metrics: Metrics::new(),
        }
    }

    /// Where run folders are made.
    pub fn runs_folder(&self) -> PathBuf {
        self.data_directory.join("runs")
    }
}

/// What all runs of a worker use.
struct Shared {
    id: WorkerId,
    config: WorkerConfig,
    home: Home,
    database: Database,
    vault: Arc<Vault>,
    galaxy: Galaxy,
    seclusion: Seclusion,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
}

/// Claims runs and carries them out.
pub struct Worker {
    config: WorkerConfig,
    database: Database,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

/// A worker at work.
struct Engine {
    shared: Arc<Shared>,
    tasks: JoinSet<RunId>,
    running: HashMap<RunId, watch::Sender<CancelState>>,
    heartbeat_at: Option<Instant>,
    take_over_at: Option<Instant>,
    registered: bool,
}

impl Worker {
    /// A worker that does nothing yet.
    pub fn new(config: WorkerConfig, database: Database, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            database,
            vault,
            clock,
        }
    }

    /// Works until `shutdown`. Runs go on without the worker and are taken over by the next one; dropping this future is
    /// no worse than a shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let id = new_id();
        let opened = self.open_data_directory(id).and_then(|(home, presence)| {
            let seclusion = Seclusion::new(self.config.isolation.clone(), self.config.data_directory.clone())?;
            Ok((home, presence, seclusion))
        });
        let (home, presence, seclusion) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%error, folder = %self.config.data_directory.display(), "the data directory cannot be used");
                return;
            }
        };
        let galaxy_folder = galaxy::folder_in(&self.config.data_directory);
        let shared = Arc::new(Shared {
            id,
            galaxy: Galaxy::new(
                galaxy_folder,
                self.config.ansible_playbook.clone(),
                None,
                seclusion.clone(),
            ),
            seclusion,
            config: self.config,
            home,
            database: self.database,
            vault: self.vault,
            clock: self.clock,
            shutdown: shutdown.clone(),
        });
        let mut engine = Engine {
            shared,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            heartbeat_at: None,
            take_over_at: None,
            registered: false,
        };
        // Whatever it waits for: a database that is gone must not hold up the end.
        let span = observe::worker_span(&engine.shared);
        shutdown.run_until_cancelled(engine.work().instrument(span)).await;
        engine.end().await;
        drop(presence);
    }

    /// Makes the data directory's path the one that the run folders' paths begin with.
    fn open_data_directory(&mut self, id: WorkerId) -> std::io::Result<(Home, Presence)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.config.data_directory)?;
        self.config.data_directory = self.config.data_directory.canonicalize()?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.config.runs_folder())?;
        let home = Home::open(&self.config.data_directory)?;
        let presence = home.enter(id)?;
        Ok((home, presence))
    }
}

impl Engine {
    async fn work(&mut self) {
        let database = self.shared.database.clone();
        let mut listener = Listener::start(&database);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                notification = listener.recv() => {
                    if matches!(
                        notification,
                        Notification::DeploymentChanged { .. } | Notification::ProjectsDue | Notification::AccessChanged { .. }
                    ) {
                        continue;
                    }
                }
                _ = tick.tick() => {}
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.note_ended(ended),
            }
            match database.unless_lost(self.do_what_is_due()).await {
                Ok(()) => {}
                // That it is away is in the log once, and not every second.
                Err(error) if error.is_unavailable() => {
                    tracing::debug!(%error, "the worker could not look at the database");
                }
                Err(error) => tracing::warn!(%error, "the worker could not look at the database; trying again"),
            }
        }
    }

    async fn do_what_is_due(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let config = &shared.config;
        if !self.registered {
            let mut connection = shared.database.acquire().await?;
            let worker = NewWorker {
                id: shared.id,
                name: &config.name,
                roles: &config.roles,
                max_runs: config.max_runs,
                home: shared.home.id(),
                isolation: config.isolation.offer(),
            };
            runs::register_worker(&mut connection, &worker).await?;
            self.registered = true;
        }
        if is_due(self.heartbeat_at, config.lease / 3) {
            let mut connection = shared.database.acquire().await?;
            runs::heartbeat(&mut connection, shared.id, config.lease, &self.busy_with()).await?;
            self.heartbeat_at = Some(Instant::now());
        }
        if is_due(self.take_over_at, config.lease) {
            for run in recover::take_over(&shared, &self.busy_with()).await? {
                self.start(run, true);
            }
            if self.take_over_at.is_none() && shared.home.is_alone(shared.id).unwrap_or_default() {
                recover::sweep(&shared).await?;
            }
            self.take_over_at = Some(Instant::now());
        }
        self.pass_cancels_on().await?;
        if self.is_draining().await? {
            return Ok(());
        }
        while self.running.len() < config.max_runs {
            let Some(run) = self.claim().await? else { break };
            kill_point("claim_after_commit");
            self.start(run, false);
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<OwnedRun>, StoreError> {
        let config = &self.shared.config;
        let runs_folder = config.runs_folder();
        let terms = ClaimTerms {
            worker: self.shared.id,
            lease: config.lease,
            runs_folder: &runs_folder,
            builtin_only: config.isolation.offer() == WorkerIsolation::Unavailable,
        };
        let mut transaction = self.shared.database.begin().await?;
        let claimed = claims::claim_next(&mut transaction, &terms).await?;
        if claimed.is_some() {
            kill_point("claim_before_commit");
        }
        transaction.commit().await?;
        Ok(claimed)
    }

    /// Whether it is to claim nothing more; says so once nothing is left.
    async fn is_draining(&mut self) -> Result<bool, StoreError> {
        let mut connection = self.shared.database.acquire().await?;
        let draining = workers::is_draining(&mut connection, self.shared.id).await?;
        // Forgotten, as after the database was put back to an earlier state.
        self.registered = draining.is_some();
        let draining = draining.unwrap_or_default();
        if draining && self.running.is_empty() {
            self.shared.config.drained.cancel();
        }
        Ok(draining)
    }

    fn busy_with(&self) -> Vec<RunId> {
        self.running.keys().copied().collect()
    }

    async fn pass_cancels_on(&mut self) -> Result<(), StoreError> {
        if self.running.is_empty() {
            return Ok(());
        }
        let mut connection = self.shared.database.acquire().await?;
        for (run, state) in runs::list_cancelled(&mut connection, self.shared.id).await? {
            if let Some(sender) = self.running.get(&run) {
                sender.send_if_modified(|known| std::mem::replace(known, state) != state);
            }
        }
        Ok(())
    }

    /// Registered before it starts, so that it can be cancelled from the first moment.
    fn start(&mut self, run: OwnedRun, adopted: bool) {
        let (sender, receiver) = watch::channel(CancelState::default());
        self.running.insert(run.id, sender);
        let shared = Arc::clone(&self.shared);
        let span = observe::run_span(&run);
        let carried_out = async move {
            let id = run.id;
            if adopted {
                carry_out::go_on(&shared, run, receiver).await;
            } else {
                observe::claimed(&shared, &run).await;
                carry_out::begin(&shared, run, receiver).await;
            }
            id
        };
        self.tasks.spawn(carried_out.instrument(span));
    }

    fn note_ended(&mut self, ended: Result<RunId, tokio::task::JoinError>) {
        match ended {
            Ok(run) => {
                self.running.remove(&run);
            }
            Err(error) => {
                tracing::error!(%error, "following a run broke off");
                // Which one it was is not told; those whose channel nobody reads any more are it.
                self.running.retain(|_, sender| !sender.is_closed());
            }
        }
    }

    /// Lets go: runs that were not started go back, the others are left to the next worker.
    async fn end(&mut self) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // They stop by themselves, but a run that is being started is started, so that it does not look like a lost one.
        if tokio::time::timeout(END_LIMIT, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
        let shared = &self.shared;
        let released = async {
            let mut connection = shared.database.acquire().await?;
            runs::release(&mut connection, shared.id, None).await?;
            runs::remove_worker(&mut connection, shared.id).await
        };
        let released = tokio::time::timeout(RELEASE_LIMIT, released).await;
        if let Err(error) = released.unwrap_or(Err(StoreError::Unavailable)) {
            tracing::warn!(%error, "claimed runs could not be given back; others claim them when their leases run out");
        }
    }
}

fn is_due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}
