//! `live`: from the line that the callback writes to the row that a viewer has, many viewers at once.
//!
//! Each event carries the moment it was written, by the same clock that stamps each message when its last byte has come to the
//! viewer. A row counts for an event once its `ok` has reached what the event made it; rows that come together count for all.

use crate::{
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    spool::Shape,
    stand_in::{PLAYBOOK, StandIn},
    statistics::{largest, median, percentile, thousands},
    watch::Watch,
};
use admiral::domain::clock::{Clock as _, SystemClock};
use anyhow::ensure;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::Barrier, task::JoinSet};
use uuid::Uuid;

const TARGET_SECONDS: f64 = 0.25;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let (hosts, viewers) = (context.size(1000, 50), context.size(50, 5));
    let mut lines = Vec::new();
    // A fleet on this machine yields 200 to 400 events a second; the second pace is what several of them would.
    for (pace, tasks, has_target) in [(500, context.size(8, 4), true), (1000, context.size(12, 4), false)] {
        say(format!("live: {hosts} hosts, {viewers} viewers, {pace} events/s"));
        let shape = Shape { hosts, tasks };
        let seen = watch_run(context, shape, pace, viewers).await?;
        let (p50, p99) = (median(&seen.latencies), percentile(&seen.latencies, 99.0));
        let line = Line::new(
            format!(
                "{} events/s, {hosts} hosts, {viewers} viewers: p50 / p99 / most",
                thousands(pace as f64)
            ),
            format!(
                "{:.0} / {:.0} / {:.0} ms",
                p50 * 1e3,
                p99 * 1e3,
                largest(&seen.latencies) * 1e3
            ),
        )
        .samples("seconds_p50_p99_most", &[p50, p99, largest(&seen.latencies)])
        .samples("server_processor_share", &[seen.server_share]);
        lines.push(if has_target {
            line.target("p99 ≤ 250 ms", p99 <= TARGET_SECONDS)
        } else {
            line
        });
        lines.push(Line::new(
            "  server's share of one processor meanwhile; rows seen",
            format!(
                "{:.0} %; {}",
                seen.server_share * 100.0,
                thousands(seen.latencies.len() as f64)
            ),
        ));
    }
    Ok(lines)
}

struct Seen {
    latencies: Vec<f64>,
    server_share: f64,
}

async fn watch_run(context: &Context, shape: Shape, pace: usize, viewers: usize) -> anyhow::Result<Seen> {
    let stand_in = StandIn::prepare(context, shape, Some(pace))?;
    let installation = Installation::make(&stand_in.bin()).await?;
    let server = Arc::new(installation.serve().await?);
    installation.add_local_servers(&server, shape.hosts).await?;
    let playbook = installation.add_playbook("live", PLAYBOOK)?;
    let mut watch = Watch::begin(&installation).await?;
    let id = server.launch(&playbook, json!({"forks": 50})).await?;

    let ready = Arc::new(Barrier::new(viewers + 1));
    let mut tasks = JoinSet::new();
    for _ in 0..viewers {
        tasks.spawn(view(Arc::clone(&server), id, Arc::clone(&ready)));
    }
    tokio::time::timeout(Duration::from_mins(1), ready.wait()).await?;
    let used = crate::processes::processor_seconds(server.pid());
    let began = std::time::Instant::now();
    stand_in.release()?;
    watch.until_success(id).await?;
    let server_share = (crate::processes::processor_seconds(server.pid()) - used) / began.elapsed().as_secs_f64();
    let mut views = Vec::new();
    while let Some(view) = tasks.join_next().await {
        views.push(view??);
    }

    let written = written(&installation, id).await?;
    let mut latencies = Vec::new();
    for view in views {
        let mut reached: HashMap<&str, usize> = HashMap::new();
        for row in &view {
            let Some(moments) = written.get(&row.host) else {
                continue;
            };
            let before = reached.insert(&row.host, row.ok).unwrap_or_default();
            for moment in moments.iter().take(row.ok).skip(before) {
                latencies.push((row.at - *moment).as_seconds_f64());
            }
        }
        let missed = written
            .iter()
            .filter(|(host, moments)| reached.get(host.as_str()).copied().unwrap_or_default() != moments.len());
        ensure!(missed.count() == 0, "a viewer did not see every row's last state");
    }
    ensure!(
        latencies.iter().all(|latency| *latency >= 0.0),
        "a row was seen before its event was written"
    );
    drop(server);
    installation.close().await?;
    Ok(Seen {
        latencies,
        server_share,
    })
}

/// When each `ok` of each host was written, in order.
async fn written(installation: &Installation, id: Uuid) -> anyhow::Result<HashMap<String, Vec<DateTime<Utc>>>> {
    let rows: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT host, recorded_at FROM admiral.deployment_events WHERE deployment_id = $1 AND kind = 'runner_on_ok' \
         ORDER BY position",
    )
    .bind(id)
    .fetch_all(&installation.pool)
    .await?;
    let mut written: HashMap<String, Vec<DateTime<Utc>>> = HashMap::new();
    for (host, at) in rows {
        written.entry(host).or_default().push(at);
    }
    Ok(written)
}

/// A row as one viewer had it.
struct RowSeen {
    host: String,
    ok: usize,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct ServersMessage {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    host: String,
    ok: usize,
}

/// Watches to the end; keeps a row each time its `ok` has grown.
async fn view(server: Arc<Server>, id: Uuid, ready: Arc<Barrier>) -> anyhow::Result<Vec<RowSeen>> {
    let response = server.stream(&format!("/api/deployments/{id}/stream")).await?;
    drop(server);
    let mut body = response.bytes_stream();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut seen = Vec::new();
    let mut buffer: Vec<u8> = Vec::new();
    let mut is_ready = false;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        let at = SystemClock.now();
        // The boundary may be cut in two.
        let mut from = buffer.len().saturating_sub(1);
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer[from..].windows(2).position(|pair| pair == b"\n\n") {
            let rest = buffer.split_off(from + end + 2);
            let message = std::mem::replace(&mut buffer, rest);
            from = 0;
            let text = std::str::from_utf8(&message)?;
            let data = text.lines().find_map(|line| line.strip_prefix("data:"));
            let (Some(data), true) = (data, text.lines().any(|line| line == "event: servers")) else {
                continue;
            };
            for Row { host, ok } in serde_json::from_str::<ServersMessage>(data)?.rows {
                if ok > known.get(&host).copied().unwrap_or_default() {
                    known.insert(host.clone(), ok);
                    seen.push(RowSeen { host, ok, at });
                }
            }
            // The first rows are the state at the beginning: from now on this one watches.
            if !is_ready {
                is_ready = true;
                ready.wait().await;
            }
        }
    }
    Ok(seen)
}
