//! `admiral playbooks check`.

use super::{
    failure::Hinted,
    options::GlobalOptions,
    output::{self, Format},
};
use crate::{
    domain::finding::{Finding, LintOutcome, Severity},
    playbooks::{
        self, Snapshot, ansible,
        check::{self, Report},
    },
    runner::{IsolationMode, Seclusion},
};
use anyhow::Context as _;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What is to be checked.
#[derive(Debug, clap::Args)]
pub struct CheckOptions {
    /// A playbook, or a folder with playbooks, roles and all that belongs to them
    #[arg(value_name = "PLAYBOOK|FOLDER")]
    path: PathBuf,
}

/// Prints what is found, one line each. The exit code is 1 when Ansible would refuse something.
pub async fn run(global: &GlobalOptions, options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let path = std::path::absolute(&options.path)?
        .canonicalize()
        .with_context(|| format!("failed to read {}", options.path.display()))?;
    let folder = if path.is_dir() { path.clone() } else { project_of(&path) };
    let root = folder.clone();
    let files = tokio::task::spawn_blocking(move || Snapshot::of_folder(&root))
        .await?
        .with_context(|| format!("failed to read {}", folder.display()))?
        .files;
    let entries: Vec<String> = if path.is_dir() {
        playbooks::find_entry_points(&files)
            .into_iter()
            .map(|(path, _)| path)
            .collect()
    } else {
        let entry = path.strip_prefix(&folder).unwrap_or(&path);
        vec![entry.to_str().context("the file's name is not UTF-8")?.to_owned()]
    };
    if entries.is_empty() {
        let what = format!("there is no playbook in {}", folder.display());
        return Err(Hinted::new(what, "a playbook is a list of plays, each with `hosts`").into());
    }
    let report = match ansible::discover(None).await {
        Ok(tools) => {
            // Somebody else may have written them.
            let seclusion = Seclusion::new(IsolationMode::detect().await, global.data_directory_path()?)
                .context("failed to make a folder for temporary files")?;
            check::check(&tools, &seclusion, files.into(), entries).await?
        }
        Err(error) => {
            output::say(&format!("Ansible's own syntax check is left out: {error}"));
            Report {
                findings: playbooks::review(&files, &entries),
                lint: LintOutcome::NotInstalled,
            }
        }
    };
    print(&report, global.output)?;
    let is_refused = report
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    Ok(ExitCode::from(u8::from(is_refused)))
}

/// The folder that a playbook's roles and files are below: that of its project's settings or repository, or else its own.
fn project_of(playbook: &Path) -> PathBuf {
    let own = playbook.parent().unwrap_or(playbook);
    let mut above = own.ancestors().take(4);
    let project = above.find(|folder| folder.join("ansible.cfg").is_file() || folder.join(".git").exists());
    project.unwrap_or(own).to_owned()
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(&json!({"data": report.findings, "lint": report.lint}))?,
        Format::Table => {
            for finding in &report.findings {
                output::line(&output::printable(&render(finding)))?;
            }
            output::say(&summary(report));
        }
    }
    Ok(())
}

/// `path:line:column: severity: message [rule]`, as far as the place is known.
fn render(finding: &Finding) -> String {
    let mut place = finding.path.clone();
    for number in [finding.line, finding.column].into_iter().flatten() {
        place.push(':');
        place.push_str(&number.to_string());
    }
    let place = if place.is_empty() {
        String::new()
    } else {
        format!("{place}: ")
    };
    format!(
        "{place}{}: {} [{}]",
        finding.severity.as_str(),
        finding.message,
        finding.rule
    )
}

fn summary(report: &Report) -> String {
    let count = |severity| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let shown = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let lint = match report.lint {
        LintOutcome::Ran => "",
        LintOutcome::NotInstalled => " (ansible-lint is not installed)",
        LintOutcome::Failed => " (ansible-lint gave no answer)",
    };
    format!(
        "{}, {}, {}{lint}",
        shown(count(Severity::Error), "error"),
        shown(count(Severity::Warning), "warning"),
        shown(count(Severity::Note), "note")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_that_editors_understand() {
        let mut finding = Finding {
            path: "roles/web/tasks/main.yml".to_owned(),
            line: Some(5),
            column: Some(3),
            severity: Severity::Warning,
            rule: "unpinned".to_owned(),
            message: "it moves".to_owned(),
        };
        assert_eq!(
            render(&finding),
            "roles/web/tasks/main.yml:5:3: warning: it moves [unpinned]"
        );
        (finding.line, finding.column) = (None, None);
        assert_eq!(
            render(&finding),
            "roles/web/tasks/main.yml: warning: it moves [unpinned]"
        );
        finding.path.clear();
        assert_eq!(render(&finding), "warning: it moves [unpinned]");
        let report = Report {
            findings: vec![finding],
            lint: LintOutcome::NotInstalled,
        };
        assert_eq!(
            summary(&report),
            "0 errors, 1 warning, 0 notes (ansible-lint is not installed)"
        );
    }

    #[test]
    fn a_playbooks_project_is_where_its_settings_are() {
        let folder = tempfile::tempdir().unwrap();
        let playbooks = folder.path().join("playbooks");
        std::fs::create_dir(&playbooks).unwrap();
        assert_eq!(project_of(&playbooks.join("site.yml")), playbooks);
        std::fs::write(folder.path().join("ansible.cfg"), "").unwrap();
        assert_eq!(project_of(&playbooks.join("site.yml")), folder.path());
    }
}
