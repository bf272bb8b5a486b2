//! A run's files read into batches, apart from storing them: while the database stores one batch, the next is made ready, so that
//! reading and storing each have a processor of their own.

use super::FollowError;
use crate::{
    ingest::pipeline::Pipeline,
    runner::{RunFolder, Tail},
    store::ingest::IngestBatch,
};
use chrono::{DateTime, Utc};

/// Bytes of the event file that one batch takes at most: some thousands of events. Many in one batch share the changes of their
/// hosts' rows and one commit; few keep what is held in memory small.
const EVENT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of the output file that one batch takes at most.
const OUTPUT_BYTES: usize = 1024 * 1024;
/// Bytes read at a time: what fits a processor's cache.
const PIECE_BYTES: usize = 256 * 1024;

/// Reads a run's files.
#[derive(Debug)]
pub(super) struct Reader {
    /// What the run's state is.
    pub(super) pipeline: Pipeline,
    events: Tail,
    output: Tail,
}

/// What one look at the files brought.
#[derive(Debug)]
pub(super) struct Portion {
    /// To be stored before what the next look brings.
    pub(super) batch: Option<IngestBatch>,
    /// The files held more than one batch takes.
    pub(super) more: bool,
}

impl Reader {
    /// Goes on where the store stands.
    pub(super) fn new(pipeline: Pipeline, folder: &RunFolder) -> Self {
        let run = pipeline.run();
        Self {
            events: Tail::open(folder.events(), run.spool_offset),
            output: Tail::open(folder.output(), run.output_offset),
            pipeline,
        }
    }

    /// Takes what is there, on a thread that holds nobody else up. Without [`Portion::more`] it is all there was.
    pub(super) async fn read(mut self, now: DateTime<Utc>) -> Result<(Self, Portion), FollowError> {
        let span = tracing::Span::current();
        let reading = tokio::task::spawn_blocking(move || {
            let _entered = span.entered();
            let portion = self.read_portion(now);
            (self, portion)
        });
        reading.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the whole process cancels it.
            Err(_) => FollowError::Shutdown,
        })
    }

    fn read_portion(&mut self, now: DateTime<Utc>) -> Portion {
        let run = self.pipeline.run().id;
        // What is taken of a file, and whether there was more.
        let mut take = |tail: &mut Tail, most: usize, feed: fn(&mut Pipeline, &[u8], DateTime<Utc>)| {
            let mut taken = 0;
            while taken < most {
                let bytes = match tail.read_available(PIECE_BYTES) {
                    Ok(chunk) => chunk.bytes,
                    // Looked at again with the next change.
                    Err(error) => {
                        tracing::warn!(%error, %run, "a run's file cannot be read");
                        return false;
                    }
                };
                feed(&mut self.pipeline, &bytes, now);
                if bytes.len() < PIECE_BYTES {
                    return false;
                }
                taken += bytes.len();
            }
            true
        };
        let more_events = take(&mut self.events, EVENT_BYTES, Pipeline::feed_events);
        let more_output = take(&mut self.output, OUTPUT_BYTES, |pipeline, bytes, _| {
            pipeline.feed_output(bytes);
        });
        Portion {
            batch: self.pipeline.take_batch(),
            more: more_events || more_output,
        }
    }
}
