//! What in a playbook Mitogen cannot do, as far as its YAML tells. Pure.
//!
//! From Mitogen's own list of differences: become methods but `sudo`, `su` and `doas`; strategies of other plugins; modules of
//! the style that Ansible calls *module replacer*; connections through other connections (`mitogen_via`), whose host keys nobody
//! would check. A value that is a template is only known when the play runs; then Mitogen says so itself. Connection plugins that
//! it does not know are no obstacle: it leaves such hosts and tasks to Ansible.

use super::{
    paths::{join, parent},
    yaml,
};
use crate::domain::playbook::PlaybookFile;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Strategies that run accelerated, and those of Ansible's own that a play names in full to run without.
const ACCELERATED: [&str; 10] = [
    "linear",
    "free",
    "host_pinned",
    "ansible.legacy.linear",
    "ansible.legacy.free",
    "ansible.legacy.host_pinned",
    "mitogen",
    "mitogen_linear",
    "mitogen_free",
    "mitogen_host_pinned",
];
const STOCK: [&str; 3] = [
    "ansible.builtin.linear",
    "ansible.builtin.free",
    "ansible.builtin.host_pinned",
];
const BECOME_METHODS: [&str; 6] = [
    "sudo",
    "su",
    "doas",
    "ansible.builtin.sudo",
    "ansible.builtin.su",
    "community.general.doas",
];
/// Marks a module into which Ansible pastes its own code.
const MODULE_REPLACER: &str = "#<<INCLUDE_ANSIBLE_MODULE_COMMON>>";
/// Files looked into for one playbook; what is in others shows when it runs.
const MAX_FILES: usize = 2000;

/// Says what stands in the way of Mitogen: one sentence fragment each, none when nothing does.
///
/// `variables` are those of servers and launch, each with the place it comes from; `becomes` says whether the launch itself asks
/// to become another user.
pub fn obstacles(
    files: &[PlaybookFile],
    entry_path: &str,
    variables: &[(String, &Map<String, Value>)],
    becomes: bool,
) -> Vec<String> {
    let mut survey = Survey {
        files: files.iter().map(|file| (file.path.as_str(), file)).collect(),
        read: HashSet::new(),
        modules: BTreeSet::new(),
        becomes,
        methods: BTreeSet::new(),
        obstacles: BTreeSet::new(),
    };
    survey.plays(entry_path);
    let beside = parent(entry_path);
    for name in ["group_vars/all.yml", "group_vars/all.yaml", "group_vars/all"] {
        let path = join(beside, name);
        if let Some(Value::Object(variables)) = survey.document(&path) {
            survey.variables(&variables, &path);
        }
    }
    for (place, variables) in variables {
        survey.variables(variables, place);
    }
    survey.judge_modules();
    let mut obstacles = survey.obstacles;
    if survey.becomes {
        obstacles.extend(survey.methods);
    }
    obstacles.into_iter().collect()
}

/// What has been seen so far.
struct Survey<'a> {
    files: BTreeMap<&'a str, &'a PlaybookFile>,
    read: HashSet<String>,
    /// The words that tasks begin with: modules, and the keywords of tasks.
    modules: BTreeSet<String>,
    becomes: bool,
    methods: BTreeSet<String>,
    obstacles: BTreeSet<String>,
}

impl Survey<'_> {
    /// A file's content, once; `None` when it is not there, was read already or is no YAML: Ansible says what is wrong with it.
    fn document(&mut self, path: &str) -> Option<Value> {
        let file = self.files.get(path)?;
        if self.read.len() >= MAX_FILES || !self.read.insert(path.to_owned()) {
            return None;
        }
        yaml::read_values(std::str::from_utf8(&file.content).ok()?)
    }

    fn plays(&mut self, path: &str) {
        let Some(Value::Array(plays)) = self.document(path) else {
            return;
        };
        for play in plays.iter().filter_map(Value::as_object) {
            if let Some(imported) = text(play, &["import_playbook", "ansible.builtin.import_playbook"]) {
                self.plays(&join(parent(path), imported));
                continue;
            }
            let name = text(play, &["name"]).or(text(play, &["hosts"])).unwrap_or("a play");
            match text(play, &["strategy"]) {
                Some(stock) if STOCK.contains(&stock) => continue,
                Some(other) if !is_template(other) && !ACCELERATED.contains(&other) => {
                    self.obstacles.insert(format!(
                        "the play {name:?} has the strategy {other}, which Mitogen does not have"
                    ));
                }
                _ => {}
            }
            self.keywords(play, &format!("the play {name:?}"));
            for role in list(play, "roles") {
                self.role_entry(role, path);
            }
            for tasks in ["pre_tasks", "tasks", "post_tasks", "handlers"] {
                self.tasks(list(play, tasks), path);
            }
        }
    }

    fn tasks(&mut self, tasks: &[Value], path: &str) {
        for task in tasks.iter().filter_map(Value::as_object) {
            let name = text(task, &["name"]).unwrap_or("a task");
            self.keywords(task, &format!("{name:?} in {path}"));
            for (key, value) in task {
                let action = key
                    .trim_start_matches("ansible.builtin.")
                    .trim_start_matches("ansible.legacy.");
                self.modules.insert(action.to_owned());
                let named = |field: &str| value.as_object().and_then(|arguments| text(arguments, &[field]));
                match action {
                    "block" | "rescue" | "always" => self.tasks(list(task, key), path),
                    "include_tasks" | "import_tasks" => {
                        if let Some(file) = value.as_str().or(named("file")) {
                            self.task_file(file, path);
                        }
                    }
                    "include_role" | "import_role" => {
                        if let Some(role) = named("name") {
                            self.role(role, path);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// A file of tasks, looked for beside the one that includes it, where its role keeps tasks, and beside the playbook.
    fn task_file(&mut self, file: &str, from: &str) {
        let folders = [
            parent(from).to_owned(),
            join(parent(parent(from)), "tasks"),
            String::new(),
        ];
        for folder in folders {
            let path = join(&folder, file);
            if let Some(Value::Array(tasks)) = self.document(&path) {
                self.tasks(&tasks, &path);
            }
        }
    }

    fn role_entry(&mut self, role: &Value, path: &str) {
        match role {
            Value::String(name) => self.role(name, path),
            Value::Object(entry) => {
                if let Some(name) = text(entry, &["role", "name"]) {
                    self.keywords(entry, &format!("the role {name:?}"));
                    self.role(name, path);
                }
            }
            _ => {}
        }
    }

    /// All of a role's tasks and handlers: which of its files are used is only known when it runs.
    fn role(&mut self, name: &str, from: &str) {
        if is_template(name) {
            return;
        }
        let mut folders = vec![
            join(parent(from), &format!("roles/{name}")),
            join(parent(from), name),
            format!("roles/{name}"),
        ];
        // Another role's neighbour.
        if let Some((roles, _)) = from.rsplit_once("/tasks/").and_then(|(role, _)| role.rsplit_once('/')) {
            folders.push(format!("{roles}/{name}"));
        }
        if let [namespace, collection, role] = name.split('.').collect::<Vec<_>>().as_slice() {
            let tail = format!("collections/ansible_collections/{namespace}/{collection}/roles/{role}");
            folders.extend([join(parent(from), &tail), tail]);
        }
        for folder in folders {
            let within: Vec<String> = self
                .files
                .range(format!("{folder}/").as_str()..)
                .map(|(path, _)| (*path).to_owned())
                .take_while(|path| path.starts_with(&format!("{folder}/")))
                .collect();
            for path in within {
                let part = path[folder.len() + 1..]
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let place = format!("the role {name:?}");
                match (part.as_str(), self.document(&path)) {
                    ("tasks" | "handlers", Some(Value::Array(tasks))) => self.tasks(&tasks, &path),
                    ("defaults" | "vars", Some(Value::Object(variables))) => self.variables(&variables, &place),
                    ("meta", Some(Value::Object(meta))) => {
                        for role in list(&meta, "dependencies") {
                            self.role_entry(role, &path);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// What holds for plays, blocks, tasks and roles alike.
    fn keywords(&mut self, of: &Map<String, Value>, place: &str) {
        self.becomes |= of.get("become").is_some_and(may_be_true);
        if let Some(method) = text(of, &["become_method"]) {
            self.method(method, place);
        }
        if let Some(Value::Object(variables)) = of.get("vars") {
            self.variables(variables, place);
        }
    }

    fn variables(&mut self, variables: &Map<String, Value>, place: &str) {
        self.becomes |= variables.get("ansible_become").is_some_and(may_be_true);
        if let Some(method) = text(variables, &["ansible_become_method"]) {
            self.method(method, place);
        }
        if variables.contains_key("mitogen_via") {
            self.obstacles.insert(format!(
                "{place} sets mitogen_via, and the host keys of servers behind another one are not checked"
            ));
        }
    }

    fn method(&mut self, method: &str, place: &str) {
        if !is_template(method) && !BECOME_METHODS.contains(&method) {
            self.methods.insert(format!(
                "{place} becomes another user with {method}; Mitogen can do sudo, su and doas"
            ));
        }
    }

    fn judge_modules(&mut self) {
        for (path, file) in &self.files {
            let Some((folder, name)) = path.rsplit_once('/') else {
                continue;
            };
            let module = name.split('.').next().unwrap_or_default();
            let is_module = folder == "library" || folder.ends_with("/library");
            let is_replacer = || {
                String::from_utf8_lossy(&file.content)
                    .lines()
                    .any(|line| line.trim() == MODULE_REPLACER)
            };
            if is_module && self.modules.contains(module) && is_replacer() {
                self.obstacles.insert(format!(
                    "the module {module} is of the old style that begins with {MODULE_REPLACER}, which Mitogen cannot run"
                ));
            }
        }
    }
}

fn text<'a>(map: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| map.get(*name)).and_then(Value::as_str)
}

fn list<'a>(map: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    map.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// A template may turn out either way.
fn may_be_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => is_template(text) || ["yes", "true", "on", "1"].contains(&text.to_lowercase().as_str()),
        Value::Number(number) => number.as_i64() == Some(1),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
