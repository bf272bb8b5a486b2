//! PEM forms, read by OpenSSL: PKCS#1, SEC1, PKCS#8, plain or encrypted, and the older `DEK-Info` encryption.

use super::{KeyError, material::Material};
use openssl::{error::ErrorStack, pkey::PKey};
use secrecy::{ExposeSecret, SecretString};

/// Reads one PEM block, its `BEGIN` and `END` lines included.
pub(super) fn parse(block: &str, passphrase: Option<&SecretString>) -> Result<Material, KeyError> {
    let label = block.lines().next().unwrap_or_default();
    if label.contains("DSA PRIVATE KEY") {
        return Err(KeyError::Dsa);
    }
    let encrypted = label.contains("ENCRYPTED PRIVATE KEY") || block.lines().any(|line| line.starts_with("DEK-Info:"));
    match (encrypted, passphrase) {
        (true, None) => return Err(KeyError::PassphraseMissing),
        (false, Some(_)) => return Err(KeyError::PassphraseSuperfluous),
        _ => {}
    }
    let mut too_long = false;
    // Always with a callback of our own: OpenSSL's would ask on the terminal.
    let read = PKey::private_key_from_pem_callback(block.as_bytes(), |buffer| {
        let passphrase = passphrase
            .map_or("", |passphrase| passphrase.expose_secret())
            .as_bytes();
        if let Some(place) = buffer.get_mut(..passphrase.len()) {
            place.copy_from_slice(passphrase);
            return Ok(passphrase.len());
        }
        too_long = true;
        Ok(0)
    });
    if too_long {
        return Err(KeyError::PassphraseWrong);
    }
    let key = read.map_err(|error| why(&error, block, encrypted))?;
    Material::from_openssl(&key)
}

/// OpenSSL reports a list of what each of its readers thought; only the outcome that helps is kept.
fn why(error: &ErrorStack, block: &str, encrypted: bool) -> KeyError {
    let says = |word: &str| {
        error
            .errors()
            .iter()
            // One wrong passphrase in 256 leaves valid padding around nonsense, which the decoders call unsupported too.
            .filter(|entry| entry.library().is_none_or(|library| !library.contains("DECODER")))
            .any(|entry| entry.reason().is_some_and(|reason| reason.contains(word)))
    };
    if encrypted && (says("unsupported") || says("unknown cipher") || says("invalid key length")) {
        let cipher = block.lines().find_map(|line| line.strip_prefix("DEK-Info:"));
        let cipher = cipher
            .and_then(|info| info.split(',').next())
            .map_or("an old PKCS#8 cipher", str::trim);
        return KeyError::UnsupportedCipher(cipher.chars().take(64).collect());
    }
    if encrypted {
        return KeyError::PassphraseWrong;
    }
    KeyError::Damaged("OpenSSL can not read what is between its BEGIN and END lines")
}
