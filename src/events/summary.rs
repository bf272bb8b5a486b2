//! The end of a run: what its hosts, its exit code and its recap together mean.

use super::fold::{RunState, one_line};
use crate::domain::deployment::{DeploymentStatus, HostCounts, HostStatus, Reason};
use chrono::{DateTime, Utc};

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// `ansible-playbook` ended by itself.
    Finished,
    /// It was ended on request.
    Cancelled,
    /// It was ended at its timeout.
    TimedOut,
    /// It was ended because it took more of the machine than it may.
    ResourceLimit,
    /// It could not be started.
    SpawnFailed,
    /// Whoever watched over it disappeared, and its exit code with it.
    Lost,
}

/// The end of a run.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// How it came.
    pub reason: EndReason,
    /// The exit code of `ansible-playbook`.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// More about it, in words.
    pub message: Option<String>,
    /// What it printed last, free of secrets: see [`last_words`](super::last_output::last_words).
    pub last_output: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What became of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its last status.
    pub status: DeploymentStatus,
    /// Why, unless it completed.
    pub reason: Option<Reason>,
    /// Why, in words.
    pub message: Option<String>,
}

impl Outcome {
    /// A failure.
    pub fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            status: DeploymentStatus::Failed,
            reason: Some(reason),
            message: Some(message.into()),
        }
    }
}

/// What became of a deployment that several runs carried out, by the number of each run's slice.
///
/// One that was cancelled makes it cancelled, one that failed makes it failed; of several reasons the gravest counts.
pub fn combine(outcomes: &[(i32, Outcome)]) -> Outcome {
    /// The gravest first.
    const GRAVITY: [Reason; 9] = [
        Reason::LaunchError,
        Reason::InventoryError,
        Reason::WorkerLost,
        Reason::PlaybookError,
        Reason::ResourceLimit,
        Reason::TimedOut,
        Reason::HostsFailed,
        Reason::HostsUnreachable,
        Reason::CancelledByUser,
    ];
    if let [(_, only)] = outcomes {
        return only.clone();
    }
    let with = |status: DeploymentStatus| outcomes.iter().filter(move |(_, outcome)| outcome.status == status);
    let status = [DeploymentStatus::Cancelled, DeploymentStatus::Failed]
        .into_iter()
        .find(|status| with(*status).next().is_some());
    let Some(status) = status else {
        return Outcome {
            status: DeploymentStatus::Completed,
            reason: None,
            message: None,
        };
    };
    let reason = GRAVITY
        .into_iter()
        .find(|reason| with(status).any(|(_, outcome)| outcome.reason == Some(*reason)));
    let messages: Vec<String> = with(status)
        .filter_map(|(slice, outcome)| {
            let message = outcome.message.as_deref()?;
            Some(format!("slice {} of {}: {message}", slice + 1, outcomes.len()))
        })
        .collect();
    Outcome {
        status,
        reason,
        message: (!messages.is_empty()).then(|| one_line(&messages.join("; "))),
    }
}

impl RunState {
    /// Ends every host that has not ended and says what became of the deployment.
    ///
    /// With a recap, hosts it does not name end by their own counters; those that ran no task are `skipped`. Without one
    /// the run broke off: hosts at work are `failed` (after a cancel: `cancelled`), and hosts whose turn never came are
    /// `cancelled`, not `skipped`: they were meant to run, and a retry includes them.
    pub fn finish(&mut self, end: &RunEnd) -> Outcome {
        let outcome = self.outcome(end);
        let broke_off = match end.reason {
            EndReason::Cancelled => "the deployment was cancelled while this host was at work".to_owned(),
            EndReason::TimedOut => "the run was ended at its timeout while this host was at work".to_owned(),
            EndReason::ResourceLimit => "the run was ended at one of its limits while this host was at work".to_owned(),
            EndReason::Finished | EndReason::SpawnFailed | EndReason::Lost => {
                format!("the run broke off while this host was at work: {}", how_it_ended(end))
            }
        };
        for (name, host) in &mut self.hosts {
            if host.status.is_final() && host.finished_at.is_some() {
                continue;
            }
            self.dirty.insert(name.clone());
            if self.marks.stats_seen {
                host.settle(end.at);
            } else if host.status == HostStatus::Running && end.reason != EndReason::Cancelled {
                host.status = HostStatus::Failed;
                host.end_at(end.at);
                host.error_message = Some(broke_off.clone());
            } else {
                if host.status == HostStatus::Running {
                    host.error_message = Some(broke_off.clone());
                }
                host.status = HostStatus::Cancelled;
                host.end_at(end.at);
            }
        }
        outcome
    }

    fn outcome(&self, end: &RunEnd) -> Outcome {
        match end.reason {
            EndReason::Cancelled => {
                return Outcome {
                    status: DeploymentStatus::Cancelled,
                    reason: Some(Reason::CancelledByUser),
                    message: Some(cancelled_message(&self.counts(), self.marks.stats_seen)),
                };
            }
            EndReason::TimedOut => {
                let message = end
                    .message
                    .clone()
                    .unwrap_or_else(|| "the run took longer than its timeout".to_owned());
                return Outcome::failed(Reason::TimedOut, message);
            }
            EndReason::ResourceLimit => {
                let message = end
                    .message
                    .as_deref()
                    .unwrap_or("the run took more of the machine than it may");
                return Outcome::failed(Reason::ResourceLimit, message);
            }
            EndReason::SpawnFailed => {
                let message = end.message.as_deref().unwrap_or("no details");
                return Outcome::failed(
                    Reason::LaunchError,
                    format!("ansible-playbook could not be started: {message}"),
                );
            }
            EndReason::Lost if !self.marks.stats_seen => {
                let message = end
                    .message
                    .clone()
                    .unwrap_or_else(|| "the run's supervisor disappeared".to_owned());
                return Outcome::failed(Reason::WorkerLost, message);
            }
            // With the recap there is nothing more to learn from an exit code.
            EndReason::Lost | EndReason::Finished => {}
        }
        if self.marks.stats_seen {
            self.outcome_by_stats(end)
        } else {
            self.outcome_without_stats(end)
        }
    }

    fn outcome_by_stats(&self, end: &RunEnd) -> Outcome {
        let counts = self.counts();
        if counts.failed > 0 {
            return Outcome::failed(Reason::HostsFailed, hosts_message(&counts));
        }
        if counts.unreachable > 0 {
            return Outcome::failed(Reason::HostsUnreachable, hosts_message(&counts));
        }
        if end.reason == EndReason::Lost || end.exit_code == Some(0) {
            return Outcome {
                status: DeploymentStatus::Completed,
                reason: None,
                message: None,
            };
        }
        let what = format!("no host failed, yet {}", how_it_ended(end));
        Outcome::failed(Reason::PlaybookError, with_last_output(what, end))
    }

    fn outcome_without_stats(&self, end: &RunEnd) -> Outcome {
        if end.exit_code == Some(5) {
            return Outcome::failed(Reason::LaunchError, with_last_output(how_it_ended(end), end));
        }
        if self.marks.events_seen == 0 && end.exit_code == Some(0) {
            return Outcome::failed(
                Reason::PlaybookError,
                with_last_output(
                    "ansible-playbook ended without a single event: Admiral's callback plugin did not load".to_owned(),
                    end,
                ),
            );
        }
        Outcome::failed(
            Reason::PlaybookError,
            with_last_output(format!("{} before its recap", how_it_ended(end)), end),
        )
    }
}

fn with_last_output(what: String, end: &RunEnd) -> String {
    match &end.last_output {
        Some(words) => format!("{what}: {words}"),
        None => what,
    }
}

fn cancelled_message(counts: &HostCounts, stats_seen: bool) -> String {
    let unfinished = counts.pending + counts.running;
    if stats_seen || unfinished == 0 {
        "cancelled when all hosts had finished".to_owned()
    } else {
        format!("cancelled; {} had not finished", of_hosts(unfinished, counts.total))
    }
}

fn hosts_message(counts: &HostCounts) -> String {
    let mut parts = Vec::new();
    if counts.failed > 0 {
        parts.push(format!("{} failed", of_hosts(counts.failed, counts.total)));
    }
    if counts.unreachable > 0 {
        parts.push(format!("{} unreachable", of_hosts(counts.unreachable, counts.total)));
    }
    parts.join(", ")
}

fn of_hosts(some: i32, total: i32) -> String {
    format!("{some} of {total} {}", if total == 1 { "host" } else { "hosts" })
}

/// Exit codes as `ansible-playbook` documents and uses them (`ansible.cli`, `ansible.executor.task_queue_manager`).
fn how_it_ended(end: &RunEnd) -> String {
    match (end.exit_code, end.signal) {
        (Some(0), _) => "ansible-playbook ended with exit code 0".to_owned(),
        (Some(1), _) => "ansible-playbook ended with an error (exit code 1)".to_owned(),
        (Some(2), _) => "ansible-playbook reported failed hosts (exit code 2)".to_owned(),
        (Some(4), _) => {
            "ansible-playbook reported unreachable hosts or a playbook that it cannot read (exit code 4)".to_owned()
        }
        (Some(5), _) => "ansible-playbook refused its options (exit code 5)".to_owned(),
        (Some(8), _) => "ansible-playbook aborted a play (exit code 8)".to_owned(),
        (Some(99), _) => "ansible-playbook was interrupted (exit code 99)".to_owned(),
        (Some(250), _) => "ansible-playbook met an unexpected exception (exit code 250)".to_owned(),
        (Some(code), _) => format!("ansible-playbook ended with exit code {code}"),
        (None, Some(signal)) => format!("ansible-playbook was killed by signal {signal}"),
        (None, None) => end
            .message
            .clone()
            .unwrap_or_else(|| "ansible-playbook disappeared".to_owned()),
    }
}
