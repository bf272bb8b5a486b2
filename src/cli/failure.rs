//! How a failed command says what happened, why, and what to try.

use std::{error::Error, fmt};

/// An error that knows the next step. Anywhere in a chain, its hint is shown.
#[derive(Debug)]
pub struct Hinted {
    what: String,
    hint: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Hinted {
    /// What failed, and what to try.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
            source: None,
        }
    }

    /// Adds why it failed.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl Error for Hinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

/// The command line asked for something that makes no sense: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The text for stderr: `error:`, `caused by:`, a blank line, `hint:`.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut previous = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let message = cause.to_string();
        // Some libraries repeat their source's text in their own.
        if message == previous {
            continue;
        }
        let label = if depth == 0 { "error" } else { "caused by" };
        let indented = message.trim_end().replace('\n', "\n  ");
        text.extend([label, ": ", &indented, "\n"]);
        previous = message;
    }
    if let Some(hint) = hint(error) {
        text.extend(["\nhint: ", &hint, "\n"]);
    }
    text
}

/// The exit code of a command that failed with `error`.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(<dyn std::error::Error + 'static>::is::<UsageError>) {
        2
    } else {
        1
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Hinted>())
        .map(|hinted| hinted.hint.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn shows_the_chain_and_the_hint() {
        let io = std::io::Error::other("disk full");
        let error = anyhow::Error::from(Hinted::new("failed to write the key ring", "make room").caused_by(io))
            .context("failed to start");
        assert_eq!(
            render(&error),
            "error: failed to start\ncaused by: failed to write the key ring\ncaused by: disk full\n\nhint: make room\n"
        );
        assert_eq!(exit_code(&error), 1);
    }

    #[test]
    fn a_usage_error_exits_with_2() {
        let error = Err::<(), _>(UsageError("--var needs NAME=VALUE".to_owned()))
            .context("failed to read")
            .unwrap_err();
        assert_eq!(exit_code(&error), 2);
    }
}
