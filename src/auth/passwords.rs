//! Passwords: Argon2id with the parameters that its crate recommends (19 MiB, 2 passes).

use super::AuthError;
use crate::domain::validation::Validator;
use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

/// Fewest characters of a new password.
pub const SHORTEST: usize = 12;
/// Most characters of a password.
pub const LONGEST: usize = 1024;

/// Each hash takes 19 MiB and a core: more at once would be a way to bring the server down.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// What a password is checked against when there is no user: costs the same, and fits no password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Notes what is wrong with a new password that was sent as `field`.
pub fn check_new(validator: &mut Validator, field: &str, password: &SecretString) {
    let length = password.expose_secret().chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        validator.error(field, format!("must have between {SHORTEST} and {LONGEST} characters"));
    }
}

/// The hash to store, in PHC form.
pub async fn hash(password: SecretString) -> Result<String, AuthError> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(AuthError::Random)?;
    on_a_thread(move || {
        let salt = SaltString::encode_b64(&salt).map_err(AuthError::Hash)?;
        let hash = Argon2::default()
            .hash_password(password.expose_secret().as_bytes(), &salt)
            .map_err(AuthError::Hash)?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether `password` fits `stored`. Takes as long when there is nothing stored.
pub async fn verify(password: SecretString, stored: Option<String>) -> Result<bool, AuthError> {
    on_a_thread(move || {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let hash = PasswordHash::new(&stored).map_err(AuthError::Hash)?;
        let fits = Argon2::default()
            .verify_password(password.expose_secret().as_bytes(), &hash)
            .is_ok();
        Ok(fits && exists)
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    // The semaphore is never closed; without a permit the work is merely not held back.
    let _permit = AT_ONCE.acquire().await.ok();
    tokio::task::spawn_blocking(work)
        .await
        .map_err(AuthError::Interrupted)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let password = SecretString::from("correct horse battery");
        let stored = hash(password.clone()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(password.clone(), Some(stored.clone())).await.unwrap());
        assert!(!verify(SecretString::from("correct horse"), Some(stored)).await.unwrap());
        assert!(!verify(password, None).await.unwrap());
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let params = argon2::Params::try_from(&nobody).unwrap();
        assert_eq!(params.m_cost(), Argon2::default().params().m_cost());
        assert_eq!(params.t_cost(), Argon2::default().params().t_cost());
        assert_eq!(nobody.hash.unwrap().len(), 32);
    }
}
