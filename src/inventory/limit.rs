//! What can be said about a `--limit` without Ansible: whether it would read a file, and whether it leaves any host.

use super::groups::{distro_group, own_group, tag_group};
use crate::domain::server::Server;

/// Characters after which `@` is part of a name, besides letters and digits.
const WITHIN_NAMES: &str = "._-*?+)";

/// Whether Ansible may take a part of the limit for `@FILE` and read that file on the controller.
///
/// Ansible splits a limit at commas. Without one, it splits at colons, at white space and at brackets that are not closed, unless all of
/// it is an address (`split_host_pattern` in ansible-core's `inventory/manager.py`). So `@` is taken only where it cannot begin a part.
pub fn may_read_file(limit: &str) -> bool {
    limit.match_indices('@').any(|(at, _)| {
        let before = limit[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || WITHIN_NAMES.contains(before))
    })
}

/// `false` when the pattern surely matches none of the servers, by name or by group. Patterns that only Ansible can judge
/// (regular expressions, ranges, its own groups) count as matching.
pub fn may_match(limit: &str, servers: &[Server]) -> bool {
    if limit.contains(['~', '[']) {
        return true;
    }
    let mut wanted = limit
        .split(|c: char| ",;:".contains(c) || c.is_whitespace())
        .filter(|part| !part.is_empty() && !part.starts_with(['!', '&']))
        .peekable();
    if wanted.peek().is_none() {
        // Nothing but exceptions: everybody else.
        return true;
    }
    wanted.any(|pattern| {
        ["all", "ungrouped", "localhost", "127.0.0.1"].contains(&pattern)
            || servers.iter().any(|server| {
                let distro = server.distro.as_deref().and_then(distro_group);
                let own = server.tags.iter().filter_map(|tag| own_group(tag)).map(str::to_owned);
                let groups = server.tags.iter().map(|tag| tag_group(tag)).chain(own).chain(distro);
                matches(pattern, &server.hostname) || groups.into_iter().any(|group| matches(pattern, &group))
            })
    })
}

/// A shell pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Row by row of the table "the first i of the pattern match the first j of the name".
    let mut row: Vec<bool> = (0..=name.len()).map(|length| length == 0).collect();
    for character in pattern {
        let mut next = vec![character == '*' && row[0]];
        for (index, letter) in name.iter().enumerate() {
            next.push(match character {
                '*' => next[index] || row[index + 1],
                '?' => row[index],
                other => other == *letter && row[index],
            });
        }
        row = next;
    }
    row[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::server::ServerStatus;
    use chrono::DateTime;
    use uuid::Uuid;

    fn server(hostname: &str, tag: &str) -> Server {
        Server {
            id: Uuid::nil(),
            number: 1,
            hostname: hostname.to_owned(),
            name: hostname.to_owned(),
            ssh_host: "192.0.2.1".to_owned(),
            ssh_port: 22,
            ssh_username: "root".to_owned(),
            tags: vec![tag.to_owned()],
            distro: Some("Ubuntu 22.04".to_owned()),
            architecture: None,
            status: ServerStatus::Active,
            metadata: serde_json::Map::new(),
            private_key: None,
            host_keys: Vec::new(),
            last_seen_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn files_are_not_read() {
        for limit in [
            "web",
            "web:&staging",
            "web,!db",
            "~web\\d+",
            "host@domain",
            "all:!x@y",
            "~.*@eu",
            "a_@b",
        ] {
            assert!(!may_read_file(limit), "{limit:?}");
        }
        for limit in [
            "@/etc/passwd",
            " @x",
            "web,@x",
            "web, @x",
            "web:@x",
            "web:!@x",
            "all:h1 @x",
            "h1[0] @x",
            "h1\u{a0}@x",
            "h1\u{1f}@x",
            "h1[@x",
            "h1]@x",
            "h1[0]@x",
            "a@b @x",
        ] {
            assert!(may_read_file(limit), "{limit:?}");
        }
    }

    #[test]
    fn what_surely_matches_nobody_is_known() {
        let fleet = [server("web1", "Web"), server("db1.example.org", "db")];
        for limit in [
            "web1",
            "web?",
            "*.org",
            "tag_web",
            "Web",
            "ubuntu_22_04",
            "tag_*",
            "nobody,web1",
            "!web1",
            "all:!web1",
            "web*:&tag_db",
            "~web\\d",
            "web[1:3]",
            "*",
            "nobody web1",
        ] {
            assert!(may_match(limit, &fleet), "{limit}");
        }
        for limit in [
            "nobody",
            "web",
            "web??",
            "tag_mail",
            "nobody:!web1",
            "db1",
            "ubuntu",
            "nobody,mail*",
        ] {
            assert!(!may_match(limit, &fleet), "{limit}");
        }
    }
}
