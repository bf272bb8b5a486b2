//! What Prometheus reads, and what the log says, about real deployments.

use crate::support::{
    ansible::ansible_bins,
    app::{ANONYMOUS, TestApp, VIEWER},
    database::TestDatabase,
    library,
    server::{AdmiralServer, PATIENCE, text},
};
use admiral::{
    api::{self, AppState, state::ApiConfig},
    domain::clock::SystemClock,
    vault::{KeyRing, Vault},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Instant};
use tower::ServiceExt as _;

const PLAYBOOK: &str = "
- name: Count
  hosts: all
  gather_facts: false
  connection: local
  tasks:
    - { name: One, ansible.builtin.debug: { msg: one } }
    - { name: Two, ansible.builtin.command: 'true' }
    - { name: Three, ansible.builtin.debug: { msg: three } }
";

/// One scrape: a sample's name and labels as written → its value.
#[derive(Debug)]
struct Scrape {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads OpenMetrics text (OpenMetrics 1.0, "Text format"), and refuses what does not keep to it.
    fn read(text: &str) -> Self {
        let text = text.strip_suffix("# EOF\n").expect("it ends with the mark of the end");
        let (mut samples, mut types, mut current) = (BTreeMap::new(), BTreeMap::new(), String::new());
        for line in text.lines() {
            if let Some(meta) = line.strip_prefix("# ") {
                let mut words = meta.splitn(3, ' ');
                let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                match what {
                    "HELP" => {
                        assert!(!types.contains_key(name), "{name} comes twice");
                        name.clone_into(&mut current);
                    }
                    "TYPE" => assert_eq!(types.insert(name.to_owned(), rest.to_owned()), None, "{name}"),
                    "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{name} {rest}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            assert!(line.starts_with(&current), "{line} belongs to {current}");
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(samples.insert(name.to_owned(), value), None, "{name} comes twice");
            let bare = name.split('{').next().unwrap();
            if types[&current] == "counter" {
                assert!(bare.ends_with("_total"), "{bare}");
            }
        }
        Self { samples, types }
    }

    fn get(&self, name: &str) -> f64 {
        *self
            .samples
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not among {:#?}", self.samples.keys()))
    }
}

async fn scrape(server: &AdmiralServer) -> Scrape {
    match server.get("/metrics").await {
        Value::String(text) => Scrape::read(&text),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn figures_follow_a_real_deployment() {
    let server = AdmiralServer::start_as(&ansible_bins()[0], &["--isolation", "none"]).await;
    let (key, _) = server.generate_key("k").await;
    for number in 1..=2 {
        server
            .add_server(&format!("web-{number}"), "127.0.0.1", 22, "root", &key, &[])
            .await;
    }
    let before = scrape(&server).await;
    for name in [
        "admiral_ingest_events_total",
        "admiral_run_queue_wait_seconds_count",
        "admiral_ingest_batch_events_count",
        "admiral_ingest_waiting_events",
        "admiral_runs{state=\"running\"}",
        "admiral_stream_viewers{stream=\"deployment\"}",
    ] {
        assert!(before.get(name).abs() < f64::EPSILON, "{name}");
    }
    assert!((before.get("admiral_workers") - 1.0).abs() < f64::EPSILON);
    assert!(before.get("process_resident_memory_bytes") > 1e6);
    assert!(before.get("process_open_fds") > 5.0);
    assert!(before.get("process_start_time_seconds") > 1.6e9);
    assert!(
        before
            .samples
            .keys()
            .any(|name| name.starts_with("admiral_build_info{version=\""))
    );

    let playbook = server.add_playbook("count", PLAYBOOK);
    let deployment = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let id = text(&deployment, "id");
    // Somebody watches.
    let path = format!("/api/deployments/{id}/stream");
    let mut stream = server.open(&path, None).await.bytes_stream();
    stream.next().await.expect("a message").expect("unbroken");
    let watched = scrape(&server)
        .await
        .get("admiral_stream_viewers{stream=\"deployment\"}");
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(
        deployment["status"],
        "completed",
        "{deployment}\n{}",
        server.output(&id).await
    );
    while stream.next().await.is_some() {}
    // It may have been over before we looked.
    assert!(watched <= 1.0);

    // The end is counted just after it was stored.
    let deadline = Instant::now() + PATIENCE;
    let after = loop {
        let after = scrape(&server).await;
        if after
            .samples
            .contains_key("admiral_deployment_duration_seconds_count{status=\"completed\"}")
            && after.get("admiral_ingest_followed_runs") < 1.0
        {
            break after;
        }
        assert!(Instant::now() < deadline, "{:#?}", after.samples);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let events = server.get(&format!("/api/deployments/{id}/events?limit=5000")).await;
    let events = events["data"].as_array().unwrap();
    // All but Admiral's own of start and end.
    let ingested = events
        .iter()
        .filter(|event| event["kind"] != "deployment_started" && event["kind"] != "deployment_finished");
    let count = |expected: usize, name: &str| {
        let value = after.get(name);
        assert!(
            (value - expected as f64).abs() < f64::EPSILON,
            "{name} is {value}, not {expected}"
        );
    };
    count(ingested.count(), "admiral_ingest_events_total");
    count(1, "admiral_run_queue_wait_seconds_count");
    count(1, "admiral_run_duration_seconds_count{status=\"completed\"}");
    count(1, "admiral_deployment_duration_seconds_count{status=\"completed\"}");
    count(0, "admiral_runs{state=\"running\"}");
    count(0, "admiral_runs{state=\"pending\"}");
    count(0, "admiral_ingest_waiting_bytes");
    count(0, "admiral_stream_viewers{stream=\"deployment\"}");
    count(1, "admiral_database_up");
    assert!(
        (after.get("admiral_ingest_batch_events_sum") - after.get("admiral_ingest_events_total")).abs() < f64::EPSILON
    );
    assert!(after.get("admiral_ingest_bytes_total") > 1000.0);
    assert!(after.get("admiral_ingest_lag_seconds_count") >= 1.0);
    let took = after.get("admiral_run_duration_seconds_sum{status=\"completed\"}");
    let stored = (time(&deployment, "finished_at") - time(&deployment, "started_at")).as_seconds_f64();
    assert!((took - stored).abs() < 1.0, "{took} {stored}");
    let launches = "admiral_http_requests_total{route=\"/api/deployments\",method=\"POST\",status=\"201\"}";
    count(1, launches);
    assert!(
        after.get("admiral_http_request_duration_seconds_count{route=\"/api/deployments/{id}\",method=\"GET\"}") >= 1.0
    );
    assert!(
        !after.samples.keys().any(|name| name.contains(&id)),
        "ids are no labels"
    );
    let pool = after.get("admiral_database_pool_connections{state=\"idle\"}")
        + after.get("admiral_database_pool_connections{state=\"in_use\"}");
    assert!(pool >= 1.0 && pool <= after.get("admiral_database_pool_max_connections"));
    assert!(after.get("admiral_database_pool_acquires_total") > before.get("admiral_database_pool_acquires_total"));
    assert!(after.get("admiral_database_pool_acquire_wait_seconds_total") > 0.0);
    for (name, kind) in [
        ("admiral_ingest_lag_seconds", "histogram"),
        ("admiral_ingest_events", "counter"),
        ("admiral_ingest_waiting_bytes", "gauge"),
        ("process_cpu_seconds", "counter"),
    ] {
        assert_eq!(after.types[name], kind, "{name}");
    }
}

fn time(deployment: &Value, field: &str) -> chrono::DateTime<chrono::Utc> {
    text(deployment, field).parse().unwrap()
}

#[tokio::test]
async fn scrapers_need_a_token_unless_the_metrics_are_public() {
    let app = TestApp::start().await;
    assert_eq!(app.get(ANONYMOUS, "/metrics").await.status(), 401);
    let answer = app.get(VIEWER, "/metrics").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let scrape = Scrape::read(&answer.text().await.unwrap());
    let refused = "admiral_http_requests_total{route=\"/metrics\",method=\"GET\",status=\"401\"}";
    assert!((scrape.get(refused) - 1.0).abs() < f64::EPSILON);

    let TestDatabase { database, .. } = TestDatabase::create().await;
    let state = AppState::new(
        database.clone(),
        Arc::new(Vault::new(KeyRing::generate().unwrap())),
        library::library(),
        Arc::new(SystemClock),
        ApiConfig {
            public_metrics: true,
            ..ApiConfig::default()
        },
    );
    let router = api::router(state.clone());
    let alone = api::metrics_router(state);
    let ask_of = async |router: &axum::Router, path: &str| {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    };
    let ask = async |path: &str| ask_of(&router, path).await;
    let (status, text) = ask("/metrics").await;
    assert_eq!(status, 200);
    assert!((Scrape::read(&text).get("admiral_database_up") - 1.0).abs() < f64::EPSILON);
    assert_eq!(ask("/api/settings").await.0, 401, "nothing else is public");
    let (status, text) = ask_of(&alone, "/metrics").await;
    assert_eq!(status, 200);
    Scrape::read(&text);
    assert_eq!(ask_of(&alone, "/api/health").await.0, 404, "nothing else is there");
    // Without the database the figures of this process are still to be had.
    database.close().await;
    // What the database said last holds for a moment.
    let deadline = Instant::now() + PATIENCE;
    let scrape = loop {
        let (status, text) = ask("/metrics").await;
        assert_eq!(status, 200);
        let scrape = Scrape::read(&text);
        if scrape.get("admiral_database_up") < 1.0 {
            break scrape;
        }
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(!scrape.samples.contains_key("admiral_workers"));
}

#[tokio::test]
async fn the_log_tells_the_whole_life_of_a_deployment_to_who_searches_for_its_id() {
    const SECRET: &str = "canary-in-the-log-77c1";
    let server = AdmiralServer::start_as(&ansible_bins()[0], &["--isolation", "none", "--log", "json"]).await;
    let (key, _) = server.generate_key("k").await;
    server.add_server("web-1", "127.0.0.1", 22, "root", &key, &[]).await;
    let playbook = server.add_playbook("count", PLAYBOOK);
    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": playbook, "all": true, "secret_variables": {"secret": SECRET}}),
        )
        .await;
    let id = text(&deployment, "id");
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
    // By number: the id is in the line all the same.
    server.get(&format!("/api/deployments/{}", deployment["number"])).await;

    let deadline = Instant::now() + PATIENCE;
    let log = loop {
        let log = server.log();
        if log.contains("a run has ended") {
            break log;
        }
        assert!(Instant::now() < deadline, "{log}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(!log.contains(SECRET));
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let found: Vec<&Value> = lines.iter().filter(|line| line.to_string().contains(&id)).collect();
    let said: Vec<&str> = found
        .iter()
        .filter_map(|line| line["fields"]["message"].as_str())
        .collect();
    let mut rest = said.iter();
    for expected in [
        "a deployment was launched",
        "a run was claimed",
        "a batch was stored",
        "the run's end is stored",
        "the deployment has ended",
        "the run's program was started",
        "the run is over",
        "a run has ended",
    ] {
        assert!(
            rest.any(|message| *message == expected),
            "{expected} is not in {said:#?}"
        );
    }
    // Each line of a request has the request's id, each line of a run the run's and the worker's.
    let spans = |line: &Value, field: &str| -> Option<String> {
        let all = line["spans"].as_array()?;
        all.iter().find_map(|span| span[field].as_str().map(ToOwned::to_owned))
    };
    for line in &found {
        let of_request = spans(line, "request_id").is_some();
        let of_run =
            spans(line, "run").is_some() && spans(line, "worker").is_some() && spans(line, "deployment").is_some();
        assert!(of_request || of_run, "{line}");
    }
    let launched = found
        .iter()
        .find(|line| line["fields"]["message"] == "a deployment was launched");
    let run = text(&launched.unwrap()["fields"], "runs");
    assert!(said.len() >= 8 && found.iter().any(|line| spans(line, "run").as_ref() == Some(&run)));
    let supervisor = found
        .iter()
        .find(|line| line["fields"]["message"] == "the run's program was started")
        .expect("the supervisor's lines");
    assert_eq!(supervisor["target"], "admiral::supervisor");
    assert!(
        supervisor["fields"]["details"].as_str().unwrap().contains("pid="),
        "{supervisor}"
    );
    let by_number = found
        .iter()
        .any(|line| spans(line, "path").is_some_and(|path| path.ends_with(&format!("/{}", deployment["number"]))));
    assert!(by_number, "{said:#?}");
}
