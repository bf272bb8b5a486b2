//! Time and new identifiers come in through here, so that tests can move the one and foresee the other.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A new identifier: UUID version 7 (RFC 9562), so that rows sort by the time they were made.
#[expect(clippy::disallowed_methods, reason = "the one place that makes identifiers")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
