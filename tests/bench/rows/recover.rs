//! `recover`: the server is killed while a run goes on, and started again; how long until all rows are current, and whether any
//! event was lost or stored twice.
//!
//! Current means: everything is stored that the run had written when the new server was started. At the end the stored events are
//! compared with the run's own file, line by line, and the rows with what that file adds up to.

use crate::{
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    spool::{Shape, host_name},
    stand_in::{PLAYBOOK, StandIn},
    statistics::{largest, median, seconds, thousands},
    watch::Watch,
};
use admiral::runner::RunFolder;
use anyhow::ensure;
use serde_json::json;
use std::{collections::HashMap, fs, path::Path, time::Duration};
use uuid::Uuid;

const TARGET_SECONDS: f64 = 2.0;
/// How long nobody is there.
const AWAY: Duration = Duration::from_secs(2);
const PACE: usize = 1000;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let shape = Shape {
        hosts: context.size(1000, 50),
        tasks: context.size(40, 60),
    };
    let kills = context.rounds(3);
    let stand_in = StandIn::prepare(context, shape, Some(PACE))?;
    let installation = Installation::make(&stand_in.bin()).await?;
    let mut server = installation.serve().await?;
    installation.add_local_servers(&server, shape.hosts).await?;
    let playbook = installation.add_playbook("recover", PLAYBOOK)?;
    let mut watch = Watch::begin(&installation).await?;
    let id = server.launch(&playbook, json!({"forks": 50})).await?;
    let folder = RunFolder::open(watch.run_folder(id).await?);
    while !folder.started().exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The run folder is removed at the end; its file stays under this name.
    let spool = installation.folder.path().join("events.jsonl");
    fs::hard_link(folder.events(), &spool)?;
    stand_in.release()?;

    let mut recoveries = Vec::new();
    for kill in 1..=kills {
        let events = stand_in.totals.events * kill / (kills + 1);
        say(format!(
            "recover: kill {kill} of {kills}, after {} events",
            thousands(events as f64)
        ));
        let condition = format!("(SELECT event_position FROM admiral.deployments WHERE id = $1) >= {events}");
        watch.until(id, &condition).await?;
        server.kill()?;
        tokio::time::sleep(AWAY).await;
        let recovery;
        (server, recovery) = recover(&installation, &stand_in, id, &spool).await?;
        recoveries.push(recovery);
    }
    watch.until_success(id).await?;
    let (lost, doubled) = compare(&installation, id, &spool).await?;
    let wrong_rows = compare_rows(&installation, id, &stand_in).await?;
    drop(server);
    installation.close().await?;

    let of = |part: fn(&Recovery) -> f64| recoveries.iter().map(part).collect::<Vec<f64>>();
    let current = of(|recovery| recovery.current);
    Ok(vec![
        Line::new(
            format!(
                "kill -9 at {PACE} events/s, {} hosts: start → all rows current, slowest of {kills}",
                shape.hosts
            ),
            seconds(largest(&current)),
        )
        .target(format!("≤ {TARGET_SECONDS} s"), largest(&current) <= TARGET_SECONDS)
        .samples("seconds", &current),
        Line::new("  start → ready; events that had waited", {
            let ready = seconds(median(&of(|recovery| recovery.ready)));
            format!("{ready}; {}", thousands(median(&of(|recovery| recovery.waiting))))
        }),
        Line::new(
            format!(
                "  of {} events, lost and doubled; wrong rows",
                thousands(stand_in.totals.events as f64)
            ),
            format!("{lost} and {doubled}; {wrong_rows}"),
        )
        .target("0", lost + doubled + wrong_rows == 0),
    ])
}

struct Recovery {
    current: f64,
    ready: f64,
    waiting: f64,
}

async fn recover(
    installation: &Installation,
    stand_in: &StandIn,
    id: Uuid,
    spool: &Path,
) -> anyhow::Result<(Server, Recovery)> {
    let stored = offset(installation, id).await?;
    let written = fs::read(spool)?;
    // The last line may be half written.
    let goal = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let waiting = String::from_utf8_lossy(&written[stored.min(goal)..goal])
        .lines()
        .count();
    drop(written);
    let mut server = Server::spawn(installation.folder.path(), &stand_in.bin())?;
    let began = server.spawned;
    let is_current = async {
        while offset(installation, id).await? < goal {
            ensure!(
                began.elapsed() < Duration::from_mins(3),
                "the rows did not become current"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(began.elapsed().as_secs_f64())
    };
    let (current, ready) = tokio::try_join!(is_current, server.wait_until_ready())?;
    let recovery = Recovery {
        current,
        ready,
        waiting: waiting as f64,
    };
    Ok((server, recovery))
}

/// Bytes of the event file that are stored. All of them once the run has ended.
async fn offset(installation: &Installation, id: Uuid) -> anyhow::Result<usize> {
    let (offset,): (i64,) = sqlx::query_as("SELECT spool_offset FROM admiral.runs WHERE deployment_id = $1")
        .bind(id)
        .fetch_one(&installation.pool)
        .await?;
    Ok(offset as usize)
}

/// How many lines of the file are not stored, and how many events are stored that are no line of it, or a second time.
async fn compare(installation: &Installation, id: Uuid, spool: &Path) -> anyhow::Result<(usize, usize)> {
    let stored: Vec<(String,)> = sqlx::query_as(
        "SELECT payload::text FROM admiral.deployment_events \
         WHERE deployment_id = $1 AND payload ->> 'seq' IS NOT NULL ORDER BY position",
    )
    .bind(id)
    .fetch_all(&installation.pool)
    .await?;
    let text = fs::read_to_string(spool)?;
    let mut left: HashMap<&str, i64> = HashMap::new();
    for line in text.lines() {
        *left.entry(line).or_default() += 1;
    }
    for (payload,) in &stored {
        *left.entry(payload).or_default() -= 1;
    }
    let lost: i64 = left.values().filter(|count| **count > 0).sum();
    let doubled: i64 = left.values().filter(|count| **count < 0).sum();
    if lost == 0 && doubled == 0 {
        let in_order = text.lines().eq(stored.iter().map(|(payload,)| payload.as_str()));
        ensure!(
            in_order,
            "the events are all stored, but in another order than they were written"
        );
    }
    Ok((lost as usize, doubled.unsigned_abs() as usize))
}

/// How many rows are not what the file adds up to.
async fn compare_rows(installation: &Installation, id: Uuid, stand_in: &StandIn) -> anyhow::Result<usize> {
    let rows: Vec<(String, String, i32)> =
        sqlx::query_as("SELECT host, status, ok_count FROM admiral.deployment_servers WHERE deployment_id = $1")
            .bind(id)
            .fetch_all(&installation.pool)
            .await?;
    let rows: HashMap<String, (String, i32)> = rows
        .into_iter()
        .map(|(host, status, ok)| (host, (status, ok)))
        .collect();
    let expected = stand_in.totals.ok.iter().enumerate();
    let wrong = expected.filter(|(number, ok)| {
        let found = rows.get(&host_name(*number));
        found.is_none_or(|(status, found)| status != "success" || i64::from(*found) != i64::from(**ok))
    });
    Ok(wrong.count())
}
