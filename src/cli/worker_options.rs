//! How a worker in this process behaves.

use super::failure::Hinted;
use crate::{
    runner::{IsolationMode, ResourceLimits},
    worker::WorkerConfig,
};

/// Options of the worker that `admiral serve` runs.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerOptions {
    /// Isolate runs from this machine: where that does not work, auto runs only built-in playbooks and strict refuses to start; none turns
    /// isolation off
    #[arg(long, value_enum, default_value_t, env = "ADMIRAL_ISOLATION")]
    isolation: IsolationChoice,
    /// Memory that one run may use, such as 8G [default: three quarters of the machine's]
    #[arg(long, value_name = "SIZE", env = "ADMIRAL_RUN_MEMORY", value_parser = parse_size)]
    run_memory: Option<u64>,
    /// Processes and threads that one run may have [default: 4096]
    #[arg(long, value_name = "NUMBER", env = "ADMIRAL_RUN_PROCESSES", value_parser = clap::value_parser!(u64).range(16..))]
    run_processes: Option<u64>,
    /// Size of one file that a run may write [default: 4G]
    #[arg(long, value_name = "SIZE", env = "ADMIRAL_RUN_FILE_SIZE", value_parser = parse_size)]
    run_file_size: Option<u64>,
    /// Disk space that the folders of one run may take up [default: 10G]
    #[arg(long, value_name = "SIZE", env = "ADMIRAL_RUN_DISK", value_parser = parse_size)]
    run_disk: Option<u64>,
    /// The share of the processors that one run gets when they are busy; everything else has 100 [default: 50]
    #[arg(long, value_name = "NUMBER", env = "ADMIRAL_RUN_CPU_WEIGHT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    run_cpu_weight: Option<u32>,
    /// Runs at a time
    #[arg(long, default_value_t = 4, value_name = "NUMBER", env = "ADMIRAL_MAX_RUNS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_runs: u16,
    /// Seconds that a cancelled run gets to end by itself
    #[arg(long, default_value_t = 10, value_name = "SECONDS", env = "ADMIRAL_GRACE_SECONDS")]
    grace_seconds: u64,
}

/// How runs are to be isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum IsolationChoice {
    /// Runs are isolated. Where that does not work, only built-in playbooks are run.
    #[default]
    Auto,
    /// Runs are isolated. Where that does not work, Admiral does not start.
    #[value(alias = "bwrap")]
    Strict,
    /// Runs are not isolated.
    None,
}

/// A number of bytes: digits, and K, M, G or T for powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 1024 * 1024;
    let text = text.trim();
    let split = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => {
            return Err(
                "must be a number of bytes, or a number with K, M, G or T after it, such as 512M or 8G".to_owned(),
            );
        }
    };
    let number: u64 = digits.parse().map_err(|_| {
        "must be a number of bytes, or a number with K, M, G or T after it, such as 512M or 8G".to_owned()
    })?;
    let bytes = number.checked_shl(shift).filter(|bytes| bytes >> shift == number);
    bytes
        .filter(|bytes| *bytes >= LEAST)
        .ok_or_else(|| "must be at least 1M".to_owned())
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            isolation: IsolationChoice::Auto,
            run_memory: None,
            run_processes: None,
            run_file_size: None,
            run_disk: None,
            run_cpu_weight: None,
            max_runs: 4,
            grace_seconds: 10,
        }
    }
}

impl WorkerOptions {
    /// The options of a worker in a command that does not have them itself, such as `admiral deploy`: they come from the environment, and
    /// with it from the settings of the service.
    pub fn from_environment() -> Result<Self, clap::Error> {
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            options: WorkerOptions,
        }
        <Alone as clap::Parser>::try_parse_from(["admiral"]).map(|alone| alone.options)
    }

    /// Puts these options into `config`.
    pub fn apply(&self, config: WorkerConfig) -> WorkerConfig {
        WorkerConfig {
            name: machine_name(),
            max_runs: usize::from(self.max_runs),
            grace_seconds: self.grace_seconds,
            limits: self.limits(),
            ..config
        }
    }

    fn limits(&self) -> ResourceLimits {
        let usual = ResourceLimits::default();
        ResourceLimits {
            memory_bytes: self.run_memory.unwrap_or(usual.memory_bytes),
            processes: self.run_processes.unwrap_or(usual.processes),
            file_bytes: self.run_file_size.unwrap_or(usual.file_bytes),
            disk_bytes: self.run_disk.unwrap_or(usual.disk_bytes),
            cpu_weight: self.run_cpu_weight.unwrap_or(usual.cpu_weight),
        }
    }

    /// What is possible on this machine; an error when isolation is demanded and does not work.
    pub async fn isolation(&self) -> anyhow::Result<IsolationMode> {
        if self.isolation == IsolationChoice::None {
            return Ok(IsolationMode::None);
        }
        let mode = IsolationMode::detect().await;
        match &mode {
            IsolationMode::Unavailable { reason } if self.isolation == IsolationChoice::Strict => Err(Hinted::new(
                format!("runs cannot be isolated on this machine: {reason}"),
                ISOLATION_HINT,
            )
            .into()),
            _ => Ok(mode),
        }
    }
}

/// Whether the environment turns isolation off, as that of a service may do.
pub fn isolation_is_off() -> bool {
    std::env::var("ADMIRAL_ISOLATION").is_ok_and(|choice| choice == "none")
}

/// A hint for machines where runs cannot be isolated.
pub const ISOLATION_HINT: &str = "install bubblewrap and allow unprivileged user namespaces (see docs/install.md), or choose --isolation \
     none and trust every playbook with all of Admiral's keys";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_variables_the_environment_gives_the_defaults() {
        let given = format!("{:?}", WorkerOptions::from_environment().unwrap());
        assert_eq!(given, format!("{:?}", WorkerOptions::default()));
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("512M", 512 << 20),
            ("8G", 8 << 30),
            ("2gib", 2 << 30),
            (" 1T ", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "1", "-1G", "1.5G", "1X", "99999999999999T"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
