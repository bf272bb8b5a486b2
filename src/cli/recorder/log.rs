//! The copy of what the user is shown.

use super::{Trouble, spool::Spool};
use crate::{ingest::redact::Redactor, process::Tee};
use secrecy::SecretString;
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
};

/// A line that is longer is written in parts.
const LONGEST_LINE: usize = 64 * 1024;

/// Appends what the user is shown to the log, without `secrets`. A log that cannot be written is given up, not the run.
pub fn log_to(spool: &Spool, secrets: &[SecretString], trouble: Trouble) -> Tee {
    let file = match OpenOptions::new().append(true).open(spool.output()) {
        Ok(file) => Some(file),
        Err(error) => {
            trouble.note(format!("the output is not recorded: {error}"));
            None
        }
    };
    let mut log = Log {
        file,
        redactor: (!secrets.is_empty()).then(|| Redactor::new(secrets)),
        begun: Vec::new(),
        trouble,
    };
    Box::new(move |bytes| log.take(bytes))
}

struct Log {
    file: Option<File>,
    /// Looks at whole lines, so that no secret is missed because it came in two pieces.
    redactor: Option<Redactor>,
    /// A line that has no end yet.
    begun: Vec<u8>,
    trouble: Trouble,
}

impl Log {
    fn take(&mut self, bytes: &[u8]) {
        if self.redactor.is_none() {
            return self.write(bytes);
        }
        self.begun.extend_from_slice(bytes);
        let whole = memchr::memrchr(b'\n', &self.begun).map_or(0, |at| at + 1);
        if whole > 0 || self.begun.len() > LONGEST_LINE {
            let rest = self.begun.split_off(if whole > 0 { whole } else { self.begun.len() });
            self.write_begun();
            self.begun = rest;
        }
    }

    fn write_begun(&mut self) {
        let begun = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&begun);
        match self.redactor.as_ref().and_then(|redactor| redactor.redact_text(&text)) {
            Some(redacted) => self.write(redacted.as_bytes()),
            None => self.write(&begun),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            self.trouble
                .note(format!("the output is not recorded to its end: {error}"));
            self.file = None;
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.write_begun();
    }
}
