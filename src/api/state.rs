//! What every handler can reach.

use super::{body_memory::BodyMemory, live::Live, problem::Problem, scrape::Scrape, streams::Streams};
use crate::{
    auth::{first_account::LinkFile, limiter::SignInLimiter},
    domain::{PackageId, clock::Clock},
    playbooks::{
        Library, LibraryError,
        git::{GitProjects, SyncError},
    },
    store::Database,
    telemetry::Metrics,
    vault::Vault,
};
use std::{net::IpAddr, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Database connections for all streams together.
const STREAM_CONNECTIONS: u32 = 6;

/// Cheap to clone. Build it with [`AppState::new`].
#[derive(Clone)]
pub struct AppState {
    /// The connection pool.
    pub database: Database,
    /// A connection pool for streams, so that no number of them can hold up requests.
    pub stream_database: Database,
    /// Opens and seals secrets.
    pub vault: Arc<Vault>,
    /// The playbooks that can be launched.
    pub library: Arc<Library>,
    /// The git repositories among them.
    pub projects: Arc<GitProjects>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Settings of this server.
    pub config: Arc<ApiConfig>,
    /// Wakes those who watch deployments.
    pub live: Arc<Live>,
    /// The open streams.
    pub streams: Arc<Streams>,
    /// Slows down those who guess passwords.
    pub sign_in_limiter: Arc<SignInLimiter>,
    /// The memory that request bodies take.
    pub body_memory: Arc<BodyMemory>,
    /// The memory that large answers take. It has limits of its own, so that clients who read nothing cannot keep others from sending.
    pub answer_memory: Arc<BodyMemory>,
    /// What this process counts.
    pub metrics: Metrics,
    /// What a scrape asks the database for.
    pub scrape: Arc<Scrape>,
    /// The file with the link for the first account.
    pub first_link: Option<LinkFile>,
    /// Cancelled when the server stops: answers without an end of their own (streams) must end then. `serve` puts its own in.
    pub shutdown: CancellationToken,
}

impl AppState {
    /// Everything that handlers share, with what only this process holds still empty.
    pub fn new(
        database: Database,
        vault: Arc<Vault>,
        library: Arc<Library>,
        clock: Arc<dyn Clock>,
        config: ApiConfig,
    ) -> Self {
        Self {
            live: Live::new(database.clone()),
            stream_database: database.sibling(STREAM_CONNECTIONS),
            projects: Arc::new(GitProjects::new(Arc::clone(&vault), library.git_folder())),
            database,
            vault,
            library,
            clock,
            config: Arc::new(config),
            sign_in_limiter: Arc::default(),
            body_memory: Arc::default(),
            answer_memory: Arc::default(),
            streams: Arc::default(),
            metrics: Metrics::new(),
            scrape: Arc::default(),
            first_link: None,
            shutdown: CancellationToken::new(),
        }
    }

    /// Syncs a git project now; why that failed, if it did.
    pub(super) async fn sync_project(&self, id: PackageId) -> Result<Option<String>, Problem> {
        match self.projects.sync(&self.database, id).await {
            Ok(failure) => Ok(failure),
            Err(SyncError::Store(error)) => Err(error.into()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    /// Has the database know what lies in the folders of playbooks now.
    pub(super) async fn refresh_library(&self) -> Result<(), Problem> {
        match self.library.sync(&self.database).await {
            Ok(()) => Ok(()),
            Err(LibraryError::Store(error)) => Err(error.into()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}

/// The default limit on connections.
pub const MAX_CONNECTIONS: usize = 1024;

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Origins (`https://admiral.example.org`) that a browser may send changes from, besides the one the request was addressed to.
    pub allowed_origins: Vec<String>,
    /// Set the cookie's `Secure` flag: the console is reached over TLS.
    pub secure_cookies: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Everybody may read `/metrics`.
    pub public_metrics: bool,
    /// The limit on connections; a few more are in reserve for `GET /api/health`.
    pub max_connections: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            secure_cookies: false,
            trusted_proxies: Vec::new(),
            public_metrics: false,
            max_connections: MAX_CONNECTIONS,
        }
    }
}
