//! The recordings of shells, as the API takes them: whose they are, what may be sent twice, what is never believed.

use crate::support::app::{ADMIN, As, OPERATOR, TestApp, VIEWER, json as read};
use admiral::{domain::clock::new_id, ingest::recording::SILENCE, scheduler::Scheduler, store::recordings};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

fn beginning(id: Uuid) -> Value {
    json!({
        "id": id, "kind": "playbook", "playbook": "plays/site.yml", "words": ["ansible-playbook", "plays/site.yml"],
        "folder": "/home/ann", "machine": "desk", "started_at": "2026-01-02T03:04:05Z",
    })
}

fn event(seq: u64, kind: &str, more: &Value) -> String {
    let mut event = json!({"v": 1, "seq": seq, "ts": "2026-01-02T03:04:06Z", "event": kind});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn events() -> String {
    [
        event(1, "playbook_on_play_start", &json!({"play": "p", "hosts": ["a", "b"]})),
        event(2, "runner_on_start", &json!({"host": "a", "task": "t", "task_id": "1"})),
        event(
            3,
            "runner_on_ok",
            &json!({"host": "a", "task": "t", "task_id": "1", "changed": true, "result": {}}),
        ),
    ]
    .concat()
}

fn recap() -> String {
    event(
        4,
        "playbook_on_stats",
        &json!({"stats": {"a": {"ok": 1, "changed": 1}, "b": {"unreachable": 1}}}),
    )
}

async fn put(app: &TestApp, who: As, id: Uuid, what: &str, place: &str, bytes: &str) -> (u16, Value) {
    read(
        app.send_bytes(
            who,
            Method::PUT,
            &format!("/api/recordings/{id}/{what}?{place}"),
            bytes.as_bytes().to_vec(),
        )
        .await,
    )
    .await
}

async fn begun(app: &TestApp, who: As) -> Uuid {
    let id = new_id();
    let (status, answer) = read(app.post(who, "/api/recordings", beginning(id)).await).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["deployment"]["status"], "running");
    assert_eq!(answer["deployment"]["name"], "site.yml");
    assert_eq!(answer["deployment"]["started_at"], "2026-01-02T03:04:05Z");
    id
}

async fn rows(app: &TestApp, id: Uuid) -> Vec<(String, String)> {
    let (_, rows) = read(app.get(VIEWER, &format!("/api/deployments/{id}/servers")).await).await;
    let mut rows: Vec<_> = rows["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["host"].as_str().unwrap().to_owned(),
                row["status"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    rows.sort();
    rows
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(host, status)| ((*host).to_owned(), (*status).to_owned()))
        .collect()
}

#[tokio::test]
async fn bytes_are_taken_once_wherever_they_are_cut() {
    let app = TestApp::start().await;
    let id = begun(&app, OPERATOR).await;
    let all = events() + &recap();
    let (status, again) = read(app.post(OPERATOR, "/api/recordings", beginning(id)).await).await;
    assert_eq!((status, again["spool_offset"].as_u64()), (200, Some(0)));
    // A piece that ends within a line is stored up to the line before; what is sent again is passed over.
    let line = all.find('\n').unwrap() + 1;
    let (status, progress) = put(&app, OPERATOR, id, "events", "offset=0", &all[..line + 10]).await;
    assert_eq!(
        (status, progress["spool_offset"].as_u64()),
        (200, Some(line as u64)),
        "{progress}"
    );
    assert_eq!(rows(&app, id).await, pairs(&[("a", "pending"), ("b", "pending")]));
    let (status, problem) = put(&app, OPERATOR, id, "events", &format!("offset={}", line + 1), "x").await;
    assert_eq!(
        (status, problem["code"].as_str(), problem["wanted"].as_u64()),
        (409, Some("offset_gap"), Some(line as u64))
    );
    for end in [all.len() - 20, all.len(), all.len()] {
        put(&app, OPERATOR, id, "events", "offset=0", &all[..end]).await;
    }
    put(&app, OPERATOR, id, "output", "", "one\ntwo").await;
    let (_, progress) = put(&app, OPERATOR, id, "output", "offset=4&last=true", "two").await;
    assert_eq!(progress["output_offset"], 7);
    assert_eq!(progress["spool_offset"], all.len());
    let end = json!({"exit_code": 4, "finished_at": "2026-01-02T03:04:07Z"});
    for _ in 0..2 {
        let (status, deployment) = read(
            app.post(OPERATOR, &format!("/api/recordings/{id}/finish"), end.clone())
                .await,
        )
        .await;
        assert_eq!(status, 200, "{deployment}");
        assert_eq!(deployment["reason"], "hosts_unreachable");
        assert_eq!(deployment["finished_at"], "2026-01-02T03:04:07Z");
        assert_eq!(deployment["counts"]["total"], 2);
        assert_eq!(deployment["output_bytes"], 7);
    }
    assert_eq!(rows(&app, id).await, pairs(&[("a", "success"), ("b", "unreachable")]));
    let (status, problem) = put(&app, OPERATOR, id, "events", &format!("offset={}", all.len()), &all).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("recording_ended")));
    let (_, page) = read(
        app.get(VIEWER, &format!("/api/deployments/{id}/events?limit=100"))
            .await,
    )
    .await;
    let kinds: Vec<&str> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "deployment_started",
            "playbook_on_play_start",
            "runner_on_start",
            "runner_on_ok",
            "playbook_on_stats",
            "deployment_finished"
        ]
    );
}

#[tokio::test]
async fn a_recording_is_its_creators() {
    let app = TestApp::start().await;
    let id = begun(&app, ADMIN).await;
    for (method, path) in [("PUT", "events"), ("PUT", "output"), ("POST", "finish")] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let path = format!("/api/recordings/{id}/{path}");
        for who in [OPERATOR, VIEWER] {
            let refused = if method == Method::PUT {
                app.send_bytes(who, method.clone(), &path, Vec::new()).await
            } else {
                app.send(who, method.clone(), &path, Some(json!({}))).await
            };
            assert_eq!(refused.status(), 403, "{path}");
        }
    }
    assert_eq!(app.post(OPERATOR, "/api/recordings", beginning(id)).await.status(), 403);
    let own = begun(&app, OPERATOR).await;
    assert_eq!(put(&app, ADMIN, own, "events", "", &events()).await.0, 200);
    for (field, value) in [
        ("id", json!("00000000-0000-4000-8000-000000000000")),
        ("words", json!([])),
        ("words", json!(["a\u{0}b"])),
        ("words", json!(["x".repeat(70_000)])),
        ("folder", json!("")),
        ("machine", json!("x".repeat(300))),
        ("playbook", json!("\u{0}")),
        ("kind", json!("shell")),
    ] {
        let mut body = beginning(new_id());
        body[field] = value;
        let (status, problem) = read(app.post(OPERATOR, "/api/recordings", body).await).await;
        assert_eq!(status, 422, "{field}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn hostile_lines_do_no_harm() {
    let app = TestApp::start().await;
    let id = begun(&app, OPERATOR).await;
    let name = "x".repeat(100_000);
    let lines = [
        "not json\n".to_owned(),
        "[]\n".to_owned(),
        format!("{}\n", "[".repeat(100_000)),
        event(1, "playbook_on_play_start", &json!({"hosts": ["\u{0}", name, 7, null]})),
        event(
            2,
            "playbook_on_play_start",
            &json!({"hosts": ["'; DROP TABLE x; --", "{{ 7 * 7 }}", name]}),
        ),
        event(
            3,
            "runner_on_ok",
            &json!({"host": "a\u{0}b", "task": "\u{0}", "result": {"msg": "\u{0}"}}),
        ),
        event(2, "runner_on_failed", &json!({"host": "late"})),
        "{\"v\":1,\"seq\":4,\"ts\":\"99999-01-01T00:00:00Z\",\"event\":\"x\"}\n".to_owned(),
        "\u{fffd}\u{feff}\n".to_owned(),
    ]
    .concat();
    let (status, progress) = put(&app, OPERATOR, id, "events", "offset=0", &lines).await;
    assert_eq!(
        (status, progress["spool_offset"].as_u64()),
        (200, Some(lines.len() as u64)),
        "{progress}"
    );
    let found = rows(&app, id).await;
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().all(|(host, _)| host.len() <= 512));
    let large = "x".repeat(17 * 1024 * 1024);
    assert_eq!(put(&app, OPERATOR, id, "events", "offset=0", &large).await.0, 413);
    assert_eq!(
        put(&app, OPERATOR, id, "output", "offset=0", &large[..2 * 1024 * 1024])
            .await
            .0,
        413
    );
    let end = json!({"exit_code": 300});
    assert_eq!(
        app.post(OPERATOR, &format!("/api/recordings/{id}/finish"), end)
            .await
            .status(),
        422
    );
}

/// A line that never ends is not waited for.
#[tokio::test]
async fn an_endless_line_is_given_up() {
    let app = TestApp::start().await;
    let id = begun(&app, OPERATOR).await;
    let endless = "x".repeat(admiral::ingest::recording::MAX_EVENT_BYTES);
    let (status, progress) = put(&app, OPERATOR, id, "events", "offset=0", &endless).await;
    assert_eq!(
        (status, progress["spool_offset"].as_u64()),
        (200, Some(endless.len() as u64))
    );
}

#[tokio::test]
async fn what_is_not_heard_of_is_given_up_and_taken_up_again() {
    let app = TestApp::start().await;
    let id = begun(&app, OPERATOR).await;
    put(&app, OPERATOR, id, "events", "offset=0", &events()).await;
    let scheduler = Scheduler::new(app.database.clone(), app.clock.clone());
    scheduler.pass().await.unwrap();
    let status = async || {
        let (_, deployment) = read(app.get(VIEWER, &format!("/api/deployments/{id}")).await).await;
        (
            deployment["status"].as_str().unwrap().to_owned(),
            deployment["reason"].clone(),
            deployment["counts"].clone(),
        )
    };
    assert_eq!(status().await.0, "running");
    let mut connection = app.database.acquire().await.unwrap();
    sqlx::query("UPDATE admiral.runs SET heard_at = now() - make_interval(secs => $1)")
        .bind(SILENCE.as_secs_f64() + 1.0)
        .execute(&mut *connection)
        .await
        .unwrap();
    assert_eq!(recordings::list_silent(&mut connection, SILENCE).await.unwrap(), [id]);
    drop(connection);
    scheduler.pass().await.unwrap();
    assert_eq!(
        (status().await.0.as_str(), status().await.1),
        ("failed", json!("worker_lost"))
    );
    assert_eq!(rows(&app, id).await, pairs(&[("a", "failed"), ("b", "cancelled")]));
    // Nothing new: it stays so. More of it: it goes on as if nothing had been.
    put(&app, OPERATOR, id, "events", "offset=0", &events()).await;
    assert_eq!(status().await.0, "failed");
    let more = events() + &event(4, "runner_on_start", &json!({"host": "b", "task": "t", "task_id": "1"}));
    let (code, progress) = put(&app, OPERATOR, id, "events", "offset=0", &more).await;
    assert_eq!(
        (code, progress["spool_offset"].as_u64()),
        (200, Some(more.len() as u64)),
        "{progress}"
    );
    assert_eq!(rows(&app, id).await, pairs(&[("a", "running"), ("b", "running")]));
    let (now, reason, counts) = status().await;
    assert_eq!(
        (now.as_str(), reason, counts["running"].as_i64()),
        ("running", Value::Null, Some(2))
    );
    let whole = more + &recap().replace("\"seq\":4", "\"seq\":5");
    put(&app, OPERATOR, id, "events", "offset=0&last=true", &whole).await;
    app.post(
        OPERATOR,
        &format!("/api/recordings/{id}/finish"),
        json!({"exit_code": 4}),
    )
    .await;
    assert_eq!(status().await.1, json!("hosts_unreachable"));
    assert_eq!(rows(&app, id).await, pairs(&[("a", "success"), ("b", "unreachable")]));
}
