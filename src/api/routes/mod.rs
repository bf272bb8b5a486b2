//! The endpoints: one folder per resource, one file per operation.

pub mod account;
pub mod audit;
pub mod deployments;
pub mod environments;
pub mod forms;
pub mod galaxy_servers;
pub mod health;
pub mod keys;
pub mod metrics;
pub mod packages;
pub mod playbooks;
pub mod presets;
pub mod projects;
pub mod recordings;
pub mod servers;
pub mod session;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod stream;
pub mod tokens;
pub mod users;
pub mod vault_passwords;
pub mod workers;

use super::{AppState, openapi::Document};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

/// What tells a monitor about a process, whatever it does; needs nobody to be signed in.
pub fn probes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(health::probe()).merge(metrics::router())
}

/// All resources. A new one is registered here, and nowhere else.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(account::router())
        .merge(audit::router())
        .merge(deployments::router())
        .merge(environments::router())
        .merge(forms::router())
        .merge(galaxy_servers::router())
        .merge(health::router())
        .merge(keys::router())
        .merge(metrics::router())
        .merge(packages::router())
        .merge(playbooks::router())
        .merge(presets::router())
        .merge(projects::router())
        .merge(recordings::router())
        .merge(servers::router())
        .merge(session::router())
        .merge(sessions::router())
        .merge(settings::router())
        .merge(setup::router())
        .merge(stream::router())
        .merge(tokens::router())
        .merge(users::router())
        .merge(vault_passwords::router())
        .merge(workers::router())
}
