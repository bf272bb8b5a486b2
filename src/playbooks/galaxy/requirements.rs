//! What a package asks for, and whether it may be fetched. Pure.
//!
//! The forms are those of `ansible-galaxy`: a list of roles, or a map with `roles` and `collections`.

use super::ServerAccess;
use crate::{
    domain::playbook::PlaybookFile,
    playbooks::{git::GitUrl, yaml},
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Where `ansible-galaxy`, AWX and people look for them.
const PLACES: [&str; 3] = ["requirements", "roles/requirements", "collections/requirements"];

/// Why requirements are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct RequirementError {
    /// The file, relative to the package.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// One file of requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequirementFile {
    /// Relative to the package.
    pub(super) path: String,
    /// The roles that it asks for, as people know them.
    pub(super) roles: Vec<String>,
    /// The same of collections.
    pub(super) collections: Vec<String>,
}

/// What a package asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requirements {
    /// Those that ask for something that is not in the package.
    pub(super) files: Vec<RequirementFile>,
    /// Files and folders of the package that they name.
    local: BTreeSet<String>,
}

/// Whether a package asks for anything at all. Cheap.
pub fn has_requirements(files: &[PlaybookFile]) -> bool {
    files.iter().any(|file| is_place(&file.path))
}

impl Requirements {
    /// Reads and judges the requirements among a package's files.
    pub(super) fn find(files: &[PlaybookFile], servers: &[ServerAccess]) -> Result<Self, RequirementError> {
        let mut found = Self::default();
        for file in files.iter().filter(|file| is_place(&file.path)) {
            let mut judge = Judge {
                path: &file.path,
                files,
                servers,
                local: BTreeSet::from([file.path.clone()]),
            };
            let (roles, collections) = judge.file(file)?;
            let is_there = roles.iter().all(|role| judge.has(&format!("roles/{role}")))
                && collections.iter().all(|collection| {
                    let folder = collection.replacen('.', "/", 1);
                    judge.has(&format!("collections/ansible_collections/{folder}"))
                });
            // Ansible finds what is in the package first.
            if !is_there {
                found.local.append(&mut judge.local);
                found.files.push(RequirementFile {
                    path: file.path.clone(),
                    roles,
                    collections,
                });
            }
        }
        Ok(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether a file of the package is one of them, or named by one, or in a folder that is.
    pub(super) fn uses(&self, path: &str) -> bool {
        self.local.iter().any(|local| {
            path.strip_prefix(local.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Judges a role that a fetched role needs. `of` is what names it. The name of the role's folder. Files of the package are not its to
/// name.
pub(super) fn judge_dependency(of: &str, role: &Value, servers: &[ServerAccess]) -> Result<String, RequirementError> {
    let mut judge = Judge {
        path: of,
        files: &[],
        servers,
        local: BTreeSet::new(),
    };
    judge.role(role)
}

fn is_place(path: &str) -> bool {
    path.strip_suffix(".yml")
        .or(path.strip_suffix(".yaml"))
        .is_some_and(|stem| PLACES.contains(&stem))
}

struct Judge<'a> {
    path: &'a str,
    files: &'a [PlaybookFile],
    servers: &'a [ServerAccess],
    local: BTreeSet<String>,
}

impl Judge<'_> {
    /// Names of roles and of collections.
    fn file(&mut self, file: &PlaybookFile) -> Result<(Vec<String>, Vec<String>), RequirementError> {
        let text = std::str::from_utf8(&file.content).map_err(|_| self.refuse("it is not UTF-8"))?;
        let document: Value = yaml::read(text).map_err(|error| self.refuse(error))?;
        let list = |name: &str| match &document {
            Value::Array(roles) if name == "roles" => roles.clone(),
            Value::Object(map) => map.get(name).and_then(Value::as_array).cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        let mut roles = Vec::new();
        for role in list("roles") {
            match role.get("include").and_then(Value::as_str) {
                Some(included) => roles.append(&mut self.included(included)?),
                None => roles.push(self.role(&role)?),
            }
        }
        let mut collections = Vec::new();
        for collection in list("collections") {
            collections.push(self.collection(&collection)?);
        }
        Ok((roles, collections))
    }

    fn included(&mut self, path: &str) -> Result<Vec<String>, RequirementError> {
        let inner = self.in_package(path)?;
        let file = self.files.iter().find(|file| file.path == inner);
        let file = file.ok_or_else(|| self.refuse(format!("{path:?} is no file of the package")))?;
        self.local.insert(inner);
        let text = std::str::from_utf8(&file.content).map_err(|_| self.refuse(format!("{path} is not UTF-8")))?;
        let roles: Vec<Value> = yaml::read(text).map_err(|error| self.refuse(format!("{path}: {error}")))?;
        roles.iter().map(|role| self.role(role)).collect()
    }

    fn role(&mut self, role: &Value) -> Result<String, RequirementError> {
        let (src, scm, version, name) = match role {
            Value::String(line) => {
                let mut parts = line.trim().splitn(3, ',');
                let src = parts.next().unwrap_or_default();
                (src, None, parts.next(), parts.next())
            }
            Value::Object(fields) => {
                // `ansible-galaxy` takes a `role` for the name, whatever else is there.
                let name = text(fields, "role").or(text(fields, "name"));
                (
                    text(fields, "src").or(name).unwrap_or_default(),
                    text(fields, "scm"),
                    text(fields, "version"),
                    name,
                )
            }
            _ => return Err(self.refuse("a role is a name, or a map with a src or a name")),
        };
        let (scm, src) = match src.split_once('+') {
            Some((scm, src)) => (Some(scm), src),
            None if src.contains("github.com") && src.contains("http") && !src.ends_with(".tar.gz") => {
                (Some("git"), src)
            }
            None => (scm, src),
        };
        if src.is_empty() {
            return Err(self.refuse("a role has neither a src nor a name"));
        }
        for value in [Some(src), version, name].into_iter().flatten() {
            self.check_plain(value)?;
        }
        match scm {
            Some("git") => self.git(src)?,
            Some(other) => {
                return Err(self.refuse(format!(
                    "{src}: {other} is not supported; use git, a Galaxy server or a file of the package"
                )));
            }
            None if src.contains("://") => self.download(src)?,
            // What is no file is a name that a Galaxy server knows.
            None if src.contains('/') || self.is_file(src) => self.local(src)?,
            None => {}
        }
        let name = name.unwrap_or_else(|| role_name(src));
        // It becomes a folder.
        if name.starts_with('/') || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(self.refuse(format!("{name:?} cannot be the name of a role")));
        }
        Ok(name.to_owned())
    }

    fn collection(&mut self, collection: &Value) -> Result<String, RequirementError> {
        let (name, source, kind, version) = match collection {
            Value::String(line) => {
                let is_name = line.split_once(':').is_some_and(|(name, _)| is_collection_name(name));
                let (name, version) = match line.split_once(':') {
                    Some((name, version)) if is_name => (name, Some(version)),
                    _ => (line.as_str(), None),
                };
                (name, None, None, version)
            }
            Value::Object(fields) => (
                text(fields, "name").unwrap_or_default(),
                text(fields, "source"),
                text(fields, "type"),
                text(fields, "version"),
            ),
            _ => return Err(self.refuse("a collection is a name, or a map with a name")),
        };
        for value in [Some(name), source, version].into_iter().flatten() {
            self.check_plain(value)?;
        }
        let pointer = source.unwrap_or(name);
        match kind {
            Some("galaxy") => self.server(source)?,
            None if is_collection_name(name) => self.server(source)?,
            Some("git") => self.git(pointer)?,
            Some("url") => self.download(pointer)?,
            Some("file" | "dir" | "subdirs") => self.local(pointer)?,
            Some(other) => return Err(self.refuse(format!("{name}: {other:?} is no type of a collection's source"))),
            None if name.starts_with("git+") || name.starts_with("git@") => self.git(name)?,
            None if name.contains("://") => self.download(name)?,
            None if name.is_empty() => return Err(self.refuse("a collection has no name")),
            None => self.local(name)?,
        }
        Ok(if name.is_empty() { pointer } else { name }.to_owned())
    }

    /// A Galaxy server that a requirement names.
    fn server(&self, source: Option<&str>) -> Result<(), RequirementError> {
        let Some(source) = source else { return Ok(()) };
        let is_known = |server: &ServerAccess| {
            server.name == source || server.url.trim_end_matches('/') == source.trim_end_matches('/')
        };
        // A name that is not known may be one of the project's own `ansible.cfg`; else Ansible refuses it.
        if self.servers.iter().any(is_known) || source.starts_with("https://") || !source.contains("://") {
            return Ok(());
        }
        Err(self.refuse(format!(
            "the Galaxy server {source} is reached without encryption and is not one of Admiral's; if it is to be trusted, add it \
             with `admiral galaxy-servers add`"
        )))
    }

    fn git(&self, url: &str) -> Result<(), RequirementError> {
        let url = url.strip_prefix("git+").unwrap_or(url);
        // `ansible-galaxy` cuts the folder and the version off: `URL#/folder/,version`.
        let url = url.split(['#', ',']).next().unwrap_or_default();
        GitUrl::parse(url)
            .map(drop)
            .map_err(|problem| self.refuse(format!("an address of a git repository {problem}")))
    }

    fn download(&self, url: &str) -> Result<(), RequirementError> {
        if url.starts_with("https://") {
            return Ok(());
        }
        Err(self.refuse(format!("{url}: only https is downloaded from")))
    }

    fn local(&mut self, path: &str) -> Result<(), RequirementError> {
        let inner = self.in_package(path)?;
        if !self.has(&inner) {
            return Err(self.refuse(format!("{path:?} is no file or folder of the package")));
        }
        self.local.insert(inner);
        Ok(())
    }

    fn is_file(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Whether a file or a folder is there.
    fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files
            .iter()
            .any(|file| file.path == path || file.path.starts_with(&folder))
    }

    fn in_package(&self, path: &str) -> Result<String, RequirementError> {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(self.leads_out(path));
                    }
                }
                part => parts.push(part),
            }
        }
        if parts.is_empty() || path.starts_with(['/', '~']) || path.contains('$') {
            return Err(self.leads_out(path));
        }
        Ok(parts.join("/"))
    }

    fn leads_out(&self, path: &str) -> RequirementError {
        self.refuse(format!("{path:?} leads out of the package"))
    }

    /// Nothing that a program could take for an option, or for more than one line.
    fn check_plain(&self, value: &str) -> Result<(), RequirementError> {
        if value.starts_with('-') || value.chars().any(char::is_control) {
            return Err(self.refuse(format!("{value:?} begins with a dash or holds a control character")));
        }
        Ok(())
    }

    fn refuse(&self, problem: impl Into<String>) -> RequirementError {
        RequirementError {
            path: self.path.to_owned(),
            problem: problem.into(),
        }
    }
}

/// As `ansible-galaxy` names a role after its source.
fn role_name(src: &str) -> &str {
    if !src.contains("://") && !src.contains('@') {
        return src.trim_start_matches("./").trim_end_matches('/');
    }
    let last = src.rsplit('/').next().unwrap_or(src);
    let last = last.strip_suffix(".git").unwrap_or(last);
    let last = last.strip_suffix(".tar.gz").unwrap_or(last);
    last.split(',').next().unwrap_or(last)
}

fn is_collection_name(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    text.split_once('.')
        .is_some_and(|(namespace, name)| is_word(namespace) && is_word(name))
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str).map(str::trim)
}

#[cfg(test)]
mod tests;
