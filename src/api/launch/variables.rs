//! Where a launch's variables come from, and what the playbook's form makes of them. Later sources win: the form's defaults, the
//! environment, the preset, what is given at launch. Pure.

use crate::{
    domain::{
        deployment::VariableSource,
        form::{FieldType, Form, Given, judge},
        validation::FieldError,
    },
    inventory::variable_names,
    playbooks::form::Prompt,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The variables of one source.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) source: VariableSource,
    pub(super) variables: Map<String, Value>,
    pub(super) secret_variables: BTreeMap<String, SecretString>,
    /// Names of variables that are files, and how many bytes these have.
    pub(super) files: BTreeMap<String, usize>,
}

/// What a variable is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Plain(Value),
    Secret(SecretString),
    File(usize),
}

/// One variable, with where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) content: Content,
    pub(super) source: VariableSource,
    /// Sources that had it too, the first one first.
    pub(super) overrides: Vec<VariableSource>,
}

/// All variables of a launch.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) variables: BTreeMap<String, Variable>,
    /// For people; none of it stops the launch.
    pub(super) warnings: Vec<String>,
    /// What is wrong.
    pub(super) errors: Vec<FieldError>,
}

/// Puts the sources together; `layers` are in the order in which they win over one another.
pub(super) fn merge(layers: Vec<Layer>) -> Merged {
    let mut merged = Merged::default();
    for layer in layers {
        let plain = layer
            .variables
            .into_iter()
            .map(|(name, value)| (name, Content::Plain(value)));
        let secret = layer
            .secret_variables
            .into_iter()
            .map(|(name, value)| (name, Content::Secret(value)));
        let files = layer.files.into_iter().map(|(name, size)| (name, Content::File(size)));
        for (name, content) in plain.chain(secret).chain(files) {
            let before = merged.variables.remove(&name);
            let overrides = before.map_or_else(Vec::new, |mut before| {
                before.overrides.push(before.source);
                before.overrides
            });
            let variable = Variable {
                content,
                source: layer.source,
                overrides,
            };
            merged.variables.insert(name, variable);
        }
    }
    merged
}

impl Merged {
    /// Names that are answers to fields that ask for servers.
    pub(super) fn named_servers(&self, form: &Form) -> Vec<String> {
        let fields = form.fields.iter().filter(|field| field.field_type == FieldType::Server);
        let answers = fields.filter_map(|field| match &self.variables.get(&field.name)?.content {
            Content::Plain(value) => Some(value.clone()),
            Content::Secret(text) => Some(Value::from(text.expose_secret())),
            Content::File(_) => None,
        });
        answers
            .flat_map(|answer| match answer {
                Value::Array(names) => names,
                name => vec![name],
            })
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    }

    /// Holds the variables against the form, takes over the types that it knows, and completes them with its defaults.
    pub(super) fn apply_form(&mut self, form: &Form, is_server: &dyn Fn(&str) -> bool) {
        // Null says that nobody answers, whatever an earlier source says.
        for field in &form.fields {
            if let Some(variable) = self.variables.get(&field.name)
                && matches!(&variable.content, Content::Plain(Value::Null))
            {
                self.variables.remove(&field.name);
            }
        }
        let given = self.variables.iter().map(|(name, variable)| {
            let given = match &variable.content {
                Content::Plain(value) => Given::Plain(value),
                Content::Secret(text) => Given::Secret(text.expose_secret()),
                Content::File(size) => Given::File(*size),
            };
            (name.as_str(), given)
        });
        let judgement = judge(form, &given.collect(), is_server);
        for error in judgement.errors {
            let name = error.field.split_once('.').map_or("", |(_, name)| name);
            let whence = self.variables.get(name).map_or("", whence);
            self.errors.push(FieldError {
                message: format!("{}{whence}", error.message),
                field: error.field,
            });
        }
        for name in judgement.hidden {
            if let Some(variable) = self.variables.remove(&name) {
                let whence = whence(&variable);
                self.warnings.push(format!(
                    "{name} was left out: the form does not ask for it here{whence}"
                ));
            }
        }
        for (name, value) in judgement.converted {
            self.set(&name, Content::Plain(value));
        }
        for name in judgement.secret {
            self.hide(&name);
        }
        for field in &form.fields {
            if field.default.is_some()
                && let Some(variable) = self.variables.get_mut(&field.name)
            {
                variable.overrides.insert(0, VariableSource::Form);
            }
        }
        for (name, value) in judgement.defaults {
            let variable = Variable {
                content: Content::Plain(value),
                source: VariableSource::Form,
                overrides: Vec::new(),
            };
            self.variables.insert(name, variable);
        }
    }

    /// Sees to it that every variable which the playbook asks for has a value: without a terminal Ansible would go on with the
    /// text `None`. What the form asks for and nobody has to answer is empty, as if Enter had been pressed.
    pub(super) fn apply_prompts(&mut self, prompts: &[Prompt], form: Option<&Form>) {
        for prompt in prompts {
            let name = &prompt.name;
            let is_in_form = form.is_some_and(|form| form.field(name).is_some());
            match self.variables.get(name).map(|variable| &variable.content) {
                Some(Content::Plain(Value::Null)) | None => {
                    self.variables.remove(name);
                    if prompt.has_default {
                        continue;
                    }
                    if !is_in_form {
                        self.errors.push(unanswered(prompt));
                        continue;
                    }
                    let empty = Variable {
                        content: Content::Plain("".into()),
                        source: VariableSource::Form,
                        overrides: Vec::new(),
                    };
                    self.variables.insert(name.clone(), empty);
                    if prompt.private {
                        self.hide(name);
                    }
                }
                // A secret is seldom empty on purpose, and easily for want of one that was kept.
                Some(Content::Secret(text)) if text.expose_secret().is_empty() && prompt.private && !is_in_form => {
                    self.errors.push(unanswered(prompt));
                }
                Some(Content::Plain(value)) if prompt.private => {
                    match value {
                        Value::String(_) => {}
                        // As it would have been typed.
                        Value::Number(number) => self.set(name, Content::Plain(number.to_string().into())),
                        _ if is_in_form => continue,
                        _ => {
                            self.errors.push(FieldError {
                                field: format!("variables.{name}"),
                                message: "must be text: the playbook asks for it as a secret".to_owned(),
                            });
                        }
                    }
                    self.hide(name);
                }
                Some(_) => {}
            }
        }
    }

    /// Makes passwords secrets, whichever way they were given.
    pub(super) fn hide_passwords(&mut self) {
        for name in variable_names::PASSWORDS {
            if let Some(Content::Plain(Value::Number(number))) = self.variables.get(name).map(|found| &found.content) {
                let text = number.to_string();
                self.set(name, Content::Plain(text.into()));
            }
            self.hide(name);
        }
    }

    fn set(&mut self, name: &str, content: Content) {
        if let Some(variable) = self.variables.get_mut(name) {
            variable.content = content;
        }
    }

    /// Makes a text a secret.
    fn hide(&mut self, name: &str) {
        if let Some(variable) = self.variables.get_mut(name)
            && let Content::Plain(Value::String(text)) = &mut variable.content
        {
            variable.content = Content::Secret(SecretString::from(std::mem::take(text)));
        }
    }

    /// The plain variables.
    pub(super) fn plain(&self) -> Map<String, Value> {
        let plain = self
            .variables
            .iter()
            .filter_map(|(name, variable)| match &variable.content {
                Content::Plain(value) => Some((name.clone(), value.clone())),
                _ => None,
            });
        plain.collect()
    }

    /// The secret ones.
    pub(super) fn secret(&self) -> BTreeMap<String, SecretString> {
        let secret = self
            .variables
            .iter()
            .filter_map(|(name, variable)| match &variable.content {
                Content::Secret(text) => Some((name.clone(), text.clone())),
                _ => None,
            });
        secret.collect()
    }

    /// Names of those that are files.
    pub(super) fn file_names(&self) -> Vec<String> {
        let files = self
            .variables
            .iter()
            .filter(|(_, variable)| matches!(variable.content, Content::File(_)));
        files.map(|(name, _)| name.clone()).collect()
    }

    /// Where each has its value from.
    pub(super) fn sources(&self) -> BTreeMap<String, VariableSource> {
        let sources = self
            .variables
            .iter()
            .map(|(name, variable)| (name.clone(), variable.source));
        sources.collect()
    }
}

/// Added to a message about a variable that the launch itself does not give.
pub(super) fn whence(variable: &Variable) -> &'static str {
    match variable.source {
        VariableSource::Environment => " (its value is the environment's)",
        VariableSource::Preset => " (its value is the preset's)",
        VariableSource::Launch | VariableSource::Form => "",
    }
}

fn unanswered(prompt: &Prompt) -> FieldError {
    let place = if prompt.private {
        "secret_variables"
    } else {
        "variables"
    };
    let message = match &prompt.unanswerable {
        Some(reason) => format!("is asked for by the playbook (vars_prompt), but no launch can answer: it {reason}"),
        None => "is asked for by the playbook (vars_prompt) and has no default: give it a value".to_owned(),
    };
    FieldError {
        field: format!("{place}.{}", prompt.name),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::{FieldOrigin, FormField, ShownWhen};
    use proptest::prelude::*;
    use serde_json::json;

    fn layer(source: VariableSource, variables: &Value, secret: &[(&str, &str)]) -> Layer {
        Layer {
            source,
            variables: variables.as_object().unwrap().clone(),
            secret_variables: secret
                .iter()
                .map(|(name, text)| ((*name).to_owned(), SecretString::from(*text)))
                .collect(),
            files: BTreeMap::new(),
        }
    }

    fn field(name: &str, field_type: FieldType, change: impl FnOnce(&mut FormField)) -> FormField {
        let mut field = FormField::new(name, field_type, FieldOrigin::Form);
        change(&mut field);
        field
    }

    fn told(merged: &Merged) -> Value {
        let variables = merged.variables.iter().map(|(name, variable)| {
            let value = match &variable.content {
                Content::Plain(value) => value.clone(),
                Content::Secret(text) => json!(format!("secret {}", text.expose_secret())),
                Content::File(size) => json!(format!("file {size}")),
            };
            (name.clone(), json!([value, variable.source, variable.overrides]))
        });
        Value::Object(variables.collect())
    }

    #[test]
    fn later_sources_win_and_the_others_are_told() {
        let form = Form {
            fields: vec![
                field("port", FieldType::Number, |f| f.default = Some(json!(80))),
                field("zone", FieldType::Text, |f| f.default = Some(json!("eu"))),
                field("password", FieldType::Secret, |f| f.required = true),
                field("gone", FieldType::Text, |f| {
                    f.shown_when = Some(ShownWhen {
                        field: "zone".into(),
                        equals: json!("us"),
                    });
                }),
            ],
        };
        let mut merged = merge(vec![
            layer(
                VariableSource::Environment,
                &json!({"port": 1, "extra": "e", "zone": "us"}),
                &[("password", "env")],
            ),
            layer(
                VariableSource::Preset,
                &json!({"port": "2", "password": "plain", "gone": "x"}),
                &[("token", "t")],
            ),
            layer(
                VariableSource::Launch,
                &json!({"port": "3", "zone": null, "token": [1]}),
                &[],
            ),
        ]);
        merged.apply_form(&form, &|_| true);
        assert_eq!(
            told(&merged),
            json!({
                "extra": ["e", "environment", []],
                "password": ["secret plain", "preset", ["environment"]],
                "port": [3, "launch", ["form", "environment", "preset"]],
                "token": [[1], "launch", ["preset"]],
                "zone": ["eu", "form", []],
            })
        );
        assert_eq!(merged.errors, []);
        assert_eq!(merged.warnings.len(), 1);
        assert!(merged.warnings[0].contains("gone") && merged.warnings[0].contains("preset"));
    }

    #[test]
    fn what_a_playbook_asks_for_has_a_value() {
        let prompt = |name: &str, private, has_default, unanswerable: Option<&str>| Prompt {
            name: name.to_owned(),
            private,
            has_default,
            unanswerable: unanswerable.map(str::to_owned),
        };
        let prompts = [
            prompt("user", false, false, None),
            prompt("pin", true, false, None),
            prompt("port", false, true, None),
            prompt("ansible_user", false, false, Some("is reserved")),
            prompt("given", true, false, None),
            prompt("formed", false, false, None),
        ];
        let form = Form {
            fields: vec![field("formed", FieldType::Text, |_| {})],
        };
        let mut merged = merge(vec![layer(
            VariableSource::Launch,
            &json!({"given": 1234, "pin": null}),
            &[],
        )]);
        merged.apply_prompts(&prompts, Some(&form));
        let fields: Vec<&str> = merged.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            ["variables.user", "secret_variables.pin", "variables.ansible_user"]
        );
        assert_eq!(
            told(&merged),
            json!({"given": ["secret 1234", "launch", []], "formed": ["", "form", []]})
        );
        merged.errors.clear();
        merged.variables.remove("formed");
        merged.apply_prompts(&prompts, None);
        assert_eq!(merged.errors.len(), 4);
        let mut merged = merge(vec![layer(VariableSource::Launch, &json!({}), &[("given", "")])]);
        merged.apply_prompts(&prompts[4..5], None);
        assert_eq!(merged.errors[0].field, "secret_variables.given");
    }

    proptest! {
        /// Whatever the sources hold, each name has the value of the last one that has it.
        #[test]
        fn the_last_source_wins(
            a in prop::collection::btree_map("[a-e]", 0..9i32, 0..5),
            b in prop::collection::btree_map("[a-e]", 0..9i32, 0..5),
            c in prop::collection::btree_map("[a-e]", 0..9i32, 0..5),
        ) {
            let sources = [VariableSource::Environment, VariableSource::Preset, VariableSource::Launch];
            let layers = [&a, &b, &c].into_iter().zip(sources).map(|(values, source)| layer(source, &json!(values), &[]));
            let merged = merge(layers.collect());
            let mut expected = a.clone();
            expected.extend(b.clone());
            expected.extend(c.clone());
            prop_assert_eq!(Value::Object(merged.plain()), json!(expected));
            for (name, variable) in &merged.variables {
                let holders: Vec<_> = [&a, &b, &c].into_iter().zip(sources).filter(|(values, _)| values.contains_key(name)).map(|(_, s)| s).collect();
                let mut told = variable.overrides.clone();
                told.push(variable.source);
                prop_assert_eq!(told, holders);
            }
        }
    }
}
