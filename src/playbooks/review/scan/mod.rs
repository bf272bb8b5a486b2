//! The security scan: what a task would do that a reader should know of. It warns, and never says that something is safe.

mod commands;
mod destructive;
mod downloads;
mod exfiltration;
mod expressions;
mod no_log;
mod secrets;

pub(super) use expressions::templates;

use super::{findings::Findings, place::Place, task::Task};
use crate::{domain::finding::Severity, playbooks::yaml::Node};

/// Judges one task.
pub(super) fn task(task: &Task<'_>, place: &Place, findings: &mut Findings) {
    let mut scan = Scan {
        task,
        place,
        is_local: place.is_local || task.is_local,
        findings,
    };
    commands::judge(&mut scan);
    destructive::judge_module(&mut scan);
    secrets::judge_module(&mut scan);
    exfiltration::judge_module(&mut scan);
    downloads::judge_module(&mut scan);
    no_log::judge(&mut scan);
    expressions::judge(&mut scan);
}

/// One task that is being judged.
struct Scan<'a, 'f> {
    task: &'a Task<'a>,
    place: &'a Place,
    /// Whether it runs on the controller.
    is_local: bool,
    findings: &'f mut Findings,
}

impl Scan<'_, '_> {
    fn warn(&mut self, at: &Node, rule: &str, message: impl Into<String>) {
        self.place.add(self.findings, at, Severity::Warning, rule, message);
    }

    fn note(&mut self, at: &Node, rule: &str, message: impl Into<String>) {
        self.place.add(self.findings, at, Severity::Note, rule, message);
    }
}
