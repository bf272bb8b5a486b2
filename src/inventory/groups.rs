//! Names of inventory groups.

/// Names a group of ours never has: Ansible's own, and the key of the host variables.
const TAKEN: [&str; 4] = ["all", "ungrouped", "_meta", "localhost"];
const TAG_PREFIX: &str = "tag_";

/// `prefix` and `text` as a group name Ansible accepts: lower-case letters, digits and `_`, not starting with a digit.
///
/// Several texts may end as one name; the caller merges their hosts.
pub fn group_name(prefix: &str, text: &str) -> String {
    let mut name: String = format!("{prefix}{text}")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    if !name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') {
        name.insert(0, '_');
    }
    if TAKEN.contains(&name.as_str()) {
        name.insert_str(0, "group_");
    }
    name
}

/// The group of everything that carries `tag`.
pub(super) fn tag_group(tag: &str) -> String {
    group_name(TAG_PREFIX, tag)
}

/// The group that is called as the tag itself, so that a play for `hosts: web` finds the servers tagged `web`; none for a tag that
/// is no group's name.
pub(super) fn own_group(tag: &str) -> Option<&str> {
    let mut characters = tag.chars();
    let is_name = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    (is_name && !TAKEN.contains(&tag)).then_some(tag)
}

/// The group of a distro, apart from those of tags: a distro `tag web` must not join the servers tagged `web`.
pub(super) fn distro_group(distro: &str) -> Option<String> {
    let distro = distro.trim();
    if distro.is_empty() {
        return None;
    }
    let name = group_name("", distro);
    Some(if name.starts_with(TAG_PREFIX) {
        group_name("distro_", distro)
    } else {
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_ansible_accepts() {
        for (prefix, text, name) in [
            ("", "Ubuntu 22.04", "ubuntu_22_04"),
            ("tag_", "web", "tag_web"),
            ("tag_", "Web Server", "tag_web_server"),
            ("tag_", "eu-west-1", "tag_eu_west_1"),
            ("tag_", "größe", "tag_gr__e"),
            ("tag_", "{{ x }}", "tag____x___"),
            ("", "9front", "_9front"),
            ("", "ALL", "group_all"),
            ("", "ungrouped", "group_ungrouped"),
            ("", ".meta", "group__meta"),
            ("", "", "_"),
        ] {
            assert_eq!(group_name(prefix, text), name, "{prefix:?} {text:?}");
        }
    }

    #[test]
    fn a_tag_that_is_a_groups_name_makes_that_group() {
        for tag in ["web", "Web", "_x1", "eu-west", "tag_Role_web"] {
            assert_eq!(own_group(tag), Some(tag));
        }
        for tag in [
            "",
            "9lives",
            "a b",
            "a.b",
            "größe",
            "all",
            "localhost",
            "_meta",
            "ungrouped",
            "-x",
            "{{x}}",
        ] {
            assert_eq!(own_group(tag), None, "{tag:?}");
        }
    }

    #[test]
    fn a_distro_never_joins_a_tag() {
        assert_eq!(distro_group("tag web").as_deref(), Some("distro_tag_web"));
        assert_eq!(distro_group(" Debian 12 ").as_deref(), Some("debian_12"));
        assert_eq!(distro_group("  "), None);
    }
}
