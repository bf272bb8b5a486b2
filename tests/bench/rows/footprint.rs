//! `footprint`: what Admiral takes when it does nothing, and how long it takes to come up.

use crate::{
    context::{ADMIRAL, Context, say},
    installation::Server,
    processes::{Memory, memory, memory_of_tree},
    report::Line,
    statistics::{median, megabytes, seconds},
};
use admiral::process::ProcessIdentity;
use anyhow::{Context as _, ensure};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

const MEMORY: f64 = 50e6;
/// What a start needs and gives back is gone by then.
const IDLE: Duration = Duration::from_secs(10);

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let folder = tempfile::Builder::new().prefix("admiral-bench-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
    let rounds = context.rounds(5);
    say(format!("footprint: {rounds} rounds"));

    let mut server = Server::spawn(folder.path(), &context.ansible_bin)?;
    let first = server.wait_until_ready().await?;
    server.stop()?;
    let (mut starts, mut restarts, mut stops, mut servers, mut databases) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut server = Server::spawn(folder.path(), &context.ansible_bin)?;
        starts.push(server.wait_until_ready().await?);
        // A server that was killed leaves PostgreSQL running; the next one finds it.
        let postgres = postmaster(folder.path())?;
        server.kill()?;
        server = Server::spawn(folder.path(), &context.ansible_bin)?;
        restarts.push(server.wait_until_ready().await?);
        ensure!(postmaster(folder.path())? == postgres, "PostgreSQL was found running");
        tokio::time::sleep(if context.quick { Duration::from_secs(1) } else { IDLE }).await;
        servers.push(memory(server.pid())?);
        databases.push(memory_of_tree(postgres)?);
        stops.push(server.stop()?);
        ensure!(!is_alive(postgres), "PostgreSQL stopped with the last server");
    }
    let size = fs::metadata(ADMIRAL)?.len() as f64;
    let rss: Vec<f64> = servers.iter().map(|memory| memory.rss).collect();
    let processes = databases.last().map_or(0, |(_, processes)| *processes);
    let databases: Vec<Memory> = databases.into_iter().map(|(memory, _)| memory).collect();
    Ok(vec![
        Line::new("server, idle: RSS (PSS)", both(&servers))
            .target("RSS ≤ 50 MB", median(&rss) <= MEMORY)
            .samples("rss_bytes", &rss),
        Line::new(
            format!(
                "embedded PostgreSQL, idle, {processes} processes: PSS in sum (RSS in sum counts shared pages again)"
            ),
            format!(
                "{} ({})",
                megabytes(median(&databases.iter().map(|memory| memory.pss).collect::<Vec<_>>())),
                megabytes(median(&databases.iter().map(|memory| memory.rss).collect::<Vec<_>>()))
            ),
        )
        .samples(
            "pss_bytes",
            &databases.iter().map(|memory| memory.pss).collect::<Vec<_>>(),
        ),
        Line::new("binary", megabytes(size)).samples("bytes", &[size]),
        Line::new("start → ready, PostgreSQL started as well", seconds(median(&starts))).samples("seconds", &starts),
        Line::new("start → ready, PostgreSQL running", seconds(median(&restarts))).samples("seconds", &restarts),
        Line::new("the very first start, cluster made", seconds(first)).samples("seconds", &[first]),
        Line::new("SIGTERM → gone, PostgreSQL stopped as well", seconds(median(&stops))).samples("seconds", &stops),
    ])
}

fn both(memories: &[Memory]) -> String {
    let of = |part: fn(&Memory) -> f64| megabytes(median(&memories.iter().map(part).collect::<Vec<_>>()));
    format!("{} ({})", of(|memory| memory.rss), of(|memory| memory.pss))
}

fn postmaster(folder: &Path) -> anyhow::Result<i32> {
    let path = folder.join("data/postgres/data/postmaster.pid");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().trim().parse()?)
}

fn is_alive(pid: i32) -> bool {
    ProcessIdentity::of(pid).is_ok_and(|identity| identity.is_alive())
}
