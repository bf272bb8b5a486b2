//! Who gets which run, and when: order, limits, one deployment at a time on a server, slices.

use crate::support::{
    database::TestDatabase,
    fleet::{self, Launched},
};
use admiral::{
    domain::{
        DeploymentId,
        clock::new_id,
        deployment::{Deployment, DeploymentStatus, HostCounts, HostStatus, Reason},
        event::own,
        settings::Settings,
    },
    events::summary::{EndReason, RunEnd},
    ingest::{pipeline::Pipeline, redact::Redactor},
    store::{
        Connection, Database,
        deployments::{self, CancelOutcome},
        folds, ingest,
        runs::{self, OwnedRun},
        settings,
        workers::NewWorker,
    },
};
use chrono::{DateTime, Utc};
use std::{fmt::Write as _, time::Duration};
use uuid::Uuid;

const LEASE: Duration = Duration::from_mins(5);

fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().expect("a time")
}

async fn begin(database: &Database, run: &OwnedRun, worker: Uuid) -> Pipeline {
    let mut transaction = database.begin().await.expect("a transaction");
    runs::mark_started(&mut transaction, run.id, worker, "none")
        .await
        .expect("started");
    transaction.commit().await.expect("committed");
    let mut connection = database.acquire().await.expect("a connection");
    let state = folds::load_fold(&mut connection, run.deployment_id, run.id)
        .await
        .expect("rows");
    Pipeline::new(run.clone(), worker, state, Redactor::default())
}

/// Ends a run as Ansible would, with a recap in which `failed` failed and the others did one task.
async fn end(database: &Database, pipeline: &mut Pipeline, failed: &[&str]) {
    let hosts: Vec<String> = pipeline.state().hosts().map(|(name, _)| name.clone()).collect();
    let mut lines = String::new();
    let mut stats = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let (kind, counter) = if failed.contains(&host.as_str()) {
            ("runner_on_failed", "failures")
        } else {
            ("runner_on_ok", "ok")
        };
        let _ = writeln!(
            lines,
            "{{\"v\":1,\"seq\":{},\"ts\":\"2026-01-02T03:04:05Z\",\"event\":\"{kind}\",\"host\":\"{host}\",\"task\":\"t\"}}",
            number + 1
        );
        stats.push(format!("\"{host}\":{{\"{counter}\":1}}"));
    }
    let _ = writeln!(
        lines,
        "{{\"v\":1,\"seq\":{},\"ts\":\"2026-01-02T03:04:06Z\",\"event\":\"playbook_on_stats\",\"stats\":{{{}}}}}",
        hosts.len() + 1,
        stats.join(",")
    );
    pipeline.feed_events(lines.as_bytes(), now());
    let exit_code = if failed.is_empty() { 0 } else { 2 };
    let run_end = RunEnd {
        reason: EndReason::Finished,
        exit_code: Some(exit_code),
        signal: None,
        message: None,
        last_output: None,
        at: now(),
    };
    let (batch, ending) = pipeline.take_last_batch(&run_end, now());
    let mut transaction = database.begin().await.expect("a transaction");
    ingest::write_last_batch(&mut transaction, &batch, &ending)
        .await
        .expect("ended");
    transaction.commit().await.expect("committed");
}

async fn register(connection: &mut Connection, worker: Uuid) {
    let new = NewWorker {
        id: worker,
        name: "w",
        roles: &[],
        max_runs: 4,
        home: new_id(),
        isolation: admiral::domain::isolation::WorkerIsolation::Strict,
    };
    runs::register_worker(connection, &new).await.expect("registered");
}

async fn cancel(database: &Database, id: DeploymentId) -> CancelOutcome {
    let mut transaction = database.begin().await.expect("a transaction");
    let outcome = deployments::request_cancel(&mut transaction, id, "tester", false)
        .await
        .expect("cancelled");
    transaction.commit().await.expect("committed");
    outcome
}

async fn sliced(database: &Database, hosts: &[&str], slices: usize) -> Launched {
    fleet::launch(database, hosts, "x", |new| {
        new.run_ids = std::iter::repeat_with(new_id).take(slices).collect();
    })
    .await
}

fn waits_for(deployment: &Deployment) -> Vec<Uuid> {
    deployment.waiting_for.iter().map(|other| other.id).collect()
}

#[tokio::test]
async fn each_run_is_claimed_once_and_given_back_when_a_worker_goes_away() {
    let test = TestDatabase::create().await;
    for host in ["a", "b", "c", "d"] {
        fleet::launch(&test.database, &[host], "x", |_| {}).await;
    }
    let claim = |worker, lease| fleet::claim(&test.database, worker, lease);
    let (one, two) = (new_id(), new_id());
    let (a, b, c) = tokio::join!(claim(one, LEASE), claim(two, LEASE), claim(one, LEASE));
    let mut claimed: Vec<_> = [a, b, c].into_iter().flatten().map(|run| run.id).collect();
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), 3);
    let last = claim(two, Duration::ZERO).await.expect("the fourth");
    assert_eq!(
        claim(one, LEASE).await.map(|run| run.id),
        Some(last.id),
        "its lease was over at once"
    );
    assert_eq!(claim(one, LEASE).await, None);
    let mut connection = test.database.acquire().await.expect("a connection");
    runs::release(&mut connection, one, None).await.expect("released");
    drop(connection);
    assert!(claim(two, LEASE).await.is_some());
}

#[tokio::test]
async fn a_higher_priority_goes_first_and_among_equals_the_oldest() {
    let test = TestDatabase::create().await;
    let launch = async |host: &str, priority| {
        fleet::launch(&test.database, &[host], "x", |new| new.options.priority = priority)
            .await
            .run_id
    };
    let (low, first, second, high) = (
        launch("a", -5).await,
        launch("b", 0).await,
        launch("c", 0).await,
        launch("d", 7).await,
    );
    let mut order = Vec::new();
    while let Some(run) = fleet::claim(&test.database, new_id(), LEASE).await {
        order.push(run.id);
    }
    assert_eq!(order, [high, first, second, low]);
}

#[tokio::test]
async fn all_workers_together_keep_the_limit() {
    let test = TestDatabase::create().await;
    for host in ["a", "b", "c"] {
        fleet::launch(&test.database, &[host], "x", |_| {}).await;
    }
    let mut transaction = test.database.begin().await.expect("a transaction");
    let limited = Settings {
        max_running_runs: Some(2),
        ..Settings::default()
    };
    settings::update_settings(&mut transaction, &limited)
        .await
        .expect("stored");
    transaction.commit().await.expect("committed");
    let worker = new_id();
    let claim = || fleet::claim(&test.database, new_id(), LEASE);
    let first = fleet::claim(&test.database, worker, LEASE).await.expect("the first");
    let others = tokio::join!(claim(), claim(), claim());
    assert_eq!([others.0, others.1, others.2].iter().flatten().count(), 1);
    let mut pipeline = begin(&test.database, &first, worker).await;
    assert!(claim().await.is_none());
    end(&test.database, &mut pipeline, &[]).await;
    assert!(claim().await.is_some());
}

#[tokio::test]
async fn a_server_is_worked_on_by_one_deployment_at_a_time_in_order() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let worker = new_id();
    let claim = || fleet::claim(database, worker, LEASE);
    let one = fleet::launch(database, &["a", "b"], "x", |_| {}).await;
    let two = fleet::launch(database, &["b", "c"], "x", |_| {}).await;
    let three = fleet::launch(database, &["c"], "x", |_| {}).await;
    let other = fleet::launch(database, &["d"], "x", |_| {}).await;
    let overlapping = fleet::launch(database, &["a"], "x", |new| new.options.allow_overlap = true).await;

    let run = claim().await.expect("the first");
    assert_eq!(run.deployment_id, one.id);
    assert_eq!(
        claim().await.map(|run| run.deployment_id),
        Some(other.id),
        "nobody is at work on d"
    );
    assert_eq!(
        claim().await.map(|run| run.deployment_id),
        Some(overlapping.id),
        "it does not mind"
    );
    assert_eq!(claim().await, None);
    assert_eq!(waits_for(&fleet::deployment(database, two.id).await), [one.id]);
    assert_eq!(
        waits_for(&fleet::deployment(database, three.id).await),
        [two.id],
        "the older one is not overtaken"
    );
    let told = fleet::all_events(database, two.id).await;
    assert_eq!(
        told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(),
        [own::DEPLOYMENT_WAITING]
    );

    let mut pipeline = begin(database, &run, worker).await;
    assert_eq!(claim().await, None);
    end(database, &mut pipeline, &[]).await;
    assert_eq!(claim().await.map(|run| run.deployment_id), Some(two.id));
    assert_eq!(claim().await, None);
    assert_eq!(cancel(database, two.id).await, CancelOutcome::Cancelled);
    assert_eq!(claim().await.map(|run| run.deployment_id), Some(three.id));
    assert_eq!(fleet::deployment(database, three.id).await.waiting_for, []);
}

#[tokio::test]
async fn a_worker_that_drains_claims_nothing() {
    let test = TestDatabase::create().await;
    fleet::launch(&test.database, &["a"], "x", |_| {}).await;
    let worker = new_id();
    let mut connection = test.database.acquire().await.expect("a connection");
    register(&mut connection, worker).await;
    let mark = |sql: &'static str| sqlx::query(sql).bind(worker);
    mark("UPDATE admiral.workers SET draining_since = now() WHERE id = $1")
        .execute(&mut *connection)
        .await
        .expect("marked");
    assert_eq!(fleet::claim(&test.database, worker, LEASE).await, None);
    mark("UPDATE admiral.workers SET draining_since = NULL WHERE id = $1")
        .execute(&mut *connection)
        .await
        .expect("marked");
    assert!(fleet::claim(&test.database, worker, LEASE).await.is_some());
}

#[tokio::test]
async fn what_was_just_launched_goes_to_the_worker_with_fewer_runs() {
    let test = TestDatabase::create().await;
    let (busy, idle) = (new_id(), new_id());
    let mut connection = test.database.acquire().await.expect("a connection");
    for worker in [busy, idle] {
        register(&mut connection, worker).await;
    }
    let launched = sliced(&test.database, &["a", "b", "c"], 3).await;
    let claim = |worker| fleet::claim(&test.database, worker, LEASE);
    assert!(claim(busy).await.is_some());
    // Launched for good, so that no pause of this machine makes it old.
    sqlx::query("UPDATE admiral.runs SET created_at = now() + interval '1 hour' WHERE deployment_id = $1")
        .bind(launched.id)
        .execute(&mut *connection)
        .await
        .expect("young");
    assert_eq!(claim(busy).await, None, "the idle one is there for it");
    assert!(claim(idle).await.is_some());
    sqlx::query("UPDATE admiral.runs SET created_at = now() - interval '1 hour' WHERE deployment_id = $1")
        .bind(launched.id)
        .execute(&mut *connection)
        .await
        .expect("old");
    assert!(claim(busy).await.is_some(), "nobody waits long for another worker");
}

#[tokio::test]
async fn slices_share_the_hosts_and_the_last_one_ends_the_deployment() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let launched = sliced(database, &["a", "b", "c", "d", "e"], 2).await;
    let (one, two) = (new_id(), new_id());
    let first = fleet::claim(database, one, LEASE).await.expect("a slice");
    let second = fleet::claim(database, two, LEASE).await.expect("the other");
    assert_eq!((first.slice, second.slice), (0, 1), "they do not wait for each other");
    let mut first = begin(database, &first, one).await;
    let mut second = begin(database, &second, two).await;
    let names = |pipeline: &Pipeline| {
        pipeline
            .state()
            .hosts()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&first), ["a", "c", "e"]);
    assert_eq!(names(&second), ["b", "d"]);

    end(database, &mut second, &["d"]).await;
    let halfway = fleet::deployment(database, launched.id).await;
    assert_eq!(halfway.status, DeploymentStatus::Running);
    assert_eq!(
        halfway.counts,
        HostCounts {
            total: 5,
            pending: 3,
            success: 1,
            failed: 1,
            ..HostCounts::default()
        }
    );
    end(database, &mut first, &[]).await;
    let ended = fleet::deployment(database, launched.id).await;
    assert_eq!(
        (ended.status, ended.reason),
        (DeploymentStatus::Failed, Some(Reason::HostsFailed))
    );
    assert_eq!(ended.message.as_deref(), Some("slice 2 of 2: 1 of 2 hosts failed"));
    assert_eq!(
        ended.counts,
        HostCounts {
            total: 5,
            success: 4,
            failed: 1,
            ..HostCounts::default()
        }
    );
    let events = fleet::all_events(database, launched.id).await;
    assert!(events.iter().map(|event| event.position).eq(1..=events.len() as i64));
    let own: Vec<&str> = events
        .iter()
        .map(|event| event.kind.as_str())
        .filter(|kind| kind.starts_with("deployment_") || kind.starts_with("run_"))
        .collect();
    assert_eq!(
        own,
        [
            own::DEPLOYMENT_STARTED,
            own::RUN_STARTED,
            own::RUN_STARTED,
            own::RUN_FINISHED,
            own::DEPLOYMENT_FINISHED
        ]
    );
}

#[tokio::test]
async fn cancelling_ends_the_slices_that_have_not_begun_and_asks_the_others() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let launched = sliced(database, &["a", "b", "c"], 3).await;
    let worker = new_id();
    let run = fleet::claim(database, worker, LEASE).await.expect("a slice");
    let mut pipeline = begin(database, &run, worker).await;
    assert_eq!(
        cancel(database, launched.id).await,
        CancelOutcome::Requested { force: false }
    );
    assert_eq!(fleet::claim(database, worker, LEASE).await, None);
    let rows = fleet::rows(database, launched.id).await;
    let statuses: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(
        statuses,
        [HostStatus::Pending, HostStatus::Cancelled, HostStatus::Cancelled]
    );
    let mut connection = database.acquire().await.expect("a connection");
    let told = runs::list_cancelled(&mut connection, worker).await.expect("the list");
    assert_eq!(told.iter().map(|(run, _)| *run).collect::<Vec<_>>(), [run.id]);
    end(database, &mut pipeline, &[]).await;
    let ended = fleet::deployment(database, launched.id).await;
    assert_eq!(
        (ended.status, ended.reason),
        (DeploymentStatus::Cancelled, Some(Reason::CancelledByUser))
    );
    assert_eq!(
        ended.counts,
        HostCounts {
            total: 3,
            success: 1,
            cancelled: 2,
            ..HostCounts::default()
        }
    );
    assert!(
        fleet::rows(database, launched.id)
            .await
            .iter()
            .all(|row| row.position <= ended.event_position)
    );
}

#[tokio::test]
async fn two_slices_may_add_a_host_of_the_same_name() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let launched = sliced(database, &["a", "b"], 2).await;
    let worker = new_id();
    for _ in 0..2 {
        let run = fleet::claim(database, worker, LEASE).await.expect("a slice");
        let mut pipeline = begin(database, &run, worker).await;
        let line =
            r#"{"v":1,"seq":0,"ts":"2026-01-02T03:04:05Z","event":"runner_on_start","host":"localhost","task":"t"}"#;
        pipeline.feed_events(format!("{line}\n").as_bytes(), now());
        end(database, &mut pipeline, &[]).await;
    }
    let rows = fleet::rows(database, launched.id).await;
    let of_localhost: Vec<_> = rows
        .iter()
        .filter(|row| row.host == "localhost")
        .map(|row| row.slice)
        .collect();
    assert_eq!(of_localhost, [0, 1]);
    let ended = fleet::deployment(database, launched.id).await;
    assert_eq!(
        ended.counts,
        HostCounts {
            total: 4,
            success: 4,
            ..HostCounts::default()
        }
    );
}

#[tokio::test]
async fn a_fold_is_the_same_from_its_rows_as_from_its_events() {
    for path in std::fs::read_dir("tests/golden")
        .expect("the golden files")
        .map(|entry| entry.expect("one").path())
    {
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let test = TestDatabase::create().await;
        fleet::launch(&test.database, &["web01", "web02"], "x", |_| {}).await;
        let worker = new_id();
        let run = fleet::claim(&test.database, worker, LEASE).await.expect("a run");
        let mut pipeline = begin(&test.database, &run, worker).await;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for lines in lines.chunks(7) {
            pipeline.feed_events(lines.concat().as_bytes(), now());
            let Some(batch) = pipeline.take_batch() else { continue };
            let mut transaction = test.database.begin().await.expect("a transaction");
            ingest::write_batch(&mut transaction, &batch).await.expect("stored");
            transaction.commit().await.expect("committed");
            let mut connection = test.database.acquire().await.expect("a connection");
            let restored = folds::load_fold(&mut connection, run.deployment_id, run.id)
                .await
                .expect("rows");
            assert!(
                restored.hosts().eq(pipeline.state().hosts()) && restored.marks() == pipeline.state().marks(),
                "{}: {restored:?} is not {:?}",
                path.display(),
                pipeline.state()
            );
        }
    }
}
