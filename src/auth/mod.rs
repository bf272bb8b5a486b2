//! Who may do what, and how they prove who they are.

pub mod error;
pub mod policy;
pub mod secrets;
pub mod sessions;
pub mod tokens;

pub use error::AuthError;
