//! A YAML document as a tree that knows where each of its nodes stands.

use serde_json::{Number, Value};

/// One node of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::playbooks) struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its tag as it is written, such as `!vault`; `None` when it has none.
    pub tag: Option<String>,
    /// From 1. A node that an alias stands for keeps the places of what is in it.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::playbooks) enum Kind {
    /// Keys and values in order of appearance, with merged ones at the end. Of equal keys the last one counts.
    Mapping(Vec<(Node, Node)>),
    /// Items in order.
    Sequence(Vec<Node>),
    /// A text; what it means depends on its style.
    Scalar {
        /// After unescaping and folding.
        text: String,
        /// How it is written.
        style: Style,
    },
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::playbooks) enum Style {
    /// Without quotes: `yes` is a boolean, nothing at all is null.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// `|`: its lines are lines of the file.
    Literal,
    /// `>`.
    Folded,
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that holds something: neither nothing at all nor a plain `null` or `~`.
    pub fn value(&self) -> Option<&str> {
        self.text().filter(|_| !self.is_null())
    }

    /// Whether it is YAML's null.
    pub fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar {
                text,
                style: Style::Plain,
            } => self.tag.is_none() && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// Keys and values, when it is a mapping.
    pub fn pairs(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Mapping(pairs) => pairs,
            _ => &[],
        }
    }

    /// Whether it is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping(_))
    }

    /// The items, when it is a sequence.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Whether it is a sequence.
    pub fn is_sequence(&self) -> bool {
        matches!(self.kind, Kind::Sequence(_))
    }

    /// The items of a sequence, or the node itself when it is a scalar that holds something: Ansible takes one for the other.
    pub fn items_or_self(&self) -> &[Node] {
        match &self.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar { .. } if !self.is_null() => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// The value of a key of a mapping; of equal keys the last one's.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.pairs()
            .iter()
            .rev()
            .find(|(name, _)| name.text() == Some(key))
            .map(|(_, value)| value)
    }

    /// The value of a key that holds a text.
    pub fn get_text(&self, key: &str) -> Option<&str> {
        self.get(key)?.value()
    }

    /// What Ansible's own conversion makes of it, where a boolean is wanted; `None` when that is only known at run time.
    pub fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Some(false),
            _ => None,
        }
    }

    /// It without places: plain texts as what YAML 1.1 takes them for, and those with a tag as texts.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar {
                text,
                style: Style::Plain,
            } if self.tag.is_none() => resolve(text),
            Kind::Scalar { text, .. } => Value::from(text.as_str()),
            Kind::Sequence(items) => items.iter().map(Self::to_value).collect(),
            Kind::Mapping(pairs) => {
                let known = pairs
                    .iter()
                    .filter_map(|(key, value)| Some((key.text()?.to_owned(), value)));
                // Of equal keys the last one counts.
                Value::Object(known.map(|(key, value)| (key, value.to_value())).collect())
            }
        }
    }

    /// The file's line that the given line of its text, from 0, stands in; its own where that cannot be told.
    pub fn line_of(&self, line_of_text: usize) -> u32 {
        match &self.kind {
            // Its own line is that of the first one that is not blank.
            Kind::Scalar {
                text,
                style: Style::Literal,
            } => {
                let blank = text.chars().take_while(|c| *c == '\n').count();
                self.line
                    .saturating_add(line_of_text as u32)
                    .saturating_sub(blank as u32)
                    .max(1)
            }
            _ => self.line,
        }
    }
}

/// What a text without quotes is. Numbers are decimal: others are text, which is refused where a number is wanted.
fn resolve(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => return Value::Null,
        "true" | "yes" | "on" => return Value::Bool(true),
        "false" | "no" | "off" => return Value::Bool(false),
        _ => {}
    }
    let is_number = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    if is_number {
        if let Ok(integer) = text.parse::<i64>() {
            return integer.into();
        }
        if let Some(number) = text.parse().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::from(text)
}
