//! Makes a tree of a YAML text, within bounds: whatever the text, neither memory nor stack run out.

use super::node::{Kind, Node, Style};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Collections within collections.
const MAX_DEPTH: usize = 100;
/// What all aliases of a text together may stand for: bytes of text, with a flat rate per node.
const MAX_ALIASED: usize = 8 * 1024 * 1024;
/// What all anchors of a text together may name, in the same measure.
const MAX_ANCHORED: usize = 32 * 1024 * 1024;
const NODE_WEIGHT: usize = 64;
/// Quoted texts whose lines are indented less than YAML wants. Ansible reads them; the parser below does not.
const MAX_LOOSE_QUOTES: usize = 32;
/// More than any line can need that is not nested too deeply.
const LOOSE_INDENT: usize = 400;

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
    /// Ansible's own reader may see it otherwise.
    pub disputed: bool,
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
                disputed: false,
            })
        }
    }
}

/// Reads the one document that a file of Ansible's holds.
pub(in crate::playbooks) fn parse(text: &str) -> Result<Document, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut indented = BTreeSet::new();
    let mut copy = None;
    for _ in 0..MAX_LOOSE_QUOTES {
        let read = copy.as_deref().unwrap_or(text);
        match parse_once(read, &indented) {
            Ok(document) => return Ok(document),
            Err(Failure::Broken(error)) => return Err(error),
            Err(Failure::LooseQuote { line, behind }) => {
                let last = end_of_quote(read, behind, &indented)?.max(line);
                let before = indented.len();
                indented.extend(line..=last);
                if indented.len() == before {
                    return Err(loose_quote(line));
                }
                copy = Some(indent(text, &indented));
            }
        }
    }
    Err(loose_quote(indented.pop_last().unwrap_or(1)))
}

enum Failure {
    Broken(YamlError),
    /// A quoted text goes on in this line with less indentation than YAML wants. It begins behind this byte.
    LooseQuote {
        line: u32,
        behind: usize,
    },
}

fn loose_quote(line: u32) -> YamlError {
    YamlError {
        disputed: true,
        ..refuse(
            line,
            1,
            "a quoted text that goes on in the next line has to be indented further than its key",
        )
    }
}

/// The line that the first quoted text behind a byte ends in.
fn end_of_quote(text: &str, behind: usize, indented: &BTreeSet<u32>) -> Result<u32, YamlError> {
    let bytes = text.as_bytes();
    let mut at = behind;
    let mut start = None;
    while at < bytes.len() {
        let byte = bytes[at];
        match start {
            None if byte == b'#' && (at == 0 || bytes[at - 1].is_ascii_whitespace()) => {
                at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
                continue;
            }
            None if byte == b'"' || byte == b'\'' => start = Some(at),
            Some(start) if bytes[start] == b'"' && byte == b'\\' => at += 1,
            Some(start) if bytes[start] == byte => {
                if byte == b'\'' && bytes.get(at + 1) == Some(&b'\'') {
                    at += 1;
                } else {
                    return Ok(line_at(text, at));
                }
            }
            _ => {}
        }
        at += 1;
    }
    let start = start.unwrap_or(behind).min(text.len());
    let line = line_at(text, start);
    let column = text[..start].rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    Err(refuse(
        line,
        true_column(line, column, indented),
        "this quote is never closed",
    ))
}

fn line_at(text: &str, at: usize) -> u32 {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() as u32 + 1
}

impl From<YamlError> for Failure {
    fn from(error: YamlError) -> Self {
        Self::Broken(error)
    }
}

/// Indents these lines, counted from 1: within quotes that changes nothing, and Ansible reads them without.
fn indent(text: &str, lines: &BTreeSet<u32>) -> String {
    let mut copy = String::with_capacity(text.len() + lines.len() * LOOSE_INDENT);
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        if lines.contains(&line) {
            copy.extend(std::iter::repeat_n(' ', LOOSE_INDENT));
        }
        copy.push_str(content);
    }
    copy
}

fn true_column(line: u32, column: u32, indented: &BTreeSet<u32>) -> u32 {
    if indented.contains(&line) {
        column.saturating_sub(LOOSE_INDENT as u32).max(1)
    } else {
        column
    }
}

fn parse_once(text: &str, indented: &BTreeSet<u32>) -> Result<Document, Failure> {
    let mut options = granit_parser::options! {
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    let mut behind = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| scan_error(error, behind, indented))?;
        behind = span.end.byte_offset().unwrap_or(behind).max(behind);
        let (line, column) = (span.start.line().max(1) as u32, span.start.col() as u32 + 1);
        builder.take(event, line, true_column(line, column, indented))?;
    }
    Ok(Document {
        root: builder.root,
        repeated_keys: builder.repeated_keys,
    })
}

fn scan_error(error: ScanError, behind: usize, indented: &BTreeSet<u32>) -> Failure {
    let line = error.marker().line().max(1) as u32;
    if matches!(error.kind(), ErrorKind::InvalidQuotedScalarIndent) {
        return Failure::LooseQuote { line, behind };
    }
    let column = true_column(line, error.marker().col() as u32 + 1, indented);
    Failure::Broken(refuse(line, column, &error.kind().to_string()))
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
    fn take(&mut self, event: Event<'_>, line: u32, column: u32) -> Result<(), YamlError> {
        let error = |message: &str| refuse(line, column, message);
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
            return Err(refuse(line, column, "this is nested too deeply"));
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
                return Err(refuse(
                    node.line,
                    node.column,
                    "the anchors of this file name more than 32 MiB",
                ));
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
                    return Err(refuse(
                        node.line,
                        node.column,
                        "a list or a mapping cannot be a key; a value that begins with {{ has to be quoted",
                    ));
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

fn refuse(line: u32, column: u32, message: &str) -> YamlError {
    YamlError {
        line,
        column,
        message: message.to_owned(),
        disputed: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every scalar as `text@line:column`, a tag in front, in order.
    fn scalars(text: &str) -> Vec<String> {
        fn collect(node: &Node, found: &mut Vec<String>) {
            if let Some(text) = node.text() {
                let tag = node.tag.as_deref().unwrap_or_default();
                found.push(format!("{tag}{text}@{}:{}", node.line, node.column));
            }
            for item in node.items() {
                collect(item, found);
            }
            for (key, value) in node.pairs() {
                collect(key, found);
                collect(value, found);
            }
        }
        let mut found = Vec::new();
        collect(&parse(text).unwrap().root.unwrap(), &mut found);
        found
    }

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_node_knows_its_place() {
        for (text, expected) in [
            (
                "- a: b\n  c: [d, 'e']\n",
                vec!["a@1:3", "b@1:6", "c@2:3", "d@2:7", "e@2:10"],
            ),
            (
                "\u{feff}# x\r\na: |\r\n\r\n  b\r\n  c\r\n",
                vec!["a@2:1", "\nb\nc\n@4:3"],
            ),
            (
                "a: !vault |\n  x\nb: !unsafe '{{ y }}'\n",
                vec!["a@1:1", "!vaultx\n@2:3", "b@3:1", "!unsafe{{ y }}@3:12"],
            ),
            ("ü: ä\n", vec!["ü@1:1", "ä@1:4"]),
            (
                "a: &x {b: c}\nd: *x\n",
                vec!["a@1:1", "b@1:8", "c@1:11", "d@2:1", "b@1:8", "c@1:11"],
            ),
            ("--- # x\n- a\n...\n", vec!["a@2:3"]),
            (
                "a: \"b\nc\"\nd: 'e\n  f'\n",
                vec!["a@1:1", "b c@1:4", "d@3:1", "e f@3:4"],
            ),
            (
                "- x: \"a # b\n  c\" # \"\n  y: d\n",
                vec!["x@1:3", "a # b c@1:6", "y@3:3", "d@3:6"],
            ),
        ] {
            assert_eq!(scalars(text), expected, "{text:?}");
        }
    }

    #[test]
    fn merged_and_repeated_keys() {
        let text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 5\n  d: 6\n  d: 7\n";
        let document = parse(text).unwrap();
        let root = document.root.unwrap();
        let z = root.get("z").unwrap();
        let value = |name| z.get_text(name).unwrap();
        assert_eq!([value("a"), value("b"), value("c"), value("d")], ["5", "2", "4", "7"]);
        assert!(z.get("<<").is_none());
        assert_eq!(document.repeated_keys, [("d".to_owned(), 7, 3)]);
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", "\n", "# x\n", "---\n", "~\n", "null\n"] {
            assert_eq!(parse(text).unwrap().root, None, "{text:?}");
        }
        let document = parse("a:\nb: ~\nc: ''\nd: !vault ''\n").unwrap().root.unwrap();
        let is_null = |name| document.get(name).unwrap().is_null();
        assert_eq!(
            [is_null("a"), is_null("b"), is_null("c"), is_null("d")],
            [true, true, false, false]
        );
    }

    #[test]
    fn errors_say_where() {
        for (text, expected) in [
            ("a: b: c\n", "line 1, column 5: "),
            ("a:\n  - b\n c: d\n", "line 3, column 2: "),
            (
                "a: {{ b }}\n",
                "line 1, column 5: a list or a mapping cannot be a key; a value that begins with {{",
            ),
            ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document"),
            ("a: 'b\n", "line 1, column 4: this quote is never closed"),
            ("- a: \"b\n- c: d\n", "line 1, column 6: this quote is never closed"),
            ("a: *b\n", "line 1, column 4: "),
            ("a: &b [*b]\n", "line 1, column 8: an alias stands inside"),
            ("a:\n\tb: c\n", "line 2, column "),
            ("a: \"\\d\"\n", "line 1, column "),
        ] {
            assert!(error(text).starts_with(expected), "{text:?}: {}", error(text));
        }
        let bytes = parse_bytes(b"a: 1\nb: \xc3\xa4\xff\n").unwrap_err();
        assert_eq!((bytes.line, bytes.column), (2, 5));
        // A quote that is closed by another text's is named where it goes wrong.
        let error = parse("- a: \"b\n  c: \"d\"\n").unwrap_err();
        assert_eq!((error.line, error.disputed), (2, false));
        assert!(error.column <= 8, "{error}");
    }

    #[test]
    fn loosely_indented_quotes_have_an_end() {
        let one = "- a: \"b\n  c\n\n  d\"\n";
        assert!(parse(&one.repeat(MAX_LOOSE_QUOTES - 1)).is_ok());
        assert!(parse(&one.repeat(MAX_LOOSE_QUOTES + 1)).unwrap_err().disputed);
        let long = format!("- a: 'b\n{}'\n", "  c\n".repeat(5000));
        assert!(parse(&long).is_ok());
    }
}
