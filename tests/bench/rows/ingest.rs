//! `ingest`: a run's files, complete on disk, to final rows in the database; against a bare `COPY` of the same rows.
//!
//! A server launches the run and is killed; the run writes all its events and ends; then another server finds the run, as after
//! any crash. The clock runs from the moment it has taken the run over to the commit that ends the deployment. The bare `COPY`
//! writes the very rows that resulted, in one transaction, from a file into a table with the same columns, checks, indexes and
//! partitions. Both begin with a settled database.

use crate::{
    context::{Context, say},
    installation::{Installation, PATIENCE, Server},
    processes::{peak_memory, processor_seconds, processor_seconds_of_tree},
    report::Line,
    spool::Shape,
    stand_in::{PLAYBOOK, StandIn},
    statistics::{Ratio, largest, median, megabytes, thousands},
    watch::Watch,
};
use admiral::runner::RunFolder;
use anyhow::ensure;
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

const EVENTS_PER_SECOND: f64 = 50_000.0;
const OF_COPY: f64 = 0.5;
const MEMORY: f64 = 100e6;
/// The largest run may be this much slower than the one a tenth of its size.
const FLAT: f64 = 0.8;
const COLUMNS: &str = "deployment_id, position, run_id, recorded_at, kind, host, task_id, payload";

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    // Events are hosts × tasks × 2.
    let hosts = context.size(1000, 50);
    let sizes = [
        (context.size(5, 10), context.rounds(5)),
        (context.size(50, 50), context.rounds(3)),
        (context.size(500, 200), context.rounds(3)),
    ];
    let mut found = Vec::new();
    for (tasks, rounds) in sizes {
        found.push(measure_size(context, Shape { hosts, tasks }, rounds).await?);
    }
    let mut lines: Vec<Line> = found
        .iter()
        .enumerate()
        .flat_map(|(index, size)| size.lines(index == found.len() - 1))
        .collect();
    let rate = |size: &Size| median(&size.rates());
    let flat = rate(&found[2]) / rate(&found[1]);
    lines.push(
        Line::new("the largest beside the one a tenth of its size", format!("{flat:.2}×"))
            .target(format!("flat: ≥ {FLAT}×"), flat >= FLAT),
    );
    Ok(lines)
}

/// What was measured at one size.
struct Size {
    events: usize,
    bytes: u64,
    median_bytes: usize,
    ours: Vec<Replay>,
    copies: Vec<Copied>,
}

struct Replay {
    seconds: f64,
    peak: f64,
    server_cpu: f64,
    postgres_cpu: f64,
}

struct Copied {
    seconds: f64,
    postgres_cpu: f64,
}

impl Size {
    fn rates(&self) -> Vec<f64> {
        self.ours
            .iter()
            .map(|replay| self.events as f64 / replay.seconds)
            .collect()
    }

    fn lines(&self, is_largest: bool) -> Vec<Line> {
        let ours: Vec<f64> = self.ours.iter().map(|replay| replay.seconds).collect();
        let copies: Vec<f64> = self.copies.iter().map(|copied| copied.seconds).collect();
        let peaks: Vec<f64> = self.ours.iter().map(|replay| replay.peak).collect();
        let middle = |of: fn(&Replay) -> f64| median(&self.ours.iter().map(of).collect::<Vec<_>>());
        let rate = median(&self.rates());
        // As rates, so that more is better.
        let of_copy = Ratio::of(&copies, &ours);
        let events = thousands(self.events as f64);
        let size = format!(
            "{events} events, {:.0} MB, median {} B",
            self.bytes as f64 / 1e6,
            self.median_bytes
        );
        let mut lines = vec![
            Line::new(
                format!("{size}: spool → final rows"),
                format!("{} events/s", thousands(rate)),
            )
            .samples("seconds", &ours)
            .samples(
                "server_processor_seconds",
                &self.ours.iter().map(|replay| replay.server_cpu).collect::<Vec<_>>(),
            )
            .samples(
                "postgresql_processor_seconds",
                &self.ours.iter().map(|replay| replay.postgres_cpu).collect::<Vec<_>>(),
            ),
            Line::new(
                "  bare COPY of the same rows",
                format!("{} rows/s", thousands(self.events as f64 / median(&copies))),
            )
            .ratio(&of_copy)
            .samples("seconds", &copies),
            Line::new(
                "  processor time: server, PostgreSQL (bare COPY: PostgreSQL)",
                format!(
                    "{:.1} s, {:.1} s ({:.1} s)",
                    middle(|replay| replay.server_cpu),
                    middle(|replay| replay.postgres_cpu),
                    median(&self.copies.iter().map(|copied| copied.postgres_cpu).collect::<Vec<_>>()),
                ),
            ),
            Line::new("  most memory of the server", megabytes(largest(&peaks)))
                .target("≤ 100 MB", largest(&peaks) <= MEMORY)
                .samples("bytes", &peaks),
        ];
        if is_largest {
            let [first, second, ..] = lines.as_mut_slice() else {
                return lines;
            };
            *first = first.clone().target("≥ 50,000 events/s", rate >= EVENTS_PER_SECOND);
            *second = second
                .clone()
                .target(format!("≥ {OF_COPY}×"), of_copy.median() >= OF_COPY);
        }
        lines
    }
}

async fn measure_size(context: &Context, shape: Shape, rounds: usize) -> anyhow::Result<Size> {
    let stand_in = StandIn::prepare(context, shape, None)?;
    let installation = Installation::make(&stand_in.bin()).await?;
    let server = installation.serve().await?;
    installation.add_local_servers(&server, shape.hosts).await?;
    let playbook = installation.add_playbook("ingest", PLAYBOOK)?;
    drop(server);
    let totals = &stand_in.totals;
    let (mut ours, mut copies) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        say(format!(
            "ingest: {} events, round {} of {rounds}",
            thousands(totals.events as f64),
            round + 1
        ));
        let (id, replay) = replay(&installation, &stand_in, &playbook).await?;
        ours.push(replay);
        copies.push(copy(&installation, id).await?);
        sqlx::query("TRUNCATE admiral.deployment_events, admiral.deployment_output")
            .execute(&installation.pool)
            .await?;
    }
    let size = Size {
        events: totals.events,
        bytes: totals.bytes,
        median_bytes: totals.median_bytes,
        ours,
        copies,
    };
    installation.close().await?;
    Ok(size)
}

async fn replay(installation: &Installation, stand_in: &StandIn, playbook: &str) -> anyhow::Result<(Uuid, Replay)> {
    let mut watch = Watch::begin(installation).await?;
    let (id, run, owner) = leave_behind(installation, stand_in, playbook, &mut watch).await?;
    installation.settle().await?;

    let mut server = Server::spawn(installation.folder.path(), &stand_in.bin())?;
    let began = taken_over(installation, run, owner, &server).await?;
    let (server_before, postgres_before) = (
        processor_seconds(server.pid()),
        processor_seconds_of_tree(installation.postgres_pid),
    );
    let (ended, _) = watch.until_success(id).await?;
    let replay = Replay {
        seconds: (ended - began).as_secs_f64(),
        peak: peak_memory(server.pid())?,
        server_cpu: processor_seconds(server.pid()) - server_before,
        postgres_cpu: processor_seconds_of_tree(installation.postgres_pid) - postgres_before,
    };
    server.stop()?;
    check(installation, id, stand_in).await?;
    Ok((id, replay))
}

/// A run that has ended while no server was there: the deployment, the run, and the worker that owned it.
async fn leave_behind(
    installation: &Installation,
    stand_in: &StandIn,
    playbook: &str,
    watch: &mut Watch,
) -> anyhow::Result<(Uuid, Uuid, Option<Uuid>)> {
    stand_in.hold()?;
    let server = installation.serve().await?;
    let id = server.launch(playbook, json!({})).await?;
    let folder = RunFolder::open(watch.run_folder(id).await?);
    let deadline = Instant::now() + PATIENCE;
    let wait = async |what: &str, done: &dyn Fn() -> bool| {
        while !done() {
            ensure!(Instant::now() < deadline, "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    wait("the run was not started", &|| folder.started().exists()).await?;
    server.kill()?;
    stand_in.release()?;
    wait("the run did not end", &|| folder.exit().exists()).await?;
    let (run, owner): (Uuid, Option<Uuid>) =
        sqlx::query_as("SELECT id, owner FROM admiral.runs WHERE deployment_id = $1")
            .bind(id)
            .fetch_one(&installation.pool)
            .await?;
    Ok((id, run, owner))
}

/// Waits until the run has another owner. Looked at often: nothing else goes on meanwhile.
async fn taken_over(
    installation: &Installation,
    run: Uuid,
    owner: Option<Uuid>,
    server: &Server,
) -> anyhow::Result<Instant> {
    loop {
        let (now,): (Option<Uuid>,) = sqlx::query_as("SELECT owner FROM admiral.runs WHERE id = $1")
            .bind(run)
            .fetch_one(&installation.pool)
            .await?;
        if now != owner {
            return Ok(Instant::now());
        }
        ensure!(
            server.spawned.elapsed() < Duration::from_mins(3),
            "the run was not taken over:\n{}",
            server.log()
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nothing is missing and nothing is there twice.
async fn check(installation: &Installation, id: Uuid, stand_in: &StandIn) -> anyhow::Result<()> {
    let (stored, distinct, last): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT (payload ->> 'seq')::bigint), coalesce(max((payload ->> 'seq')::bigint), 0) \
         FROM admiral.deployment_events WHERE deployment_id = $1 AND payload ->> 'seq' IS NOT NULL",
    )
    .bind(id)
    .fetch_one(&installation.pool)
    .await?;
    let written = stand_in.totals.events as i64;
    ensure!(
        (stored, distinct, last) == (written, written, written),
        "{stored} events are stored, {distinct} different ones, the last is {last}; {written} were written"
    );
    let (ok,): (i64,) =
        sqlx::query_as("SELECT coalesce(sum(ok_count), 0) FROM admiral.deployment_servers WHERE deployment_id = $1")
            .bind(id)
            .fetch_one(&installation.pool)
            .await?;
    let expected: i64 = stand_in.totals.ok.iter().map(|&ok| i64::from(ok)).sum();
    ensure!(ok == expected, "the rows count {ok} results, {expected} were written");
    Ok(())
}

/// Times a bare `COPY` of the deployment's events into a table of the same kind.
async fn copy(installation: &Installation, id: Uuid) -> anyhow::Result<Copied> {
    let file = installation.folder.path().join("rows.copy");
    let path = file.to_string_lossy().into_owned();
    installation.psql(&format!(
        "\\copy (SELECT {COLUMNS} FROM admiral.deployment_events WHERE deployment_id = '{id}' ORDER BY position) TO '{path}'"
    ))?;
    let statements = "DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench; \
         CREATE TABLE bench.deployment_events (LIKE admiral.deployment_events INCLUDING ALL) PARTITION BY RANGE (ingested_at); \
         CREATE TABLE bench.today PARTITION OF bench.deployment_events \
             FOR VALUES FROM (date_trunc('day', now()) - interval '1 day') TO (date_trunc('day', now()) + interval '2 days');";
    installation.psql(statements)?;
    installation.settle().await?;
    let before = processor_seconds_of_tree(installation.postgres_pid);
    let began = Instant::now();
    installation.psql(&format!("\\copy bench.deployment_events ({COLUMNS}) FROM '{path}'"))?;
    let copied = Copied {
        seconds: began.elapsed().as_secs_f64(),
        postgres_cpu: processor_seconds_of_tree(installation.postgres_pid) - before,
    };
    installation.psql("DROP SCHEMA bench CASCADE")?;
    std::fs::remove_file(&file)?;
    Ok(copied)
}
