//! Runs that an earlier worker left: taken over, and rebuilt from what is stored.

use super::{FollowError, Shared, secrets::RunSecrets};
use crate::{
    domain::{RunId, WorkerId},
    events::RunState,
    ingest::{self, redact::Redactor},
    runner::{RunFolder, sweep_secrets},
    store::{
        StoreError, deployments, packages, run_targets,
        runs::{self, OwnedRun},
    },
};
use std::{collections::BTreeSet, path::Path};

/// Takes over the runs of workers of this data directory that live no more, and those of others that are gone for good.
pub(super) async fn take_over(shared: &Shared, busy_with: &[RunId]) -> Result<Vec<OwnedRun>, StoreError> {
    let config = &shared.config;
    let mut transaction = shared.database.begin().await?;
    let owners = runs::list_owners(&mut transaction, shared.id, shared.home.id(), &config.runs_folder()).await?;
    let gone: Vec<WorkerId> = owners
        .into_iter()
        // Of one that is not known the same path says little: another machine may use it too.
        .filter(|owner| !shared.home.is_present(owner.id) && (owner.is_known || owner.run_folder.exists()))
        .map(|owner| owner.id)
        .collect();
    let mut taken = runs::adopt(&mut transaction, shared.id, config.lease, &gone, busy_with).await?;
    taken.extend(
        runs::take_over_expired(&mut transaction, shared.id, config.lease, config.lost_after, busy_with).await?,
    );
    transaction.commit().await?;
    Ok(taken)
}

/// Removes secrets and folders that no unfinished run needs.
pub(super) async fn sweep(shared: &Shared) -> Result<(), StoreError> {
    let mut connection = shared.database.acquire().await?;
    let live = runs::list_unfinished(&mut connection).await?;
    let (galaxy, runs_folder) = (shared.galaxy.clone(), shared.config.runs_folder());
    let sweeping = tokio::task::spawn_blocking(move || {
        if let Err(error) = sweep_secrets(&live) {
            tracing::warn!(%error, "secrets of earlier runs could not be removed");
        }
        galaxy.sweep();
        sweep_folders(&runs_folder, &live);
    });
    if let Err(error) = sweeping.await {
        tracing::error!(%error, "failed to remove the folders of earlier runs");
    }
    Ok(())
}

fn sweep_folders(runs_folder: &Path, live: &[RunId]) {
    let Ok(entries) = std::fs::read_dir(runs_folder) else {
        return;
    };
    for entry in entries.flatten() {
        let run: Option<uuid::Uuid> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if run.is_some_and(|run| !live.contains(&run)) {
            let folder = RunFolder::open(entry.path());
            // Whoever it belongs to: what is still watched over is not ours to remove.
            if matches!(folder.read_started(), Ok(Some(started)) if started.supervisor.is_alive()) {
                continue;
            }
            if let Err(error) = folder.remove() {
                tracing::warn!(%error, "the folder of an earlier run could not be removed");
            }
        }
    }
}

/// The state of a run as its rows hold it.
pub(super) async fn rebuild(shared: &Shared, run: &OwnedRun) -> Result<RunState, StoreError> {
    let mut connection = shared.database.acquire().await?;
    ingest::rebuild(&mut connection, run).await
}

/// What must not be stored. Without it the run is not followed: better late than in the open.
pub(super) async fn redactor(shared: &Shared, run: &OwnedRun) -> Result<Redactor, FollowError> {
    let mut connection = shared.database.acquire().await?;
    let targets = run_targets::list_targets(&mut connection, run.deployment_id, run.slice).await?;
    let keys: BTreeSet<_> = targets
        .iter()
        .filter_map(run_targets::RunTarget::private_key_id)
        .collect();
    let frozen = deployments::get_frozen(&mut connection, run.deployment_id).await?;
    let files = match frozen.playbook_version_id {
        Some(version) => packages::load_version_files(&mut connection, version).await?,
        None => Vec::new(),
    };
    let secrets = RunSecrets::open(&mut connection, &shared.vault, run.deployment_id, &keys, &files)
        .await
        .map_err(|error| FollowError::Secrets(error.message()))?;
    Ok(secrets.redactor(targets.into_iter().map(|target| target.host)))
}
