//! The state of a connection: whether it is waiting for its client, and until when it may. Pure.

use std::time::Duration;
use tokio::time::Instant;

/// The time for a request's head, from the opening of the connection or from the head's first byte.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// The time between two requests. It is longer than the usual polling intervals, so that a request seldom meets the end of its connection.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// The time for which a client may read nothing of an answer.
pub(super) const STALLED: Duration = Duration::from_secs(30);

/// Something that happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Bytes have arrived.
    Read,
    /// A request's head is complete.
    Requested {
        /// Whether a body follows.
        with_body: bool,
    },
    /// A good part of the body has arrived.
    Received,
    /// The body has ended, or is no longer wanted.
    ReceivedAll,
    /// The whole answer was handed to the connection.
    Answered,
    /// The client does not read, and the buffers are full.
    Blocked,
    /// The client reads again.
    Unblocked,
}

/// The reason for closing a connection that its client keeps open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// There was no request for a long time.
    Idle,
    /// The head of a request was not completed.
    SlowHead,
    /// The client read nothing of its answer.
    Stalled,
}

/// The state of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// A body is being received.
    receiving: bool,
    /// An answer is being made, or handed to the connection.
    answering: bool,
    /// Part of the next request's head has arrived.
    in_head: bool,
    /// The last progress of the client.
    since: Instant,
    blocked: Option<Instant>,
}

impl Progress {
    /// The state of a new connection, which has to bring its first request at once.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            receiving: false,
            answering: false,
            in_head: true,
            since: now,
            blocked: None,
        }
    }

    /// Takes an event into account.
    pub(super) fn note(&mut self, event: Event, now: Instant) {
        match event {
            // These bytes may belong to the body, or to a request that is sent before the last one was answered.
            Event::Read if self.receiving => {}
            Event::Read if self.answering => self.in_head = true,
            Event::Read if self.in_head => {}
            Event::Read => {
                self.in_head = true;
                self.since = now;
            }
            Event::Requested { with_body } => {
                self.receiving = with_body;
                self.answering = true;
                self.in_head = false;
                self.since = now;
            }
            Event::Received => self.since = now,
            Event::ReceivedAll => {
                self.receiving = false;
                self.since = now;
            }
            Event::Answered => {
                self.answering = false;
                self.since = now;
            }
            Event::Blocked => self.blocked = self.blocked.or(Some(now)),
            Event::Unblocked => self.blocked = None,
        }
    }

    /// The moment since which we have been waiting for the client; `None` while the client is waiting for us.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        if self.receiving || !self.answering {
            return Some(self.since);
        }
        self.blocked
    }

    /// The moment at which the connection is closed, and the reason. A body has its own deadlines, which lead to an answer.
    pub(super) fn deadline(&self) -> Option<(Instant, Overdue)> {
        if let Some(blocked) = self.blocked {
            return Some((blocked + STALLED, Overdue::Stalled));
        }
        if self.receiving || self.answering {
            return None;
        }
        Some(if self.in_head {
            (self.since + HEAD, Overdue::SlowHead)
        } else {
            (self.since + IDLE, Overdue::Idle)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The deadline in seconds from the beginning, and whether we wait for the client, after events that are a second apart.
    fn after(events: &[Event]) -> (Option<(u64, Overdue)>, bool) {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        for (number, event) in events.iter().enumerate() {
            progress.note(*event, start + SECOND * (number as u32 + 1));
        }
        let due = progress.deadline();
        (
            due.map(|(at, why)| ((at - start).as_secs(), why)),
            progress.waits_since().is_some(),
        )
    }

    #[test]
    fn each_state_has_its_deadline() {
        let (head, idle, stalled) = (HEAD.as_secs(), IDLE.as_secs(), STALLED.as_secs());
        let (get, post) = (
            Event::Requested { with_body: false },
            Event::Requested { with_body: true },
        );
        for (events, due, waits) in [
            // Sending a head byte by byte does not extend the time.
            (vec![], Some((head, Overdue::SlowHead)), true),
            (vec![Event::Read; 5], Some((head, Overdue::SlowHead)), true),
            // There is no deadline for our own work.
            (vec![Event::Read, get], None, false),
            (
                vec![Event::Read, get, Event::Answered],
                Some((3 + idle, Overdue::Idle)),
                true,
            ),
            (
                vec![Event::Read, get, Event::Answered, Event::Read, Event::Read],
                Some((4 + head, Overdue::SlowHead)),
                true,
            ),
            // The beginning of the next request arrived early.
            (
                vec![Event::Read, get, Event::Read, Event::Answered],
                Some((4 + head, Overdue::SlowHead)),
                true,
            ),
            (vec![Event::Read, post, Event::Read, Event::Received], None, true),
            (vec![Event::Read, post, Event::ReceivedAll], None, false),
            // The request was refused before the body arrived.
            (vec![Event::Read, post, Event::Answered, Event::Received], None, true),
            (
                vec![Event::Read, post, Event::Answered, Event::ReceivedAll],
                Some((4 + idle, Overdue::Idle)),
                true,
            ),
            (
                vec![Event::Read, get, Event::Blocked, Event::Blocked],
                Some((3 + stalled, Overdue::Stalled)),
                true,
            ),
            (vec![Event::Read, get, Event::Blocked, Event::Unblocked], None, false),
            // The rest of the answer is in our buffer, and is not read.
            (
                vec![Event::Read, get, Event::Blocked, Event::Answered],
                Some((3 + stalled, Overdue::Stalled)),
                true,
            ),
        ] {
            assert_eq!(after(&events), (due, waits), "{events:?}");
        }
    }
}
