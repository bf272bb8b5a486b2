//! Those Admiral is measured beside: ansible-runner and ARA, pinned, in a virtual environment of their own.

use crate::{
    bare::{Bare, time},
    context::{Context, say},
};
use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Requirements, relative to the repository. The first one makes the same ansible-core as `.venv`'s.
const REQUIREMENTS: [&str; 2] = ["ansible/requirements.txt", "tests/bench/requirements.txt"];

/// The environment with both.
#[derive(Debug)]
pub struct Peers {
    bin: PathBuf,
    /// Where ARA's callback plugin is.
    ara_plugins: String,
    /// Their versions.
    pub versions: Versions,
}

/// Versions of the peers.
#[derive(Debug)]
pub struct Versions {
    /// ansible-runner's.
    pub runner: String,
    /// ARA's.
    pub ara: String,
}

impl Peers {
    /// Installs what is missing.
    pub fn install(context: &Context) -> anyhow::Result<Self> {
        let folder = context.root.join(".venv-bench");
        let mut digest = Sha256::new();
        for file in REQUIREMENTS {
            digest.update(fs::read(context.root.join(file)).with_context(|| format!("failed to read {file}"))?);
        }
        let wanted = hex::encode(digest.finalize());
        let stamp = folder.join(".requirements.sha256");
        if fs::read_to_string(&stamp).unwrap_or_default().trim() != wanted {
            say("installing ansible-runner and ARA into .venv-bench");
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            run(Command::new(context.ansible_bin.join("python"))
                .args(["-m", "venv"])
                .arg(&folder))?;
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
            ]);
            for file in REQUIREMENTS {
                pip.arg("--requirement").arg(context.root.join(file));
            }
            run(&mut pip)?;
            fs::write(&stamp, wanted)?;
        }
        let bin = folder.join("bin");
        let ask = |code: &str| -> anyhow::Result<String> {
            let output = Command::new(bin.join("python")).args(["-c", code]).output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let version = |package: &str| {
            ask(&format!(
                "import importlib.metadata as m; print(m.version('{package}'))"
            ))
        };
        Ok(Self {
            ara_plugins: ask("from ara.setup import callback_plugins; print(callback_plugins)")?,
            versions: Versions {
                runner: version("ansible-runner")?,
                ara: version("ara")?,
            },
            bin,
        })
    }

    /// The same run under ansible-runner; seconds of wall time.
    pub fn run_ansible_runner(&self, bare: &Bare) -> anyhow::Result<f64> {
        let private = bare.folder.join("runner");
        if private.exists() {
            fs::remove_dir_all(&private)?;
        }
        fs::create_dir_all(&private)?;
        // It takes some options apart from the rest, which it hands through.
        let mut rest = Vec::new();
        let mut command = Command::new(self.bin.join("ansible-runner"));
        command
            .arg("run")
            .arg(&private)
            .arg("--project-dir")
            .arg(&bare.working_directory);
        for argument in &bare.arguments {
            if let Some(inventory) = argument.strip_prefix("--inventory=") {
                command.args(["--inventory", inventory]);
            } else if let Some(forks) = argument.strip_prefix("--forks=") {
                command.args(["--forks", forks]);
            } else if let Some(playbook) = argument.strip_prefix("./") {
                command.args(["--playbook", playbook]);
            } else {
                rest.push(argument.as_str());
            }
        }
        // A value that begins with a dash must not stand alone.
        command.arg(format!("--cmdline={}", rest.join(" ")));
        bare.dress(&mut command)?;
        command.env("PATH", self.path(bare));
        let took = time(&mut command, &bare.output())?;
        let events = count_files(&private)?;
        ensure!(events > 0, "ansible-runner recorded nothing");
        Ok(took)
    }

    /// The same run with ARA recording it into SQLite through its offline client; seconds of wall time.
    pub fn run_ara(&self, bare: &Bare) -> anyhow::Result<f64> {
        let base = bare.folder.join("ara");
        let mut command = Command::new(self.bin.join("ansible-playbook"));
        command.args(&bare.arguments);
        bare.dress(&mut command)?;
        command
            .env("PATH", self.path(bare))
            .env("ANSIBLE_CALLBACK_PLUGINS", &self.ara_plugins)
            .env("ARA_BASE_DIR", &base);
        if !base.exists() {
            // Its database is made with the first run; that is no part of the measurement.
            let mut migrate = Command::new(self.bin.join("ara-manage"));
            migrate.arg("migrate");
            bare.dress(&mut migrate)?;
            migrate.env("ARA_BASE_DIR", &base);
            time(&mut migrate, &bare.output())?;
        }
        let before = self.ara_results(&base)?;
        let took = time(&mut command, &bare.output())?;
        ensure!(self.ara_results(&base)? > before, "ARA recorded nothing");
        Ok(took)
    }

    fn ara_results(&self, base: &std::path::Path) -> anyhow::Result<u64> {
        let code = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('select count(*) from results').fetchone()[0])";
        let output = Command::new(self.bin.join("python"))
            .args(["-c", code])
            .arg(base.join("ansible.sqlite"))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim()
            .parse()
            .with_context(|| format!("ARA's database: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn path(&self, bare: &Bare) -> String {
        let path = bare.environment.get("PATH").map_or("/usr/bin:/bin", String::as_str);
        format!("{}:{path}", self.bin.display())
    }
}

fn count_files(folder: &std::path::Path) -> anyhow::Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        found += if path.is_dir() { count_files(&path)? } else { 1 };
    }
    Ok(found)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(
        status.success(),
        "{} ended with {status}",
        command.get_program().display()
    );
    Ok(())
}
