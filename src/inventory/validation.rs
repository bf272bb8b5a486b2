//! What a server may look like, so that it neither breaks an inventory nor reaches into the controller.

use super::variable_names::{check_value, refuse_on_server};
use crate::domain::{
    server::ServerStatus,
    validation::{Invalid, Validator},
};
use serde_json::{Map, Value};
use std::net::{Ipv4Addr, Ipv6Addr};

const NAME_LIMIT: usize = 255;
const USERNAME_LIMIT: usize = 64;
/// Most tags of a server.
pub const TAGS_LIMIT: usize = 64;
const LABEL_LIMIT: usize = 64;
const METADATA_LIMIT: usize = 64 * 1024;
const DNS_LIMIT: usize = 253;

/// A server as someone wants it registered.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerInput {
    /// The name in Ansible's inventory.
    pub hostname: String,
    /// A name for people; the hostname when absent.
    pub name: Option<String>,
    /// Address or DNS name.
    pub ssh_host: String,
    /// 1 to 65535.
    pub ssh_port: i32,
    /// The user SSH signs in as.
    pub ssh_username: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// Such as `Ubuntu 22.04`.
    pub distro: Option<String>,
    /// Such as `x86_64`.
    pub architecture: Option<String>,
    /// Whether deployments may target it.
    pub status: ServerStatus,
    /// Host variables.
    pub metadata: Map<String, Value>,
}

impl ServerInput {
    /// Names every field that is wrong, and what would be right.
    pub fn validate(&self) -> Result<(), Invalid> {
        let mut validator = Validator::new();
        if let Some(reason) = refuse_hostname(&self.hostname) {
            validator.error("hostname", reason);
        }
        if let Some(name) = &self.name {
            check_label(&mut validator, "name", name, NAME_LIMIT);
        }
        validator.check(
            is_ssh_host(&self.ssh_host),
            "ssh_host",
            "must be an IPv4 address, an IPv6 address without brackets, or a DNS name",
        );
        validator.check(
            (1..=65535).contains(&self.ssh_port),
            "ssh_port",
            "must be between 1 and 65535",
        );
        validator.check(
            is_username(&self.ssh_username),
            "ssh_username",
            "must be 1 to 64 letters, digits or any of `.` `_` `-` `@` `+`, starting with a letter, a digit or `_`",
        );
        validator.check(self.tags.len() <= TAGS_LIMIT, "tags", "must be at most 64 tags");
        for (index, tag) in self.tags.iter().enumerate().take(TAGS_LIMIT) {
            let field = format!("tags[{index}]");
            check_tag(&mut validator, &field, tag);
            validator.check(!self.tags[..index].contains(tag), &field, "is given twice");
        }
        for (field, value) in [("distro", &self.distro), ("architecture", &self.architecture)] {
            if let Some(value) = value {
                check_label(&mut validator, field, value, LABEL_LIMIT);
            }
        }
        validate_metadata(&mut validator, &self.metadata);
        validator.finish()
    }
}

/// Says what is wrong with a tag, if anything.
pub(super) fn refuse_tag(tag: &str) -> Option<String> {
    let mut validator = Validator::new();
    check_tag(&mut validator, "", tag);
    let wrong = validator.finish().err()?;
    wrong.errors.into_iter().next().map(|error| error.message)
}

fn check_tag(validator: &mut Validator, field: &str, tag: &str) {
    check_label(validator, field, tag, LABEL_LIMIT);
    validator.check(!tag.contains(','), field, "must not hold a comma");
}

/// A short text for people: something to see, on one line.
fn check_label(validator: &mut Validator, field: &str, text: &str, limit: usize) {
    if text.trim().is_empty() || text.chars().count() > limit {
        validator.error(field, format!("must be 1 to {limit} characters long"));
    }
    validator.check(
        !text.chars().any(char::is_control),
        field,
        "must not hold control characters",
    );
    validator.check(
        text.trim() == text || text.trim().is_empty(),
        field,
        "must not start or end with a space",
    );
}

/// Ansible's patterns, `--limit` and `known_hosts` each give some characters a meaning; what is left is plain.
fn refuse_hostname(hostname: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if hostname.is_empty() || hostname.len() > DNS_LIMIT {
        Some("must be 1 to 253 characters long")
    } else if !hostname.chars().all(plain) {
        Some("may hold only letters, digits, `.`, `-` and `_`")
    } else if hostname.starts_with(['-', '.']) {
        Some("must start with a letter, a digit or `_`")
    } else if ["all", "ungrouped", "_meta"].contains(&hostname) {
        Some("is a name that Ansible reserves")
    } else if ["localhost", "localhost.localdomain"].contains(&hostname.to_ascii_lowercase().as_str())
        || hostname.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    {
        Some("means the controller itself to Ansible")
    } else if hostname.starts_with("tag_") {
        Some("must not start with `tag_`: the groups of tags are called so")
    } else {
        None
    }
}

fn is_ssh_host(host: &str) -> bool {
    if host.parse::<Ipv4Addr>().is_ok() || is_ipv6(host) {
        return true;
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A name whose last part is a number is an address written wrongly (RFC 3696 section 2).
    let numeric_end = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= DNS_LIMIT && name.split('.').all(label) && !numeric_end
}

/// With a zone (`fe80::1%eth0`) too.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host
        .split_once('%')
        .map_or((host, None), |(address, zone)| (address, Some(zone)));
    let zone_is_plain = |zone: &str| {
        (1..=15).contains(&zone.len())
            && zone
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(zone_is_plain)
}

fn is_username(name: &str) -> bool {
    // A machine account of Active Directory ends in `$`.
    let name = name.strip_suffix('$').unwrap_or(name);
    (1..=USERNAME_LIMIT).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b'+'))
}

fn validate_metadata(validator: &mut Validator, metadata: &Map<String, Value>) {
    let size = serde_json::to_vec(metadata).map_or(usize::MAX, |text| text.len());
    if size > METADATA_LIMIT {
        validator.error(
            "metadata",
            format!("must be at most {METADATA_LIMIT} bytes of JSON; this is {size}"),
        );
        return;
    }
    for (name, value) in metadata {
        let field = format!("metadata.{name}");
        match refuse_on_server(name) {
            Some(reason) => validator.error(field, reason),
            None => check_value(&field, value, 1, &mut |path, reason| validator.error(path, reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input() -> ServerInput {
        ServerInput {
            hostname: "web-1.example.org".to_owned(),
            name: Some("Web 1".to_owned()),
            ssh_host: "192.0.2.1".to_owned(),
            ssh_port: 22,
            ssh_username: "deploy".to_owned(),
            tags: vec!["web".to_owned(), "eu west".to_owned()],
            distro: Some("Ubuntu 22.04".to_owned()),
            architecture: Some("x86_64".to_owned()),
            status: ServerStatus::Active,
            metadata: json!({"region": "eu", "ansible_become": true, "deep": {"a": [1, "{{ x }}"]}})
                .as_object()
                .unwrap()
                .clone(),
        }
    }

    fn fields(change: impl FnOnce(&mut ServerInput)) -> Vec<String> {
        let mut input = input();
        change(&mut input);
        input
            .validate()
            .err()
            .map(|invalid| invalid.errors.into_iter().map(|error| error.field).collect())
            .unwrap_or_default()
    }

    #[test]
    fn a_plain_server_passes() {
        assert_eq!(input().validate(), Ok(()));
    }

    #[test]
    fn hostnames() {
        for name in ["a", "_dmarc", "web-1", "10.0.0.1", "WEB.example.org"] {
            assert!(fields(|input| input.hostname = name.to_owned()).is_empty(), "{name}");
        }
        let long = "a".repeat(254);
        for name in [
            "",
            "localhost",
            "127.0.0.1",
            "tag_web",
            "a b",
            "a,b",
            "a:b",
            "a*",
            "a?",
            "a[1:3]",
            "-a",
            ".a",
            "!a",
            "&a",
            "~a",
            "@a",
            "a/b",
            "a{{b}}",
            "all",
            "ungrouped",
            "_meta",
            "a\n",
            "größe",
            &long,
        ] {
            assert_eq!(
                fields(|input| input.hostname = name.to_owned()),
                ["hostname"],
                "{name:?}"
            );
        }
    }

    #[test]
    fn addresses() {
        for host in [
            "::1",
            "2001:db8::7",
            "fe80::1%eth0",
            "host",
            "a.example.org.",
            "my_host",
            "1a.example",
            "xn--bcher-kva.example",
        ] {
            assert!(fields(|input| input.ssh_host = host.to_owned()).is_empty(), "{host}");
        }
        for host in [
            "",
            " ",
            "-oProxyCommand=x",
            "a b",
            "[::1]",
            "999.1.1.1",
            "1.2.3",
            "a..b",
            "a@b",
            "::1%",
            "::1%a b",
            "a\n",
            "a:22",
            "{{ x }}",
            "-a.example",
        ] {
            assert_eq!(
                fields(|input| input.ssh_host = host.to_owned()),
                ["ssh_host"],
                "{host:?}"
            );
        }
    }

    #[test]
    fn other_fields() {
        for port in [0, -1, 65536] {
            assert_eq!(fields(|input| input.ssh_port = port), ["ssh_port"]);
        }
        for name in ["", "-root", "a b", "a\"b", "$(id)", "a\n", &"a".repeat(65)] {
            assert_eq!(
                fields(|input| input.ssh_username = name.to_owned()),
                ["ssh_username"],
                "{name:?}"
            );
        }
        for name in ["root", "_svc", "svc$", "first.last@example.org", "1000"] {
            assert!(
                fields(|input| input.ssh_username = name.to_owned()).is_empty(),
                "{name}"
            );
        }
        for tag in ["", " ", "a,b", "a\tb", " a", &"ä".repeat(65)] {
            let found = fields(|input| input.tags = vec![tag.to_owned()]);
            assert_eq!(found.first().map(String::as_str), Some("tags[0]"), "{tag:?}");
        }
        assert_eq!(
            fields(|input| input.tags = vec!["a".to_owned(), "a".to_owned()]),
            ["tags[1]"]
        );
        assert_eq!(
            fields(|input| input.tags = (0..65).map(|n| n.to_string()).collect()),
            ["tags"]
        );
        assert_eq!(fields(|input| input.distro = Some(String::new())), ["distro"]);
        assert_eq!(
            fields(|input| input.architecture = Some("a\u{1b}".to_owned())),
            ["architecture"]
        );
        assert_eq!(fields(|input| input.name = Some("x".repeat(256))), ["name"]);
    }

    #[test]
    fn metadata() {
        let with = |value: Value| fields(|input| input.metadata = value.as_object().unwrap().clone());
        assert_eq!(
            with(json!({"ansible_connection": "local"})),
            ["metadata.ansible_connection"]
        );
        assert_eq!(
            with(json!({"ansible_host": "x", "a-b": 1})),
            ["metadata.a-b", "metadata.ansible_host"]
        );
        assert_eq!(
            with(json!({"a": [{"__ansible_vault": "x"}]})),
            ["metadata.a[0].__ansible_vault"]
        );
        assert_eq!(with(json!({"a": {"{{ b }}": 1}})), ["metadata.a.{{ b }}"]);
        assert_eq!(with(json!({"a": "x".repeat(65 * 1024)})), ["metadata"]);
        let deep = (0..17).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(with(json!({"a": deep})).len(), 1);
        let deep = (0..15).fold(json!(1), |inner, _| json!([inner]));
        assert!(with(json!({"a": deep})).is_empty());
    }
}
