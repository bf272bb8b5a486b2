//! What holds for every form and every answer.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..300).prop_map(Value::from),
        (-3.0..3.0f64).prop_map(Value::from),
        "[a-c,. 0-9é]{0,4}".prop_map(Value::from),
        prop::collection::vec("[a-c]", 0..3).prop_map(|items| json!(items)),
    ]
}

fn field() -> impl Strategy<Value = FormField> {
    let bound = || prop::option::of((0i64..5).prop_map(Number::from));
    (
        "[a-f]",
        prop::sample::select(FieldType::ALL),
        any::<bool>(),
        prop::option::of(value()),
        prop::collection::vec("[a-c]", 0..3),
        prop::option::of(prop::sample::select(vec!["[a-c]+", "a|b", "("]).prop_map(str::to_owned)),
        bound(),
        bound(),
        prop::option::of(("[a-g]", value()).prop_map(|(field, equals)| ShownWhen { field, equals })),
    )
        .prop_map(
            |(name, field_type, required, default, choices, pattern, min, max, shown_when)| FormField {
                required,
                default,
                choices,
                pattern,
                min,
                max,
                shown_when,
                ..FormField::new(name, field_type, FieldOrigin::Form)
            },
        )
}

proptest! {
    #[test]
    fn any_form_is_judged(
        fields in prop::collection::vec(field(), 0..7),
        answers in prop::collection::btree_map("[a-g]", value(), 0..7),
    ) {
        let form = Form { fields };
        let faults = form.faults();
        let given = answers.iter().map(|(name, value)| (name.as_str(), Given::Plain(value))).collect();
        let judgement = judge(&form, &given, &|_| true);
        if faults.is_empty() && judgement.errors.is_empty() {
            // What was accepted is accepted again once it is converted and completed.
            let mut second: BTreeMap<&str, Given<'_>> = given
                .into_iter()
                .filter(|(name, _)| !judgement.hidden.iter().any(|hidden| hidden == name))
                .collect();
            second.extend(judgement.converted.iter().map(|(name, value)| (name.as_str(), Given::Plain(value))));
            second.extend(judgement.defaults.iter().map(|(name, value)| (name.as_str(), Given::Plain(value))));
            let again = judge(&form, &second, &|_| true);
            prop_assert_eq!(again.errors, vec![]);
            prop_assert!(again.converted.is_empty() && again.defaults.is_empty() && again.hidden.is_empty());
        }
    }

    #[test]
    fn a_hidden_field_asks_for_nothing(answer in value()) {
        let mut hidden = FormField::new("x", FieldType::Text, FieldOrigin::Form);
        (hidden.required, hidden.pattern) = (true, Some("never".to_owned()));
        hidden.shown_when = Some(ShownWhen { field: "on".to_owned(), equals: json!(true) });
        let form = Form { fields: vec![FormField::new("on", FieldType::Boolean, FieldOrigin::Form), hidden] };
        let given = BTreeMap::from([("x", Given::Plain(&answer))]);
        prop_assert_eq!(judge(&form, &given, &|_| true).errors, vec![]);
    }
}
