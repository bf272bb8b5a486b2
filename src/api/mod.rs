//! The HTTP API: the only user of `axum`. One file per operation under `routes/<resource>/`.

pub mod assets;
pub mod extract;
mod feed;
mod launch;
pub mod live;
pub mod local;
mod middleware;
pub mod openapi;
mod origin;
pub mod page;
pub mod problem;
mod router;
pub mod routes;
pub mod scrape;
mod sealed;
mod serve;
mod sse;
mod starting;
pub mod state;
mod variable_set;

pub use openapi::openapi_document;
pub use router::{metrics_router, router};
pub use serve::{serve, serve_metrics, serve_probes};
pub use starting::serve_starting;
pub use state::AppState;
