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
use serde_json::json;
use std::time::Instant;

const SLICES: i64 = 4;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let (hosts, tasks) = (context.size(200, 12), context.size(5, 2));
    let installation = Installation::make(&context.ansible_bin).await?;
    let mut server = installation.serve().await?;
    installation.add_local_servers(&server, hosts).await?;
    let playbook = installation.add_playbook("slices", &debug_playbook(tasks))?;
    let mut launches = Launches {
        watch: Watch::begin(&installation).await?,
        playbook,
        results: (hosts * tasks) as i64,
    };
    // The syntax check belongs to nobody's time.
    launches.launch(&server, 1).await?;

    let (mut whole, mut sliced, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    let (mut runs, mut both_worked) = (0, true);
    let rounds = context.rounds(5);
    for round in 1..=rounds {
        say(format!("slices: round {round} of {rounds}"));
        whole.push(launches.launch(&server, 1).await?.seconds);
        let launched = launches.launch(&server, SLICES).await?;
        sliced.push(launched.seconds);
        runs = launched.runs;
        server.stop()?;
        // Neither can take all slices for itself.
        let half = ["--max-runs", "2"];
        let mut first = installation.serve_with(&half).await?;
        let mut second = installation.serve_with(&half).await?;
        let launched = launches.launch(&first, SLICES).await?;
        shared.push(launched.seconds);
        both_worked &= launched.workers == 2;
        first.stop()?;
        second.stop()?;
        server = installation.serve().await?;
    }
    drop(server);
    installation.close().await?;

    let sliced_name = match runs {
        SLICES => format!("  {SLICES} slices, 1 worker"),
        made => format!("  {SLICES} slices, 1 worker (made {made} run: slices are not there)"),
    };
    let shared_name = if both_worked {
        format!("  {SLICES} slices, 2 workers")
    } else {
        format!("  {SLICES} slices, 2 workers (by the first result only one had claimed any)")
    };
    let line = |what: String, taken: &[f64]| {
        Line::new(what, seconds(median(taken)))
            .ratio(Ratio::of(taken, &whole))
            .samples("seconds", taken)
    };
    Ok(vec![
        Line::new(
            format!("{hosts} local hosts × {tasks} debug tasks, 1 run"),
            seconds(median(&whole)),
        )
        .samples("seconds", &whole),
        line(sliced_name, &sliced),
        line(shared_name, &shared),
    ])
}

struct Launches {
    watch: Watch,
    playbook: String,
    /// Each task of each host, once.
    results: i64,
}

struct Launched {
    seconds: f64,
    runs: i64,
    workers: i64,
}

impl Launches {
    async fn launch(&mut self, server: &Server, slices: i64) -> anyhow::Result<Launched> {
        let began = Instant::now();
        let id = server.launch(&self.playbook, json!({ "slices": slices })).await?;
        // By the first result of a run, all runs that can go on are claimed.
        self.watch.until_event(id, "runner_on_ok").await?;
        let (workers,): (i64,) =
            sqlx::query_as("SELECT count(DISTINCT owner) FROM admiral.runs WHERE deployment_id = $1")
                .bind(id)
                .fetch_one(self.watch.pool())
                .await?;
        let (at, ended) = self.watch.until_success(id).await?;
        ensure!(
            ended.ok == self.results,
            "{slices} slices: {} results are counted, {} are to be",
            ended.ok,
            self.results
        );
        Ok(Launched {
            seconds: (at - began).as_secs_f64(),
            runs: ended.runs,
            workers,
        })
    }
}
