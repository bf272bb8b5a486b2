//! Batches: events, rows and offsets commit together or not at all.

use crate::support::{database::TestDatabase, fleet};
use admiral::{
    domain::{clock::new_id, deployment::HostStatus},
    events::RunState,
    ingest::{pipeline::Pipeline, redact::Redactor},
    store::{
        StoreError,
        ingest::{self, IngestBatch, NewEvent},
        runs::{self, OwnedRun},
    },
};
use chrono::{DateTime, Utc};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().expect("a time")
}

fn line(seq: u64, event: &str, more: &str) -> String {
    format!(r#"{{"v":1,"seq":{seq},"ts":"2026-01-02T03:04:05Z","event":"{event}"{more}}}"#) + "\n"
}

struct Running {
    test: TestDatabase,
    run: OwnedRun,
    worker: uuid::Uuid,
}

impl Running {
    async fn start(hosts: &[&str]) -> Self {
        let test = TestDatabase::create().await;
        let launched = fleet::launch(&test.database, hosts, "x", |_| {}).await;
        let worker = new_id();
        let run = fleet::claim(&test.database, worker, LEASE).await.expect("one");
        assert_eq!(run.id, launched.run_id);
        let mut transaction = test.database.begin().await.expect("a transaction");
        runs::mark_started(&mut transaction, run.id, worker, "none")
            .await
            .expect("started");
        transaction.commit().await.expect("committed");
        Self { test, run, worker }
    }

    fn pipeline(&self, hosts: &[&str]) -> Pipeline {
        let state = RunState::new(hosts.iter().map(ToString::to_string));
        Pipeline::new(self.run.clone(), self.worker, state, Redactor::default())
    }

    async fn write(&self, batch: &IngestBatch) -> Result<i64, StoreError> {
        let mut transaction = self.test.database.begin().await.expect("a transaction");
        let position = ingest::write_batch(&mut transaction, batch).await?;
        transaction.commit().await.expect("committed");
        Ok(position)
    }
}

#[tokio::test]
async fn positions_have_no_gaps_and_rows_follow() {
    let running = Running::start(&["a", "b"]).await;
    let mut pipeline = running.pipeline(&["a", "b"]);
    let mut expected = 1;
    for round in 0..5_u64 {
        let text: String = (1..=3)
            .map(|number| {
                line(
                    round * 3 + number,
                    "runner_on_ok",
                    r#","host":"a","task_id":"t","task":"Tab\there""#,
                )
            })
            .collect();
        pipeline.feed_events(text.as_bytes(), now());
        pipeline.feed_output(b"\xff line\n");
        let batch = pipeline.take_batch().expect("a batch");
        expected += 3;
        assert_eq!(running.write(&batch).await.expect("stored"), expected);
    }
    let id = running.run.deployment_id;
    let events = fleet::all_events(&running.test.database, id).await;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=16).collect::<Vec<_>>());
    assert_eq!(events[1].task.as_deref(), Some("Tab\there"));
    let rows = fleet::rows(&running.test.database, id).await;
    assert_eq!(
        (rows[0].ok, rows[0].status, rows[0].position),
        (15, HostStatus::Running, 16)
    );
    assert_eq!((rows[1].status, rows[1].position), (HostStatus::Pending, 0));
    let deployment = fleet::deployment(&running.test.database, id).await;
    assert_eq!(
        (
            deployment.counts.running,
            deployment.counts.pending,
            deployment.output_bytes
        ),
        (1, 1, 35)
    );
}

#[tokio::test]
async fn a_batch_is_stored_once_whatever_happens() {
    let running = Running::start(&["a"]).await;
    let mut pipeline = running.pipeline(&["a"]);
    pipeline.feed_events(line(1, "runner_on_ok", r#","host":"a""#).as_bytes(), now());
    let batch = pipeline.take_batch().expect("a batch");
    {
        let mut transaction = running.test.database.begin().await.expect("a transaction");
        ingest::write_batch(&mut transaction, &batch).await.expect("written");
        transaction.rollback().await.expect("rolled back");
    }
    let id = running.run.deployment_id;
    assert_eq!(
        fleet::all_events(&running.test.database, id).await.len(),
        1,
        "only the start"
    );
    assert_eq!(running.write(&batch).await.expect("stored"), 2);
    let before = (
        fleet::rows(&running.test.database, id).await,
        fleet::deployment(&running.test.database, id).await,
    );
    assert!(matches!(running.write(&batch).await, Err(StoreError::WrongState(_))));
    let stranger = IngestBatch {
        worker: Some(new_id()),
        spool_offset: batch.spool_offset,
        ..batch.clone()
    };
    assert!(matches!(running.write(&stranger).await, Err(StoreError::WrongState(_))));
    let after = (
        fleet::rows(&running.test.database, id).await,
        fleet::deployment(&running.test.database, id).await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn whatever_a_line_holds_is_stored() {
    let running = Running::start(&["a"]).await;
    let mut pipeline = running.pipeline(&["a"]);
    let long = "h".repeat(5000);
    let texts = [
        line(
            1,
            "odd",
            r#","host":"a\\b\tc\nd\u0000e\u2028","result":{"msg":"\\N \\. \\x41 \u0000 \ud800"}"#,
        ),
        line(2, "runner_on_ok", &format!(r#","host":"{long}","task_id":"{long}""#)),
        line(
            3,
            "runner_on_failed",
            r#","host":"a","result":{"msg":"\u0000nul \\ and \ttab"}"#,
        ),
        line(4, r"\\.", ""),
        "not json\n".to_owned(),
    ];
    pipeline.feed_events(texts.concat().as_bytes(), now());
    let batch = pipeline.take_batch().expect("a batch");
    assert_eq!(running.write(&batch).await.expect("stored"), 6);
    let id = running.run.deployment_id;
    let events = fleet::all_events(&running.test.database, id).await;
    assert_eq!(events[1].host.as_deref(), Some("a\\b\tc\nde\u{2028}"));
    assert!(
        events[1].payload.get().contains(r"\\N \\. \\x41 \u0000"),
        "{}",
        events[1].payload
    );
    assert_eq!(events[4].kind, r"\.");
    assert_eq!(events[5].kind, "warning");
    let rows = fleet::rows(&running.test.database, id).await;
    assert_eq!(rows[0].error_message.as_deref(), Some("nul \\ and tab"));
    let deployment = fleet::deployment(&running.test.database, id).await;
    assert_eq!(deployment.warnings.len(), 1);
}

#[tokio::test]
async fn what_the_database_refuses_is_stored_without_its_content() {
    let running = Running::start(&["a"]).await;
    let mut pipeline = running.pipeline(&["a"]);
    pipeline.feed_events(
        line(1, "runner_on_ok", r#","host":"a","task_id":"t""#).as_bytes(),
        now(),
    );
    let mut batch = pipeline.take_batch().expect("a batch");
    batch.events.push(&NewEvent {
        payload: "{not json".to_owned(),
        ..NewEvent::own("runner_on_ok", &serde_json::Value::Null, now())
    });
    let refused = {
        let mut transaction = running.test.database.begin().await.expect("a transaction");
        ingest::write_batch(&mut transaction, &batch)
            .await
            .expect_err("refused")
    };
    assert!(ingest::refuses_data(&refused), "{refused:?}");
    batch.events = batch.events.reduced();
    assert_eq!(running.write(&batch).await.expect("stored"), 3);
    let id = running.run.deployment_id;
    let events = fleet::all_events(&running.test.database, id).await;
    for (event, host) in events[1..].iter().zip([Some("a"), None]) {
        assert_eq!((event.kind.as_str(), event.host.as_deref()), ("runner_on_ok", host));
        assert_eq!(event.recorded_at, now());
        assert!(
            event.payload.get().contains(r#""unstorable":true"#),
            "{}",
            event.payload
        );
    }
    assert_eq!(fleet::rows(&running.test.database, id).await[0].ok, 1);
}
