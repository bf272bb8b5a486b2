//! What the figures were measured on and with.

use crate::context::Context;
use admiral::{
    domain::clock::{Clock as _, SystemClock},
    embedded::EmbeddedPostgres,
};
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use std::{fs, process::Command, time::Duration};

/// How long is looked at what others do.
const LOOK: Duration = Duration::from_secs(2);

/// Machine, versions and date.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// RFC 3339.
    pub date: String,
    /// The processor's model.
    pub processor: String,
    /// Logical processors.
    pub processors: usize,
    /// Main memory in bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// Admiral's version and commit; `+` when the tree differs from the commit.
    pub admiral: String,
    /// The build's profile.
    pub profile: String,
    /// The embedded PostgreSQL.
    pub postgresql: String,
    /// ansible-core.
    pub ansible_core: String,
    /// The Python that Ansible runs on.
    pub python: String,
    /// The OpenSSH client.
    pub openssh: String,
}

impl Machine {
    /// Looks at this machine.
    pub async fn look(context: &Context) -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let postgresql = match EmbeddedPostgres::installed().await {
            Ok((folder, _)) => said(Command::new(folder.join("postgres")).arg("--version")),
            Err(error) => error.to_string(),
        };
        Self {
            date: now(),
            processor: field(&cpu, "model name").unwrap_or_else(|| "unknown".to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: field(&memory, "MemTotal")
                .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
                .unwrap_or_default()
                * 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            admiral: format!("{} ({})", env!("CARGO_PKG_VERSION"), commit(context)),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" }.to_owned(),
            postgresql,
            ansible_core: said(Command::new(context.ansible_bin.join("ansible-playbook")).arg("--version")),
            python: said(Command::new(context.ansible_bin.join("python")).arg("--version")),
            openssh: said(Command::new("ssh").arg("-V")),
        }
    }
}

/// The present moment, RFC 3339, in seconds.
pub fn now() -> String {
    SystemClock.now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The share of all processors in use over two seconds in which the bench itself does nothing.
pub async fn used_by_others() -> f64 {
    let before = processor_ticks();
    tokio::time::sleep(LOOK).await;
    let after = processor_ticks();
    let all = (after.0 - before.0).max(1.0);
    (1.0 - (after.1 - before.1) / all).clamp(0.0, 1.0)
}

/// All ticks of all processors so far, and the idle ones among them (proc_stat(5): user, nice, system, idle, iowait, …).
fn processor_ticks() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = first
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|field| field.parse().ok())
        .collect();
    (ticks.iter().sum(), ticks.iter().skip(3).take(2).sum())
}

/// The commit that is measured; `+` when the tree differs from it.
pub fn commit(context: &Context) -> String {
    let git = |arguments: &[&str]| said(Command::new("git").arg("-C").arg(&context.root).args(arguments));
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!(
        "{}{}",
        git(&["rev-parse", "--short=12", "HEAD"]),
        if changed { "+" } else { "" }
    )
}

/// The first line that a program prints.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else {
        return "not there".to_owned();
    };
    let text = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))
        .map(|value| value.trim().to_owned())
}
