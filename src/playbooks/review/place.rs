//! Where in a package something stands, and what holds there.

use super::findings::Findings;
use crate::{
    domain::finding::Severity,
    playbooks::{paths::parent, yaml::Node},
};
use std::rc::Rc;

/// What is said about hiding a task's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hiding {
    /// Nothing.
    Unsaid,
    /// `no_log` is on, or a template.
    On,
    /// `no_log` is off.
    Off,
}

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The file.
    pub file: Rc<str>,
    /// The folder of the playbook that leads here.
    pub playbook_folder: Rc<str>,
    /// The folder of the role that it belongs to.
    pub role: Option<Rc<str>>,
    /// Folders of the files that include this one.
    pub includers: Rc<[String]>,
    /// Collections in which short names are looked for.
    pub collections: Rc<[String]>,
    /// Whether output is hidden here.
    pub hiding: Hiding,
    /// Whether tasks run on the controller.
    pub is_local: bool,
}

impl Place {
    /// In a playbook, before any play.
    pub fn of_playbook(path: &str) -> Self {
        Self {
            file: path.into(),
            playbook_folder: parent(path).into(),
            role: None,
            includers: Rc::default(),
            collections: Rc::default(),
            hiding: Hiding::Unsaid,
            is_local: false,
        }
    }

    /// Within a play, a block, a task or a role's entry: what its keywords change.
    pub fn within(&self, node: &Node) -> Self {
        let mut place = self.clone();
        if let Some(value) = node.get("no_log") {
            place.hiding = if value.truth() == Some(false) {
                Hiding::Off
            } else {
                Hiding::On
            };
        }
        if let Some(value) = node.get("collections") {
            let own = value
                .items_or_self()
                .iter()
                .filter_map(|name| name.value().map(str::to_owned));
            place.collections = own.chain(self.collections.iter().cloned()).collect();
        }
        let is_controller = |host: &str| matches!(host.trim(), "localhost" | "127.0.0.1" | "::1");
        if let Some(connection) = node.get_text("connection") {
            place.is_local = matches!(connection, "local" | "ansible.builtin.local");
        }
        if let Some(host) = node.get_text("hosts") {
            place.is_local |= is_controller(host);
        }
        if let Some(host) = node.get_text("delegate_to") {
            place.is_local = is_controller(host);
        }
        place
    }

    /// In a file of tasks that is included from here.
    pub fn included(&self, file: &str) -> Self {
        let mut place = self.clone();
        let folder = parent(&self.file).to_owned();
        if !self.includers.contains(&folder) && self.includers.len() < 16 {
            place.includers = self.includers.iter().cloned().chain([folder]).collect();
        }
        place.file = file.into();
        place
    }

    /// In a file of a role that is used from here.
    pub fn in_role(&self, folder: &str, file: &str) -> Self {
        Self {
            file: file.into(),
            role: Some(folder.into()),
            includers: Rc::default(),
            ..self.clone()
        }
    }

    /// Notes something here.
    pub fn add(&self, findings: &mut Findings, at: &Node, severity: Severity, rule: &str, message: impl Into<String>) {
        findings.add(&self.file, at.line, at.column, severity, rule, message);
    }
}
