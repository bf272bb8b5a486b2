//! The HTTP API: the only user of `axum`. One file per operation under `routes/<resource>/`.

mod admission;
mod answer_memory;
pub mod assets;
mod body_memory;
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
mod server;
mod sse;
mod starting;
pub mod state;
mod streams;
mod variable_set;

pub use openapi::openapi_document;
pub use router::{metrics_router, router};
pub use server::{connections_within, serve, serve_metrics, serve_probes, serve_starting};
pub use state::AppState;
