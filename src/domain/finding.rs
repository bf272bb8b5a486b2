//! What a look at a playbook's files brought up.

use super::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

text_enum! {
    /// How much a finding weighs. None of them keeps a playbook from being saved.
    Severity {
        /// It cannot run: Ansible would refuse it.
        Error = "error",
        /// It may do what its reader does not expect.
        Warning = "warning",
        /// Worth knowing.
        Note = "note",
    }
}

text_enum! {
    /// What became of the look that `ansible-lint` should take.
    LintOutcome {
        /// It ran; what it found is among the findings.
        Ran = "ran",
        /// There is none beside Ansible, nor in `PATH`.
        NotInstalled = "not_installed",
        /// It did not come to an end, or its answer could not be read.
        Failed = "failed",
    }
}

/// One thing found in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The file, relative to the package.
    pub path: String,
    /// From 1; null when the file as a whole is meant.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
    /// How much it weighs.
    pub severity: Severity,
    /// Which rule found it: a stable word such as `pipe_to_shell`, `yaml`, `syntax`, `missing_role`, `lint.no-changed-when`.
    pub rule: String,
    /// What was found and why it matters, for people.
    pub message: String,
}
