//! `admiral supervise RUN_DIR`: what a worker starts for each run. Not for people.

use super::logging::{self, LogFormat};
use crate::runner;
use std::path::PathBuf;
use tracing::Instrument as _;

/// Options of `admiral supervise`.
#[derive(Debug, clap::Args)]
pub struct SuperviseOptions {
    /// The run's folder
    run_folder: PathBuf,
}

/// Sees one `ansible-playbook` through to its end.
pub async fn run(options: SuperviseOptions) -> anyhow::Result<()> {
    // Its worker reads this log and takes it over into its own, in whatever format that is.
    logging::for_server(LogFormat::Json);
    let run = options.run_folder.file_name().unwrap_or_default().to_string_lossy();
    let span = tracing::info_span!("supervise", %run);
    Ok(runner::supervise(options.run_folder).instrument(span).await?)
}
