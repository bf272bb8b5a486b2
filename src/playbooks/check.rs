//! All that can be said about a package before it runs: the review, Ansible's own syntax check of each playbook, `ansible-lint`.

use super::{
    ansible::{self, AnsibleTools, SyntaxContext, SyntaxError},
    lint,
    review::review,
};
use crate::{
    domain::{
        VersionId,
        finding::{Finding, LintOutcome, Severity},
        playbook::PlaybookFile,
    },
    runner::Seclusion,
};
use serde_json::{Map, Value};
use std::{collections::VecDeque, sync::Arc};

/// Playbooks whose syntax Ansible checks at most; each takes it a second or so.
const MAX_CHECKED: usize = 20;
const RULE: &str = "syntax";
/// Reports that are kept.
const MAX_KEPT: usize = 32;

/// What a check brought up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By path and line.
    pub findings: Vec<Finding>,
    /// Whether `ansible-lint` is among those who looked.
    pub lint: LintOutcome,
}

/// Reports of versions, which never change. One in which Ansible refused something is not kept: what is missing on the machine may be
/// there a moment later.
#[derive(Debug, Default)]
pub(super) struct Kept(VecDeque<(VersionId, Vec<String>, Report)>);

impl Kept {
    /// The report on these playbooks of a version.
    pub(super) fn find(&self, version: VersionId, entries: &[String]) -> Option<Report> {
        let mut kept = self.0.iter();
        kept.find(|(of, about, _)| *of == version && about == entries)
            .map(|(.., report)| report.clone())
    }

    /// Keeps a report that will hold.
    pub(super) fn keep(&mut self, version: VersionId, entries: Vec<String>, report: &Report) {
        let is_final =
            report.lint != LintOutcome::Failed && !report.findings.iter().any(|finding| finding.rule == RULE);
        if is_final {
            self.0.push_back((version, entries, report.clone()));
            if self.0.len() > MAX_KEPT {
                self.0.pop_front();
            }
        }
    }
}

/// Checks these playbooks of a package. Takes seconds: processes are run.
pub async fn check(
    tools: &AnsibleTools,
    seclusion: &Seclusion,
    files: Arc<[PlaybookFile]>,
    entries: Vec<String>,
) -> Result<Report, SyntaxError> {
    let mut findings = {
        let (files, entries) = (Arc::clone(&files), entries.clone());
        tokio::task::spawn_blocking(move || review(&files, &entries))
            .await
            .map_err(|error| SyntaxError::Broken(error.to_string()))?
    };
    for entry in entries.iter().take(MAX_CHECKED) {
        if !files.iter().any(|file| file.path == *entry) {
            continue;
        }
        let found = match syntax(tools, seclusion, &files, entry).await {
            Err(SyntaxError::Unavailable(reason)) => {
                findings.push(left_out(entry, &reason));
                break;
            }
            found => found?,
        };
        if let Some(finding) = found {
            // What the review has said already, with what to do about it.
            let is_known = findings.iter().any(|known| {
                known.severity == Severity::Error && (&known.path, known.line) == (&finding.path, finding.line)
                    || known.rule == "yaml" && known.path == finding.path
            });
            if !is_known {
                findings.push(finding);
            }
        }
    }
    if entries.len() > MAX_CHECKED {
        findings.push(Finding {
            path: entries[MAX_CHECKED].clone(),
            line: None,
            column: None,
            severity: Severity::Note,
            rule: RULE.to_owned(),
            message: format!(
                "Ansible checked the syntax of {MAX_CHECKED} playbooks; this and {} more are checked when they are launched",
                entries.len() - MAX_CHECKED - 1
            ),
        });
    }
    let (linted, lint) = lint::lint(tools, seclusion, &files, &entries).await;
    findings.extend(linted);
    findings.sort();
    findings.dedup();
    Ok(Report { findings, lint })
}

/// Says that only the review has looked at the playbook.
fn left_out(entry: &str, reason: &str) -> Finding {
    Finding {
        path: entry.to_owned(),
        line: None,
        column: None,
        severity: Severity::Warning,
        rule: RULE.to_owned(),
        message: format!(
            "Ansible did not check the syntax, because isolation is required and does not work here: {reason}"
        ),
    }
}

/// What Ansible says about one playbook; `None` when it is content.
async fn syntax(
    tools: &AnsibleTools,
    seclusion: &Seclusion,
    files: &[PlaybookFile],
    entry: &str,
) -> Result<Option<Finding>, SyntaxError> {
    let mut refusal = match ansible::syntax_check(tools, seclusion, files, entry, SyntaxContext::default()).await {
        Ok(()) => return Ok(None),
        Err(SyntaxError::Refused(message)) => message,
        Err(error) => return Err(error),
    };
    // A launch may give what `hosts` needs.
    let needed = super::review::variables_of_hosts(files, entry);
    if !needed.is_empty() {
        let values: Map<String, Value> = needed.into_iter().map(|name| (name, "localhost".into())).collect();
        let text = Value::Object(values).to_string();
        let context = SyntaxContext {
            extra_vars: Some(&text),
            ..SyntaxContext::default()
        };
        refusal = match ansible::syntax_check(tools, seclusion, files, entry, context).await {
            Ok(()) => return Ok(None),
            Err(SyntaxError::Refused(message)) => message,
            Err(error) => return Err(error),
        };
    }
    let mut finding = finding_of(&refusal, entry);
    if is_unmet_requirement(&refusal) && has_requirements(files) {
        finding.severity = Severity::Note;
        finding
            .message
            .push_str("; what the requirements name is installed before a run, and was not for this check");
    }
    Ok(Some(finding))
}

fn has_requirements(files: &[PlaybookFile]) -> bool {
    files.iter().any(|file| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        name == "requirements.yml" || name == "requirements.yaml"
    })
}

fn is_unmet_requirement(refusal: &str) -> bool {
    refusal.contains("couldn't resolve module/action")
        || refusal.contains("no vault secrets")
        || (refusal.contains("the role '") && refusal.contains("was not found"))
}

/// Ansible's words as a finding: the place that they name, or the playbook as a whole.
fn finding_of(refusal: &str, entry: &str) -> Finding {
    let (path, line, column) = place_of(refusal).unwrap_or((entry.to_owned(), None, None));
    let message = refusal
        .lines()
        .map(str::trim)
        .take_while(|line| {
            !line.starts_with("Origin:")
                && !line.starts_with("The error appears to")
                && !line.starts_with("The offending line")
        })
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    Finding {
        path,
        line,
        column,
        severity: Severity::Error,
        rule: RULE.to_owned(),
        message,
    }
}

/// `Origin: site.yml:5:3` since 2.19; `The error appears to be in 'site.yml': line 5, column 3, but …` before.
fn place_of(refusal: &str) -> Option<(String, Option<u32>, Option<u32>)> {
    refusal.lines().map(str::trim).find_map(|line| {
        if let Some(origin) = line.strip_prefix("Origin:") {
            let mut parts = origin.trim().rsplitn(3, ':');
            let column = parts.next()?.parse().ok();
            let line = parts.next()?.parse().ok()?;
            return Some((parts.next()?.to_owned(), Some(line), column));
        }
        let (_, rest) = line.strip_prefix("The error appears to")?.split_once('\'')?;
        let (path, rest) = rest.split_once("': line ")?;
        let (line, rest) = rest.split_once(", column ")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((path.to_owned(), line.parse().ok(), digits.parse().ok()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ansibles_words_are_put_in_their_place() {
        for (refusal, expected) in [
            (
                "couldn't resolve module/action 'x'. This often indicates a misspelling.\nOrigin: roles/a b/tasks/main.yml:5:3\n\n3\n4 - name: x\n",
                (
                    "roles/a b/tasks/main.yml",
                    Some(5),
                    Some(3),
                    "couldn't resolve module/action 'x'. This often indicates a misspelling.",
                ),
            ),
            (
                "'task' is not a valid attribute for a Play\n\nThe error appears to be in 'site.yml': line 2, column 3, but may\nbe elsewhere in the file depending on the exact syntax problem.\n\nThe offending line appears to be:\n\n- hosts: all\n",
                (
                    "site.yml",
                    Some(2),
                    Some(3),
                    "'task' is not a valid attribute for a Play",
                ),
            ),
            (
                "the role 'x' was not found in roles:.\n\nThe error appears to have been in 'it''s.yml': line 9, column 7, but may",
                ("it''s.yml", Some(9), Some(7), "the role 'x' was not found in roles:."),
            ),
            ("something else", ("entry.yml", None, None, "something else")),
        ] {
            let finding = finding_of(refusal, "entry.yml");
            assert_eq!(
                (
                    finding.path.as_str(),
                    finding.line,
                    finding.column,
                    finding.message.as_str()
                ),
                expected
            );
        }
    }
}
