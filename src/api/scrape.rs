//! What a scrape of the metrics asks the database for. It is kept for a moment, so that no number of scrapers weighs on it.

use crate::store::{
    Database, StoreError,
    statistics::{self, QueueState},
};
use std::time::Duration;
use tokio::{sync::Mutex, time::Instant};

/// How long an answer holds.
const KEPT: Duration = Duration::from_secs(2);
/// A scraper waits for ten seconds as a rule, and the other figures are worth more than this one.
const PATIENCE: Duration = Duration::from_secs(3);

/// The latest answer.
#[derive(Debug, Default)]
pub struct Scrape {
    latest: Mutex<Option<(Instant, Option<QueueState>)>>,
}

impl Scrape {
    /// What waits and runs; `None` when the database does not say so in time.
    pub(super) async fn queue(&self, database: &Database) -> Option<QueueState> {
        // Held while the database is asked: those who come at the same time share the answer.
        let mut latest = self.latest.lock().await;
        if let Some((at, queue)) = &*latest
            && at.elapsed() < KEPT
        {
            return *queue;
        }
        let asked = async { statistics::queue_state(&mut *database.acquire().await?).await };
        let answer: Result<Result<_, StoreError>, _> = tokio::time::timeout(PATIENCE, asked).await;
        let queue = match answer {
            Ok(Ok(queue)) => Some(queue),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the state of the queue cannot be read for the metrics");
                None
            }
            Err(_) => {
                tracing::warn!("the state of the queue cannot be read in time for the metrics");
                None
            }
        };
        *latest = Some((Instant::now(), queue));
        queue
    }
}
