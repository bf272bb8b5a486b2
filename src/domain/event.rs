//! Events as stored: what the callback plugin wrote, and Admiral's own notes beside it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// One stored event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentEvent {
    /// 1, 2, 3 … within the deployment, without gaps.
    pub position: i64,
    /// When it happened, by the controller's clock.
    pub recorded_at: DateTime<Utc>,
    /// The callback's name (`runner_on_ok`), or one of Admiral's own: see [`own`].
    pub kind: String,
    /// The run that it comes from, by its slice; null for what is about the whole deployment.
    pub slice: Option<i32>,
    /// The host it is about.
    pub host: Option<String>,
    /// Ansible's uuid of the task.
    pub task_id: Option<String>,
    /// The play's name.
    pub play: Option<String>,
    /// The task's name.
    pub task: Option<String>,
    /// The line as it was written.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
}

/// Kinds that Admiral adds itself, so that every status can be folded again from the events.
pub mod own {
    /// Servers that the deployment needs are busy: `{"for": [number, …]}`.
    pub const DEPLOYMENT_WAITING: &str = "deployment_waiting";
    /// A worker began the deployment's first run.
    pub const DEPLOYMENT_STARTED: &str = "deployment_started";
    /// Somebody asked to cancel: `{"by", "force"}`.
    pub const CANCEL_REQUESTED: &str = "cancel_requested";
    /// Trouble that did not stop the run: `{"message"}`.
    pub const WARNING: &str = "warning";
    /// A worker began one of several runs: `{"slice", "isolation"}`.
    pub const RUN_STARTED: &str = "run_started";
    /// One of several runs ended, and others go on: `{"slice", "status", "reason", "message"}`.
    pub const RUN_FINISHED: &str = "run_finished";
    /// The end: `{"status", "reason", "message"}`.
    pub const DEPLOYMENT_FINISHED: &str = "deployment_finished";
}
