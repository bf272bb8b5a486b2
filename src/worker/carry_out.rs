//! One run, from claim to end.

use super::{
    FollowError, PrepareError, Shared,
    follow::{Follower, Told},
    observe,
    prepare::{self, Prepared},
    recover,
};
use crate::{
    domain::isolation::Isolation,
    events::summary::{EndReason, Outcome, RunEnd},
    ingest::{pipeline::Pipeline, redact::Redactor},
    process::kill_point,
    runner::{self, RunFolder},
    store::{
        StoreError, ingest,
        run_ends::RunEnding,
        runs::{self, CancelState, OwnedRun},
    },
};
use tokio::sync::watch;

/// Carries out a claimed run.
pub(super) async fn begin(shared: &Shared, run: OwnedRun, cancel: watch::Receiver<CancelState>) {
    let id = run.id;
    let preparing = prepare::prepare(&shared.config, &shared.database, &shared.vault, &shared.galaxy, &run);
    // Waits only while it reads, so that nothing is left behind; the worker's end gives the run back.
    let Some(prepared) = shared.shutdown.run_until_cancelled(preparing).await else {
        return;
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) if error.is_passing() => {
            tracing::warn!(%error, run = %id, "a run could not be made ready; it goes back to the others");
            give_back(shared, &run).await;
            return;
        }
        Err(error) => {
            tracing::warn!(error = error.message(), run = %id, "a run could not be made ready");
            refuse(shared, run, &error).await;
            return;
        }
    };
    if let Err(error) = mark_started(shared, &run, prepared.isolation).await {
        // Cancelled in the meantime, as a rule; then there is nothing to give back. Whatever it was, nothing was started.
        tracing::info!(%error, run = %id, "a run was not started");
        if let Err(error) = prepared.folder.remove() {
            tracing::warn!(%error, run = %id, "an unused run folder could not be removed");
        }
        give_back(shared, &run).await;
        return;
    }
    kill_point("run_marked_started");
    start(shared, run, prepared, cancel).await;
}

/// Starts the supervisor of a run that is made ready, and follows it.
async fn start(shared: &Shared, run: OwnedRun, prepared: Prepared, cancel: watch::Receiver<CancelState>) {
    let id = run.id;
    let state = match recover::rebuild(shared, &run).await {
        Ok(state) => state,
        Err(error) => {
            // Its folder stays as it is, unused: the run is started when it is taken up again.
            tracing::error!(%error, run = %id, "a run's hosts cannot be read");
            return;
        }
    };
    let mut pipeline = Pipeline::new(run, shared.id, state, prepared.redactor);
    if !prepared.missing.is_empty() {
        let message = format!(
            "left out, because their servers were deleted: {}",
            prepared.missing.join(", ")
        );
        pipeline.warn(message, shared.clock.now());
    }
    match runner::spawn_supervisor(&shared.config.admiral_binary, &prepared.folder) {
        Ok(supervisor) => {
            kill_point("supervisor_spawned");
            let noted = async {
                let mut connection = shared.database.acquire().await?;
                runs::set_supervisor(&mut connection, id, shared.id, supervisor.pid, supervisor.start_ticks).await
            };
            if let Err(error) = noted.await {
                tracing::warn!(%error, run = %id, "a run's supervisor could not be noted");
            }
            let follower = Follower {
                shared,
                folder: prepared.folder,
                run: pipeline.run().clone(),
                supervisor: Some(supervisor),
                cancel,
                told: Told::default(),
            };
            report(id, follower.follow(pipeline).await);
        }
        Err(error) => {
            tracing::error!(%error, run = %id, "a supervisor could not be started");
            let end = ended(shared, EndReason::SpawnFailed, format!("failed to {error}"));
            let (batch, ending) = pipeline.take_last_batch(&end, shared.clock.now());
            store_end(shared, &batch, &ending).await;
            observe::ended(shared, id, &ending.outcome).await;
            if let Err(error) = prepared.folder.remove() {
                tracing::warn!(%error, run = %id, "a run folder could not be removed");
            }
        }
    }
}

/// Goes on with a run that another worker started.
pub(super) async fn go_on(shared: &Shared, run: OwnedRun, cancel: watch::Receiver<CancelState>) {
    let id = run.id;
    if RunFolder::open(&run.folder).is_unused() {
        begin_again(shared, run, cancel).await;
        return;
    }
    tracing::info!(run = %id, "a run is taken over");
    let made = async {
        let redactor = recover::redactor(shared, &run).await?;
        let state = recover::rebuild(shared, &run).await?;
        Ok::<_, FollowError>(Pipeline::new(run.clone(), shared.id, state, redactor))
    };
    match made.await {
        Ok(pipeline) => {
            let folder = RunFolder::open(&run.folder);
            report(
                id,
                Follower {
                    shared,
                    folder,
                    run,
                    supervisor: None,
                    cancel,
                    told: Told::default(),
                }
                .follow(pipeline)
                .await,
            );
        }
        Err(error) => report(id, Err(error)),
    }
}

/// Starts a run whose worker disappeared between saying so and doing so. Nothing of its playbook was ever carried out.
async fn begin_again(shared: &Shared, run: OwnedRun, cancel: watch::Receiver<CancelState>) {
    let id = run.id;
    tracing::info!(run = %id, "a run whose worker disappeared before it was started is started");
    match prepare::prepare(&shared.config, &shared.database, &shared.vault, &shared.galaxy, &run).await {
        Ok(prepared) => start(shared, run, prepared, cancel).await,
        // Still this worker's: it is taken up again with the next look at what was left.
        Err(error) if error.is_passing() => tracing::warn!(%error, run = %id, "a run could not be made ready"),
        Err(error) => match refusal(shared, run, &error).await {
            Ok((batch, ending)) => {
                store_end(shared, &batch, &ending).await;
                observe::ended(shared, id, &ending.outcome).await;
            }
            Err(error) => tracing::error!(%error, run = %id, "a run's hosts cannot be read"),
        },
    }
}

fn report(run: uuid::Uuid, followed: Result<(), FollowError>) {
    match followed {
        Ok(()) => tracing::info!(%run, "a run has ended"),
        Err(FollowError::Shutdown) => tracing::info!(%run, "a run goes on without its worker"),
        Err(error) => tracing::error!(%error, %run, "a run is no longer followed"),
    }
}

/// Waits for a database that is away: whether an attempt whose answer got lost was stored is found out when it is back.
async fn mark_started(shared: &Shared, run: &OwnedRun, isolation: Isolation) -> Result<(), StoreError> {
    let mut unsure = false;
    loop {
        match shared
            .database
            .unless_lost(try_mark_started(shared, run, isolation))
            .await
        {
            Err(StoreError::WrongState(_)) if unsure && is_started(shared, run).await? => return Ok(()),
            Err(error) if error.is_unavailable() => {
                unsure = true;
                let pause = tokio::time::sleep(super::TICK);
                if shared.shutdown.run_until_cancelled(pause).await.is_none() {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

async fn try_mark_started(shared: &Shared, run: &OwnedRun, isolation: Isolation) -> Result<(), StoreError> {
    let mut transaction = shared.database.begin().await?;
    runs::mark_started(&mut transaction, run.id, shared.id, isolation.as_str()).await?;
    transaction.commit().await.map_err(StoreError::from)
}

async fn is_started(shared: &Shared, run: &OwnedRun) -> Result<bool, StoreError> {
    let mut connection = shared.database.acquire().await?;
    Ok(runs::offsets(&mut connection, run.id, shared.id).await?.is_some())
}

async fn give_back(shared: &Shared, run: &OwnedRun) {
    // A breath, so that a run that cannot be read now is not claimed again and again.
    let breath = tokio::time::sleep(super::TICK);
    shared.shutdown.run_until_cancelled(breath).await;
    let released = async {
        let mut connection = shared.database.acquire().await?;
        runs::release(&mut connection, shared.id, Some(run.id)).await
    };
    if let Err(error) = released.await {
        tracing::warn!(%error, run = %run.id, "a claimed run could not be given back; its lease runs out");
    }
}

/// Ends a run that cannot be made ready: all its hosts are left as they were.
async fn refuse(shared: &Shared, run: OwnedRun, error: &PrepareError) {
    let id = run.id;
    let refused = async {
        let (batch, ending) = refusal(shared, run, error).await?;
        let mut transaction = shared.database.begin().await?;
        let isolation = shared.config.isolation.offer().as_str();
        runs::mark_started(&mut transaction, id, shared.id, isolation).await?;
        ingest::write_last_batch(&mut transaction, &batch, &ending).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok::<_, StoreError>(ending.outcome)
    };
    match refused.await {
        Ok(outcome) => observe::ended(shared, id, &outcome).await,
        Err(error) => tracing::warn!(%error, run = %id, "a run that cannot be made ready could not be ended"),
    }
}

/// The only batch of a run that cannot be made ready, and its end.
async fn refusal(
    shared: &Shared,
    run: OwnedRun,
    error: &PrepareError,
) -> Result<(ingest::IngestBatch, RunEnding), StoreError> {
    let state = recover::rebuild(shared, &run).await?;
    let mut pipeline = Pipeline::new(run, shared.id, state, Redactor::default());
    pipeline.refuse(Outcome::failed(error.reason(), error.message()));
    let end = ended(shared, EndReason::SpawnFailed, error.message());
    Ok(pipeline.take_last_batch(&end, shared.clock.now()))
}

async fn store_end(shared: &Shared, batch: &ingest::IngestBatch, ending: &RunEnding) {
    let stored = async {
        let mut transaction = shared.database.begin().await?;
        ingest::write_last_batch(&mut transaction, batch, ending).await?;
        transaction.commit().await.map_err(StoreError::from)
    };
    if let Err(error) = stored.await {
        tracing::error!(%error, run = %batch.run_id, "the end of a run could not be stored; it is ended when it is taken over");
    }
}

fn ended(shared: &Shared, reason: EndReason, message: String) -> RunEnd {
    RunEnd {
        reason,
        exit_code: None,
        signal: None,
        message: Some(message),
        last_output: None,
        at: shared.clock.now(),
    }
}
