//! `admiral serve`: the API with the console, a worker and the scheduler, or some of them, until told to stop. Runs outlive it.

use super::{
    failure::Hinted,
    instance::{Instance, Needs, RunningWorker},
    key_files,
    logging::{self, LogFormat},
    options::GlobalOptions,
    output, service_manager, starting,
    worker_options::{ISOLATION_HINT, WorkerOptions},
};
use crate::{
    api::{
        self,
        state::{ApiConfig, MAX_CONNECTIONS},
    },
    auth::first_account::{self, FirstAccount, LinkFile},
    domain::worker::ProcessRole,
    playbooks, process,
    runner::{self, IsolationMode},
    scheduler::Scheduler,
};
use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser as _};
use std::{
    io::IsTerminal as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsFd as _,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Everything has ended this long after we are told to stop, or ends without us.
const STOP_LIMIT: Duration = Duration::from_millis(4500);
/// How long a request waits for a connection to the database before it is answered with 503.
const API_PATIENCE: Duration = Duration::from_secs(3);
/// The time between two searches for key files that were left behind.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Options of `admiral serve`.
#[derive(Debug, clap::Args)]
pub struct ServeOptions {
    /// What this process does; several processes on one database may share the work
    #[arg(
        long,
        value_name = "ROLE",
        env = "ADMIRAL_ROLES",
        value_delimiter = ',',
        default_value = "api,worker,scheduler",
        value_parser = PossibleValuesParser::new(["api", "worker", "scheduler"])
            .try_map(|role| role.parse::<ProcessRole>())
    )]
    roles: Vec<ProcessRole>,
    /// Address and port to listen on [default: 127.0.0.1:8080; without the role api, nothing]
    #[arg(long, value_name = "ADDRESS:PORT", env = "ADMIRAL_LISTEN")]
    listen: Option<SocketAddr>,
    /// An origin that browsers may send changes from, such as the address of a proxy in front (repeatable)
    #[arg(
        long = "allowed-origin",
        value_name = "ORIGIN",
        env = "ADMIRAL_ALLOWED_ORIGINS",
        value_delimiter = ','
    )]
    allowed_origins: Vec<String>,
    /// A proxy whose X-Forwarded-For is believed (repeatable)
    #[arg(
        long = "trusted-proxy",
        value_name = "ADDRESS",
        env = "ADMIRAL_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    trusted_proxies: Vec<IpAddr>,
    /// Set the session cookie's Secure flag: the console is reached over TLS
    #[arg(long, env = "ADMIRAL_SECURE_COOKIES")]
    secure_cookies: bool,
    /// Most connections at a time; beyond that, the ones that have waited longest for their clients are closed
    #[arg(
        long,
        value_name = "COUNT",
        env = "ADMIRAL_MAX_CONNECTIONS",
        default_value_t = MAX_CONNECTIONS,
        value_parser = RangedU64ValueParser::<usize>::new().range(16..=100_000)
    )]
    max_connections: usize,
    /// Serve /metrics on this address as well, and nothing else there
    #[arg(long, value_name = "ADDRESS:PORT", env = "ADMIRAL_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// Let everybody read /metrics; otherwise scrapers need an API token
    #[arg(long, env = "ADMIRAL_PUBLIC_METRICS")]
    public_metrics: bool,
    #[command(flatten)]
    worker: WorkerOptions,
    /// How the log is written
    #[arg(long, value_enum, default_value_t, env = "ADMIRAL_LOG_FORMAT")]
    log: LogFormat,
}

/// Serves until SIGTERM or SIGINT; as nothing but a worker, also until it was drained.
pub async fn run(global: &GlobalOptions, options: ServeOptions) -> anyhow::Result<()> {
    logging::for_server(options.log);
    // Registered first: a signal during the start must not kill us half-way.
    let mut signals = Signals::register()?;
    let has = |role| options.roles.contains(&role);
    // This comes before the first child process, because it would have to be moved.
    if has(ProcessRole::Worker) && runner::prepare_control_groups() {
        tracing::info!("each run has a control group");
    }
    let address = options
        .listen
        .or_else(|| has(ProcessRole::Api).then_some(DEFAULT_ADDRESS));
    let listener = match address {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let metrics_listener = match options.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let api = ApiConfig {
        allowed_origins: options.allowed_origins.clone(),
        secure_cookies: options.secure_cookies,
        trusted_proxies: options.trusted_proxies.clone(),
        public_metrics: options.public_metrics,
        max_connections: connections(options.max_connections),
    };
    let needs = Needs {
        connections: 20,
        may_make: true,
        ansible: has(ProcessRole::Api) || has(ProcessRole::Worker),
        api,
        worker: options.worker.clone(),
    };
    let unready = Unready::begin(listener.as_ref(), needs.api.max_connections)?;
    let opening = starting::open(global, &needs);
    let mut instance = if global.database_url.is_some() {
        tokio::select! {
            opened = opening => opened?,
            () = signals.any() => {
                tracing::info!("told to stop before the database answered");
                return Ok(());
            }
        }
    } else {
        // The embedded PostgreSQL is started to the end, so that it can be stopped.
        opening.await?
    };
    unready.end().await;
    instance.state.database = instance.state.database.with_patience(API_PATIENCE);
    match Parts::start(&instance, listener, metrics_listener, &options).await {
        Ok(mut parts) => {
            service_manager::ready();
            let result = parts.until_told_to_stop(&mut signals).await;
            service_manager::stopping();
            tracing::info!("stopping; runs go on");
            let stopping = async {
                parts.stop().await;
                instance.close().await
            };
            if let Ok(closed) = tokio::time::timeout(STOP_LIMIT, stopping).await {
                result.and(closed)
            } else {
                tracing::warn!("not everything ended in time; what is left ends by itself");
                result
            }
        }
        Err(error) => {
            instance.close().await?;
            Err(error)
        }
    }
}

/// Raises the limit on open files as far as possible, and returns how many connections there is room for, at most `wanted`.
fn connections(wanted: usize) -> usize {
    let open_files = match process::raise_open_files() {
        Ok(open_files) => open_files,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            process::open_files()
        }
    };
    let connections = api::connections_within(wanted, open_files);
    if connections < wanted {
        tracing::warn!(
            wanted,
            connections,
            open_files,
            "the limit on open files leaves room for fewer connections than --max-connections; raise the hard limit (LimitNOFILE= in a unit)"
        );
    }
    connections
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn register() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Answers every request meanwhile that the server is not ready yet.
struct Unready {
    task: Option<JoinHandle<Result<(), std::io::Error>>>,
    end: CancellationToken,
}

impl Unready {
    /// Shares the listener. The kernel hands each connection to one of the tasks that accept on it.
    fn begin(listener: Option<&TcpListener>, max_connections: usize) -> anyhow::Result<Self> {
        let end = CancellationToken::new();
        let task = match listener {
            Some(listener) => {
                let shared = listener.as_fd().try_clone_to_owned()?;
                let shared = TcpListener::from_std(shared.into())?;
                Some(tokio::spawn(api::serve_starting(
                    shared,
                    max_connections,
                    end.child_token(),
                )))
            }
            None => None,
        };
        Ok(Self { task, end })
    }

    async fn end(self) {
        self.end.cancel();
        if let Some(task) = self.task {
            let _ended = task.await;
        }
    }
}

type Server = JoinHandle<Result<(), std::io::Error>>;

/// What runs in this process.
struct Parts {
    shutdown: CancellationToken,
    server: Option<Server>,
    worker: Option<RunningWorker>,
    scheduler: Option<JoinHandle<()>>,
    /// Cancelled when there is nothing left to do.
    drained: CancellationToken,
}

impl Parts {
    async fn start(
        instance: &Instance,
        listener: Option<TcpListener>,
        metrics_listener: Option<TcpListener>,
        options: &ServeOptions,
    ) -> anyhow::Result<Self> {
        let has = |role| options.roles.contains(&role);
        let shutdown = CancellationToken::new();
        if let Some(listener) = metrics_listener {
            let (state, shutdown) = (instance.state.clone(), shutdown.child_token());
            tokio::spawn(api::serve_metrics(listener, state, shutdown));
        }
        tokio::spawn(service_manager::keep_watchdog_quiet(shutdown.child_token()));
        tokio::spawn(sweep_key_files(shutdown.child_token()));
        let mut drained = CancellationToken::new();
        let mut worker = None;
        if has(ProcessRole::Worker) {
            warn_of_isolation(&instance.isolation);
            let started = instance.start_worker(shutdown.child_token(), options.worker.clone(), &options.roles)?;
            if options.roles.iter().all(|role| *role == ProcessRole::Worker) {
                drained = started.drained.clone();
            }
            worker = Some(started);
        }
        let scheduler = has(ProcessRole::Scheduler).then(|| {
            let scheduler = Scheduler::new(instance.state.database.clone(), instance.state.clock.clone())
                .with_projects(instance.state.projects.clone());
            tokio::spawn(scheduler.run(shutdown.child_token()))
        });
        let mut server = None;
        if let Some(listener) = listener {
            let address = listener.local_addr()?;
            let (state, shutdown) = (instance.state.clone(), shutdown.child_token());
            if has(ProcessRole::Api) {
                let (library, database) = (instance.state.library.clone(), instance.state.database.clone());
                tokio::spawn(playbooks::watch(library, database, shutdown.clone()));
                server = Some(tokio::spawn(api::serve(listener, state, shutdown)));
                greet(instance, address).await?;
            } else {
                server = Some(tokio::spawn(api::serve_probes(listener, state, shutdown)));
                tracing::info!(%address, "only /api/health and /metrics are served: this process does not have the role api");
            }
        }
        let roles: Vec<_> = options.roles.iter().map(|role| role.as_str()).collect();
        tracing::info!(roles = roles.join(","), "started");
        Ok(Self {
            shutdown,
            server,
            worker,
            scheduler,
            drained,
        })
    }

    async fn until_told_to_stop(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        let server = async {
            match &mut self.server {
                Some(server) => server.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = signals.any() => Ok(()),
            () = self.drained.cancelled() => {
                tracing::info!("drained: the last run has ended");
                Ok(())
            }
            ended = server => {
                self.server = None;
                ended.context("the server panicked")?.context("the server failed")
            }
        }
    }

    /// All at once: who waits for something does not hold up the others.
    async fn stop(self) {
        self.shutdown.cancel();
        let server = async {
            if let Some(server) = self.server {
                let _ended = server.await;
            }
        };
        let worker = async {
            if let Some(worker) = self.worker {
                worker.stop().await;
            }
        };
        let scheduler = async {
            if let Some(scheduler) = self.scheduler {
                let _ended = scheduler.await;
            }
        };
        tokio::join!(server, worker, scheduler);
    }
}

/// Warns loudly where runs are not isolated, because the keys to the whole fleet are at risk.
fn warn_of_isolation(isolation: &IsolationMode) {
    match isolation {
        IsolationMode::Strict(_) => tracing::info!("runs are isolated"),
        IsolationMode::Unavailable { reason } => tracing::error!(
            reason,
            hint = ISOLATION_HINT,
            "RUNS CANNOT BE ISOLATED on this machine: only built-in playbooks are run"
        ),
        IsolationMode::None => tracing::warn!(
            "ISOLATION IS OFF by choice: every playbook can read Admiral's master key, change its database, and do everything else that \
             Admiral's account can do"
        ),
    }
}

/// Removes the key files of keepers that were killed, at once and from time to time.
async fn sweep_key_files(shutdown: CancellationToken) {
    let sweeping = async {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            let swept = tokio::task::spawn_blocking(key_files::sweep_abandoned).await;
            for folder in swept.unwrap_or_default() {
                tracing::warn!(folder = %folder.display(), "removed key files whose keeper was killed");
            }
        }
    };
    shutdown.run_until_cancelled(sweeping).await;
}

async fn greet(instance: &Instance, address: SocketAddr) -> anyhow::Result<()> {
    output::line(&format!("Admiral listens on http://{address}"))?;
    let file = LinkFile::in_directory(&instance.data_directory);
    let (url, expires_at) =
        match first_account::prepare(&instance.state.database, instance.state.clock.as_ref()).await? {
            FirstAccount::Exists => {
                file.remove()
                    .context("failed to remove the link for the first account, which exists")?;
                return Ok(());
            }
            FirstAccount::NewLink(link) => {
                let url = format!("http://{address}{}", link.url_path());
                file.write(&url).with_context(|| {
                    format!(
                        "failed to write the link for the first account to {}",
                        file.path().display()
                    )
                })?;
                (Some(url), link.expires_at)
            }
            FirstAccount::EarlierLink { token_hash, expires_at } => (file.read(&token_hash), expires_at),
        };
    let until = expires_at.format("%Y-%m-%d %H:%M UTC");
    // Only a terminal shows the link itself: other output ends up in a log.
    let said = match url {
        Some(url) if std::io::stdout().is_terminal() => {
            format!("Make the first account (the link works once, until {until}): {url}")
        }
        Some(_) => format!(
            "There is no account yet. The link that makes the first one is in {} and works once, until {until}; `admiral users setup-link` \
             makes a new link.",
            file.path().display()
        ),
        None => format!(
            "There is no account yet. The link that makes the first one is not in this data directory; it works until {until}. \
             `admiral users setup-link` makes a new link in its place."
        ),
    };
    Ok(output::line(&said)?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Hinted::new(
            format!("failed to listen on {address}"),
            "does Admiral run already? choose another address or port with --listen or --metrics-listen, or --roles worker to add \
             a worker beside it",
        )
        .caused_by(error)
        .into()
    })
}
