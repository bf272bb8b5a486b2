//! Makes a tree of a YAML text, within bounds: whatever the text, neither memory nor stack run out.

use super::node::{Kind, Node, Style};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use std::collections::{HashMap, HashSet};

/// Collections within collections.
const MAX_DEPTH: usize = 100;
/// What all aliases of a text together may stand for: bytes of text, with a flat rate per node.
const MAX_ALIASED: usize = 8 * 1024 * 1024;
/// What all anchors of a text together may name, in the same measure.
const MAX_ANCHORED: usize = 32 * 1024 * 1024;
const NODE_WEIGHT: usize = 64;

/// A document, and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::playbooks) struct Document {
    /// Its content; `None` when it is empty.
    pub root: Option<Node>,
    /// Keys that a mapping has more than once: name, line and column of the later ones.
    pub repeated_keys: Vec<(String, u32, u32)>,
}

/// Why a text is no YAML that Ansible reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub(in crate::playbooks) struct YamlError {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// Reads the one document that a file of Ansible's holds.
pub(in crate::playbooks) fn parse_bytes(content: &[u8]) -> Result<Document, YamlError> {
    match std::str::from_utf8(content) {
        Ok(text) => parse(text),
        Err(error) => {
            let before = String::from_utf8_lossy(&content[..error.valid_up_to()]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Err(YamlError {
                line: line as u32,
                column: column as u32,
                message: "this is not UTF-8".to_owned(),
            })
        }
    }
}

/// Reads the one document that a file of Ansible's holds.
pub(in crate::playbooks) fn parse(text: &str) -> Result<Document, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = granit_parser::options! {
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(scan_error)?;
        builder.take(event, &span)?;
    }
    Ok(Document {
        root: builder.root,
        repeated_keys: builder.repeated_keys,
    })
}

fn scan_error(error: ScanError) -> YamlError {
    YamlError {
        line: error.marker().line().max(1) as u32,
        column: error.marker().col() as u32 + 1,
        message: error.kind().to_string(),
    }
}

/// A collection that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    /// A mapping's key whose value is still to come.
    key: Option<Node>,
    weight: usize,
    height: usize,
    seen: HashSet<String>,
}

/// What an anchor names.
struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    documents: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    anchored: usize,
    aliased: usize,
    repeated_keys: Vec<(String, u32, u32)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let start = span.start;
        let (line, column) = (start.line().max(1) as u32, start.col() as u32 + 1);
        let error = |message: &str| YamlError {
            line,
            column,
            message: message.to_owned(),
        };
        let tag = event.tag().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(error("a second document begins here; Ansible reads files with one"));
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                    _ => Style::Quoted,
                };
                let weight = text.len() + NODE_WEIGHT;
                let text = text.into_owned();
                let kind = Kind::Scalar { text, style };
                let node = Node {
                    kind,
                    tag,
                    line,
                    column,
                };
                self.finish(node, anchor, weight, 0)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Kind::Sequence(Vec::new()), tag, line, column, anchor)?,
            Event::MappingStart(_, anchor, _) => self.begin(Kind::Mapping(Vec::new()), tag, line, column, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    if let Kind::Mapping(pairs) = &mut open.node.kind {
                        merge(pairs);
                    }
                    self.finish(open.node, open.anchor, open.weight + NODE_WEIGHT, open.height + 1)?;
                }
            }
            Event::Alias(id) => {
                let Some(anchored) = self.anchors.get(&id) else {
                    return Err(error("an alias stands inside of what it is an alias for"));
                };
                self.aliased = self.aliased.saturating_add(anchored.weight);
                if self.aliased > MAX_ALIASED {
                    return Err(error("the aliases of this file stand for more than 8 MiB"));
                }
                if self.open.len() + anchored.height > MAX_DEPTH {
                    return Err(error("this is nested too deeply"));
                }
                let (weight, height) = (anchored.weight, anchored.height);
                let node = Node {
                    line,
                    column,
                    ..anchored.node.clone()
                };
                self.finish(node, 0, weight, height)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        kind: Kind,
        tag: Option<String>,
        line: u32,
        column: u32,
        anchor: usize,
    ) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError {
                line,
                column,
                message: "this is nested too deeply".to_owned(),
            });
        }
        self.open.push(Open {
            node: Node {
                kind,
                tag,
                line,
                column,
            },
            anchor,
            key: None,
            weight: 0,
            height: 0,
            seen: HashSet::new(),
        });
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, weight: usize, height: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            self.anchored = self.anchored.saturating_add(weight);
            if self.anchored > MAX_ANCHORED {
                return Err(YamlError {
                    line: node.line,
                    column: node.column,
                    message: "the anchors of this file name more than 32 MiB".to_owned(),
                });
            }
            self.anchors.insert(
                anchor,
                Anchored {
                    node: node.clone(),
                    weight,
                    height,
                },
            );
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node).filter(|node| !node.is_null());
            return Ok(());
        };
        open.weight = open.weight.saturating_add(weight);
        open.height = open.height.max(height);
        match (&mut open.node.kind, open.key.take()) {
            (Kind::Mapping(pairs), Some(key)) => pairs.push((key, node)),
            (Kind::Mapping(_), None) => {
                let Some(name) = node.text() else {
                    return Err(YamlError {
                        line: node.line,
                        column: node.column,
                        message: "a list or a mapping cannot be a key; a value that begins with {{ has to be quoted"
                            .to_owned(),
                    });
                };
                if name != "<<" && !open.seen.insert(name.to_owned()) {
                    self.repeated_keys.push((name.to_owned(), node.line, node.column));
                }
                open.key = Some(node);
            }
            (Kind::Sequence(items), _) => items.push(node),
            (Kind::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}

/// Resolves `<<`: what is merged comes after the mapping's own keys, which win, as do earlier mappings of a list.
fn merge(pairs: &mut Vec<(Node, Node)>) {
    let is_merge = |key: &Node| matches!(&key.kind, Kind::Scalar { text, style: Style::Plain } if text == "<<");
    if !pairs.iter().any(|(key, _)| is_merge(key)) {
        return;
    }
    let (merges, mut merged): (Vec<_>, Vec<_>) = std::mem::take(pairs).into_iter().partition(|(key, _)| is_merge(key));
    let mut known: HashSet<String> = merged
        .iter()
        .filter_map(|(key, _)| key.text().map(str::to_owned))
        .collect();
    let sources = merges.into_iter().flat_map(|(_, value)| match value.kind {
        Kind::Sequence(items) => items,
        _ => vec![value],
    });
    for source in sources {
        let Kind::Mapping(source) = source.kind else {
            continue;
        };
        // Of equal keys within one mapping the last one counts.
        let names: Vec<String> = source
            .iter()
            .filter_map(|(key, _)| key.text().map(str::to_owned))
            .collect();
        merged.extend(
            source
                .into_iter()
                .filter(|(key, _)| key.text().is_some_and(|name| !known.contains(name))),
        );
        known.extend(names);
    }
    *pairs = merged;
}
