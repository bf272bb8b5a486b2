//! Why a sync failed, in git's own words and with what to try.

use super::{tree::TreeError, url::UrlError};
use crate::{process::ProcessError, store::StoreError};
use std::io;

/// Longest text of git's own that is kept, in characters.
const MAX_WORDS: usize = 1000;
/// Lines of it.
const MAX_LINES: usize = 8;

/// Why a repository could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Not installed.
    #[error("git is not installed on the server; `admiral doctor` says how to mend that")]
    Missing,
    /// The server's own disk.
    #[error("the server could not write to its own disk: {0}")]
    Folder(#[source] io::Error),
    /// git could not be run.
    #[error("git could not be run: {0}")]
    Process(#[source] ProcessError),
    /// Longer than a sync may take.
    #[error("it took more than five minutes and was ended; is the host slow, or the repository very large?")]
    TimedOut,
    /// More than the disk may be used for.
    #[error("the repository takes more than 512 MiB and was not fetched to its end")]
    TooLarge,
    /// More names than any repository of playbooks has.
    #[error("the repository lists more files than a package may have")]
    TooMuch,
    /// git refused, or the host did.
    #[error("{words}{}{hint}", if hint.is_empty() { "" } else { "\n→ " })]
    Refused {
        /// git's own words, cleaned.
        words: String,
        /// What to try.
        hint: &'static str,
    },
    /// The host has no such branch, tag or commit.
    #[error("the repository has not {reference}; {hint}")]
    NoSuchReference {
        /// What was wanted.
        reference: String,
        /// What to try.
        hint: &'static str,
    },
    /// A tag of something else.
    #[error("{0} does not name a commit")]
    NotACommit(String),
    /// What it holds cannot be taken.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A submodule nobody says anything about.
    #[error("{0:?} is a submodule, but .gitmodules does not say where it is")]
    UnknownSubmodule(String),
    /// A submodule that must not be fetched.
    #[error("the address of the submodule {path:?} {source}")]
    SubmoduleUrl {
        /// Where it belongs.
        path: String,
        /// What is wrong with its address.
        source: UrlError,
    },
    /// A submodule that could not be fetched.
    #[error("the submodule {path:?} ({host}): {source}")]
    Submodule {
        /// Where it belongs.
        path: String,
        /// Where it comes from.
        host: String,
        /// Why not.
        source: Box<GitError>,
    },
    /// Submodules inside submodules without end.
    #[error("there are more than {0}")]
    TooManySubmodules(&'static str),
    /// The stored address, which was fine once.
    #[error("the address {0}")]
    Url(UrlError),
    /// A secret does not open.
    #[error("{0} cannot be opened with the server's key ring")]
    Secret(&'static str),
    /// The database does not take it.
    #[error("what the repository holds could not be stored: {0}")]
    NotStored(#[source] StoreError),
    /// The key is of no use.
    #[error("the private key cannot be used: {0}")]
    Key(String),
}

impl GitError {
    /// From what git wrote, which holds no secret any more.
    pub(super) fn refused(stderr: &str) -> Self {
        let words = shorten(stderr);
        let hint = hint(stderr);
        let words = if words.is_empty() {
            "git failed and did not say why".to_owned()
        } else {
            words
        };
        Self::Refused { words, hint }
    }

    /// Whether git said this.
    pub(super) fn says(&self, part: &str) -> bool {
        matches!(self, Self::Refused { words, .. } if words.contains(part))
    }
}

/// The lines that say something, the last ones if there are many.
fn shorten(stderr: &str) -> String {
    const NOISE: &[&str] = &[
        "remote: Counting",
        "remote: Compressing",
        "remote: Enumerating",
        "remote: Total",
        "warning: redirecting",
        "and the repository exists.",
        "Please make sure you have the correct access rights",
    ];
    let lines: Vec<String> = stderr
        .split(['\n', '\r'])
        .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
        .map(|line| line.trim().to_owned())
        .filter(|line| line.contains(char::is_alphanumeric) && !NOISE.iter().any(|noise| line.starts_with(noise)))
        .collect();
    let lines = &lines[lines.len().saturating_sub(MAX_LINES)..];
    lines.join("\n").chars().take(MAX_WORDS).collect()
}

/// What may be wrong, by what git, `ssh` and curl are known to say.
fn hint(stderr: &str) -> &'static str {
    let says = |parts: &[&str]| parts.iter().any(|part| stderr.contains(part));
    if says(&["REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed"]) {
        "the host shows another host key than the one that is trusted: if that is expected, forget the project's host keys and sync \
         again; if not, somebody may be in between"
    } else if says(&["Permission denied"]) {
        "the host does not take the private key: is its public half a deploy key of this repository, and the user in the address right?"
    } else if says(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "HTTP Basic: Access denied",
        "returned error: 401",
        "returned error: 403",
    ]) {
        "the host asks for a token, or does not take this one: has it expired, may it read this repository, and is the user name right?"
    } else if says(&[
        "Could not resolve host",
        "Name or service not known",
        "Temporary failure in name resolution",
    ]) {
        "the host's name is not known: is it written right, and can the server reach a name server?"
    } else if says(&[
        "Connection refused",
        "Connection timed out",
        "Operation timed out",
        "Network is unreachable",
        "No route to host",
        "Failed to connect",
        "Could not connect",
        "Operation too slow",
    ]) {
        "the host cannot be reached from the server: is it up, the port right, and the way open?"
    } else if says(&["certificate", "SSL", "TLS"]) {
        "the host's certificate is not trusted: set ADMIRAL_GIT_CA_FILE to the file of the authority that signed it"
    } else if says(&[
        "not found",
        "does not appear to be a git repository",
        "returned error: 404",
        "No such file",
    ]) {
        "there is no such repository, or these credentials may not see it"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_says_it_itself_and_we_say_what_to_try() {
        let error = GitError::refused(
            "remote: Counting objects: 1\rgit@example.org: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\n\
             Please make sure you have the correct access rights\nand the repository exists.\n",
        );
        assert_eq!(
            error.to_string(),
            "git@example.org: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\
             → the host does not take the private key: is its public half a deploy key of this repository, and the user in the \
             address right?"
        );
        assert_eq!(GitError::refused("fatal: odd\n").to_string(), "fatal: odd");
        assert_eq!(GitError::refused("").to_string(), "git failed and did not say why");
        let long = GitError::refused(&"fatal: again and again\n".repeat(1000)).to_string();
        assert!(long.lines().count() <= MAX_LINES);
    }
}
