//! `admiral release-control-group`: the unit calls it before the server starts and after it has ended. It is not for people.
//!
//! Runs outlive the server, each in a control group of its own below the unit's. The controllers that are switched on for them there keep
//! systemd from putting a new server into the unit's own group (cgroups(7), "no internal processes"). This command switches them off, and
//! the new server switches them on again.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The controllers that may be switched on for runs.
const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];
/// The group in which systemd runs the commands of a delegated unit that come before and after its main one.
const CONTROL: &str = ".control";
/// The place of the only hierarchy, and the place of the version 2 hierarchy beside those of version 1.
const HIERARCHIES: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Switches the controllers off. A failure is not an error: either there is nothing to switch off, or systemd reports it.
pub fn run() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(group) = unit_group(&own) else { return };
    for hierarchy in HIERARCHIES {
        let switches = Path::new(hierarchy).join(&group).join("cgroup.subtree_control");
        if switches.exists() {
            for controller in CONTROLLERS {
                // Each controller is written by itself: the kernel refuses the whole list when it does not know one of them.
                let _may_be_off = fs::write(&switches, format!("-{controller}"));
            }
        }
    }
}

/// The group of the unit, relative to the hierarchy, when this process is in the part of it that commands before and after run in.
fn unit_group(own: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = Path::new(path.trim_end());
    (group.file_name()? == CONTROL).then(|| group.parent().map(Path::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_unit_is_touched() {
        let found = unit_group("9:name=systemd:/\n0::/system.slice/admiral.service/.control\n");
        assert_eq!(found.as_deref(), Some(Path::new("system.slice/admiral.service")));
        for other in [
            "0::/system.slice/admiral.service\n",
            "0::/user.slice/user-0.slice/session-1.scope\n",
            "0::/\n",
            "",
            "1:cpu:/x/.control\n",
        ] {
            assert_eq!(unit_group(other), None, "{other}");
        }
    }
}
