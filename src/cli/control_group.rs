//! `admiral release-control-group`: what the unit calls before the server starts and after it has ended. Not for people.
//!
//! Runs outlive the server, each in a control group of its own below the unit's, and controllers that are switched on for them there keep
//! systemd from putting a new server into the unit's own group (cgroups(7), "no internal processes"). This switches them off; the new
//! server switches them on again.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What may be switched on for runs.
const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];
/// Where systemd runs the commands of a delegated unit that come before and after its main one.
const CONTROL: &str = ".control";
/// Where the one hierarchy is mounted, or where the second one is beside those of version 1.
const HIERARCHIES: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Switches the controllers off. That it cannot be done is no error: then there is nothing that could be in the way, or systemd says so.
pub fn run() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(group) = unit_group(&own) else { return };
    for hierarchy in HIERARCHIES {
        let switches = Path::new(hierarchy).join(&group).join("cgroup.subtree_control");
        if switches.exists() {
            for controller in CONTROLLERS {
                // Each by itself: the kernel refuses all of what it does not know one of.
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
    fn only_the_own_unit_is_touched() {
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
