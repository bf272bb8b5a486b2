//! Events as rows of PostgreSQL's binary `COPY` format (PostgreSQL manual, "COPY", "Binary Format").
//!
//! Binary, because neither side then spends time on escaping and on reading times and identifiers. Rows are rendered before
//! their positions are known, so that this can happen while the database is still at work on the batch before: what all rows
//! of a batch have in common, and the position, go before each row as it is sent.

use super::ingest::NewEvent;
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

/// What the rows are copied into; the columns are in the order in which [`EventRows`] renders them.
pub(super) const COPY_EVENTS: &str = "COPY admiral.deployment_events \
     (deployment_id, run_id, position, recorded_at, kind, host, task_id, payload) FROM STDIN (FORMAT binary)";

const COLUMNS: i16 = 8;
/// Signature, no flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// Bytes sent at a time: what PostgreSQL takes in one go still fits a processor's cache.
const PIECE_BYTES: usize = 64 * 1024;
/// Bytes kept together.
const BLOCK_BYTES: usize = 64 * 1024;
/// PostgreSQL counts time from 2000-01-01, in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Events rendered for the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRows {
    /// Many of one size rather than a single one that grows: a batch then takes as much memory as it holds, and what one batch
    /// gives back the next one can use.
    blocks: Vec<Block>,
    count: usize,
}

/// Some rows, one after the other, without their first three columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl EventRows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// When the first event happened.
    pub fn first_recorded_at(&self) -> Option<DateTime<Utc>> {
        let mut row = self.rows().next()?;
        DateTime::from_timestamp_micros(take_time(&mut row) + EPOCH_MICROS)
    }

    /// Puts an event before all others.
    pub fn insert_first(&mut self, event: &NewEvent) {
        let first: Self = [event].into_iter().collect();
        self.blocks.splice(0..0, first.blocks);
        self.count += 1;
    }

    /// Adds an event.
    pub fn push(&mut self, event: &NewEvent) {
        self.push_parts(
            event.recorded_at,
            &event.kind,
            event.host.as_deref(),
            event.task_id.as_deref(),
            &event.payload,
        );
    }

    /// Adds an event by its columns. `payload` is JSON, and kept as it is.
    pub fn push_parts(
        &mut self,
        recorded_at: DateTime<Utc>,
        kind: &str,
        host: Option<&str>,
        task_id: Option<&str>,
        payload: &str,
    ) {
        self.push_micros(
            recorded_at.timestamp_micros() - EPOCH_MICROS,
            kind,
            host,
            task_id,
            payload,
        );
    }

    fn push_micros(&mut self, at: i64, kind: &str, host: Option<&str>, task_id: Option<&str>, payload: &str) {
        let block = match self.blocks.last_mut() {
            Some(block) if block.bytes.len() < BLOCK_BYTES => block,
            _ => self.blocks.push_mut(Block::new()),
        };
        let out = &mut block.bytes;
        out.extend_from_slice(&8_i32.to_be_bytes());
        out.extend_from_slice(&at.to_be_bytes());
        put_text(out, kind);
        for name in [host, task_id] {
            match name {
                Some(name) => put_text(out, name),
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
        put_text(out, payload);
        block.ends.push(out.len());
        self.count += 1;
    }

    /// The same rows without what the database may have refused in them.
    #[must_use]
    pub fn reduced(&self) -> Self {
        let mut rows = Self::default();
        for mut row in self.rows() {
            let at = take_time(&mut row);
            let [kind, host, task_id] = std::array::from_fn(|_| take_field(&mut row).map(String::from_utf8_lossy));
            let kind = kind.unwrap_or_default();
            let ts = DateTime::<Utc>::from_timestamp_micros(at + EPOCH_MICROS);
            let payload = json!({ "v": 1, "event": kind, "ts": ts, "unstorable": true }).to_string();
            rows.push_micros(at, &kind, host.as_deref(), task_id.as_deref(), &payload);
        }
        rows
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().flat_map(|block| {
            let begins = std::iter::once(0).chain(block.ends.iter().copied());
            begins.zip(&block.ends).map(|(from, to)| &block.bytes[from..*to])
        })
    }
}

impl Block {
    fn new() -> Self {
        Self {
            // The last row may reach beyond it.
            bytes: Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4),
            ends: Vec::new(),
        }
    }
}

impl<'a> FromIterator<&'a NewEvent> for EventRows {
    fn from_iter<T: IntoIterator<Item = &'a NewEvent>>(events: T) -> Self {
        let mut rows = Self::default();
        for event in events {
            rows.push(event);
        }
        rows
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Rows,
    Over,
}

/// The whole input of [`COPY_EVENTS`], in pieces.
pub(super) struct Pieces<'a> {
    /// What is left.
    rows: Box<dyn Iterator<Item = &'a [u8]> + Send + 'a>,
    /// What is left of the row under way.
    row: &'a [u8],
    /// What each row begins with, up to its position.
    head: Vec<u8>,
    /// The position of the next row.
    position: i64,
    state: State,
    buffer: Vec<u8>,
}

impl<'a> Pieces<'a> {
    /// The rows of a run, at positions from `first` on.
    pub(super) fn new(
        rows: &'a EventRows,
        and_then: &'a EventRows,
        deployment_id: Uuid,
        run_id: Uuid,
        first: i64,
    ) -> Self {
        let mut head = Vec::with_capacity(64);
        head.extend_from_slice(&COLUMNS.to_be_bytes());
        for id in [deployment_id, run_id] {
            head.extend_from_slice(&16_i32.to_be_bytes());
            head.extend_from_slice(id.as_bytes());
        }
        head.extend_from_slice(&8_i32.to_be_bytes());
        Self {
            rows: Box::new(rows.rows().chain(and_then.rows())),
            row: &[],
            head,
            position: first,
            state: State::Header,
            buffer: Vec::new(),
        }
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        self.buffer.clear();
        if self.state == State::Over {
            return None;
        }
        if self.state == State::Header {
            self.buffer.extend_from_slice(HEADER);
            self.state = State::Rows;
        }
        while self.buffer.len() < PIECE_BYTES {
            if self.row.is_empty() {
                let Some(row) = self.rows.next() else {
                    self.buffer.extend_from_slice(&TRAILER.to_be_bytes());
                    self.state = State::Over;
                    break;
                };
                self.row = row;
                self.buffer.extend_from_slice(&self.head);
                self.buffer.extend_from_slice(&self.position.to_be_bytes());
                self.position += 1;
            }
            let room = PIECE_BYTES.saturating_sub(self.buffer.len());
            let (part, rest) = self.row.split_at(self.row.len().min(room));
            self.buffer.extend_from_slice(part);
            self.row = rest;
        }
        Some(&self.buffer)
    }
}

/// A value without NUL characters, which PostgreSQL's `text` cannot hold.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = out.len();
    out.extend_from_slice(&[0; 4]);
    if text.as_bytes().contains(&0) {
        out.extend(text.bytes().filter(|byte| *byte != 0));
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    let size = (out.len() - length - 4) as i32;
    out[length..length + 4].copy_from_slice(&size.to_be_bytes());
}

/// Takes the time off a row. It is there: `push_micros` begins every row with it.
fn take_time(row: &mut &[u8]) -> i64 {
    let field = take_field(row).and_then(|field| field.try_into().ok());
    field.map(i64::from_be_bytes).unwrap_or_default()
}

/// Takes the next value off a row; `None` for NULL.
fn take_field<'a>(row: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, rest) = row.split_first_chunk()?;
    *row = rest;
    let size = usize::try_from(i32::from_be_bytes(*size)).ok()?;
    let (field, rest) = row.split_at_checked(size)?;
    *row = rest;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(payloads: &[String]) -> EventRows {
        let mut rows = EventRows::default();
        for (number, payload) in payloads.iter().enumerate() {
            rows.push(&NewEvent {
                recorded_at: "2026-01-02T03:04:05.000006Z".parse().unwrap(),
                kind: "kind".to_owned(),
                host: (number % 2 == 0).then(|| "h\0ost".to_owned()),
                task_id: None,
                payload: payload.clone(),
            });
        }
        rows
    }

    /// position, recorded_at, kind, host, task_id, payload
    type Row = (i64, i64, String, Option<String>, Option<String>, String);

    /// Reads back what PostgreSQL would.
    fn read(mut bytes: &[u8], ids: [Uuid; 2]) -> Vec<Row> {
        assert!(bytes.starts_with(HEADER));
        bytes = &bytes[HEADER.len()..];
        let mut found = Vec::new();
        loop {
            let (count, rest) = bytes.split_first_chunk().unwrap();
            bytes = rest;
            if i16::from_be_bytes(*count) == -1 {
                assert!(bytes.is_empty());
                return found;
            }
            assert_eq!(i16::from_be_bytes(*count), COLUMNS);
            for id in ids {
                assert_eq!(take_field(&mut bytes).unwrap(), id.as_bytes());
            }
            let mut number = || i64::from_be_bytes(take_field(&mut bytes).unwrap().try_into().unwrap());
            let (position, at) = (number(), number());
            let mut text = || take_field(&mut bytes).map(|field| String::from_utf8(field.to_vec()).unwrap());
            found.push((position, at, text().unwrap(), text(), text(), text().unwrap()));
        }
    }

    #[test]
    fn pieces_put_together_are_the_rows() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let sizes = [
            0,
            5,
            PIECE_BYTES - 200,
            PIECE_BYTES - 119,
            3 * PIECE_BYTES,
            1,
            2 * PIECE_BYTES,
        ];
        let payloads: Vec<String> = sizes.iter().map(|size| "p".repeat(*size)).collect();
        let (first, second) = (rows(&payloads[..4]), rows(&payloads[4..]));
        let mut pieces = Pieces::new(&first, &second, ids[0], ids[1], 41);
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next() {
            assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES + 64, "{}", piece.len());
            bytes.extend_from_slice(piece);
        }
        let found = read(&bytes, ids);
        assert_eq!(found.len(), payloads.len());
        for (number, (position, at, kind, host, task_id, payload)) in found.into_iter().enumerate() {
            assert_eq!(position, 41 + number as i64);
            assert_eq!(at, 820_638_245_000_006);
            assert_eq!(kind, "kind");
            assert_eq!(host.as_deref(), (number % 2 == 0).then_some("host"));
            assert_eq!(task_id, None);
            assert_eq!(payload, payloads[number]);
        }
    }

    #[test]
    fn an_event_can_be_put_first() {
        let sizes = [10, PIECE_BYTES, 10];
        let payloads: Vec<String> = sizes.iter().map(|size| "p".repeat(*size)).collect();
        let mut some = rows(&payloads);
        let at = "2026-01-02T03:04:06Z".parse().unwrap();
        some.insert_first(&NewEvent::warning("first", at));
        assert_eq!((some.len(), some.first_recorded_at()), (4, Some(at)));
        some.push(&NewEvent::warning("last", at));
        let ids = [Uuid::nil(), Uuid::max()];
        let none = EventRows::default();
        let mut pieces = Pieces::new(&some, &none, ids[0], ids[1], 1);
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next() {
            bytes.extend_from_slice(piece);
        }
        let kinds: Vec<String> = read(&bytes, ids).into_iter().map(|row| row.2).collect();
        assert_eq!(kinds, ["warning", "kind", "kind", "kind", "warning"]);
        assert_eq!((none.is_empty(), none.first_recorded_at()), (true, None));
    }

    #[test]
    fn reduced_rows_keep_what_they_are_about() {
        let ids = [Uuid::nil(), Uuid::max()];
        let rows = rows(&["x".repeat(5000), "{}".to_owned()]).reduced();
        let none = EventRows::default();
        let mut pieces = Pieces::new(&none, &rows, ids[0], ids[1], 1);
        let found = read(pieces.next().unwrap(), ids);
        assert_eq!(found[0].3.as_deref(), Some("host"));
        assert_eq!(found[1].3, None);
        for (_, at, kind, _, _, payload) in &found {
            assert_eq!((*at, kind.as_str()), (820_638_245_000_006, "kind"));
            let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
            assert_eq!(
                payload,
                json!({ "v": 1, "event": "kind", "ts": "2026-01-02T03:04:05.000006Z", "unstorable": true })
            );
        }
    }
}
