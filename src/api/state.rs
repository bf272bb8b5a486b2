//! What every handler can reach.

use crate::{domain::clock::Clock, playbooks::Library, store::Database, vault::Vault};
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The connection pool.
    pub database: Database,
    /// Opens and seals secrets.
    pub vault: Arc<Vault>,
    /// The playbooks that can be launched.
    pub library: Arc<Library>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Settings of this server.
    pub config: Arc<ApiConfig>,
}

/// Settings of the API.
#[derive(Debug, Clone, Default)]
pub struct ApiConfig {
    /// Origins (`https://admiral.example.org`) that a browser may send changes from, besides the one the request was addressed to.
    pub allowed_origins: Vec<String>,
    /// Set the cookie's `Secure` flag: the console is reached over TLS.
    pub secure_cookies: bool,
}
