//! Gaps: text that is not part of a secret and that a program may write between two of its characters.

use super::{
    escapes::{ESC, control_sequence, escapes, is_unfinished, sequence_end},
    written::Places,
};

/// A gap longer than this is not followed to its end.
pub(super) const LONGEST_GAP: usize = 200;

/// Adds the end of a control sequence at `at`, such as a change of colour.
pub(super) fn after_colour(text: &[u8], at: usize, places: &mut Places) {
    match text.get(at) {
        Some(&ESC) => control_sequence(text, at).into_iter().for_each(|end| places.add(end)),
        Some(b'\\') => escapes(text, at, |code, end| {
            if code == u32::from(ESC) {
                sequence_end(text, end).into_iter().for_each(|end| places.add(end));
            }
        }),
        _ => {}
    }
}

/// Adds the places at which a secret may continue: after control sequences, after a line break that a program added, and, if `wide`,
/// after the separator between two items of a list into which the secret was cut.
pub(super) fn after_gaps(text: &[u8], wide: bool, places: &mut Places) {
    places.spread(|place, places| {
        if text.get(place).is_some_and(|byte| begins_gap(*byte)) {
            after_colour(text, place, places);
            after_line_end(text, place, wide, places);
            if wide {
                after_item(text, place, places);
            }
        }
    });
}

/// Whether a gap can begin with this byte.
pub(super) fn begins_gap(byte: u8) -> bool {
    matches!(byte, ESC | b'\n' | b'\r' | b' ' | b'\t' | b'\\' | b'"' | b'\'' | b',')
}

fn skip(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    let most = text.len().min(at + LONGEST_GAP);
    at + text[at.min(most)..most].iter().take_while(|byte| is(**byte)).count()
}

/// The end of a quote at `at`, which may be escaped.
fn skip_quote(text: &[u8], at: usize) -> Option<usize> {
    let end = skip(text, at, |byte| byte == b'\\');
    matches!(text.get(end), Some(b'"' | b'\'')).then_some(end + 1)
}

/// Adds the places after a line break at `at`, its indentation and whatever marks the next line.
pub(super) fn after_line_end(text: &[u8], at: usize, wide: bool, places: &mut Places) {
    let is_blank = |byte| matches!(byte, b' ' | b'\t');
    let mut here = at;
    if wide {
        here = skip_quote(text, here).unwrap_or(here);
        here += usize::from(text.get(here) == Some(&b','));
    }
    here = skip(text, here, is_blank);
    let Some(mut here) = line_end(text, here) else { return };
    here = skip(text, here, is_blank);
    places.add(here);
    if wide {
        // These mark lines of a diff, items of a list and quotations.
        if matches!(text.get(here), Some(b'+' | b'-' | b'>' | b'|')) {
            here = skip(text, here + 1, is_blank);
            places.add(here);
        }
        if let Some(end) = skip_quote(text, here) {
            places.add(end);
        }
    }
}

/// The end of a line break at `at`, raw or escaped. In YAML and in shells a backslash may precede it.
fn line_end(text: &[u8], at: usize) -> Option<usize> {
    let raw = skip(text, at, |byte| byte == b'\\');
    match text.get(raw) {
        Some(b'\n') => return Some(raw + 1),
        Some(b'\r') if text.get(raw + 1) == Some(&b'\n') => return Some(raw + 2),
        Some(b'\r') => return Some(raw + 1),
        _ => {}
    }
    let mut end = None;
    if text.get(at) == Some(&b'\\') {
        escapes(text, at, |code, after| {
            if code == 0x0a || code == 0x0d {
                end = Some(after);
            }
        });
    }
    end
}

/// Adds the place after the separator of two quoted items: `", "`.
pub(super) fn after_item(text: &[u8], at: usize, places: &mut Places) {
    let Some(here) = skip_quote(text, at) else { return };
    if text.get(here) != Some(&b',') {
        return;
    }
    let here = skip(text, here + 1, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    if let Some(end) = skip_quote(text, here) {
        places.add(end);
    }
}

/// Whether a gap can hold this byte, in plain or in escaped form.
pub(super) fn is_within_gap(byte: u8) -> bool {
    begins_gap(byte) || byte.is_ascii_digit() || b"[;+->|mKnrubxe".contains(&byte)
}

/// Adds the places at which the part of a secret may end that continues at one of `places`.
pub(super) fn before_gaps(text: &[u8], wide: bool, places: &mut Places) {
    let mut reached = Places::default();
    places.spread(|end, places| {
        let most = text[..end].iter().rev().take(LONGEST_GAP);
        let most = most.take_while(|byte| is_within_gap(**byte)).count();
        for begin in (end - most..end).rev().filter(|begin| begins_gap(text[*begin])) {
            reached.clear();
            after_colour(text, begin, &mut reached);
            after_line_end(text, begin, wide, &mut reached);
            if wide {
                after_item(text, begin, &mut reached);
            }
            if reached.contains(end) {
                places.add(begin);
            }
        }
    });
}

/// Whether the rest of a secret may follow once the text goes on: nothing stands after `at`, or only a part of a gap or an escape
/// sequence.
pub(super) fn may_continue(text: &[u8], at: usize) -> bool {
    let rest = &text[at..];
    if rest.len() > LONGEST_GAP {
        return false;
    }
    let is_gap = |byte: &u8| *byte != ESC && begins_gap(*byte) || matches!(byte, b'+' | b'-' | b'>' | b'|');
    let gap = rest.iter().take_while(|byte| is_gap(byte)).count();
    // Backslashes may belong to the escape sequence that follows.
    let backslashes = rest[..gap].iter().rev().take_while(|byte| **byte == b'\\').count();
    match &rest[gap - backslashes..] {
        [] => true,
        [ESC, sequence @ ..] => sequence.iter().all(|byte| matches!(byte, b'[' | 0x20..0x40)),
        rest => is_unfinished(rest),
    }
}
