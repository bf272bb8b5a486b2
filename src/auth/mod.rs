//! Who may do what, and how they prove who they are.

pub mod error;
pub mod first_account;
pub mod limiter;
pub mod links;
pub mod passwords;
pub mod policy;
pub mod revocation;
pub mod secrets;
pub mod sessions;
pub mod sign_in;
pub mod standing;
pub mod tokens;
pub mod webhooks;

pub use error::AuthError;
pub use links::OneTimeLink;
