//! Checks whether a principal may still act: sessions end, tokens are revoked, and users are disabled.

use super::{AuthError, policy::common, sessions};
use crate::{
    domain::{
        principal::{Principal, Via},
        user::{Role, User},
    },
    store::{Connection, tokens, users},
};
use chrono::{DateTime, Utc};

/// The present rights of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The role that applies.
    pub role: Role,
    /// The end of the session, unless it is used before, or of the token.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The principal for `user`, who came by a session or a token (`via`) that allows at most the role `limit`.
pub fn principal(user: User, limit: Role, via: Via) -> Principal {
    Principal {
        user_id: Some(user.id),
        role: common(limit, user.role),
        username: user.username,
        via,
    }
}

/// The standing of a principal at `now`; `None` when they may not act any more. For a session this counts as a use, which keeps it alive.
pub async fn check(
    connection: &mut Connection,
    principal: &Principal,
    now: DateTime<Utc>,
) -> Result<Option<Standing>, AuthError> {
    Ok(match principal.via {
        Via::LocalCommand => Some(Standing {
            role: principal.role,
            expires_at: None,
        }),
        Via::Session(id) => sessions::check(connection, id, now).await?.map(|session| Standing {
            role: session.user.role,
            expires_at: Some(session.expires_at),
        }),
        Via::Token(id) => tokens::find_token(connection, id, now).await?.map(|token| Standing {
            role: common(token.role, token.user.role),
            expires_at: token.expires_at,
        }),
    })
}

/// As [`check`], and a change that would take the rights away waits until the transaction ends. A token that is made in the
/// transaction is then there for that change to revoke.
pub async fn hold(
    connection: &mut Connection,
    principal: &Principal,
    now: DateTime<Utc>,
) -> Result<Option<Standing>, AuthError> {
    if let Some(user_id) = principal.user_id {
        users::hold_user(connection, user_id).await?;
    }
    if let Via::Token(id) = principal.via {
        tokens::hold_token(connection, id).await?;
    }
    check(connection, principal, now).await
}
