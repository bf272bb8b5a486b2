//! One run of `ansible-playbook`: its folder, its supervisor, its end. Knows nothing of the database.
//!
//! The worker writes a [`RunSpec`] into a [`RunFolder`] and calls [`spawn_supervisor`]. The supervisor is a process of
//! its own ([`supervise()`]): it outlives the worker, enforces the time limit and the cancel ladder, and whatever the way
//! out, it leaves no process, no key and no SSH master behind, and an `exit.json` that says what happened.

mod account;
mod cgroup;
mod dispatch;
mod folder;
mod isolation;
mod limits;
mod masters;
pub mod private_roots;
mod programs;
mod record;
mod sandbox;
mod seclusion;
mod secrets;
mod spawn;
mod supervise;
mod tail;
mod trees;
mod untrusted;
mod usage;

pub use account::RunAccount;
pub use cgroup::prepare as prepare_control_groups;
pub use folder::RunFolder;
pub use isolation::IsolationMode;
pub use limits::ResourceLimits;
pub use programs::python_user_base;
pub use record::{Exit, ExitReason, RECORD_VERSION, RUN_ID_VARIABLE, RunSpec, RunnerError, SPEC_VERSION, Started};
pub use sandbox::SandboxFeatures;
pub use seclusion::{Look, ScratchFolder, Seclusion, SeclusionError};
pub use secrets::{MAX_CONTROL_PATH_FOLDER_BYTES, PassingSecrets, SecretsFolder, sweep_secrets};
pub use spawn::{cancel, end_abandoned, spawn_supervisor};
pub use supervise::supervise;
pub use tail::{Tail, TailChunk, TailWaker};
pub use trees::{Extent, measure as measure_tree, remove as remove_tree, take_back as take_back_tree};
