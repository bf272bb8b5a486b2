//! What a run writes to what is stored: bytes of its files become batches, and what is stored becomes the state to go on from.
//!
//! Shared by those who bring the bytes: the worker, which reads the files of its runs, and the API, which is sent what somebody's
//! shell recorded. Does no I/O but through the connection it is given.

pub mod pipeline;
pub mod recording;
pub mod redact;

use crate::{
    events::RunState,
    store::{Connection, StoreError, folds, runs::OwnedRun},
};

/// The state of a run as its rows hold it.
pub async fn rebuild(connection: &mut Connection, run: &OwnedRun) -> Result<RunState, StoreError> {
    folds::load_fold(connection, run.deployment_id, run.id).await
}
