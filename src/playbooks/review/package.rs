//! A package's files: what is there, what is in it, what it is promised from elsewhere.

use super::findings::Findings;
use crate::{
    domain::{finding::Severity, playbook::PlaybookFile},
    playbooks::{
        paths::join,
        yaml::{self, Node},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    rc::Rc,
};

/// A larger file is not looked into, in bytes.
const MAX_FILE: usize = 1024 * 1024;
/// No more than this is read as YAML, in bytes.
const MAX_TOTAL: usize = 16 * 1024 * 1024;
const VAULT_MARK: &[u8] = b"$ANSIBLE_VAULT;";

/// A package that is being looked through.
pub(super) struct Package<'a> {
    files: BTreeMap<&'a str, &'a PlaybookFile>,
    documents: HashMap<String, Option<Rc<Node>>>,
    read: usize,
    /// Folders below the root in which roles are looked for, besides `roles`.
    pub roles_path: Vec<String>,
    /// Roles are also looked for outside of the package.
    pub has_roles_outside: bool,
    /// Collections that are in the package, as `namespace.name`, and their folders.
    pub collections: BTreeMap<String, String>,
    /// Roles that the requirements name.
    pub required_roles: BTreeSet<String>,
    /// Collections that the requirements name.
    pub required_collections: BTreeSet<String>,
    /// The requirements name collections by an address alone: any may be among them.
    pub requires_unnamed: bool,
}

impl<'a> Package<'a> {
    /// Without anything that its requirements promise: [`super::requirements`] adds that.
    pub fn new(files: &'a [PlaybookFile]) -> Self {
        let mut package = Self {
            files: files.iter().map(|file| (file.path.as_str(), file)).collect(),
            documents: HashMap::new(),
            read: 0,
            roles_path: Vec::new(),
            has_roles_outside: false,
            collections: BTreeMap::new(),
            required_roles: BTreeSet::new(),
            required_collections: BTreeSet::new(),
            requires_unnamed: false,
        };
        for path in package.files.keys() {
            let parts: Vec<&str> = path.split('/').collect();
            let at = parts.iter().position(|part| *part == "ansible_collections");
            if let Some(at) = at.filter(|at| at + 3 < parts.len()) {
                let name = format!("{}.{}", parts[at + 1], parts[at + 2]);
                package.collections.insert(name, parts[..at + 3].join("/"));
            }
        }
        package.read_settings();
        package
    }

    /// What `ansible.cfg` says about where roles are.
    fn read_settings(&mut self) {
        let Some(file) = self.files.get("ansible.cfg") else {
            return;
        };
        let text = String::from_utf8_lossy(&file.content);
        let mut section = "";
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if section == "defaults"
                && let Some((name, value)) = line.split_once(['=', ':'])
                && name.trim() == "roles_path"
            {
                for folder in value.split(':').map(str::trim) {
                    if folder.starts_with(['/', '~', '$'])
                        && !folder.contains("/etc/ansible")
                        && !folder.contains("/usr/share/ansible")
                    {
                        self.has_roles_outside = true;
                    } else {
                        self.roles_path.push(join("", folder));
                    }
                }
            }
        }
    }

    /// All paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.files.keys().copied()
    }

    /// Whether there is a file at this path.
    pub fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether there is a file below this path.
    pub fn has_folder(&self, path: &str) -> bool {
        self.below(path).next().is_some()
    }

    /// Whether there is a file at or below this path.
    pub fn has(&self, path: &str) -> bool {
        self.has_file(path) || self.has_folder(path)
    }

    /// All files below a folder.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &'a str> {
        let start = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let from = (Bound::Included(start.as_str()), Bound::Unbounded);
        let found = self.files.range::<str, _>(from).map(|(path, _)| *path);
        found.take_while(move |path| path.starts_with(&start))
    }

    /// A document that was read already.
    pub fn known_document(&self, path: &str) -> Option<Rc<Node>> {
        self.documents.get(path)?.clone()
    }

    /// Whether a file is encrypted with `ansible-vault`.
    pub fn is_sealed(&self, path: &str) -> bool {
        self.files
            .get(path)
            .is_some_and(|file| file.content.starts_with(VAULT_MARK))
    }

    /// A file's content as YAML, read once; what is wrong with it is noted then. `None` when there is none or nothing in it, and for
    /// what `ansible-vault` encrypted.
    pub fn document(&mut self, path: &str, findings: &mut Findings) -> Option<Rc<Node>> {
        if let Some(known) = self.documents.get(path) {
            return known.clone();
        }
        let file = *self.files.get(path)?;
        let document = self.read(file, findings).map(Rc::new);
        self.documents.insert(path.to_owned(), document.clone());
        document
    }

    fn read(&mut self, file: &PlaybookFile, findings: &mut Findings) -> Option<Node> {
        if file.content.starts_with(VAULT_MARK) {
            return None;
        }
        if file.content.len() > MAX_FILE || self.read + file.content.len() > MAX_TOTAL {
            let message = if file.content.len() > MAX_FILE {
                "the file is larger than 1 MiB and was not looked into"
            } else {
                "the package holds more than 16 MiB of YAML, and this file was not looked into"
            };
            findings.at_file(&file.path, Severity::Note, "not_reviewed", message);
            return None;
        }
        self.read += file.content.len();
        match yaml::parse_bytes(&file.content) {
            Ok(document) => {
                for (name, line, column) in document.repeated_keys {
                    let message = format!("the key {name:?} is there already; Ansible takes the last one");
                    findings.add(&file.path, line, column, Severity::Warning, "duplicate_key", message);
                }
                document.root
            }
            // Ansible tries JSON first, which may be indented with tabs.
            Err(_) if serde_json::from_slice::<serde::de::IgnoredAny>(&file.content).is_ok() => None,
            Err(error) => {
                let severity = if error.disputed {
                    Severity::Warning
                } else {
                    Severity::Error
                };
                findings.add(&file.path, error.line, error.column, severity, "yaml", error.message);
                None
            }
        }
    }

    /// The text of a file, as far as it is one.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        std::str::from_utf8(&self.files.get(path)?.content).ok()
    }
}

/// Whether a path is that of a YAML file.
pub(super) fn is_yaml(path: &str) -> bool {
    matches!(path.rsplit_once('.'), Some((_, "yml" | "yaml")))
}
