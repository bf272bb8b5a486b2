//! Events to the state of every host.
//!
//! Live, results are counted as Ansible's strategy plugins count them (`StrategyBase._process_pending_results`): an
//! ignored failure is `ok` and `ignored`, items, retries and polls do not count, an include counts when its tasks are
//! loaded. A failure that a `rescue` will take care of looks like any other until the recap, so that a row may show
//! `failed` for a while; the recap (`playbook_on_stats`) then sets the counters of every host exactly.

use super::wire::{HostStats, WireEvent, clean_name, drop_nul, kind};
use crate::domain::deployment::{Counters, HostCounts, HostStatus};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::collections::{BTreeMap, BTreeSet};

/// Longest error message and task name that is kept, in characters.
pub const MAX_MESSAGE_CHARS: usize = 1000;
/// Error messages remembered for one host until the recap says how many of them were rescued.
const MAX_ERRORS: usize = 16;
/// Troubles of the plugin that are reported.
const MAX_WARNINGS: usize = 20;

/// Where one host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// Its status.
    pub status: HostStatus,
    /// Its counters.
    pub counters: Counters,
    /// The task it is at, or the one at which it ended without success.
    pub current_task: Option<String>,
    /// What ended it.
    pub error_message: Option<String>,
    /// When its first task began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it was last heard of.
    pub last_event_at: Option<DateTime<Utc>>,
    /// First errors, in order, until the recap says how many of them were rescued.
    pub errors: Vec<String>,
}

/// How far the events of a run are folded in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldMarks {
    /// The sequence number of the last one.
    pub last_seq: u64,
    /// How many there were.
    pub events_seen: u64,
    /// Whether Ansible's recap was among them.
    pub stats_seen: bool,
}

impl HostState {
    fn pending() -> Self {
        Self {
            status: HostStatus::Pending,
            counters: Counters::default(),
            current_task: None,
            error_message: None,
            started_at: None,
            finished_at: None,
            last_event_at: None,
            errors: Vec::new(),
        }
    }

    /// Whether anything changed on it.
    pub fn changed(&self) -> bool {
        self.counters.changed > 0
    }

    /// The status that its counters call for.
    pub(super) fn status_from_counters(&self) -> HostStatus {
        let counters = &self.counters;
        if counters.failed > 0 {
            HostStatus::Failed
        } else if counters.unreachable > 0 {
            HostStatus::Unreachable
        } else if counters.ok == 0 && counters.changed == 0 && counters.rescued == 0 && counters.ignored == 0 {
            HostStatus::Skipped
        } else {
            HostStatus::Success
        }
    }

    /// Ends it with the status that its counters call for.
    pub(super) fn settle(&mut self, at: DateTime<Utc>) {
        self.status = self.status_from_counters();
        self.end_at(self.last_event_at.unwrap_or(at));
        if matches!(self.status, HostStatus::Failed | HostStatus::Unreachable) {
            // Rescued failures come before the one that ends a host.
            let rescued = usize::try_from(self.counters.rescued).unwrap_or(0);
            self.error_message = self.errors.get(rescued).or(self.errors.last()).cloned();
        } else {
            self.error_message = None;
            self.current_task = None;
        }
    }

    /// Sets when it ended. The controller's clock may have been set back meanwhile: no host ends before it began.
    pub(super) fn end_at(&mut self, at: DateTime<Utc>) {
        self.finished_at = Some(self.started_at.map_or(at, |started| started.max(at)));
    }

    fn note_error(&mut self, message: String) {
        if self.error_message.is_none() {
            self.error_message = Some(message.clone());
        }
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(message);
        }
    }
}

/// A task, as it was first heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSeen {
    /// Ansible's uuid.
    pub task_id: String,
    /// Name of its play.
    pub play: Option<String>,
    /// Its name.
    pub task: Option<String>,
    /// Its action.
    pub action: Option<String>,
    /// `FILE:LINE`.
    pub path: Option<String>,
}

/// What changed since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Hosts whose row changed, in order of their names.
    pub hosts: Vec<(String, HostState)>,
    /// New troubles that the plugin reported.
    pub warnings: Vec<String>,
}

/// The state of one run, folded from its events. Folding the stored events again gives the same one; so do the stored rows, which is
/// how a worker goes on with a run of many events without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    pub(super) hosts: BTreeMap<String, HostState>,
    tasks: BTreeSet<String>,
    /// Hosts are heard of when a play on them begins.
    follows_plays: bool,
    pub(super) marks: FoldMarks,
    warnings: Vec<String>,
    pub(super) dirty: BTreeSet<String>,
    new_warnings: usize,
}

impl RunState {
    /// A run on these hosts, none of which has started.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self {
            hosts: hosts.into_iter().map(|host| (host, HostState::pending())).collect(),
            tasks: BTreeSet::new(),
            follows_plays: false,
            marks: FoldMarks::default(),
            warnings: Vec::new(),
            dirty: BTreeSet::new(),
            new_warnings: 0,
        }
    }

    /// A run as its rows, tasks and marks are stored.
    pub fn restore(
        marks: FoldMarks,
        hosts: impl IntoIterator<Item = (String, HostState)>,
        tasks: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().collect(),
            tasks: tasks.into_iter().collect(),
            marks,
            ..Self::new([])
        }
    }

    /// A run whose hosts nobody knows before its plays name them: they have rows from then on, not only once they are at work.
    #[must_use]
    pub fn following_plays(mut self) -> Self {
        self.follows_plays = true;
        self
    }

    /// Folds one event in and returns the task it is the first to name. An event that was folded in before (by its
    /// sequence number) changes nothing.
    pub fn apply(&mut self, event: &WireEvent) -> Option<TaskSeen> {
        if event.seq > 0 {
            if event.seq <= self.marks.last_seq {
                return None;
            }
            self.marks.last_seq = event.seq;
        }
        self.marks.events_seen += 1;
        match event.event.as_str() {
            kind::RUNNER_START => self.at_work(event, |_| {}),
            kind::RUNNER_OK => self.runner_ok(event),
            kind::RUNNER_FAILED => self.runner_failed(event),
            kind::RUNNER_SKIPPED => self.at_work(event, |host| {
                // A skipped `meta` task is reported but not counted.
                if !is_action(event, &["meta"]) {
                    host.counters.skipped += 1;
                }
            }),
            kind::RUNNER_UNREACHABLE => self.runner_unreachable(event),
            kind::INCLUDE => self.include(event),
            kind::PLAY_START if self.follows_plays => self.play_start(event),
            kind::STATS => self.stats(event),
            kind::PLUGIN_ERROR => self.plugin_error(event),
            _ => {}
        }
        self.task_seen(event)
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let hosts = std::mem::take(&mut self.dirty)
            .into_iter()
            .filter_map(|name| self.hosts.get(&name).cloned().map(|state| (name, state)))
            .collect();
        let warnings = self.warnings[self.warnings.len() - std::mem::take(&mut self.new_warnings)..].to_vec();
        Changes { hosts, warnings }
    }

    /// How many hosts stand where.
    pub fn counts(&self) -> HostCounts {
        let mut counts = HostCounts {
            total: self.hosts.len() as i32,
            ..HostCounts::default()
        };
        for host in self.hosts.values() {
            let of_status = match host.status {
                HostStatus::Pending => &mut counts.pending,
                HostStatus::Running => &mut counts.running,
                HostStatus::Success => &mut counts.success,
                HostStatus::Failed => &mut counts.failed,
                HostStatus::Unreachable => &mut counts.unreachable,
                HostStatus::Skipped => &mut counts.skipped,
                HostStatus::Cancelled => &mut counts.cancelled,
            };
            *of_status += 1;
            counts.changed += i32::from(host.changed());
        }
        counts
    }

    /// One host.
    pub fn host(&self, name: &str) -> Option<&HostState> {
        self.hosts.get(name)
    }

    /// All hosts, in order of their names.
    pub fn hosts(&self) -> impl Iterator<Item = (&String, &HostState)> {
        self.hosts.iter()
    }

    /// Whether Ansible's recap came.
    pub fn stats_seen(&self) -> bool {
        self.marks.stats_seen
    }

    /// How far its events are folded in.
    pub fn marks(&self) -> FoldMarks {
        self.marks
    }

    /// Notes that an event shows the host at work, then lets `change` have it.
    fn at_work(&mut self, event: &WireEvent, change: impl FnOnce(&mut HostState)) {
        let Some(name) = &event.host else { return };
        // Allocates only for what is new: this is the way of nearly all events.
        if !self.dirty.contains(name) {
            self.dirty.insert(name.clone());
        }
        let host = match self.hosts.get_mut(name) {
            Some(host) => host,
            None => self.hosts.entry(name.clone()).or_insert_with(HostState::pending),
        };
        if host.status == HostStatus::Pending {
            host.status = HostStatus::Running;
        }
        host.started_at.get_or_insert(event.ts);
        host.last_event_at = Some(event.ts);
        let ended = matches!(host.status, HostStatus::Failed | HostStatus::Unreachable);
        if ended {
            host.end_at(event.ts);
        } else if let Some(task) = &event.task
            && host.current_task.as_ref() != Some(task)
        {
            host.current_task = Some(one_line(task));
        }
        change(host);
    }

    fn runner_ok(&mut self, event: &WireEvent) {
        self.at_work(event, |host| {
            if !is_action(event, &["include_tasks", "include_role", "include"]) {
                host.counters.ok += 1;
                host.counters.changed += i32::from(event.changed == Some(true));
            }
        });
    }

    fn runner_failed(&mut self, event: &WireEvent) {
        self.at_work(event, |host| {
            if event.ignore_errors == Some(true) {
                host.counters.ok += 1;
                host.counters.ignored += 1;
                host.counters.changed += i32::from(event.changed == Some(true));
                return;
            }
            host.counters.failed += 1;
            host.status = HostStatus::Failed;
            host.end_at(event.ts);
            host.note_error(error_message(event.result.as_deref(), "the task failed"));
        });
    }

    fn runner_unreachable(&mut self, event: &WireEvent) {
        self.at_work(event, |host| {
            if event.ignore_unreachable == Some(true) {
                host.counters.ok += 1;
                host.counters.ignored += 1;
                return;
            }
            host.counters.unreachable += 1;
            if host.status != HostStatus::Failed {
                host.status = HostStatus::Unreachable;
            }
            host.end_at(event.ts);
            let message = error_message(event.result.as_deref(), "the host could not be reached");
            host.note_error(explain_host_key(event.host.as_deref().unwrap_or_default(), message));
        });
    }

    /// Ansible counts an include as `ok` for each host once its file is loaded.
    fn include(&mut self, event: &WireEvent) {
        #[derive(Deserialize)]
        struct Include {
            #[serde(default)]
            hosts: Vec<String>,
        }
        let Some(include) = event
            .data
            .as_deref()
            .and_then(|data| serde_json::from_str::<Include>(data.get()).ok())
        else {
            return;
        };
        for name in include.hosts {
            if let Some(host) = self.hosts.get_mut(&name) {
                host.counters.ok += 1;
                self.dirty.insert(name);
            }
        }
    }

    fn play_start(&mut self, event: &WireEvent) {
        let hosts: Vec<String> = event
            .hosts
            .as_deref()
            .and_then(|hosts| serde_json::from_str(hosts.get()).ok())
            .unwrap_or_default();
        for mut name in hosts {
            clean_name(&mut name);
            if !self.hosts.contains_key(&name) {
                self.hosts.insert(name.clone(), HostState::pending());
                self.dirty.insert(name);
            }
        }
    }

    fn stats(&mut self, event: &WireEvent) {
        self.marks.stats_seen = true;
        let Some(stats) = &event.stats else { return };
        for (name, counts) in stats {
            let host = self.hosts.entry(name.clone()).or_insert_with(HostState::pending);
            host.counters = counters(counts);
            if host.counters != Counters::default() {
                host.started_at.get_or_insert(event.ts);
            }
            host.settle(event.ts);
            self.dirty.insert(name.clone());
        }
    }

    fn plugin_error(&mut self, event: &WireEvent) {
        if self.warnings.len() < MAX_WARNINGS {
            let message = error_message(event.data.as_deref().or(event.result.as_deref()), "no details");
            self.warnings
                .push(format!("the callback plugin met trouble: {message}"));
            self.new_warnings += 1;
        }
    }

    fn task_seen(&mut self, event: &WireEvent) -> Option<TaskSeen> {
        let task_id = event.task_id.as_ref()?;
        if self.tasks.contains(task_id) {
            return None;
        }
        self.tasks.insert(task_id.clone());
        Some(TaskSeen {
            task_id: task_id.clone(),
            play: event.play.clone(),
            task: event.task.clone(),
            action: event.action.clone(),
            path: event.path.clone(),
        })
    }
}

fn counters(stats: &HostStats) -> Counters {
    Counters {
        ok: stats.ok,
        changed: stats.changed,
        failed: stats.failures,
        skipped: stats.skipped,
        rescued: stats.rescued,
        ignored: stats.ignored,
        unreachable: stats.unreachable,
    }
}

/// Whether the task's action is one of these, with or without its collection.
fn is_action(event: &WireEvent, names: &[&str]) -> bool {
    let action = event.action.as_deref().unwrap_or_default();
    let action = ["ansible.builtin.", "ansible.legacy."]
        .iter()
        .find_map(|collection| action.strip_prefix(collection))
        .unwrap_or(action);
    names.contains(&action)
}

/// The most telling line of a result. A censored result stays censored.
fn error_message(result: Option<&RawValue>, otherwise: &str) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Telling {
        censored: Option<Value>,
        msg: Option<Value>,
        message: Option<Value>,
        module_stderr: Option<Value>,
        stderr: Option<Value>,
        exception: Option<Value>,
        reason: Option<Value>,
        module_stdout: Option<Value>,
        stdout: Option<Value>,
        rc: Option<Value>,
    }
    let result: Telling = result
        .and_then(|result| serde_json::from_str(result.get()).ok())
        .unwrap_or_default();
    if let Some(censored) = result.censored.as_ref().and_then(text_of) {
        return censored;
    }
    let msg = result.msg.as_ref().and_then(text_of);
    let details = [
        &result.stderr,
        &result.module_stderr,
        &result.stdout,
        &result.module_stdout,
    ]
    .into_iter()
    .find_map(|value| value.as_ref().and_then(text_of));
    if let Some(msg) = msg {
        // The module's own words say nothing; what the program said does.
        let vague = msg == "non-zero return code" || msg.starts_with("MODULE FAILURE");
        return match details {
            Some(details) if vague => one_line(&format!("{msg}: {details}")),
            _ => msg,
        };
    }
    [&result.message, &result.reason]
        .into_iter()
        .find_map(|value| value.as_ref().and_then(text_of))
        .or(details)
        .or_else(|| result.exception.as_ref().and_then(text_of))
        .or_else(|| {
            result
                .rc
                .as_ref()
                .and_then(text_of)
                .map(|rc| format!("return code {rc}"))
        })
        .unwrap_or_else(|| otherwise.to_owned())
}

/// Says in plain words what `ssh` says when a host's key is not the one we trust.
fn explain_host_key(host: &str, message: String) -> String {
    let changed = message.contains("REMOTE HOST IDENTIFICATION HAS CHANGED")
        || (message.contains("Host key for ") && message.contains("has changed"))
        || message.contains("Host key verification failed")
        // Mitogen's words. New keys are accepted, so that it is never about one of those.
        || message.contains("SSH reported an unrecognized or mismatching host key");
    if changed {
        format!("the SSH host key of {host} changed; accept it under Servers → {host} if that is expected")
    } else {
        message
    }
}

fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => one_line(text),
        Value::Null => return None,
        // `fail: msg=[…]` takes anything.
        other => one_line(&other.to_string()),
    };
    (!text.is_empty()).then_some(text)
}

/// The text on one line, cut to [`MAX_MESSAGE_CHARS`].
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > MAX_MESSAGE_CHARS * 4 {
            break;
        }
    }
    drop_nul(&mut line);
    if let Some((end, _)) = line.char_indices().nth(MAX_MESSAGE_CHARS) {
        let keep = line[..end].char_indices().next_back().map_or(0, |(at, _)| at);
        line.truncate(keep);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
