//! Finds the places in a text where one of many secrets may be, in one pass and at a cost that does not grow with their number.
//!
//! Only ASCII letters and digits count: programs do not change them, and whatever programs change or add between them is skipped. A few
//! of them in a row, a window, are looked up in a table of the windows of all secrets. Since `\n` may be an escape sequence, or a
//! backslash and a letter, the text is read in both ways at once. A known window means only that a secret may be there.

use super::{
    escapes,
    forms::{Encoding, Form, Secret},
    written,
};
use std::{collections::HashSet, ops::Range};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// Lengths of windows.
const WIDTHS: [usize; 3] = [8, 4, 2];
/// The fewest letters and digits that a secret needs for windows of each length. Wide windows need twice their length, so that the
/// first half of a secret, which may be all that is left of it, holds one.
const LEAST: [usize; 3] = [16, 4, 2];
/// The distance between the wide windows of a secret. So any 15 letters and digits of it in a row hold one.
const STRIDE: usize = 8;
/// The same for very long secrets.
const LONG_STRIDE: usize = 32;
const LONG: usize = 64 * 1024;
/// A window that occurs more often is kept for a few of its places only: keys begin with the same words, and in a file of zeros all
/// windows are the same.
const MOST_ALIKE: usize = 4;

/// A place in a form: the token before which a window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) form: u32,
    pub(super) token: u32,
}

/// The windows of all forms.
#[derive(Default)]
pub(super) struct Index {
    /// One for each length of windows that occurs.
    tables: Vec<Table>,
    /// Forms with too few letters and digits for a window, by the bytes with which they may begin.
    loose: Vec<(u8, u32)>,
    /// The bytes with which such a form, or an escape sequence for its first character, begins.
    loose_beginnings: Vec<bool>,
}

struct Table {
    /// The bits of a window of this length.
    mask: u64,
    /// Sorted by window.
    entries: Vec<(u64, Place)>,
    /// A Bloom filter of the windows.
    likely: Vec<u64>,
}

impl Drop for Table {
    fn drop(&mut self) {
        for (window, _) in &mut self.entries {
            window.zeroize();
        }
        self.likely.zeroize();
    }
}

impl ZeroizeOnDrop for Table {}

impl Table {
    fn new(width: usize, mut entries: Vec<(u64, Place)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        leave_common_ones_out(&mut entries);
        let mut table = Self {
            mask: u64::MAX >> (64 - 8 * width),
            likely: vec![0; (entries.len() / 2).next_power_of_two().max(64)],
            entries,
        };
        for index in 0..table.entries.len() {
            let (word, bits) = table.bits(table.entries[index].0);
            table.likely[word] |= bits;
        }
        table
    }

    /// Two bits of one word of the filter, so that one access to memory is enough.
    #[inline]
    fn bits(&self, window: u64) -> (usize, u64) {
        let hash = window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63);
        ((hash >> 12) as usize & (self.likely.len() - 1), bits)
    }

    #[inline]
    fn is_likely(&self, window: u64) -> bool {
        let (word, bits) = self.bits(window);
        self.likely[word] & bits == bits
    }

    #[cold]
    #[inline(never)]
    fn report(&self, window: u64, end: usize, found: &mut impl FnMut(Place, usize)) {
        let first = self.entries.partition_point(|(known, _)| *known < window);
        for (known, place) in &self.entries[first..] {
            if *known != window {
                break;
            }
            found(*place, end);
        }
    }
}

impl Index {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mut index = Self::default();
        let mut windows = [const { Vec::new() }; 3];
        for (form, (secret, encoding)) in forms(secrets).enumerate() {
            index.add(form as u32, Form { secret, encoding }, &mut windows);
        }
        let used = windows
            .into_iter()
            .zip(WIDTHS)
            .filter(|(windows, _)| !windows.is_empty());
        index.tables = used.map(|(windows, width)| Table::new(width, windows)).collect();
        index.loose.sort_unstable();
        index.loose.dedup();
        index.loose_beginnings = vec![false; 256];
        for (byte, _) in &index.loose {
            index.loose_beginnings[usize::from(*byte)] = true;
        }
        let quotes = [b'\'', b'"'];
        let is_quoted = quotes.iter().any(|quote| index.loose_beginnings[usize::from(*quote)]);
        for byte in [b'\\', b'%', b'&']
            .into_iter()
            .chain(quotes.into_iter().filter(|_| is_quoted))
        {
            index.loose_beginnings[usize::from(byte)] = true;
        }
        index
    }

    /// How many tokens, from `token` on, are sure to hold a window.
    pub(super) fn first_window(form: &Form<'_>, token: usize) -> usize {
        let frames = form.frames();
        let letters = (token..form.len())
            .filter(|index| class(form.token(*index)) > SPECIAL && !frames.iter().any(|frame| frame.contains(index)));
        // In the worst case a window began one letter before them.
        let last = letters.map(|index| index + 1).nth(WIDTHS[0] + STRIDE - 2);
        last.unwrap_or(form.len()) - token
    }

    fn add(&mut self, number: u32, form: Form<'_>, windows: &mut [Vec<(u64, Place)>; 3]) {
        let mut readings = [Vec::new(), Vec::new()];
        match form.encoding {
            Encoding::Text => {
                // Read as any text is, so that both lead to the same windows.
                let bytes = &form.secret.bytes;
                read(bytes, |reading, letter, end| {
                    if let Some(token) = form.secret.token_ending_at(end) {
                        let taken = (letter, token + 1);
                        if reading != Reading::Raw {
                            readings[0].push(taken);
                        }
                        if reading != Reading::Escaped {
                            readings[1].push(taken);
                        }
                    }
                });
            }
            Encoding::Base64(_) | Encoding::Hex => {
                let letters = (0..form.len()).map(|index| (class(form.token(index)), index + 1));
                readings[0].extend(letters.filter(|(class, _)| *class > SPECIAL));
            }
        }
        // Without escape sequences both readings are the same.
        let alike = form.encoding != Encoding::Text || readings[0] == readings[1];
        let distinct = if alike { &readings[..1] } else { &readings[..] };
        if distinct.iter().any(|letters| letters.len() < LEAST[2]) {
            self.add_loose(number, form);
        }
        let frames = form.frames();
        for letters in distinct {
            let whole = Windows {
                form: number,
                length: form.len(),
                frames: &frames,
            };
            whole.add(letters, windows);
            for line in form.lines() {
                let first = letters.partition_point(|(_, end)| *end <= line.start);
                let last = letters.partition_point(|(_, end)| *end <= line.end);
                // A longer line holds windows of the whole secret.
                if last - first < LEAST[0] {
                    whole.add(&letters[first..last], windows);
                }
            }
        }
        for (letter, _) in readings.iter_mut().flatten() {
            letter.zeroize();
        }
    }

    fn add_loose(&mut self, number: u32, form: Form<'_>) {
        if form.len() > 0 {
            let bytes = written::first_bytes(form.token(0), form.style());
            self.loose.extend(bytes.into_iter().map(|byte| (byte, number)));
        }
    }

    /// Calls `found` with every place in a form, and the place in the text that may correspond to it.
    pub(super) fn search(&self, text: &[u8], mut found: impl FnMut(Place, usize)) {
        if !self.tables.is_empty() {
            let (mut escaped, mut raw) = (0_u64, 0_u64);
            read(text, |reading, letter, end| {
                if reading != Reading::Raw {
                    escaped = escaped << 8 | u64::from(letter);
                    self.look_up(escaped, end, &mut found);
                }
                if reading != Reading::Escaped {
                    raw = raw << 8 | u64::from(letter);
                    if raw != escaped {
                        self.look_up(raw, end, &mut found);
                    }
                }
            });
        }
        if !self.loose.is_empty() {
            for (at, byte) in text
                .iter()
                .enumerate()
                .filter(|(_, byte)| self.loose_beginnings[usize::from(**byte)])
            {
                if written::begins_escape(*byte) {
                    for byte in written::beginning_at(text, at) {
                        self.look_for_loose(byte, at, &mut found);
                    }
                } else {
                    self.look_for_loose(*byte, at, &mut found);
                }
            }
        }
    }

    #[inline]
    fn look_up(&self, window: u64, end: usize, found: &mut impl FnMut(Place, usize)) {
        for table in &self.tables {
            let window = window & table.mask;
            if table.is_likely(window) {
                table.report(window, end, found);
            }
        }
    }

    fn look_for_loose(&self, byte: u8, at: usize, found: &mut impl FnMut(Place, usize)) {
        let first = self.loose.partition_point(|(known, _)| *known < byte);
        for (_, form) in self.loose[first..].iter().take_while(|(known, _)| *known == byte) {
            found(Place { form: *form, token: 0 }, at);
        }
    }
}

/// Drops common windows of forms that have other ones. A text that matches a common window is still found by one of the forms that
/// keep it.
fn leave_common_ones_out(entries: &mut Vec<(u64, Place)>) {
    let mut own = HashSet::new();
    for alike in entries
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|alike| alike.len() <= MOST_ALIKE)
    {
        own.extend(alike.iter().map(|(_, place)| place.form));
    }
    let (mut last, mut of_window, mut of_form) = ((0, 0), 0, 0);
    entries.retain(|(window, place)| {
        of_window = if *window == last.0 { of_window + 1 } else { 1 };
        of_form = if (*window, place.form) == last { of_form + 1 } else { 1 };
        last = (*window, place.form);
        of_window <= MOST_ALIKE || of_form <= MOST_ALIKE && !own.contains(&place.form)
    });
}

/// Collects the windows of a form.
struct Windows<'a> {
    form: u32,
    length: usize,
    frames: &'a [Range<usize>],
}

impl Windows<'_> {
    /// Adds windows of a whole secret, or of one line of it.
    fn add(&self, letters: &[(u8, usize)], windows: &mut [Vec<(u64, Place)>; 3]) {
        let Some(table) = LEAST.iter().position(|least| letters.len() >= *least) else {
            return;
        };
        let (width, last) = (WIDTHS[table], letters.len() - WIDTHS[table]);
        let stride = match table {
            0 if self.length > LONG => LONG_STRIDE,
            0 => STRIDE,
            // Only the whole of it is a secret, or its beginning if the rest was cut off.
            _ => last.max(1),
        };
        let of_this_width = &mut windows[table];
        let before = of_this_width.len();
        for is_common in [false, true] {
            for window in (0..last)
                .step_by(stride)
                .chain([last])
                .map(|begin| &letters[begin..begin + width])
            {
                if self.is_common(window) == is_common {
                    let place = Place {
                        form: self.form,
                        token: window[width - 1].1 as u32,
                    };
                    let window = window
                        .iter()
                        .fold(0, |window, (letter, _)| window << 8 | u64::from(*letter));
                    of_this_width.push((window, place));
                }
            }
            // The words around every key are of use only if there is nothing else.
            if of_this_width.len() > before {
                break;
            }
        }
    }

    fn is_common(&self, window: &[(u8, usize)]) -> bool {
        let (Some((_, first)), Some((_, last))) = (window.first(), window.last()) else {
            return false;
        };
        self.frames
            .iter()
            .any(|frame| frame.start < *first && *last <= frame.end)
    }
}

/// The forms of all secrets, in the order of their numbers.
pub(super) fn forms(secrets: &[Secret]) -> impl Iterator<Item = (&Secret, Encoding)> {
    secrets
        .iter()
        .flat_map(|secret| Encoding::ALL.map(|encoding| (secret, encoding)))
}

fn class(token: written::Token) -> u8 {
    u8::try_from(token).map_or(0, |byte| CLASSES[usize::from(byte)])
}

const SPECIAL: u8 = 1;
/// What each byte is: a letter or digit (in lower case, as hexadecimal digits come in both cases), `SPECIAL`, or 0 if it is skipped.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        classes[byte] = match character {
            b'\\' | b'%' | b'&' | 0x1b => SPECIAL,
            _ if character.is_ascii_alphanumeric() => character.to_ascii_lowercase(),
            _ => 0,
        };
        byte += 1;
    }
    classes
}

/// How a letter or digit came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It stands in the text, but may be part of an escape sequence.
    Raw,
    /// An escape sequence stands for it.
    Escaped,
    /// It stands in the text and cannot mean anything else.
    Both,
}

/// Calls `take` with each letter and digit of the text, and its end.
#[inline]
fn read(text: &[u8], mut take: impl FnMut(Reading, u8, usize)) {
    // The end of the last escape sequence.
    let mut escaped = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let class = CLASSES[usize::from(byte)];
        at += 1;
        if class > SPECIAL {
            let reading = if at > escaped { Reading::Both } else { Reading::Raw };
            take(reading, class, at);
        } else if class == SPECIAL {
            let begin = at - 1;
            if byte == 0x1b {
                at = escapes::control_sequence(text, begin).unwrap_or(at);
            } else if begin >= escaped {
                let (letter, end) = read_escape(text, begin);
                escaped = end;
                if letter > SPECIAL {
                    take(Reading::Escaped, letter, end);
                }
            }
        }
    }
}

/// What the escape sequence at `at` stands for, as in [`CLASSES`], and its end.
#[inline(never)]
fn read_escape(text: &[u8], at: usize) -> (u8, usize) {
    let mut deepest = None;
    escapes::escapes(text, at, |code, end| deepest = Some((code, end)));
    match deepest {
        None => (0, escapes::backslashes(text, at).max(at + 1)),
        Some((0x1b, end)) => (0, escapes::sequence_end(text, end).unwrap_or(end)),
        Some((code, end)) => (class(code), end),
    }
}
