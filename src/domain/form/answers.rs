//! Answers, held against the form.

use super::{FieldType, Form, FormField, MAX_FILE_BYTES, definition};
use crate::domain::validation::FieldError;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// As many choices are named in one message.
const MAX_NAMED: usize = 10;

/// What was given for one variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given<'a> {
    /// A value that may be shown.
    Plain(&'a Value),
    /// A text that may not.
    Secret(&'a str),
    /// A file of so many bytes.
    File(usize),
}

/// What becomes of the answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// What is wrong. `field` is `variables.NAME`, `secret_variables.NAME` or `files.NAME`.
    pub errors: Vec<FieldError>,
    /// Plain answers whose type the form knows better: `"3"` for a number.
    pub converted: Map<String, Value>,
    /// Plain answers to secret fields: to be treated as secrets.
    pub secret: Vec<String>,
    /// Answers to fields that are not shown: to be dropped.
    pub hidden: Vec<String>,
    /// Defaults of the fields that are shown and were not answered.
    pub defaults: Map<String, Value>,
}

/// Holds answers against a form without faults. Names that are no field are passed over. `is_server` knows the hostnames.
pub fn judge(form: &Form, given: &BTreeMap<&str, Given<'_>>, is_server: &dyn Fn(&str) -> bool) -> Judgement {
    let mut judgement = Judgement::default();
    let mut visibility = Visibility {
        form,
        given,
        known: vec![None; form.fields.len()],
    };
    for (index, field) in form.fields.iter().enumerate() {
        let answer = given.get(field.name.as_str()).copied().filter(is_answer);
        if !visibility.is_shown(index) {
            if answer.is_some() {
                judgement.hidden.push(field.name.clone());
            }
            continue;
        }
        let Some(answer) = answer else {
            match &field.default {
                Some(default) => {
                    judgement.defaults.insert(field.name.clone(), default.clone());
                }
                None if field.required => judgement.errors.push(missing(field)),
                None => {}
            }
            continue;
        };
        if let Err(message) = take(field, answer, is_server, &mut judgement) {
            judgement.errors.push(FieldError {
                field: format!("{}.{}", place(answer), field.name),
                message,
            });
        }
    }
    judgement
}

fn is_answer(given: &Given<'_>) -> bool {
    !matches!(given, Given::Plain(Value::Null))
}

fn missing(field: &FormField) -> FieldError {
    let place = match field.field_type {
        FieldType::Secret => "secret_variables",
        FieldType::File => "files",
        _ => "variables",
    };
    FieldError {
        field: format!("{place}.{}", field.name),
        message: "is required".to_owned(),
    }
}

fn place(given: Given<'_>) -> &'static str {
    match given {
        Given::Plain(_) => "variables",
        Given::Secret(_) => "secret_variables",
        Given::File(_) => "files",
    }
}

fn take(
    field: &FormField,
    given: Given<'_>,
    is_server: &dyn Fn(&str) -> bool,
    judgement: &mut Judgement,
) -> Result<(), String> {
    let value = match (field.field_type, given) {
        (FieldType::File, Given::File(size)) if size <= MAX_FILE_BYTES => return Ok(()),
        (FieldType::File, Given::File(_)) => return Err(format!("must be at most {MAX_FILE_BYTES} bytes")),
        (FieldType::File, _) => return Err("is a file: it is given among the files".to_owned()),
        (_, Given::File(_)) => return Err(format!("is no file but {}", article(field.field_type))),
        (_, Given::Plain(value)) => typed(field, value)?,
        (_, Given::Secret(text)) => typed(field, &Value::String(text.to_owned()))?,
    };
    if field.required && is_empty(&value) {
        return Err("is required".to_owned());
    }
    check_value(field, &value, is_server)?;
    if let Given::Plain(given) = given {
        if field.field_type == FieldType::Secret {
            judgement.secret.push(field.name.clone());
        } else if *given != value {
            judgement.converted.insert(field.name.clone(), value);
        }
    }
    Ok(())
}

fn article(field_type: FieldType) -> String {
    let text = field_type.as_str().replace('_', " ");
    format!("a {text}")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The value in the field's type; texts, as a command line gives them, are read.
pub(super) fn typed(field: &FormField, value: &Value) -> Result<Value, String> {
    let wrong = |what: &str| Err(format!("must be {what}"));
    match (field.field_type, value) {
        (FieldType::Number, Value::Number(_))
        | (FieldType::Boolean, Value::Bool(_))
        | (FieldType::Text | FieldType::Secret | FieldType::Choice | FieldType::Server, Value::String(_)) => {
            Ok(value.clone())
        }
        (FieldType::Number, Value::String(text)) => read_number(text).map_or_else(|| wrong("a number"), Ok),
        (FieldType::Boolean, Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" => Ok(Value::Bool(true)),
            "false" | "no" => Ok(Value::Bool(false)),
            _ => wrong("true or false"),
        },
        (FieldType::MultiChoice, Value::String(text)) => Ok(read_list(field, text)),
        (FieldType::MultiChoice | FieldType::Server, Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok(value.clone())
        }
        (FieldType::Number, _) => wrong("a number"),
        (FieldType::Boolean, _) => wrong("true or false"),
        (FieldType::MultiChoice, _) => wrong("a list of texts"),
        (FieldType::Server, _) => wrong("a hostname, or a list of them"),
        (FieldType::File, _) => wrong("a file"),
        (FieldType::Text | FieldType::Secret | FieldType::Choice, _) => wrong("text: put it into quotes"),
    }
}

fn read_number(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    // Rust reads `inf` and `nan` as well, which are no numbers in JSON.
    let fraction: f64 = text.parse().ok()?;
    Number::from_f64(fraction).map(Value::Number)
}

/// `a, b`; but one choice that holds a comma is itself.
fn read_list(field: &FormField, text: &str) -> Value {
    if field.choices.iter().any(|choice| choice == text) {
        return vec![text].into();
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(Value::from).collect()
}

/// Whether a value of the field's type keeps to its limits. An empty text is kept out by `required` only.
pub(super) fn check_value(field: &FormField, value: &Value, is_server: &dyn Fn(&str) -> bool) -> Result<(), String> {
    if is_empty(value) && field.field_type != FieldType::MultiChoice {
        return Ok(());
    }
    match (field.field_type, value) {
        (FieldType::Text | FieldType::Secret, Value::String(text)) => {
            check_size(field, text.chars().count(), "characters")?;
            match field.pattern.as_deref().map(definition::compile) {
                Some(Ok(pattern)) if !pattern.is_match(text) => {
                    Err(format!("must match {}", field.pattern.as_deref().unwrap_or_default()))
                }
                Some(Err(_)) => Err("cannot be checked: the form's pattern is wrong".to_owned()),
                _ => Ok(()),
            }
        }
        (FieldType::Number, Value::Number(number)) => {
            let number = definition::number(number);
            let below = field.min.as_ref().is_some_and(|min| number < definition::number(min));
            let above = field.max.as_ref().is_some_and(|max| number > definition::number(max));
            if below || above { Err(bounds(field, "")) } else { Ok(()) }
        }
        (FieldType::Choice, Value::String(text)) => check_choice(field, text),
        (FieldType::MultiChoice, Value::Array(items)) => {
            let mut seen = std::collections::BTreeSet::new();
            for item in items {
                let text = item.as_str().unwrap_or_default();
                check_choice(field, text)?;
                if !seen.insert(text) {
                    return Err(format!("names {text:?} twice"));
                }
            }
            // Nothing chosen is no answer, as an empty text is none; whether that may be is for `required` to say.
            if items.is_empty() {
                return Ok(());
            }
            check_size(field, items.len(), "choices")
        }
        (FieldType::Server, Value::String(name)) => check_server(name, is_server),
        (FieldType::Server, Value::Array(names)) => names
            .iter()
            .try_for_each(|name| check_server(name.as_str().unwrap_or_default(), is_server)),
        _ => Ok(()),
    }
}

fn check_choice(field: &FormField, text: &str) -> Result<(), String> {
    if field.choices.iter().any(|choice| choice == text) {
        return Ok(());
    }
    let named = field.choices[..field.choices.len().min(MAX_NAMED)].join(", ");
    let more = if field.choices.len() > MAX_NAMED { ", …" } else { "" };
    Err(format!("must be one of: {named}{more}"))
}

fn check_server(name: &str, is_server: &dyn Fn(&str) -> bool) -> Result<(), String> {
    if is_server(name) {
        Ok(())
    } else {
        Err(format!("names {name:?}, which is no server"))
    }
}

fn check_size(field: &FormField, size: usize, what: &str) -> Result<(), String> {
    let size = size as u64;
    let below = field
        .min
        .as_ref()
        .and_then(Number::as_u64)
        .is_some_and(|min| size < min);
    let above = field
        .max
        .as_ref()
        .and_then(Number::as_u64)
        .is_some_and(|max| size > max);
    if below || above {
        Err(bounds(field, what))
    } else {
        Ok(())
    }
}

fn bounds(field: &FormField, what: &str) -> String {
    let text = match (&field.min, &field.max) {
        (Some(min), Some(max)) if what.is_empty() => format!("must be between {min} and {max}"),
        (Some(min), None) if what.is_empty() => format!("must be at least {min}"),
        (None, Some(max)) if what.is_empty() => format!("must be at most {max}"),
        (Some(min), Some(max)) => format!("must have {min} to {max} {what}"),
        (Some(min), None) => format!("must have at least {min} {what}"),
        (None, Some(max)) => format!("must have at most {max} {what}"),
        (None, None) => String::new(),
    };
    text.trim_end().to_owned()
}

/// Which fields are shown: each is looked at once, and a field that waits for itself is not shown.
struct Visibility<'a> {
    form: &'a Form,
    given: &'a BTreeMap<&'a str, Given<'a>>,
    known: Vec<Option<bool>>,
}

impl Visibility<'_> {
    fn is_shown(&mut self, index: usize) -> bool {
        if let Some(known) = self.known[index] {
            return known;
        }
        self.known[index] = Some(false);
        let shown = match &self.form.fields[index].shown_when {
            None => true,
            Some(condition) => {
                let other = self.form.fields.iter().position(|field| field.name == condition.field);
                other.is_some_and(|other| self.is_shown(other) && self.equals(other, &condition.equals))
            }
        };
        self.known[index] = Some(shown);
        shown
    }

    /// Whether the value that a shown field will have is, or has among its choices, `wanted`.
    fn equals(&self, index: usize, wanted: &Value) -> bool {
        let field = &self.form.fields[index];
        let value = match self.given.get(field.name.as_str()).copied().filter(is_answer) {
            Some(Given::Plain(value)) => typed(field, value).ok(),
            Some(Given::Secret(text)) => typed(field, &Value::String(text.to_owned())).ok(),
            Some(Given::File(_)) => None,
            None => field.default.clone(),
        };
        match (&value, wanted) {
            (Some(Value::Array(items)), Value::String(_)) => items.contains(wanted),
            (Some(Value::Number(value)), Value::Number(wanted)) => {
                definition::number(value).total_cmp(&definition::number(wanted)).is_eq()
            }
            (Some(value), wanted) => value == wanted,
            (None, _) => false,
        }
    }
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

    fn judged(form: &Form, answers: &Value) -> Judgement {
        let given = answers.as_object().unwrap();
        let given = given
            .iter()
            .map(|(name, value)| (name.as_str(), Given::Plain(value)))
            .collect();
        judge(form, &given, &|name| name == "web1" || name == "web2")
    }

    #[test]
    fn each_type_takes_what_it_says() {
        let choices = || vec!["a".to_owned(), "b,c".to_owned(), "d".to_owned()];
        let text = |f: &mut FormField| {
            (f.pattern, f.min, f.max) = (Some(r"\d+\.\d+|ü*".into()), Some(3.into()), Some(5.into()));
        };
        let number = |f: &mut FormField| (f.min, f.max) = (Some(1.into()), Some(10.into()));
        let multi = |f: &mut FormField| (f.choices, f.max) = (choices(), Some(2.into()));
        let table = [
            (field("x", FieldType::Text, text), json!("1.2"), true),
            (field("x", FieldType::Text, text), json!("üüü"), true),
            (field("x", FieldType::Text, text), json!("1.2\n"), false),
            (field("x", FieldType::Text, text), json!("x1.2"), false),
            (field("x", FieldType::Text, text), json!("1."), false),
            (field("x", FieldType::Text, text), json!("1.2345"), false),
            (field("x", FieldType::Text, text), json!(""), true),
            (field("x", FieldType::Text, |_| {}), json!(1), false),
            (field("x", FieldType::Number, number), json!(10), true),
            (field("x", FieldType::Number, number), json!(1.5), true),
            (field("x", FieldType::Number, number), json!("7"), true),
            (field("x", FieldType::Number, number), json!("1e1"), true),
            (field("x", FieldType::Number, number), json!(11), false),
            (field("x", FieldType::Number, number), json!("nan"), false),
            (field("x", FieldType::Number, |_| {}), json!("inf"), false),
            (field("x", FieldType::Number, number), json!(true), false),
            (field("x", FieldType::Boolean, |_| {}), json!(false), true),
            (field("x", FieldType::Boolean, |_| {}), json!("Yes"), true),
            (field("x", FieldType::Boolean, |_| {}), json!("maybe"), false),
            (field("x", FieldType::Boolean, |_| {}), json!(1), false),
            (
                field("x", FieldType::Choice, |f| f.choices = choices()),
                json!("a"),
                true,
            ),
            (
                field("x", FieldType::Choice, |f| f.choices = choices()),
                json!("c"),
                false,
            ),
            (
                field("x", FieldType::Choice, |f| f.choices = choices()),
                json!(["a"]),
                false,
            ),
            (field("x", FieldType::MultiChoice, multi), json!(["a", "d"]), true),
            (field("x", FieldType::MultiChoice, multi), json!("b,c"), true),
            (field("x", FieldType::MultiChoice, multi), json!("a, d"), true),
            (field("x", FieldType::MultiChoice, multi), json!([]), true),
            (field("x", FieldType::MultiChoice, multi), json!(["a", "a"]), false),
            (
                field("x", FieldType::MultiChoice, multi),
                json!(["a", "b,c", "d"]),
                false,
            ),
            (field("x", FieldType::MultiChoice, multi), json!(["e"]), false),
            (field("x", FieldType::Secret, |_| {}), json!("a"), true),
            (field("x", FieldType::Secret, |_| {}), json!(1), false),
            (field("x", FieldType::Server, |_| {}), json!("web1"), true),
            (field("x", FieldType::Server, |_| {}), json!(["web1", "web2"]), true),
            (field("x", FieldType::Server, |_| {}), json!("db1"), false),
            (field("x", FieldType::Server, |_| {}), json!(["web1", "db1"]), false),
            (field("x", FieldType::File, |_| {}), json!("a"), false),
        ];
        for (field, answer, fits) in table {
            let form = Form { fields: vec![field] };
            assert_eq!(form.faults(), []);
            let errors = judged(&form, &json!({ "x": answer })).errors;
            assert_eq!(errors.is_empty(), fits, "{answer}: {form:?}: {errors:?}");
        }
    }

    #[test]
    fn texts_become_what_the_field_takes_and_secrets_are_told() {
        let form = Form {
            fields: vec![
                field("n", FieldType::Number, |_| {}),
                field("b", FieldType::Boolean, |_| {}),
                field("m", FieldType::MultiChoice, |f| {
                    f.choices = vec!["a".into(), "b".into()];
                }),
                field("s", FieldType::Secret, |_| {}),
                field("t", FieldType::Text, |_| {}),
            ],
        };
        let judgement = judged(
            &form,
            &json!({"n": "3", "b": "no", "m": "a,b", "s": "x", "t": "3", "other": "4"}),
        );
        assert_eq!(
            Value::Object(judgement.converted),
            json!({"n": 3, "b": false, "m": ["a", "b"]})
        );
        assert_eq!(judgement.secret, ["s"]);
        assert_eq!(judgement.errors, []);
    }

    #[test]
    fn required_holds_while_shown_and_defaults_answer() {
        let when = |name: &str, equals: Value| {
            Some(ShownWhen {
                field: name.to_owned(),
                equals,
            })
        };
        let form = Form {
            fields: vec![
                field("port", FieldType::Number, |f| {
                    f.shown_when = when("tls", json!(true));
                    f.default = Some(json!(443));
                }),
                field("tls", FieldType::Boolean, |f| f.default = Some(json!(false))),
                field("key", FieldType::File, |f| {
                    (f.required, f.shown_when) = (true, when("port", json!(443.0)));
                }),
                field("password", FieldType::Secret, |f| f.required = true),
            ],
        };
        assert_eq!(form.faults(), []);
        let told = |answers: Value| {
            let judgement = judged(&form, &answers);
            let errors: Vec<String> = judgement.errors.into_iter().map(|error| error.field).collect();
            (errors, Value::Object(judgement.defaults), judgement.hidden)
        };
        let password = "secret_variables.password".to_owned();
        let key = "files.key".to_owned();
        assert_eq!(
            told(json!({"port": 1, "password": null})),
            (vec![password.clone()], json!({"tls": false}), vec!["port".to_owned()])
        );
        assert_eq!(
            told(json!({"tls": "yes"})),
            (vec![key, password], json!({"port": 443}), vec![])
        );
        assert_eq!(
            told(json!({"tls": true, "port": 80, "password": ""})).0,
            ["variables.password"]
        );
    }

    #[test]
    fn files_are_given_as_files() {
        let form = Form {
            fields: vec![field("f", FieldType::File, |_| {}), field("t", FieldType::Text, |_| {})],
        };
        let errors = |name: &'static str, given: Given<'_>| {
            judge(&form, &BTreeMap::from([(name, given)]), &|_| true).errors.len()
        };
        assert_eq!(errors("f", Given::File(MAX_FILE_BYTES)), 0);
        assert_eq!(errors("f", Given::File(MAX_FILE_BYTES + 1)), 1);
        assert_eq!(errors("f", Given::Secret("x")), 1);
        assert_eq!(errors("t", Given::File(1)), 1);
        assert_eq!(errors("t", Given::Secret("x")), 0);
    }
}
