//! What a shell recorded, as it is sent to us: stored by the same pipeline as what a worker reads, and ended when it is over or was
//! not heard of for too long.

use super::pipeline::Pipeline;
use super::redact::Redactor;
use crate::{
    domain::deployment::HostStatus,
    domain::run::RunStatus,
    events::{
        RunState, WireEvent,
        last_output::last_words,
        summary::{EndReason, RunEnd},
    },
    store::{
        Connection, StoreError, deployments,
        ingest::{self, IngestBatch},
        output,
        recordings::{self, Recording},
        run_targets,
    },
};
use chrono::{DateTime, Utc};
use std::{collections::BTreeSet, time::Duration};

/// A recording that was not heard of for this long is given up. It is taken up again when more of it comes all the same.
pub const SILENCE: Duration = Duration::from_hours(24);
/// Most bytes of events that are taken at once. The recap of a run is one line, and names every host.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of output that are taken at once.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// How much of a recording's output is looked through for its last words.
const LAST_OUTPUT_BYTES: i64 = 16 * 1024;
/// Events read at a time when a recording is taken up again.
const REFOLD_LINES: i64 = 2000;
/// What `ansible-playbook` and a shell answer for a run that its user interrupted.
const INTERRUPTED: [i32; 2] = [99, 130];
const SIGINT: i32 = 2;

/// Bytes of one of a recording's two files.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// Lines of the callback plugin.
    Events(&'a [u8]),
    /// What the terminal showed.
    Output(&'a [u8]),
}

/// How much of a recording is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of its events.
    pub spool_offset: u64,
    /// Bytes of its output.
    pub output_offset: u64,
}

impl Stored {
    /// As the store has it.
    pub fn of(recording: &Recording) -> Self {
        Self {
            spool_offset: recording.run.spool_offset,
            output_offset: recording.run.output_offset,
        }
    }
}

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// They begin behind the end of what is stored.
    #[error("bytes are missing: what is stored ends at {wanted}")]
    Gap {
        /// Where to go on.
        wanted: u64,
    },
    /// Its end is stored.
    #[error("the recording has ended")]
    Ended,
    /// They cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is to become of bytes that are sent.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Where in the file they begin.
    pub offset: u64,
    /// They end the file: what is not a whole line counts as one.
    pub last: bool,
    /// Events are stored without their content, because the database refused it.
    pub reduced: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Stores bytes of a recording that the caller has locked; what is stored already is passed over. Must run inside a transaction.
pub async fn append(
    connection: &mut Connection,
    recording: &Recording,
    piece: Piece<'_>,
    terms: Terms,
) -> Result<Stored, RecordingError> {
    let stored = Stored::of(recording);
    let (bytes, begin) = match piece {
        Piece::Events(bytes) => (bytes, stored.spool_offset),
        Piece::Output(bytes) => (bytes, stored.output_offset),
    };
    let known = begin
        .checked_sub(terms.offset)
        .ok_or(RecordingError::Gap { wanted: begin })?;
    let new = bytes
        .get(usize::try_from(known).unwrap_or(usize::MAX)..)
        .unwrap_or_default();
    if new.is_empty() {
        if recording.status != RunStatus::Finished {
            recordings::touch_recording(connection, recording.run.deployment_id).await?;
        }
        return Ok(stored);
    }
    open(connection, recording, terms.now).await?;
    let state = super::rebuild(connection, &recording.run).await?;
    let known_hosts: BTreeSet<String> = state.hosts().map(|(name, _)| name.clone()).collect();
    let mut pipeline = Pipeline::new(recording.run.clone(), None, state, Redactor::default());
    match piece {
        Piece::Events(bytes) => {
            pipeline.feed_events(new, terms.now);
            // Longer than any line is: it would never come to an end.
            if terms.last || (bytes.len() >= MAX_EVENT_BYTES && pipeline.read().0 == stored.spool_offset) {
                pipeline.complete(terms.now);
            }
        }
        Piece::Output(_) => {
            pipeline.feed_output(new);
            if terms.last {
                pipeline.complete(terms.now);
            }
        }
    }
    let (spool_offset, output_offset) = pipeline.read();
    if let Some(mut batch) = pipeline.take_batch() {
        if terms.reduced {
            batch.events = batch.events.reduced();
        }
        ingest::write_batch(connection, &batch).await?;
        link_new_hosts(connection, &batch, &known_hosts).await?;
    }
    recordings::touch_recording(connection, recording.run.deployment_id).await?;
    Ok(Stored {
        spool_offset,
        output_offset,
    })
}

/// How a recorded run ended, as its recorder tells.
#[derive(Debug, Clone, Copy)]
pub struct RecordedEnd {
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it. Without either nobody knows: the recorder itself was ended.
    pub signal: Option<i32>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Ends a recording that the caller has locked; one that has ended stays as it is. Must run inside a transaction.
pub async fn finish(
    connection: &mut Connection,
    recording: &Recording,
    end: RecordedEnd,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let told = end.exit_code.is_some() || end.signal.is_some();
    if recording.status == RunStatus::Finished && !(told && recording.was_given_up()) {
        return Ok(());
    }
    open(connection, recording, now).await.map_err(|error| match error {
        RecordingError::Store(error) => error,
        RecordingError::Gap { .. } | RecordingError::Ended => StoreError::WrongState("the recording has ended"),
    })?;
    let state = super::rebuild(connection, &recording.run).await?;
    let interrupted = end.signal == Some(SIGINT) || end.exit_code.is_some_and(|code| INTERRUPTED.contains(&code));
    let cancelled = interrupted || (recording.cancel_requested && end.signal.is_some());
    let reason = match (told, cancelled) {
        (false, _) => EndReason::Lost,
        (true, true) => EndReason::Cancelled,
        (true, false) => EndReason::Finished,
    };
    let end = RunEnd {
        reason,
        exit_code: end.exit_code,
        signal: end.signal,
        message: (!told).then(|| "whoever recorded the run disappeared before it told how it ended".to_owned()),
        last_output: last_output(connection, recording).await?,
        at: end.at,
    };
    end_run(connection, recording, state, &end, now).await
}

/// Gives a recording up that was not heard of for [`SILENCE`], and that the caller has locked. Must run inside a transaction.
pub async fn give_up(connection: &mut Connection, recording: &Recording, now: DateTime<Utc>) -> Result<(), StoreError> {
    let state = super::rebuild(connection, &recording.run).await?;
    let hours = SILENCE.as_secs() / 3600;
    let end = RunEnd {
        reason: EndReason::Lost,
        exit_code: None,
        signal: None,
        message: Some(format!(
            "nothing was heard of the recording for {hours} hours; it goes on when more of it is uploaded"
        )),
        last_output: None,
        at: now,
    };
    end_run(connection, recording, state, &end, now).await
}

async fn end_run(
    connection: &mut Connection,
    recording: &Recording,
    state: RunState,
    end: &RunEnd,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let id = recording.run.deployment_id;
    let reached: Vec<String> = state
        .hosts()
        .filter(|(_, host)| host.counters.ok + host.counters.failed > 0 && host.status != HostStatus::Unreachable)
        .map(|(name, _)| name.clone())
        .collect();
    let mut pipeline = Pipeline::new(recording.run.clone(), None, state, Redactor::default());
    let (batch, ending) = pipeline.take_last_batch(end, now);
    ingest::write_last_batch(connection, &batch, &ending).await?;
    run_targets::touch_last_seen(connection, id, &reached).await
}

/// Takes a recording up again that was given up: its rows are folded anew from its events, as they stood before.
async fn open(connection: &mut Connection, recording: &Recording, now: DateTime<Utc>) -> Result<(), RecordingError> {
    if recording.status != RunStatus::Finished {
        return Ok(());
    }
    if !recording.was_given_up() {
        return Err(RecordingError::Ended);
    }
    let id = recording.run.deployment_id;
    recordings::reopen_recording(connection, id).await?;
    let mut state = RunState::new([]).following_plays();
    let mut after = 0;
    loop {
        let lines = recordings::list_lines(connection, id, after, REFOLD_LINES).await?;
        let Some((last, _)) = lines.last() else { break };
        after = *last;
        // Our own notes among them are no lines of the plugin.
        for event in lines.iter().filter_map(|(_, line)| WireEvent::from_line(line).ok()) {
            state.apply(&event);
        }
    }
    let counts = deployments::get_deployment(connection, id).await?.counts;
    let mut pipeline = Pipeline::new(recording.run.clone(), None, state, Redactor::default());
    pipeline.count_from(counts);
    pipeline.warn(
        "the recording had been given up; more of it was uploaded".to_owned(),
        now,
    );
    if let Some(batch) = pipeline.take_batch() {
        // The plugin's own troubles were told the first time.
        let batch = IngestBatch {
            warnings: batch.warnings.into_iter().take(1).collect(),
            ..batch
        };
        ingest::write_batch(connection, &batch).await?;
    }
    Ok(())
}

async fn link_new_hosts(
    connection: &mut Connection,
    batch: &IngestBatch,
    known: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let new: Vec<&str> = batch
        .hosts
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !known.contains(*name))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    recordings::link_servers(connection, batch.deployment_id, &new).await
}

async fn last_output(connection: &mut Connection, recording: &Recording) -> Result<Option<String>, StoreError> {
    let id = recording.run.deployment_id;
    let whole = deployments::get_deployment(connection, id).await?.output_bytes;
    let from = (whole - LAST_OUTPUT_BYTES).max(0);
    let chunks = output::list_after(connection, id, from, LAST_OUTPUT_BYTES).await?;
    let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.content).collect();
    let text = String::from_utf8_lossy(&bytes);
    // It may begin in the middle of a line.
    let text = match text.split_once('\n') {
        Some((_, rest)) if from > 0 => rest,
        _ => &text,
    };
    Ok(last_words(text))
}
