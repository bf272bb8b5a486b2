//! `slices`: one deployment as one run, as four runs side by side, and as four runs on two workers. Only printed: what slices give
//! depends on the machine, and here all of them share it.

use super::overhead::debug_playbook;
use crate::{
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    statistics::{Ratio, median, seconds},
    watch::Watch,
};
use anyhow::ensure;
use serde_json::{Value, json};
use std::time::Instant;

const SLICES: i64 = 4;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let hosts = context.size(200, 12);
    let installation = Installation::make(&context.ansible_bin).await?;
    let server = installation.serve().await?;
    installation.add_local_servers(&server, hosts).await?;
    let playbook = installation.add_playbook("slices", &debug_playbook(context.size(5, 2)))?;
    let mut watch = Watch::begin(&installation).await?;
    // The syntax check belongs to nobody's time.
    launch(&server, &mut watch, &playbook, json!({})).await?;

    let (whole_options, sliced_options) = (json!({"slices": 1}), json!({"slices": SLICES}));
    let (mut whole, mut sliced, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    let mut runs = 0;
    let rounds = context.rounds(5);
    for round in 1..=rounds {
        say(format!("slices: round {round} of {rounds}"));
        whole.push(launch(&server, &mut watch, &playbook, whole_options.clone()).await?.0);
        let (taken, made) = launch(&server, &mut watch, &playbook, sliced_options.clone()).await?;
        sliced.push(taken);
        runs = made;
        // Another worker on the same database, there for this measurement only.
        let second = installation.serve().await?;
        shared.push(launch(&server, &mut watch, &playbook, sliced_options.clone()).await?.0);
        drop(second);
    }
    drop(server);
    installation.close().await?;
    ensure!(runs == 1 || runs == SLICES, "{SLICES} slices made {runs} runs");

    let cut = if runs == SLICES {
        String::new()
    } else {
        format!(" (made {runs} run: slices are not there)")
    };
    Ok(vec![
        Line::new(format!("{hosts} local hosts, 1 run"), seconds(median(&whole))).samples("seconds", &whole),
        Line::new(format!("  {SLICES} slices, 1 worker{cut}"), seconds(median(&sliced)))
            .ratio(Ratio::of(&sliced, &whole))
            .samples("seconds", &sliced),
        Line::new(format!("  {SLICES} slices, 2 workers{cut}"), seconds(median(&shared)))
            .ratio(Ratio::of(&shared, &whole))
            .samples("seconds", &shared),
    ])
}

async fn launch(server: &Server, watch: &mut Watch, playbook: &str, options: Value) -> anyhow::Result<(f64, i64)> {
    let began = Instant::now();
    let id = server.launch(playbook, options).await?;
    let (at, ended) = watch.until_success(id).await?;
    Ok(((at - began).as_secs_f64(), ended.runs))
}
