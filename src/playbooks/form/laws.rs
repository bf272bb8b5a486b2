//! What holds for every form: it is written and read back alike, and no text is too strange to be read.

use super::{parse, render};
use crate::domain::form::{FieldOrigin, FieldType, Form, FormField, ShownWhen};
use proptest::prelude::*;
use serde_json::{Number, Value};

const STRANGE: &str = "[ -~éü€😀\n\t\u{7f}\u{85}\u{2028}\u{feff}]{1,12}";

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        STRANGE,
        prop::sample::select(vec![
            "yes",
            "No",
            "null",
            "~",
            "1.10",
            "0x1",
            "- a",
            "a: b",
            "a #b",
            "{{ x }}",
            " a",
            "a ",
            "''",
            "\"",
            "!x",
            "&a",
            "*a",
            "---",
            "1e3",
            "Infinity",
            ".nan",
            "2026-01-01",
            "=",
            "<<",
            "%a",
            "@",
            "`",
            "on and on",
            "null and void",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Forms without faults; shown_when looks at the field before, where that has texts.
fn form() -> impl Strategy<Value = Form> {
    let number = || {
        prop_oneof![
            (-1000i64..1000).prop_map(Number::from),
            (-1e30..1e30f64).prop_filter_map("finite", Number::from_f64),
        ]
    };
    let field = (
        prop::sample::select(FieldType::ALL),
        "[ -~éü]{0,8}[a-z]",
        prop::option::of(text()),
        any::<bool>(),
        prop::collection::btree_set(text(), 1..4),
        text(),
        number(),
        any::<[bool; 5]>(),
    );
    prop::collection::vec(field, 0..6).prop_map(|parts| {
        let mut form = Form::default();
        for (index, (field_type, label, help, required, choices, text, number, coins)) in parts.into_iter().enumerate()
        {
            let mut field = FormField::new(format!("v{index}"), field_type, FieldOrigin::Form);
            field.required = required;
            field.help = help;
            if coins[0] {
                field.label = label;
            }
            let choices: Vec<String> = choices.into_iter().collect();
            let default = match field_type {
                FieldType::Text | FieldType::Server => Some(Value::from(text)),
                FieldType::Number => Some(Value::Number(number.clone())),
                FieldType::Boolean => Some(Value::from(coins[1])),
                FieldType::Choice => Some(Value::from(choices[0].as_str())),
                FieldType::MultiChoice => Some(Value::from(choices.clone())),
                FieldType::Secret | FieldType::File => None,
            };
            field.default = default.filter(|_| coins[2]);
            match field_type {
                FieldType::Choice | FieldType::MultiChoice => field.choices = choices,
                FieldType::Text => field.pattern = coins[3].then(|| r"(?s)'?.*\d*".to_owned()),
                FieldType::Number => field.min = coins[3].then(|| number.clone()),
                _ => {}
            }
            if coins[4]
                && let Some(other) = form.fields.last()
                && let Some(equals) = other.default.clone().filter(|value| !value.is_array())
            {
                field.shown_when = Some(ShownWhen {
                    field: other.name.clone(),
                    equals,
                });
            }
            form.fields.push(field);
        }
        form
    })
}

proptest! {
    #[test]
    fn a_form_is_written_and_read_back(form in form()) {
        prop_assert_eq!(form.faults(), vec![]);
        let text = render(&form);
        let read = parse("x.form.yml", &text);
        prop_assert_eq!(read, Ok(form), "{}", text);
    }

    #[test]
    fn any_text_is_a_form_or_has_findings(text in "[ a-z:\\-\\[\\]{}'\"\n#&*!|>0-9]{0,80}") {
        if let Err(findings) = parse("x", &text) {
            prop_assert!(!findings.is_empty());
        }
    }
}
