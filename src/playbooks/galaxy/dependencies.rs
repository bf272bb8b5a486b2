//! What fetched roles need in turn. `ansible-galaxy` would fetch it unseen; here it is judged first, as what the package names is.

use super::{
    ServerAccess,
    requirements::{RequirementError, judge_dependency},
};
use crate::playbooks::yaml;
use serde_json::{Map, Value};
use std::{fs, path::Path};

/// A longer file is not read: 1 MiB.
const MAX_FILE: u64 = 1024 * 1024;
/// What of an entry says what is fetched; the rest are variables and conditions for the run.
const OF_SOURCE: [&str; 5] = ["name", "role", "scm", "src", "version"];

/// A role that another one needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dependency {
    /// The folder that it is put into.
    pub(super) name: String,
    /// As a file of requirements has it.
    pub(super) requirement: Value,
}

/// What a role needs, of the roles in `folder`.
pub(super) fn of(folder: &Path, role: &str, servers: &[ServerAccess]) -> Result<Vec<Dependency>, RequirementError> {
    let mut found = Vec::new();
    for entry in listed(folder, role) {
        if is_beside(&entry) {
            continue;
        }
        let requirement = match entry {
            Value::Object(fields) => Value::Object(source_of(fields)),
            other => other,
        };
        found.push(Dependency {
            name: judge_dependency(&format!("the role {role}"), &requirement, servers)?,
            requirement,
        });
    }
    Ok(found)
}

/// The `dependencies` of `meta/main.yml`, and `meta/requirements.yml`. What cannot be read names nothing.
fn listed(folder: &Path, role: &str) -> Vec<Value> {
    let read = |name: &str| {
        ["yml", "yaml"]
            .iter()
            .find_map(|extension| read_within(folder, &format!("{role}/meta/{name}.{extension}")))
    };
    let list = |document: Option<Value>| match document {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let mut main = read("main").unwrap_or_default();
    let mut entries = list(main.get_mut("dependencies").map(Value::take));
    entries.extend(list(read("requirements")));
    entries
}

/// A link in a role may lead anywhere.
fn read_within(folder: &Path, path: &str) -> Option<Value> {
    let (folder, path) = (folder.canonicalize().ok()?, folder.join(path).canonicalize().ok()?);
    let metadata = path.metadata().ok()?;
    if !path.starts_with(folder) || !metadata.is_file() || metadata.len() > MAX_FILE {
        return None;
    }
    yaml::read(&fs::read_to_string(path).ok()?).ok()
}

/// As in `ansible-galaxy`: what has no dot and no repository is none of Galaxy's, but a role that lies beside.
fn is_beside(entry: &Value) -> bool {
    match entry {
        Value::String(line) => {
            let mut parts = line.split(',');
            let (source, name) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            !source.contains(['.', '+']) && !name.contains('.')
        }
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            fields.get("scm").is_none_or(Value::is_null)
                && ["name", "role", "src"]
                    .iter()
                    .all(|name| !text(name).contains(['.', '+']))
        }
        _ => false,
    }
}

fn source_of(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|name, _| OF_SOURCE.contains(&name.as_str()));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependencies(main: &str) -> Result<Vec<(String, Value)>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("x.y/meta")).unwrap();
        fs::write(folder.path().join("x.y/meta/main.yml"), main).unwrap();
        fs::write(folder.path().join("x.y/meta/requirements.yaml"), "- of.requirements\n").unwrap();
        let found = of(folder.path(), "x.y", &[]).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|found| (found.name, found.requirement)).collect())
    }

    #[test]
    fn what_is_to_be_fetched_is_told_from_what_lies_beside() {
        let found = dependencies(
            "dependencies:\n- common\n- { role: beside, port: 80.5 }\n- geerlingguy.ntp\n\
             - { role: a.b, when: x.y, version: 1.0.0 }\n- git+https://example.org/acl.git,v1\n",
        )
        .unwrap();
        let expected = [
            ("geerlingguy.ntp", "geerlingguy.ntp".into()),
            ("a.b", serde_json::json!({"role": "a.b", "version": "1.0.0"})),
            ("acl", "git+https://example.org/acl.git,v1".into()),
            ("of.requirements", "of.requirements".into()),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        // What Ansible cannot read either.
        for main in ["", "[", "dependencies: x", "x"] {
            assert_eq!(dependencies(main).unwrap().len(), 1, "{main}");
        }
    }

    #[test]
    fn dependencies_are_held_to_the_rules() {
        for (entry, problem) in [
            ("{ src: 'http://example.org/x.tar.gz', name: x.y }", "only https"),
            (
                "{ name: ../../../escaped, src: 'https://example.org/x.tar.gz' }",
                "cannot be the name",
            ),
            (
                "{ role: ../home/.config/git, src: 'https://example.org/x.tar.gz' }",
                "cannot be the name",
            ),
            ("{ src: './vendor/x.tar.gz' }", "no file or folder"),
            ("git+file:///etc", "must not name files"),
            ("5", "a role is a name"),
        ] {
            let told = dependencies(&format!("dependencies: [{entry}]\n")).expect_err(entry);
            assert!(
                told.starts_with("the role x.y: ") && told.contains(problem),
                "{entry}: {told}"
            );
        }
    }

    #[test]
    fn links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("main.yml"), "dependencies: [a.b]\n").unwrap();
        fs::create_dir(folder.path().join("x")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("x/meta")).unwrap();
        assert_eq!(of(folder.path(), "x", &[]).unwrap(), []);
    }
}
