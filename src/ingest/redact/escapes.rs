//! Reads the escape sequences of JSON, YAML, Python, shells, URLs and HTML.

use super::written;

/// A longer run of backslashes is not followed to its end: six levels of quoting turn one backslash into 64.
pub(super) const MOST_BACKSLASHES: usize = 64;
/// No escape is longer than this, apart from the backslashes that it begins with.
pub(super) const LONGEST_ESCAPE: usize = 32;
/// Begins the control sequences of a terminal.
pub(super) const ESC: u8 = 0x1b;

/// The end of the backslash that begins at `at`. In a URL it is written as `%5C`.
pub(super) fn one_backslash(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'\\' => Some(at + 1),
        b'%' => {
            let mut here = at + 1;
            while text[here..].starts_with(b"25") {
                here += 2;
            }
            text[here..]
                .get(..2)
                .is_some_and(|digits| digits.eq_ignore_ascii_case(b"5c"))
                .then_some(here + 2)
        }
        _ => None,
    }
}

/// The end of the run of backslashes that begins at `at`.
pub(super) fn backslashes(text: &[u8], at: usize) -> usize {
    let mut here = at;
    for _ in 0..MOST_BACKSLASHES {
        match one_backslash(text, here) {
            Some(next) => here = next,
            None => break,
        }
    }
    here
}

/// Calls `found` with every code point, or byte, that an escape sequence at `at` may stand for, and with the end of that sequence.
/// The most deeply nested reading comes last.
pub(super) fn escapes(text: &[u8], at: usize, mut found: impl FnMut(u32, usize)) {
    match text.get(at) {
        Some(b'\\') => escaped_by_backslash(text, backslashes(text, at), &mut found),
        Some(b'%') => {
            let mut here = at + 1;
            while let Some(code) = digits(text, here, 2, 16) {
                found(code, here + 2);
                if code != u32::from(b'%') {
                    break;
                }
                here += 2;
            }
            let end = backslashes(text, at);
            if end > at {
                escaped_by_backslash(text, end, &mut found);
            }
        }
        Some(b'&') => escaped_by_name(text, at, &mut found),
        _ => {}
    }
}

/// Reads what follows the backslashes.
fn escaped_by_backslash(text: &[u8], at: usize, found: &mut impl FnMut(u32, usize)) {
    let Some(letter) = text.get(at) else { return };
    let short = match letter {
        b'n' => 0x0a,
        b't' => 0x09,
        b'r' => 0x0d,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'v' => 0x0b,
        b'a' => 0x07,
        b'e' | b'E' => ESC.into(),
        // These four are YAML's.
        b'N' => 0x85,
        b'_' => 0xa0,
        b'L' => 0x2028,
        b'P' => 0x2029,
        b'u' => return escaped_utf16(text, at + 1, found),
        b'U' => {
            return digits(text, at + 1, 8, 16)
                .into_iter()
                .for_each(|code| found(code, at + 9));
        }
        b'x' => {
            return digits(text, at + 1, 2, 16)
                .into_iter()
                .for_each(|code| found(code, at + 3));
        }
        b'0'..=b'7' => match digits(text, at, 3, 8) {
            Some(code) => return found(code, at + 3),
            None if *letter == b'0' => 0,
            None => return,
        },
        _ => return,
    };
    found(short, at + 1);
}

/// Reads what follows the `u`: four digits, or two times four for a surrogate pair.
fn escaped_utf16(text: &[u8], at: usize, found: &mut impl FnMut(u32, usize)) {
    let Some(unit) = digits(text, at, 4, 16) else { return };
    if (0xd800..0xdc00).contains(&unit) {
        let low = backslashes(text, at + 4);
        if low > at + 4
            && text.get(low) == Some(&b'u')
            && let Some(second @ 0xdc00..0xe000) = digits(text, low + 1, 4, 16)
        {
            return found(0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00), low + 5);
        }
    }
    found(unit, at + 4);
}

fn escaped_by_name(text: &[u8], at: usize, found: &mut impl FnMut(u32, usize)) {
    const NAMES: [(&[u8], u8); 6] = [
        (b"quot;", b'"'),
        (b"apos;", b'\''),
        (b"lt;", b'<'),
        (b"gt;", b'>'),
        (b"nbsp;", b' '),
        (b"sol;", b'/'),
    ];
    let mut here = at + 1;
    while text[here..].starts_with(b"amp;") {
        here += 4;
        found(b'&'.into(), here);
    }
    let rest = &text[here..text.len().min(here + 12)];
    for (name, character) in NAMES {
        if rest.starts_with(name) {
            return found(character.into(), here + name.len());
        }
    }
    let (begin, radix) = match rest {
        [b'#', b'x' | b'X', ..] => (2, 16),
        [b'#', ..] => (1, 10),
        _ => return,
    };
    if let Some(end) = rest.iter().position(|byte| *byte == b';')
        && let Some(code) = digits(rest, begin, end - begin, radix)
    {
        found(code, here + end + 1);
    }
}

fn digits(text: &[u8], at: usize, count: usize, radix: u32) -> Option<u32> {
    let digits = text.get(at..at + count).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

/// The end of the terminal control sequence (`ESC [ … m`) that begins at `at`.
pub(super) fn control_sequence(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&ESC)).then(|| sequence_end(text, at + 1))?
}

/// The end of a control sequence whose bracket is at `at`.
pub(super) fn sequence_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'[') {
        return None;
    }
    let rest = &text[at + 1..text.len().min(at + 32)];
    let end = rest.iter().position(|byte| !(0x20..0x40).contains(byte))?;
    (0x40..0x7f).contains(&rest[end]).then_some(at + end + 2)
}

/// Whether a text that ends like this ends in the middle of a character or of an escape sequence.
pub(super) fn is_unfinished(rest: &[u8]) -> bool {
    let are_digits = |rest: &[u8]| rest.iter().all(u8::is_ascii_hexdigit);
    match rest {
        [b'\\', escape @ ..] => {
            let run = escape.iter().take_while(|byte| **byte == b'\\').count();
            match &escape[run..] {
                [] => true,
                [b'u', digits @ ..] => digits.len() < 4 && are_digits(digits),
                [b'U', digits @ ..] => digits.len() < 8 && are_digits(digits),
                [b'x', digits @ ..] => digits.len() < 2 && are_digits(digits),
                _ => false,
            }
        }
        [b'%', digits @ ..] => digits.len() < 2 && are_digits(digits),
        [b'&', rest @ ..] => rest.len() < 8 && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#'),
        [byte, ..] if !byte.is_ascii() => written::character(rest, 0).is_none() && rest.len() < 4,
        _ => false,
    }
}
