//! Runs: each is one `ansible-playbook` process, carrying out a deployment or a slice of it.

use super::{
    deployment::{DeploymentStatus, Reason},
    text_enum::text_enum,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// Where a run stands.
    RunStatus {
        /// Waits for a worker.
        Pending = "pending",
        /// A worker owns it.
        Running = "running",
        /// Ended and stored.
        Finished = "finished",
    }
}

/// One run of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Identifies the run.
    pub id: Uuid,
    /// Which part of the servers is its own, counted from 0.
    pub slice: i32,
    /// Where it stands.
    pub status: RunStatus,
    /// The name of the worker that carries it out, or did.
    pub worker: Option<String>,
    /// What stands between it and the machine that it runs on: an [`Isolation`](super::isolation::Isolation), or `bwrap` of earlier
    /// versions; null before it began.
    pub isolation: Option<String>,
    /// The exit code of `ansible-playbook`, when it exited.
    pub exit_code: Option<i32>,
    /// What became of it: `completed`, `failed`, `cancelled`; null before its end.
    pub outcome: Option<DeploymentStatus>,
    /// Why, unless it completed.
    pub reason: Option<Reason>,
    /// Why, in words.
    pub message: Option<String>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}
