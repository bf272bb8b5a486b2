//! The texts that are searched for, and which parts of them count as secret.
//!
//! Every secret has five forms: as it is, in base64 at each of the three alignments, and in hexadecimal. A form is a sequence of tokens.
//! The encoded forms are computed from the secret's bytes when they are needed, so that memory holds a secret twice and not ten times.

use super::written::{self, INVALID, SPACE, Style, Token};
use std::ops::Range;
use zeroize::Zeroizing;

/// A whole line of a secret is a secret if it has at least this many characters.
const SHORTEST_LINE: usize = 8;
/// A key or a token is at least this many characters of the base64 alphabet in a row.
const SHORTEST_DENSE: usize = 32;
/// A piece of a key is a secret if it has at least this many characters.
const SHORTEST_PIECE: usize = 16;
/// The same in base64 and in hexadecimal. It is more than the first lines of keys and of certificates have in common.
const SHORTEST_BASE64_PIECE: usize = 24;
const SHORTEST_HEX_PIECE: usize = 40;
/// A piece of any secret is a secret if it has at least this many characters.
const SHORTEST_TEXT_PIECE: usize = 64;
/// The beginning of a secret whose rest was cut off is a secret if it has at least this many characters, or half of them.
const SHORTEST_CUT: usize = 16;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// One secret.
pub(super) struct Secret {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    tokens: Zeroizing<Vec<Token>>,
    /// The end of each token in `bytes`.
    ends: Vec<u32>,
    /// The lines that are secrets by themselves, as ranges of tokens. None if there is only one line.
    lines: Vec<Range<usize>>,
    /// The first and last lines of keys and certificates, which are not secret and the same in all of them.
    frames: Vec<Range<usize>>,
    /// Keys and tokens within the secret.
    dense: Vec<Range<usize>>,
}

impl Secret {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut secret = Self {
            // With all the capacity it needs: growing would leave copies behind.
            bytes: Zeroizing::new(bytes.to_vec()),
            tokens: Zeroizing::new(Vec::with_capacity(bytes.len())),
            ends: Vec::with_capacity(bytes.len()),
            lines: Vec::new(),
            frames: Vec::new(),
            dense: Vec::new(),
        };
        let mut line_ends = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let (token, end) = next_token(bytes, at);
            if token == SPACE && bytes[at..end].iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                line_ends.push(secret.tokens.len());
            }
            secret.tokens.push(token);
            secret.ends.push(end as u32);
            at = end;
        }
        secret.find_lines(line_ends);
        secret.find_dense();
        secret
    }

    fn find_lines(&mut self, mut line_ends: Vec<usize>) {
        if line_ends.is_empty() {
            return;
        }
        line_ends.push(self.tokens.len());
        let mut start = 0;
        for end in line_ends {
            let tokens = &self.tokens[start..end];
            if tokens.starts_with(&[u32::from(b'-'); 5]) {
                self.frames.push(start..end);
            } else if tokens.len() >= SHORTEST_LINE && tokens.iter().any(|token| is_letter_or_digit(*token)) {
                self.lines.push(start..end);
            }
            start = (end + 1).min(self.tokens.len());
        }
    }

    fn find_dense(&mut self) {
        let is_base64 =
            |token: &Token| is_letter_or_digit(*token) || [b'+', b'/', b'-', b'_', b'='].map(u32::from).contains(token);
        let mut start = 0;
        while start < self.tokens.len() {
            let length = self.tokens[start..].iter().take_while(|token| is_base64(token)).count();
            let run = start..start + length;
            if length >= SHORTEST_DENSE && is_random(&self.tokens[run.clone()]) {
                self.dense.push(run);
            }
            start += length + 1;
        }
    }

    /// The beginning of the token in the bytes.
    fn begin(&self, token: usize) -> usize {
        token.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    /// The token that ends at `end` in the bytes.
    pub(super) fn token_ending_at(&self, end: usize) -> Option<usize> {
        self.ends.binary_search(&(end as u32)).ok()
    }
}

/// The token at `at`, and its end.
fn next_token(bytes: &[u8], at: usize) -> (Token, usize) {
    match bytes[at] {
        byte if written::is_space(byte) => {
            let blanks = bytes[at..].iter().take_while(|byte| written::is_space(**byte));
            (SPACE, at + blanks.count())
        }
        byte if byte.is_ascii() => (Token::from(byte), at + 1),
        byte => match written::character(bytes, at) {
            Some((character, end)) => (character.into(), end),
            None => (INVALID + Token::from(byte), at + 1),
        },
    }
}

fn is_letter_or_digit(token: Token) -> bool {
    u8::try_from(token).is_ok_and(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text looks like a key rather than like a path or a long name.
fn is_random(tokens: &[Token]) -> bool {
    let has = |is: fn(&u8) -> bool| {
        tokens
            .iter()
            .any(|token| u8::try_from(*token).is_ok_and(|byte| is(&byte)))
    };
    let is_hex = |token: &Token| u8::try_from(*token).is_ok_and(|byte| byte.is_ascii_hexdigit());
    has(u8::is_ascii_digit) && (tokens.iter().all(is_hex) || has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
}

/// How a form is derived from its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Text,
    /// Base64 of the secret after this many other bytes, without the characters that depend on those.
    Base64(usize),
    Hex,
}

impl Encoding {
    pub(super) const ALL: [Self; 5] = [Self::Text, Self::Base64(0), Self::Base64(1), Self::Base64(2), Self::Hex];
}

/// One of the texts that are searched for.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) secret: &'a Secret,
    pub(super) encoding: Encoding,
}

impl Form<'_> {
    pub(super) fn style(&self) -> Style {
        match self.encoding {
            Encoding::Text => Style::Text,
            Encoding::Base64(_) => Style::Base64,
            Encoding::Hex => Style::Hex,
        }
    }

    /// The number of tokens.
    pub(super) fn len(&self) -> usize {
        let bytes = self.secret.bytes.len();
        match self.encoding {
            Encoding::Text => self.secret.tokens.len(),
            Encoding::Base64(before) => (8 * (before + bytes) / 6).saturating_sub(first_base64(before)),
            Encoding::Hex => 2 * bytes,
        }
    }

    pub(super) fn token(&self, index: usize) -> Token {
        let bytes = &self.secret.bytes;
        match self.encoding {
            Encoding::Text => self.secret.tokens[index],
            Encoding::Base64(before) => {
                let bit = 6 * (index + first_base64(before)) - 8 * before;
                let byte = |index: usize| u16::from(bytes.get(index).copied().unwrap_or_default());
                let pair = byte(bit / 8) << 8 | byte(bit / 8 + 1);
                Token::from(BASE64[usize::from(pair >> (10 - bit % 8)) & 63])
            }
            Encoding::Hex => {
                let byte = usize::from(bytes[index / 2]);
                Token::from(HEX[if index.is_multiple_of(2) { byte >> 4 } else { byte & 15 }])
            }
        }
    }

    /// The lines that are secrets by themselves, as ranges of tokens of this form.
    pub(super) fn lines(&self) -> impl Iterator<Item = Range<usize>> {
        self.secret.lines.iter().map(|line| self.here(line))
    }

    /// The first and last lines of keys, as ranges of tokens of this form.
    pub(super) fn frames(&self) -> Vec<Range<usize>> {
        self.secret.frames.iter().map(|frame| self.here(frame)).collect()
    }

    /// The first line that does not begin before `token`.
    fn line_from(&self, token: usize) -> Option<Range<usize>> {
        let lines = &self.secret.lines;
        let index = lines.partition_point(|line| self.here(line).start < token);
        lines.get(index).map(|line| self.here(line))
    }

    /// The tokens of this form that depend on nothing but these tokens of the text.
    fn here(&self, tokens: &Range<usize>) -> Range<usize> {
        let bytes = || self.secret.begin(tokens.start)..self.secret.begin(tokens.end);
        match self.encoding {
            Encoding::Text => tokens.clone(),
            Encoding::Base64(before) => {
                let (bytes, first) = (bytes(), first_base64(before));
                (8 * (before + bytes.start)).div_ceil(6) - first..8 * (before + bytes.end) / 6 - first
            }
            Encoding::Hex => 2 * bytes().start..2 * bytes().end,
        }
    }

    /// Whether these tokens are a secret even if the rest of the form is missing. `is_cut`: what followed was cut off.
    pub(super) fn is_secret(&self, found: &Range<usize>, is_cut: bool) -> bool {
        let whole = 0..self.len();
        if *found == whole {
            return true;
        }
        let begins_line = || {
            self.line_from(found.start)
                .is_some_and(|line| line.start == found.start)
        };
        let larger_part = SHORTEST_CUT.min(whole.len().div_ceil(2)).max(super::SHORTEST);
        self.holds_line(found)
            || self.is_piece(found)
            || is_cut && found.len() >= larger_part && (found.start == 0 || begins_line())
    }

    /// Whether these tokens include a whole line.
    pub(super) fn holds_line(&self, found: &Range<usize>) -> bool {
        self.line_from(found.start).is_some_and(|line| line.end <= found.end)
    }

    /// Whether there are too many of these tokens for a coincidence.
    fn is_piece(&self, found: &Range<usize>) -> bool {
        match self.encoding {
            Encoding::Base64(_) => found.len() >= SHORTEST_BASE64_PIECE,
            Encoding::Hex => found.len() >= SHORTEST_HEX_PIECE,
            Encoding::Text => {
                let common = |run: &Range<usize>| run.end.min(found.end).saturating_sub(run.start.max(found.start));
                found.len() >= SHORTEST_TEXT_PIECE || self.secret.dense.iter().any(|run| common(run) >= SHORTEST_PIECE)
            }
        }
    }

    /// The tokens as plain text.
    pub(super) fn text(&self, tokens: &Range<usize>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4 * tokens.len()));
        text.extend(tokens.clone().filter_map(|index| char::from_u32(self.token(index))));
        text
    }

    /// Whether the token is within a key.
    pub(super) fn is_dense(&self, token: usize) -> bool {
        self.encoding != Encoding::Text || self.secret.dense.iter().any(|run| run.contains(&token))
    }
}

/// The first character of base64 that does not depend on the bytes before.
fn first_base64(before: usize) -> usize {
    (8 * before).div_ceil(6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    fn shown(secret: &Secret, encoding: Encoding) -> String {
        let form = Form { secret, encoding };
        form.text(&(0..form.len())).to_string()
    }

    #[test]
    fn encoded_forms_are_what_an_encoder_makes() {
        for length in 1..20_u8 {
            let bytes: Vec<u8> = (0..length).map(|index| index.wrapping_mul(89) ^ 0xa5).collect();
            let secret = Secret::new(&bytes);
            assert_eq!(shown(&secret, Encoding::Hex), hex::encode(&bytes));
            for before in 0..3 {
                for after in 0..3 {
                    let text = STANDARD.encode([&vec![0x5a; before][..], &bytes, &vec![0xc3; after]].concat());
                    let form = shown(&secret, Encoding::Base64(before));
                    assert!(text[first_base64(before)..].starts_with(&form), "{text} {form}");
                }
            }
        }
    }

    #[test]
    fn lines_are_found_in_encoded_forms() {
        let text = "-----BEGIN X-----\nfirst line of it\nshort\n  second line\n--------------\n";
        let secret = Secret::new(text.as_bytes());
        let shown = |encoding| {
            let form = Form {
                secret: &secret,
                encoding,
            };
            form.lines()
                .map(|line| form.text(&line).to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(Encoding::Text), ["first line of it", "second line"]);
        assert_eq!(
            shown(Encoding::Hex),
            [hex::encode("first line of it"), hex::encode("second line")]
        );
        for before in 0..3 {
            let whole = STANDARD.encode([&vec![0; before][..], text.as_bytes()].concat());
            for line in shown(Encoding::Base64(before)) {
                assert!(whole.contains(&line));
            }
        }
    }

    #[test]
    fn keys_are_told_from_paths() {
        let dense = |text: &str| !Secret::new(text.as_bytes()).dense.is_empty();
        assert!(dense("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAA"));
        assert!(dense("0f3a5b1c9d8e7f60a1b2c3d4e5f60718"));
        assert!(!dense("/srv/www/example/releases/current/config"));
        assert!(!dense("a-very-long-name-of-something-in-kebab-case-1"));
    }
}
