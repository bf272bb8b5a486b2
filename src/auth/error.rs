//! What can go wrong while somebody proves who they are.

use crate::store::StoreError;

/// What can go wrong while somebody proves who they are.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The machine has no randomness to give.
    #[error("failed to get random bytes: {0}")]
    Random(getrandom::Error),
    /// A password could not be hashed.
    #[error("failed to hash a password: {0}")]
    Hash(argon2::password_hash::Error),
    /// The thread that hashed a password ended early.
    #[error("the hashing of a password was broken off")]
    Interrupted(#[source] tokio::task::JoinError),
    /// The name and the password do not belong together, or the user may not sign in.
    #[error("wrong user name or password")]
    InvalidCredentials,
    /// The link does not exist, was used, or is too old.
    #[error("this link does not work any more")]
    InvalidLink,
    /// Too many attempts.
    #[error("too many attempts; try again in {retry_after_seconds} seconds")]
    TooManyAttempts {
        /// When the next attempt is heard.
        retry_after_seconds: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
