//! The HTTP API: the only user of `axum`. One file per operation under `routes/<resource>/`.

pub mod problem;
pub mod state;

pub use state::AppState;
