//! A control group for each run, where groups are ours to make. cgroups(7), version 2.
//!
//! ```text
//! a service that systemd delegates to us             as root
//! <unit>/            controllers for the children     /sys/fs/cgroup/admiral/
//!     server/        we, and the supervisors              run-<id>/
//!     run-<id>/      the processes of one run
//! ```
//! A group with controllers for its children may hold no processes itself: so we move ourselves into `server/`. When systemd starts the
//! unit again it puts the new process into `<unit>/`, which the controllers would forbid while runs go on: the unit takes them away before,
//! and [`prepare`] puts them back, and [`RunGroup::hold`] the limits of the runs.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use rustix::{fs::Access, process::geteuid};
use uuid::Uuid;

use super::limits::{Reached, ResourceLimits};

/// The controllers that carry a run's limits.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
const SERVER: &str = "server";
const FOR_ROOT: &str = "admiral";

/// Makes the groups of runs possible in this process's own group, if that is delegated to us. Before any process is started.
///
/// Returns whether runs will have groups.
pub fn prepare() -> bool {
    match parent() {
        Some(parent) => match enable(&parent) {
            Ok(()) => true,
            Err(error) => {
                tracing::info!(%error, group = %parent.display(), "control groups cannot be used: limits are watched instead");
                false
            }
        },
        None => false,
    }
}

/// The group below which the groups of runs are.
fn parent() -> Option<PathBuf> {
    let mount = mount_point(&fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    if geteuid().is_root() {
        return Some(mount.join(FOR_ROOT));
    }
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = mount.join(own);
    let unit = if own.ends_with(SERVER) {
        own.parent()?.to_owned()
    } else {
        own
    };
    let is_ours = rustix::fs::access(unit.join("cgroup.subtree_control"), Access::WRITE_OK).is_ok();
    is_ours.then_some(unit)
}

fn enable(parent: &Path) -> io::Result<()> {
    make(parent)?;
    if !geteuid().is_root() {
        let server = parent.join(SERVER);
        make(&server)?;
        // A process that ends meanwhile needs no place.
        for pid in fs::read_to_string(parent.join("cgroup.procs"))?.lines() {
            let _ended = fs::write(server.join("cgroup.procs"), pid);
        }
    }
    let there = fs::read_to_string(parent.join("cgroup.controllers"))?;
    let found: Vec<&str> = CONTROLLERS
        .into_iter()
        .filter(|name| there.split_whitespace().any(|it| it == *name))
        .collect();
    if found.len() < CONTROLLERS.len() && geteuid().is_root() {
        // Our own top group gets what the root group passes on.
        let wanted: Vec<String> = CONTROLLERS.iter().map(|name| format!("+{name}")).collect();
        let root = parent.parent().unwrap_or(parent);
        fs::write(root.join("cgroup.subtree_control"), wanted.join(" "))?;
    }
    let wanted: Vec<String> = CONTROLLERS.iter().map(|name| format!("+{name}")).collect();
    fs::write(parent.join("cgroup.subtree_control"), wanted.join(" "))
}

fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The group of one run.
#[derive(Debug)]
pub(super) struct RunGroup {
    folder: PathBuf,
}

impl RunGroup {
    /// Makes the run's group. `None` where groups cannot be used.
    pub(super) fn create(run_id: Uuid, limits: &ResourceLimits) -> Option<Self> {
        let group = Self {
            folder: parent()?.join(format!("run-{run_id}")),
        };
        let made = make(&group.folder).and_then(|()| group.limit(limits));
        if let Err(error) = made {
            tracing::debug!(%error, "the run has no control group: its limits are watched instead");
            group.remove();
            return None;
        }
        Some(group)
    }

    /// The group that a run was given and that was not removed.
    pub(super) fn left_by(run_id: Uuid) -> Option<Self> {
        let folder = parent()?.join(format!("run-{run_id}"));
        folder.is_dir().then_some(Self { folder })
    }

    /// The file into which the run's first process writes its id.
    pub(super) fn entrance(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.folder.join("cgroup.procs"))
    }

    /// Puts the limits back when a new server has put the controllers back. The controllers themselves are left alone: while they are
    /// there, systemd cannot start that server.
    pub(super) fn hold(&self, limits: &ResourceLimits) {
        let lost = fs::read_to_string(self.folder.join("memory.max")).is_ok_and(|limit| limit.trim() == "max");
        if lost && let Err(error) = self.limit(limits) {
            tracing::debug!(%error, "the run's limits could not be put back");
        }
    }

    /// The limit that the kernel enforced, if it did.
    pub(super) fn reached(&self) -> Option<Reached> {
        if self.counted("memory.events", "oom_kill") > 0 {
            Some(Reached::Memory)
        } else if self.counted("pids.events", "max") > 0 {
            Some(Reached::Processes)
        } else {
            None
        }
    }

    /// Kills everything in it at once.
    pub(super) fn kill(&self) {
        // Kernels before 5.14 do not know it; the processes are killed one by one then.
        let _unknown = fs::write(self.folder.join("cgroup.kill"), "1");
    }

    /// Removes it; only when its processes are gone.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_dir(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(%error, group = %self.folder.display(), "the run's control group could not be removed");
        }
    }

    fn limit(&self, limits: &ResourceLimits) -> io::Result<()> {
        fs::write(self.folder.join("memory.max"), limits.memory_bytes.to_string())?;
        // All of the run or nothing: Ansible would not notice that one of its workers is gone, and wait for ever.
        fs::write(self.folder.join("memory.oom.group"), "1")?;
        fs::write(self.folder.join("pids.max"), limits.processes.to_string())?;
        fs::write(self.folder.join("cpu.weight"), limits.cpu_weight.to_string())
    }

    fn counted(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
        found.unwrap_or(0)
    }
}

/// Where the second version of control groups is mounted. proc(5): the fifth field is the mount point, and the file system's type follows
/// a lone dash.
fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ")
            .then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_by_its_type() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
                      31 24 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_point("30 24 0:26 / /sys rw - sysfs sysfs rw\n"), None);
    }
}
