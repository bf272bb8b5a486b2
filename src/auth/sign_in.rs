//! Signing in by name and password.

use super::{AuthError, limiter::SignInLimiter, passwords};
use crate::{
    domain::user::User,
    store::{Connection, Database, users},
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use std::net::IpAddr;

/// A user whose password was right. It may have been changed since: see [`confirm`].
#[derive(Debug)]
pub struct Checked {
    /// The user.
    pub user: User,
    password_hash: String,
}

/// Whose name and password these are. Whether the name is unknown, the password wrong or the user disabled cannot be told from
/// the answer or from its time.
pub async fn check_password(
    database: &Database,
    limiter: &SignInLimiter,
    username: &str,
    password: SecretString,
    address: Option<IpAddr>,
    now: DateTime<Utc>,
) -> Result<Checked, AuthError> {
    limiter.attempt(Some(username), address, now)?;
    let credentials = {
        let mut connection = database.acquire().await?;
        users::find_credentials(&mut connection, username).await?
    };
    let (user, stored) = match credentials {
        Some(credentials) => (Some(credentials.user), credentials.password_hash),
        None => (None, None),
    };
    let fits = passwords::verify(password, stored.clone()).await?;
    match (user, stored) {
        (Some(user), Some(password_hash)) if fits && !user.disabled => {
            limiter.succeeded(username);
            Ok(Checked { user, password_hash })
        }
        _ => Err(AuthError::InvalidCredentials),
    }
}

/// Confirms a checked password in the transaction that begins the session. Checking takes a while, and a reset in the meantime has ended all
/// sessions, which this one must not survive. From here on a reset waits for the transaction, and then ends its session too.
pub async fn confirm(connection: &mut Connection, checked: Checked) -> Result<User, AuthError> {
    if users::hold_credentials(connection, checked.user.id, &checked.password_hash).await? {
        Ok(checked.user)
    } else {
        Err(AuthError::InvalidCredentials)
    }
}
