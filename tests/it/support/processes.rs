//! What `/proc` says of the processes a run started.

use admiral::process::ProcessIdentity;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// A process as `/proc` shows it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its parent.
    pub parent: i32,
    /// Its session.
    pub session: i32,
    /// Its command line.
    pub command: String,
}

/// All processes but zombies, by pid.
pub fn all() -> BTreeMap<i32, Seen> {
    let mut seen = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").expect("/proc is there").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        if fields[0] == "Z" || fields[0] == "X" {
            continue;
        }
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        seen.insert(
            pid,
            Seen {
                parent: fields[1].parse().unwrap(),
                session: fields[3].parse().unwrap(),
                command,
            },
        );
    }
    seen
}

/// Processes whose working directory is `folder`, as those of a PostgreSQL cluster are.
pub fn working_in(folder: &Path) -> Vec<ProcessIdentity> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    entries
        .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
        .filter_map(|entry| ProcessIdentity::of(entry.file_name().to_str()?.parse().ok()?).ok())
        .collect()
}

/// Everything below `root` by ancestry, and everything in a session that one of those leads or shares.
pub fn tree(root: i32) -> BTreeSet<i32> {
    let all = all();
    let mut found = BTreeSet::from([root]);
    loop {
        let more: Vec<i32> = all
            .iter()
            .filter(|(pid, process)| {
                !found.contains(pid) && (found.contains(&process.parent) || found.contains(&process.session))
            })
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Processes whose environment or command line holds `needle`, this one aside.
pub fn mentioning(needle: &str) -> BTreeMap<i32, Seen> {
    mentioning_any(&[needle])
}

/// Processes whose environment or command line holds one of `needles`, this one aside.
pub fn mentioning_any(needles: &[impl AsRef<str>]) -> BTreeMap<i32, Seen> {
    let own = std::process::id() as i32;
    let is_mentioned = |text: &[u8]| {
        let mut needles = needles.iter().map(|needle| needle.as_ref().as_bytes());
        needles.any(|needle| memchr::memmem::find(text, needle).is_some())
    };
    all()
        .into_iter()
        .filter(|(pid, process)| {
            *pid != own
                && (is_mentioned(process.command.as_bytes())
                    || std::fs::read(format!("/proc/{pid}/environ"))
                        .is_ok_and(|environment| is_mentioned(&environment)))
        })
        .collect()
}

/// The pid of the `admiral supervise` that holds a run folder below `data`.
pub fn supervisors(data: &Path) -> Vec<i32> {
    let data = data.to_string_lossy().into_owned();
    all()
        .into_iter()
        .filter(|(_, process)| process.command.contains(" supervise ") && process.command.contains(&data))
        .map(|(pid, _)| pid)
        .collect()
}
