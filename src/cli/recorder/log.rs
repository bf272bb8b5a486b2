//! The copy of the output that the user sees.

use super::{Trouble, spool::Spool};
use crate::{
    ingest::redact::{HeldOutput, Redactor},
    process::Tee,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
};

/// Appends the output to the log, without `secrets`. If the log cannot be written, it is given up, but the run is not.
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
        redactor: Redactor::new(secrets.iter().map(|secret| secret.expose_secret().as_bytes())),
        held: HeldOutput::default(),
        trouble,
    };
    Box::new(move |bytes| log.take(bytes))
}

struct Log {
    file: Option<File>,
    redactor: Redactor,
    /// Output that may be part of a secret.
    held: HeldOutput,
    trouble: Trouble,
}

impl Log {
    fn take(&mut self, bytes: &[u8]) {
        if self.redactor.is_empty() {
            return self.write(bytes);
        }
        let mut redacted = Vec::new();
        self.held.feed(&self.redactor, bytes, &mut redacted);
        self.write(&redacted);
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
        let mut redacted = Vec::new();
        self.held.finish(&self.redactor, &mut redacted);
        self.write(&redacted);
    }
}
