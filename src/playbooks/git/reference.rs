//! What of a repository is wanted: a branch, a tag or a commit. Pure.

use std::fmt;

/// Longest reference, in bytes.
const MAX_REFERENCE: usize = 250;

/// What of a repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The branch that the repository calls its own.
    Default,
    /// A commit, by its whole id in lower case.
    Commit(String),
    /// `refs/…`, as it is.
    Full(String),
    /// A branch, or else a tag.
    Name(String),
}

/// Why a reference is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Would be read as an option.
    #[error("must not begin with \"-\": git would take it for an option")]
    Option,
    /// Longer than any real one.
    #[error("must have at most {MAX_REFERENCE} characters")]
    TooLong,
    /// Not what git allows (git-check-ref-format(1)).
    #[error(
        "must be a branch, a tag or a whole commit id: without blanks, control characters and any of ~ ^ : ? * [ \\, without \
         \"..\", \"@{{\" and \"//\", no part of it beginning with \".\" or ending with \".lock\""
    )]
    NotAllowed,
}

impl Reference {
    /// Reads what somebody wrote; nothing, or `HEAD`, is the default branch.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() || text == "HEAD" {
            return Ok(Self::Default);
        }
        if text.len() > MAX_REFERENCE {
            return Err(ReferenceError::TooLong);
        }
        if text.starts_with('-') {
            return Err(ReferenceError::Option);
        }
        let is_bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with('.')
                && !part.to_ascii_lowercase().ends_with(".lock")
        };
        let is_allowed = text != "@"
            && !text.contains(is_bad)
            && !text.contains("..")
            && !text.contains("@{")
            && text.split('/').all(is_part);
        if !is_allowed {
            return Err(ReferenceError::NotAllowed);
        }
        let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(if is_hexadecimal && (text.len() == 40 || text.len() == 64) {
            Self::Commit(text.to_ascii_lowercase())
        } else if text.starts_with("refs/") && text.len() > "refs/".len() {
            Self::Full(text.to_owned())
        } else {
            Self::Name(text.to_owned())
        })
    }

    /// The names that a remote may know it by, the one that counts most first; none for a commit.
    pub fn candidates(&self) -> Vec<String> {
        match self {
            Self::Default => vec!["HEAD".to_owned()],
            Self::Commit(_) => Vec::new(),
            Self::Full(name) => vec![name.clone()],
            Self::Name(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        }
    }
}

impl fmt::Display for Reference {
    /// For messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("a default branch"),
            Self::Commit(id) => write!(f, "the commit {id}"),
            Self::Full(name) => f.write_str(name),
            Self::Name(name) => write!(f, "a branch or a tag named {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_tags_and_commits_are_told_apart() {
        let id = "0123456789ABCDEF0123456789abcdef01234567";
        for (text, expected) in [
            ("", Reference::Default),
            ("HEAD", Reference::Default),
            ("main", Reference::Name("main".to_owned())),
            ("feature/grün-1", Reference::Name("feature/grün-1".to_owned())),
            ("v1.2.3", Reference::Name("v1.2.3".to_owned())),
            ("deadbeef", Reference::Name("deadbeef".to_owned())),
            ("refs/heads/main", Reference::Full("refs/heads/main".to_owned())),
            ("refs/pull/7/head", Reference::Full("refs/pull/7/head".to_owned())),
            (id, Reference::Commit(id.to_ascii_lowercase())),
            (&"a".repeat(64), Reference::Commit("a".repeat(64))),
        ] {
            assert_eq!(Reference::parse(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_git_would_not_take_is_refused() {
        for text in [
            "-x",
            "--upload-pack=id",
            "a..b",
            "a@{1}",
            "@",
            "a:b",
            "a~1",
            "a^",
            "a b",
            "a\nb",
            "a\0",
            "a?",
            "a*",
            "[a",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.",
            "a.lock",
            "a.lock/b",
            "a.LOCK",
            "a/-b",
            "refs/",
            "\u{a0}",
            &"x".repeat(300),
        ] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
    }
}
