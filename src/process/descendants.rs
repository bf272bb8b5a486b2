//! Who came from whom, as `/proc` tells it.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::identity::{ProcessIdentity, Stat};

/// Every living process below `pid`, nearest first, those in sessions and groups of their own included.
///
/// Children of a process that ended belong to its nearest living child subreaper; a caller that is one finds them all.
pub fn descendants(pid: i32) -> Vec<ProcessIdentity> {
    let mut children: HashMap<i32, Vec<(i32, Stat)>> = HashMap::new();
    for (child, stat) in all() {
        children.entry(stat.parent).or_default().push((child, stat));
    }
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([pid]);
    while let Some(parent) = waiting.pop_front() {
        for (child, stat) in children.remove(&parent).unwrap_or_default() {
            waiting.push_back(child);
            if !stat.is_dead() {
                found.push(ProcessIdentity {
                    pid: child,
                    start_ticks: stat.start_ticks,
                });
            }
        }
    }
    found
}

/// Every living process of the group that `leader` leads.
pub fn group_members(leader: i32) -> Vec<ProcessIdentity> {
    all()
        .filter(|(_, stat)| stat.group == leader && !stat.is_dead())
        .map(|(pid, stat)| ProcessIdentity {
            pid,
            start_ticks: stat.start_ticks,
        })
        .collect()
}

/// Every living process, the calling one left out, whose environment names `path` or something below it, or whose
/// standard output or error goes there.
///
/// Finds what a supervisor that was killed left behind, wherever it was re-parented to.
/// Processes of other users are not readable and so not found, unless the caller is root.
pub fn processes_mentioning(path: &Path) -> Vec<ProcessIdentity> {
    let needle = path.as_os_str().as_bytes();
    let own = rustix::process::getpid().as_raw_nonzero().get();
    if needle.len() < 2 {
        return Vec::new();
    }
    all()
        .filter(|(pid, stat)| *pid != own && !stat.is_dead())
        .filter(|(pid, _)| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| names(&environment, needle))
                || [1, 2].iter().any(|descriptor| {
                    fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).is_ok_and(|file| file.starts_with(path))
                })
        })
        .map(|(pid, stat)| ProcessIdentity {
            pid,
            start_ticks: stat.start_ticks,
        })
        .collect()
}

/// Every living process, the calling one left out, whose environment holds exactly this `NAME=VALUE`.
///
/// Children inherit it whatever session they make for themselves and whoever becomes their parent. Who clears the
/// environment is not found, nor are processes of other users, unless the caller is root.
pub fn processes_marked(variable: &str) -> Vec<ProcessIdentity> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    all()
        .filter(|(pid, stat)| *pid != own && !stat.is_dead())
        .filter(|(pid, _)| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|own| own == variable.as_bytes())
            })
        })
        .map(|(pid, stat)| ProcessIdentity {
            pid,
            start_ticks: stat.start_ticks,
        })
        .collect()
}

/// Whether a variable names the path as a whole, not as the beginning of a longer name.
///
/// Where a shell stands (`PWD`) says nothing: an operator may look around in the folder.
fn names(environment: &[u8], path: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|variable| {
        !variable.starts_with(b"PWD=")
            && !variable.starts_with(b"OLDPWD=")
            && variable
                .windows(path.len())
                .enumerate()
                .any(|(at, window)| window == path && matches!(variable.get(at + path.len()), None | Some(b'/' | b':')))
    })
}

fn all() -> impl Iterator<Item = (i32, Stat)> {
    fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        Some((pid, Stat::read(pid).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_as_a_whole() {
        let environment = b"A=1\0ANSIBLE_CONFIG=/data/runs/7/ansible.cfg\0HOME=/data/runs/77\0";
        assert!(names(environment, b"/data/runs/7"));
        assert!(names(environment, b"/data/runs/77"));
        assert!(!names(environment, b"/data/runs/777"));
        assert!(!names(b"HOME=/data/runs/77\0", b"/data/runs/7"));
        assert!(!names(
            b"PWD=/data/runs/7\0OLDPWD=/data/runs/7/project\0",
            b"/data/runs/7"
        ));
    }

    #[test]
    fn the_own_process_is_below_its_parent() {
        let parent = Stat::read(rustix::process::getpid().as_raw_nonzero().get())
            .expect("own stat")
            .parent;
        let own = ProcessIdentity::own().expect("own identity");
        assert!(descendants(parent).contains(&own));
        assert!(!descendants(own.pid).contains(&own));
    }
}
