//! Bytes of a run's event file to lines. A torn last line waits for its rest; nothing panics, nothing is held without end.

use super::wire::{WireEvent, kind, replace_lone_surrogates};
use memchr::memchr;
use std::borrow::Cow;

/// Longest line that is read, newline left out. The plugin keeps its lines far below it.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Longest recap: it names every host and is never cut by the plugin.
pub const MAX_STATS_LINE_BYTES: usize = 64 * 1024 * 1024;
/// How much of a line is searched for its kind.
const HEAD_BYTES: usize = 4096;

/// One complete line.
#[derive(Debug, Clone)]
pub enum ParsedLine<'a> {
    /// An event.
    Event {
        /// What it says.
        event: Box<WireEvent>,
        /// The line as it is to be stored.
        raw: Cow<'a, str>,
    },
    /// Not an event.
    Invalid {
        /// Why, in words; holds nothing of the line but its length.
        reason: String,
    },
}

impl ParsedLine<'_> {
    /// The same line, for keeping.
    pub fn into_owned(self) -> ParsedLine<'static> {
        match self {
            Self::Event { event, raw } => ParsedLine::Event {
                event,
                raw: Cow::Owned(raw.into_owned()),
            },
            Self::Invalid { reason } => ParsedLine::Invalid { reason },
        }
    }
}

/// Collects bytes and hands out complete lines. However the bytes are cut into pieces, the lines are the same.
#[derive(Debug)]
pub struct LineParser {
    /// The line so far; empty while an overlong line is skipped.
    buffer: Vec<u8>,
    /// Length of the line so far.
    length: u64,
    /// The line so far is overlong.
    skipping: bool,
    /// File offset after the last complete line.
    consumed: u64,
    limit: usize,
    stats_limit: usize,
}

impl LineParser {
    /// Starts at a file offset where a line begins.
    pub fn new(offset: u64) -> Self {
        Self::with_limits(offset, MAX_LINE_BYTES, MAX_STATS_LINE_BYTES)
    }

    /// As [`Self::new`], with other limits for a line and for a recap.
    pub fn with_limits(offset: u64, limit: usize, stats_limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            length: 0,
            skipping: false,
            consumed: offset,
            limit,
            stats_limit,
        }
    }

    /// Takes the next bytes of the file and returns the lines they complete. Blank lines are left out.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<ParsedLine<'static>> {
        let mut lines = Vec::new();
        self.feed_each(bytes, |line| lines.push(line.into_owned()));
        lines
    }

    /// As [`Self::feed`], one line at a time: what lies whole in `bytes` is not copied.
    pub fn feed_each(&mut self, bytes: &[u8], mut take: impl FnMut(ParsedLine<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if self.length == 0 && line.len() <= self.limit {
                self.consumed += line.len() as u64 + 1;
                if let Some(line) = read_line(line) {
                    take(line);
                }
                continue;
            }
            self.extend(line);
            self.consumed += self.length + 1;
            self.complete(&mut take);
        }
        self.extend(rest);
    }

    /// The file offset after the last complete line: where to go on reading after a restart.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Bytes of a line whose end has not come yet.
    pub fn pending(&self) -> u64 {
        self.length
    }

    /// No more bytes will come: what is left is a line torn by the writer's death. It counts as consumed.
    pub fn finish(&mut self) -> Option<ParsedLine<'static>> {
        if self.length == 0 {
            return None;
        }
        self.consumed += self.length;
        let length = self.length;
        let mut last = None;
        self.complete(|line| last = Some(line.into_owned()));
        // A writer may have died after the last byte but before the newline; the line is whole all the same.
        match last {
            Some(ParsedLine::Invalid { .. }) => Some(ParsedLine::Invalid {
                reason: format!("the last event is torn after {length} bytes"),
            }),
            line => line,
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.skipping {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > self.limit {
            let limit = if is_stats(&self.buffer[..self.limit]) {
                self.stats_limit
            } else {
                self.limit
            };
            if self.buffer.len() > limit {
                self.skipping = true;
                self.buffer = Vec::new();
            }
        }
    }

    fn complete(&mut self, take: impl FnOnce(ParsedLine<'_>)) {
        let length = std::mem::take(&mut self.length);
        if std::mem::take(&mut self.skipping) {
            let reason = format!(
                "an event of {length} bytes is longer than the limit of {} bytes",
                self.limit
            );
            take(ParsedLine::Invalid { reason });
            return;
        }
        if let Some(line) = read_line(&self.buffer) {
            take(line);
        }
        if self.buffer.capacity() > self.limit {
            // A recap may be large; there is one in a run.
            self.buffer = Vec::new();
        }
        self.buffer.clear();
    }
}

/// Whether a line is a recap, as far as its beginning tells. Always asked of equally many bytes of a line, so that the answer
/// does not depend on how the line came.
fn is_stats(beginning: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&beginning[..beginning.len().min(HEAD_BYTES)]);
    head.contains(&format!("\"event\":\"{}\"", kind::STATS))
}

fn read_line(bytes: &[u8]) -> Option<ParsedLine<'_>> {
    let text = match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    if text.is_empty() {
        return None;
    }
    let error = match WireEvent::from_line(&text) {
        Ok(event) => {
            return Some(ParsedLine::Event {
                event: Box::new(event),
                raw: text,
            });
        }
        Err(error) => error,
    };
    let repaired = replace_lone_surrogates(&text);
    Some(match WireEvent::from_line(&repaired) {
        Ok(event) => ParsedLine::Event {
            event: Box::new(event),
            raw: Cow::Owned(repaired.into_owned()),
        },
        Err(_) => ParsedLine::Invalid {
            reason: describe(&error, bytes.len()),
        },
    })
}

/// The reason without anything of the line's content, which may hold a secret.
fn describe(error: &super::wire::WireError, length: usize) -> String {
    use super::wire::WireError;
    match error {
        WireError::Json(error) if error.is_data() => format!("a line of {length} bytes is JSON but not an event"),
        WireError::Json(_) => format!("a line of {length} bytes is not JSON"),
        other => format!("a line of {length} bytes is not an event: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(event: &str) -> String {
        format!(r#"{{"v":1,"seq":1,"ts":"2026-01-02T03:04:05Z","event":"{event}"}}"#)
    }

    fn shown(lines: &[ParsedLine]) -> Vec<String> {
        lines
            .iter()
            .map(|line| match line {
                ParsedLine::Event { raw, .. } => raw.to_string(),
                ParsedLine::Invalid { reason } => format!("! {reason}"),
            })
            .collect()
    }

    #[test]
    fn a_torn_line_waits_for_its_rest() {
        let mut parser = LineParser::new(100);
        let text = line("a");
        let (head, tail) = text.split_at(20);
        assert!(parser.feed(head.as_bytes()).is_empty());
        assert_eq!((parser.consumed(), parser.pending()), (100, 20));
        assert_eq!(
            shown(&parser.feed(format!("{tail}\n").as_bytes())),
            std::slice::from_ref(&text)
        );
        assert_eq!(parser.consumed(), 100 + text.len() as u64 + 1);
        assert!(parser.finish().is_none());
    }

    #[test]
    fn the_end_of_the_file_decides_about_a_torn_line() {
        let mut parser = LineParser::new(0);
        parser.feed(&line("a").as_bytes()[..20]);
        assert_eq!(
            shown(&[parser.finish().unwrap()]),
            ["! the last event is torn after 20 bytes"]
        );
        assert_eq!(parser.consumed(), 20);
        let mut parser = LineParser::new(0);
        parser.feed(line("a").as_bytes());
        assert_eq!(shown(&[parser.finish().unwrap()]), [line("a")]);
    }

    #[test]
    fn weird_lines_are_stated_and_passed() {
        let mut parser = LineParser::with_limits(0, 100, 1000);
        let stats = format!(
            r#"{{"ts":"2026-01-02T03:04:05Z","event":"playbook_on_stats","x":"{}"}}"#,
            "y".repeat(200)
        );
        let over = "z".repeat(101);
        let text = format!("{over}\n{stats}\n\n  \r\nnope\n[1]\n{}\n", line("unheard_of"));
        let lines = shown(&parser.feed(text.as_bytes()));
        assert_eq!(
            lines,
            [
                "! an event of 101 bytes is longer than the limit of 100 bytes".to_owned(),
                stats,
                "! a line of 4 bytes is not JSON".to_owned(),
                "! a line of 3 bytes is JSON but not an event".to_owned(),
                line("unheard_of"),
            ]
        );
        assert_eq!(parser.consumed(), text.len() as u64);
    }

    #[test]
    fn text_that_is_not_unicode_is_replaced() {
        let mut parser = LineParser::new(0);
        let mut bytes = line("a").into_bytes();
        let at = bytes.len() - 2;
        bytes.insert(at, 0xff);
        bytes.push(b'\n');
        let lines = parser.feed(&bytes);
        assert!(
            matches!(&lines[..], [ParsedLine::Event { event, .. }] if event.event == "a\u{fffd}"),
            "{lines:?}"
        );
        let lone = r#"{"ts":"2026-01-02T03:04:05Z","event":"a","task":"\udc80"}"#;
        let lines = parser.feed(format!("{lone}\n").as_bytes());
        assert!(matches!(&lines[..], [ParsedLine::Event { event, .. }] if event.task.as_deref() == Some("\u{fffd}")));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_lines(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"\n".to_vec()),
                Just(line("runner_on_ok").into_bytes()),
                Just(line("playbook_on_stats").into_bytes()),
                prop::collection::vec(any::<u8>(), 0..150),
            ], 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let bytes = pieces.concat();
            let mut whole = LineParser::with_limits(0, 90, 120);
            let mut expected = whole.feed(&bytes);
            let mut cut = LineParser::with_limits(0, 90, 120);
            let mut at: Vec<usize> = cuts.iter().map(|index| index.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let mut found = Vec::new();
            for pair in at.windows(2) {
                found.extend(cut.feed(&bytes[pair[0]..pair[1]]));
            }
            prop_assert_eq!(whole.consumed(), cut.consumed());
            expected.extend(whole.finish());
            found.extend(cut.finish());
            prop_assert_eq!(shown(&expected), shown(&found));
            prop_assert_eq!(cut.consumed(), bytes.len() as u64);
        }
    }
}
