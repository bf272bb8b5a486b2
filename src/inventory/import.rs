//! Somebody else's inventory, as `ansible-inventory --list` prints it, read as servers.
//!
//! `ansible-inventory` has read every format, plugin and `group_vars` folder by then: each host comes with all of its variables. Groups
//! become tags, with those above them, and a tag that is a group's name makes that group again. What Admiral has fields for goes there;
//! what it keeps sealed elsewhere, and what would act on the controller, is left out, and said so.

use super::{
    validation::{ServerInput, refuse_tag},
    variable_names::{ALLOWED_ON_SERVERS, MANAGED, check_value, refuse_on_server},
};
use crate::domain::server::ServerStatus;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Groups above one another; deeper ones are not inventories.
const MAX_DEPTH: usize = 64;

/// One host of the inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedHost {
    /// As a server; its fields may still be refused.
    pub input: ServerInput,
    /// Whether the inventory names the user; otherwise it is the default.
    pub has_user: bool,
    /// Whether the inventory names the port.
    pub has_port: bool,
    /// Variables that must not stay from an earlier import either: as they are now, or whatever they are.
    pub left_out: BTreeMap<String, Option<Value>>,
    /// The path of its private key, as the inventory says it.
    pub key_path: Option<String>,
    /// What is left out of it, and why.
    pub notes: Vec<String>,
    /// Why it cannot be a server at all.
    pub skipped: Option<String>,
}

/// Why a text is no inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not what `ansible-inventory --list` prints: {0}")]
pub struct NoInventory(&'static str);

/// Reads all hosts, by name. `default_user` is for hosts that name none.
pub fn read(list: &Map<String, Value>, default_user: &str) -> Result<Vec<ImportedHost>, NoInventory> {
    let variables = list
        .get("_meta")
        .and_then(|meta| meta.get("hostvars"))
        .and_then(Value::as_object)
        .ok_or(NoInventory("it has no _meta.hostvars"))?;
    let groups = groups_of_hosts(list);
    let mut names: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
    names.extend(groups.keys().copied());
    let none = Map::new();
    Ok(names
        .into_iter()
        .map(|name| {
            let variables = variables.get(name).and_then(Value::as_object).unwrap_or(&none);
            read_host(name, variables, groups.get(name), default_user)
        })
        .collect())
}

/// The groups of each host, those above them included.
fn groups_of_hosts(list: &Map<String, Value>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, members) in list {
        for child in texts(members.get("children")) {
            parents.entry(child).or_default().push(group);
        }
    }
    let mut of_host: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (group, members) in list {
        let mut above = BTreeSet::new();
        collect_above(group, &parents, 0, &mut above);
        for host in texts(members.get("hosts")) {
            of_host.entry(host).or_default().extend(&above);
        }
    }
    of_host
}

fn collect_above<'a>(
    group: &'a str,
    parents: &BTreeMap<&str, Vec<&'a str>>,
    depth: usize,
    above: &mut BTreeSet<&'a str>,
) {
    if depth > MAX_DEPTH || ["all", "ungrouped", "_meta"].contains(&group) || !above.insert(group) {
        return;
    }
    for parent in parents.get(group).into_iter().flatten() {
        collect_above(parent, parents, depth + 1, above);
    }
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn read_host(
    name: &str,
    variables: &Map<String, Value>,
    groups: Option<&BTreeSet<&str>>,
    default_user: &str,
) -> ImportedHost {
    let first = |names: &[&str]| names.iter().find_map(|name| variables.get(*name)).map(plain_text);
    let user = first(&["ansible_user", "ansible_ssh_user"]).flatten();
    let port = first(&["ansible_port", "ansible_ssh_port"]).flatten();
    let connection = first(&["ansible_connection"]).flatten();
    let mut notes = Vec::new();
    let mut metadata = Map::new();
    let mut left_out = BTreeMap::new();
    for (name, value) in variables {
        let is_own = MANAGED.contains(&name.as_str())
            || name.starts_with("ansible_ssh_") && !ALLOWED_ON_SERVERS.contains(&name.as_str())
            || ["ansible_connection"].contains(&name.as_str());
        if is_own {
            notes.extend(why_left_out(name).or_else(|| is_vaulted(value).then(|| encrypted(name))));
        } else if let Some(note) = refuse_variable(name, value) {
            if is_vaulted(value) {
                left_out.insert(name.clone(), None);
            }
            notes.push(note);
        } else if holds_template(value) {
            notes.push(format!(
                "{name} holds a template, which is not evaluated here, and is left out: move it to group_vars beside the playbook"
            ));
            left_out.insert(name.clone(), Some(without_marks(value)));
        } else {
            let value = without_marks(value);
            let wrong = notes.len();
            check_value(name, &value, 1, &mut |path, reason| {
                notes.push(format!("{name} is left out: {path} {reason}"));
            });
            if notes.len() == wrong {
                metadata.insert(name.clone(), value);
            }
        }
    }
    let mut tags = Vec::new();
    for group in groups.into_iter().flatten() {
        match refuse_tag(group) {
            None => tags.push((*group).to_owned()),
            Some(reason) => notes.push(format!("the group {group} is left out: as a tag it {reason}")),
        }
    }
    let skipped = match connection.as_deref() {
        None | Some("ssh" | "smart" | "paramiko" | "ansible.builtin.ssh") => None,
        Some(other) => Some(format!("is reached by the connection {other}, not by SSH")),
    };
    ImportedHost {
        has_user: user.is_some(),
        has_port: port.is_some(),
        left_out,
        input: ServerInput {
            hostname: name.to_owned(),
            name: None,
            ssh_host: first(&["ansible_host", "ansible_ssh_host"])
                .flatten()
                .unwrap_or_else(|| name.to_owned()),
            // What is no number is refused by the server's own checks.
            ssh_port: port.map_or(22, |port| port.parse().unwrap_or(0)),
            ssh_username: user.unwrap_or_else(|| default_user.to_owned()),
            tags,
            distro: None,
            architecture: None,
            status: ServerStatus::Active,
            metadata,
        },
        key_path: first(&["ansible_ssh_private_key_file", "ansible_private_key_file"]).flatten(),
        notes,
        skipped,
    }
}

/// Why one of the variables about connections is not taken over; nothing for those that become fields.
fn why_left_out(name: &str) -> Option<String> {
    const TAKEN_OVER: [&str; 6] = [
        "ansible_host",
        "ansible_port",
        "ansible_user",
        "ansible_ssh_host",
        "ansible_ssh_port",
        "ansible_ssh_user",
    ];
    match name {
        "ansible_ssh_private_key_file" | "ansible_connection" => None,
        name if TAKEN_OVER.contains(&name) => None,
        "ansible_ssh_pass" | "ansible_ssh_password" => Some(format!("{name} is left out: Admiral signs in with keys")),
        name if name.starts_with("ansible_") => Some(format!("{name} is left out: Admiral owns how SSH is called")),
        name => Some(format!("{name} is left out: Admiral's inventory sets it itself")),
    }
}

fn refuse_variable(name: &str, value: &Value) -> Option<String> {
    if name == "ansible_private_key_file" {
        return None;
    }
    let is_secret = ["password", "_pass", "passphrase"]
        .iter()
        .any(|part| name.ends_with(part));
    if name.starts_with("ansible_") && is_secret {
        return Some(format!(
            "{name} is left out: give it as a secret variable at launch, or keep it in an environment"
        ));
    }
    if is_vaulted(value) {
        return Some(encrypted(name));
    }
    refuse_on_server(name).map(|reason| format!("{name} is left out: it {reason}"))
}

fn encrypted(name: &str) -> String {
    format!("{name} is encrypted with ansible-vault and left out: keep it in group_vars beside the playbook")
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(marked) => marked
            .get("__ansible_unsafe")
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    }
}

fn is_vaulted(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.contains_key("__ansible_vault") || entries.values().any(is_vaulted),
        Value::Array(items) => items.iter().any(is_vaulted),
        _ => false,
    }
}

fn holds_template(value: &Value) -> bool {
    match value {
        Value::String(text) => ["{{", "{%", "{#"].iter().any(|open| text.contains(open)),
        // `!unsafe`: it says what it is.
        Value::Object(entries) if entries.contains_key("__ansible_unsafe") => false,
        Value::Object(entries) => entries.values().any(holds_template),
        Value::Array(items) => items.iter().any(holds_template),
        _ => false,
    }
}

/// A value whose unsafe strings are strings: Admiral marks all of them itself.
fn without_marks(value: &Value) -> Value {
    match value {
        Value::Object(entries) => match entries.get("__ansible_unsafe") {
            Some(Value::String(text)) if entries.len() == 1 => Value::String(text.clone()),
            _ => entries
                .iter()
                .map(|(name, value)| (name.clone(), without_marks(value)))
                .collect(),
        },
        Value::Array(items) => items.iter().map(without_marks).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hosts(list: Value) -> Vec<ImportedHost> {
        read(list.as_object().unwrap(), "me").unwrap()
    }

    #[test]
    fn hosts_come_with_their_groups_and_variables() {
        let found = hosts(json!({
            "_meta": {"hostvars": {
                "web1": {"ansible_host": "192.0.2.1", "ansible_port": 2222, "ansible_user": "deploy", "http_port": 80,
                         "ansible_ssh_private_key_file": "~/.ssh/id", "region": {"__ansible_unsafe": "eu"}},
                "db1": {},
            }},
            "all": {"children": ["ungrouped", "prod", "db"]},
            "prod": {"children": ["web"]}, "web": {"hosts": ["web1"]}, "db": {"hosts": ["db1", "db2"]},
        }));
        let names: Vec<_> = found.iter().map(|host| host.input.hostname.as_str()).collect();
        assert_eq!(names, ["db1", "db2", "web1"]);
        let web = &found[2];
        assert_eq!(web.input.tags, ["prod", "web"]);
        assert_eq!(
            (
                web.input.ssh_host.as_str(),
                web.input.ssh_port,
                web.input.ssh_username.as_str()
            ),
            ("192.0.2.1", 2222, "deploy")
        );
        assert_eq!(web.key_path.as_deref(), Some("~/.ssh/id"));
        assert_eq!(json!(web.input.metadata), json!({"http_port": 80, "region": "eu"}));
        assert!(web.notes.is_empty(), "{:?}", web.notes);
        assert_eq!(
            (found[1].input.ssh_host.as_str(), found[1].input.ssh_username.as_str()),
            ("db2", "me")
        );
        assert!(web.has_user && !found[0].has_user);
    }

    #[test]
    fn what_cannot_come_along_is_named() {
        let found = hosts(json!({"_meta": {"hostvars": {
            "a": {"ansible_become_password": "canary", "ansible_ssh_pass": "canary", "ansible_ssh_common_args": "-J x",
                  "secret": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256"}, "dir": "{{ home }}/x", "ansible_become": true,
                  "server_id": 4, "ansible_network_os": "x", "ansible_host": {"__ansible_vault": ""}},
            "local": {"ansible_connection": "local"},
            "win": {"ansible_connection": "winrm"},
        }}}));
        assert_eq!(json!(found[0].input.metadata), json!({"ansible_become": true}));
        assert_eq!(
            found[0].left_out,
            BTreeMap::from([
                ("dir".to_owned(), Some(json!("{{ home }}/x"))),
                ("secret".to_owned(), None)
            ])
        );
        assert_eq!(found[0].input.ssh_host, "a");
        assert_eq!(found[0].notes.len(), 8, "{:?}", found[0].notes);
        assert!(!found[0].notes.iter().any(|note| note.contains("canary")));
        assert!(found[1].skipped.as_ref().unwrap().contains("local"));
        assert!(found[2].skipped.is_some());
    }

    #[test]
    fn one_odd_part_does_not_cost_the_host() {
        let long = "g".repeat(65);
        let found = hosts(json!({
            "_meta": {"hostvars": {"a": {"fine": {"x": {"__ansible_unsafe": "{{ no template }}"}}, "odd": {"{{ k }}": 1}}}},
            "web": {"hosts": ["a"]}, long.as_str(): {"hosts": ["a"]},
        }));
        let host = &found[0];
        assert_eq!(json!(host.input.metadata), json!({"fine": {"x": "{{ no template }}"}}));
        assert_eq!(host.input.tags, ["web"]);
        assert_eq!(host.notes.len(), 2, "{:?}", host.notes);
        assert_eq!(host.input.validate(), Ok(()));
    }

    #[test]
    fn circles_and_nonsense_are_survived() {
        let found = hosts(json!({
            "_meta": {"hostvars": {"a": {"ansible_port": "many"}}},
            "x": {"children": ["y"], "hosts": ["a"]}, "y": {"children": ["x"]}, "z": 5,
        }));
        assert_eq!(found[0].input.tags, ["x", "y"]);
        assert_eq!(found[0].input.ssh_port, 0);
        assert!(read(&Map::new(), "me").is_err());
    }
}
