//! Packages: files of playbooks that belong together, and their versions.

use super::{playbook::PlaybookOrigin, text_enum::text_enum};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// How a package's files come to Admiral.
    PackageSource {
        /// They ship with it.
        BuiltIn = "built_in",
        /// Uploaded, and edited in the console.
        Upload = "upload",
        /// A folder on the server's machine.
        Folder = "folder",
        /// A git repository.
        Git = "git",
    }
}

text_enum! {
    /// What became of a file from one version to another.
    FileStatus {
        /// Only the new version has it.
        Added = "added",
        /// Only the old version has it.
        Removed = "removed",
        /// Its content or its mode differs.
        Changed = "changed",
    }
}

/// Files of playbooks that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Package {
    /// Identifies the package.
    pub id: Uuid,
    /// Where it comes from.
    pub origin: PlaybookOrigin,
    /// How its files come to Admiral.
    pub source: PackageSource,
    /// Unique within its origin; empty for the files at the root of the built-in or the watched folder.
    pub name: String,
    /// Its playbooks, relative to the package.
    pub entry_points: Vec<String>,
    /// What is launched unless another version is asked for; null before the first sync of a git project.
    pub current_version: Option<PackageVersion>,
    /// Why its files could not be taken over when they were last looked at.
    pub error: Option<String>,
    /// Since when its folder is gone.
    pub missing_since: Option<DateTime<Utc>>,
    /// Who uploaded or added it.
    pub created_by_name: String,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
}

/// An immutable state of a package's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackageVersion {
    /// Identifies the version.
    pub id: Uuid,
    /// Its package.
    pub package_id: Uuid,
    /// Counts up from 1 within the package.
    pub number: i32,
    /// SHA-256 over path, mode and content of all files, in hexadecimal: equal files have equal digests.
    pub digest: String,
    /// What its author says about it.
    pub comment: String,
    /// Who made it; null when the account is gone, or when it was found in a folder or a repository.
    pub author_id: Option<Uuid>,
    /// The name at the time.
    pub author_name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The commit it was taken from.
    pub commit_id: Option<String>,
    /// The number of the version whose files were taken back.
    pub rolled_back_to: Option<i32>,
    /// When somebody first accepted what was found in it.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// Who accepted it.
    pub reviewed_by_name: Option<String>,
}

/// One file of a version, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackageFile {
    /// Relative to the package, parts separated by `/`.
    pub path: String,
    /// Permission bits: 420 (0o644), or 493 (0o755) for a file that may be executed.
    pub mode: u32,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the content in hexadecimal.
    pub digest: String,
}

/// What a package may be called: one part of a path that is plain everywhere.
pub fn is_package_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_are_plain() {
        for name in ["site", "web-2.0", "A_b"] {
            assert!(is_package_name(name), "{name:?}");
        }
        for name in ["", ".", "..", "-x", ".git", "a/b", "a b", "ü", "a\0"] {
            assert!(!is_package_name(name), "{name:?}");
        }
    }
}
