//! Signing in by name and password.

use super::{AuthError, limiter::SignInLimiter, passwords};
use crate::{
    domain::user::User,
    store::{Database, users},
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use std::net::IpAddr;

/// Whose name and password these are. Whether the name is unknown, the password wrong or the user disabled cannot be told from
/// the answer or from its time.
pub async fn check_password(
    database: &Database,
    limiter: &SignInLimiter,
    username: &str,
    password: SecretString,
    address: Option<IpAddr>,
    now: DateTime<Utc>,
) -> Result<User, AuthError> {
    limiter.attempt(Some(username), address, now)?;
    let credentials = {
        let mut connection = database.acquire().await?;
        users::find_credentials(&mut connection, username).await?
    };
    let (user, stored) = match credentials {
        Some(credentials) => (Some(credentials.user), credentials.password_hash),
        None => (None, None),
    };
    let fits = passwords::verify(password, stored).await?;
    match user {
        Some(user) if fits && !user.disabled => {
            limiter.succeeded(username);
            Ok(user)
        }
        _ => Err(AuthError::InvalidCredentials),
    }
}
