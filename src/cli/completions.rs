//! `admiral completions SHELL`

use super::{Cli, output};
use clap::CommandFactory as _;

/// Options of `admiral completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsOptions {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Prints a completion script.
pub fn run(options: &CompletionsOptions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "admiral", &mut script);
    Ok(output::bytes(&script)?)
}
