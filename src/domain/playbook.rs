//! Playbooks, as the library lists them.

use super::{deployment::Accelerator, text_enum::text_enum};
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

text_enum! {
    /// Where a playbook comes from.
    PlaybookOrigin {
        /// Ships with Admiral.
        BuiltIn = "built_in",
        /// Put into the playbook folder by its owner.
        Custom = "custom",
    }
}

/// An entry of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Playbook {
    /// `builtin/PATH` or `custom/PATH`.
    pub id: String,
    /// Where it comes from.
    pub origin: PlaybookOrigin,
    /// Relative to its origin's folder.
    pub path: String,
    /// The first play's name, or the file's.
    pub name: String,
    /// The leading comment, without the front matter.
    pub description: Option<String>,
    /// What the front matter says makes Ansible quicker with this playbook; null when it says nothing.
    pub accelerator: Option<Accelerator>,
    /// What is wrong with the front matter; such a playbook cannot be launched.
    pub error: Option<String>,
}

/// Names a playbook of the library: `builtin/ping.yml`, `custom/site/site.yml`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaybookId {
    origin: PlaybookOrigin,
    path: String,
}

impl PlaybookId {
    /// `path` is relative to the origin's folder; refused when it could lead out of it.
    pub fn new(origin: PlaybookOrigin, path: impl Into<String>) -> Result<Self, InvalidPlaybookId> {
        let path = path.into();
        let plain = !path.is_empty()
            && path.len() <= 1024
            && !path.contains(['\\', '\0', '\n'])
            && path
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..");
        if plain {
            Ok(Self { origin, path })
        } else {
            Err(InvalidPlaybookId)
        }
    }

    /// Where the playbook comes from.
    pub fn origin(&self) -> PlaybookOrigin {
        self.origin
    }

    /// The playbook's file relative to its origin's folder, which is also its path among the files of its version.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for PlaybookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.origin.prefix(), self.path)
    }
}

impl FromStr for PlaybookId {
    type Err = InvalidPlaybookId;

    fn from_str(text: &str) -> Result<Self, InvalidPlaybookId> {
        let (prefix, path) = text.split_once('/').ok_or(InvalidPlaybookId)?;
        let origin = PlaybookOrigin::ALL
            .iter()
            .copied()
            .find(|origin| origin.prefix() == prefix);
        Self::new(origin.ok_or(InvalidPlaybookId)?, path)
    }
}

impl PlaybookOrigin {
    /// The first part of a playbook's id.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::BuiltIn => "builtin",
            Self::Custom => "custom",
        }
    }
}

/// One file of a version, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Relative to the origin's folder, parts separated by `/`.
    pub path: String,
    /// Permission bits: 0o644, or 0o755 for a file that its owner may execute.
    pub mode: u32,
    /// SHA-256 of the content in hexadecimal.
    pub digest: String,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybookFile {
    /// Relative to the origin's folder, parts separated by `/`.
    pub path: String,
    /// Permission bits: 0o644, or 0o755 for a file that its owner may execute.
    pub mode: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A text that names no playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a playbook's id: \"builtin/\" or \"custom/\" and a path inside that folder is needed")]
pub struct InvalidPlaybookId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written_alike() {
        for text in ["builtin/ping.yml", "custom/site/site.yml", "custom/a b/ü.yaml"] {
            assert_eq!(text.parse::<PlaybookId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn ids_that_lead_elsewhere_are_refused() {
        for text in [
            "",
            "ping.yml",
            "builtin",
            "builtin/",
            "project/x.yml",
            "custom/../x.yml",
            "custom/a/../../x.yml",
            "custom//etc/x.yml",
            "custom/./x.yml",
            "custom/a\\b.yml",
            "custom/x\0.yml",
            "/etc/x.yml",
            "custom/x.yml/",
        ] {
            assert_eq!(text.parse::<PlaybookId>(), Err(InvalidPlaybookId), "{text:?}");
        }
    }
}
