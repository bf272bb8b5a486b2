//! Bytes of a run's files to batches for the store. Decides, and does no I/O: the driver is `follow`.

use super::redact::{HeldOutput, Redactor};
use crate::{
    domain::{WorkerId, deployment::HostCounts},
    events::{
        LineParser, ParsedLine, RunState, WireEvent,
        fold::TaskSeen,
        summary::{Outcome, RunEnd},
    },
    store::{
        copy_rows::EventRows,
        ingest::{IngestBatch, NewEvent},
        run_ends::RunEnding,
        runs::OwnedRun,
    },
};
use chrono::{DateTime, Utc};
use std::borrow::Cow;

/// Lines that could not be read are told one by one up to here, then counted.
const MAX_TOLD: u32 = 20;

/// A run's state between its files and the store.
#[derive(Debug)]
pub struct Pipeline {
    run: OwnedRun,
    worker: Option<WorkerId>,
    state: RunState,
    parser: LineParser,
    redactor: Redactor,
    /// Output that was read, but not handed out yet.
    held: HeldOutput,
    /// Bytes of the output file handed out.
    output_consumed: u64,
    /// What is stored: offsets of the event file and of the output file.
    stored: (u64, u64),
    /// How many hosts stand where, as stored.
    stored_counts: HostCounts,
    events: EventRows,
    tasks: Vec<(usize, TaskSeen)>,
    output: Vec<u8>,
    warnings: Vec<String>,
    unread: u32,
    /// What became of a run that was never started.
    refused: Option<Outcome>,
}

impl Pipeline {
    /// Goes on where the store stands; `state` is folded from what is stored. A recorded run has no worker.
    pub fn new(run: OwnedRun, worker: impl Into<Option<WorkerId>>, state: RunState, redactor: Redactor) -> Self {
        Self {
            parser: LineParser::new(run.spool_offset),
            output_consumed: run.output_offset,
            stored: (run.spool_offset, run.output_offset),
            stored_counts: state.counts(),
            run,
            worker: worker.into(),
            state,
            redactor,
            held: HeldOutput::default(),
            events: EventRows::default(),
            tasks: Vec::new(),
            output: Vec::new(),
            warnings: Vec::new(),
            unread: 0,
            refused: None,
        }
    }

    /// The state of the run as folded so far.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The run.
    pub fn run(&self) -> &OwnedRun {
        &self.run
    }

    /// Takes the next bytes of the event file.
    pub fn feed_events(&mut self, bytes: &[u8], now: DateTime<Utc>) {
        let mut parser = std::mem::replace(&mut self.parser, LineParser::new(0));
        parser.feed_each(bytes, |line| self.take_line(line, now));
        self.parser = parser;
    }

    /// Takes the next bytes of the output file.
    pub fn feed_output(&mut self, bytes: &[u8]) {
        self.output_consumed += self.held.feed(&self.redactor, bytes, &mut self.output) as u64;
    }

    /// No more bytes follow for now that would complete what is held of a line, or of the output's last one: they count as whole.
    pub fn complete(&mut self, now: DateTime<Utc>) {
        if let Some(line) = self.parser.finish() {
            self.take_line(line, now);
        }
        self.output_consumed += self.held.finish(&self.redactor, &mut self.output) as u64;
    }

    /// What is to be stored next; `None` when there is nothing.
    pub fn take_batch(&mut self) -> Option<IngestBatch> {
        let moved = (self.parser.consumed(), self.output_consumed) != self.stored;
        (moved || !self.events.is_empty()).then(|| self.batch())
    }

    /// The last batch: whatever is left of the files and the end of every host, and how the run ended.
    pub fn take_last_batch(&mut self, end: &RunEnd, now: DateTime<Utc>) -> (IngestBatch, RunEnding) {
        self.complete(now);
        if self.unread > MAX_TOLD {
            self.warn(
                format!("{} more lines of events could not be read", self.unread - MAX_TOLD),
                now,
            );
        }
        let folded = self.state.finish(end);
        let ending = RunEnding {
            outcome: self.refused.take().unwrap_or(folded),
            exit_code: end.exit_code,
            at: now,
            ended_at: self.worker.is_none().then_some(end.at),
        };
        (self.batch(), ending)
    }

    /// What is stored says that so many hosts stand where, not what the state says.
    pub fn count_from(&mut self, stored: HostCounts) {
        self.stored_counts = stored;
    }

    /// Shows a trouble with the deployment.
    pub fn warn(&mut self, message: String, now: DateTime<Utc>) {
        self.events.push(&NewEvent::warning(&message, now));
        self.warnings.push(message);
    }

    /// Says why a run is ended that was never started.
    pub fn refuse(&mut self, outcome: Outcome) {
        self.refused = Some(outcome);
    }

    /// Text of the run without its secrets.
    pub fn without_secrets_in(&self, text: String) -> String {
        self.redactor.redact_text(&text).unwrap_or(text)
    }

    /// Bytes of the event file and of the output file that are read into batches.
    pub fn read(&self) -> (u64, u64) {
        (self.parser.consumed(), self.output_consumed)
    }

    /// How many hosts stand where.
    pub fn counts(&self) -> HostCounts {
        self.state.counts()
    }

    fn batch(&mut self) -> IngestBatch {
        let consumed = (self.parser.consumed(), self.output_consumed);
        let changes = self.state.take_changes();
        let counts = self.state.counts();
        let batch = IngestBatch {
            deployment_id: self.run.deployment_id,
            run_id: self.run.id,
            slice: self.run.slice,
            worker: self.worker,
            spool_offset: (self.stored.0, consumed.0),
            output_offset: (self.stored.1, consumed.1),
            events: std::mem::take(&mut self.events),
            tasks: std::mem::take(&mut self.tasks),
            hosts: changes.hosts,
            counts: counts - self.stored_counts,
            marks: self.state.marks(),
            output: std::mem::take(&mut self.output),
            warnings: std::mem::take(&mut self.warnings)
                .into_iter()
                .chain(changes.warnings)
                .collect(),
        };
        self.stored = consumed;
        self.stored_counts = counts;
        batch
    }

    fn take_line(&mut self, line: ParsedLine<'_>, now: DateTime<Utc>) {
        let (event, raw) = match line {
            ParsedLine::Event { event, raw } => self.without_secrets(event, raw),
            ParsedLine::Invalid { reason } => {
                self.unread += 1;
                if self.unread <= MAX_TOLD {
                    self.warn(format!("an event could not be read: {reason}"), now);
                }
                return;
            }
        };
        if let Some(task) = self.state.apply(&event) {
            self.tasks.push((self.events.len(), task));
        }
        self.events.push_parts(
            event.ts,
            &event.event,
            event.host.as_deref(),
            event.task_id.as_deref(),
            &raw,
        );
    }

    /// The fold sees what is stored and nothing else, so that folding the stored events again gives the same rows.
    fn without_secrets<'a>(&self, event: Box<WireEvent>, raw: Cow<'a, str>) -> (Box<WireEvent>, Cow<'a, str>) {
        let Some(redacted) = self.redactor.redact_line(&raw) else {
            return (event, raw);
        };
        if let Ok(event) = WireEvent::from_line(&redacted) {
            return (Box::new(event), Cow::Owned(redacted));
        }
        // Only strings were replaced by strings, or numbers where the format has none. Should it happen all the same, only what
        // places the event is kept.
        let redact_host = |host: String| self.redactor.redact_host(&host).unwrap_or(host);
        let event = WireEvent {
            host: event.host.map(redact_host),
            play: None,
            task: None,
            action: None,
            path: None,
            result: None,
            stats: None,
            hosts: None,
            data: None,
            ..*event
        };
        let line = serde_json::json!({
            "v": event.v, "seq": event.seq, "ts": event.ts, "event": event.event, "host": event.host,
            "task_id": event.task_id, "truncated": true,
        });
        (Box::new(event), Cow::Owned(line.to_string()))
    }
}
