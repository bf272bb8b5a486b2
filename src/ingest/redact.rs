//! Secrets that a run prints all the same are replaced before anything is stored.

use memchr::memmem;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::fmt::{self, Write as _};
use zeroize::Zeroizing;

/// Stands where a secret stood.
pub const REPLACEMENT: &str = "********";
/// Shorter secrets are left alone: replacing every `1` would make the output unreadable and hide nothing.
const SHORTEST: usize = 4;
/// Shortest single line of a secret of several lines that is looked for by itself.
const SHORTEST_LINE: usize = 8;
/// Shortest run of plain characters that tells whether a line is worth a closer look.
const SHORTEST_PROBE: usize = 3;
/// Fields of an event that say what it is about, or hold nothing of a playbook's own.
const STRUCTURAL: [&str; 9] = [
    "v", "seq", "ts", "event", "play_id", "task_id", "host", "stats", "duration",
];

/// Knows a run's secrets and finds them in lines of JSON and in plain output.
#[derive(Default)]
pub struct Redactor {
    /// What to replace, the longest first: each secret as it is, and as JSON writes it.
    forms: Vec<Zeroizing<String>>,
    /// Parts of secrets that no way of writing changes. `None`: some secret has none, so every line is looked at.
    probes: Option<Vec<Zeroizing<String>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("forms", &self.forms.len())
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// Looks for these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<Zeroizing<String>> = Vec::new();
        let mut probes = Some(Vec::new());
        for secret in secrets {
            let text = secret.expose_secret();
            let whole = Some(text.trim()).filter(|text| text.len() >= SHORTEST);
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| text.trim() != *line && line.len() >= SHORTEST_LINE);
            for part in whole.into_iter().chain(lines) {
                let escaped = escape(part, false);
                forms.extend([
                    escape(&escaped, false),
                    escape(part, true),
                    escaped,
                    Zeroizing::new(part.to_owned()),
                ]);
                match (&mut probes, probe(part)) {
                    (Some(probes), Some(probe)) => probes.push(probe),
                    (_, None) => probes = None,
                    (None, _) => {}
                }
            }
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.as_str().cmp(b.as_str())));
        forms.dedup_by(|a, b| a.as_str() == b.as_str());
        Self { forms, probes }
    }

    /// An event's line without the secrets; `None` when it holds none.
    pub fn redact_line(&self, line: &str) -> Option<String> {
        if !self.is_worth_a_look(line) {
            return None;
        }
        let mut event: Value = serde_json::from_str(line).ok()?;
        let mut found = false;
        if let Value::Object(fields) = &mut event {
            for (_, value) in fields
                .iter_mut()
                .filter(|(name, _)| !STRUCTURAL.contains(&name.as_str()))
            {
                found |= self.redact_value(value);
            }
        }
        found.then(|| event.to_string())
    }

    /// Text without the secrets; `None` when it holds none.
    pub fn redact_text(&self, text: &str) -> Option<String> {
        let mut redacted: Option<String> = None;
        for form in &self.forms {
            let present = redacted.as_deref().unwrap_or(text);
            if contains(present, form) {
                redacted = Some(present.replace(form.as_str(), REPLACEMENT));
            }
        }
        redacted
    }

    fn is_worth_a_look(&self, line: &str) -> bool {
        match &self.probes {
            _ if self.forms.is_empty() => false,
            Some(probes) => probes.iter().any(|probe| contains(line, probe)),
            None => true,
        }
    }

    fn redact_value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.redact_text(text) {
                Some(redacted) => {
                    *text = redacted;
                    true
                }
                None => false,
            },
            Value::Number(number) => {
                let found = self.forms.iter().any(|form| form.as_str() == number.to_string());
                if found {
                    *value = Value::String(REPLACEMENT.to_owned());
                }
                found
            }
            Value::Array(values) => values
                .iter_mut()
                .fold(false, |found, value| self.redact_value(value) | found),
            Value::Object(fields) => {
                let mut found = false;
                for value in fields.values_mut() {
                    found |= self.redact_value(value);
                }
                if fields.keys().any(|name| self.redact_text(name).is_some()) {
                    found = true;
                    *fields = std::mem::take(fields)
                        .into_iter()
                        .map(|(name, value)| (self.redact_text(&name).unwrap_or(name), value))
                        .collect();
                }
                found
            }
            Value::Null | Value::Bool(_) => false,
        }
    }
}

/// The text as it stands in a JSON string; with `ascii` as Python writes it by default.
fn escape(text: &str, ascii: bool) -> Zeroizing<String> {
    let quoted = Zeroizing::new(Value::String(text.to_owned()).to_string());
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    let mut escaped = Zeroizing::new(String::with_capacity(inner.len()));
    for character in inner.chars() {
        if !ascii || (character.is_ascii() && character != '\u{7f}') {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// Vectorised, and copies no part of a secret, as a prepared searcher would.
fn contains(text: &str, part: &str) -> bool {
    memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

/// The longest part that reads the same however it is written: no writer of JSON escapes any of these characters.
fn probe(secret: &str) -> Option<Zeroizing<String>> {
    secret
        .split(|character: char| !character.is_ascii_alphanumeric() && !"-_.,:;@#$%*()!?^~| ".contains(character))
        .max_by_key(|part| part.len())
        .filter(|part| part.len() >= SHORTEST_PROBE)
        .map(|part| Zeroizing::new(part.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn secrets_leave_events_and_their_structure_stays() {
        let redactor = redactor(&["runner_on_ok", "hunter22", "12345", "abc"]);
        let line = r#"{"event":"runner_on_ok","host":"hunter22","result":{"msg":"it is hunter22","pin":12345,"hunter22":"abc"}}"#;
        let redacted: Value = serde_json::from_str(&redactor.redact_line(line).unwrap()).unwrap();
        assert_eq!(
            redacted,
            serde_json::json!({
                "event": "runner_on_ok", "host": "hunter22",
                "result": {"msg": "it is ********", "pin": "********", "********": "abc"},
            })
        );
        assert_eq!(
            redactor.redact_line(r#"{"event":"x","result":{"msg":"nothing"}}"#),
            None
        );
    }

    #[test]
    fn secrets_of_several_lines_are_found_line_by_line() {
        let redactor = redactor(&["first line of it\nshort\nsecond line of it\n"]);
        assert_eq!(
            redactor.redact_text("x second line of it\nshort").as_deref(),
            Some("x ********\nshort")
        );
    }

    #[test]
    fn nothing_shows_in_debug() {
        assert!(!format!("{:?}", redactor(&["hunter22"])).contains("hunter"));
    }

    proptest! {
        #[test]
        fn no_way_of_writing_json_lets_a_secret_through(secret in "\\PC{4,20}", before in "[a-z]{0,5}") {
            prop_assume!(secret.trim().len() >= SHORTEST && !REPLACEMENT.contains(secret.trim()));
            let redactor = redactor(&[&secret]);
            let text = format!("{before} {secret}");
            let nested = Value::String(text.clone()).to_string();
            for line in [
                serde_json::json!({"event": "e", "result": {"msg": text}}).to_string(),
                format!(r#"{{"event":"e","result":{{"msg":"{}"}}}}"#, escape(&text, true).as_str()),
                serde_json::json!({"event": "e", "result": {"msg": nested}}).to_string(),
            ] {
                let redacted = redactor.redact_line(&line).expect("it is found");
                let value: Value = serde_json::from_str(&redacted).expect("still JSON");
                prop_assert!(!value["result"]["msg"].as_str().expect("text").contains(secret.trim()));
            }
        }
    }
}
