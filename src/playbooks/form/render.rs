//! A form as the text of its file.

use crate::domain::form::Form;
use serde_json::Value;
use std::fmt::Write as _;

/// The YAML that [`super::parse()`] reads back to the same fields; where they came from is not in it.
pub fn render(form: &Form) -> String {
    if form.fields.is_empty() {
        return "fields: []\n".to_owned();
    }
    let mut text = String::from("fields:\n");
    for field in &form.fields {
        line(&mut text, "  - ", "name", &Value::from(field.name.as_str()));
        let mut key = |key: &str, value: &Value| line(&mut text, "    ", key, value);
        key("type", &Value::from(field.field_type.as_str()));
        if field.label != field.name {
            key("label", &Value::from(field.label.as_str()));
        }
        if let Some(help) = &field.help {
            key("help", &Value::from(help.as_str()));
        }
        if field.required {
            key("required", &Value::from(true));
        }
        if let Some(default) = &field.default {
            key("default", default);
        }
        if !field.choices.is_empty() {
            key("choices", &Value::from(field.choices.clone()));
        }
        if let Some(pattern) = &field.pattern {
            key("pattern", &Value::from(pattern.as_str()));
        }
        for (name, bound) in [("min", &field.min), ("max", &field.max)] {
            if let Some(bound) = bound {
                key(name, &Value::Number(bound.clone()));
            }
        }
        if let Some(condition) = &field.shown_when {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "    shown_when: {{field: {}, equals: {}}}",
                flow(&Value::from(condition.field.as_str())),
                flow(&condition.equals)
            );
        }
    }
    text
}

fn line(text: &mut String, indent: &str, key: &str, value: &Value) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{indent}{key}: {}", flow(value));
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        // YAML 1.1 wants a point before an exponent.
        Value::Number(number) => match number.to_string().split_once('e') {
            Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Without quotes where that can be nothing but text, in single quotes where these change nothing.
fn scalar(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_ ./-()".contains(c);
    let plain = text.len() > 5
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(is_word);
    if plain || is_identifier(text) {
        return text.to_owned();
    }
    if text.chars().all(|c| (' '..='~').contains(&c)) && !text.is_empty() {
        return format!("'{}'", text.replace('\'', "''"));
    }
    quoted(text)
}

/// A word that no reader takes for a boolean or null: those have at most five letters.
fn is_identifier(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            ' '..='~' | '\u{a1}'..='\u{d7ff}' if !['\u{2028}', '\u{2029}'].contains(&character) => {
                quoted.push(character);
            }
            // Writing to a string cannot fail.
            '\0'..='\u{ffff}' => _ = write!(quoted, "\\u{:04x}", u32::from(character)),
            _ => _ = write!(quoted, "\\U{:08x}", u32::from(character)),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use crate::playbooks::form::parse;

    #[test]
    fn a_form_is_written_as_a_person_would() {
        let text = "fields:\n  - name: version\n    type: text\n    label: Version to roll out\n    help: 'Such as 1.2.3: see the list.'\n    required: true\n    pattern: '\\d+'\n  - name: tls\n    type: boolean\n    default: true\n  - name: zone\n    type: choice\n    default: eu\n    choices: [eu, 'no', '1.10']\n    shown_when: {field: tls, equals: true}\n  - name: replicas\n    type: number\n    min: 1\n    max: 2.5\n";
        let form = parse("x", text).unwrap();
        assert_eq!(super::render(&form), text);
        assert_eq!(super::render(&parse("x", "fields: []").unwrap()), "fields: []\n");
    }
}
