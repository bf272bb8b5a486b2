//! What can be wrong with a form before anybody fills it in.

use super::{FieldType, Form, FormField, MAX_FIELDS, answers, is_variable_name};
use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};
use std::collections::BTreeSet;

const MAX_LABEL: usize = 200;
const MAX_HELP: usize = 4000;
const MAX_CHOICES: usize = 500;
const MAX_CHOICE_BYTES: usize = 1000;
const MAX_PATTERN_BYTES: usize = 1000;
/// Bytes that a compiled pattern may take; `\w{1000}{1000}` would take all there are.
const PATTERN_SIZE: usize = 1 << 20;

/// One thing that is wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field's place in the form; `None` when the form as a whole is meant.
    pub field: Option<usize>,
    /// The key of the field that is wrong, such as `pattern`.
    pub key: &'static str,
    /// A sentence fragment: "must be between 1 and 65535".
    pub message: String,
}

/// All that is wrong, in the order of the fields.
pub(super) fn faults(form: &Form) -> Vec<Fault> {
    let mut faults = Vec::new();
    if form.fields.len() > MAX_FIELDS {
        faults.push(Fault {
            field: None,
            key: "fields",
            message: format!("must be at most {MAX_FIELDS}"),
        });
        return faults;
    }
    let mut names = BTreeSet::new();
    for (index, field) in form.fields.iter().enumerate() {
        let mut report = |key: &'static str, message: String| {
            faults.push(Fault {
                field: Some(index),
                key,
                message,
            });
        };
        if !is_variable_name(&field.name) {
            let rule = "must be a variable name: at most 128 letters, digits and `_`, not starting with a digit";
            report("name", rule.to_owned());
        } else if !names.insert(field.name.as_str()) {
            report("name", format!("{} is the name of another field already", field.name));
        }
        check_texts(field, &mut report);
        check_choices(field, &mut report);
        check_pattern(field, &mut report);
        check_bounds(field, &mut report);
        check_default(field, &mut report);
        check_condition(form, index, &mut report);
    }
    faults
}

fn check_texts(field: &FormField, report: &mut impl FnMut(&'static str, String)) {
    let label = &field.label;
    if label.trim().is_empty() || label.chars().count() > MAX_LABEL || label.contains(char::is_control) {
        report("label", format!("must be one line of 1 to {MAX_LABEL} characters"));
    }
    if let Some(help) = &field.help
        && (help.chars().count() > MAX_HELP || help.contains('\0'))
    {
        report("help", format!("must be at most {MAX_HELP} characters"));
    }
}

fn check_choices(field: &FormField, report: &mut impl FnMut(&'static str, String)) {
    let has_choices = matches!(field.field_type, FieldType::Choice | FieldType::MultiChoice);
    if !has_choices {
        if !field.choices.is_empty() {
            report("choices", format!("do not fit the type {}", field.field_type));
        }
        return;
    }
    if !(1..=MAX_CHOICES).contains(&field.choices.len()) {
        report("choices", format!("must be 1 to {MAX_CHOICES} texts"));
    }
    let mut seen = BTreeSet::new();
    for choice in &field.choices {
        if choice.is_empty() || choice.len() > MAX_CHOICE_BYTES || choice.contains('\0') {
            report(
                "choices",
                format!("must each have 1 to {MAX_CHOICE_BYTES} bytes; {choice:?} does not"),
            );
        } else if !seen.insert(choice) {
            report("choices", format!("name {choice:?} twice"));
        }
    }
}

fn check_pattern(field: &FormField, report: &mut impl FnMut(&'static str, String)) {
    let Some(pattern) = &field.pattern else { return };
    if !matches!(field.field_type, FieldType::Text | FieldType::Secret) {
        report("pattern", format!("does not fit the type {}", field.field_type));
    } else if let Err(reason) = compile(pattern) {
        report("pattern", reason);
    }
}

/// The pattern as it is used: the whole text must match. The time to match is linear in the text, whatever the pattern.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("must be at most {MAX_PATTERN_BYTES} bytes long"));
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(PATTERN_SIZE)
            .dfa_size_limit(PATTERN_SIZE)
            .build()
            .map_err(|error| {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim();
                format!("is no regular expression: {}", reason.trim_start_matches("error: "))
            })
    };
    // By itself first: `a)|(?:b` is whole only inside of the brackets.
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}

fn check_bounds(field: &FormField, report: &mut impl FnMut(&'static str, String)) {
    let counts = matches!(
        field.field_type,
        FieldType::Text | FieldType::Secret | FieldType::MultiChoice
    );
    for (key, bound) in [("min", &field.min), ("max", &field.max)] {
        let Some(bound) = bound else { continue };
        if counts {
            if bound.as_u64().is_none() {
                report(key, "must be a whole number, 0 or more".to_owned());
            }
        } else if field.field_type != FieldType::Number {
            report(key, format!("does not fit the type {}", field.field_type));
        }
    }
    if let (Some(min), Some(max)) = (&field.min, &field.max)
        && number(min) > number(max)
    {
        report("max", "must not be less than min".to_owned());
    }
}

/// As a fraction, which all comparisons use: exact up to 2^53.
pub(super) fn number(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

fn check_default(field: &FormField, report: &mut impl FnMut(&'static str, String)) {
    let Some(default) = &field.default else { return };
    match field.field_type {
        FieldType::Secret => report(
            "default",
            "of a secret would be readable by all: leave it out, and put the value into an environment or a preset"
                .to_owned(),
        ),
        FieldType::File => report("default", "does not fit the type file".to_owned()),
        _ => {
            if let Err(reason) = is_exact(field, default).and_then(|()| answers::check_value(field, default, &|_| true))
            {
                report("default", reason);
            }
        }
    }
}

/// In a file a value has its type; only answers may come as text.
fn is_exact(field: &FormField, value: &Value) -> Result<(), String> {
    if &answers::typed(field, value)? == value {
        return Ok(());
    }
    Err(match field.field_type {
        FieldType::Number => "must be a number without quotes".to_owned(),
        FieldType::Boolean => "must be true or false, without quotes".to_owned(),
        _ => "must be a list of texts".to_owned(),
    })
}

fn check_condition(form: &Form, index: usize, report: &mut impl FnMut(&'static str, String)) {
    let Some(condition) = &form.fields[index].shown_when else {
        return;
    };
    let Some(other) = form.field(&condition.field) else {
        report("shown_when", format!("names {:?}, which is no field", condition.field));
        return;
    };
    match other.field_type {
        FieldType::Secret | FieldType::File => {
            let kind = other.field_type;
            report(
                "shown_when",
                format!("cannot look at {}, which is a {kind}", other.name),
            );
        }
        FieldType::MultiChoice | FieldType::Server => {
            let fits = condition.equals.as_str().is_some_and(|text| {
                other.field_type == FieldType::Server || other.choices.iter().any(|choice| choice == text)
            });
            if !fits {
                report(
                    "shown_when",
                    format!("is never true: {} cannot have this value", other.name),
                );
            }
        }
        _ => {
            let judged = is_exact(other, &condition.equals)
                .and_then(|()| answers::check_value(other, &condition.equals, &|_| true));
            if let Err(reason) = judged {
                report("shown_when", format!("is never true: {} {reason}", other.name));
            }
        }
    }
    if is_cyclic(form, index) {
        report("shown_when", "leads back to the field itself".to_owned());
    }
}

fn is_cyclic(form: &Form, start: usize) -> bool {
    let name = &form.fields[start].name;
    let mut at = &form.fields[start];
    for _ in 0..form.fields.len() {
        let Some(next) = at
            .shown_when
            .as_ref()
            .and_then(|condition| form.field(&condition.field))
        else {
            return false;
        };
        if &next.name == name {
            return true;
        }
        at = next;
    }
    // Another field's cycle: reported there.
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::{FieldOrigin, ShownWhen};
    use serde_json::json;

    fn field(name: &str, field_type: FieldType, change: impl FnOnce(&mut FormField)) -> FormField {
        let mut field = FormField::new(name, field_type, FieldOrigin::Form);
        change(&mut field);
        field
    }

    fn keys(fields: Vec<FormField>) -> Vec<&'static str> {
        let faults = faults(&Form { fields });
        faults.into_iter().map(|fault| fault.key).collect()
    }

    fn shown_when(name: &str, equals: Value) -> ShownWhen {
        ShownWhen {
            field: name.to_owned(),
            equals,
        }
    }

    #[test]
    fn each_key_has_its_rules() {
        type Change = fn(&mut FormField);
        let table: [(FieldType, Change, &[&str]); 25] = [
            (FieldType::Text, |_| {}, &[]),
            (FieldType::Text, |f| f.name = "1x".into(), &["name"]),
            (FieldType::Text, |f| f.label = "a\nb".into(), &["label"]),
            (FieldType::Text, |f| f.help = Some("\0".into()), &["help"]),
            (FieldType::Text, |f| f.choices = vec!["a".into()], &["choices"]),
            (FieldType::Choice, |_| {}, &["choices"]),
            (
                FieldType::Choice,
                |f| f.choices = vec!["a".into(), "a".into()],
                &["choices"],
            ),
            (FieldType::Choice, |f| f.choices = vec![String::new()], &["choices"]),
            (FieldType::Text, |f| f.pattern = Some("(".into()), &["pattern"]),
            (FieldType::Text, |f| f.pattern = Some("a)|(?:b".into()), &["pattern"]),
            (
                FieldType::Text,
                |f| f.pattern = Some(r"\w{1000}{1000}".into()),
                &["pattern"],
            ),
            (FieldType::Number, |f| f.pattern = Some("1".into()), &["pattern"]),
            (FieldType::Text, |f| f.min = Some((-1).into()), &["min"]),
            (FieldType::Number, |f| f.min = Some((-1).into()), &[]),
            (FieldType::Boolean, |f| f.max = Some(1.into()), &["max"]),
            (
                FieldType::Number,
                |f| (f.min, f.max) = (Some(2.into()), Some(1.into())),
                &["max"],
            ),
            (FieldType::Secret, |f| f.default = Some(json!("x")), &["default"]),
            (FieldType::File, |f| f.default = Some(json!("x")), &["default"]),
            (FieldType::Text, |f| f.default = Some(json!(1.10)), &["default"]),
            (FieldType::Number, |f| f.default = Some(json!("1")), &["default"]),
            (FieldType::Boolean, |f| f.default = Some(json!("yes")), &["default"]),
            (
                FieldType::MultiChoice,
                |f| (f.choices, f.default) = (vec!["a".into()], Some(json!("a"))),
                &["default"],
            ),
            (
                FieldType::Choice,
                |f| (f.choices, f.default) = (vec!["a".into()], Some(json!("b"))),
                &["default"],
            ),
            (
                FieldType::Number,
                |f| (f.max, f.default) = (Some(1.into()), Some(json!(2))),
                &["default"],
            ),
            (FieldType::Server, |f| f.default = Some(json!(["a", "b"])), &[]),
        ];
        for (field_type, change, expected) in table {
            let field = field("x", field_type, change);
            assert_eq!(keys(vec![field.clone()]), expected, "{field:?}");
        }
        let twice = vec![
            field("x", FieldType::Text, |_| {}),
            field("x", FieldType::Number, |_| {}),
        ];
        assert_eq!(keys(twice), ["name"]);
    }

    #[test]
    fn conditions_lead_somewhere() {
        let on = field("on", FieldType::Boolean, |_| {});
        let when = |name: &str, equals: Value| {
            let condition = shown_when(name, equals);
            field("x", FieldType::Text, |f| f.shown_when = Some(condition))
        };
        assert_eq!(keys(vec![on.clone(), when("on", json!(true))]), [""; 0]);
        assert_eq!(keys(vec![on.clone(), when("on", json!("yes"))]), ["shown_when"]);
        assert_eq!(keys(vec![on, when("off", json!(true))]), ["shown_when"]);
        assert_eq!(keys(vec![when("x", json!("a"))]), ["shown_when"]);
        let secret = field("s", FieldType::Secret, |_| {});
        assert_eq!(keys(vec![secret, when("s", json!("a"))]), ["shown_when"]);
        let some = field("some", FieldType::MultiChoice, |f| f.choices = vec!["a".into()]);
        assert_eq!(keys(vec![some.clone(), when("some", json!("a"))]), [""; 0]);
        assert_eq!(keys(vec![some, when("some", json!("b"))]), ["shown_when"]);
        let ring = ["a", "b", "c"].map(|name| {
            let next = match name {
                "a" => "b",
                "b" => "c",
                _ => "a",
            };
            field(name, FieldType::Text, |f| {
                f.shown_when = Some(shown_when(next, json!("x")));
            })
        });
        let outside = field("d", FieldType::Text, |f| {
            f.shown_when = Some(shown_when("a", json!("x")));
        });
        assert_eq!(keys(ring.into_iter().chain([outside]).collect()), ["shown_when"; 3]);
    }
}
