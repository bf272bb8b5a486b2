//! Workers: the processes that carry runs out.

use super::{isolation::WorkerIsolation, text_enum::text_enum};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// What a process of Admiral does.
    ProcessRole {
        /// Answers the API and serves the console.
        Api = "api",
        /// Carries runs out.
        Worker = "worker",
        /// Does what is due from time to time.
        Scheduler = "scheduler",
    }
}

text_enum! {
    /// How a worker stands.
    WorkerStatus {
        /// Claims runs.
        Active = "active",
        /// Claims nothing more; its last runs go on.
        Draining = "draining",
        /// Claims nothing more, and has no run.
        Drained = "drained",
        /// Was not heard of for 15 seconds.
        Silent = "silent",
    }
}

/// A process that carries runs out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Worker {
    /// New at each start.
    pub id: Uuid,
    /// Its machine's name.
    pub name: String,
    /// How it stands.
    pub status: WorkerStatus,
    /// What its process does.
    pub roles: Vec<ProcessRole>,
    /// Runs that it has at present.
    pub runs: i64,
    /// Runs that it takes at a time.
    pub max_runs: i32,
    /// What it can put between a run and its machine.
    pub isolation: WorkerIsolation,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub heartbeat_at: DateTime<Utc>,
    /// Seconds since then, by the database's clock.
    pub heartbeat_age_seconds: i64,
    /// Since when it claims nothing more.
    pub draining_since: Option<DateTime<Utc>>,
}
