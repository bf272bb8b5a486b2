//! The JSON of a script inventory.

use super::{
    InventoryHost,
    groups::{distro_group, own_group, tag_group},
    variable_names::{refuse_nested_key, refuse_on_server},
};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

/// The answer to `--list`, as it is written: a tree of values would cost more than all the rest of a large inventory.
///
/// It holds every host's variables, so Ansible never asks for them one by one. Groups: one for each distro (`ubuntu_22_04`), one for each
/// tag (`tag_web`, and `web` where the tag is a group's name), and `ungrouped` for the rest.
#[derive(Debug)]
pub struct HostList<'a> {
    hosts: &'a [InventoryHost],
    groups: BTreeMap<String, Vec<&'a str>>,
    ungrouped: Vec<&'a str>,
    known_hosts: Option<String>,
}

/// The answer to `--list` for these hosts, each named once.
pub fn render_list(hosts: &[InventoryHost]) -> HostList<'_> {
    // Names that a tag's own group must not have: Ansible warns of a group that is called as a host, a distro is no tag, and `tag_web`
    // holds the servers tagged `web`.
    let mut taken: HashSet<Cow<'_, str>> = hosts.iter().map(|host| Cow::from(host.hostname.as_str())).collect();
    let distros: BTreeSet<&str> = hosts.iter().filter_map(|host| host.distro.as_deref()).collect();
    taken.extend(distros.into_iter().filter_map(distro_group).map(Cow::from));
    let tags: BTreeSet<&str> = hosts.iter().flat_map(|host| &host.tags).map(String::as_str).collect();
    taken.extend(tags.into_iter().map(tag_group).map(Cow::from));
    let mut names: HashMap<(bool, &str), Vec<String>> = HashMap::new();
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut ungrouped: Vec<&str> = Vec::new();
    for host in hosts {
        let tags = host.tags.iter().map(|tag| (true, tag.as_str()));
        let mut is_grouped = false;
        for (is_tag, text) in tags.chain(host.distro.as_deref().map(|distro| (false, distro))) {
            let names = names.entry((is_tag, text)).or_insert_with(|| {
                if is_tag {
                    let own = own_group(text).filter(|own| !taken.contains(*own));
                    own.map(str::to_owned).into_iter().chain([tag_group(text)]).collect()
                } else {
                    distro_group(text).into_iter().collect()
                }
            });
            for name in names {
                is_grouped = true;
                let members = match groups.get_mut(name) {
                    Some(members) => members,
                    None => groups.entry(name.clone()).or_default(),
                };
                // Two tags of one host may map to one name.
                if members.last() != Some(&host.hostname.as_str()) {
                    members.push(&host.hostname);
                }
            }
        }
        if !is_grouped {
            ungrouped.push(&host.hostname);
        }
    }
    HostList {
        hosts,
        groups,
        ungrouped,
        known_hosts: None,
    }
}

impl HostList<'_> {
    /// Lets SSH trust the host keys of a `known_hosts` file, beside those of the person who calls Ansible. A group variable, so that
    /// their own `ansible_ssh_common_args` comes before it.
    #[must_use]
    pub fn trusting(mut self, file: &str) -> Self {
        self.known_hosts = Some(format!(
            "-o \"UserKnownHostsFile=~/.ssh/known_hosts {file}\" -o StrictHostKeyChecking=accept-new"
        ));
        self
    }
}

impl Serialize for HostList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_map(None)?;
        list.serialize_entry("_meta", &Entry("hostvars", &Variables(self.hosts)))?;
        list.serialize_entry("all", &All(self))?;
        list.serialize_entry("ungrouped", &Entry("hosts", &self.ungrouped))?;
        for (name, members) in &self.groups {
            list.serialize_entry(name, &Entry("hosts", members))?;
        }
        list.end()
    }
}

/// An object of one entry.
struct Entry<'a, T>(&'static str, &'a T);

impl<T: Serialize> Serialize for Entry<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry(self.0, self.1)?;
        object.end()
    }
}

struct All<'a>(&'a HostList<'a>);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut children: Vec<&str> = self.0.groups.keys().map(String::as_str).collect();
        children.push("ungrouped");
        let mut all = serializer.serialize_map(None)?;
        all.serialize_entry("children", &children)?;
        if let Some(arguments) = &self.0.known_hosts {
            all.serialize_entry("vars", &Entry("ansible_ssh_common_args", arguments))?;
        }
        all.end()
    }
}

struct Variables<'a>(&'a [InventoryHost]);

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|host| (&host.hostname, HostVariables(host))))
    }
}

/// The answer to `--host`: the variables of one host.
///
/// Metadata that [`super::validation`] would refuse is left out, and never replaces what the inventory sets itself.
#[derive(Debug, Clone, Copy)]
pub struct HostVariables<'a>(pub &'a InventoryHost);

impl Serialize for HostVariables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let host = self.0;
        let mut variables = serializer.serialize_map(None)?;
        for (name, value) in &host.metadata {
            // What the inventory sets itself is refused too, so that no name comes twice.
            if refuse_on_server(name).is_none() {
                variables.serialize_entry(name, &Marked(value))?;
            }
        }
        let tags: Vec<Unsafe> = host.tags.iter().map(|tag| Unsafe(tag)).collect();
        variables.serialize_entry("ansible_host", &Unsafe(&host.ssh_host))?;
        variables.serialize_entry("ansible_port", &host.ssh_port)?;
        variables.serialize_entry("ansible_user", &Unsafe(&host.ssh_username))?;
        if let Some(file) = &host.private_key_file {
            variables.serialize_entry("ansible_ssh_private_key_file", &Unsafe(file))?;
        }
        variables.serialize_entry("server_id", &host.server_id)?;
        variables.serialize_entry("server_uuid", &host.server_uuid)?;
        variables.serialize_entry("server_name", &Unsafe(&host.name))?;
        variables.serialize_entry("tags", &tags)?;
        variables.serialize_entry("distro", &host.distro.as_deref().map(Unsafe))?;
        variables.serialize_entry("architecture", &host.architecture.as_deref().map(Unsafe))?;
        variables.end()
    }
}

/// A string that Ansible does not template (its JSON form of `!unsafe`).
struct Unsafe<'a>(&'a str);

impl Serialize for Unsafe<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Entry("__ansible_unsafe", &self.0).serialize(serializer)
    }
}

/// A value whose strings are all marked so.
struct Marked<'a>(&'a Value);

impl Serialize for Marked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => Unsafe(text).serialize(serializer),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Marked(item))?;
                }
                list.end()
            }
            Value::Object(entries) => serializer.collect_map(
                entries
                    .iter()
                    .filter(|(key, _)| refuse_nested_key(key).is_none())
                    .map(|(key, item)| (key, Marked(item))),
            ),
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_json_snapshot;
    use proptest::prelude::*;
    use serde_json::{Map, json};
    use uuid::Uuid;

    fn written(what: &impl Serialize) -> Value {
        let text = serde_json::to_string(what).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.to_string().len(), text.len(), "no name comes twice");
        value
    }

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
        let mut list = written(&render_list(&[
            host("a", &["web", "Web", "eu/west"], Some("Ubuntu 22.04")),
            host("b", &["WEB", "eu west"], Some("all")),
            host("c", &[], Some(" ")),
        ]));
        list.as_object_mut().unwrap().remove("_meta");
        assert_json_snapshot!(list, @r#"
        {
          "WEB": {
            "hosts": [
              "b"
            ]
          },
          "Web": {
            "hosts": [
              "a"
            ]
          },
          "all": {
            "children": [
              "WEB",
              "Web",
              "group_all",
              "tag_eu_west",
              "tag_web",
              "ubuntu_22_04",
              "web",
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
          },
          "web": {
            "hosts": [
              "a"
            ]
          }
        }
        "#);
    }

    #[test]
    fn a_tag_that_looks_like_a_tags_group_keeps_its_own() {
        let hosts = [host("a", &["tag_Role_web", "tag_db"], None), host("b", &["db"], None)];
        let list = written(&render_list(&hosts));
        for (group, members) in [
            ("tag_Role_web", json!(["a"])),
            // That of the servers tagged `db`.
            ("tag_db", json!(["b"])),
            ("tag_tag_db", json!(["a"])),
        ] {
            assert_eq!(list[group]["hosts"], members, "{group}");
        }
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
        assert_json_snapshot!(written(&HostVariables(&host)), @r#"
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
            prop_assert!(!leaks(&written(&HostVariables(&host))));
        }

        #[test]
        fn no_host_is_lost(tags in prop::collection::vec(prop::collection::vec(".{0,6}", 0..4), 1..6)) {
            let hosts: Vec<_> = tags.iter().enumerate().map(|(index, tags)| {
                host(&format!("h{index}"), &tags.iter().map(String::as_str).collect::<Vec<_>>(), None)
            }).collect();
            let list = written(&render_list(&hosts));
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
