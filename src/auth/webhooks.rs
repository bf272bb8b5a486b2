//! Whether a webhook comes from where it says: by its signature, compared in constant time. Pure.

use crate::domain::project::WebhookKind;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The header that the proof is in.
pub const fn header_name(kind: WebhookKind) -> &'static str {
    match kind {
        WebhookKind::Generic => "x-admiral-signature",
        WebhookKind::GitHub => "x-hub-signature-256",
        WebhookKind::GitLab => "x-gitlab-token",
    }
}

/// Whether `presented` proves that the sender of `body` knows the secret. Without a secret nothing does, and takes as long.
pub fn is_genuine(kind: WebhookKind, secret: Option<&SecretString>, presented: Option<&[u8]>, body: &[u8]) -> bool {
    let key = secret.map_or(&b"nobody knows"[..], |secret| secret.expose_secret().as_bytes());
    let presented = presented.unwrap_or_default();
    let matches = match kind {
        // Digests have one length, whatever that of the secret is.
        WebhookKind::GitLab => Sha256::digest(key).ct_eq(&Sha256::digest(presented)).into(),
        WebhookKind::Generic | WebhookKind::GitHub => {
            let signature = presented
                .strip_prefix(b"sha256=")
                .and_then(|hexadecimal| hex::decode(hexadecimal).ok())
                .unwrap_or_default();
            match Hmac::<Sha256>::new_from_slice(key) {
                Ok(mac) => mac.chain_update(body).verify_slice(&signature).is_ok(),
                // HMAC takes keys of any length.
                Err(_) => false,
            }
        }
    };
    matches && secret.is_some_and(|secret| !secret.expose_secret().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_of_github_is_genuine() {
        // From "Validating webhook deliveries" of GitHub's documentation.
        let secret = SecretString::from("It's a Secret to Everybody");
        let signature: &[u8] = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        for kind in [WebhookKind::GitHub, WebhookKind::Generic] {
            assert!(is_genuine(kind, Some(&secret), Some(signature), b"Hello, World!"));
            assert!(!is_genuine(kind, Some(&secret), Some(signature), b"Hello, World?"));
            assert!(!is_genuine(
                kind,
                Some(&secret),
                Some(&signature[..70]),
                b"Hello, World!"
            ));
            assert!(!is_genuine(
                kind,
                Some(&secret),
                Some(&signature[7..]),
                b"Hello, World!"
            ));
            assert!(!is_genuine(kind, Some(&secret), Some(b"sha256="), b"Hello, World!"));
            assert!(!is_genuine(kind, Some(&secret), None, b"Hello, World!"));
            assert!(!is_genuine(kind, None, Some(signature), b"Hello, World!"));
        }
    }

    #[test]
    fn gitlab_sends_the_secret_itself() {
        let secret = SecretString::from("secret");
        assert!(is_genuine(WebhookKind::GitLab, Some(&secret), Some(b"secret"), b""));
        for presented in [
            None,
            Some(&b""[..]),
            Some(b"secre"),
            Some(b"secrets"),
            Some(b"nobody knows"),
        ] {
            assert!(
                !is_genuine(WebhookKind::GitLab, Some(&secret), presented, b""),
                "{presented:?}"
            );
        }
        assert!(!is_genuine(WebhookKind::GitLab, None, Some(b"nobody knows"), b""));
        let empty = SecretString::from("");
        assert!(!is_genuine(WebhookKind::GitLab, Some(&empty), None, b""));
    }
}
