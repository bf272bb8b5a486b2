//! Browser sessions: a random token in a cookie, its hash in the database.

use super::{
    AuthError,
    secrets::{hash_token, random_token},
};
use crate::{
    domain::{clock::new_id, user::User},
    store::{
        Connection,
        sessions::{self, LiveSession, NewSession},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use uuid::Uuid;

/// An unused session ends after this long.
const IDLE: TimeDelta = TimeDelta::hours(12);
/// Any session ends after this long.
const ABSOLUTE: TimeDelta = TimeDelta::days(7);
/// Uses closer together than this are not written down.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A session that has begun: the token is to be seen here only.
#[derive(Debug)]
pub struct StartedSession {
    /// Goes into the cookie.
    pub token: SecretString,
    /// When it ends unless used before.
    pub expires_at: DateTime<Utc>,
    /// Seconds after which the cookie may be forgotten.
    pub max_age_seconds: i64,
}

/// A session that holds.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Identifies it.
    pub id: Uuid,
    /// Whose it is.
    pub user: User,
    /// When it ends unless used before.
    pub expires_at: DateTime<Utc>,
}

/// Begins a session, and ends `replaces`, the one that the browser came with: a token from before signing in is worth nothing after.
pub async fn start(
    connection: &mut Connection,
    user: &User,
    replaces: Option<&SecretString>,
    address: Option<&str>,
    user_agent: Option<&str>,
    now: DateTime<Utc>,
) -> Result<StartedSession, AuthError> {
    if let Some(old) = replaces {
        sessions::delete_session(connection, &hash_token(old)).await?;
    }
    let token = random_token("")?;
    let expires_at = now + IDLE;
    let token_hash = hash_token(&token);
    let session = NewSession {
        id: new_id(),
        token_hash: &token_hash,
        user_id: user.id,
        address,
        user_agent,
        created_at: now,
        expires_at,
    };
    sessions::insert_session(connection, &session).await?;
    Ok(StartedSession {
        token,
        expires_at,
        max_age_seconds: ABSOLUTE.num_seconds(),
    })
}

/// Whose session this is, if it holds; using it keeps it alive.
pub async fn authenticate(
    connection: &mut Connection,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<Option<Authenticated>, AuthError> {
    let found = sessions::find_session(connection, &hash_token(token), now).await?;
    used(connection, found, now).await
}

/// The same for a session that is known by its id.
pub(super) async fn check(
    connection: &mut Connection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Authenticated>, AuthError> {
    let found = sessions::find_session_by_id(connection, id, now).await?;
    used(connection, found, now).await
}

async fn used(
    connection: &mut Connection,
    found: Option<LiveSession>,
    now: DateTime<Utc>,
) -> Result<Option<Authenticated>, AuthError> {
    let Some(session) = found else { return Ok(None) };
    let mut expires_at = session.expires_at;
    if now - session.last_seen_at >= TOUCH_EVERY {
        expires_at = (now + IDLE).min(session.created_at + ABSOLUTE);
        sessions::touch_session(connection, session.id, now, expires_at).await?;
    }
    Ok(Some(Authenticated {
        id: session.id,
        user: session.user,
        expires_at,
    }))
}
