//! Gives recordings up that nobody was heard of for too long.

use crate::{
    domain::run::RunStatus,
    ingest::recording::{SILENCE, give_up},
    store::{Database, StoreError, recordings},
};
use chrono::{DateTime, Utc};

/// One look.
pub(super) async fn pass(database: &Database, now: DateTime<Utc>) -> Result<(), StoreError> {
    let mut connection = database.acquire().await?;
    let silent = recordings::list_silent(&mut connection, SILENCE).await?;
    drop(connection);
    for id in silent {
        let mut transaction = database.begin().await?;
        let recording = recordings::lock_recording(&mut transaction, id).await?;
        // Somebody else may have ended it since, or more of it may have come.
        let still = recordings::list_silent(&mut transaction, SILENCE).await?.contains(&id);
        if still && recording.status != RunStatus::Finished {
            give_up(&mut transaction, &recording, now).await?;
            transaction.commit().await?;
            tracing::info!(deployment = %id, "a recording that nothing was heard of was given up");
        }
    }
    Ok(())
}
