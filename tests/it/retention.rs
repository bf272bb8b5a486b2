//! What is older than it is kept goes away, nothing else does, and everybody says so.

use crate::support::{database::TestDatabase, fleet, launchpad::Launchpad};
use admiral::{
    domain::{DeploymentId, clock::SystemClock, settings::Settings},
    scheduler::Scheduler,
    store::{
        Database,
        partitions::{self, PartitionedTable},
        retention, settings,
    },
};
use chrono::{Days, NaiveDate};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

fn scheduler(database: &Database) -> Scheduler {
    Scheduler::new(database.clone(), Arc::new(SystemClock))
}

async fn execute(database: &Database, sql: &str) -> u64 {
    let mut connection = database.acquire().await.unwrap();
    sqlx::query(sql)
        .execute(&mut *connection)
        .await
        .unwrap()
        .rows_affected()
}

async fn number(database: &Database, sql: &str) -> i64 {
    let mut connection = database.acquire().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap()
}

/// By the database's clock, as retention goes by it.
async fn days_ago(database: &Database, days: u64) -> NaiveDate {
    let mut connection = database.acquire().await.unwrap();
    let today: NaiveDate = sqlx::query_scalar("SELECT (now() AT TIME ZONE 'UTC')::date")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    today.checked_sub_days(Days::new(days)).unwrap()
}

async fn add_partitions(database: &Database, days: u64) {
    let day = days_ago(database, days).await;
    for table in PartitionedTable::ALL {
        let mut transaction = database.begin().await.unwrap();
        assert!(
            partitions::ensure_partition(&mut transaction, table, day)
                .await
                .unwrap()
        );
        transaction.commit().await.unwrap();
    }
}

/// Events `from..=to` and as many blocks of ten bytes of output, as stored so many days ago.
async fn add_history(database: &Database, id: DeploymentId, days: u64, from: i64, to: i64) {
    let at = format!("'{} 12:00:00+00'::timestamptz", days_ago(database, days).await);
    execute(
        database,
        &format!(
            "INSERT INTO admiral.deployment_events (deployment_id, position, ingested_at, recorded_at, kind, host, payload) \
             SELECT '{id}', p, {at}, {at}, 'runner_on_ok', 'web-1', '{{\"task\":\"t\"}}' FROM generate_series({from}, {to}) AS p"
        ),
    )
    .await;
    execute(
        database,
        &format!(
            "INSERT INTO admiral.deployment_output (deployment_id, byte_offset, ingested_at, run_id, content) \
             SELECT '{id}', (p - 1) * 10, {at}, '{id}', convert_to(to_char(p, 'FM000000009') || E'\\n', 'UTF8') \
             FROM generate_series({from}, {to}) AS p"
        ),
    )
    .await;
    execute(
        database,
        &format!(
            "UPDATE admiral.deployments SET event_position = greatest(event_position, {to}), \
                 output_bytes = greatest(output_bytes, {to} * 10), created_at = least(created_at, {at}) WHERE id = '{id}'"
        ),
    )
    .await;
}

async fn finish(database: &Database, id: DeploymentId) {
    execute(
        database,
        &format!("UPDATE admiral.deployments SET status = 'completed', finished_at = now() WHERE id = '{id}'"),
    )
    .await;
    execute(
        database,
        &format!("UPDATE admiral.runs SET status = 'finished' WHERE deployment_id = '{id}'"),
    )
    .await;
}

async fn keep(database: &Database, retention_days: u32) {
    let mut transaction = database.begin().await.unwrap();
    let before = settings::lock_settings(&mut transaction).await.unwrap();
    let after = Settings {
        retention_days,
        ..before
    };
    settings::update_settings(&mut transaction, &after).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn days_with_partitions(database: &Database, table: PartitionedTable) -> Vec<NaiveDate> {
    let mut connection = database.acquire().await.unwrap();
    let all = partitions::list_partitions(&mut connection, table).await.unwrap();
    let today = days_ago(database, 0).await;
    all.into_iter()
        .filter_map(|partition| partition.day)
        .filter(|day| *day < today)
        .collect()
}

#[tokio::test]
async fn old_days_are_dropped_and_deployments_stay() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let launched = fleet::launch(database, &["web-1"], "x", |_| {}).await;
    for days in [200, 91, 90, 5] {
        add_partitions(database, days).await;
    }
    add_history(database, launched.id, 200, 1, 50).await;
    add_history(database, launched.id, 91, 51, 60).await;
    add_history(database, launched.id, 90, 61, 70).await;
    // There was no partition for that day: the default one took the rows.
    add_history(database, launched.id, 120, 1001, 1020).await;
    add_history(database, launched.id, 3, 1021, 1025).await;
    finish(database, launched.id).await;

    keep(database, 0).await;
    scheduler(database).pass().await.unwrap();
    assert_eq!(
        number(database, "SELECT count(*) FROM admiral.deployment_events").await,
        95
    );

    keep(database, 90).await;
    scheduler(database).pass().await.unwrap();
    let kept = [days_ago(database, 90).await, days_ago(database, 5).await];
    for table in PartitionedTable::ALL {
        assert_eq!(days_with_partitions(database, table).await, kept);
    }
    assert_eq!(
        number(database, "SELECT count(*) FROM admiral.deployment_events").await,
        15
    );
    assert_eq!(
        number(database, "SELECT count(*) FROM admiral.deployment_output").await,
        15
    );
    assert_eq!(
        number(database, "SELECT min(position) FROM admiral.deployment_events").await,
        61
    );
    assert_eq!(fleet::rows(database, launched.id).await.len(), 1);
    assert_eq!(fleet::deployment(database, launched.id).await.id, launched.id);

    let mut connection = database.acquire().await.unwrap();
    let removals = retention::list_removals(&mut connection, 100).await.unwrap();
    let mut told: Vec<_> = removals
        .iter()
        .map(|removal| (removal.table_name.as_str(), removal.partition.is_some(), removal.day))
        .collect();
    told.sort_unstable();
    let mut expected = Vec::new();
    for table in ["deployment_events", "deployment_output"] {
        expected.push((table, false, days_ago(database, 120).await));
        expected.push((table, true, days_ago(database, 200).await));
        expected.push((table, true, days_ago(database, 91).await));
    }
    assert_eq!(told, expected);
    assert!(removals.iter().all(|removal| removal.bytes > 0), "{removals:?}");
}

#[tokio::test]
async fn many_old_rows_of_a_default_partition_go_in_batches() {
    let test = TestDatabase::create().await;
    let launched = fleet::launch(&test.database, &["web-1"], "x", |_| {}).await;
    let rows = 2 * retention::DELETE_BATCH + 1;
    add_history(&test.database, launched.id, 100, 1, rows).await;
    finish(&test.database, launched.id).await;
    scheduler(&test.database).pass().await.unwrap();
    assert_eq!(
        number(&test.database, "SELECT count(*) FROM admiral.deployment_events").await,
        0
    );
    assert_eq!(
        number(&test.database, "SELECT count(*) FROM admiral.deployment_output").await,
        0
    );
    let batches = "SELECT count(*) FROM admiral.retention_removals WHERE table_name = 'deployment_events'";
    assert_eq!(number(&test.database, batches).await, 3);
}

#[tokio::test]
async fn what_an_unfinished_deployment_needs_stays() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let running = fleet::launch(database, &["web-1"], "x", |_| {}).await;
    let over = fleet::launch(database, &["web-2"], "x", |_| {}).await;
    add_partitions(database, 10).await;
    add_partitions(database, 9).await;
    add_history(database, running.id, 10, 1, 5).await;
    add_history(database, over.id, 10, 1, 5).await;
    add_history(database, over.id, 9, 6, 9).await;
    add_history(database, running.id, 8, 6, 7).await;
    add_history(database, over.id, 8, 10, 12).await;
    finish(database, over.id).await;
    keep(database, 1).await;
    scheduler(database).pass().await.unwrap();
    let count = async |id: DeploymentId| {
        number(
            database,
            &format!("SELECT count(*) FROM admiral.deployment_events WHERE deployment_id = '{id}'"),
        )
        .await
    };
    // Of the day in between nothing was needed, nor of the default partition's rows those of the other deployment.
    assert_eq!((count(running.id).await, count(over.id).await), (7, 5));
    assert_eq!(
        days_with_partitions(database, PartitionedTable::Events).await,
        [days_ago(database, 10).await]
    );
    finish(database, running.id).await;
    scheduler(database).pass().await.unwrap();
    assert_eq!((count(running.id).await, count(over.id).await), (0, 0));
}

#[tokio::test]
async fn several_schedulers_remove_everything_once() {
    let test = TestDatabase::create().await;
    let launched = fleet::launch(&test.database, &["web-1"], "x", |_| {}).await;
    for days in 100..105 {
        add_partitions(&test.database, days).await;
        let first = (days as i64 - 100) * 10 + 1;
        add_history(&test.database, launched.id, days, first, first + 9).await;
    }
    finish(&test.database, launched.id).await;
    let (one, two) = (scheduler(&test.database), scheduler(&test.database));
    let (a, b) = tokio::join!(one.pass(), two.pass());
    a.unwrap();
    b.unwrap();
    assert_eq!(
        number(&test.database, "SELECT count(*) FROM admiral.deployment_events").await,
        0
    );
    assert_eq!(
        number(&test.database, "SELECT count(*) FROM admiral.retention_removals").await,
        10
    );
}

#[tokio::test]
async fn a_table_in_use_is_left_alone_and_ingest_does_not_wait() {
    let test = TestDatabase::create().await;
    let database = &test.database;
    let launched = fleet::launch(database, &["web-1"], "x", |_| {}).await;
    add_partitions(database, 100).await;
    add_history(database, launched.id, 100, 1, 5).await;
    finish(database, launched.id).await;
    // The partition of today is there, as in a server that has run for a while; those of the days ahead are not.
    add_partitions(database, 0).await;
    let mut reader = database.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM admiral.deployment_events")
        .execute(&mut *reader)
        .await
        .unwrap();
    let passing = tokio::spawn({
        let scheduler = scheduler(database);
        async move { scheduler.pass().await }
    });
    // As ingest does; the reader is there all the while, and so is somebody who wants to drop.
    let mut stored = 0;
    while !passing.is_finished() {
        let id = launched.id;
        execute(
            database,
            &format!(
                "INSERT INTO admiral.deployment_events (deployment_id, position, recorded_at, kind, payload) \
                 VALUES ('{id}', {}, now(), 'x', '{{}}')",
                100 + stored
            ),
        )
        .await;
        stored += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    passing.await.unwrap().unwrap();
    // Ten attempts of a tenth of a second at most and three tenths between them: most of the time nobody waits.
    assert!(stored > 20, "{stored} were stored meanwhile");
    assert_eq!(days_with_partitions(database, PartitionedTable::Events).await.len(), 1);
    reader.rollback().await.unwrap();
    scheduler(database).pass().await.unwrap();
    assert_eq!(days_with_partitions(database, PartitionedTable::Events).await.len(), 0);
}

#[tokio::test]
async fn the_api_says_what_is_gone() {
    let pad = Launchpad::new().await;
    let database = pad.database();
    let server = pad.add_server("web-1", &[], "active", true).await;
    let deployment = pad
        .launch(json!({ "playbook": "builtin/ping.yml", "server_ids": [server] }))
        .await;
    let path = format!("/api/deployments/{}", deployment["number"]);
    let id: DeploymentId = deployment["id"].as_str().unwrap().parse().unwrap();
    let (_, events) = pad.call("GET", &format!("{path}/events"), None).await;
    assert_eq!(
        (&events["data"], &events["removed_up_to"]),
        (&json!([]), &json!(0)),
        "nothing yet"
    );
    let (_, output) = pad.call("GET", &format!("{path}/output"), None).await;
    assert_eq!(output["removed_bytes"], 0);
    for days in [100, 2] {
        add_partitions(database, days).await;
    }
    add_history(database, id, 100, 1, 30).await;
    add_history(database, id, 2, 31, 40).await;
    finish(database, id).await;
    let (_, events) = pad.call("GET", &format!("{path}/events"), None).await;
    assert_eq!(
        (events["data"].as_array().unwrap().len(), &events["removed_up_to"]),
        (40, &json!(0))
    );

    scheduler(database).pass().await.unwrap();
    let (_, events) = pad.call("GET", &format!("{path}/events?limit=5"), None).await;
    assert_eq!(events["removed_up_to"], 30);
    assert_eq!(
        (&events["data"][0]["position"], &events["next_after"]),
        (&json!(31), &json!(35))
    );
    let (_, output) = pad.call("GET", &format!("{path}/output?limit_bytes=50"), None).await;
    assert_eq!(
        (&output["removed_bytes"], &output["total_bytes"]),
        (&json!(300), &json!(400))
    );
    assert_eq!(
        (&output["data"][0]["offset"], &output["next_after"]),
        (&json!(300), &json!(350))
    );
    assert_eq!(
        text(&pad, &format!("{path}/output?format=text")).await,
        "[300 bytes of output are kept no longer]\n".to_owned()
            + &(31..=40)
                .map(|number| format!("{number:09}"))
                .collect::<Vec<_>>()
                .join("\n")
            + "\n"
    );
    let messages = stream(&pad, &format!("{path}/stream?events=true")).await;
    let positions: Vec<i64> = messages
        .iter()
        .filter(|(event, _)| event == "events")
        .flat_map(|(_, data)| data["events"].as_array().unwrap().clone())
        .map(|event| event["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, (31..=40).collect::<Vec<_>>());
    assert_eq!(messages.last().unwrap().0, "end");

    keep(database, 1).await;
    scheduler(database).pass().await.unwrap();
    let (_, events) = pad.call("GET", &format!("{path}/events"), None).await;
    assert_eq!(
        (&events["data"], &events["removed_up_to"], &events["next_after"]),
        (&json!([]), &json!(40), &Value::Null)
    );
    let (_, output) = pad.call("GET", &format!("{path}/output"), None).await;
    assert_eq!(
        (&output["data"], &output["removed_bytes"], &output["next_after"]),
        (&json!([]), &json!(400), &Value::Null)
    );
    for query in ["?events=true", "?events=true&after=12", ""] {
        let messages = stream(&pad, &format!("{path}/stream{query}")).await;
        assert_eq!(messages.last().unwrap().0, "end", "{messages:?}");
    }
}

async fn text(pad: &Launchpad, path: &str) -> String {
    let body = pad.send("GET", path, None, &[]).await.into_body();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All messages of a stream that ends.
async fn stream(pad: &Launchpad, path: &str) -> Vec<(String, Value)> {
    let mut body = pad.send("GET", path, None, &[]).await.into_body().into_data_stream();
    let read = async {
        let mut text = String::new();
        while let Some(part) = body.next().await {
            text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        }
        text
    };
    let text = tokio::time::timeout(Duration::from_mins(3), read)
        .await
        .expect("the stream ends");
    let field = |message: &str, name: &str| {
        let line = message
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    text.split_terminator("\n\n")
        .map(|message| {
            (
                field(message, "event"),
                serde_json::from_str(&field(message, "data")).unwrap_or_default(),
            )
        })
        .collect()
}

#[tokio::test]
async fn doctor_shows_sizes_and_removals() {
    let test = TestDatabase::create().await;
    let launched = fleet::launch(&test.database, &["web-1"], "x", |_| {}).await;
    for days in [100, 4] {
        add_partitions(&test.database, days).await;
    }
    add_history(&test.database, launched.id, 100, 1, 30).await;
    add_history(&test.database, launched.id, 4, 31, 40).await;
    finish(&test.database, launched.id).await;
    scheduler(&test.database).pass().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let doctor = |format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_admiral"))
            .args(["doctor", "--output", format])
            .env("ADMIRAL_DATA_DIR", folder.path())
            .env("DATABASE_URL", &test.url)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (gone, kept) = (days_ago(&test.database, 100).await, days_ago(&test.database, 4).await);
    let findings: Value = serde_json::from_str(&doctor("json")).unwrap();
    let data = |check: &str| {
        let finding = findings
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["check"] == check);
        finding.unwrap_or_else(|| panic!("{findings}"))["data"].clone()
    };
    let storage = data("storage");
    assert_eq!(storage["deployment_events"]["oldest_day"], json!(kept));
    assert!(storage["deployment_events"]["partitions"][0]["bytes"].as_i64().unwrap() > 0);
    assert!(storage["database_bytes"].as_i64().unwrap() > storage["deployment_output"]["bytes"].as_i64().unwrap());
    let retention = data("retention");
    assert_eq!(retention["retention_days"], 90);
    assert_eq!(retention["removals"].as_array().unwrap().len(), 2);
    let shown = doctor("table");
    assert!(shown.contains("events and output are kept for 90 days"), "{shown}");
    assert!(shown.contains(&format!("events of {gone}, ")), "{shown}");
    assert!(shown.contains(&format!("{kept}  events ")), "{shown}");
}
