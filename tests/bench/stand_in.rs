//! A stand-in for `ansible-playbook` that writes prepared events at a pace of ours: Ansible itself yields some hundred events a
//! second on this machine, and how fast Admiral is must not hide behind that.

use crate::{
    context::Context,
    spool::{self, Shape, Totals},
};
use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
};
use tempfile::TempDir;

/// The playbook that it is given; it reads nothing of it.
pub const PLAYBOOK: &str = "- hosts: all\n  gather_facts: false\n  tasks: []\n";

/// A folder with an `ansible-playbook` in it, and the events it will write.
pub struct StandIn {
    folder: TempDir,
    /// What the events amount to.
    pub totals: Totals,
}

impl StandIn {
    /// Prepares the events. Without `events_per_second` they are written as fast as it goes.
    pub fn prepare(context: &Context, shape: Shape, events_per_second: Option<usize>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("admiral-bench-stand-in-").tempdir()?;
        let path = folder.path();
        // Runs have accounts of their own, and read it.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        let mut events = BufWriter::with_capacity(1 << 20, File::create(path.join("spool.jsonl"))?);
        let mut output = BufWriter::new(File::create(path.join("spool.log"))?);
        let totals = spool::write(shape, &mut events, &mut output)?;
        events.flush()?;
        output.flush()?;
        let settings = serde_json::json!({
            "spool": path.join("spool.jsonl"), "output": path.join("spool.log"), "events_per_second": events_per_second,
        });
        fs::write(path.join("stand_in.json"), settings.to_string())?;
        let program = path.join("ansible-playbook");
        let python = context.ansible_bin.join("python");
        fs::write(
            &program,
            format!("#!{}\n{}", python.display(), include_str!("stand_in.py")),
        )?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder, totals })
    }

    /// The folder to name as Ansible's.
    pub fn bin(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Lets it write.
    pub fn release(&self) -> anyhow::Result<()> {
        fs::write(self.folder.path().join("release"), "")?;
        Ok(())
    }

    /// Lets the next one wait again.
    pub fn hold(&self) -> anyhow::Result<()> {
        let release = self.folder.path().join("release");
        if release.exists() {
            fs::remove_file(release)?;
        }
        Ok(())
    }
}
