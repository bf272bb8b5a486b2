//! Where Ansible looks for roles, files and collections, and what it will not find.

use super::{
    jinja,
    package::Package,
    place::Place,
    shell::{self, Dialect},
    task::Task,
    walk::{Walk, Wanted, is_elsewhere},
};
use crate::{
    domain::finding::Severity,
    playbooks::{
        paths::{join, parent},
        yaml::Node,
    },
};
use std::collections::BTreeSet;

/// Files that are looked for at most.
const MAX_WANTED: usize = 20_000;

/// Where a role is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RoleAt {
    /// In the package.
    Folder(String),
    /// Installed before a run, or where the package cannot tell.
    Elsewhere,
    /// In a collection that is not in the package.
    Collection(String),
    /// Nowhere.
    Missing,
}

/// Whether a name has at least three parts of plain letters: `namespace.collection.name`.
pub(super) fn is_qualified(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() >= 3
        && !matches!(parts.last(), Some(&("yml" | "yaml")))
        && parts.iter().all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}

/// `namespace.collection` of a qualified name.
fn collection_of(name: &str) -> Option<String> {
    let mut parts = name.splitn(3, '.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

/// Looks for a role as Ansible does.
pub(super) fn role(package: &Package<'_>, name: &str, place: &Place) -> RoleAt {
    if is_elsewhere(name) {
        return RoleAt::Elsewhere;
    }
    let playbook = &place.playbook_folder;
    let mut folders = vec![
        join(playbook, &format!("roles/{name}")),
        join("roles", name),
        join(playbook, name),
        join(parent(&place.file), &format!("roles/{name}")),
        join("playbooks/roles", name),
    ];
    if let Some(role) = &place.role {
        folders.insert(0, join(parent(role), name));
        folders.push(join(role, &format!("roles/{name}")));
    }
    folders.extend(package.roles_path.iter().map(|path| join(path, name)));
    if let Some(folder) = folders.into_iter().find(|folder| package.has_folder(folder)) {
        return RoleAt::Folder(folder);
    }
    if is_qualified(name) {
        let Some(collection) = collection_of(name) else {
            return RoleAt::Missing;
        };
        let rest = &name[collection.len() + 1..];
        return match package.collections.get(&collection) {
            Some(folder) => {
                let folder = format!("{folder}/roles/{}", rest.replace('.', "/"));
                if package.has_folder(&folder) {
                    RoleAt::Folder(folder)
                } else {
                    RoleAt::Missing
                }
            }
            None => RoleAt::Collection(collection),
        };
    }
    for collection in place.collections.iter() {
        match package.collections.get(collection) {
            Some(folder) => {
                let folder = format!("{folder}/roles/{name}");
                if package.has_folder(&folder) {
                    return RoleAt::Folder(folder);
                }
            }
            None if collection != "ansible.builtin" && collection != "ansible.legacy" => return RoleAt::Elsewhere,
            None => {}
        }
    }
    if package.required_roles.contains(name) || package.has_roles_outside {
        return RoleAt::Elsewhere;
    }
    RoleAt::Missing
}

/// Folders in which a file of tasks is looked for.
pub(super) fn task_folders(place: &Place) -> Vec<String> {
    let mut folders = vec![parent(&place.file).to_owned()];
    if let Some(role) = &place.role {
        folders.push(join(role, "tasks"));
        folders.push(join(role, "handlers"));
        folders.push(role.to_string());
    }
    folders.extend(place.includers.iter().cloned());
    folders.push(place.playbook_folder.to_string());
    folders.push(join(&place.playbook_folder, "tasks"));
    folders.dedup();
    folders
}

impl Walk<'_> {
    /// Notes a collection that a module of a task is in and the package does not bring along.
    pub(super) fn module_collection(&mut self, task: &Task<'_>, place: &Place) {
        if is_qualified(&task.module)
            && let Some(collection) = collection_of(&task.module)
        {
            self.miss_collection(&collection, task.place, place);
        }
    }

    /// Notes the collections that a play, a block or a role's meta names and the package does not bring along.
    pub(super) fn collections_of(&mut self, node: &Node, place: &Place) {
        for name in node.get("collections").map_or(&[][..], Node::items_or_self) {
            if let Some(collection) = name.value().filter(|name| name.split('.').count() == 2) {
                self.miss_collection(collection, name, place);
            }
        }
    }

    /// Notes, once, that a collection is neither in the package nor in its requirements.
    pub(super) fn miss_collection(&mut self, collection: &str, at: &Node, place: &Place) {
        let is_known = matches!(collection, "ansible.builtin" | "ansible.legacy")
            || jinja::is_template(collection)
            || self.package.requires_unnamed
            || self.package.collections.contains_key(collection)
            || self.package.required_collections.contains(collection);
        if !is_known && self.missed.insert(collection.to_owned()) {
            let message = format!(
                "the collection {collection} is neither in the package nor in a requirements.yml: it must be installed \
                 where runs are carried out"
            );
            place.add(&mut self.findings, at, Severity::Note, "missing_collection", message);
        }
    }
}

/// Notes the files that a task takes from the package, to be looked for at the end.
pub(super) fn sources(walk: &mut Walk<'_>, task: &Task<'_>, place: &Place) {
    let is_remote = task.is_true(&["remote_src"]);
    let (folder, node) = match task.short() {
        "template" | "win_template" => ("templates", task.argument(&["src"])),
        "copy" | "win_copy" | "unarchive" | "assemble" | "patch" if !is_remote => {
            // `assemble` takes its parts from the server unless it is told otherwise.
            if task.short() == "assemble" && !task.is_false(&["remote_src"]) {
                return;
            }
            ("files", task.argument(&["src"]))
        }
        "script" => ("files", task.free_or(&["cmd"])),
        "include_vars" => ("vars", task.free_or(&["file", "dir"])),
        _ => return,
    };
    let Some(node) = node else { return };
    let Some(text) = node.value() else { return };
    // Who expects it to fail need not be told.
    let may_fail = task.node.get("ignore_errors").and_then(Node::truth) == Some(true)
        || task.node.get("failed_when").and_then(Node::truth) == Some(false);
    if may_fail {
        return;
    }
    let command = shell::parse(text, Dialect::Words);
    let path = match task.short() {
        "script" => shell::first_word(&command),
        _ => text.trim(),
    };
    let is_plain = !path.is_empty() && !jinja::is_template(text) && !is_elsewhere(path) && !path.contains(['*', '\\']);
    if !is_plain || walk.wanted.len() >= MAX_WANTED {
        return;
    }
    walk.wanted.push(Wanted {
        place: place.clone(),
        folder,
        path: path.to_owned(),
        line: node.line,
        column: node.column,
    });
}

/// Looks for all files that tasks named.
pub(super) fn settle(walk: &mut Walk<'_>) {
    for wanted in std::mem::take(&mut walk.wanted) {
        let Wanted {
            place, folder, path, ..
        } = &wanted;
        let mut bases = vec![parent(&place.file).to_owned()];
        bases.extend(place.includers.iter().cloned());
        bases.push(place.playbook_folder.to_string());
        // A role also finds the files of the roles that use it.
        let mut open: Vec<String> = place.role.iter().map(ToString::to_string).collect();
        let mut seen = BTreeSet::new();
        while let Some(role) = open.pop() {
            if !seen.insert(role.clone()) {
                continue;
            }
            bases.push(join(&role, "tasks"));
            open.extend(walk.users.get(&role).into_iter().flatten().cloned());
            bases.push(role);
        }
        let exists = bases.iter().any(|base| {
            walk.package.has(&join(base, &format!("{folder}/{path}"))) || walk.package.has(&join(base, path))
        });
        if !exists {
            let message =
                format!("there is no {path} among the package's {folder}, nor beside the tasks or the playbook");
            walk.findings.add(
                &place.file,
                wanted.line,
                wanted.column,
                Severity::Warning,
                "missing_file",
                message,
            );
        }
    }
}
