//! API tokens: shown once, stored hashed, recognisable by their prefix.

use super::{
    AuthError,
    secrets::{hash_token, random_token},
};
use crate::{
    domain::{
        UserId,
        clock::new_id,
        user::{ApiToken, User},
    },
    store::{
        Connection,
        tokens::{self, NewToken},
    },
};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

/// What every API token begins with, so that scanners find leaks.
pub const PREFIX: &str = "adm_";

/// Makes a token; the secret is to be seen here only.
pub async fn create(
    connection: &mut Connection,
    user_id: UserId,
    name: &str,
    now: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(SecretString, ApiToken), AuthError> {
    let token = random_token(PREFIX)?;
    let token_hash = hash_token(&token);
    let new = NewToken {
        id: new_id(),
        user_id,
        name,
        token_hash: &token_hash,
        created_at: now,
        expires_at,
    };
    let stored = tokens::insert_token(connection, &new).await?;
    Ok((token, stored))
}

/// Whose powers `token` gives, if it works at `now`.
pub async fn authenticate(
    connection: &mut Connection,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<Option<User>, AuthError> {
    if !token.expose_secret().starts_with(PREFIX) {
        return Ok(None);
    }
    Ok(tokens::use_token(connection, &hash_token(token), now).await?)
}
