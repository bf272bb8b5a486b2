//! YAML as a tree that knows where each of its parts stands.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned};
use std::fmt;

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

/// What is wrong with a text that is no YAML.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// Where, if known.
    pub(super) place: Option<Place>,
    /// What.
    pub(super) message: String,
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Located, Unreadable> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.with_snippet = false;
    let spanned: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| Unreadable {
        place: error.location().and_then(known_place),
        message: error.to_string(),
    })?;
    Ok(spanned.into())
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

impl From<Spanned<Node>> for Located {
    fn from(spanned: Spanned<Node>) -> Self {
        Self {
            place: place(spanned.referenced),
            node: spanned.value,
        }
    }
}

fn known_place(location: Location) -> Option<Place> {
    let (line, column) = (
        u32::try_from(location.line()).ok()?,
        u32::try_from(location.column()).ok()?,
    );
    (line > 0).then_some((line, column.max(1)))
}

fn place(location: Location) -> Place {
    known_place(location).unwrap_or((1, 1))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        // `.nan` and `.inf` are no numbers in JSON, and none that a form could use.
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Spanned<Node>>()? {
            items.push(item.into());
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Spanned<Node>>()? {
            entries.push((key.value, place(key.referenced), value.into()));
        }
        Ok(Node::Map(entries))
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
    fn what_cannot_be_read_says_where() {
        assert_eq!(read("a: 1\na: 2\n").unwrap_err().place.unwrap().0, 2);
        assert!(read("a: [\n").unwrap_err().place.is_some());
        assert!(read("- a: 1\n b: 2\n").unwrap_err().place.is_some());
    }
}
