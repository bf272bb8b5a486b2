//! The three records of a run folder: what to do, what was started, how it ended. All carry a version.

use std::{collections::BTreeMap, io, path::PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{account::RunAccount, limits::ResourceLimits, sandbox::SandboxFeatures};
use crate::{
    domain::{isolation::Isolation, text_enum::text_enum},
    process::ProcessIdentity,
};

/// The version of [`Started`] and [`Exit`] that is written and the only one that is read.
pub const RECORD_VERSION: u32 = 1;
/// The version of [`RunSpec`] that is written and the only one that is read.
pub const SPEC_VERSION: u32 = 2;

/// Every process of a run has this variable: the run's id. By it they are found when their supervisor is gone.
pub const RUN_ID_VARIABLE: &str = "ADMIRAL_RUN_ID";

/// Everything the supervisor has to know; frozen before the start, and free of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// [`SPEC_VERSION`].
    pub version: u32,
    /// The run.
    pub run_id: Uuid,
    /// `ansible-playbook`, as an absolute path.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<String>,
    /// Its whole environment, but for [`RUN_ID_VARIABLE`].
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub working_directory: PathBuf,
    /// Holds the run's keys and secret variables. An isolated run can only read it.
    pub secrets_folder: PathBuf,
    /// Where the run makes the sockets of its SSH masters.
    pub control_path_folder: PathBuf,
    /// Seconds until the run is stopped; 0 for no limit.
    pub timeout_seconds: u64,
    /// Seconds between asking the run to stop and killing it.
    pub grace_seconds: u64,
    /// What stands between the run and the machine it runs on.
    pub isolation: Isolation,
    /// What the machine can do for that.
    pub features: SandboxFeatures,
    /// The account of an isolated run.
    pub account: RunAccount,
    /// What the run may take of the machine.
    pub limits: ResourceLimits,
    /// Paths the run must not see when it is isolated; folders of the run itself stay visible.
    pub hidden_paths: Vec<PathBuf>,
    /// Paths within those that it may read all the same.
    pub readable_paths: Vec<PathBuf>,
    /// Folders of the controller that it may write to.
    pub writable_paths: Vec<PathBuf>,
}

/// Written once `ansible-playbook` has been started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The supervisor.
    pub supervisor: ProcessIdentity,
    /// The process it started: `ansible-playbook`, or the sandbox around it.
    pub ansible: ProcessIdentity,
    /// The boot both belong to.
    pub boot_id: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
}

/// Written last, when nothing of the run is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// Why it ended.
    pub reason: ExitReason,
    /// The exit code of `ansible-playbook`, when it exited.
    pub exit_code: Option<i32>,
    /// The signal that killed it, when one did.
    pub signal: Option<i32>,
    /// More for people, when there is more to say.
    pub message: Option<String>,
    /// When everything was over.
    pub finished_at: DateTime<Utc>,
}

text_enum! {
    /// Why a run ended.
    ExitReason {
        /// `ansible-playbook` came to its own end.
        Finished = "finished",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// It ran longer than it may.
        TimedOut = "timed_out",
        /// It took more of the machine than it may.
        ResourceLimit = "resource_limit",
        /// It could not be started.
        SpawnFailed = "spawn_failed",
    }
}

/// What can go wrong around a run.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// A file of the run folder could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the run folder could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A record is not what it should be.
    #[error("understand {}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A record was written by another Admiral.
    #[error("understand {}: its version, {version}, is not known", path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
    /// The supervisor could not be started.
    #[error("start the supervisor with {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The supervisor could not be signalled.
    #[error("signal the supervisor, process {pid}")]
    Signal {
        /// Its pid.
        pid: i32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The supervisor runs but does not yet listen.
    #[error("signal the supervisor, process {pid}: it does not listen yet")]
    NotListening {
        /// Its pid.
        pid: i32,
    },
    /// Signals, the subreaper or the children cannot be handled.
    #[error("supervise the run: {what}")]
    Supervise {
        /// The step.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
