//! `recorder`: `admiral ansible-playbook` against bare `ansible-playbook`: the same command in the same shell, without a terminal.
//!
//! Ansible's own time with the callback plugin alone is measured beside it: what of the difference is the plugin's, and what is ours.

use super::overhead::debug_playbook;
use crate::{
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    statistics::{Ratio, median, seconds},
};
use anyhow::ensure;
use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const TARGET: f64 = 1.03;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let installation = Installation::make(&context.ansible_bin).await?;
    let server = installation.serve().await?;
    let mut lines = Vec::new();
    // The most events in a time that Ansible can make, and what people run.
    for (what, task, hosts, tasks) in [
        ("debug tasks", Task::Debug, context.size(100, 5), context.size(10, 3)),
        ("commands", Task::Command, context.size(10, 3), context.size(6, 2)),
    ] {
        let folder = installation.folder.path().join(what);
        let shell = Shell::make(context, &folder, &server, hosts, &task.playbook(tasks))?;
        // The first run compiles the plugin.
        for program in Program::ALL {
            shell.time(program)?;
        }
        let rounds = context.rounds(9);
        let mut taken = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..rounds {
            say(format!("recorder: {what}, round {} of {rounds}", round + 1));
            // Who goes first takes turns.
            for turn in 0..Program::ALL.len() {
                let index = (turn + round) % Program::ALL.len();
                taken[index].push(shell.time(Program::ALL[index])?);
            }
        }
        let stored: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM admiral.deployments WHERE kind = 'recorded' AND status = 'completed' AND successful = $1",
        )
        .bind(i32::try_from(hosts)?)
        .fetch_one(&installation.pool)
        .await?;
        ensure!(
            stored as usize == rounds + 1,
            "{stored} of {} runs were recorded",
            rounds + 1
        );
        let [bare, plugin, ours] = &taken;
        let ratio = Ratio::of(ours, bare);
        let reached = ratio.median() <= TARGET;
        lines.extend([
            Line::new(
                format!("bare ansible-playbook, {hosts} local hosts × {tasks} {what}"),
                seconds(median(bare)),
            )
            .samples("seconds", bare),
            Line::new("  with the callback plugin alone", seconds(median(plugin)))
                .ratio(Ratio::of(plugin, bare))
                .samples("seconds", plugin),
            Line::new(
                "admiral ansible-playbook, until the prompt is back",
                seconds(median(ours)),
            )
            .ratio(ratio)
            .samples("seconds", ours)
            .target(format!("≤ {TARGET}×"), reached),
        ]);
    }
    drop(server);
    installation.close().await?;
    Ok(lines)
}

#[derive(Clone, Copy)]
enum Task {
    /// Nothing but an event.
    Debug,
    /// A module that is run.
    Command,
}

impl Task {
    fn playbook(self, tasks: usize) -> String {
        let text = debug_playbook(tasks);
        match self {
            Self::Debug => text,
            Self::Command => text.lines().fold(String::new(), |mut text, line| {
                let line = match line.trim() {
                    "ansible.builtin.debug:" => "      ansible.builtin.command:",
                    words if words.starts_with("msg:") => "        cmd: uptime",
                    _ => line,
                };
                let _ = writeln!(text, "{line}");
                text
            }),
        }
    }
}

#[derive(Clone, Copy)]
enum Program {
    Bare,
    WithPlugin,
    Recorded,
}

impl Program {
    const ALL: [Self; 3] = [Self::Bare, Self::WithPlugin, Self::Recorded];
}

/// A folder with an inventory and a playbook, as a user has them.
struct Shell {
    folder: PathBuf,
    ansible: PathBuf,
    plugins: PathBuf,
    server: (String, String),
}

impl Shell {
    fn make(context: &Context, folder: &Path, server: &Server, hosts: usize, playbook: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("home"))?;
        let mut inventory = String::new();
        for number in 1..=hosts {
            let _ = writeln!(inventory, "host-{number:04} ansible_connection=local");
        }
        inventory.push_str("[all:vars]\nansible_python_interpreter={{ ansible_playbook_python }}\n");
        fs::write(folder.join("hosts"), inventory)?;
        fs::write(folder.join("site.yml"), playbook)?;
        Ok(Self {
            folder: folder.to_owned(),
            ansible: context.ansible_bin.clone(),
            plugins: context.root.join("ansible/callback_plugins"),
            server: (server.url.clone(), server.token().to_owned()),
        })
    }

    fn time(&self, program: Program) -> anyhow::Result<f64> {
        let mut command = match program {
            Program::Recorded => {
                let mut command = Command::new(crate::context::ADMIRAL);
                command.arg("ansible-playbook");
                command
            }
            Program::Bare | Program::WithPlugin => Command::new(self.ansible.join("ansible-playbook")),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["-i", "hosts", "-f", "50", "site.yml"])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", format!("{}:{path}", self.ansible.display()))
            .env("HOME", self.folder.join("home"))
            .env("LANG", "C.UTF-8")
            .env("ADMIRAL_SERVER", &self.server.0)
            .env("ADMIRAL_TOKEN", &self.server.1)
            .stdin(Stdio::null())
            .stdout(File::create(self.folder.join("output.log"))?)
            .stderr(File::create(self.folder.join("errors.log"))?);
        if matches!(program, Program::WithPlugin) {
            let events = self.folder.join("events.jsonl");
            let _ = fs::remove_file(&events);
            command
                .env("ANSIBLE_CALLBACK_PLUGINS", &self.plugins)
                .env("ADMIRAL_EVENTS_PATH", events);
        }
        let began = Instant::now();
        let status = command.status()?;
        let took = began.elapsed().as_secs_f64();
        let said = fs::read_to_string(self.folder.join("errors.log"))?;
        ensure!(
            status.success() && !said.contains("admiral:"),
            "it ended with {status}: {said}"
        );
        Ok(took)
    }
}
