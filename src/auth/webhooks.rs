//! Checks that a webhook is genuine, and says how a repetition of it can be recognised. Pure.
//!
//! Signatures are compared in constant time. A delivery is identified only by parts of it that the sender has signed, because somebody who has
//! read a webhook on its way can send it again with other headers.

use crate::{
    domain::project::WebhookKind,
    store::webhooks::{Fingerprint, Identity},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The largest difference between a signed time and our clock.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// The prefix of a signing token, which is followed by the key in base64 (Standard Webhooks).
const SIGNING_TOKEN: &str = "whsec_";
/// The number of signatures that are checked; there are several while a sender changes its secret.
const MOST_SIGNATURES: usize = 8;
/// The key that is used when there is no secret, so that the check takes as long.
const NOBODY: &[u8] = b"nobody knows";

/// A genuine webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The fingerprints that a repetition is recognised by.
    pub identity: Identity,
    /// The answer to a repetition.
    pub when_repeated: WhenRepeated,
}

/// The answer to a delivery that was received before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenRepeated {
    /// Success: git hosts repeat a delivery when they are not sure that it arrived, and disable webhooks that are refused too often.
    Accept,
    /// A refusal: a sender that signs a body without a time may mean another push by the same body, and has to hear of it.
    Refuse,
}

/// The reason for refusing a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sender does not know the secret, or there is none.
    #[error("there is no such webhook, or its signature is wrong or missing")]
    NotGenuine,
    /// The signature is right, but made for another time.
    #[error("the webhook-timestamp is {seconds} seconds away from this server's clock; at most {} are allowed", TOLERANCE.num_seconds())]
    Stale {
        /// The difference.
        seconds: i64,
    },
}

/// Checks that the sender of `body` knows the secret; `header` returns the request's headers. Without a secret the check fails, and takes as
/// long.
pub fn check<'a>(
    kind: WebhookKind,
    secret: Option<&SecretString>,
    header: impl Fn(&str) -> Option<&'a [u8]>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Delivery, Refusal> {
    let text = secret.map(ExposeSecret::expose_secret).filter(|text| !text.is_empty());
    let checked = match kind {
        WebhookKind::Generic if header("webhook-signature").is_some() => standard(text, header, body, now),
        WebhookKind::Generic if is_standard_content(body) => Err(Refusal::NotGenuine),
        WebhookKind::Generic => hexadecimal(text, header("x-admiral-signature"), body, WhenRepeated::Refuse),
        WebhookKind::GitHub => hexadecimal(text, header("x-hub-signature-256"), body, WhenRepeated::Accept),
        WebhookKind::GitLab if text.is_some_and(|text| text.starts_with(SIGNING_TOKEN)) => {
            standard(text, header, body, now)
        }
        WebhookKind::GitLab => secret_token(text, header, body),
    };
    if text.is_none() {
        return Err(Refusal::NotGenuine);
    }
    checked
}

/// The Standard Webhooks specification, which GitLab follows with a signing token: `webhook-signature` holds `v1,` and the HMAC-SHA256 of
/// `ID.TIMESTAMP.BODY` in base64.
fn standard<'a>(
    secret: Option<&str>,
    header: impl Fn(&str) -> Option<&'a [u8]>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Delivery, Refusal> {
    let key = match secret {
        None => NOBODY.to_vec(),
        Some(secret) => match secret.strip_prefix(SIGNING_TOKEN) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| Refusal::NotGenuine)?,
            None => secret.as_bytes().to_vec(),
        },
    };
    let id = header("webhook-id").unwrap_or_default();
    let timestamp = header("webhook-timestamp").unwrap_or_default();
    let presented = header("webhook-signature").unwrap_or_default();
    let is_genuine = presented
        .split(|byte| *byte == b' ')
        .filter_map(|signature| signature.strip_prefix(b"v1,"))
        .take(MOST_SIGNATURES)
        .any(|encoded| {
            let signature = STANDARD.decode(encoded).unwrap_or_default();
            is_signed(&key, &[id, b".", timestamp, b".", body], &signature)
        });
    if !is_genuine || !is_standard_id(id) {
        return Err(Refusal::NotGenuine);
    }
    let sent = std::str::from_utf8(timestamp)
        .ok()
        .and_then(|text| text.parse().ok())
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or(Refusal::NotGenuine)?;
    let away = (now - sent).abs();
    if away > TOLERANCE {
        return Err(Refusal::Stale {
            seconds: away.num_seconds(),
        });
    }
    Ok(Delivery {
        identity: Identity {
            once: Some(fingerprint("id", id)),
            not_in_a_row: None,
        },
        when_repeated: WhenRepeated::Accept,
    })
}

/// Whether this can be the id of a delivery. With a dot in it, it would be ambiguous where the id ends; with `{` at its beginning, whether it
/// is a JSON body.
fn is_standard_id(id: &[u8]) -> bool {
    !id.is_empty() && id[0] != b'{' && !id.contains(&b'.')
}

/// Whether `body` has the form `ID.TIMESTAMP.BODY`. Its HMAC may then have been made for a delivery of the other form, and somebody who has
/// read that delivery could send it again in this form, without regard to its time.
fn is_standard_content(body: &[u8]) -> bool {
    let mut parts = body.splitn(3, |byte| *byte == b'.');
    let (id, timestamp, rest) = (parts.next(), parts.next(), parts.next());
    id.is_some_and(is_standard_id)
        && timestamp.is_some_and(|timestamp| !timestamp.is_empty() && timestamp.iter().all(u8::is_ascii_digit))
        && rest.is_some()
}

/// `sha256=` and the HMAC-SHA256 of the body in hexadecimal. GitHub's bodies contain the time of the push, so no two are the same.
fn hexadecimal(
    secret: Option<&str>,
    presented: Option<&[u8]>,
    body: &[u8],
    when_repeated: WhenRepeated,
) -> Result<Delivery, Refusal> {
    let signature = presented
        .and_then(|presented| presented.strip_prefix(b"sha256="))
        .and_then(|hexadecimal| hex::decode(hexadecimal).ok())
        .unwrap_or_default();
    if !is_signed(secret.map_or(NOBODY, str::as_bytes), &[body], &signature) {
        return Err(Refusal::NotGenuine);
    }
    Ok(Delivery {
        identity: Identity {
            once: Some(fingerprint("body", body)),
            not_in_a_row: None,
        },
        when_repeated,
    })
}

/// GitLab without a signing token: it sends the secret itself and signs nothing, so somebody who has read one webhook can make up others. A
/// plain repetition is recognised by its key, or by its body if no other body came in between: a branch that is pushed back and forth leads
/// to the same bodies.
fn secret_token<'a>(
    secret: Option<&str>,
    header: impl Fn(&str) -> Option<&'a [u8]>,
    body: &[u8],
) -> Result<Delivery, Refusal> {
    let key = secret.map_or(NOBODY, str::as_bytes);
    let presented = header("x-gitlab-token").unwrap_or_default();
    // Digests have the same length, whatever the length of the secret.
    if !bool::from(Sha256::digest(key).ct_eq(&Sha256::digest(presented))) {
        return Err(Refusal::NotGenuine);
    }
    let id = ["idempotency-key", "webhook-id", "x-gitlab-event-uuid"]
        .iter()
        .find_map(|name| header(name));
    Ok(Delivery {
        identity: Identity {
            once: id.map(|id| fingerprint("id", id)),
            not_in_a_row: Some(fingerprint("body", body)),
        },
        when_repeated: WhenRepeated::Accept,
    })
}

fn is_signed(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}

fn fingerprint(of: &str, bytes: &[u8]) -> Fingerprint {
    Sha256::new()
        .chain_update(of)
        .chain_update([0])
        .chain_update(bytes)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(
        kind: WebhookKind,
        secret: Option<&str>,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Delivery, Refusal> {
        let secret = secret.map(SecretString::from);
        let header = |wanted: &str| {
            headers
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.as_bytes())
        };
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        check(kind, secret.as_ref(), header, body.as_bytes(), now)
    }

    fn signature(key: &[u8], signed: &str) -> Vec<u8> {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(signed).finalize().into_bytes().to_vec()
    }

    #[test]
    fn the_published_example_of_github_is_genuine() {
        // From "Validating webhook deliveries" of GitHub's documentation.
        let secret = Some("It's a Secret to Everybody");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        for (kind, header, when_repeated) in [
            (WebhookKind::GitHub, "x-hub-signature-256", WhenRepeated::Accept),
            (WebhookKind::Generic, "x-admiral-signature", WhenRepeated::Refuse),
        ] {
            let of = |secret, value: &str, body| checked(kind, secret, &[(header, value)], body);
            let delivery = of(secret, signature, "Hello, World!").unwrap();
            assert_eq!(delivery.when_repeated, when_repeated);
            assert!(delivery.identity.once.is_some());
            for (secret, value, body) in [
                (secret, signature, "Hello, World?"),
                (secret, &signature[..70], "Hello, World!"),
                (secret, &signature[7..], "Hello, World!"),
                (secret, "sha256=", "Hello, World!"),
                (secret, "", "Hello, World!"),
                (None, signature, "Hello, World!"),
            ] {
                assert_eq!(of(secret, value, body), Err(Refusal::NotGenuine), "{value} {body}");
            }
            assert_eq!(checked(kind, secret, &[], "Hello, World!"), Err(Refusal::NotGenuine));
        }
    }

    #[test]
    fn the_published_example_of_standard_webhooks_is_genuine() {
        // From the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let signed = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signed),
        ];
        for kind in [WebhookKind::Generic, WebhookKind::GitLab] {
            // The signature is right and years old.
            assert_eq!(
                checked(kind, Some(secret), &headers, body),
                Err(Refusal::Stale { seconds: 85_734_670 })
            );
            assert_eq!(checked(kind, Some(secret), &headers, "{}"), Err(Refusal::NotGenuine));
        }
    }

    #[test]
    fn a_signed_time_is_near_ours_and_a_signed_id_names_the_delivery() {
        let sign = |secret: &str, id: &str, timestamp: &str| {
            let signed = signature(secret.as_bytes(), &format!("{id}.{timestamp}.{{}}"));
            format!("v1,{}", STANDARD.encode(signed))
        };
        let of = |id: &str, timestamp: &str, signatures: &str| {
            let headers = [
                ("webhook-id", id),
                ("webhook-timestamp", timestamp),
                ("webhook-signature", signatures),
            ];
            checked(WebhookKind::Generic, Some("a plain secret"), &headers, "{}")
        };
        let signed = |id: &str, timestamp: &str| of(id, timestamp, &sign("a plain secret", id, timestamp));
        let delivery = signed("one", "1699999700").unwrap();
        assert_eq!(delivery.when_repeated, WhenRepeated::Accept);
        assert_eq!(
            delivery.identity,
            signed("one", "1700000300").unwrap().identity,
            "a retry"
        );
        assert_ne!(delivery.identity, signed("two", "1700000300").unwrap().identity);
        for seconds in ["1699999699", "1700000301"] {
            assert_eq!(signed("one", seconds), Err(Refusal::Stale { seconds: 301 }));
        }
        for (id, timestamp) in [("", "1700000000"), ("a.b", "1700000000"), ("one", ""), ("one", "soon")] {
            assert_eq!(signed(id, timestamp), Err(Refusal::NotGenuine), "{id} {timestamp}");
        }
        let right = sign("a plain secret", "one", "1700000000");
        let both = format!("v1,AAAA v2,x {right}");
        assert!(of("one", "1700000000", &both).is_ok(), "one of several fits");
        assert_eq!(of("other", "1700000000", &right), Err(Refusal::NotGenuine));
        assert_eq!(of("one", "1700000000", "v1,"), Err(Refusal::NotGenuine));
        let foreign = sign("another secret", "one", "1700000000");
        assert_eq!(of("one", "1700000000", &foreign), Err(Refusal::NotGenuine));
    }

    #[test]
    fn a_signature_over_an_id_and_a_time_is_no_signature_over_a_body() {
        let of = |body: &str| {
            let signed = format!("sha256={}", hex::encode(signature(b"secret", body)));
            checked(
                WebhookKind::Generic,
                Some("secret"),
                &[("x-admiral-signature", &signed)],
                body,
            )
        };
        for body in ["one.1700000000.{}", "one.1700000000.", "msg_x.1.a.b"] {
            assert_eq!(of(body), Err(Refusal::NotGenuine), "{body}");
        }
        for body in ["", "{}", r#"{"ref": "v1.2.3"}"#, "main", "1.2", "ref=v1.2-beta.3"] {
            assert!(of(body).is_ok(), "{body}");
        }
        let signed = signature(b"secret", "{.1700000000.{}");
        let headers = [
            ("webhook-id", "{"),
            ("webhook-timestamp", "1700000000"),
            ("webhook-signature", &format!("v1,{}", STANDARD.encode(signed))),
        ];
        let delivery = checked(WebhookKind::Generic, Some("secret"), &headers, "{}");
        assert_eq!(delivery, Err(Refusal::NotGenuine), "it could be a JSON body as well");
    }

    #[test]
    fn gitlab_sends_the_secret_itself_unless_it_signs() {
        let kind = WebhookKind::GitLab;
        let of = |secret, value: Option<&str>| {
            let headers: Vec<_> = value.map(|value| ("x-gitlab-token", value)).into_iter().collect();
            checked(kind, secret, &headers, "{}")
        };
        assert!(of(Some("secret"), Some("secret")).is_ok());
        for presented in [None, Some(""), Some("secre"), Some("secrets"), Some("nobody knows")] {
            assert_eq!(of(Some("secret"), presented), Err(Refusal::NotGenuine), "{presented:?}");
        }
        assert_eq!(of(None, Some("nobody knows")), Err(Refusal::NotGenuine));
        assert_eq!(of(Some(""), None), Err(Refusal::NotGenuine));
        // GitLab never sends a signing token, so this request comes from somebody else.
        let token = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(of(Some(token), Some(token)), Err(Refusal::NotGenuine));
        let identity = |headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().copied().chain([("x-gitlab-token", "secret")]).collect();
            checked(kind, Some("secret"), &headers, "{}").unwrap().identity
        };
        assert_eq!(identity(&[]).once, None);
        let keyed = identity(&[("x-gitlab-event-uuid", "u"), ("idempotency-key", "k")]);
        assert_eq!(keyed, identity(&[("webhook-id", "k")]));
        assert_ne!(keyed, identity(&[("x-gitlab-event-uuid", "u")]));
        assert!(keyed.once.is_some() && keyed.not_in_a_row.is_some());
    }
}
