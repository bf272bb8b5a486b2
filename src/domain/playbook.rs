//! Playbooks, as the library lists them.

use super::text_enum::text_enum;
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
    /// The leading comment.
    pub description: Option<String>,
}
