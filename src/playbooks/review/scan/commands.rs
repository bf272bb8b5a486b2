//! The commands of a task, and which rules look at each of them.

use super::{Scan, destructive, downloads, exfiltration, secrets};
use crate::{
    domain::finding::Severity,
    playbooks::{
        review::shell::{self, Call, Dialect, Script},
        yaml::Node,
    },
};

/// No more of a script is read, in bytes.
const MAX_SCRIPT: usize = 256 * 1024;

/// What a rule says about a command.
pub(super) struct Remark {
    pub line: usize,
    pub severity: Severity,
    pub rule: &'static str,
    pub message: String,
}

/// What is known while a script is gone through, and what was found.
#[derive(Default)]
pub(super) struct Reading {
    /// The folder that the commands run in, where it is known.
    pub folder: Option<String>,
    /// Files that the script downloads: names without folders.
    pub downloaded: Vec<String>,
    /// The script checks what it downloads.
    pub verifies: bool,
    remarks: Vec<Remark>,
}

impl Reading {
    pub fn warn(&mut self, call: &Call<'_>, rule: &'static str, message: impl Into<String>) {
        self.remark(call, Severity::Warning, rule, message);
    }

    pub fn note(&mut self, call: &Call<'_>, rule: &'static str, message: impl Into<String>) {
        self.remark(call, Severity::Note, rule, message);
    }

    pub fn remark(&mut self, call: &Call<'_>, severity: Severity, rule: &'static str, message: impl Into<String>) {
        self.remarks.push(Remark {
            line: call.line,
            severity,
            rule,
            message: message.into(),
        });
    }
}

/// Judges every command that a task runs.
pub(super) fn judge(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    for (script, node) in scripts(scan) {
        let mut reading = Reading {
            folder: task.text(&["chdir", "_chdir"]).map(str::to_owned),
            verifies: downloads::verifies(&script),
            ..Reading::default()
        };
        shell::for_each_call(&script, &mut |call| {
            destructive::judge_call(call, &mut reading);
            secrets::judge_call(call, &mut reading);
            exfiltration::judge_call(call, &mut reading);
            downloads::judge_call(call, &mut reading);
        });
        for remark in reading.remarks {
            let line = node.line_of(remark.line);
            scan.findings.add(
                &scan.place.file,
                line,
                node.column,
                remark.severity,
                remark.rule,
                remark.message,
            );
        }
    }
}

/// The scripts of a task, each with the node that holds it.
fn scripts<'t>(scan: &Scan<'t, '_>) -> Vec<(Script, &'t Node)> {
    let task = scan.task;
    let (dialect, node) = match task.short() {
        "command" | "script" | "expect" => (Dialect::Words, task.free_or(&["cmd", "command"])),
        "shell" | "raw" => (dialect_of(task.text(&["executable"])), task.free_or(&["cmd"])),
        "win_shell" | "win_command" | "win_powershell" => (Dialect::Power, task.free_or(&["cmd", "script"])),
        "cron" => (Dialect::Posix, task.argument(&["job"])),
        "docker_container_exec" | "podman_container_exec" | "k8s_exec" => (Dialect::Words, task.argument(&["command"])),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    if let Some(node) = node
        && let Some(text) = node.value()
    {
        let end = text.floor_char_boundary(MAX_SCRIPT);
        found.push((shell::parse(&text[..end], dialect), node));
    }
    if let Some(argv) = task.argument(&["argv"]) {
        let words: Vec<&str> = argv.items().iter().filter_map(Node::text).collect();
        found.push((shell::from_words(&words), argv));
    }
    found
}

/// What `executable` reads; for something that is no shell, words at most.
fn dialect_of(executable: Option<&str>) -> Dialect {
    let name = executable.and_then(|path| path.rsplit('/').next()).unwrap_or("sh");
    match name {
        "pwsh" | "powershell" => Dialect::Power,
        name if name.ends_with("sh") => Dialect::Posix,
        _ => Dialect::Words,
    }
}
