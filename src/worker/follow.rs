//! Follows one run from its files into the store until it has ended.
//!
//! Reading never holds Ansible up: it writes to files, and while the database is away they only grow.

use super::{FollowError, Shared, host_keys, observe, pipeline::Pipeline};
use crate::{
    domain::deployment::HostStatus,
    events::summary::{EndReason, Outcome, RunEnd},
    process::{ProcessIdentity, boot_id},
    runner::{self, ExitReason, RunFolder, Tail, TailWaker},
    store::{
        StoreError,
        ingest::{self, IngestBatch},
        run_targets,
        runs::{self, CancelState},
    },
};
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// Bytes of each file that one batch takes at most: some thousands of events.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Events that come close together are stored together.
const GATHER: Duration = Duration::from_millis(50);
/// Without a sign of change, files and supervisor are looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a supervisor that was just started may take to say so.
const START_LIMIT: Duration = Duration::from_secs(20);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// One run being followed.
pub(super) struct Follower<'a> {
    pub(super) shared: &'a Shared,
    pub(super) folder: RunFolder,
    pub(super) pipeline: Pipeline,
    /// Known when we started it; else its own record tells.
    pub(super) supervisor: Option<ProcessIdentity>,
    pub(super) cancel: watch::Receiver<CancelState>,
}

impl Follower<'_> {
    /// Follows to the end, stores it, and removes the run folder.
    pub(super) async fn follow(mut self) -> Result<(), FollowError> {
        let waker = TailWaker::new(&self.folder);
        let run = self.pipeline.run().clone();
        let _counted = observe::following(self.shared, &self.folder, &run);
        let mut events = Tail::open(self.folder.events(), run.spool_offset);
        let mut output = Tail::open(self.folder.output(), run.output_offset);
        let began = Instant::now();
        let mut told = CancelState::default();
        let end = loop {
            // Before reading, so that what is read afterwards is everything.
            let end = self.look_for_end(began).await;
            self.pass_cancel_on(&mut told).await;
            self.drain(&mut events, &mut output).await?;
            if let Some(end) = end {
                break end;
            }
            let cancel_due = async {
                if self.cancel.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return Err(FollowError::Shutdown),
                changed = waker.wait(LOOK_AGAIN) => if changed {
                    tokio::time::sleep(GATHER).await;
                },
                () = cancel_due => {}
            }
        };
        self.finish(&end).await?;
        observe::take_supervisor_log(&self.folder);
        self.remove_folder();
        Ok(())
    }

    /// Whether the run has ended, by its own record or because nobody is left to write one.
    async fn look_for_end(&mut self, began: Instant) -> Option<RunEnd> {
        if let Some(end) = self.recorded_end() {
            return Some(end);
        }
        if self.supervisor.is_none() {
            self.supervisor = self.recorded_supervisor();
        }
        let lost = match &self.supervisor {
            Some(supervisor) => !supervisor.is_alive(),
            None => !self.folder.path().exists() || began.elapsed() > START_LIMIT,
        };
        if !lost {
            return None;
        }
        // It may have written its record just before it ended.
        if let Some(end) = self.recorded_end() {
            return Some(end);
        }
        let message = if self.folder.path().exists() {
            match runner::end_abandoned(&self.folder).await {
                Ok(withstood) if withstood.is_empty() => {}
                Ok(withstood) => tracing::error!(?withstood, "processes of a lost run cannot be ended"),
                Err(error) => tracing::error!(%error, "what a lost run left behind could not be ended"),
            }
            "the process that supervised the run disappeared (it was killed, or the machine restarted); what was left of \
             the run was ended"
        } else {
            "the worker that carried out the run disappeared"
        };
        Some(RunEnd {
            reason: EndReason::Lost,
            exit_code: None,
            signal: None,
            message: Some(message.to_owned()),
            at: self.shared.clock.now(),
        })
    }

    fn recorded_end(&self) -> Option<RunEnd> {
        match self.folder.read_exit() {
            Ok(exit) => exit.map(|exit| RunEnd {
                reason: match exit.reason {
                    ExitReason::Finished => EndReason::Finished,
                    ExitReason::Cancelled => EndReason::Cancelled,
                    ExitReason::TimedOut => EndReason::TimedOut,
                    ExitReason::SpawnFailed => EndReason::SpawnFailed,
                },
                exit_code: exit.exit_code,
                signal: exit.signal,
                message: exit.message,
                at: exit.finished_at,
            }),
            Err(error) => {
                tracing::warn!(%error, run = %self.pipeline.run().id, "a run's end cannot be read");
                Some(RunEnd {
                    reason: EndReason::Lost,
                    exit_code: None,
                    signal: None,
                    message: Some("the record of the run's end cannot be read".to_owned()),
                    at: self.shared.clock.now(),
                })
            }
        }
    }

    /// The supervisor by its own record. One of an earlier boot is as good as dead: its pid is somebody else's by now.
    fn recorded_supervisor(&self) -> Option<ProcessIdentity> {
        let started = self.folder.read_started().ok().flatten()?;
        if boot_id().is_ok_and(|boot| boot == started.boot_id) {
            Some(started.supervisor)
        } else {
            Some(ProcessIdentity {
                start_ticks: 0,
                ..started.supervisor
            })
        }
    }

    /// Asks the supervisor to end the run, once with grace and once without.
    async fn pass_cancel_on(&mut self, told: &mut CancelState) {
        let wanted = *self.cancel.borrow_and_update();
        if !wanted.requested || wanted == *told {
            return;
        }
        let Some(supervisor) = self.supervisor else { return };
        match tokio::task::spawn_blocking(move || runner::cancel(&supervisor, wanted.force)).await {
            Ok(Ok(_)) => *told = wanted,
            Ok(Err(error)) => {
                tracing::warn!(%error, run = %self.pipeline.run().id, "the run could not be cancelled yet");
            }
            Err(error) => tracing::error!(%error, "cancelling broke off"),
        }
    }

    /// Stores all that the files hold by now.
    async fn drain(&mut self, events: &mut Tail, output: &mut Tail) -> Result<(), FollowError> {
        loop {
            let mut read = 0;
            for (tail, is_events) in [(&mut *events, true), (&mut *output, false)] {
                match tail.read_available(CHUNK_BYTES) {
                    Ok(chunk) => {
                        read += chunk.bytes.len();
                        if is_events {
                            self.pipeline.feed_events(&chunk.bytes, self.shared.clock.now());
                        } else {
                            self.pipeline.feed_output(&chunk.bytes);
                        }
                    }
                    // Looked at again with the next change.
                    Err(error) => tracing::warn!(%error, run = %self.pipeline.run().id, "a run's file cannot be read"),
                }
            }
            if let Some(batch) = self.pipeline.take_batch() {
                self.store(batch, None).await?;
            }
            if read == 0 {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn finish(&mut self, end: &RunEnd) -> Result<(), FollowError> {
        if let Err(error) = host_keys::learn(self.shared, &self.folder, self.pipeline.run()).await {
            tracing::warn!(%error, run = %self.pipeline.run().id, "new host keys could not be stored");
        }
        self.touch_last_seen().await;
        let (batch, outcome) = self.pipeline.take_last_batch(end, self.shared.clock.now());
        self.store(batch, Some((&outcome, end.exit_code))).await?;
        observe::ended(self.shared, self.pipeline.run().id, &outcome).await;
        Ok(())
    }

    async fn touch_last_seen(&self) {
        let reached: Vec<String> = self
            .pipeline
            .state()
            .hosts()
            .filter(|(_, host)| host.counters.ok + host.counters.failed > 0 && host.status != HostStatus::Unreachable)
            .map(|(name, _)| name.clone())
            .collect();
        let touched = async {
            let mut connection = self.shared.database.acquire().await?;
            run_targets::touch_last_seen(&mut connection, self.pipeline.run().deployment_id, &reached).await
        };
        if let Err(error) = touched.await {
            tracing::warn!(%error, "when servers were last seen could not be stored");
        }
    }

    /// Stores a batch however long the database is away. Offsets and rows commit together, so that trying again doubles
    /// nothing.
    async fn store(&self, mut batch: IngestBatch, end: Option<(&Outcome, Option<i32>)>) -> Result<(), FollowError> {
        let mut pause = FIRST_RETRY;
        let mut reduced = false;
        let began = Instant::now();
        loop {
            let error = match self.try_store(&batch, end).await {
                Ok(()) => {
                    observe::batch_stored(self.shared, &batch, began);
                    return Ok(());
                }
                Err(error) => error,
            };
            let run = self.pipeline.run().id;
            if matches!(error, StoreError::WrongState(_) | StoreError::NotFound(_)) {
                if self.is_stored(&batch, end.is_some()).await? {
                    observe::batch_stored(self.shared, &batch, began);
                    return Ok(());
                }
                return Err(FollowError::Taken);
            }
            if ingest::refuses_data(&error) && !reduced {
                tracing::error!(%error, %run, "the database refuses events; they are stored without their content");
                reduced = true;
                reduce(&mut batch);
                continue;
            }
            tracing::warn!(%error, %run, "a batch of events could not be stored; trying again");
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return Err(FollowError::Shutdown),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    async fn try_store(&self, batch: &IngestBatch, end: Option<(&Outcome, Option<i32>)>) -> Result<(), StoreError> {
        let mut transaction = self.shared.database.begin().await?;
        ingest::write_batch(&mut transaction, batch).await?;
        if let Some((outcome, exit_code)) = end {
            ingest::finish_run(&mut transaction, batch, exit_code, outcome).await?;
        }
        transaction.commit().await.map_err(StoreError::from)
    }

    /// Whether a batch that no longer fits was stored by an attempt whose answer got lost.
    async fn is_stored(&self, batch: &IngestBatch, is_last: bool) -> Result<bool, FollowError> {
        let mut connection = self.shared.database.acquire().await?;
        let offsets = runs::offsets(&mut connection, batch.run_id, batch.worker).await?;
        let new = (batch.spool_offset.1, batch.output_offset.1);
        let moved = batch.spool_offset.0 != batch.spool_offset.1 || batch.output_offset.0 != batch.output_offset.1;
        Ok(match offsets {
            Some(found) => !is_last && moved && found == new,
            None => is_last && runs::is_finished(&mut connection, batch.run_id).await?,
        })
    }

    fn remove_folder(self) {
        let run = self.pipeline.run().id;
        if self.folder.path().exists()
            && let Err(error) = self.folder.remove()
        {
            tracing::warn!(%error, %run, "a run folder could not be removed");
        }
    }
}

/// Keeps what the rows need and leaves out what the database may have refused.
fn reduce(batch: &mut IngestBatch) {
    for event in &mut batch.events {
        event.payload =
            serde_json::json!({ "v": 1, "event": event.kind, "ts": event.recorded_at, "unstorable": true }).to_string();
    }
}
