//! Redacts output that arrives in pieces.

use super::{End, Redactor, replaced};

/// A line without an end is held back up to this many bytes.
const LONGEST_LINE: usize = 64 * 1024;
/// What may turn out to be a secret is held back up to this many bytes, which is more than any secret takes.
const MOST_HELD: usize = 4 * 1024 * 1024;

/// Takes output in pieces and hands it out without secrets, wherever it was cut.
#[derive(Debug)]
pub struct HeldOutput {
    held: Vec<u8>,
    most: usize,
}

impl Default for HeldOutput {
    fn default() -> Self {
        Self::with_most(MOST_HELD)
    }
}

impl HeldOutput {
    pub(super) fn with_most(most: usize) -> Self {
        Self { held: Vec::new(), most }
    }

    /// Takes the next bytes, and appends to `out` everything that cannot become part of a secret anymore. Returns how many bytes of
    /// the input that covers.
    pub fn feed(&mut self, redactor: &Redactor, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        self.held.extend_from_slice(bytes);
        let whole = match memchr::memrchr(b'\n', &self.held) {
            Some(end) => end + 1,
            None if self.held.len() > LONGEST_LINE => self.held.len(),
            None => return 0,
        };
        let end = if self.held.len() > self.most {
            End::Cut
        } else {
            End::Open
        };
        self.hand_out(redactor, whole, end, out)
    }

    /// Hands out what is held back, because nothing follows. Returns how many bytes of the input that covers.
    pub fn finish(&mut self, redactor: &Redactor, out: &mut Vec<u8>) -> usize {
        self.hand_out(redactor, self.held.len(), End::Cut, out)
    }

    fn hand_out(&mut self, redactor: &Redactor, most: usize, end: End, out: &mut Vec<u8>) -> usize {
        let found = redactor.find(&self.held[..most], end);
        let decided = found.open.unwrap_or(most);
        let secrets = found.secrets.partition_point(|secret| secret.end <= decided);
        match &found.secrets[..secrets] {
            [] => out.extend_from_slice(&self.held[..decided]),
            secrets => out.extend(replaced(&self.held[..decided], secrets)),
        }
        self.held.drain(..decided);
        decided
    }
}
