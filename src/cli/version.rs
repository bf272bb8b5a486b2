//! `admiral version`

use super::output::{self, Format};
use serde_json::json;

/// Prints the version.
pub fn run(format: Format) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    match format {
        Format::Table => output::line(&format!("admiral {version}"))?,
        Format::Json => output::json(&json!({"version": version}))?,
    }
    Ok(())
}
