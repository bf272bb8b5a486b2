//! The form's file, read with the line and column of everything that is wrong in it.

use super::located::{self, Located, Node, Place};
use crate::{
    domain::{
        finding::{Finding, Severity},
        form::{FieldOrigin, FieldType, Form, FormField, ShownWhen},
    },
    inventory::variable_names,
};
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// Longest file, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// As many faults are told at once.
const MAX_FINDINGS: usize = 100;
/// The rule's name in findings.
const RULE: &str = "form";

const KEYS: [&str; 11] = [
    "name",
    "type",
    "label",
    "help",
    "required",
    "default",
    "choices",
    "pattern",
    "min",
    "max",
    "shown_when",
];

/// Reads the form in `text`, which stands at `path`. The error names every fault with its line and column, at least one.
pub fn parse(path: &str, text: &str) -> Result<Form, Vec<Finding>> {
    let mut reader = Reader {
        path,
        findings: Vec::new(),
    };
    if text.len() > MAX_BYTES {
        reader.report(None, format!("the file must be at most {MAX_BYTES} bytes long"));
        return Err(reader.findings);
    }
    let document = match located::read(text) {
        Ok(document) => document,
        Err(unreadable) => {
            reader.report(Some(unreadable.place), unreadable.message);
            return Err(reader.findings);
        }
    };
    let (form, places) = reader.form(&document);
    if reader.findings.is_empty() {
        for fault in form.faults() {
            let places = fault.field.and_then(|index| places.get(index));
            let place = places.map_or(document.place, |places| places.of(fault.key));
            reader.report(Some(place), format!("{} {}", fault.key, fault.message));
        }
        for (field, places) in form.fields.iter().zip(&places) {
            // What no launch could set is told now.
            if crate::domain::form::is_variable_name(&field.name)
                && let Some(reason) = variable_names::refuse_in_deployment(&field.name)
            {
                reader.report(Some(places.of("name")), format!("name {} {reason}", field.name));
            }
        }
    }
    reader.findings.truncate(MAX_FINDINGS);
    if reader.findings.is_empty() {
        Ok(form)
    } else {
        reader.findings.sort();
        Err(reader.findings)
    }
}

/// Where a field and its keys stand.
struct FieldPlaces {
    start: Place,
    keys: BTreeMap<String, Place>,
}

impl FieldPlaces {
    fn of(&self, key: &str) -> Place {
        self.keys.get(key).copied().unwrap_or(self.start)
    }
}

struct Reader<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn report(&mut self, place: Option<Place>, message: impl Into<String>) {
        if self.findings.len() > MAX_FINDINGS {
            return;
        }
        self.findings.push(Finding {
            path: self.path.to_owned(),
            line: place.map(|place| place.0),
            column: place.map(|place| place.1),
            severity: Severity::Error,
            rule: RULE.to_owned(),
            message: message.into(),
        });
    }

    fn form(&mut self, document: &Located) -> (Form, Vec<FieldPlaces>) {
        let (mut form, mut places) = (Form::default(), Vec::new());
        let Node::Map(entries) = &document.node else {
            self.report(Some(document.place), "a form is a map with the key fields");
            return (form, places);
        };
        let mut found = false;
        for (key, place, value) in entries {
            match (key.as_str(), &value.node) {
                ("fields", Node::List(items)) => {
                    found = true;
                    for item in items {
                        if let Some((field, at)) = self.field(item) {
                            form.fields.push(field);
                            places.push(at);
                        }
                    }
                }
                ("fields", _) => {
                    found = true;
                    self.report(Some(value.place), "fields must be a list of fields");
                }
                _ => self.report(Some(*place), format!("{key} is no key of a form: there is only fields")),
            }
        }
        if !found {
            self.report(Some(document.place), "the key fields is missing");
        }
        (form, places)
    }

    fn field(&mut self, item: &Located) -> Option<(FormField, FieldPlaces)> {
        let Node::Map(entries) = &item.node else {
            self.report(Some(item.place), "a field is a map with the keys name and type");
            return None;
        };
        let mut places = FieldPlaces {
            start: item.place,
            keys: BTreeMap::new(),
        };
        let mut field = FormField::new("", FieldType::Text, FieldOrigin::Form);
        let (mut has_type, mut label) = (false, None);
        for (key, place, value) in entries {
            if !KEYS.contains(&key.as_str()) {
                let known = KEYS.join(", ");
                self.report(Some(*place), format!("{key} is no key of a field; there are: {known}"));
                continue;
            }
            places.keys.insert(key.clone(), value.place);
            match key.as_str() {
                "name" => field.name = self.text(key, value).unwrap_or_default(),
                "type" => {
                    has_type = true;
                    field.field_type = self.field_type(value).unwrap_or(FieldType::Text);
                }
                "label" => label = self.text(key, value),
                "help" => field.help = self.text(key, value),
                "required" => match value.node {
                    Node::Scalar(Value::Bool(required)) => field.required = required,
                    _ => self.report(Some(value.place), "required must be true or false"),
                },
                "default" => field.default = Some(value.value()).filter(|value| !value.is_null()),
                "choices" => field.choices = self.texts(key, value),
                "pattern" => field.pattern = self.text(key, value),
                "min" => field.min = self.number(key, value),
                "max" => field.max = self.number(key, value),
                _ => field.shown_when = self.shown_when(value),
            }
        }
        for (key, missing) in [("name", !places.keys.contains_key("name")), ("type", !has_type)] {
            if missing {
                self.report(Some(item.place), format!("the key {key} is missing"));
            }
        }
        field.label = label.unwrap_or_else(|| field.name.clone());
        Some((field, places))
    }

    fn text(&mut self, key: &str, value: &Located) -> Option<String> {
        if let Node::Scalar(Value::String(text)) = &value.node {
            return Some(text.clone());
        }
        let hint = match &value.node {
            Node::Scalar(value) if !value.is_null() => ": put it into quotes",
            _ => "",
        };
        self.report(Some(value.place), format!("{key} must be text{hint}"));
        None
    }

    fn texts(&mut self, key: &str, value: &Located) -> Vec<String> {
        let Node::List(items) = &value.node else {
            self.report(Some(value.place), format!("{key} must be a list of texts"));
            return Vec::new();
        };
        let what = format!("each of {key}");
        items.iter().filter_map(|item| self.text(&what, item)).collect()
    }

    fn number(&mut self, key: &str, value: &Located) -> Option<Number> {
        if let Node::Scalar(Value::Number(number)) = &value.node {
            return Some(number.clone());
        }
        self.report(Some(value.place), format!("{key} must be a number"));
        None
    }

    fn field_type(&mut self, value: &Located) -> Option<FieldType> {
        let word = match &value.node {
            Node::Scalar(Value::String(word)) => word.parse().ok(),
            _ => None,
        };
        if word.is_none() {
            let known: Vec<&str> = FieldType::ALL.iter().map(|known| known.as_str()).collect();
            self.report(Some(value.place), format!("type must be one of: {}", known.join(", ")));
        }
        word
    }

    fn shown_when(&mut self, value: &Located) -> Option<ShownWhen> {
        const SHAPE: &str = "shown_when must be a map with the keys field and equals";
        let Node::Map(entries) = &value.node else {
            self.report(Some(value.place), SHAPE);
            return None;
        };
        let (mut field, mut equals) = (None, None);
        for (key, place, value) in entries {
            match key.as_str() {
                "field" => field = Some(self.text("shown_when.field", value).unwrap_or_default()),
                "equals" => equals = Some(value.value()),
                _ => self.report(
                    Some(*place),
                    format!("{key} is no key of shown_when: there are field and equals"),
                ),
            }
        }
        if field.is_none() || equals.is_none() {
            self.report(Some(value.place), SHAPE);
        }
        Some(ShownWhen {
            field: field?,
            equals: equals?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_is_read() {
        let text = "---\n# A comment\nfields:\n  - name: version\n    type: text\n    label: Version\n    help: What to roll out.\n    required: true\n    pattern: '\\d+\\.\\d+\\.\\d+'\n  - {name: tls, type: boolean, default: yes}\n  - name: port\n    type: number\n    min: 1\n    max: 65535\n    default: 443\n    shown_when: {field: tls, equals: true}\n";
        let form = parse("site.form.yml", text).unwrap();
        assert_eq!(
            serde_json::to_value(&form).unwrap(),
            json!({"fields": [
                {"name": "version", "type": "text", "label": "Version", "help": "What to roll out.", "required": true, "default": null,
                 "choices": [], "pattern": "\\d+\\.\\d+\\.\\d+", "min": null, "max": null, "shown_when": null, "origin": "form"},
                {"name": "tls", "type": "boolean", "label": "tls", "help": null, "required": false, "default": true,
                 "choices": [], "pattern": null, "min": null, "max": null, "shown_when": null, "origin": "form"},
                {"name": "port", "type": "number", "label": "port", "help": null, "required": false, "default": 443,
                 "choices": [], "pattern": null, "min": 1, "max": 65535, "shown_when": {"field": "tls", "equals": true}, "origin": "form"},
            ]})
        );
    }

    #[test]
    fn the_documented_form_has_every_type_and_no_fault() {
        let page = include_str!("../../../docs/forms.md");
        let example = page.split("```yaml").nth(1).and_then(|rest| rest.split("```").next());
        let form = parse("site.form.yml", example.unwrap()).unwrap();
        for field_type in FieldType::ALL {
            assert!(
                form.fields.iter().any(|field| field.field_type == *field_type),
                "{field_type}"
            );
        }
    }

    #[test]
    fn every_fault_has_its_place() {
        let table = [
            ("", 1, 1, "a form is a map"),
            ("fields: [\n", 1, 9, "no YAML"),
            ("form: []\n", 1, 1, "is no key of a form"),
            ("fields:\n  - name: x\n", 2, 5, "type is missing"),
            (
                "fields:\n  - name: x\n    type: tekst\n",
                3,
                11,
                "must be one of: text, number",
            ),
            (
                "fields:\n  - name: x\n    type: text\n    colour: red\n",
                4,
                5,
                "colour is no key",
            ),
            (
                "fields:\n  - name: x\n    type: choice\n    choices: [a, 1.10]\n",
                4,
                18,
                "put it into quotes",
            ),
            (
                "fields:\n  - name: x\n    type: text\n    pattern: '('\n",
                4,
                14,
                "regular expression",
            ),
            (
                "fields:\n  - name: x\n    type: text\n    shown_when: {field: other, equals: 1}\n",
                4,
                17,
                "which is no field",
            ),
            (
                "fields:\n  - name: x\n    type: text\n    required: maybe\n",
                4,
                15,
                "true or false",
            ),
            (
                "fields:\n  - name: x\n    type: text\n    default: 1.10\n",
                4,
                14,
                "must be text",
            ),
            ("fields:\n  - name: x\n    type: text\n    name: y\n", 4, 5, "twice"),
            (
                "fields:\n  - name: ansible_connection\n    type: text\n",
                2,
                11,
                "is reserved",
            ),
            (
                "fields:\n  - name: x\n    type: text\n  - name: x\n    type: text\n",
                4,
                11,
                "another field",
            ),
        ];
        for (text, line, column, message) in table {
            let findings = parse("x.form.yml", text).unwrap_err();
            let finding = &findings[0];
            assert!(finding.message.contains(message), "{text:?}: {findings:?}");
            assert_eq!(
                (finding.line, finding.column),
                (Some(line), Some(column)),
                "{text:?}: {findings:?}"
            );
        }
        let two = parse("x.form.yml", "fields:\n  - name: 1\n    type: 2\n  - 3\n").unwrap_err();
        assert_eq!(two.len(), 3, "{two:?}");
    }

    #[test]
    fn what_is_too_much_is_refused_quickly() {
        assert!(parse("x", &"#".repeat(MAX_BYTES + 1)).is_err());
        let many: Vec<_> = (0..300).map(|n| format!("- {{name: v{n}, type: text}}")).collect();
        let many = many.join("\n");
        assert!(
            parse("x", &format!("fields:\n{many}")).unwrap_err()[0]
                .message
                .contains("at most")
        );
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(parse("x", bomb).is_err());
        assert!(parse("x", &"[".repeat(100_000)).is_err());
    }
}
