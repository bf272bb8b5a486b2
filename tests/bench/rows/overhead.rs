//! `overhead`: wall time from the launch to the final row, against bare `ansible-playbook` with the same settings, and against an Admiral that
//! does not isolate runs.
//!
//! "The same settings" is meant literally: the inventory, configuration, variables, environment and arguments are those of one
//! of Admiral's own runs, copied out of its folder; only the callback plugin is switched off. ansible-runner and ARA get them too.

use crate::{
    bare::Bare,
    context::{Context, say},
    installation::{Installation, Server},
    peers::Peers,
    report::Line,
    statistics::{Ratio, median, seconds},
    watch::Watch,
};
use serde_json::json;
use std::{fmt::Write as _, time::Instant};

const TARGET: f64 = 1.03;
const ISOLATION_TARGET: f64 = 1.01;

/// An Admiral that does not isolate runs, for a comparison.
pub struct Unisolated {
    installation: Installation,
    pub server: Server,
    pub watch: Watch,
    /// The id of its playbook, which was launched once.
    pub playbook: String,
}

impl Unisolated {
    /// With `hosts` local servers, and with a playbook of this text.
    pub async fn start(context: &Context, hosts: usize, playbook: &str) -> anyhow::Result<Self> {
        let installation = Installation::make(&context.ansible_bin).await?;
        let server = installation.serve_with(&["--isolation", "none"]).await?;
        installation.add_local_servers(&server, hosts).await?;
        let playbook = installation.add_playbook("unisolated", playbook)?;
        let mut watch = Watch::begin(&installation).await?;
        let first = server.launch(&playbook, json!({})).await?;
        watch.until_success(first).await?;
        Ok(Self {
            installation,
            server,
            watch,
            playbook,
        })
    }

    /// Stops it.
    pub async fn close(self) -> anyhow::Result<()> {
        drop(self.server);
        self.installation.close().await
    }
}

/// `tasks` tasks that say something, on `connection: local`.
pub fn debug_playbook(tasks: usize) -> String {
    let mut text =
        "- name: Say something\n  hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n".to_owned();
    for number in 1..=tasks {
        let _ = write!(
            text,
            "    - name: Say number {number}\n      ansible.builtin.debug:\n        msg: \"{{{{ inventory_hostname }}}} says {number}\"\n"
        );
    }
    text
}

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let (hosts, tasks) = (context.size(100, 5), context.size(10, 3));
    let peers = Peers::install(context)?;
    let installation = Installation::make(&context.ansible_bin).await?;
    let server = installation.serve().await?;
    installation.add_local_servers(&server, hosts).await?;
    let playbook = installation.add_playbook("overhead", &debug_playbook(tasks))?;
    let mut watch = Watch::begin(&installation).await?;

    // The first launch checks the playbook's syntax, and lends its settings to the others.
    let first = server.launch(&playbook, json!({})).await?;
    let bare = Bare::capture(&mut watch, first, &installation.folder.path().join("bare")).await?;
    watch.until_success(first).await?;

    let mut open = Unisolated::start(context, hosts, &debug_playbook(tasks)).await?;

    let rounds = context.rounds(9);
    let mut figures = Figures::default();
    for round in 0..rounds {
        say(format!("overhead: round {} of {rounds}", round + 1));
        // Who goes first takes turns.
        if round % 2 == 0 {
            figures.bare.push(bare.run()?);
            figures.ours.push(launch(&server, &mut watch, &playbook).await?);
            figures
                .unisolated
                .push(launch(&open.server, &mut open.watch, &open.playbook).await?);
        } else {
            figures
                .unisolated
                .push(launch(&open.server, &mut open.watch, &open.playbook).await?);
            figures.ours.push(launch(&server, &mut watch, &playbook).await?);
            figures.bare.push(bare.run()?);
        }
        if round < rounds.min(5) {
            figures.runner.push(peers.run_ansible_runner(&bare)?);
        }
        if round < rounds.min(3) {
            figures.ara.push(peers.run_ara(&bare)?);
        }
    }
    drop(server);
    installation.close().await?;
    open.close().await?;
    Ok(figures.lines(hosts, tasks, &peers))
}

async fn launch(server: &Server, watch: &mut Watch, playbook: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let id = server.launch(playbook, json!({})).await?;
    let (ended, _) = watch.until_success(id).await?;
    Ok((ended - began).as_secs_f64())
}

#[derive(Default)]
struct Figures {
    bare: Vec<f64>,
    ours: Vec<f64>,
    unisolated: Vec<f64>,
    runner: Vec<f64>,
    ara: Vec<f64>,
}

impl Figures {
    fn lines(&self, hosts: usize, tasks: usize, peers: &Peers) -> Vec<Line> {
        let line = |what: String, taken: &[f64]| {
            Line::new(what, seconds(median(taken)))
                .ratio(Ratio::of(taken, &self.bare))
                .samples("seconds", taken)
        };
        let ours = Ratio::of(&self.ours, &self.bare).median();
        let cost = Ratio::of(&self.ours, &self.unisolated);
        let cost_is_low = cost.median() <= ISOLATION_TARGET;
        vec![
            Line::new(
                format!("bare ansible-playbook, {hosts} local hosts × {tasks} debug tasks"),
                seconds(median(&self.bare)),
            )
            .samples("seconds", &self.bare),
            line("Admiral, launch → final row".to_owned(), &self.ours).target(format!("≤ {TARGET}×"), ours <= TARGET),
            line("Admiral without isolation".to_owned(), &self.unisolated),
            Line::new("Admiral, against itself without isolation", seconds(median(&self.ours)))
                .ratio(cost)
                .target(format!("≤ {ISOLATION_TARGET}×"), cost_is_low),
            line(format!("ansible-runner {}", peers.versions.runner), &self.runner),
            line(format!("ARA {}, offline client", peers.versions.ara), &self.ara),
        ]
    }
}
