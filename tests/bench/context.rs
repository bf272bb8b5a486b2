//! What was asked for, and the places everything is at.

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// The binary under test.
pub const ADMIRAL: &str = env!("CARGO_BIN_EXE_admiral");

/// What was asked for.
#[derive(Debug)]
pub struct Context {
    /// Small sizes, one round: shows that everything works and says nothing about speed.
    pub quick: bool,
    /// Rounds instead of each row's own number of them.
    pub rounds: Option<usize>,
    /// The rows to measure; all when empty.
    pub rows: Vec<String>,
    /// Write `docs/benchmarks.md`.
    pub write: bool,
    /// The repository.
    pub root: PathBuf,
    /// Where this Ansible is.
    pub ansible_bin: PathBuf,
}

impl Context {
    /// Reads `ROWS`, `QUICK`, `ROUNDS` and `WRITE`.
    pub fn from_environment() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
        let flag = |name: &str| variable(name).is_some_and(|value| value != "0");
        let rounds = variable("ROUNDS")
            .map(|text| text.parse().context("ROUNDS is a number from 1 on"))
            .transpose()?;
        let context = Self {
            quick: flag("QUICK"),
            rounds,
            rows: variable("ROWS")
                .map(|text| text.split([',', ' ']).map(str::to_owned).collect())
                .unwrap_or_default(),
            write: flag("WRITE"),
            ansible_bin: root.join(".venv/bin"),
            root,
        };
        if context.rounds == Some(0) {
            bail!("ROUNDS is a number from 1 on");
        }
        if !context.ansible_bin.join("ansible-playbook").exists() {
            bail!("there is no ansible-playbook in .venv; scripts/setup makes it");
        }
        if context.write && (context.quick || cfg!(debug_assertions)) {
            bail!("only figures of a full run of the release build are written to docs/benchmarks.md");
        }
        Ok(context)
    }

    /// `full`, or `quick` in a short run.
    pub fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// How often to measure: as asked for, else `full`, and once in a short run.
    pub fn rounds(&self, full: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { full })
    }

    /// Where results go.
    pub fn results(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from);
        target.join("bench")
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Tells how far things are.
#[expect(clippy::print_stderr, reason = "the table alone goes to stdout")]
pub fn say(text: impl AsRef<str>) {
    eprintln!("bench: {}", text.as_ref());
}
