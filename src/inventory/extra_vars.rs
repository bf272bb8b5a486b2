//! A deployment's variables as the file that `ansible-playbook -e @file` reads.
//!
//! YAML in flow form, because only YAML has `!unsafe`: strings so marked are never templated.

use super::variable_names::{check_value, refuse_in_deployment};
use crate::domain::validation::{Invalid, Validator};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Number, Value};
use std::{collections::BTreeMap, fmt::Write};
use zeroize::Zeroizing;

const SIZE_LIMIT: usize = 256 * 1024;

/// The text of the file. A secret wins over a variable of the same name.
pub fn render_extra_vars(variables: &Map<String, Value>, secret: &BTreeMap<String, SecretString>) -> SecretString {
    // Escapes lengthen a byte to at most ten: with this room the text never moves and leaves no copy behind.
    let secrets: usize = secret
        .iter()
        .map(|(name, value)| name.len() + value.expose_secret().len() + 8)
        .sum();
    let plain = serde_json::to_vec(variables).map_or(0, |text| text.len());
    let mut text = Zeroizing::new(String::with_capacity(64 + 10 * (secrets + plain)));
    text.push('{');
    for (name, value) in variables.iter().filter(|(name, _)| !secret.contains_key(*name)) {
        write_quoted(&mut text, name);
        text.push_str(": ");
        write_value(&mut text, value);
        text.push_str(",\n");
    }
    for (name, value) in secret {
        write_quoted(&mut text, name);
        text.push_str(": ");
        write_text(&mut text, value.expose_secret());
        text.push_str(",\n");
    }
    text.push_str("}\n");
    SecretString::from(text.as_str())
}

/// Names every variable that Ansible would not take, or that would act on the controller.
pub fn validate_variables(variables: &Map<String, Value>) -> Result<(), Invalid> {
    let mut validator = Validator::new();
    let size = serde_json::to_vec(variables).map_or(usize::MAX, |text| text.len());
    if size > SIZE_LIMIT {
        validator.error(
            "variables",
            format!("must be at most {SIZE_LIMIT} bytes of JSON; this is {size}"),
        );
        return validator.finish();
    }
    for (name, value) in variables {
        let field = format!("variables.{name}");
        match refuse_in_deployment(name) {
            Some(reason) => validator.error(field, reason),
            None => check_value(&field, value, 1, &mut |path, reason| validator.error(path, reason)),
        }
    }
    validator.finish()
}

/// The same for variables whose values are secret.
pub fn validate_secret_variables(secret: &BTreeMap<String, SecretString>) -> Result<(), Invalid> {
    let mut validator = Validator::new();
    for (name, value) in secret {
        let field = format!("secret_variables.{name}");
        let value = value.expose_secret();
        if let Some(reason) = refuse_in_deployment(name) {
            validator.error(&field, reason);
        }
        validator.check(value.len() <= SIZE_LIMIT, &field, "must be at most 262144 bytes long");
        validator.check(!value.contains('\0'), &field, "must not hold a NUL character");
    }
    validator.finish()
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&yaml_number(number)),
        Value::String(value) => write_text(text, value),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_value(text, item);
                text.push_str(", ");
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (key, item) in entries {
                write_quoted(text, key);
                text.push_str(": ");
                write_value(text, item);
                text.push_str(", ");
            }
            text.push('}');
        }
    }
}

/// Marks a string, unless the mark would change it: Ansible looks at what is behind `!unsafe` as if it stood there without
/// quotes, so that `!unsafe "0123"` is the number 83 and `!unsafe "no"` is false. What YAML 1.1 can take for something else
/// than a string is made of these characters only, and no template can be.
fn write_text(text: &mut String, value: &str) {
    let ambiguous = |c: char| c.is_ascii_alphanumeric() || "-+._:~<= \t".contains(c);
    if !value.chars().all(ambiguous) {
        text.push_str("!unsafe ");
    }
    write_quoted(text, value);
}

/// YAML 1.1 reads `1e5` as a string; a float there needs a point and a signed exponent.
fn yaml_number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// A double-quoted YAML scalar of printable ASCII: Python's YAML refuses some characters when written as themselves,
/// and folds line ends.
fn write_quoted(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(character),
            // Writing to a string can not fail.
            '\0'..='\u{ffff}' => _ = write!(text, "\\u{:04x}", u32::from(character)),
            _ => _ = write!(text, "\\U{:08x}", u32::from(character)),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_are_marked_and_quoted() {
        let variables = json!({
            "a": "{{ lookup('pipe', 'id') }}", "b": [1, 1.5, 1e100, true, null, "x\n\"\\é😀"], "c": {"k: }": "v"}, "secret": "plain",
            "d": ["0123", "no", "", "~", "12:30:45", "2026-01-01", "<<", "{", "a{%b"],
        });
        let secret = BTreeMap::from([("secret".to_owned(), SecretString::from("{{2}}"))]);
        let text = render_extra_vars(variables.as_object().unwrap(), &secret);
        insta::assert_snapshot!(text.expose_secret(), @r#"
        {"a": !unsafe "{{ lookup('pipe', 'id') }}",
        "b": [1, 1.5, 1.0e+100, true, null, !unsafe "x\u000a\"\\\u00e9\U0001f600", ],
        "c": {"k: }": "v", },
        "d": ["0123", "no", "", "~", "12:30:45", "2026-01-01", "<<", !unsafe "{", !unsafe "a{%b", ],
        "secret": !unsafe "{{2}}",
        }
        "#);
    }

    #[test]
    fn names_are_checked() {
        let refused = |value: Value| {
            let invalid = validate_variables(value.as_object().unwrap()).unwrap_err();
            invalid.errors.into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        assert_eq!(
            refused(json!({"ansible_connection": "local", "ok": 1})),
            ["variables.ansible_connection"]
        );
        assert_eq!(refused(json!({"a b": 1})), ["variables.a b"]);
        assert_eq!(
            refused(json!({"a": {"__ansible_vault": 1}})),
            ["variables.a.__ansible_vault"]
        );
        assert_eq!(refused(json!({"a": "\0"})), ["variables.a"]);
        assert_eq!(refused(json!({"a": "x".repeat(300 * 1024)})), ["variables"]);
        assert_eq!(
            validate_variables(json!({"a": [1], "ansible_become": true}).as_object().unwrap()),
            Ok(())
        );
        let secret = BTreeMap::from([("ansible_ssh_common_args".to_owned(), SecretString::from("x"))]);
        assert!(validate_secret_variables(&secret).is_err());
    }
}
