//! Links that work once: to make the first admin, and to sign a user in.

use super::{
    AuthError,
    secrets::{hash_token, random_token},
};
use crate::{
    domain::UserId,
    store::{
        Connection,
        links::{self, LinkPurpose},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};

/// How long a link to make the first admin works.
const SETUP: TimeDelta = TimeDelta::hours(24);
/// How long a link to sign in works.
const SIGN_IN: TimeDelta = TimeDelta::minutes(30);

/// A link that works once: the token is to be seen here only.
#[derive(Debug)]
pub struct OneTimeLink {
    /// Which page it opens.
    page: &'static str,
    /// The secret part.
    pub token: SecretString,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

impl OneTimeLink {
    /// Path and query, to be put behind the server's address: `/setup?token=…`. Secret.
    pub fn url_path(&self) -> String {
        format!("/{}?token={}", self.page, self.token.expose_secret())
    }
}

/// A link that makes the first admin; earlier ones stop working.
pub(super) async fn create_setup(connection: &mut Connection, now: DateTime<Utc>) -> Result<OneTimeLink, AuthError> {
    create(connection, LinkPurpose::Setup, None, now).await
}

/// A link that signs `user_id` in; earlier ones stop working.
pub async fn create_sign_in(
    connection: &mut Connection,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<OneTimeLink, AuthError> {
    create(connection, LinkPurpose::SignIn, Some(user_id), now).await
}

async fn create(
    connection: &mut Connection,
    purpose: LinkPurpose,
    user_id: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<OneTimeLink, AuthError> {
    let (page, life) = match purpose {
        LinkPurpose::Setup => ("setup", SETUP),
        LinkPurpose::SignIn => ("sign-in", SIGN_IN),
    };
    let token = random_token("")?;
    let expires_at = now + life;
    links::replace_link(connection, &hash_token(&token), purpose, user_id, now, expires_at).await?;
    Ok(OneTimeLink {
        page,
        token,
        expires_at,
    })
}

/// Uses a setup link up.
pub async fn use_setup(connection: &mut Connection, token: &SecretString, now: DateTime<Utc>) -> Result<(), AuthError> {
    match links::use_link(connection, &hash_token(token), LinkPurpose::Setup, now).await? {
        Some(_) => Ok(()),
        None => Err(AuthError::InvalidLink),
    }
}

/// Uses a sign-in link up, and returns the user whom it signs in. A concurrent reset waits for this transaction, and then ends the session.
pub async fn use_sign_in(
    connection: &mut Connection,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<UserId, AuthError> {
    let token_hash = hash_token(token);
    links::hold_user_of_link(connection, &token_hash).await?;
    links::use_link(connection, &token_hash, LinkPurpose::SignIn, now)
        .await?
        .flatten()
        .ok_or(AuthError::InvalidLink)
}
