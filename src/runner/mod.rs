//! One run of `ansible-playbook`: its folder, its supervisor, its end. Knows nothing of the database.
//!
//! The worker writes a [`RunSpec`] into a [`RunFolder`] and calls [`spawn_supervisor`]. The supervisor is a process of
//! its own ([`supervise()`]): it outlives the worker, enforces the time limit and the cancel ladder, and whatever the way
//! out, it leaves no process, no key and no SSH master behind, and an `exit.json` that says what happened.

mod dispatch;
mod folder;
pub mod isolation;
mod masters;
mod record;
mod secrets;
mod spawn;
mod supervise;
mod tail;

pub use folder::RunFolder;
pub use isolation::{Isolation, Seclusion};
pub use record::{Exit, ExitReason, RECORD_VERSION, RUN_ID_VARIABLE, RunSpec, RunnerError, Started};
pub use secrets::{MAX_CONTROL_PATH_FOLDER_BYTES, PassingSecrets, SecretsFolder, sweep_secrets};
pub use spawn::{cancel, end_abandoned, spawn_supervisor};
pub use supervise::supervise;
pub use tail::{Tail, TailChunk, TailWaker};
