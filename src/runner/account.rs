//! The account that a run's processes have, which is never root's.

use std::fs;

use rustix::process::{getegid, geteuid};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::process::guarded;

/// As root, each run has a user id of its own from this range, which systemd's `UIDS-GIDS.md` lists as unused.
const RANGE: IdRange = IdRange {
    first: 0x7000_0000,
    count: 0x0700_0000,
};
/// The range of systemd's dynamic users: small enough for containers, which often have no more than 65,536 ids.
const SMALL_RANGE: IdRange = IdRange {
    first: 61_184,
    count: 4_336,
};
const NAME: &str = "admiral-run";

#[derive(Debug, Clone, Copy)]
struct IdRange {
    first: u32,
    count: u32,
}

impl IdRange {
    fn contains(self, id: u32) -> bool {
        id >= self.first && id - self.first < self.count
    }
}

/// A user and a group, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAccount {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

impl RunAccount {
    /// Our own account.
    pub fn own() -> Self {
        Self {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
        }
    }

    /// The account for a run: our own, or, as root, one that no other run of this machine has.
    ///
    /// Two runs share an id only if 26 random bits of their ids agree; they would still see nothing of each other, because each has
    /// its own process and mount namespaces.
    pub fn for_run(run_id: Uuid) -> Self {
        if !guarded("account") {
            return Self::own();
        }
        // The last digits of a version 7 UUID are random.
        let bytes = run_id.into_bytes();
        let random = u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        Self::separate(random)
    }

    /// The account for programs that only look at what others wrote; see [`Seclusion`](super::Seclusion).
    pub fn for_looking() -> Self {
        Self::separate(0)
    }

    fn separate(random: u32) -> Self {
        if !geteuid().is_root() {
            return Self::own();
        }
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let range = [RANGE, SMALL_RANGE]
            .into_iter()
            .find(|range| is_mapped(&map, *range))
            .unwrap_or(SMALL_RANGE);
        let id = range.first + random % range.count;
        Self { uid: id, gid: id }
    }

    /// Whether it is an account other than our own.
    pub fn is_other(self) -> bool {
        self.uid != geteuid().as_raw()
    }

    /// Whether a file of this owner can be one that Admiral or one of its runs made.
    pub(super) fn may_own(uid: u32) -> bool {
        uid == geteuid().as_raw() || geteuid().is_root() && (RANGE.contains(uid) || SMALL_RANGE.contains(uid))
    }

    /// The system's `passwd` file for the inside of a run: the account is in it, and its home is `home`, so that `~`, `HOME` and the
    /// system agree. passwd(5).
    pub(super) fn passwd(self, system: &str, home: &str) -> String {
        // A colon would end the field.
        let home = if home.contains([':', '\n']) { "/" } else { home };
        let mut name = NAME;
        let mut others = String::new();
        for line in system.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if fields.get(2).is_some_and(|uid| *uid == self.uid.to_string()) {
                name = fields[0];
            } else {
                others.push_str(line);
                others.push('\n');
            }
        }
        format!("{name}:x:{}:{}::{home}:/bin/sh\n{others}", self.uid, self.gid)
    }

    /// The system's `group` file for the inside of a run. group(5).
    pub(super) fn group(self, system: &str) -> String {
        let is_known = system
            .lines()
            .any(|line| line.split(':').nth(2).is_some_and(|gid| gid == self.gid.to_string()));
        if is_known {
            system.to_owned()
        } else {
            format!("{NAME}:x:{}:\n{system}", self.gid)
        }
    }
}

/// Whether our user namespace has all ids of the range. The map's lines are: first id inside, first id outside, count;
/// user_namespaces(7).
fn is_mapped(map: &str, range: IdRange) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        let [first, _, count] = numbers[..] else { return false };
        u64::from(range.first) >= first && u64::from(range.first) + u64::from(range.count) <= first + count
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::new_id;

    #[test]
    fn ranges_are_taken_where_the_namespace_has_them() {
        let whole = "         0          0 4294967295\n";
        let small = "         0     100000      65536\n";
        assert!(is_mapped(whole, RANGE) && is_mapped(whole, SMALL_RANGE));
        assert!(!is_mapped(small, RANGE) && is_mapped(small, SMALL_RANGE));
        assert!(!is_mapped("", SMALL_RANGE) && !is_mapped("0 0\n", SMALL_RANGE));
    }

    #[test]
    fn root_gives_each_run_an_account_and_everybody_else_their_own() {
        let (one, other) = (RunAccount::for_run(new_id()), RunAccount::for_run(new_id()));
        assert_eq!(one.is_other(), geteuid().is_root());
        assert_eq!(one != other, geteuid().is_root());
        assert!(RunAccount::may_own(one.uid));
        assert!(!RunAccount::may_own(65_534));
    }

    #[test]
    fn inside_the_system_knows_the_account_and_its_home() {
        let account = RunAccount { uid: 7, gid: 8 };
        let system = "root:x:0:0:root:/root:/bin/bash\nadmiral:x:7:8::/var/lib/admiral:/usr/sbin/nologin\n";
        assert_eq!(
            account.passwd(system, "/run/home"),
            "admiral:x:7:8::/run/home:/bin/sh\nroot:x:0:0:root:/root:/bin/bash\n"
        );
        assert_eq!(account.passwd("", "/h"), "admiral-run:x:7:8::/h:/bin/sh\n");
        assert_eq!(account.group("staff:x:8:\n"), "staff:x:8:\n");
        assert_eq!(account.group("root:x:0:\n"), "admiral-run:x:8:\nroot:x:0:\n");
    }
}
