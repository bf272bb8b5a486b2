//! The log goes to stderr.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// For the server: what it does, `ADMIRAL_LOG` narrows or widens it.
pub fn for_server(format: LogFormat) {
    let filter = filter("info,sqlx=warn,notify=warn");
    match format {
        LogFormat::Human => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .init(),
        LogFormat::Json => tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init(),
    }
}

/// For other commands: silent unless `ADMIRAL_LOG` asks, as their errors say what happened.
pub fn for_commands() {
    tracing_subscriber::fmt()
        .with_env_filter(filter("off"))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env("ADMIRAL_LOG").unwrap_or_else(|_| EnvFilter::new(default))
}
