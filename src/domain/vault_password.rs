//! Passwords of `ansible-vault`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The vault id of content whose header names none.
pub const DEFAULT_VAULT_ID: &str = "default";

/// A password of `ansible-vault`, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultPassword {
    /// Identifies the password.
    pub id: Uuid,
    /// The vault id that it opens: what stands before the `@` of `--vault-id`.
    pub vault_id: String,
    /// The only package that it is for; null for all.
    pub package: Option<PackageName>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A package, as others name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackageName {
    /// Identifies the package.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// Whether a text can be a vault id: it stands before an `@` on the command line and at the end of a header.
pub fn is_vault_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !text.contains(['@', ';', ','])
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vault_ids_are_one_word() {
        for id in ["default", "prod", "dev-2.0", "ü", "-x"] {
            assert!(is_vault_id(id), "{id:?}");
        }
        for id in ["", "a b", "a@b", "a;b", "a,b", "a\n", &"x".repeat(101)] {
            assert!(!is_vault_id(id), "{id:?}");
        }
    }
}
