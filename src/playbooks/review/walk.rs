//! From the playbooks on to everything that they lead to, each file once.

use super::{
    findings::Findings,
    hosts, jinja,
    lookup::{self, RoleAt},
    package::{Package, is_yaml},
    place::{Hiding, Place},
    requirements, scan,
    task::Task,
    undefined,
};
use crate::{
    domain::finding::{Finding, Severity},
    playbooks::{
        outline,
        paths::{join, parent},
        yaml::Node,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    rc::Rc,
};

/// Parts of paths below which nothing is Ansible's to read.
const FOREIGN: [&str; 6] = ["files", "templates", "molecule", "node_modules", "docs", "tests"];
const IMPORTS: [&str; 2] = ["import_playbook", "ansible.builtin.import_playbook"];

/// What is still to be looked at.
pub(super) enum Job {
    /// A playbook, with the variables that are given to it.
    Playbook(String, Rc<BTreeSet<String>>),
    /// A file of tasks or handlers.
    Tasks(Place),
    /// A role's folder, used from a place.
    Role(String, Place),
}

/// A file that a task names, to be looked for once it is known which roles use which.
pub(super) struct Wanted {
    pub place: Place,
    pub folder: &'static str,
    pub path: String,
    pub line: u32,
    pub column: u32,
}

/// One look through a package.
pub(super) struct Walk<'a> {
    pub package: Package<'a>,
    pub findings: Findings,
    pub queue: VecDeque<Job>,
    seen: HashSet<String>,
    /// A file or a role is named by an expression: any may be meant.
    pub is_dynamic: bool,
    /// Role folder → folders of the roles that use it.
    pub users: BTreeMap<String, BTreeSet<String>>,
    pub wanted: Vec<Wanted>,
    /// Collections that were missed already.
    pub missed: BTreeSet<String>,
}

/// Looks through all that the entries lead to, or through everything when there are none.
pub(super) fn walk(package: Package<'_>, entries: &[String]) -> Vec<Finding> {
    let mut walk = Walk {
        package,
        findings: Findings::default(),
        queue: VecDeque::new(),
        seen: HashSet::new(),
        is_dynamic: false,
        users: BTreeMap::new(),
        wanted: Vec::new(),
        missed: BTreeSet::new(),
    };
    requirements::read(&mut walk.package, &mut walk.findings);
    let all = walk.playbooks();
    let mut asked = BTreeSet::new();
    for entry in if entries.is_empty() { &all } else { entries } {
        let path = join("", entry);
        if walk.package.has_file(&path) {
            let given = Rc::new(hosts::form_fields(&walk.package, &path, &mut walk.findings));
            undefined::judge_form(&mut walk, &path, &given);
            asked.extend(given.iter().cloned());
            walk.queue.push_back(Job::Playbook(path, given));
        } else {
            walk.findings.at_file(
                &path,
                Severity::Error,
                "missing_file",
                "the package has no such playbook",
            );
        }
    }
    walk.work();
    if entries.is_empty() || walk.is_dynamic {
        walk.queue_the_rest();
        walk.work();
    }
    walk.variables();
    undefined::judge(&mut walk, &asked);
    lookup::settle(&mut walk);
    walk.findings.finish()
}

impl Walk<'_> {
    /// Every file that is a list of plays.
    fn playbooks(&self) -> Vec<String> {
        self.package
            .paths()
            .filter(|path| is_yaml(path) && !is_foreign(path) && !path.contains("roles/"))
            .filter(|path| self.package.text(path).is_some_and(outline::is_playbook))
            .map(str::to_owned)
            .collect()
    }

    fn work(&mut self) {
        while let Some(job) = self.queue.pop_front() {
            match job {
                Job::Playbook(path, given) => {
                    if self.seen.insert(format!("playbook {path}")) && !self.is_sealed(&path) {
                        self.playbook(&path, &given);
                    }
                }
                Job::Tasks(place) => {
                    if self.seen.insert(format!("tasks {}", place.file))
                        && !self.is_sealed(&place.file)
                        && let Some(document) = self.package.document(&place.file, &mut self.findings)
                    {
                        self.tasks(document.items(), &place);
                    }
                }
                Job::Role(folder, place) => {
                    if let Some(user) = &place.role {
                        self.users.entry(folder.clone()).or_default().insert(user.to_string());
                    }
                    if self.seen.insert(format!("role {folder}")) {
                        self.role(&folder, &place);
                    }
                }
            }
        }
    }

    /// Whether nobody can look into a file; that is noted.
    fn is_sealed(&mut self, path: &str) -> bool {
        let is_sealed = self.package.is_sealed(path);
        if is_sealed {
            let message = "it is encrypted with ansible-vault, and was not looked into";
            self.findings.at_file(path, Severity::Note, "not_reviewed", message);
        }
        is_sealed
    }

    /// Roles and files of tasks that nothing has led to.
    fn queue_the_rest(&mut self) {
        let mut roles = BTreeSet::new();
        let mut tasks = Vec::new();
        // The package may be a role itself.
        let is_role = self.package.has_file("meta/main.yml") && self.package.has_folder("tasks");
        if is_role {
            roles.insert(String::new());
        }
        for path in self.package.paths().filter(|path| !is_foreign(path)) {
            let parts: Vec<&str> = path.split('/').collect();
            let folders = &parts[..parts.len() - 1];
            let of_role = folders
                .iter()
                .position(|part| *part == "roles")
                .filter(|at| at + 1 < folders.len());
            if let Some(at) = of_role {
                roles.insert(parts[..at + 2].join("/"));
            } else if is_yaml(path) && !is_role && folders.iter().any(|part| *part == "tasks" || *part == "handlers") {
                tasks.push(path);
            }
        }
        for role in roles {
            self.queue.push_back(Job::Role(role, Place::of_playbook("")));
        }
        for path in tasks {
            self.queue.push_back(Job::Tasks(Place::of_playbook(path)));
        }
    }

    fn playbook(&mut self, path: &str, given: &Rc<BTreeSet<String>>) {
        let Some(document) = self.package.document(path, &mut self.findings) else {
            return;
        };
        let place = Place::of_playbook(path);
        if !document.is_sequence() {
            let message = "a playbook is a list of plays, each with `hosts`";
            place.add(&mut self.findings, &document, Severity::Error, "playbook", message);
        }
        for play in document.items() {
            if !play.is_mapping() {
                let message = "a play is a mapping with `hosts` and what to do there";
                place.add(&mut self.findings, play, Severity::Error, "playbook", message);
                continue;
            }
            let import = play
                .pairs()
                .iter()
                .find(|(key, _)| key.text().is_some_and(|key| IMPORTS.contains(&key)));
            if let Some((_, value)) = import {
                let vars = play.get("vars").map_or(&[][..], Node::pairs);
                let mut known = BTreeSet::clone(given);
                known.extend(vars.iter().filter_map(|(name, _)| name.text().map(str::to_owned)));
                self.import(value, &place, Rc::new(known));
            } else {
                self.play(play, &place, given);
            }
        }
    }

    fn import(&mut self, value: &Node, place: &Place, given: Rc<BTreeSet<String>>) {
        let Some(text) = value.value().map(str::trim) else {
            return;
        };
        if jinja::is_template(text) {
            self.is_dynamic = true;
            // Any may be meant.
            for path in self.playbooks() {
                self.queue.push_back(Job::Playbook(path, Rc::clone(&given)));
            }
            return;
        }
        let beside = |name| join(parent(&place.file), name);
        // Parameters may follow the name.
        let whole = self.package.has_file(&beside(text));
        let name = if whole {
            text
        } else {
            text.split_whitespace().next().unwrap_or_default()
        };
        let path = beside(name);
        if self.package.has_file(&path) {
            self.queue.push_back(Job::Playbook(path, given));
        } else if !lookup::is_qualified(name) {
            let message = format!("there is no playbook {path} to import");
            place.add(&mut self.findings, value, Severity::Error, "missing_file", message);
        }
    }

    fn play(&mut self, play: &Node, place: &Place, given: &BTreeSet<String>) {
        let place = place.within(play);
        if play.get("hosts").is_none() {
            let message = "this play says nothing about `hosts`";
            place.add(&mut self.findings, play, Severity::Error, "playbook", message);
        }
        hosts::judge(self, play, &place, given);
        self.collections_of(play, &place);
        if let Some(vars) = play.get("vars") {
            scan::templates(vars, &place, &mut self.findings);
        }
        for entry in play.get("vars_files").map_or(&[][..], Node::items_or_self) {
            self.vars_file(entry, &place);
        }
        for role in play.get("roles").map_or(&[][..], Node::items) {
            self.role_entry(role, &place);
        }
        for tasks in ["pre_tasks", "tasks", "post_tasks", "handlers"] {
            if let Some(tasks) = play.get(tasks) {
                self.tasks(tasks.items(), &place);
            }
        }
    }

    /// One entry of `vars_files`; a list names alternatives.
    fn vars_file(&mut self, entry: &Node, place: &Place) {
        let alternatives = entry.items_or_self();
        let texts: Vec<&str> = alternatives.iter().filter_map(Node::value).collect();
        if texts.is_empty() || texts.iter().any(|text| jinja::is_template(text) || is_elsewhere(text)) {
            return;
        }
        let mut exists = false;
        for text in &texts {
            for path in [
                join(parent(&place.file), text),
                join(parent(&place.file), &format!("vars/{text}")),
            ] {
                if self.package.has_file(&path) {
                    exists = true;
                    self.variables_file(&path, place);
                }
            }
        }
        if !exists {
            let message = format!("there is no file {}", texts.join(" or "));
            place.add(&mut self.findings, entry, Severity::Error, "missing_file", message);
        }
    }

    fn variables_file(&mut self, path: &str, place: &Place) {
        if self.seen.insert(format!("variables {path}"))
            && let Some(document) = self.package.document(path, &mut self.findings)
        {
            scan::templates(&document, &place.included(path), &mut self.findings);
        }
    }

    /// Reads variables that Ansible finds by itself.
    fn variables(&mut self) {
        let paths: Vec<String> = self
            .package
            .paths()
            .filter(|path| {
                let parts: Vec<&str> = path.split('/').collect();
                let (name, folders) = parts
                    .split_last()
                    .map_or(("", &[][..]), |(name, folders)| (*name, folders));
                let is_variables = folders
                    .iter()
                    .any(|part| ["group_vars", "host_vars", "vars"].contains(part));
                let is_data = is_yaml(path) || (!name.contains('.') && !folders.contains(&"vars"));
                is_variables && is_data && !is_foreign(path) && !folders.contains(&"roles")
            })
            .map(str::to_owned)
            .collect();
        for path in paths {
            self.variables_file(&path, &Place::of_playbook(&path));
        }
    }

    /// An entry of `roles` or of a role's dependencies.
    fn role_entry(&mut self, entry: &Node, place: &Place) {
        let named = entry.get("role").or(entry.get("name"));
        let at = named.unwrap_or(entry);
        let name = entry.value().or_else(|| named?.value());
        if let Some(name) = name {
            // `name,version` is what requirements look like, and dependencies once did.
            let name = name.split(',').next().unwrap_or_default().trim();
            self.use_role(name, at, &place.within(entry), Severity::Error);
        }
        if let Some(vars) = entry.get("vars") {
            scan::templates(vars, place, &mut self.findings);
        }
    }

    /// Goes on with a role, or notes that it is missing. Gives its folder.
    pub fn use_role(&mut self, name: &str, at: &Node, place: &Place, severity: Severity) -> Option<String> {
        if jinja::is_template(name) {
            self.is_dynamic = true;
            return None;
        }
        match lookup::role(&self.package, name, place) {
            RoleAt::Folder(folder) => {
                self.queue.push_back(Job::Role(folder.clone(), place.clone()));
                return Some(folder);
            }
            RoleAt::Elsewhere => {}
            RoleAt::Collection(collection) => self.miss_collection(&collection, at, place),
            RoleAt::Missing => {
                let message = format!("the role {name} is neither among the package's roles nor in a requirements.yml");
                place.add(&mut self.findings, at, severity, "missing_role", message);
            }
        }
        None
    }

    fn role(&mut self, folder: &str, place: &Place) {
        let files: Vec<String> = self.package.below(folder).map(str::to_owned).collect();
        let mut place = Place {
            // What a role's user hides is hidden; that it is shown elsewhere is another matter.
            hiding: if place.hiding == Hiding::On {
                Hiding::On
            } else {
                Hiding::Unsaid
            },
            ..place.in_role(folder, folder)
        };
        let meta = ["main.yml", "main.yaml"].iter().find_map(|name| {
            let path = join(folder, &format!("meta/{name}"));
            let document = self.package.document(&path, &mut self.findings)?;
            Some((path, document))
        });
        if let Some((path, meta)) = &meta {
            place = Place {
                file: path.as_str().into(),
                ..place.within(meta)
            };
            self.collections_of(meta, &place);
            for dependency in meta.get("dependencies").map_or(&[][..], Node::items) {
                self.role_entry(dependency, &place);
            }
        }
        for path in files {
            let within = path[folder.len()..].trim_start_matches('/');
            let part = within.split('/').next().unwrap_or_default();
            let place = Place {
                file: path.as_str().into(),
                ..place.clone()
            };
            match part {
                "tasks" | "handlers" if is_yaml(&path) => self.queue.push_back(Job::Tasks(place)),
                "defaults" | "vars" | "meta"
                    if is_yaml(&path) || !path.rsplit('/').next().is_some_and(|name| name.contains('.')) =>
                {
                    if let Some(document) = self.package.document(&path, &mut self.findings)
                        && part != "meta"
                    {
                        scan::templates(&document, &place, &mut self.findings);
                    }
                }
                _ => {}
            }
        }
    }

    fn tasks(&mut self, tasks: &[Node], place: &Place) {
        for node in tasks {
            if !node.is_mapping() {
                if !node.is_null() {
                    let message = "a task is a mapping with the name of a module";
                    place.add(&mut self.findings, node, Severity::Error, "playbook", message);
                }
                continue;
            }
            let within = place.within(node);
            self.collections_of(node, &within);
            if node.get("block").is_some() {
                for part in ["block", "rescue", "always"] {
                    self.tasks(node.get(part).map_or(&[][..], Node::items), &within);
                }
                if let Some(vars) = node.get("vars") {
                    scan::templates(vars, &within, &mut self.findings);
                }
                continue;
            }
            let Some(task) = Task::of(node) else {
                continue;
            };
            self.task(&task, &within);
        }
    }

    fn task(&mut self, task: &Task<'_>, place: &Place) {
        self.module_collection(task, place);
        scan::task(task, place, &mut self.findings);
        match task.short() {
            // A playbook of tasks.
            "include" | "include_tasks" | "import_tasks" => {
                if let Some(file) = task.free_or(&["file", "_raw_params"]) {
                    self.include(task, file, place);
                }
            }
            "include_role" | "import_role" => {
                if let Some(role) = task.argument(&["name", "role"]) {
                    let severity = if task.short() == "import_role" {
                        Severity::Error
                    } else {
                        Severity::Warning
                    };
                    let folder = role.value().and_then(|name| self.use_role(name, role, place, severity));
                    if let Some(folder) = folder {
                        self.tasks_from(task, &folder, place, severity);
                    }
                }
            }
            _ => lookup::sources(self, task, place),
        }
    }
}

/// Whether a path is none of the package's: absolute, or in a home.
pub(super) fn is_elsewhere(path: &str) -> bool {
    path.starts_with(['/', '~', '$']) || path.contains("://")
}

fn is_foreign(path: &str) -> bool {
    let folders = parent(path);
    folders
        .split('/')
        .any(|part| part.starts_with('.') || FOREIGN.contains(&part))
}
