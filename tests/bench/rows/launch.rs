//! `launch`: from `POST` to the first of Ansible's events in the database, against Ansible's own way to its first callback, and against
//! an Admiral that does not isolate runs.

use super::overhead::{Unisolated, debug_playbook};
use crate::{
    bare::Bare,
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    statistics::{median, percentile, seconds},
    watch::Watch,
};
use serde_json::json;
use std::time::Instant;

const TARGET_SECONDS: f64 = 0.15;
const ISOLATION_TARGET_SECONDS: f64 = 0.03;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let installation = Installation::make(&context.ansible_bin).await?;
    let server = installation.serve().await?;
    installation.add_local_servers(&server, 1).await?;
    let playbook = installation.add_playbook("launch", &debug_playbook(1))?;
    let mut watch = Watch::begin(&installation).await?;

    let began = Instant::now();
    let first = server.launch(&playbook, json!({})).await?;
    let bare = Bare::capture(&mut watch, first, &installation.folder.path().join("bare")).await?;
    let with_syntax_check = (watch.until_event(first, "playbook_on_start").await? - began).as_secs_f64();
    watch.until_success(first).await?;

    let mut open = Unisolated::start(context, 1, &debug_playbook(1)).await?;

    let (mut ours, mut theirs, mut unisolated) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = context.rounds(15);
    say(format!("launch: {rounds} rounds"));
    for round in 0..rounds {
        theirs.push(bare.run_to_first_callback()?);
        // The two take turns in going first.
        if round % 2 == 0 {
            ours.push(to_first_event(&server, &mut watch, &playbook).await?);
            unisolated.push(to_first_event(&open.server, &mut open.watch, &open.playbook).await?);
        } else {
            unisolated.push(to_first_event(&open.server, &mut open.watch, &open.playbook).await?);
            ours.push(to_first_event(&server, &mut watch, &playbook).await?);
        }
    }
    drop(server);
    installation.close().await?;
    open.close().await?;

    let more: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs).collect();
    let (middle, most) = (median(&more), percentile(&more, 90.0));
    let costs: Vec<f64> = ours
        .iter()
        .zip(&unisolated)
        .map(|(with, without)| with - without)
        .collect();
    let (cost, highest_cost) = (median(&costs), percentile(&costs, 90.0));
    Ok(vec![
        Line::new(
            "bare ansible-playbook, start → first callback",
            seconds(median(&theirs)),
        )
        .samples("seconds", &theirs),
        Line::new("Admiral, POST → first event stored", seconds(median(&ours))).samples("seconds", &ours),
        Line::new(
            "the difference, median (and 9 of 10)",
            format!("{} ({})", plus(middle), plus(most)),
        )
        .target(format!("≤ {}", plus(TARGET_SECONDS)), middle <= TARGET_SECONDS)
        .samples("seconds", &more),
        Line::new("the same without isolation", seconds(median(&unisolated))).samples("seconds", &unisolated),
        Line::new(
            "the cost of isolation, median (and 9 of 10)",
            format!("{} ({})", plus(cost), plus(highest_cost)),
        )
        .target(
            format!("≤ {}", plus(ISOLATION_TARGET_SECONDS)),
            cost <= ISOLATION_TARGET_SECONDS,
        )
        .samples("seconds", &costs),
        Line::new(
            "a playbook's first launch, its syntax check included",
            seconds(with_syntax_check),
        )
        .samples("seconds", &[with_syntax_check]),
    ])
}

async fn to_first_event(server: &Server, watch: &mut Watch, playbook: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let id = server.launch(playbook, json!({})).await?;
    let stored = watch.until_event(id, "playbook_on_start").await?;
    let taken = (stored - began).as_secs_f64();
    watch.until_success(id).await?;
    Ok(taken)
}

fn plus(value: f64) -> String {
    format!("{:+.0} ms", value * 1e3)
}
