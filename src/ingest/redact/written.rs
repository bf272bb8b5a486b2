//! Knows the ways in which programs write a character: as it is, escaped for JSON, YAML, Python, a shell, a URL or HTML, and with
//! several of these inside one another.
//!
//! [`after`] says where a text continues after one character of a secret. It may give several answers, because the program that
//! wrote the text is not known: `''` is one quote in YAML, and two in plain text.

use super::{
    escapes::{LONGEST_ESCAPE, MOST_BACKSLASHES, backslashes, escapes, one_backslash},
    gaps::{self, LONGEST_GAP, begins_gap, is_within_gap},
};
use smallvec::SmallVec;

/// One character of a secret, as its code point. Two kinds are special: see below.
pub(super) type Token = u32;
/// Any run of white space. YAML writers fold and indent lines, so that one blank may become many, and none stays what it was.
pub(super) const SPACE: Token = b' ' as Token;
/// Plus a byte that is not part of a UTF-8 character: that byte.
pub(super) const INVALID: Token = 0x20_0000;

/// At most this many places are followed at a time.
const MOST_PLACES: usize = 256;
/// A longer run of quotes and backslashes is not followed to its end.
const LONGEST_QUOTES: usize = 256;
/// Stand in text for bytes that are not part of a character. Ansible uses both.
const REPLACED: [&[u8]; 2] = ["\u{fffd}".as_bytes(), b"?"];

/// The alphabet of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Style {
    Text,
    /// Base64, with either of its two alphabets.
    Base64,
    /// Hexadecimal digits, in upper or lower case.
    Hex,
}

/// A set of places in a text, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Places(SmallVec<[usize; 8]>);

impl Places {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn add(&mut self, place: usize) {
        if self.0.len() < MOST_PLACES && !self.0.contains(&place) {
            self.0.push(place);
        }
    }

    pub(super) fn contains(&self, place: usize) -> bool {
        self.0.contains(&place)
    }

    pub(super) fn as_slice(&self) -> &[usize] {
        &self.0
    }

    /// Replaces `next` by the places to which `step` leads from each place of this set, and returns one of them: of those to which the
    /// first place leads, the one that `is_better` than the others. That one becomes the first of `next`, so that the returned places
    /// are a path without needless gaps. `None` if no place leads anywhere.
    pub(super) fn lead(
        &self,
        next: &mut Self,
        step: impl Fn(usize, &mut Self),
        is_better: impl Fn(usize, usize) -> bool,
    ) -> Option<usize> {
        next.clear();
        let mut direct = 0;
        for place in &self.0 {
            step(*place, next);
            if direct == 0 {
                direct = next.0.len();
            }
        }
        let best = (1..direct).fold(0, |best, index| {
            if is_better(next.0[index], next.0[best]) {
                index
            } else {
                best
            }
        });
        let chosen = next.0.get(best).copied()?;
        next.0.swap(0, best);
        Some(chosen)
    }

    /// Calls `next` with each place, including those that it adds.
    pub(super) fn spread(&mut self, mut next: impl FnMut(usize, &mut Self)) {
        let mut index = 0;
        while let Some(place) = self.0.get(index).copied() {
            next(place, self);
            index += 1;
        }
    }
}

/// Whether the following bytes decide what this one stands for.
pub(super) fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | b'\'' | b'"')
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The UTF-8 character at `at`, and its end.
pub(super) fn character(text: &[u8], at: usize) -> Option<(char, usize)> {
    let rest = &text[at..text.len().min(at + 4)];
    let valid = match std::str::from_utf8(rest) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).ok()?,
    };
    let character = valid.chars().next()?;
    Some((character, at + character.len_utf8()))
}

/// Adds the places where the text continues after `token`, if that is what is written at `at`.
pub(super) fn after(token: Token, style: Style, text: &[u8], at: usize, places: &mut Places) {
    let Some(&byte) = text.get(at) else {
        if token >= INVALID && ends_replaced(text) {
            places.add(at);
        }
        return;
    };
    if style == Style::Hex {
        if u8::try_from(token).is_ok_and(|digit| digit.eq_ignore_ascii_case(&byte)) {
            places.add(at + 1);
        }
        return;
    }
    match token {
        SPACE => {
            let one_more = |place, spaces: &mut Places| {
                after_space(text, place, spaces);
                gaps::after_line_end(text, place, true, spaces);
                gaps::after_item(text, place, spaces);
            };
            let mut spaces = Places::default();
            one_more(at, &mut spaces);
            spaces.spread(|place, spaces| {
                one_more(place, spaces);
                gaps::after_colour(text, place, spaces);
            });
            spaces.0.into_iter().for_each(|place| places.add(place));
        }
        INVALID.. => after_invalid((token - INVALID) as u8, text, at, places),
        _ => {
            let Some(wanted) = char::from_u32(token) else { return };
            after_raw(wanted, style, text, at, places);
            match wanted {
                '\'' | '"' => after_quote(wanted, text, at, places),
                '\\' => after_backslash(text, at, places),
                _ if matches!(byte, b'\\' | b'%' | b'&') => after_escaped(wanted, text, at, places),
                _ => {}
            }
        }
    }
}

/// Whether `token` is a letter or digit and stands at `at` as it is. Then there is no other way to read it.
pub(super) fn is_plainly(token: Token, text: &[u8], at: usize) -> bool {
    text.get(at)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() && token == Token::from(*byte))
}

fn after_raw(wanted: char, style: Style, text: &[u8], at: usize, places: &mut Places) {
    let mut utf8 = [0; 4];
    let utf8 = wanted.encode_utf8(&mut utf8).as_bytes();
    if text[at..].starts_with(utf8) {
        places.add(at + utf8.len());
    }
    let other = match wanted {
        '+' => b'-',
        '/' => b'_',
        _ => return,
    };
    if style == Style::Base64 && text[at] == other {
        places.add(at + 1);
    }
}

fn after_escaped(wanted: char, text: &[u8], at: usize, places: &mut Places) {
    let mut utf8 = [0; 4];
    let utf8 = wanted.encode_utf8(&mut utf8).as_bytes();
    escapes(text, at, |code, end| {
        if code == u32::from(wanted) {
            places.add(end);
        }
        // URLs and Python's `b'…'` escape every byte of a character.
        if utf8.len() > 1 && code == u32::from(utf8[0]) {
            let mut here = end;
            let is_written = utf8[1..].iter().all(|byte| {
                let mut next = None;
                escapes(text, here, |code, end| {
                    if code == u32::from(*byte) {
                        next = next.or(Some(end));
                    }
                });
                next.map(|end| here = end).is_some()
            });
            if is_written {
                places.add(here);
            }
        }
    });
    // In a shell, a backslash may precede any character.
    if wanted.is_ascii_alphanumeric() {
        return;
    }
    let mut here = at;
    for _ in 0..MOST_BACKSLASHES {
        let Some(end) = one_backslash(text, here) else { return };
        here = end;
        if text[here..].starts_with(utf8) {
            places.add(here + utf8.len());
        }
    }
}

/// Shells write a quote as several characters (`'\''`, `'"'"'`), YAML and SQL double it, and the result may be quoted again.
fn after_quote(wanted: char, text: &[u8], at: usize, places: &mut Places) {
    let mut seen = false;
    let mut here = at;
    while here < text.len() && here < at + LONGEST_QUOTES {
        let mut escaped = None;
        escapes(text, here, |code, end| {
            if [u32::from(b'\''), u32::from(b'"')].contains(&code) {
                escaped = escaped.or(Some((code, end)));
            }
        });
        here = match (escaped, text[here]) {
            (Some((code, end)), _) => {
                seen |= code == u32::from(wanted);
                end
            }
            (None, byte @ (b'\'' | b'"')) => {
                seen |= u32::from(byte) == u32::from(wanted);
                here + 1
            }
            (None, b'\\' | b'%') if backslashes(text, here) > here => backslashes(text, here),
            _ => return,
        };
        if seen {
            places.add(here);
        }
    }
}

/// Programs add backslashes and never remove one, so that a whole run may stand for a single one.
fn after_backslash(text: &[u8], at: usize, places: &mut Places) {
    let mut here = at;
    for _ in 0..MOST_BACKSLASHES {
        let raw = one_backslash(text, here);
        let mut next = raw;
        // `\x5c` and `&#92;` are backslashes as well.
        escapes(text, here, |code, end| {
            if code == u32::from(b'\\') && raw.is_none_or(|raw| end > raw) {
                next = Some(end);
            }
        });
        let Some(next) = next else { return };
        here = next;
        places.add(here);
    }
}

fn ends_replaced(text: &[u8]) -> bool {
    REPLACED.iter().any(|replaced| text.ends_with(replaced))
}

fn after_invalid(wanted: u8, text: &[u8], at: usize, places: &mut Places) {
    if text[at] == wanted {
        places.add(at + 1);
    }
    for replaced in REPLACED.iter().filter(|replaced| text[at..].starts_with(replaced)) {
        places.add(at + replaced.len());
    }
    // Several such bytes in a row may have been replaced by a single character.
    if ends_replaced(&text[..at]) {
        places.add(at);
    }
    escapes(text, at, |code, end| {
        // Python represents such a byte as a lone surrogate.
        if [wanted.into(), 0xdc00 + u32::from(wanted), 0xfffd].contains(&code) {
            places.add(end);
        }
    });
}

/// The bytes of which [`beginning_at`] returns at least one wherever `token` is written.
pub(super) fn first_bytes(token: Token, style: Style) -> Vec<u8> {
    let mut utf8 = [0; 4];
    match char::from_u32(token) {
        _ if token >= INVALID => vec![(token - INVALID) as u8, REPLACED[0][0], REPLACED[1][0]],
        None => Vec::new(),
        Some('+') if style == Style::Base64 => vec![b'+', b'-'],
        Some('/') if style == Style::Base64 => vec![b'/', b'_'],
        Some(digit @ 'a'..='f') if style == Style::Hex => vec![digit as u8, digit.to_ascii_uppercase() as u8],
        Some(character) => vec![character.encode_utf8(&mut utf8).as_bytes()[0]],
    }
}

/// The first bytes of all characters that may be written at `at`.
pub(super) fn beginning_at(text: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = vec![text[at]];
    if begins_escape(text[at]) {
        bytes.extend([b'\\', b'\'', b'"', REPLACED[0][0]]);
        bytes.extend(text.get(backslashes(text, at)));
        escapes(text, at, |code, _| {
            let mut utf8 = [0; 4];
            bytes.extend(u8::try_from(code));
            bytes.extend(char::from_u32(code).map(|character| character.encode_utf8(&mut utf8).as_bytes()[0]));
        });
        bytes.sort_unstable();
        bytes.dedup();
    }
    bytes
}

/// Adds the end of one blank, tab or line break.
fn after_space(text: &[u8], at: usize, places: &mut Places) {
    match text.get(at) {
        Some(byte) if is_space(*byte) || *byte == b'+' => places.add(at + 1),
        Some(b'\\' | b'%' | b'&') => {
            escapes(text, at, |code, end| {
                if u8::try_from(code).is_ok_and(is_space) || code == 0xa0 {
                    places.add(end);
                }
            });
            let end = backslashes(text, at);
            if text.get(end).is_some_and(|byte| is_space(*byte)) {
                places.add(end + 1);
            }
        }
        // Shells that quote with backslashes write a line break like this: `$'\n'`.
        Some(b'$') if text.get(at + 1) == Some(&b'\'') => escapes(text, at + 2, |code, end| {
            if u8::try_from(code).is_ok_and(is_space) && text.get(end) == Some(&b'\'') {
                places.add(end + 1);
            }
        }),
        _ => {}
    }
}

/// Adds the places at which `token` may begin if it ends at `end`.
pub(super) fn before(token: Token, style: Style, text: &[u8], end: usize, places: &mut Places) {
    let mut reached = Places::default();
    let mut add = |begin: usize, places: &mut Places| {
        reached.clear();
        after(token, style, text, begin, &mut reached);
        if reached.contains(end) {
            places.add(begin);
        }
    };
    let mut utf8 = [0; 4];
    let length = char::from_u32(token).map_or(1, |wanted| wanted.encode_utf8(&mut utf8).len());
    let Some(begin) = end.checked_sub(length) else { return };
    let nearest = end.saturating_sub(LONGEST_ESCAPE);
    let is_written =
        text[begin..].starts_with(&utf8[..length]) && !(token == SPACE && begin > 0 && is_within_gap(text[begin - 1]));
    if style == Style::Hex || is_written && !text[nearest..end].iter().any(|byte| begins_escape(*byte)) {
        return add(begin, places);
    }
    add(begin, places);
    if token >= INVALID {
        add(end, places);
        end.checked_sub(REPLACED[0].len())
            .into_iter()
            .for_each(|begin| add(begin, places));
    }
    let may_begin = |byte: u8| match token {
        SPACE => begins_gap(byte) || is_space(byte) || matches!(byte, b'+' | b'$' | b'%' | b'&'),
        _ if is_quote(token) => begins_escape(byte),
        _ => matches!(byte, b'\\' | b'%' | b'&'),
    };
    let before = text[..nearest].iter().rev();
    let first = nearest
        - if token == SPACE {
            // A run of white space may be long and hold control sequences.
            before
                .take(LONGEST_GAP)
                .take_while(|byte| is_within_gap(**byte))
                .count()
        } else if is_quote(token) {
            before
                .take(LONGEST_QUOTES)
                .take_while(|byte| matches!(byte, b'\\' | b'"' | b'\''))
                .count()
        } else {
            // The escape sequence may begin with any of the backslashes.
            before.take(MOST_BACKSLASHES).take_while(|byte| **byte == b'\\').count()
        };
    for begin in (first..end).rev().filter(|begin| may_begin(text[*begin])) {
        add(begin, places);
    }
}

pub(super) fn is_quote(token: Token) -> bool {
    [b'\'', b'"'].map(Token::from).contains(&token)
}
