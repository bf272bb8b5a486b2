//! Revokes the sessions, API tokens and sign-in links of a user.

use super::AuthError;
use crate::{
    domain::{
        UserId,
        principal::{Principal, Via},
    },
    store::{Connection, links, sessions, tokens},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// The numbers of what was revoked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// Sessions that were ended.
    pub sessions_ended: u64,
    /// API tokens that were revoked.
    pub tokens_revoked: u64,
}

/// Whether API tokens are revoked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// Revoke them.
    Revoke,
    /// Keep them.
    Keep,
}

/// Ends all sessions and sign-in links of `user_id`, and their API tokens if `tokens_too` says so, except the session or token of `keep`.
///
/// Call this in the transaction of the change that makes it necessary, after the user's row was changed: that change waits for everybody who
/// is signing in at the same time, and their new sessions are found here.
pub async fn revoke(
    connection: &mut Connection,
    user_id: UserId,
    tokens_too: Tokens,
    keep: Option<&Principal>,
    now: DateTime<Utc>,
) -> Result<Revoked, AuthError> {
    let (kept_session, kept_token) = match keep.map(|principal| principal.via) {
        Some(Via::Session(id)) => (Some(id), None),
        Some(Via::Token(id)) => (None, Some(id)),
        Some(Via::LocalCommand) | None => (None, None),
    };
    links::delete_sign_in_links(connection, user_id).await?;
    let sessions_ended = sessions::delete_sessions_of_user(connection, user_id, kept_session).await?;
    let tokens_revoked = match tokens_too {
        Tokens::Revoke => tokens::revoke_tokens_of_user(connection, user_id, kept_token, now).await?,
        Tokens::Keep => 0,
    };
    Ok(Revoked {
        sessions_ended,
        tokens_revoked,
    })
}
