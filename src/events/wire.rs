//! One line of a run's event file, version 1, as the callback plugin writes it.

use chrono::{DateTime, Datelike as _, Utc};
use memchr::memchr2_iter;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// Names of callbacks that mean something to the fold; every other name is kept and stored as it came.
pub mod kind {
    /// The playbook began.
    pub const PLAYBOOK_START: &str = "playbook_on_start";
    /// A task began, for all hosts.
    pub const TASK_START: &str = "playbook_on_task_start";
    /// A handler began, for all hosts.
    pub const HANDLER_START: &str = "playbook_on_handler_task_start";
    /// A play, or a batch of its hosts, began.
    pub const PLAY_START: &str = "playbook_on_play_start";
    /// Tasks were included for some hosts.
    pub const INCLUDE: &str = "playbook_on_include";
    /// Ansible's own recap: the last word on every host.
    pub const STATS: &str = "playbook_on_stats";
    /// One host began a task.
    pub const RUNNER_START: &str = "runner_on_start";
    /// One host's task succeeded.
    pub const RUNNER_OK: &str = "runner_on_ok";
    /// One host's task failed.
    pub const RUNNER_FAILED: &str = "runner_on_failed";
    /// One host's task was skipped.
    pub const RUNNER_SKIPPED: &str = "runner_on_skipped";
    /// One host could not be reached.
    pub const RUNNER_UNREACHABLE: &str = "runner_on_unreachable";
    /// The plugin met trouble of its own.
    pub const PLUGIN_ERROR: &str = "admiral_plugin_error";
}

/// Longest host name that is kept, in bytes: host names are part of an index, whose entries have a limit.
pub const MAX_NAME_BYTES: usize = 512;

/// One event. Fields that a later plugin adds are ignored here and kept in the stored line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WireEvent {
    /// Version of the format.
    #[serde(default)]
    pub v: u32,
    /// 1, 2, 3 … in the order of writing; 0 when missing.
    #[serde(default)]
    pub seq: u64,
    /// When it was written, by the controller's clock.
    pub ts: DateTime<Utc>,
    /// The callback's name without `v2_`.
    pub event: String,
    /// Name of the play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<String>,
    /// Ansible's uuid of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Name of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The task's action, as Ansible names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `FILE:LINE` of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The inventory name that the result counts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The result changed something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// The failure is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_errors: Option<bool>,
    /// The unreachable host is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_unreachable: Option<bool>,
    /// The result, unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Ansible's recap, on [`kind::STATS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<BTreeMap<String, HostStats>>,
    /// The hosts of a play or batch, on [`kind::PLAY_START`], unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Box<RawValue>>,
    /// Whatever is special to one kind of event, unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// One host's line of Ansible's recap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostStats {
    /// Tasks that succeeded.
    pub ok: i32,
    /// Tasks that changed something.
    pub changed: i32,
    /// Tasks that failed and were neither ignored nor rescued.
    pub failures: i32,
    /// Tasks that were skipped.
    pub skipped: i32,
    /// Failures that a `rescue` took care of.
    pub rescued: i32,
    /// Failures that were ignored.
    pub ignored: i32,
    /// Times the host was unreachable.
    pub unreachable: i32,
}

/// Why a line is not an event.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not the JSON of an event.
    #[error("not an event: {0}")]
    Json(#[from] serde_json::Error),
    /// Nested deeper than the database takes.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// No clock shows this year.
    #[error("the year {0} is out of range")]
    Year(i32),
}

/// Deepest nesting of a line: far below where PostgreSQL's own parser gives up.
pub const MAX_DEPTH: usize = 400;

impl WireEvent {
    /// Reads one line. Names lose NUL characters, which PostgreSQL's `text` cannot hold, and are cut to
    /// [`MAX_NAME_BYTES`] where they are part of an index.
    pub fn from_line(line: &str) -> Result<Self, WireError> {
        // Most lines have fewer brackets than that altogether.
        let has_many_brackets = memchr2_iter(b'[', b'{', line.as_bytes()).nth(MAX_DEPTH).is_some();
        if has_many_brackets && depth(line) > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        let mut event: Self = serde_json::from_str(line)?;
        if !(1970..=9999).contains(&event.ts.year()) {
            return Err(WireError::Year(event.ts.year()));
        }
        clean_name(&mut event.event);
        for name in [&mut event.host, &mut event.task_id].into_iter().flatten() {
            clean_name(name);
        }
        for text in [&mut event.play, &mut event.task, &mut event.action, &mut event.path]
            .into_iter()
            .flatten()
        {
            drop_nul(text);
        }
        if let Some(stats) = &mut event.stats
            && stats.keys().any(|host| needs_cleaning(host))
        {
            *stats = std::mem::take(stats)
                .into_iter()
                .map(|(mut host, counts)| {
                    clean_name(&mut host);
                    (host, counts)
                })
                .collect();
        }
        Ok(event)
    }
}

/// The deepest nesting of brackets outside strings.
fn depth(line: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn needs_cleaning(name: &str) -> bool {
    name.len() > MAX_NAME_BYTES || name.contains('\0')
}

/// Cuts a name to [`MAX_NAME_BYTES`] and drops its NUL characters.
pub(super) fn clean_name(name: &mut String) {
    drop_nul(name);
    if name.len() > MAX_NAME_BYTES {
        name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    }
}

/// Drops NUL characters, which PostgreSQL's `text` cannot hold.
pub fn drop_nul(text: &mut String) {
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
}

/// Replaces escapes of lone surrogates (`\ud800` without its other half) by U+FFFD. Python writes them for text that is
/// not Unicode, such as a file name in another encoding; they are no valid string to anybody else.
pub fn replace_lone_surrogates(line: &str) -> Cow<'_, str> {
    let bytes = line.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        let Some(unit) = escaped_unit(bytes, at) else {
            // Some other escape, of two characters.
            at += 2;
            continue;
        };
        let paired = (0xD800..0xDC00).contains(&unit)
            && escaped_unit(bytes, at + 6).is_some_and(|low| (0xDC00..0xE000).contains(&low));
        if paired {
            at += 12;
        } else {
            if (0xD800..0xE000).contains(&unit) {
                out.push_str(&line[copied..at]);
                out.push_str("\\ufffd");
                copied = at + 6;
            }
            at += 6;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// The UTF-16 unit of a `\uXXXX` escape that begins at `at`.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_later_plugin_is_read() {
        let line =
            r#"{"v":2,"seq":7,"ts":"2026-01-02T03:04:05.000006Z","event":"runner_on_brand_new","host":"a","new":[1]}"#;
        let event = WireEvent::from_line(line).unwrap();
        assert_eq!(
            (event.v, event.seq, event.event.as_str()),
            (2, 7, "runner_on_brand_new")
        );
        assert_eq!(event.host.as_deref(), Some("a"));
    }

    #[test]
    fn names_lose_what_the_database_cannot_hold() {
        let long = "x".repeat(2000);
        let line = format!(
            r#"{{"ts":"2026-01-02T03:04:05Z","event":"playbook_on_stats","host":"a\u0000b","stats":{{"{long}":{{"ok":1}},"c\u0000":{{}}}}}}"#
        );
        let event = WireEvent::from_line(&line).unwrap();
        assert_eq!(event.host.as_deref(), Some("ab"));
        let stats = event.stats.unwrap();
        assert_eq!(stats["c"], HostStats::default());
        assert_eq!(stats[&long[..MAX_NAME_BYTES]].ok, 1);
    }

    #[test]
    fn what_the_database_would_refuse_is_refused_here() {
        let deep = format!(
            r#"{{"ts":"2026-01-02T03:04:05Z","event":"e","result":{}{}}}"#,
            "[".repeat(9000),
            "]".repeat(9000)
        );
        assert!(matches!(WireEvent::from_line(&deep), Err(WireError::TooDeep)));
        let wide = format!(
            r#"{{"ts":"2026-01-02T03:04:05Z","event":"e","result":[{}0]}}"#,
            "[],".repeat(9000)
        );
        assert!(WireEvent::from_line(&wide).is_ok(), "many brackets are not deep ones");
        let early = r#"{"ts":"-0005-01-02T03:04:05Z","event":"e"}"#;
        assert!(matches!(
            WireEvent::from_line(early),
            Err(WireError::Year(_) | WireError::Json(_))
        ));
    }

    #[test]
    fn only_lone_surrogates_are_replaced() {
        let pair = r#"{"a":"\ud83d\ude00 \\ud800"}"#;
        assert_eq!(replace_lone_surrogates(pair), pair);
        assert_eq!(
            replace_lone_surrogates(r#""\udc80x\ud800\ud83d\ude00""#),
            r#""\ufffdx\ufffd\ud83d\ude00""#
        );
        assert_eq!(replace_lone_surrogates("\\u12"), "\\u12");
        assert_eq!(replace_lone_surrogates("\\"), "\\");
    }
}
