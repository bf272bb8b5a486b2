//! A webhook that is sent again causes no second sync.

use crate::support::{git_stage::create, launchpad::Launchpad};
use admiral::{
    domain::clock::{Clock as _, SystemClock},
    store::webhooks,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "a secret of the webhook";
/// A signing token as GitLab makes them: 32 bytes in base64.
const SIGNING_TOKEN: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn mac(key: &[u8], signed: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(signed).finalize().into_bytes().to_vec()
}

fn hexadecimal(body: &Value) -> String {
    format!("sha256={}", hex::encode(mac(SECRET.as_bytes(), &body.to_string())))
}

/// The headers of the Standard Webhooks specification, for a webhook that was sent `seconds_ago`.
fn standard(key: &[u8], id: &str, seconds_ago: i64, body: &Value) -> Vec<(&'static str, String)> {
    let sent = (SystemClock.now() - TimeDelta::seconds(seconds_ago)).timestamp();
    let signature = STANDARD.encode(mac(key, &format!("{id}.{sent}.{body}")));
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", sent.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

struct Stage {
    pad: Launchpad,
    project: Value,
}

impl Stage {
    async fn set(kind: &str, secret: &str) -> Self {
        let pad = Launchpad::new().await;
        let project = json!({"name": "site", "url": "https://example.org/site.git", "reference": "main",
                             "webhook_kind": kind, "webhook_secret": secret});
        let project = create(&pad, project).await;
        Self { pad, project }
    }

    async fn send(&self, headers: &[(&'static str, String)], body: &Value) -> (u16, Value) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = self.project["webhook_path"].as_str().unwrap();
        let response = self.pad.send("POST", path, Some(body.clone()), &headers).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn syncs(&self) -> i64 {
        self.pad
            .number("SELECT count(*) FROM admiral.audit_log WHERE action = 'project.request_sync'")
            .await
    }

    /// Sends a webhook and returns whether it caused a sync, which the answer has to confirm.
    async fn counts(&self, headers: &[(&'static str, String)], body: &Value) -> bool {
        let before = self.syncs().await;
        let (status, answer) = self.send(headers, body).await;
        assert_eq!(status, 202, "{answer}");
        let asked = self.syncs().await - before;
        assert_eq!(answer["accepted"], json!(asked == 1), "{answer}");
        asked == 1
    }
}

fn push(after: &str) -> Value {
    json!({"ref": "refs/heads/main", "after": after, "repository": {"default_branch": "main"}})
}

#[tokio::test]
async fn a_delivery_of_github_counts_once() {
    let stage = Stage::set("github", SECRET).await;
    let delivery = |body: &Value, id: &str, event: &str| {
        vec![
            ("x-hub-signature-256", hexadecimal(body)),
            ("x-github-delivery", id.to_owned()),
            ("x-github-event", event.to_owned()),
        ]
    };
    let (one, two) = (push("1"), push("2"));
    assert!(stage.counts(&delivery(&one, "d1", "push"), &one).await);
    assert!(
        !stage.counts(&delivery(&one, "d1", "push"), &one).await,
        "GitHub redelivers"
    );
    assert!(
        !stage.counts(&delivery(&one, "made up", "push"), &one).await,
        "the id is not signed"
    );
    assert!(stage.counts(&delivery(&two, "d2", "push"), &two).await);
    assert!(!stage.counts(&delivery(&one, "d3", "push"), &one).await, "an older one");
    // The event's header is not signed either, so it cannot turn another event into a push.
    let ping = json!({"zen": "Speak like a human."});
    assert!(!stage.counts(&delivery(&ping, "d4", "ping"), &ping).await);
    assert!(!stage.counts(&delivery(&ping, "d5", "push"), &ping).await);
}

#[tokio::test]
async fn gitlab_with_a_secret_token_is_recognised_by_key_and_last_body() {
    let stage = Stage::set("gitlab", SECRET).await;
    let delivery = |id: Option<&str>| {
        let mut headers = vec![
            ("x-gitlab-token", SECRET.to_owned()),
            ("x-gitlab-event", "Push Hook".to_owned()),
        ];
        headers.extend(id.map(|id| ("idempotency-key", id.to_owned())));
        headers
    };
    let (there, back) = (push("there"), push("back"));
    assert!(stage.counts(&delivery(Some("k1")), &there).await);
    assert!(!stage.counts(&delivery(Some("k1")), &there).await, "a retry");
    assert!(
        !stage.counts(&delivery(Some("made up")), &there).await,
        "sent again under another key"
    );
    assert!(!stage.counts(&delivery(None), &there).await);
    assert!(stage.counts(&delivery(Some("k2")), &back).await);
    assert!(!stage.counts(&delivery(Some("k1")), &there).await, "an older one");
    // The branch is pushed there once more, and the body is the same as the first time.
    assert!(stage.counts(&delivery(Some("k3")), &there).await);
    // Old versions send no key.
    assert!(stage.counts(&delivery(None), &back).await);
    assert!(!stage.counts(&delivery(None), &back).await);
}

#[tokio::test]
async fn gitlab_with_a_signing_token_is_recognised_by_the_signed_id() {
    let stage = Stage::set("gitlab", SIGNING_TOKEN).await;
    let key = STANDARD.decode(SIGNING_TOKEN.trim_start_matches("whsec_")).unwrap();
    let body = push("1");
    let first = standard(&key, "d1", 0, &body);
    assert!(stage.counts(&first, &body).await);
    assert!(!stage.counts(&first, &body).await);
    assert!(
        !stage.counts(&standard(&key, "d1", 30, &body), &body).await,
        "a later retry"
    );
    assert!(
        stage.counts(&standard(&key, "d2", 0, &body), &body).await,
        "another push"
    );
    let mut renamed = standard(&key, "d3", 0, &body);
    renamed[0].1 = "d4".to_owned();
    let token = vec![("x-gitlab-token", SIGNING_TOKEN.to_owned())];
    for forged in [renamed, token, standard(SIGNING_TOKEN.as_bytes(), "d5", 0, &body)] {
        assert_eq!(stage.send(&forged, &body).await.0, 401, "{forged:?}");
    }
    let (status, problem) = stage.send(&standard(&key, "d6", 600, &body), &body).await;
    assert_eq!((status, &problem["code"]), (401, &json!("stale_webhook")), "{problem}");
    assert_eq!(stage.syncs().await, 2);
}

#[tokio::test]
async fn a_generic_body_counts_once_unless_its_time_is_signed() {
    let stage = Stage::set("generic", SECRET).await;
    // Scripts send the same body each time.
    let body = json!({"ref": "refs/heads/main"});
    for id in ["one", "two"] {
        let headers = standard(SECRET.as_bytes(), id, 0, &body);
        assert!(stage.counts(&headers, &body).await);
        assert!(!stage.counts(&headers, &body).await);
    }
    let (status, problem) = stage
        .send(&standard(SECRET.as_bytes(), "three", -600, &body), &body)
        .await;
    assert_eq!((status, &problem["code"]), (401, &json!("stale_webhook")), "{problem}");
    let unsigned = vec![("webhook-id", "four".to_owned()), ("webhook-signature", String::new())];
    assert_eq!(stage.send(&unsigned, &body).await.0, 401);

    let old = vec![("x-admiral-signature", hexadecimal(&body))];
    assert!(stage.counts(&old, &body).await);
    let before = stage.syncs().await;
    let (status, problem) = stage.send(&old, &body).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("repeated_webhook")),
        "{problem}"
    );
    assert!(
        problem["detail"].as_str().unwrap().contains("webhook-timestamp"),
        "{problem}"
    );
    assert_eq!(stage.syncs().await, before);
}

#[tokio::test]
async fn only_one_of_many_simultaneous_repetitions_counts() {
    let stage = Stage::set("github", SECRET).await;
    let body = push("1");
    let headers = [("x-hub-signature-256", hexadecimal(&body))];
    let sent = futures_util::future::join_all((0..8).map(|_| stage.send(&headers, &body))).await;
    let accepted = sent
        .iter()
        .filter(|(_, answer)| answer["accepted"] == json!(true))
        .count();
    assert_eq!((accepted, stage.syncs().await), (1, 1));
}

#[tokio::test]
async fn the_memory_of_deliveries_is_bounded() {
    let stage = Stage::set("github", SECRET).await;
    let body = push("1");
    let headers = [("x-hub-signature-256", hexadecimal(&body))];
    assert!(stage.counts(&headers, &body).await);
    stage
        .pad
        .execute(
            "INSERT INTO admiral.webhook_deliveries \
             SELECT package_id, sha256(n::text::bytea), now() - make_interval(secs => n) \
               FROM admiral.git_projects, generate_series(1, 10500) AS n",
        )
        .await;
    let count = "SELECT count(*) FROM admiral.webhook_deliveries";
    let purge = async |ahead: TimeDelta| {
        let mut connection = stage.pad.database().acquire().await.unwrap();
        webhooks::purge_deliveries(&mut connection, SystemClock.now() + ahead)
            .await
            .unwrap();
    };
    purge(TimeDelta::zero()).await;
    assert_eq!(stage.pad.number(count).await, 10_000);
    assert!(!stage.counts(&headers, &body).await, "the newest are kept");
    purge(TimeDelta::days(6)).await;
    assert_eq!(stage.pad.number(count).await, 10_000);
    purge(TimeDelta::days(8)).await;
    assert_eq!(stage.pad.number(count).await, 0);
    assert!(stage.counts(&headers, &body).await);
}
