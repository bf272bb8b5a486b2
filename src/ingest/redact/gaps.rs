//! Gaps: text that is not part of a secret and that a program may write between two of its characters.

use super::{
    escapes::{ESC, control_sequence, escapes, is_unfinished, sequence_end},
    written::Places,
};

/// A gap longer than this is not followed to its end.
pub(super) const LONGEST_GAP: usize = 200;

/// Adds the end of a control sequence at `at`, such as a change of colour.
pub(super) fn after_colour(text: &[u8], at: usize, places: &mut Places) {
    let end = control_sequence(text, at).or_else(|| escaped_sequence(text, at));
    if let Some(end) = end {
        places.add(end);
    }
}

/// The end of a control sequence at `at` whose first character is escaped.
fn escaped_sequence(text: &[u8], at: usize) -> Option<usize> {
    let mut found = None;
    if text.get(at) == Some(&b'\\') {
        escapes(text, at, |code, end| {
            if code == u32::from(ESC) {
                found = sequence_end(text, end);
            }
        });
    }
    found
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

/// Adds the places after a line break at `at`, its indentation and whatever marks the next line. If `wide`, the line break may also
/// separate two items of a list: each may be quoted, and end with a comma or begin with a dash.
pub(super) fn after_line_end(text: &[u8], at: usize, wide: bool, places: &mut Places) {
    let mut here = at;
    while let Some(end) = (here - at < LONGEST_GAP)
        .then(|| before_line_end(text, here, wide))
        .flatten()
    {
        here = end;
    }
    let Some(mut here) = line_end(text, here) else { return };
    let mut is_marked = false;
    loop {
        let byte = text.get(here).copied();
        let next = match byte {
            Some(b' ' | b'\t') => skip(text, here, |byte| matches!(byte, b' ' | b'\t')),
            Some(ESC) => control_sequence(text, here).unwrap_or(here),
            Some(b'\\') => escaped_sequence(text, here)
                .or_else(|| if wide { skip_quote(text, here) } else { None })
                .unwrap_or(here),
            // These mark lines of a diff, items of a list and quotations.
            Some(b'+' | b'-' | b'>' | b'|') if wide && !is_marked => here + 1,
            _ if wide => skip_quote(text, here).unwrap_or(here),
            _ => here,
        };
        is_marked |= matches!(byte, Some(b'+' | b'-' | b'>' | b'|'));
        places.add(here);
        if next == here || next - at > LONGEST_GAP {
            return;
        }
        here = next;
    }
}

/// The end of something that may stand at `at`, between a secret and the end of the line.
fn before_line_end(text: &[u8], at: usize, wide: bool) -> Option<usize> {
    match text.get(at)? {
        b' ' | b'\t' => Some(at + 1),
        b',' if wide => Some(at + 1),
        &ESC => control_sequence(text, at),
        b'\\' if line_end(text, at).is_none() => {
            let quote = if wide { skip_quote(text, at) } else { None };
            let backslashes = || skip(text, at, |byte| byte == b'\\');
            escaped_sequence(text, at).or(quote).or_else(|| Some(backslashes()))
        }
        b'"' | b'\'' if wide => Some(at + 1),
        _ => None,
    }
}

/// The end of a line break at `at`, raw or escaped. In YAML and in shells a backslash may precede it.
fn line_end(text: &[u8], at: usize) -> Option<usize> {
    let raw = skip(text, at, |byte| byte == b'\\');
    match text.get(raw) {
        Some(b'\r') if text.get(raw + 1) == Some(&b'\n') => return Some(raw + 2),
        Some(b'\n' | b'\r') => return Some(raw + 1),
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
