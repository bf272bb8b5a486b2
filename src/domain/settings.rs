//! What holds for all processes of an installation, and can be changed while they run.

use super::validation::{Invalid, Validator};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest time that events may be kept before they are kept for ever, in days.
pub const MAX_RETENTION_DAYS: u32 = 36_500;
/// Highest limit on runs; above it none is as good.
pub const MAX_RUNNING_RUNS: u32 = 10_000;

/// All settings. A setting that was never changed has its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// Events and output are removed after so many days (UTC); 0 keeps them for ever. Deployments and their hosts stay. 0 to 36500.
    pub retention_days: u32,
    /// Most runs at a time, of all workers together, 1 to 10000; null for no limit but each worker's own.
    pub max_running_runs: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention_days: 90,
            max_running_runs: None,
        }
    }
}

impl Settings {
    /// Names every field that is out of bounds.
    pub fn validate(&self) -> Result<(), Invalid> {
        let mut validator = Validator::new();
        validator.check(
            self.retention_days <= MAX_RETENTION_DAYS,
            "retention_days",
            "must be between 1 and 36500, or 0 to keep everything",
        );
        validator.check(
            self.max_running_runs
                .is_none_or(|runs| (1..=MAX_RUNNING_RUNS).contains(&runs)),
            "max_running_runs",
            "must be between 1 and 10000, or null for no limit",
        );
        validator.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_named() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let keep_for_ever = Settings {
            retention_days: 0,
            max_running_runs: Some(MAX_RUNNING_RUNS),
        };
        assert_eq!(keep_for_ever.validate(), Ok(()));
        let wrong = Settings {
            retention_days: MAX_RETENTION_DAYS + 1,
            max_running_runs: Some(0),
        };
        let fields: Vec<_> = wrong
            .validate()
            .unwrap_err()
            .errors
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(fields, ["retention_days", "max_running_runs"]);
    }
}
