//! Redacts an event value by value, so that it stays a valid event.

use super::{End, REPLACEMENT, Redactor, into_text, replaced};
use serde_json::{Map, Value};
use std::ops::Range;

/// Fields that say what an event is about. They hold nothing that a playbook can choose.
const STRUCTURAL: [&str; 7] = ["v", "seq", "ts", "event", "play_id", "task_id", "duration"];
/// Fields that name hosts: as a string, as a list, or as the keys of an object.
const OF_HOSTS: [&str; 3] = ["host", "hosts", "stats"];

/// The line without secrets; `None` if it holds none.
pub(super) fn redact(redactor: &Redactor, line: &str) -> Option<String> {
    let mut event: Value = serde_json::from_str(line).ok()?;
    let Value::Object(fields) = &mut event else { return None };
    let mut found = false;
    for (name, value) in fields
        .iter_mut()
        .filter(|(name, _)| !STRUCTURAL.contains(&name.as_str()))
    {
        found |= if OF_HOSTS.contains(&name.as_str()) {
            redact_hosts(redactor, value)
        } else {
            redact_value(redactor, value)
        };
    }
    found.then(|| event.to_string())
}

/// Keeps the names of the hosts that Admiral gave to the run, even if a secret is equal to one: rows are found by these names.
fn redact_hosts(redactor: &Redactor, value: &mut Value) -> bool {
    match value {
        Value::String(name) => replace(name, redactor.redact_host(name)),
        Value::Array(names) => names
            .iter_mut()
            .fold(false, |found, name| redact_hosts(redactor, name) | found),
        Value::Object(fields) => redact_names(fields, |name| redactor.redact_host(name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn redact_value(redactor: &Redactor, value: &mut Value) -> bool {
    match value {
        Value::String(text) => replace(text, redactor.redact_text(text)),
        Value::Number(number) => {
            let text = number.to_string();
            let found = redactor.find(text.as_bytes(), End::Whole).secrets;
            let is_secret = found.first().is_some_and(|secret| *secret == (0..text.len()));
            if is_secret {
                *value = Value::String(REPLACEMENT.to_owned());
            }
            is_secret
        }
        Value::Array(values) => {
            let found = redact_items(redactor, values);
            let others = values.iter_mut().filter(|value| !value.is_string());
            others.fold(found, |found, value| redact_value(redactor, value) | found)
        }
        Value::Object(fields) => {
            let found = fields
                .values_mut()
                .fold(false, |found, value| redact_value(redactor, value) | found);
            redact_names(fields, |name| redactor.redact_text(name)) | found
        }
        Value::Null | Value::Bool(_) => false,
    }
}

fn replace(text: &mut String, redacted: Option<String>) -> bool {
    let found = redacted.is_some();
    if let Some(redacted) = redacted {
        *text = redacted;
    }
    found
}

fn redact_names(fields: &mut Map<String, Value>, redacted: impl Fn(&str) -> Option<String>) -> bool {
    let found = fields.keys().any(|name| redacted(name).is_some());
    if found {
        let renamed = std::mem::take(fields).into_iter();
        *fields = renamed
            .map(|(name, value)| (redacted(&name).unwrap_or(name), value))
            .collect();
    }
    found
}

/// Redacts the strings of a list as one text: in `stdout_lines`, a secret of several lines is spread over several items.
fn redact_items(redactor: &Redactor, values: &mut [Value]) -> bool {
    let mut whole = String::new();
    let mut items: Vec<Range<usize>> = Vec::new();
    for text in values.iter().filter_map(Value::as_str) {
        let begin = whole.len();
        whole.push_str(text);
        items.push(begin..whole.len());
        whole.push('\n');
    }
    let secrets = redactor.find(whole.as_bytes(), End::Whole).secrets;
    if secrets.is_empty() {
        return false;
    }
    let texts = values.iter_mut().filter_map(|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    });
    for (text, item) in texts.zip(items) {
        let within: Vec<Range<usize>> = secrets
            .iter()
            .map(|secret| secret.start.max(item.start)..secret.end.min(item.end))
            .filter(|part| part.start < part.end)
            .map(|part| part.start - item.start..part.end - item.start)
            .collect();
        if !within.is_empty() {
            *text = into_text(replaced(text.as_bytes(), &within));
        }
    }
    true
}
