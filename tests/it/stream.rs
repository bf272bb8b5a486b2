//! Two viewers of one deployment, one of whom keeps losing its connection, see the same.

use crate::support::launchpad::Launchpad;
use admiral::store::{
    deployments, events,
    notifications::{Listener, Notification},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use uuid::Uuid;

const HOSTS: usize = 40;
const BATCHES: i64 = 60;
const EVENTS_PER_BATCH: i64 = 57;

#[derive(Default)]
struct Seen {
    rows: BTreeMap<String, Value>,
    positions: Vec<i64>,
    deployment: Value,
    messages: Vec<String>,
    last_id: String,
}

impl Seen {
    fn take(&mut self, message: &str) {
        let field = |name: &str| {
            message
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .unwrap_or_default()
        };
        let data: Value = serde_json::from_str(field("data")).unwrap_or(Value::Null);
        match field("event") {
            "servers" => {
                for row in data["rows"].as_array().unwrap() {
                    self.rows.insert(row["host"].as_str().unwrap().to_owned(), row.clone());
                }
            }
            "events" => {
                let events = data["events"].as_array().unwrap();
                assert!(!events.is_empty() && events.len() <= 1000);
                self.positions
                    .extend(events.iter().map(|event| event["position"].as_i64().unwrap()));
            }
            "deployment" => self.deployment = data,
            "end" => {}
            // A comment.
            other => return assert_eq!(other, "", "{message}"),
        }
        self.messages.push(field("event").to_owned());
        field("id").clone_into(&mut self.last_id);
    }
}

/// Reads the stream; gives up the connection after every `breaks_after` messages and comes back with what it has.
async fn view(pad: Arc<Launchpad>, path: String, breaks_after: usize) -> Seen {
    let mut seen = Seen::default();
    loop {
        let last_id = seen.last_id.clone();
        let headers: Vec<(&str, &str)> = if last_id.is_empty() {
            vec![]
        } else {
            vec![("last-event-id", &last_id)]
        };
        let response = pad.send("GET", &path, None, &headers).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body().into_data_stream();
        let mut text = String::new();
        let mut taken = 0;
        let first = seen.messages.len();
        while let Some(part) = body.next().await {
            text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
            while let Some((message, rest)) = text.split_once("\n\n") {
                seen.take(message);
                text = rest.to_owned();
                taken += 1;
            }
            if taken >= breaks_after {
                break;
            }
        }
        assert_eq!(
            seen.messages[first], "deployment",
            "the first message of every connection"
        );
        if seen.messages.last().is_some_and(|kind| kind == "end") {
            assert!(body.next().await.is_none(), "the server closes");
            return seen;
        }
        assert!(
            taken >= breaks_after,
            "the server closed before the end: {:?}",
            seen.messages
        );
    }
}

async fn write(pad: &Launchpad, id: Uuid) {
    for batch in 0..BATCHES {
        let mut transaction = pad.database().begin().await.unwrap();
        let (position,): (i64,) = sqlx::query_as(
            "UPDATE admiral.deployments SET event_position = event_position + $2, status = 'running' WHERE id = $1 \
             RETURNING event_position",
        )
        .bind(id)
        .bind(EVENTS_PER_BATCH)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO admiral.deployment_events (deployment_id, position, recorded_at, kind, host, payload) \
             SELECT $1, p, now(), 'runner_on_ok', 'host-' || (p % 7), '{\"task\":\"t\"}' FROM generate_series($2::bigint, $3) AS p",
        )
        .bind(id)
        .bind(position - EVENTS_PER_BATCH + 1)
        .bind(position)
        .execute(&mut *transaction)
        .await
        .unwrap();
        sqlx::query(
            "UPDATE admiral.deployment_servers SET position = $2, status = 'running', ok_count = ok_count + 1, \
                current_task = 'task ' || $2::text WHERE deployment_id = $1 AND hashtext(host || $2::text) % 5 = 0",
        )
        .bind(id)
        .bind(position)
        .execute(&mut *transaction)
        .await
        .unwrap();
        events::notify_position(&mut transaction, id, position).await.unwrap();
        transaction.commit().await.unwrap();
        if batch % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
    let mut transaction = pad.database().begin().await.unwrap();
    let position = events::append_own(
        &mut transaction,
        id,
        "deployment_finished",
        &json!({ "status": "completed" }),
    )
    .await
    .unwrap();
    sqlx::query("UPDATE admiral.deployment_servers SET position = $2, status = 'success' WHERE deployment_id = $1")
        .bind(id)
        .bind(position)
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query("UPDATE admiral.deployments SET status = 'completed', finished_at = now() WHERE id = $1")
        .bind(id)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_viewer_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let pad = Arc::new(Launchpad::new().await);
    for host in 0..HOSTS {
        pad.add_server(&format!("host-{host}"), &[], "active", true).await;
    }
    let deployment = pad.launch(json!({ "playbook": "builtin/ping.yml", "all": true })).await;
    let id: Uuid = deployment["id"].as_str().unwrap().parse().unwrap();
    let with_events = format!("/api/deployments/{id}/stream?events=true");
    let steady = tokio::spawn(view(Arc::clone(&pad), with_events.clone(), usize::MAX));
    let shaky = tokio::spawn(view(Arc::clone(&pad), with_events, 5));
    let rows_only = tokio::spawn(view(Arc::clone(&pad), format!("/api/deployments/{id}/stream"), 3));
    write(&pad, id).await;
    let everything = async { tokio::try_join!(steady, shaky, rows_only).unwrap() };
    let (steady, shaky, rows_only) = tokio::time::timeout(Duration::from_mins(1), everything)
        .await
        .expect("all streams end");

    let expected: Vec<i64> = (1..=BATCHES * EVENTS_PER_BATCH + 1).collect();
    assert!(steady.positions == expected, "gapless and once each");
    assert!(
        shaky.positions == expected,
        "gapless and once each, over many connections"
    );
    assert!(shaky.messages.iter().filter(|kind| *kind == "deployment").count() > 3);
    assert_eq!(rows_only.positions, Vec::<i64>::new());
    let (_, stored) = pad
        .call("GET", &format!("/api/deployments/{id}/servers?per_page=5000"), None)
        .await;
    let stored: BTreeMap<String, Value> = stored["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["host"].as_str().unwrap().to_owned(), row.clone()))
        .collect();
    assert_eq!(stored.len(), HOSTS);
    for viewer in [&steady, &shaky, &rows_only] {
        assert_eq!(viewer.rows, stored);
        assert_eq!(viewer.deployment["status"], "completed");
        assert_eq!(viewer.last_id, expected.len().to_string());
    }
    // Sixty batches in under a second and a half were folded into at most ten steps a second.
    let steps = steady.messages.iter().filter(|kind| *kind == "deployment").count();
    assert!(steps < 60, "{steps} steps");
}

#[tokio::test]
async fn an_ended_deployment_is_sent_whole_and_ends() {
    let pad = Arc::new(Launchpad::new().await);
    let server = pad.add_server("web-1", &[], "active", true).await;
    let deployment = pad
        .launch(json!({ "playbook": "builtin/ping.yml", "server_ids": [server] }))
        .await;
    let id: Uuid = deployment["id"].as_str().unwrap().parse().unwrap();
    let mut transaction = pad.database().begin().await.unwrap();
    deployments::request_cancel(&mut transaction, id, "somebody", false)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let path = format!("/api/deployments/{id}/stream?events=true");
    let seen = view(Arc::clone(&pad), path.clone(), usize::MAX).await;
    assert_eq!(seen.messages, ["deployment", "servers", "events", "end"]);
    assert_eq!(seen.positions, [1, 2]);
    let seen = view(Arc::clone(&pad), format!("{path}&after=2"), usize::MAX).await;
    assert_eq!(seen.messages, ["deployment", "end"]);
    let seen = view(Arc::clone(&pad), format!("{path}&after=99"), usize::MAX).await;
    assert_eq!(seen.messages, ["deployment", "end"]);
    let refused = pad.send("GET", &path, None, &[("last-event-id", "x")]).await;
    assert_eq!(refused.status(), 422);
}

#[tokio::test]
async fn lists_are_told_of_changes_and_streams_end_with_the_server() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let launch = json!({ "playbook": "builtin/ping.yml", "server_ids": [server] });
    let first = pad.launch(launch.clone()).await;
    let mut body = pad
        .send("GET", "/api/stream", None, &[])
        .await
        .into_body()
        .into_data_stream();
    let next = async |body: &mut axum::body::BodyDataStream| -> Value {
        let text = loop {
            let part = tokio::time::timeout(Duration::from_secs(20), body.next())
                .await
                .expect("a message");
            let text = String::from_utf8(part.unwrap().unwrap().to_vec()).unwrap();
            // A comment is no message.
            if !text.starts_with(':') {
                break text;
            }
        };
        assert!(text.starts_with("event: deployments\n"), "{text}");
        serde_json::from_str(text.split("data: ").nth(1).unwrap().trim()).unwrap()
    };
    assert_eq!(next(&mut body).await["deployments"][0]["id"], first["id"]);
    let second = pad.launch(launch).await;
    let message = next(&mut body).await;
    assert_eq!(message["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(message["deployments"][0]["id"], second["id"]);
    pad.call("POST", &format!("/api/deployments/{}/cancel", first["number"]), None)
        .await;
    let message = next(&mut body).await;
    assert_eq!(
        (&message["deployments"][0]["id"], &message["deployments"][0]["status"]),
        (&first["id"], &json!("cancelled"))
    );
    let one = pad
        .send(
            "GET",
            &format!("/api/deployments/{}/stream", second["number"]),
            None,
            &[],
        )
        .await;
    pad.state.shutdown.cancel();
    for mut body in [body, one.into_body().into_data_stream()] {
        let drained = async { while body.next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(20), drained)
            .await
            .expect("the stream ends");
    }
}

#[tokio::test]
async fn a_listener_that_loses_its_connection_comes_back_and_says_so() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let mut listener = Listener::connect(pad.database()).await.unwrap();
    let deadline = Duration::from_secs(20);
    let launch = json!({ "playbook": "builtin/ping.yml", "server_ids": [server] });
    let first = pad.launch(launch.clone()).await;
    let id = |deployment: &Value| deployment["id"].as_str().unwrap().parse::<Uuid>().unwrap();
    let told = tokio::time::timeout(deadline, listener.recv()).await.unwrap();
    assert_eq!(
        told,
        Notification::DeploymentChanged {
            id: id(&first),
            position: 0
        }
    );
    assert_eq!(
        tokio::time::timeout(deadline, listener.recv()).await.unwrap(),
        Notification::RunsPending
    );
    pad.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()",
    )
    .await;
    assert_eq!(
        tokio::time::timeout(deadline, listener.recv()).await.unwrap(),
        Notification::Reconnected
    );
    let second = pad.launch(launch).await;
    let told = tokio::time::timeout(deadline, listener.recv()).await.unwrap();
    assert_eq!(
        told,
        Notification::DeploymentChanged {
            id: id(&second),
            position: 0
        }
    );
}
