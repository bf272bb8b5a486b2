//! Base64 in a text, decoded.
//!
//! The forms of a secret find it in base64 of any text that contains it as it is. In a file that a program wrote, a secret may be escaped
//! before the whole file is encoded. To find that, longer runs of base64 are decoded and searched like any other text.

use super::escapes::ESC;
use super::gaps;
use super::written::Places;
use std::ops::Range;
use zeroize::Zeroizing;

/// Shorter runs are not decoded.
const SHORTEST: usize = 32;
/// After at least this many characters, a run may continue on the next line.
const SHORTEST_LINE: usize = 60;
/// Only text is searched. This many characters tell whether a run stands for text: anything else soon contains control characters.
const SAMPLE: usize = 96;
/// A run may begin up to this many characters before the base64 text does, for example with the letter of `\\n`.
const MOST_BEFORE: usize = 3;

/// A run of characters of base64, without the line breaks in it.
pub(super) struct Run {
    /// Their values, 0 to 63.
    digits: Zeroizing<Vec<u8>>,
    /// Where each is in the text.
    places: Vec<usize>,
}

/// The runs in a text that look like base64.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = Run> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            // Every run contains one of these places.
            let probe = at + SHORTEST - 1;
            if value(*text.get(probe)?).is_none() {
                at = probe + 1;
                continue;
            }
            let is_digit = |byte: &&u8| value(**byte).is_some();
            let begin = probe - text[at..probe].iter().rev().take_while(is_digit).count();
            let end = probe + text[probe..].iter().take_while(is_digit).count();
            at = end + 1;
            if end - begin >= SHORTEST && is_random(&text[begin..end]) {
                let run = Run::from(text, begin);
                at = run.places.last().map_or(at, |last| last + 1);
                return Some(run);
            }
        }
    })
}

impl Run {
    fn from(text: &[u8], begin: usize) -> Self {
        let mut run = Self {
            digits: Zeroizing::new(Vec::new()),
            places: Vec::new(),
        };
        let mut at = begin;
        loop {
            let line = at;
            while let Some(digit) = text.get(at).and_then(|byte| value(*byte)) {
                run.digits.push(digit);
                run.places.push(at);
                at += 1;
            }
            if at - line < SHORTEST_LINE {
                return run;
            }
            let mut next = Places::default();
            gaps::after_line_end(text, at, true, &mut next);
            let Some(next) = next.as_slice().iter().copied().max() else {
                return run;
            };
            at = next;
        }
    }

    /// The texts that the run may stand for, depending on which of its first characters is the first one of base64.
    pub(super) fn decoded(&self) -> impl Iterator<Item = Decoded<'_>> {
        let begins = (0..=MOST_BEFORE).filter(|begin| {
            let sample = decode(&self.digits[*begin..self.digits.len().min(begin + SAMPLE)]);
            let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace() || *byte == ESC;
            sample.iter().all(is_text)
        });
        begins.map(|begin| Decoded {
            bytes: decode(&self.digits[begin..]),
            places: &self.places[begin..],
        })
    }
}

fn decode(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len()));
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..][..group.len() * 6 / 8]);
    }
    bytes
}

/// Whether letters of both cases occur. Paths, names and hexadecimal digits seldom have both.
fn is_random(run: &[u8]) -> bool {
    run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase)
}

/// What a run stands for.
pub(super) struct Decoded<'a> {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    places: &'a [usize],
}

impl Decoded<'_> {
    /// Where the bytes are in the text.
    pub(super) fn place(&self, bytes: &Range<usize>) -> Range<usize> {
        let (first, last) = (8 * bytes.start / 6, (8 * bytes.end).div_ceil(6) - 1);
        self.places[first]..self.places[last] + 1
    }
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
