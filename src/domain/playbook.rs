//! Playbooks, as the library lists them.

use super::{
    deployment::{Accelerator, DeploymentStatus},
    text_enum::text_enum,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// Where a playbook comes from.
    PlaybookOrigin {
        /// Ships with Admiral.
        BuiltIn = "built_in",
        /// Uploaded.
        Custom = "custom",
        /// In the watched folder or a git repository.
        Project = "project",
    }
}

/// An entry of the library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Playbook {
    /// `builtin/PATH`, `custom/PACKAGE/PATH` or `project/PATH`.
    pub id: String,
    /// Where it comes from.
    pub origin: PlaybookOrigin,
    /// The id without the origin.
    pub path: String,
    /// The package that it is an entry point of.
    pub package_id: Uuid,
    /// That package's name.
    pub package_name: String,
    /// Relative to the package.
    pub entry_path: String,
    /// What its text tells.
    pub outline: Outline,
    /// The package's current version.
    pub version: Option<Uuid>,
    /// Its number.
    pub version_number: Option<i32>,
    /// When that was made.
    pub updated_at: Option<DateTime<Utc>>,
    /// Since when it is gone from its package.
    pub missing_since: Option<DateTime<Utc>>,
    /// How its deployments went.
    pub record: PlaybookRecord,
}

/// What a playbook's text tells at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Outline {
    /// The front matter's name, the first play's, or the file's.
    pub name: String,
    /// The front matter's description, or the leading comment.
    pub description: Option<String>,
    /// What the library groups it by; from the front matter.
    pub category: Option<String>,
    /// What the front matter says makes Ansible quicker with this playbook.
    pub accelerator: Option<Accelerator>,
    /// Patterns of its plays' `hosts`, each once.
    pub hosts: Vec<String>,
    /// Names of variables that its plays define or ask for, each once.
    pub variables: Vec<String>,
    /// Tags of its plays and tasks, each once.
    pub tags: Vec<String>,
    /// Roles that its plays name, each once.
    pub roles: Vec<String>,
    /// What is wrong with it: it is no YAML, or its front matter cannot be read. Such a playbook cannot be launched.
    pub error: Option<String>,
}

/// How a playbook's deployments went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaybookRecord {
    /// How many ended, cancelled ones aside.
    pub ended: i64,
    /// How many of those completed.
    pub completed: i64,
    /// The latest ones, the newest first, five at most.
    pub latest: Vec<PastDeployment>,
}

/// One deployment of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastDeployment {
    /// Identifies the deployment.
    pub id: Uuid,
    /// Its short number.
    pub number: i64,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// When it was launched.
    pub created_at: DateTime<Utc>,
}

/// Names a playbook of the library: `builtin/ping.yml`, `custom/shop/site.yml`, `project/site.yml`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaybookId {
    origin: PlaybookOrigin,
    path: String,
}

impl PlaybookId {
    /// `path` is the id without the origin; refused when it could lead out of a folder.
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

    /// The id without the origin.
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
            Self::Project => "project",
        }
    }
}

/// One file of a version, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Relative to the package, parts separated by `/`.
    pub path: String,
    /// Permission bits: 0o644, or 0o755 for a file that its owner may execute.
    pub mode: u32,
    /// SHA-256 of the content in hexadecimal.
    pub digest: String,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybookFile {
    /// Relative to the package, parts separated by `/`.
    pub path: String,
    /// Permission bits: 0o644, or 0o755 for a file that its owner may execute.
    pub mode: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A text that names no playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a playbook's id: \"builtin/\", \"custom/\" or \"project/\" and a path is needed")]
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
            "other/x.yml",
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
