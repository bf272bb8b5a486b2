//! Replaces the secrets that a run prints before anything of it is stored.
//!
//! A secret seldom appears as it was given: it is escaped for JSON inside YAML inside JSON, quoted for a shell, folded at 80 columns,
//! coloured, cut into the lines of a list, or encoded in base64. Searching for every combination would take hundreds of texts per
//! secret. Instead, an `index` of a few letters in a row says where in a text a secret may be, in one pass and for all secrets at
//! once. There, the text is compared character by character with the secret (`matching`), by rules that know how programs write
//! a character (`written`, `escapes`) and what they put between two of them (`gaps`). What matches is replaced if it is a whole
//! secret, a whole line of one, or a piece that is too long to be a coincidence (`forms`).
//!
//! A value that went through a hash, a cipher, a compressor or another computation is not found.

mod beginnings;
mod encoded;
mod escapes;
mod event;
mod forms;
mod gaps;
mod held;
mod index;
mod matching;
#[cfg(test)]
mod tests;
mod weak;
mod written;

pub use held::HeldOutput;
pub use weak::{Weakness, weakness};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use beginnings::Beginnings;
use forms::{Encoding, Form, Secret};
use index::Index;
use matching::Matcher;
use memchr::memmem;
use serde_json::Value;
use std::{collections::BTreeSet, fmt, ops::Range};
use zeroize::Zeroizing;

/// Takes the place of a secret.
pub const REPLACEMENT: &str = "********";
/// Secrets shorter than this, in bytes, are not replaced: replacing every `1` would make the output unreadable and hide nothing.
pub const SHORTEST: usize = 4;
/// If a secret is JSON, the strings in it are secrets as well if they are at least this long.
const SHORTEST_VALUE: usize = 8;
/// If a secret is base64 of text and at least this long, that text is a secret as well.
const SHORTEST_ENCODED: usize = 16;
/// Base64 is decoded this many times.
const DEEPEST: usize = 2;
/// The callback plugin writes this where it cuts a text.
const CUT_MARK: &[u8] = b"[truncated ";
/// The character before it, as it is and in JSON.
const CUT_MARK_BEGINS: [&[u8]; 2] = ["…".as_bytes(), b"\\u2026"];
/// So many cuts are looked at in one text. Each takes a fraction of a millisecond, and a hostile run could write nothing but marks of cuts.
const MOST_CUTS: usize = 256;
/// A piece of a public text may be extended by this many characters at either end that match by chance.
const MOST_BY_CHANCE: usize = 3;

/// Knows the secrets of a run and replaces them in events and in output.
#[derive(Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
    index: Box<Index>,
    /// Texts that are not secret although secrets contain them, such as the public half of a key.
    public: Vec<String>,
    /// Names of hosts, which events keep.
    hosts: BTreeSet<String>,
    beginnings: Box<Beginnings>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

/// What follows the end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More text may follow.
    Open,
    /// Nothing follows.
    Whole,
    /// The text was cut off.
    Cut,
}

/// The secrets in a text.
#[derive(Debug, Default)]
struct Found {
    /// Where they are, in order and without overlaps.
    secrets: Vec<Range<usize>>,
    /// From here on, the text may turn out to be a secret once more of it is known.
    open: Option<usize>,
}

impl Found {
    fn wait_from(&mut self, begin: usize) {
        self.open = Some(self.open.map_or(begin, |open| open.min(begin)));
    }

    /// Sorts the secrets, merges those that overlap, and never waits for a part of one of them.
    fn settle(&mut self) {
        self.secrets.sort_unstable_by_key(|range| (range.start, range.end));
        self.secrets.dedup_by(|next, kept| {
            let touches = next.start <= kept.end;
            if touches {
                kept.end = kept.end.max(next.end);
            }
            touches
        });
        if let Some(open) = &mut self.open
            && let Some(around) = self.secrets.iter().find(|range| range.contains(open))
        {
            *open = around.start;
        }
    }
}

impl Redactor {
    /// Looks for these secrets. White space around them does not count.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut known = Vec::new();
        for secret in secrets {
            add_with_content(secret.trim_ascii(), &mut known);
        }
        known.sort_unstable_by(|a, b| a.as_slice().cmp(b));
        known.dedup();
        let secrets: Vec<Secret> = known.iter().map(|bytes| Secret::new(bytes)).collect();
        Self {
            index: Box::new(Index::new(&secrets)),
            beginnings: Box::new(Beginnings::new(&secrets)),
            secrets,
            ..Self::default()
        }
    }

    /// Keeps pieces of secrets that are part of one of these texts.
    #[must_use]
    pub fn sparing(mut self, public: impl IntoIterator<Item = String>) -> Self {
        self.public.extend(public);
        self
    }

    /// Keeps these names where an event says which host it is about, even if a secret is equal to one of them.
    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = String>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The line of an event without the secrets; `None` if it holds none.
    pub fn redact_line(&self, line: &str) -> Option<String> {
        if self.find(line.as_bytes(), End::Whole).secrets.is_empty() {
            return None;
        }
        event::redact(self, line)
    }

    /// The text without the secrets; `None` if it holds none.
    pub fn redact_text(&self, text: &str) -> Option<String> {
        let found = self.find(text.as_bytes(), End::Whole).secrets;
        (!found.is_empty()).then(|| into_text(replaced(text.as_bytes(), &found)))
    }

    /// The name of a host as events show it.
    pub fn redact_host(&self, name: &str) -> Option<String> {
        if self.hosts.contains(name) {
            return None;
        }
        self.redact_text(name)
    }

    fn find(&self, text: &[u8], end: End) -> Found {
        self.find_within(text, end, 0)
    }

    /// `depth` is the number of times that the text was encoded.
    fn find_within(&self, text: &[u8], end: End, depth: usize) -> Found {
        let mut found = Found::default();
        if self.is_empty() {
            return found;
        }
        let mut cuts = cut_marks(text);
        if end == End::Cut {
            cuts.push(text.len());
        }
        let mut matcher = Matcher::new(text);
        self.index.search(text, |place, at| {
            let form = self.form(place.form);
            let Some(part) = matcher.follow(form, place, at) else {
                return;
            };
            if end == End::Open && part.is_open {
                found.wait_from(part.text.start);
            }
            let is_cut = cuts
                .iter()
                .any(|cut| part.text.end <= *cut && gaps::may_continue(&text[..*cut], part.text.end));
            if self.is_secret(form, &part.tokens, is_cut) {
                matcher.cover(place.form, part.text.clone());
                found.secrets.push(part.text);
            }
        });
        for run in encoded::runs(text).filter(|_| depth < DEEPEST) {
            for decoded in run.decoded() {
                let secrets = self.find_within(&decoded.bytes, End::Whole, depth + 1).secrets;
                found.secrets.extend(secrets.iter().map(|secret| decoded.place(secret)));
            }
        }
        for cut in cuts {
            self.beginnings.all(
                &text[..cut],
                |number| self.form(number),
                |form, part| {
                    if self.is_secret(form, &part.tokens, true) {
                        found.secrets.push(part.text);
                    }
                },
            );
        }
        if end == End::Open
            && let Some(begin) = self.beginnings.first(text, |number| self.form(number))
        {
            found.wait_from(begin);
        }
        found.settle();
        found
    }

    fn is_secret(&self, form: Form<'_>, tokens: &Range<usize>, is_cut: bool) -> bool {
        if !form.is_secret(tokens, is_cut) {
            return false;
        }
        if self.public.is_empty() || tokens.len() == form.len() || form.holds_line(tokens) {
            return true;
        }
        let text = form.text(tokens);
        let is_public = |public: &String| {
            (0..=MOST_BY_CHANCE).any(|first| {
                (0..=MOST_BY_CHANCE).any(|last| {
                    let end = text.len().saturating_sub(last);
                    text.get(first..end).is_some_and(|text| public.contains(text))
                })
            })
        };
        !self.public.iter().any(is_public)
    }

    fn form(&self, number: u32) -> Form<'_> {
        let (secret, encoding) = (
            number as usize / Encoding::ALL.len(),
            number as usize % Encoding::ALL.len(),
        );
        Form {
            secret: &self.secrets[secret],
            encoding: Encoding::ALL[encoding],
        }
    }
}

/// The places in an event at which a text was cut.
fn cut_marks(text: &[u8]) -> Vec<usize> {
    let marks = memmem::find_iter(text, CUT_MARK);
    let begin_of = |mark: usize| {
        let before = CUT_MARK_BEGINS
            .iter()
            .find_map(|begin| text[..mark].strip_suffix(*begin))?;
        let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        Some(before.len() - backslashes)
    };
    marks.filter_map(begin_of).take(MOST_CUTS).collect()
}

/// Adds a secret and, if it is JSON, base64 or escaped, what it stands for: playbooks take such values apart.
fn add_with_content(secret: &[u8], known: &mut Vec<Zeroizing<Vec<u8>>>) {
    if secret.len() < SHORTEST {
        return;
    }
    known.push(Zeroizing::new(secret.to_vec()));
    if secret.len() >= SHORTEST_ENCODED {
        let mut packed = Zeroizing::new(Vec::with_capacity(secret.len()));
        packed.extend(secret.iter().filter(|byte| !byte.is_ascii_whitespace()));
        if let Ok(decoded) = STANDARD.decode(&*packed).map(Zeroizing::new)
            && std::str::from_utf8(&decoded)
                .is_ok_and(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
        {
            add_with_content(decoded.trim_ascii(), known);
        }
    }
    if memmem::find(secret, b"\\n").is_some() {
        add_with_content(unescaped(secret).trim_ascii(), known);
    }
    if matches!(secret[0], b'{' | b'[')
        && let Ok(mut value) = serde_json::from_slice::<Value>(secret)
    {
        add_values(&mut value, known);
    }
}

/// The secret with line breaks in place of the escape sequences for them. Keys are often given on one line.
fn unescaped(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(secret.len()));
    let mut rest = secret;
    while let Some(at) = memmem::find(rest, b"\\n") {
        out.extend_from_slice(rest[..at].strip_suffix(b"\\r").unwrap_or(&rest[..at]));
        out.push(b'\n');
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    out
}

fn add_values(value: &mut Value, known: &mut Vec<Zeroizing<Vec<u8>>>) {
    match value {
        Value::String(text) => {
            let text = Zeroizing::new(std::mem::take(text));
            if text.trim().len() >= SHORTEST_VALUE {
                add_with_content(text.trim().as_bytes(), known);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| add_values(value, known)),
        Value::Object(fields) => fields.values_mut().for_each(|value| add_values(value, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text with [`REPLACEMENT`] in place of the secrets. Control sequences within them are kept, so that colours still end.
fn replaced(text: &[u8], secrets: &[Range<usize>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    for secret in secrets {
        out.extend_from_slice(&text[copied..secret.start]);
        out.extend_from_slice(REPLACEMENT.as_bytes());
        let mut at = secret.start;
        while let Some(found) = memchr::memchr(0x1b, &text[at..secret.end]) {
            let begin = at + found;
            at = match escapes::control_sequence(text, begin) {
                Some(end) if end <= secret.end => {
                    out.extend_from_slice(&text[begin..end]);
                    end
                }
                _ => begin + 1,
            };
        }
        copied = secret.end;
    }
    out.extend_from_slice(&text[copied..]);
    out
}

/// If a secret is not text, a part of a character may have been replaced.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
