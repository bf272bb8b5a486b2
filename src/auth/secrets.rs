//! Random tokens, and the form they are stored in.

use super::AuthError;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// `prefix` and 256 random bits as base64url.
pub fn random_token(prefix: &str) -> Result<SecretString, AuthError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut()).map_err(AuthError::Random)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()));
    Ok(SecretString::from(format!("{prefix}{}", text.as_str())))
}

/// What is stored in place of a token. A plain hash will do: 256 random bits cannot be guessed.
pub fn hash_token(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_prefixed_and_never_the_same() {
        let (one, two) = (random_token("adm_").unwrap(), random_token("adm_").unwrap());
        assert!(one.expose_secret().starts_with("adm_"));
        assert_eq!(one.expose_secret().len(), 4 + 43);
        assert_ne!(hash_token(&one), hash_token(&two));
        assert!(!format!("{one:?}").contains(one.expose_secret()));
    }
}
