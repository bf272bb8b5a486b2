//! A form's document: values with their places, each plain text as what YAML 1.1 takes it for.

use crate::playbooks::yaml::{self, Kind};
use serde_json::{Map, Value};

/// A place in a text: line and column, both from 1.
pub(super) type Place = (u32, u32);

/// A part of a document and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    /// Where it begins.
    pub(super) place: Place,
    /// What it is.
    pub(super) node: Node,
}

/// What a part of a document is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Anything but a list or a map.
    Scalar(Value),
    /// A list.
    List(Vec<Located>),
    /// A map: the keys with their places, as they stand in the document.
    Map(Vec<(String, Place, Located)>),
}

/// What is wrong with a text that is no YAML, or holds what no form can.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// Where.
    pub(super) place: Place,
    /// What.
    pub(super) message: String,
}

/// Reads one document; an empty one is null.
pub(super) fn read(text: &str) -> Result<Located, Unreadable> {
    let document = yaml::parse(text).map_err(|error| Unreadable {
        place: (error.line, error.column),
        message: format!("this is no YAML: {}", error.message),
    })?;
    if let Some((key, line, column)) = document.repeated_keys.first() {
        return Err(Unreadable {
            place: (*line, *column),
            message: format!("the key {key} stands here twice"),
        });
    }
    document.root.map_or_else(
        || {
            Ok(Located {
                place: (1, 1),
                node: Node::Scalar(Value::Null),
            })
        },
        locate,
    )
}

/// The reader bounds how deep documents nest, and so how deep this goes.
fn locate(node: yaml::Node) -> Result<Located, Unreadable> {
    let place = (node.line, node.column);
    let node = match node.kind {
        Kind::Scalar { .. } => Node::Scalar(node.to_value()),
        Kind::Sequence(items) => Node::List(items.into_iter().map(locate).collect::<Result<_, _>>()?),
        Kind::Mapping(pairs) => {
            let mut entries = Vec::new();
            for (key, value) in pairs {
                let at = (key.line, key.column);
                let Some(name) = key.text() else {
                    return Err(Unreadable {
                        place: at,
                        message: "a key must be text".to_owned(),
                    });
                };
                entries.push((name.to_owned(), at, locate(value)?));
            }
            Node::Map(entries)
        }
    };
    Ok(Located { place, node })
}

impl Located {
    /// Without the places.
    pub(super) fn value(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => items.iter().map(Self::value).collect(),
            Node::Map(entries) => {
                let entries = entries.iter().map(|(key, _, value)| (key.clone(), value.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_knows_its_place() {
        let document = read("a: 1\nb:\n  - x\n  - y: [true, ~, 1.5]\n").unwrap();
        assert_eq!(document.value(), json!({"a": 1, "b": ["x", {"y": [true, null, 1.5]}]}));
        let Node::Map(entries) = &document.node else {
            panic!("{document:?}")
        };
        assert_eq!((entries[0].1, entries[0].2.place), ((1, 1), (1, 4)));
        assert_eq!(entries[1].1, (2, 1));
        let Node::List(items) = &entries[1].2.node else {
            panic!("{document:?}")
        };
        assert_eq!(items[0].place, (3, 5));
        assert_eq!(items[1].place, (4, 5));
    }

    #[test]
    fn texts_without_quotes_are_what_yaml_takes_them_for() {
        let text = "[1, -2.5, 1e3, +4, 0x1f, 1.2.3, 1-2, yes, Off, y, n, null, '', 'yes', !!str 1, e1, '1']";
        assert_eq!(
            read(text).unwrap().value(),
            json!([
                1, -2.5, 1000.0, 4, "0x1f", "1.2.3", "1-2", true, false, "y", "n", null, "", "yes", "1", "e1", "1"
            ])
        );
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        assert_eq!(read("a: 1\na: 2\n").unwrap_err().place, (2, 1));
        assert_eq!(read("? [a]\n: 2\n").unwrap_err().place, (1, 3));
        assert!(read("a: [\n").is_err());
        assert_eq!(read("").unwrap().value(), Value::Null);
    }
}
