//! Follows one run from its files into the store until it has ended.
//!
//! Reading never holds Ansible up: it writes to files, and while the database is away they only grow.

use super::{
    FollowError, Shared, host_keys, observe,
    reading::{Portion, Reader},
};
use crate::{
    domain::deployment::HostStatus,
    events::{
        last_output::last_words,
        summary::{EndReason, RunEnd},
    },
    ingest::pipeline::Pipeline,
    process::{ProcessIdentity, Watch, boot_id, kill_point},
    runner::{self, ExitReason, RunFolder, TailWaker},
    store::{
        StoreError,
        ingest::{self, IngestBatch, NewEvent},
        run_ends::RunEnding,
        run_targets,
        runs::{self, CancelState, OwnedRun},
    },
};
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// Files are read this often at most, so that events that come close together are stored together. What comes after a pause is
/// read at once.
const GATHER: Duration = Duration::from_millis(50);
/// Without a sign of change, files and supervisor are looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a supervisor that was just started may take to say so.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How much of a run's output is looked through for its last words.
const LAST_OUTPUT_BYTES: usize = 16 * 1024;
/// With less than this left on the disk of the run folder, events and output may already be missing.
const LOW_DISK_BYTES: u64 = 512 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// One run being followed.
pub(super) struct Follower<'a> {
    pub(super) shared: &'a Shared,
    pub(super) folder: RunFolder,
    pub(super) run: OwnedRun,
    /// Known when we started it; else its own record tells.
    pub(super) supervisor: Option<ProcessIdentity>,
    pub(super) cancel: watch::Receiver<CancelState>,
    /// Troubles that are told once.
    pub(super) told: Told,
}

/// Which troubles a deployment was already told of.
#[derive(Debug, Default)]
pub(super) struct Told {
    disk: bool,
    database: bool,
}

impl Follower<'_> {
    /// Follows to the end, stores it, and removes the run folder.
    pub(super) async fn follow(mut self, pipeline: Pipeline) -> Result<(), FollowError> {
        let followed = self.follow_to_end(pipeline).await;
        match followed {
            Ok(()) => self.remove_folder().await,
            Err(FollowError::Taken) => self.end_what_is_over().await,
            Err(_) => {}
        }
        followed
    }

    async fn follow_to_end(&mut self, pipeline: Pipeline) -> Result<(), FollowError> {
        let waker = TailWaker::new(&self.folder);
        let run = self.run.id;
        let _counted = observe::following(self.shared, &self.folder, &self.run);
        let mut reader = Reader::new(pipeline, &self.folder);
        let began = Instant::now();
        let mut told = CancelState::default();
        let mut supervisor: Option<Watch> = None;
        let end = loop {
            // Before reading, so that what is read afterwards is everything.
            let end = self.look_for_end(began).await;
            self.pass_cancel_on(&mut told).await;
            self.look_at_disk(&mut reader.pipeline);
            let read_at = Instant::now();
            reader = self.drain(reader, &mut told).await?;
            if let Some(end) = end {
                break end;
            }
            if supervisor.is_none()
                && let Some(identity) = self.supervisor
            {
                supervisor = Watch::new(identity)
                    .inspect_err(|error| tracing::warn!(%error, %run, "a supervisor cannot be watched: it is polled"))
                    .ok();
            }
            let supervisor_ended = async {
                match &supervisor {
                    Some(watch) => watch.exited().await,
                    None => std::future::pending().await,
                }
            };
            let cancel_due = async {
                if self.cancel.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return Err(FollowError::Shutdown),
                changed = waker.wait(LOOK_AGAIN) => if changed {
                    tokio::time::sleep_until(read_at + GATHER).await;
                },
                () = supervisor_ended => {}
                () = cancel_due => {}
            }
        };
        kill_point("exit_seen");
        self.finish(&mut reader.pipeline, end).await?;
        kill_point("end_stored");
        observe::take_supervisor_log(&self.folder);
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
            "the process that supervised the run disappeared without a record of its end (it was killed, or the machine \
             restarted); what was left of the run was ended"
        } else {
            "the worker that carried out the run disappeared"
        };
        Some(RunEnd {
            reason: EndReason::Lost,
            exit_code: None,
            signal: None,
            message: Some(message.to_owned()),
            last_output: None,
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
                    ExitReason::ResourceLimit => EndReason::ResourceLimit,
                    ExitReason::SpawnFailed => EndReason::SpawnFailed,
                },
                exit_code: exit.exit_code,
                signal: exit.signal,
                message: exit.message,
                last_output: None,
                at: exit.finished_at,
            }),
            Err(error) => {
                tracing::warn!(%error, run = %self.run.id, "a run's end cannot be read");
                Some(RunEnd {
                    reason: EndReason::Lost,
                    exit_code: None,
                    signal: None,
                    message: Some("the record of the run's end cannot be read".to_owned()),
                    last_output: None,
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
        kill_point("cancel_before_signal");
        match tokio::task::spawn_blocking(move || runner::cancel(&supervisor, wanted.force)).await {
            Ok(Ok(_)) => {
                *told = wanted;
                kill_point("cancel_after_signal");
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, run = %self.run.id, "the run could not be cancelled yet");
            }
            Err(error) => tracing::error!(%error, "cancelling broke off"),
        }
    }

    /// Stores all that the files hold by now. While one batch is being stored, the next is read.
    async fn drain(&mut self, reader: Reader, told: &mut CancelState) -> Result<Reader, FollowError> {
        let (mut reader, mut portion) = reader.read(self.shared.clock.now()).await?;
        loop {
            let Portion { batch, more } = portion;
            if !more {
                if let Some(batch) = batch {
                    self.store(batch, None).await?;
                }
                return Ok(reader);
            }
            // Storing what lies there may take a while; a cancel does not wait for it.
            self.pass_cancel_on(told).await;
            let reading = reader.read(self.shared.clock.now());
            (reader, portion) = match batch {
                Some(batch) => {
                    let (stored, read) = tokio::join!(self.store(batch, None), reading);
                    stored?;
                    read?
                }
                None => reading.await?,
            };
        }
    }

    /// A full disk loses events and output before anybody can say so; the deployment is told while it can be.
    fn look_at_disk(&mut self, pipeline: &mut Pipeline) {
        if self.told.disk {
            return;
        }
        // No folder: another machine's, or removed by hand. Then there is nothing to be told.
        let Ok(left) = self.folder.available_bytes() else {
            return;
        };
        if left < LOW_DISK_BYTES {
            self.told.disk = true;
            let message =
                format!("the disk of the run folder is full ({left} bytes left): events and output may be missing");
            tracing::warn!(run = %self.run.id, "{message}");
            pipeline.warn(message, self.shared.clock.now());
        }
    }

    async fn finish(&mut self, pipeline: &mut Pipeline, mut end: RunEnd) -> Result<(), FollowError> {
        end.last_output = self.last_words(pipeline);
        if let Err(error) = host_keys::learn(self.shared, &self.folder, &self.run).await {
            tracing::warn!(%error, run = %self.run.id, "new host keys could not be stored");
        }
        self.touch_last_seen(pipeline).await;
        let (batch, ending) = pipeline.take_last_batch(&end, self.shared.clock.now());
        self.store(batch, Some(&ending)).await?;
        observe::ended(self.shared, self.run.id, &ending.outcome).await;
        Ok(())
    }

    fn last_words(&self, pipeline: &Pipeline) -> Option<String> {
        let output = self.folder.read_output_end(LAST_OUTPUT_BYTES).ok()?;
        last_words(&pipeline.without_secrets_in(output))
    }

    async fn touch_last_seen(&self, pipeline: &Pipeline) {
        let reached: Vec<String> = pipeline
            .state()
            .hosts()
            .filter(|(_, host)| host.counters.ok + host.counters.failed > 0 && host.status != HostStatus::Unreachable)
            .map(|(name, _)| name.clone())
            .collect();
        let touched = async {
            let mut connection = self.shared.database.acquire().await?;
            run_targets::touch_last_seen(&mut connection, self.run.deployment_id, &reached).await
        };
        if let Err(error) = touched.await {
            tracing::warn!(%error, "when servers were last seen could not be stored");
        }
    }

    /// Stores a batch however long the database is away. Offsets and rows commit together, so that trying again doubles
    /// nothing.
    async fn store(&mut self, mut batch: IngestBatch, end: Option<&RunEnding>) -> Result<(), FollowError> {
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
            let run = self.run.id;
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
                batch.events = batch.events.reduced();
                continue;
            }
            if error.is_out_of_resources() && !self.told.database {
                self.told.database = true;
                let message = "the database lacked disk, memory or connections for a while; events were stored later than they happened";
                warn_ahead(&mut batch, message, self.shared.clock.now());
            }
            if pause == FIRST_RETRY || !error.is_unavailable() {
                tracing::warn!(error = %chain(&error), %run, "a batch of events could not be stored; trying again");
            }
            tokio::select! {
                () = self.shared.shutdown.cancelled() => return Err(FollowError::Shutdown),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    async fn try_store(&self, batch: &IngestBatch, end: Option<&RunEnding>) -> Result<(), StoreError> {
        let database = &self.shared.database;
        let stored = async {
            let mut transaction = database.begin().await?;
            match end {
                Some(ending) => ingest::write_last_batch(&mut transaction, batch, ending).await?,
                None => ingest::write_batch(&mut transaction, batch).await?,
            };
            kill_point("ingest_before_commit");
            transaction.commit().await?;
            kill_point("ingest_after_commit");
            Ok(())
        };
        database.unless_lost(stored).await
    }

    /// Whether a batch that no longer fits was stored by an attempt whose answer got lost.
    async fn is_stored(&self, batch: &IngestBatch, is_last: bool) -> Result<bool, FollowError> {
        let mut connection = self.shared.database.acquire().await?;
        let offsets = runs::offsets(&mut connection, batch.run_id, self.shared.id).await?;
        let new = (batch.spool_offset.1, batch.output_offset.1);
        let moved = batch.spool_offset.0 != batch.spool_offset.1 || batch.output_offset.0 != batch.output_offset.1;
        Ok(match offsets {
            Some(found) => !is_last && moved && found == new,
            None => is_last && runs::is_finished(&mut connection, batch.run_id).await?,
        })
    }

    /// Another worker ended the run, because this machine was out of reach for too long. What it still does here nobody
    /// expects any more, and a retry may be doing it again: it is asked to stop.
    async fn end_what_is_over(&mut self) {
        let run = self.run.id;
        let over = async {
            let mut connection = self.shared.database.acquire().await?;
            runs::is_finished(&mut connection, run).await
        };
        let Some(supervisor) = self.supervisor else { return };
        if !matches!(over.await, Ok(true)) || !supervisor.is_alive() {
            return;
        }
        tracing::warn!(%run, "a run that was given up as lost still goes on here; it is asked to stop");
        match tokio::task::spawn_blocking(move || runner::cancel(&supervisor, false)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, %run, "a run that was given up as lost could not be stopped"),
            Err(error) => tracing::error!(%error, "cancelling broke off"),
        }
    }

    /// On a thread that holds nobody else up: a run may leave a million files.
    async fn remove_folder(self) {
        let run = self.run.id;
        let folder = self.folder;
        let removing = tokio::task::spawn_blocking(move || {
            if folder.path().exists() {
                folder.remove()
            } else {
                Ok(())
            }
        });
        match removing.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, %run, "a run folder could not be removed"),
            Err(error) => tracing::error!(%error, %run, "failed to remove a run folder"),
        }
    }
}

/// Puts a warning in front of a batch that is already made. Behind could be the event that ends the deployment.
fn warn_ahead(batch: &mut IngestBatch, message: &str, at: DateTime<Utc>) {
    batch.events.insert_first(&NewEvent::warning(message, at));
    for (index, _) in &mut batch.tasks {
        *index += 1;
    }
    batch.warnings.push(message.to_owned());
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
