//! The stock `ansible-playbook` with the very settings of one of Admiral's runs, and peers with the same.

use crate::watch::Watch;
use admiral::{
    domain::clock::{Clock as _, SystemClock},
    events::WireEvent,
    runner::{RunFolder, RunSpec},
};
use anyhow::{Context as _, bail, ensure};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

const PREPARE_LIMIT: Duration = Duration::from_mins(1);

/// A run's inventory, configuration, variables and arguments, copied out of its folder while it was going on.
#[derive(Debug, Clone)]
pub struct Bare {
    /// Holds the copies.
    pub folder: PathBuf,
    /// `ansible-playbook`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment. No callback plugin of Admiral's is switched on in it.
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub working_directory: PathBuf,
}

impl Bare {
    /// Copies the settings of a deployment that was just launched. It must go on for long enough, as a real Ansible does.
    pub async fn capture(watch: &mut Watch, deployment: Uuid, into: &Path) -> anyhow::Result<Self> {
        let run = RunFolder::open(watch.run_folder(deployment).await?);
        let deadline = Instant::now() + PREPARE_LIMIT;
        while run.read_started()?.is_none() {
            ensure!(Instant::now() < deadline, "the run was not started");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let spec = run.read_spec()?;
        let secrets = into.join("secrets");
        copy(run.path(), into)?;
        let work = into.join("work");
        copy(&spec.secrets_folder, &secrets)?;
        let moves = [
            (run.path().to_owned(), into.to_owned()),
            (spec.control_path_folder.clone(), secrets.join("cp")),
            (spec.secrets_folder.clone(), secrets.clone()),
        ];
        rewrite_texts(into, &moves)?;
        fs::create_dir_all(secrets.join("cp"))?;
        fs::create_dir_all(work.join("home/tmp"))?;
        Self::from_spec(spec, into, &moves)
    }

    fn from_spec(spec: RunSpec, into: &Path, moves: &[(PathBuf, PathBuf)]) -> anyhow::Result<Self> {
        let moved = |text: &str| moved(text, moves);
        let configuration = into.join("work/ansible.cfg");
        let text = fs::read_to_string(&configuration)?;
        ensure!(
            text.contains("callbacks_enabled"),
            "the run's configuration switches the plugin on"
        );
        let without: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("callbacks_enabled"))
            .collect();
        fs::write(&configuration, without.join("\n"))?;
        let mut environment: BTreeMap<String, String> = spec
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), moved(value)))
            .collect();
        environment.retain(|name, _| !name.starts_with("ADMIRAL_"));
        Ok(Self {
            folder: into.to_owned(),
            program: spec.program,
            arguments: spec.arguments.iter().map(|argument| moved(argument)).collect(),
            environment,
            working_directory: PathBuf::from(moved(&spec.working_directory.to_string_lossy())),
        })
    }

    /// The command, with its output going to a file as a run's does.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        self.dress(&mut command)?;
        Ok(command)
    }

    /// Gives another program the same surroundings.
    pub fn dress(&self, command: &mut Command) -> anyhow::Result<()> {
        let output = fs::File::create(self.output())?;
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.working_directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(())
    }

    /// What it printed.
    pub fn output(&self) -> PathBuf {
        self.folder.join("bare.log")
    }

    /// Runs to the end; seconds of wall time.
    pub fn run(&self) -> anyhow::Result<f64> {
        time(&mut self.command()?, &self.output())
    }

    /// Runs to the end with nothing but Admiral's callback plugin added; seconds from the start to the first callback, by the
    /// plugin's own clock.
    pub fn run_to_first_callback(&self) -> anyhow::Result<f64> {
        let events = self.folder.join("bare.jsonl");
        if events.exists() {
            fs::remove_file(&events)?;
        }
        let mut command = self.command()?;
        command
            .env("ANSIBLE_CALLBACKS_ENABLED", "admiral_events")
            .env("ADMIRAL_EVENTS_PATH", &events);
        let began = SystemClock.now();
        time(&mut command, &self.output())?;
        let mut first = String::new();
        BufReader::new(fs::File::open(&events)?).read_line(&mut first)?;
        let first = WireEvent::from_line(first.trim_end()).context("the plugin writes events")?;
        Ok((first.ts - began).as_seconds_f64())
    }
}

/// Runs a command to the end, which must be a success; seconds of wall time. `output` is shown when it is not.
pub fn time(command: &mut Command, output: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("failed to run {}", command.get_program().display()))?;
    let took = began.elapsed().as_secs_f64();
    if !status.success() {
        let text = fs::read_to_string(output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("{} ended with {status}:\n{tail}", command.get_program().display());
    }
    Ok(took)
}

/// Files and folders; what the run is writing to at the moment, and sockets, are left out.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let target = to.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() && name != "home" && name != "cp" {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() && name != "events.jsonl" && name != "output.log" {
            fs::copy(entry.path(), &target)?;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
        }
    }
    Ok(())
}

fn rewrite_texts(folder: &Path, moves: &[(PathBuf, PathBuf)]) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rewrite_texts(&path, moves)?;
        } else if let Ok(text) = fs::read_to_string(&path) {
            let mode = fs::metadata(&path)?.permissions().mode();
            fs::write(&path, moved(&text, moves))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

fn moved(text: &str, moves: &[(PathBuf, PathBuf)]) -> String {
    moves.iter().fold(text.to_owned(), |text, (from, to)| {
        text.replace(&*from.to_string_lossy(), &to.to_string_lossy())
    })
}
