//! `admiral serve`: the API, the console and a worker, until told to stop. Runs outlive it.

use super::{
    failure::Hinted,
    instance::{Instance, Needs, RunningWorker},
    logging::{self, LogFormat},
    options::GlobalOptions,
    output,
    worker_options::WorkerOptions,
};
use crate::{
    api::{self, state::ApiConfig},
    auth,
    scheduler::Scheduler,
};
use anyhow::Context as _;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// How long answers under way may take once we are told to stop.
const GRACE: Duration = Duration::from_secs(3);

/// Options of `admiral serve`.
#[derive(Debug, clap::Args)]
pub struct ServeOptions {
    /// Address and port to listen on
    #[arg(
        long,
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS:PORT",
        env = "ADMIRAL_LISTEN"
    )]
    listen: SocketAddr,
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

/// Serves until SIGTERM or SIGINT.
pub async fn run(global: &GlobalOptions, options: ServeOptions) -> anyhow::Result<()> {
    logging::for_server(options.log);
    // Registered first: a signal during the start must not kill us half-way.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = listen(options.listen).await?;
    let metrics_listener = match options.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let api = ApiConfig {
        allowed_origins: options.allowed_origins,
        secure_cookies: options.secure_cookies,
        trusted_proxies: options.trusted_proxies,
        public_metrics: options.public_metrics,
    };
    let instance = Instance::open(
        global,
        Needs {
            connections: 20,
            ansible: true,
            api,
        },
    )
    .await?;
    let shutdown = CancellationToken::new();
    if let Some(listener) = metrics_listener {
        tokio::spawn(api::serve_metrics(
            listener,
            instance.state.clone(),
            shutdown.child_token(),
        ));
    }
    let parts = start(&instance, listener, &shutdown, options.worker).await;
    let result = match parts {
        Ok((mut server, worker)) => {
            let result = tokio::select! {
                _ = terminate.recv() => Ok(()),
                _ = interrupt.recv() => Ok(()),
                ended = &mut server => ended.context("the server panicked").and_then(|ended| ended.context("the server failed")),
            };
            tracing::info!("stopping; runs go on");
            shutdown.cancel();
            if tokio::time::timeout(GRACE, &mut server).await.is_err() && !server.is_finished() {
                server.abort();
            }
            worker.stop().await;
            result
        }
        Err(error) => Err(error),
    };
    instance.close().await?;
    result
}

type Server = tokio::task::JoinHandle<Result<(), std::io::Error>>;

async fn start(
    instance: &Instance,
    listener: TcpListener,
    shutdown: &CancellationToken,
    worker: WorkerOptions,
) -> anyhow::Result<(Server, RunningWorker)> {
    let address = listener.local_addr()?;
    let worker = instance.start_worker(shutdown.child_token(), worker).await?;
    tokio::spawn(
        Scheduler::new(instance.state.database.clone(), instance.state.clock.clone()).run(shutdown.child_token()),
    );
    let server = tokio::spawn(api::serve(listener, instance.state.clone(), shutdown.child_token()));
    output::line(&format!("Admiral listens on http://{address}"))?;
    let link = auth::first_start(&instance.state.database, instance.state.clock.as_ref()).await?;
    if let Some(link) = link {
        output::line(&format!(
            "Make the first account (the link works once): http://{address}{}",
            link.url_path()
        ))?;
    }
    Ok((server, worker))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Hinted::new(
            format!("failed to listen on {address}"),
            "choose another address or port with --listen or --metrics-listen",
        )
        .caused_by(error)
        .into()
    })
}
