//! Who acts.

use super::{UserId, user::Role};
use uuid::Uuid;

/// The one a request acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `None` for the command line on the server's own machine.
    pub user_id: Option<UserId>,
    /// Shown in the audit log.
    pub username: String,
    /// The role that they act with: a token may have a lower one than its owner.
    pub role: Role,
    /// How they proved who they are.
    pub via: Via,
}

/// How a principal proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie, of the session with this id: state-changing requests need a matching `Origin`.
    Session(Uuid),
    /// A bearer token, of the API token with this id.
    Token(Uuid),
    /// The command line, with the rights of whoever can read the data directory.
    LocalCommand,
}

impl Principal {
    /// The command line on the server's own machine: whoever can read the key ring already has an admin's powers.
    pub fn local_command(username: impl Into<String>) -> Self {
        Self {
            user_id: None,
            username: username.into(),
            role: Role::Admin,
            via: Via::LocalCommand,
        }
    }
}
