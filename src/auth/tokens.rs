//! API tokens: shown once, stored hashed, recognisable by their prefix.

use super::{
    AuthError,
    secrets::{hash_token, random_token},
};
use crate::{
    domain::{
        UserId,
        clock::new_id,
        user::{ApiToken, Role},
    },
    store::{
        Connection,
        tokens::{self, LiveToken, NewToken},
    },
};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

/// What every API token begins with, so that scanners find leaks.
pub const PREFIX: &str = "adm_";

/// A token to be made.
#[derive(Debug, Clone, Copy)]
pub struct TokenSpec<'a> {
    /// Its owner.
    pub user_id: UserId,
    /// Given by its owner.
    pub name: &'a str,
    /// The highest role that it may act with.
    pub role: Role,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// The token that it is made with, if any.
    pub made_with: Option<Uuid>,
}

/// Makes a token; the secret is to be seen here only.
pub async fn create(
    connection: &mut Connection,
    spec: TokenSpec<'_>,
    now: DateTime<Utc>,
) -> Result<(SecretString, ApiToken), AuthError> {
    let token = random_token(PREFIX)?;
    let token_hash = hash_token(&token);
    let new = NewToken {
        id: new_id(),
        user_id: spec.user_id,
        name: spec.name,
        token_hash: &token_hash,
        role: spec.role,
        made_with: spec.made_with,
        created_at: now,
        expires_at: spec.expires_at,
    };
    let stored = tokens::insert_token(connection, &new).await?;
    Ok((token, stored))
}

/// The token, if it works at `now`.
pub async fn authenticate(
    connection: &mut Connection,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<Option<LiveToken>, AuthError> {
    if !token.expose_secret().starts_with(PREFIX) {
        return Ok(None);
    }
    Ok(tokens::use_token(connection, &hash_token(token), now).await?)
}
