//! What was found, put in order and kept within bounds.

use super::MAX_FINDINGS;
use crate::domain::finding::{Finding, Severity};
use std::collections::BTreeSet;

/// Held back at most while looking: more cannot be told apart by a reader, and must not fill the memory.
const MAX_HELD: usize = 20_000;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: BTreeSet<Finding>,
    left_out: usize,
}

impl Findings {
    /// Notes something about one place, each thing once.
    pub fn add(
        &mut self,
        path: &str,
        line: u32,
        column: u32,
        severity: Severity,
        rule: &str,
        message: impl Into<String>,
    ) {
        self.insert(Finding {
            path: path.to_owned(),
            line: Some(line),
            column: Some(column),
            severity,
            rule: rule.to_owned(),
            message: message.into(),
        });
    }

    /// Notes something about a file as a whole.
    pub fn at_file(&mut self, path: &str, severity: Severity, rule: &str, message: impl Into<String>) {
        self.insert(Finding {
            path: path.to_owned(),
            line: None,
            column: None,
            severity,
            rule: rule.to_owned(),
            message: message.into(),
        });
    }

    /// Notes what another reader found.
    pub fn insert(&mut self, finding: Finding) {
        let room = if finding.severity == Severity::Error {
            2 * MAX_HELD
        } else {
            MAX_HELD
        };
        if self.found.len() < room {
            self.found.insert(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// All of them by path and line, or as many as are wanted, the most serious ones first of all.
    pub fn finish(self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.found.into_iter().collect();
        let left_out = self.left_out + found.len().saturating_sub(MAX_FINDINGS);
        if found.len() > MAX_FINDINGS {
            // Stable: within a severity they stay in the order of the files.
            found.sort_by_key(|finding| weight(finding.severity));
            found.truncate(MAX_FINDINGS);
            found.sort();
        }
        if left_out > 0 {
            found.push(Finding {
                path: String::new(),
                line: None,
                column: None,
                severity: Severity::Note,
                rule: "left_out".to_owned(),
                message: format!("{left_out} more findings are left out"),
            });
        }
        found
    }
}

const fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Note => 2,
    }
}
