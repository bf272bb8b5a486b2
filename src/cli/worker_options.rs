//! How a worker in this process behaves.

use crate::{
    runner::{self, Isolation},
    worker::WorkerConfig,
};

/// Options of the worker that `admiral serve` runs.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerOptions {
    /// Keep runs apart from this machine: with bubblewrap where it works, always, or not at all
    #[arg(long, value_enum, default_value_t, env = "ADMIRAL_ISOLATION")]
    isolation: IsolationChoice,
    /// Runs at a time
    #[arg(long, default_value_t = 4, value_name = "NUMBER", env = "ADMIRAL_MAX_RUNS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_runs: u16,
    /// Seconds that a cancelled run gets to end by itself
    #[arg(long, default_value_t = 10, value_name = "SECONDS", env = "ADMIRAL_GRACE_SECONDS")]
    grace_seconds: u64,
}

/// How runs are to be kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum IsolationChoice {
    /// With bubblewrap where it works.
    #[default]
    Auto,
    /// With bubblewrap, or not at all.
    Bwrap,
    /// Not at all.
    None,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            isolation: IsolationChoice::Auto,
            max_runs: 4,
            grace_seconds: 10,
        }
    }
}

impl WorkerOptions {
    /// Puts these options into `config`.
    pub async fn apply(&self, config: WorkerConfig) -> anyhow::Result<WorkerConfig> {
        Ok(WorkerConfig {
            name: machine_name(),
            max_runs: usize::from(self.max_runs),
            grace_seconds: self.grace_seconds,
            isolation: self.isolation().await?,
            ..config
        })
    }

    /// What is possible on this machine; an error when bubblewrap is demanded and does not work.
    pub async fn isolation(&self) -> anyhow::Result<Isolation> {
        match self.isolation {
            IsolationChoice::None => Ok(Isolation::None),
            IsolationChoice::Auto => Ok(runner::isolation::detect().await),
            IsolationChoice::Bwrap => match runner::isolation::detect().await {
                Isolation::Bwrap => Ok(Isolation::Bwrap),
                Isolation::None => Err(super::failure::Hinted::new(
                    "bubblewrap does not work here",
                    "install bubblewrap and allow unprivileged user namespaces, or choose --isolation none",
                )
                .into()),
            },
        }
    }
}

/// What people call this machine.
pub fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "worker".to_owned()
    } else {
        name.to_owned()
    }
}
