//! What lies in a folder of playbooks: which packages, which playbooks, and whether anything has changed.

use super::{
    LibraryError,
    outline::{self, outline},
    snapshot::{self, Snapshot},
};
use crate::domain::playbook::Outline;
use std::{
    collections::BTreeSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Folders below a package's root that are looked into.
const MAX_FOLDERS: usize = 2;
/// What Ansible keeps beside playbooks: YAML, but no playbooks.
const NOT_PLAYBOOKS: &[&str] = &[
    "roles",
    "tasks",
    "vars",
    "group_vars",
    "host_vars",
    "templates",
    "files",
    "handlers",
    "defaults",
    "meta",
    "library",
    "collections",
    "node_modules",
    "__pycache__",
];
/// With this at its root, a folder is one project and not a collection of several: its settings hold for all of it.
const MARK_OF_A_PROJECT: &str = "ansible.cfg";

/// A package that lies in a folder.
#[derive(Debug)]
pub(super) struct FoundPackage {
    /// The top folder's name; empty for what lies beside the top folders.
    pub(super) name: String,
    /// Changes whenever one of its files does.
    pub(super) signature: u64,
    /// What is in it; `None` when it is as it was.
    pub(super) content: Option<Content>,
}

/// What a package holds.
#[derive(Debug)]
pub(super) struct Content {
    /// Its files, or why they cannot be taken over.
    pub(super) snapshot: Result<Snapshot, LibraryError>,
    /// Its playbooks.
    pub(super) playbooks: Vec<(String, Outline)>,
}

/// Looks into a folder. `known` tells what each package's signature was the last time, `is_busy` whether one is being written to:
/// such a package stays as it was.
pub(super) fn look(
    root: &Path,
    known: &dyn Fn(&str) -> Option<u64>,
    is_busy: &dyn Fn(&str, &BTreeSet<String>) -> bool,
) -> Vec<FoundPackage> {
    let Ok(root) = root.canonicalize() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut inspect = |name: &str, left_out: &BTreeSet<String>| {
        let signature = signature(&root, name, left_out);
        if known(name) == Some(signature) || is_busy(name, left_out) {
            found.push(FoundPackage {
                name: name.to_owned(),
                signature,
                content: None,
            });
            return;
        }
        let playbooks = find_playbooks(&root, name, left_out);
        if !playbooks.is_empty() {
            found.push(FoundPackage {
                name: name.to_owned(),
                signature,
                content: Some(Content {
                    snapshot: snapshot::take(&root, name, left_out),
                    playbooks,
                }),
            });
        }
    };
    if root.join(MARK_OF_A_PROJECT).exists() {
        inspect("", &BTreeSet::new());
        return found;
    }
    let tops: Vec<String> = top_folders(&root);
    let others = folders_of_others(&root, &tops);
    inspect("", &others);
    for top in &others {
        inspect(top, &BTreeSet::new());
    }
    found
}

fn top_folders(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        // No id can hold another name.
        .filter(|name| may_hold_playbooks(name) && snapshot::is_plain_path(name))
        .collect();
    names.sort();
    names
}

/// Top folders that are a package of their own: they have their own settings, or nothing at the root names files in them.
fn folders_of_others(root: &Path, tops: &[String]) -> BTreeSet<String> {
    let texts: Vec<String> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| read_yaml(&entry.ok()?.path()))
        .map(|content| String::from_utf8_lossy(&content).into_owned())
        .collect();
    let is_own =
        |top: &String| root.join(top).join(MARK_OF_A_PROJECT).exists() || !texts.iter().any(|text| mentions(text, top));
    tops.iter().filter(|top| is_own(top)).cloned().collect()
}

/// Name, size, times and identity of every file: no content is read.
fn signature(root: &Path, package: &str, left_out: &BTreeSet<String>) -> u64 {
    let mut signer = Signer {
        root,
        above: Vec::new(),
        visits: 0,
        hasher: DefaultHasher::new(),
    };
    signer.folder(&root.join(package), left_out);
    signer.hasher.finish()
}

struct Signer<'a> {
    root: &'a Path,
    /// Where the folders really are that lead to what is looked at.
    above: Vec<PathBuf>,
    visits: usize,
    hasher: DefaultHasher,
}

impl Signer<'_> {
    fn folder(&mut self, folder: &Path, left_out: &BTreeSet<String>) {
        let (Ok(real), Ok(entries)) = (folder.canonicalize(), snapshot::entries(folder)) else {
            return 0_u8.hash(&mut self.hasher);
        };
        // A link that leaves or leads back to itself is an error of the snapshot; nothing behind it matters.
        if !real.starts_with(self.root) || self.above.contains(&real) || self.above.len() > snapshot::MAX_DEPTH {
            return 2_u8.hash(&mut self.hasher);
        }
        self.above.push(real);
        for (path, name) in entries {
            if left_out.contains(&name) {
                continue;
            }
            self.visits += 1;
            if self.visits > snapshot::MAX_VISITS {
                break;
            }
            name.hash(&mut self.hasher);
            let Ok(metadata) = path.metadata() else {
                1_u8.hash(&mut self.hasher);
                continue;
            };
            if metadata.is_dir() {
                self.folder(&path, &BTreeSet::new());
            } else {
                let times = (
                    metadata.mtime(),
                    metadata.mtime_nsec(),
                    metadata.ctime(),
                    metadata.ctime_nsec(),
                );
                (metadata.len(), metadata.mode(), metadata.ino(), times).hash(&mut self.hasher);
            }
        }
        self.above.pop();
    }
}

/// The playbooks of a package by path. What cannot be read is left out: one bad file must not hide the others.
fn find_playbooks(root: &Path, package: &str, left_out: &BTreeSet<String>) -> Vec<(String, Outline)> {
    let mut found = Vec::new();
    walk(root, &root.join(package), "", 0, left_out, &mut found);
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn walk(
    root: &Path,
    folder: &Path,
    relative: &str,
    depth: usize,
    left_out: &BTreeSet<String>,
    found: &mut Vec<(String, Outline)>,
) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if depth == 0 && left_out.contains(&name) {
            continue;
        }
        let Ok(path) = entry.path().canonicalize() else {
            continue;
        };
        if !path.starts_with(root) {
            continue;
        }
        let relative = if relative.is_empty() {
            name.clone()
        } else {
            format!("{relative}/{name}")
        };
        if !snapshot::is_plain_path(&relative) {
            // No id can hold it.
            continue;
        }
        if path.is_dir() {
            if depth < MAX_FOLDERS && may_hold_playbooks(&name) {
                walk(root, &path, &relative, depth + 1, left_out, found);
            }
        } else if may_be_playbook(&name)
            && let Some(outline) = read_yaml(&path).and_then(|content| outline(&relative, &content))
        {
            found.push((relative, outline));
        }
    }
}

/// Whether a file may be a playbook, by its path within a package.
pub(super) fn may_be_entry_point(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let (folders, file) = parts.split_at(parts.len() - 1);
    folders.len() <= MAX_FOLDERS && folders.iter().all(|name| may_hold_playbooks(name)) && may_be_playbook(file[0])
}

/// Whether a folder may hold playbooks, by its name: it is not hidden, and means nothing of its own to Ansible.
pub(super) fn may_hold_playbooks(folder: &str) -> bool {
    !folder.starts_with('.') && !NOT_PLAYBOOKS.contains(&folder)
}

fn may_be_playbook(file: &str) -> bool {
    !file.starts_with('.') && (has_extension(file, "yml") || has_extension(file, "yaml"))
}

fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == extension)
}

/// What is in a YAML file, and not much more of it than is read as a playbook; `None` when it is something else.
fn read_yaml(path: &Path) -> Option<Vec<u8>> {
    let name = path.file_name()?.to_str()?;
    // Only a plain file: opening a pipe would wait for ever.
    if !path.metadata().ok()?.is_file() || !(has_extension(name, "yml") || has_extension(name, "yaml")) {
        return None;
    }
    let mut content = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(outline::MAX_BYTES as u64 + 1)
        .read_to_end(&mut content)
        .ok()?;
    Some(content)
}

/// Whether a playbook names files in this folder beside it, as `FOLDER/…`. What is said about it in comments does not count, nor
/// where the same name is a part of another path.
fn mentions(text: &str, folder: &str) -> bool {
    let name = format!("{folder}/");
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .any(|line| {
            line.match_indices(&name).any(|(at, _)| {
                let before = line[..at].trim_end_matches("./");
                let is_within = |c: char| c.is_alphanumeric() || "_-./~\\".contains(c);
                before.ends_with("}}/") || !before.ends_with(is_within)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_mentioned_where_a_path_begins_with_it() {
        for text in [
            "- import_playbook: app/site.yml",
            "  src: 'app/x'",
            "  src: ./app/x",
            "  copy: src=app/x dest=/y",
            "  src: \"{{ playbook_dir }}/app/x\"",
        ] {
            assert!(mentions(text, "app"), "{text}");
        }
        for text in [
            "  dest: /opt/app/x",
            "  dest: ~/app/x",
            "  src: webapp/x",
            "  src: ../app/x",
            "  url: https://example.com/app/x",
            "# see app/README",
            "  name: app",
        ] {
            assert!(!mentions(text, "app"), "{text}");
        }
    }
}
