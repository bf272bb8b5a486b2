//! `admiral supervise RUN_DIR`: what a worker starts for each run. Not for people.

use super::logging::{self, LogFormat};
use crate::runner;
use std::path::PathBuf;

/// Options of `admiral supervise`.
#[derive(Debug, clap::Args)]
pub struct SuperviseOptions {
    /// The run's folder
    run_folder: PathBuf,
}

/// Sees one `ansible-playbook` through to its end.
pub async fn run(options: SuperviseOptions) -> anyhow::Result<()> {
    logging::for_server(LogFormat::Human);
    Ok(runner::supervise(options.run_folder).await?)
}
