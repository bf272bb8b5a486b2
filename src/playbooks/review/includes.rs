//! Files of tasks that tasks name.

use super::{
    jinja, lookup,
    package::is_yaml,
    place::Place,
    task::Task,
    walk::{Job, Walk, is_elsewhere},
};
use crate::{
    domain::finding::Severity,
    playbooks::{
        outline,
        paths::{join, parent},
        yaml::Node,
    },
};

impl Walk<'_> {
    pub fn include(&mut self, task: &Task<'_>, file: &Node, place: &Place) {
        let Some(text) = file.value().map(str::trim) else {
            return;
        };
        if jinja::is_template(text) {
            self.is_dynamic = true;
            self.include_any(text, file, place);
            return;
        }
        if is_elsewhere(text) {
            return;
        }
        for folder in lookup::task_folders(place) {
            // Parameters may follow the name.
            let names = [text, text.split_whitespace().next().unwrap_or_default()];
            let found = names.map(|name| join(&folder, name));
            if let Some(path) = found.into_iter().find(|path| self.package.has_file(path)) {
                self.queue.push_back(Job::Tasks(place.included(&path)));
                return;
            }
        }
        let severity = if task.short() == "import_tasks" {
            Severity::Error
        } else {
            Severity::Warning
        };
        let message = format!("there is no file of tasks {text}");
        place.add(&mut self.findings, file, severity, "missing_file", message);
    }

    /// An expression may name any file of tasks in its folder.
    fn include_any(&mut self, text: &str, at: &Node, place: &Place) {
        let (folders, text) = match within_package(text, place) {
            Some((folder, rest)) => (vec![folder], rest),
            None => (lookup::task_folders(place), text),
        };
        let fixed = text.split('{').next().unwrap_or_default();
        for folder in folders {
            if !jinja::is_template(text) && self.package.has_file(&join(&folder, text)) {
                self.queue.push_back(Job::Tasks(place.included(&join(&folder, text))));
                continue;
            }
            let folder = join(&folder, parent(fixed));
            if fixed.is_empty() && folder.is_empty() {
                let message =
                    "which file this names is only known when it runs, and it may be one that was not looked into";
                place.add(&mut self.findings, at, Severity::Note, "not_reviewed", message);
                continue;
            }
            let candidates: Vec<String> = self
                .package
                .below(&folder)
                .filter(|path| is_yaml(path) && parent(path) == folder)
                .map(str::to_owned)
                .collect();
            for path in candidates {
                let is_playbook = self.package.text(&path).is_some_and(outline::is_playbook);
                let is_list = || {
                    let text = self.package.text(&path).unwrap_or_default();
                    let first = text
                        .lines()
                        .map(str::trim_start)
                        .find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("---"));
                    first.is_some_and(|line| line.starts_with("- "))
                };
                if !is_playbook && is_list() {
                    self.queue.push_back(Job::Tasks(place.included(&path)));
                }
            }
        }
    }

    pub fn tasks_from(&mut self, task: &Task<'_>, folder: &str, place: &Place, severity: Severity) {
        for (argument, part) in [
            ("tasks_from", "tasks"),
            ("vars_from", "vars"),
            ("defaults_from", "defaults"),
            ("handlers_from", "handlers"),
        ] {
            let Some(node) = task.argument(&[argument]) else {
                continue;
            };
            let Some(name) = node.value().filter(|name| !jinja::is_template(name)) else {
                continue;
            };
            let path = join(folder, &format!("{part}/{name}"));
            let exists = ["", ".yml", ".yaml", ".json"]
                .iter()
                .any(|ending| self.package.has(&format!("{path}{ending}")));
            if !exists {
                let message = format!("the role has no file {part}/{name}");
                place.add(&mut self.findings, node, severity, "missing_file", message);
            }
        }
    }
}

/// The folder of the package that a path begins with as an expression, and the rest of the path.
fn within_package<'a>(text: &'a str, place: &Place) -> Option<(String, &'a str)> {
    let (expression, rest) = text.strip_prefix("{{")?.split_once("}}")?;
    let folder = match expression.trim() {
        "playbook_dir" => &place.playbook_folder,
        "role_path" => place.role.as_ref()?,
        _ => return None,
    };
    Some((folder.to_string(), rest.strip_prefix('/')?))
}
