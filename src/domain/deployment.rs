//! Deployments, their runs and their rows: statuses, options, counters.

use super::{isolation::Controller, text_enum::text_enum, validation::Validator};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// Where a deployment stands.
    DeploymentStatus {
        /// Waits for a worker.
        Pending = "pending",
        /// Being carried out.
        Running = "running",
        /// Every host did all it had to.
        Completed = "completed",
        /// Something failed; the reason says what.
        Failed = "failed",
        /// Ended on request.
        Cancelled = "cancelled",
    }
}

impl DeploymentStatus {
    /// Nothing will change any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

text_enum! {
    /// Why a deployment ended as it did.
    Reason {
        /// At least one host failed.
        HostsFailed = "hosts_failed",
        /// At least one host was unreachable, and none failed.
        HostsUnreachable = "hosts_unreachable",
        /// The run took longer than its timeout.
        TimedOut = "timed_out",
        /// The run took more memory, processes or disk than it may.
        ResourceLimit = "resource_limit",
        /// The worker that carried it out disappeared.
        WorkerLost = "worker_lost",
        /// `ansible-playbook` itself ended with an error.
        PlaybookError = "playbook_error",
        /// The inventory could not be made.
        InventoryError = "inventory_error",
        /// The run could not be started.
        LaunchError = "launch_error",
        /// Somebody cancelled it.
        CancelledByUser = "cancelled_by_user",
    }
}

text_enum! {
    /// Where one host of a deployment stands.
    HostStatus {
        /// Not started.
        Pending = "pending",
        /// At work.
        Running = "running",
        /// Did all it had to.
        Success = "success",
        /// A task failed and nothing rescued it.
        Failed = "failed",
        /// Could not be reached.
        Unreachable = "unreachable",
        /// Ran no task at all.
        Skipped = "skipped",
        /// The deployment was cancelled before the host finished.
        Cancelled = "cancelled",
    }
}

impl HostStatus {
    /// Nothing will change any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

text_enum! {
    /// What a deployment carries out.
    DeploymentKind {
        /// A playbook of the library.
        Playbook = "playbook",
        /// One module, with its arguments.
        Adhoc = "adhoc",
        /// What somebody ran in a shell of theirs, and recorded.
        Recorded = "recorded",
    }
}

text_enum! {
    /// Where a deployment's variable has its value from.
    VariableSource {
        /// The form's default.
        Form = "form",
        /// The environment.
        Environment = "environment",
        /// The preset.
        Preset = "preset",
        /// Given at launch.
        Launch = "launch",
    }
}

text_enum! {
    /// What makes Ansible quicker than it is by itself.
    Accelerator {
        /// Nothing: Ansible as it is.
        None = "none",
        /// The Mitogen strategy plugins.
        Mitogen = "mitogen",
    }
}

/// How many results of each kind a host had, as Ansible's own recap counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counters {
    /// Tasks that succeeded, changed and ignored ones included.
    pub ok: i32,
    /// Tasks that changed something.
    pub changed: i32,
    /// Tasks that failed.
    pub failed: i32,
    /// Tasks that were skipped.
    pub skipped: i32,
    /// Failures that a `rescue` took care of.
    pub rescued: i32,
    /// Failures that were ignored.
    pub ignored: i32,
    /// Times the host was unreachable.
    pub unreachable: i32,
}

/// How many hosts of a deployment stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostCounts {
    /// All hosts.
    pub total: i32,
    /// Not started.
    pub pending: i32,
    /// At work.
    pub running: i32,
    /// Did all they had to.
    pub success: i32,
    /// Failed.
    pub failed: i32,
    /// Could not be reached.
    pub unreachable: i32,
    /// Ran no task.
    pub skipped: i32,
    /// Cancelled before they finished.
    pub cancelled: i32,
    /// Had at least one change.
    pub changed: i32,
}

impl std::ops::Sub for HostCounts {
    type Output = Self;

    /// What has changed since `before`.
    fn sub(self, before: Self) -> Self {
        Self {
            total: self.total - before.total,
            pending: self.pending - before.pending,
            running: self.running - before.running,
            success: self.success - before.success,
            failed: self.failed - before.failed,
            unreachable: self.unreachable - before.unreachable,
            skipped: self.skipped - before.skipped,
            cancelled: self.cancelled - before.cancelled,
            changed: self.changed - before.changed,
        }
    }
}

/// How a playbook is to be run, frozen at launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeploymentOptions {
    /// Hosts at a time, 1 to 500.
    pub forks: i32,
    /// Predict changes without making them.
    pub check: bool,
    /// Show differences in changed files.
    pub diff: bool,
    /// A host pattern that narrows the targets further.
    pub limit: Option<String>,
    /// Run only tasks with these tags.
    pub tags: Vec<String>,
    /// Leave out tasks with these tags.
    pub skip_tags: Vec<String>,
    /// Begin at the task of this name.
    pub start_at_task: Option<String>,
    /// 0 to 4: as many `-v`.
    pub verbosity: i32,
    /// Become another user (root unless said otherwise).
    #[serde(rename = "become")]
    pub become_: bool,
    /// Each run is ended after this many seconds, 1 to 604800.
    pub timeout_seconds: i32,
    /// The servers are shared out to this many runs side by side, 1 to 100; there are never more runs than servers.
    pub slices: i32,
    /// What makes Ansible quicker; null before the launch: as the playbook says.
    pub accelerator: Option<Accelerator>,
    /// Begin even while another deployment is at work on the same servers.
    pub allow_overlap: bool,
    /// Deployments of a higher priority begin first, -100 to 100; among equals the oldest.
    pub priority: i32,
    /// What the run may do to the machine that it runs on. Only admins launch with `writable`.
    pub controller: Controller,
    /// Folders of that machine that the run may write to although the rest is read-only, as absolute paths; at most 20. Only admins
    /// launch with any.
    pub writable_paths: Vec<String>,
}

/// Most runs that carry one deployment out.
pub const MAX_SLICES: i32 = 100;

impl Default for DeploymentOptions {
    fn default() -> Self {
        Self {
            forks: 50,
            check: false,
            diff: false,
            limit: None,
            tags: Vec::new(),
            skip_tags: Vec::new(),
            start_at_task: None,
            verbosity: 0,
            become_: false,
            timeout_seconds: 3600,
            slices: 1,
            accelerator: None,
            allow_overlap: false,
            priority: 0,
            controller: Controller::ReadOnly,
            writable_paths: Vec::new(),
        }
    }
}

impl DeploymentOptions {
    /// Notes what is out of bounds, under `options.…`.
    pub fn validate(&self, validator: &mut Validator) {
        validator.check(
            (1..=500).contains(&self.forks),
            "options.forks",
            "must be between 1 and 500",
        );
        validator.check(
            (0..=4).contains(&self.verbosity),
            "options.verbosity",
            "must be between 0 and 4",
        );
        validator.check(
            (1..=604_800).contains(&self.timeout_seconds),
            "options.timeout_seconds",
            "must be between 1 and 604800",
        );
        validator.check(
            (1..=MAX_SLICES).contains(&self.slices),
            "options.slices",
            "must be between 1 and 100",
        );
        // A limit may leave a slice without a host, which Ansible takes for an error.
        validator.check(
            self.slices <= 1 || self.limit.is_none(),
            "options.slices",
            "cannot be combined with a limit: choose fewer servers instead",
        );
        validator.check(
            (-100..=100).contains(&self.priority),
            "options.priority",
            "must be between -100 and 100",
        );
        let paths = &self.writable_paths;
        validator.check(
            paths.len() <= MAX_WRITABLE_PATHS && paths.iter().all(|path| is_plain_path(path)),
            "options.writable_paths",
            "must be at most 20 absolute paths of folders, without `..` and other than `/`, such as /srv/reports",
        );
        for (field, text) in [
            ("options.limit", &self.limit),
            ("options.start_at_task", &self.start_at_task),
        ] {
            if let Some(text) = text {
                let fits = !text.trim().is_empty() && text.len() <= 4096 && !text.contains(['\0', '\n']);
                validator.check(fits, field, "must be one line of 1 to 4096 bytes");
            }
        }
        for (field, tags) in [("options.tags", &self.tags), ("options.skip_tags", &self.skip_tags)] {
            let fits = tags.len() <= 100 && tags.iter().all(|tag| is_task_tag(tag));
            validator.check(
                fits,
                field,
                "must be at most 100 names without spaces or commas, of 1 to 200 bytes",
            );
        }
    }
}

/// Most folders of the controller that a run may write to.
const MAX_WRITABLE_PATHS: usize = 20;

fn is_plain_path(path: &str) -> bool {
    let mut parts = path
        .strip_prefix('/')
        .unwrap_or_default()
        .trim_end_matches('/')
        .split('/');
    path.len() <= 4096 && !path.contains(char::is_control) && parts.all(|part| !matches!(part, "" | "." | ".."))
}

fn is_task_tag(tag: &str) -> bool {
    (1..=200).contains(&tag.len())
        && !tag.starts_with('-')
        && !tag.contains([',', '\0'])
        && !tag.contains(char::is_whitespace)
}

/// Which servers a deployment was aimed at; the servers themselves are frozen as rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// These servers.
    ServerIds {
        /// At least one.
        server_ids: Vec<Uuid>,
    },
    /// Active servers that have all of these tags.
    Tags {
        /// At least one.
        tags: Vec<String>,
    },
    /// All active servers.
    All,
    /// The hosts of somebody's own inventory: of what was recorded in a shell.
    Recorded,
}

/// What an operator asked for, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// Identifies the deployment.
    pub id: Uuid,
    /// A short number for people.
    pub number: i64,
    /// Given at launch, or the playbook's name.
    pub name: String,
    /// Given at launch.
    pub description: Option<String>,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// Why it ended so; null unless it failed or was cancelled.
    pub reason: Option<Reason>,
    /// The reason in words.
    pub message: Option<String>,
    /// What it carries out.
    pub kind: DeploymentKind,
    /// The playbook's id in the library; of a command the module; of what was recorded the playbook's file, as it was named.
    pub playbook: String,
    /// The playbook among the version's files.
    pub entry_path: String,
    /// The version it ran; null for what has none.
    pub version: Option<DeployedVersion>,
    /// What was carried out that is no playbook of the library.
    pub command: Option<CommandLine>,
    /// The environment whose variables it has.
    pub environment: Option<String>,
    /// The preset it was launched with.
    pub preset: Option<String>,
    /// Where its variables have their values from.
    pub variable_sources: BTreeMap<String, VariableSource>,
    /// Names of the variables that are paths of files given at launch.
    pub file_variables: Vec<String>,
    /// Settings of the project's `ansible.cfg` that were not honoured.
    pub overridden_settings: Vec<OverriddenSetting>,
    /// Trouble that did not stop the run.
    pub warnings: Vec<String>,
    /// What it was aimed at.
    pub target: Target,
    /// Extra variables.
    #[schema(value_type = Object)]
    pub variables: Map<String, Value>,
    /// Names of the secret variables; their values are never shown.
    pub secret_variables: Vec<String>,
    /// Options of `ansible-playbook`.
    pub options: DeploymentOptions,
    /// How many hosts stand where.
    pub counts: HostCounts,
    /// Position of the latest event.
    pub event_position: i64,
    /// Bytes of output stored.
    pub output_bytes: i64,
    /// When cancelling was first asked for.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The deployment this one retries.
    pub retry_of: Option<Uuid>,
    /// Who launched it.
    pub created_by: Launcher,
    /// When it was launched.
    pub created_at: DateTime<Utc>,
    /// When its run began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What stood between its run and the machine that it ran on: an [`Isolation`](super::isolation::Isolation), or `bwrap` of earlier
    /// versions; null before it began.
    pub isolation: Option<String>,
    /// While it is pending: deployments at work on servers that it needs, or before it in the queue for them.
    pub waiting_for: Vec<WaitedFor>,
}

/// The version of a package that a deployment runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployedVersion {
    /// Identifies the version.
    pub id: Uuid,
    /// The package.
    pub package_id: Uuid,
    /// The package's name.
    pub package_name: String,
    /// Its number within the package.
    pub number: i32,
    /// The commit it was taken from.
    pub commit_id: Option<String>,
    /// The package's current version, when its files differ from this one's.
    pub differs_from_current: Option<Uuid>,
    /// When somebody accepted what was found in it.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// Who accepted it.
    pub reviewed_by_name: Option<String>,
}

/// A command that is no playbook of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandLine {
    /// A module on the targets.
    Module {
        /// Its name.
        module: String,
        /// Its arguments as `ansible -a` takes them.
        arguments: String,
    },
    /// What somebody typed, without the values of extra variables.
    Shell {
        /// The program and its arguments.
        words: Vec<String>,
        /// The folder it was run in.
        folder: String,
        /// The machine it was run on.
        machine: String,
    },
}

/// A setting of a project's `ansible.cfg` that Admiral must own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OverriddenSetting {
    /// The section, such as `defaults`.
    pub section: String,
    /// The key.
    pub key: String,
    /// What the project says.
    pub value: String,
    /// Why it does not hold.
    pub reason: String,
}

/// A deployment that another one waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitedFor {
    /// Identifies the deployment.
    pub id: Uuid,
    /// Its short number.
    pub number: i64,
    /// Its name.
    pub name: String,
}

/// Who launched a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Launcher {
    /// Null for the local command line, or when the account is gone.
    pub id: Option<Uuid>,
    /// The name at the time.
    pub username: String,
}

/// The live row for one host of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentServer {
    /// The name in the inventory.
    pub host: String,
    /// The run that the host belongs to, 0 for the first. A host that a playbook adds itself may have a row in several.
    pub slice: i32,
    /// Null for a host that the playbook added itself, or whose server was deleted.
    pub server_id: Option<Uuid>,
    /// `ADDRESS:PORT` at launch.
    pub address: Option<String>,
    /// Where it stands.
    pub status: HostStatus,
    /// Whether anything changed.
    pub changed: bool,
    /// Tasks that succeeded.
    pub ok: i32,
    /// Tasks that changed something.
    pub changed_count: i32,
    /// Tasks that failed.
    pub failed: i32,
    /// Tasks that were skipped.
    pub skipped: i32,
    /// Failures that were rescued.
    pub rescued: i32,
    /// Failures that were ignored.
    pub ignored: i32,
    /// Times it was unreachable.
    pub unreachable: i32,
    /// The task it is at.
    pub current_task: Option<String>,
    /// The first error.
    pub error_message: Option<String>,
    /// When its first task began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The event position of its latest change.
    pub position: i64,
}
