//! Each rule with what it must find, in which line, and what it must leave alone.

use super::*;
use crate::domain::finding::Severity;

mod clean;
mod commands;
mod hostile;
mod missing;
mod modules;

fn package(files: &[(&str, &str)]) -> Vec<PlaybookFile> {
    files
        .iter()
        .map(|(path, content)| PlaybookFile {
            path: (*path).to_owned(),
            mode: 0o644,
            content: content.as_bytes().to_vec(),
        })
        .collect()
}

/// `path:line severity rule` of every finding.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    shown(&review(&package(files), &[]))
}

/// Without the notes on variables that nothing defines: the samples use many.
fn shown(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .filter(|finding| finding.rule != "undefined_variable" || finding.severity != Severity::Note)
        .map(|finding| {
            let line = finding.line.map_or_else(String::new, |line| format!(":{line}"));
            format!("{}{line} {} {}", finding.path, finding.severity.as_str(), finding.rule)
        })
        .collect()
}

/// What is found in a task; its own lines are counted from 1.
fn in_task(task: &str) -> Vec<String> {
    let indented = task
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect::<Vec<_>>()
        .concat();
    let text = format!("- hosts: web\n  tasks:\n    - {}", indented.trim_start());
    found(&[("site.yml", &text)])
        .into_iter()
        .map(|line| {
            let rest = line.strip_prefix("site.yml:").unwrap_or(&line);
            let (number, rest) = rest.split_once(' ').unwrap();
            format!("{} {rest}", number.parse::<u32>().unwrap() - 2)
        })
        .collect()
}

/// What is found about a command line of `shell`, without the line's number, other than what `but` names.
fn in_shell(script: &str) -> Vec<String> {
    let task = format!(
        "shell: |\n{}",
        script
            .lines()
            .map(|line| format!("  {line}\n"))
            .collect::<Vec<_>>()
            .concat()
    );
    in_task(&task)
        .into_iter()
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect()
}
