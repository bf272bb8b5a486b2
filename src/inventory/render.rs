//! The JSON of a script inventory.

use super::{
    InventoryHost,
    groups::{distro_group, tag_group},
    variable_names::{refuse_nested_key, refuse_on_server},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The answer to `--list`. It holds every host's variables, so Ansible never asks for them one by one.
///
/// Groups: one for each distro (`ubuntu_22_04`), one for each tag (`tag_web`), and `ungrouped` for the rest.
pub fn render_list(hosts: &[InventoryHost]) -> Value {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut ungrouped: BTreeSet<&str> = BTreeSet::new();
    let mut variables = Map::new();
    for host in hosts {
        let distro = host.distro.as_deref().and_then(distro_group);
        let names: BTreeSet<String> = host.tags.iter().map(|tag| tag_group(tag)).chain(distro).collect();
        if names.is_empty() {
            ungrouped.insert(&host.hostname);
        }
        for name in names {
            groups.entry(name).or_default().insert(&host.hostname);
        }
        variables.insert(host.hostname.clone(), render_host(host));
    }
    let mut children: Vec<&str> = groups.keys().map(String::as_str).collect();
    children.push("ungrouped");
    let mut list = Map::new();
    list.insert("_meta".to_owned(), json!({ "hostvars": variables }));
    list.insert("all".to_owned(), json!({ "children": children }));
    list.insert("ungrouped".to_owned(), json!({ "hosts": ungrouped }));
    for (name, members) in &groups {
        list.insert(name.clone(), json!({ "hosts": members }));
    }
    Value::Object(list)
}

/// Lets SSH trust the host keys of a `known_hosts` file, beside those of the person who calls Ansible. A group variable, so that
/// their own `ansible_ssh_common_args` comes before it.
pub fn add_known_hosts(list: &mut Value, file: &str) {
    list["all"]["vars"] = json!({ "ansible_ssh_common_args": format!(
        "-o \"UserKnownHostsFile=~/.ssh/known_hosts {file}\" -o StrictHostKeyChecking=accept-new"
    ) });
}

/// The answer to `--host`: the variables of one host.
///
/// Metadata that [`super::validation`] would refuse is left out, and never replaces what the inventory sets itself.
pub fn render_host(host: &InventoryHost) -> Value {
    let mut variables: Map<String, Value> = host
        .metadata
        .iter()
        .filter(|(name, _)| refuse_on_server(name).is_none())
        .map(|(name, value)| (name.clone(), mark_unsafe(value)))
        .collect();
    let mut set = |name: &str, value: Value| variables.insert(name.to_owned(), value);
    set("ansible_host", unsafe_text(&host.ssh_host));
    set("ansible_port", host.ssh_port.into());
    set("ansible_user", unsafe_text(&host.ssh_username));
    if let Some(file) = &host.private_key_file {
        set("ansible_ssh_private_key_file", unsafe_text(file));
    }
    set("server_id", host.server_id.into());
    set("server_uuid", host.server_uuid.to_string().into());
    set("server_name", unsafe_text(&host.name));
    set("tags", host.tags.iter().map(|tag| unsafe_text(tag)).collect());
    set("distro", host.distro.as_deref().map_or(Value::Null, unsafe_text));
    set(
        "architecture",
        host.architecture.as_deref().map_or(Value::Null, unsafe_text),
    );
    Value::Object(variables)
}

/// A string that Ansible does not template (its JSON form of `!unsafe`).
fn unsafe_text(text: &str) -> Value {
    json!({ "__ansible_unsafe": text })
}

fn mark_unsafe(value: &Value) -> Value {
    match value {
        Value::String(text) => unsafe_text(text),
        Value::Array(items) => items.iter().map(mark_unsafe).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .filter(|(key, _)| refuse_nested_key(key).is_none())
                .map(|(key, item)| (key.clone(), mark_unsafe(item)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_json_snapshot;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn host(hostname: &str, tags: &[&str], distro: Option<&str>) -> InventoryHost {
        InventoryHost {
            hostname: hostname.to_owned(),
            name: format!("{hostname} for people"),
            ssh_host: "192.0.2.7".to_owned(),
            ssh_port: 2222,
            ssh_username: "deploy".to_owned(),
            private_key_file: None,
            server_id: 7,
            server_uuid: Uuid::from_u128(7),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            distro: distro.map(str::to_owned),
            architecture: None,
            metadata: Map::new(),
        }
    }

    #[test]
    fn groups_are_merged_and_never_take_ansibles_names() {
        let mut list = render_list(&[
            host("a", &["web", "Web", "eu/west"], Some("Ubuntu 22.04")),
            host("b", &["WEB", "eu west"], Some("all")),
            host("c", &[], Some(" ")),
        ]);
        list.as_object_mut().unwrap().remove("_meta");
        assert_json_snapshot!(list, @r#"
        {
          "all": {
            "children": [
              "group_all",
              "tag_eu_west",
              "tag_web",
              "ubuntu_22_04",
              "ungrouped"
            ]
          },
          "group_all": {
            "hosts": [
              "b"
            ]
          },
          "tag_eu_west": {
            "hosts": [
              "a",
              "b"
            ]
          },
          "tag_web": {
            "hosts": [
              "a",
              "b"
            ]
          },
          "ubuntu_22_04": {
            "hosts": [
              "a"
            ]
          },
          "ungrouped": {
            "hosts": [
              "c"
            ]
          }
        }
        "#);
    }

    #[test]
    fn metadata_neither_overrides_nor_reaches_the_controller() {
        let mut host = host("a", &["{{ 1 }}"], Some("Debian"));
        host.private_key_file = Some("/run/key".to_owned());
        let metadata = json!({
            "region": "eu", "rack": 4, "nested": {"deep": ["{{ x }}", null, true], "__ansible_vault": "x", "{{ k }}": 1},
            "ansible_host": "203.0.113.1", "ansible_connection": "local", "server_id": 1, "a-b": 1,
            "ansible_become": true,
        });
        host.metadata = metadata.as_object().unwrap().clone();
        assert_json_snapshot!(render_host(&host), @r#"
        {
          "ansible_become": true,
          "ansible_host": {
            "__ansible_unsafe": "192.0.2.7"
          },
          "ansible_port": 2222,
          "ansible_ssh_private_key_file": {
            "__ansible_unsafe": "/run/key"
          },
          "ansible_user": {
            "__ansible_unsafe": "deploy"
          },
          "architecture": null,
          "distro": {
            "__ansible_unsafe": "Debian"
          },
          "nested": {
            "deep": [
              {
                "__ansible_unsafe": "{{ x }}"
              },
              null,
              true
            ]
          },
          "rack": 4,
          "region": {
            "__ansible_unsafe": "eu"
          },
          "server_id": 7,
          "server_name": {
            "__ansible_unsafe": "a for people"
          },
          "server_uuid": "00000000-0000-0000-0000-000000000007",
          "tags": [
            {
              "__ansible_unsafe": "{{ 1 }}"
            }
          ]
        }
        "#);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(|text| Value::String(format!("CANARY{text}"))),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Whether a string is found anywhere but under the mark.
    fn leaks(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains("CANARY"),
            Value::Array(items) => items.iter().any(leaks),
            Value::Object(entries) => entries
                .iter()
                .any(|(key, item)| key != "__ansible_unsafe" && leaks(item)),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn every_string_is_marked(value in any_json(), tag in ".*", text in ".*") {
            let mut host = host("a", &[], None);
            host.tags = vec![format!("CANARY{tag}")];
            host.ssh_host = format!("CANARY{text}");
            host.ssh_username = format!("CANARY{text}");
            host.distro = Some(format!("CANARY{text}"));
            host.architecture = Some(format!("CANARY{text}"));
            host.name = format!("CANARY{text}");
            host.metadata.insert("value".to_owned(), value);
            prop_assert!(!leaks(&render_host(&host)));
        }

        #[test]
        fn no_host_is_lost(tags in prop::collection::vec(prop::collection::vec(".{0,6}", 0..4), 1..6)) {
            let hosts: Vec<_> = tags.iter().enumerate().map(|(index, tags)| {
                host(&format!("h{index}"), &tags.iter().map(String::as_str).collect::<Vec<_>>(), None)
            }).collect();
            let list = render_list(&hosts);
            let children = list["all"]["children"].as_array().unwrap();
            for host in &hosts {
                let found = children.iter().any(|group| {
                    list[group.as_str().unwrap()]["hosts"].as_array().unwrap().contains(&json!(host.hostname))
                });
                prop_assert!(found, "{} is in no group", host.hostname);
            }
        }
    }
}
