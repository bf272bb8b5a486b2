//! Limits the number of connections, and decides which one is closed when there is no room for another.
//!
//! All connections that are waiting for their clients (for a request, for the rest of one, for an answer to be read) stand in one line.
//! When every seat is taken, the connection that has waited longest is closed in favour of the new one, so that no number of idle or slow
//! clients can keep others out. When no connection is waiting, because all are busy, some seats are in reserve for `GET /api/health`; they
//! have a line of their own.

use super::progress::{Event, Overdue, Progress};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// Seats in addition to the ordinary ones.
pub(super) const RESERVE: usize = 32;
/// The shortest time between two warnings that all seats are taken.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// The kind of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// For all requests.
    Ordinary,
    /// For `GET /api/health`.
    Reserve,
}

/// All seats of one listener.
#[derive(Debug)]
pub(super) struct Seats {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ordinary: Group,
    reserve: Group,
    next: u64,
    told: Option<Instant>,
}

/// The seats of one kind.
#[derive(Debug, Default)]
struct Group {
    taken: usize,
    /// The connections that are waiting for their clients, the longest wait first.
    line: BTreeMap<u64, Arc<Turn>>,
}

impl Group {
    /// Closes the connection that has waited longest; `false` when none is waiting.
    fn end_longest(&mut self) -> bool {
        let Some((_, turn)) = self.line.pop_first() else {
            return false;
        };
        turn.gives_way.cancel();
        true
    }
}

impl State {
    const fn group(&mut self, kind: Kind) -> &mut Group {
        match kind {
            Kind::Ordinary => &mut self.ordinary,
            Kind::Reserve => &mut self.reserve,
        }
    }

    /// Takes a free seat, or the seat of a connection that is closed for it.
    fn take(&mut self, limit: usize) -> Option<Kind> {
        if self.ordinary.taken < limit {
            self.ordinary.taken += 1;
            return Some(Kind::Ordinary);
        }
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(
                limit,
                "all connections are in use; those that have waited longest for their clients are closed in favour of new ones"
            );
        }
        // One connection replaces another, so the number stays.
        if self.ordinary.end_longest() {
            return Some(Kind::Ordinary);
        }
        if self.reserve.taken < RESERVE {
            self.reserve.taken += 1;
            return Some(Kind::Reserve);
        }
        self.reserve.end_longest().then_some(Kind::Reserve)
    }
}

impl Seats {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
        })
    }

    /// A seat for a new connection; `None` when all connections are busy, those of the reserve included.
    pub(super) fn take(self: &Arc<Self>) -> Option<Seat> {
        let kind = self.state().take(self.limit)?;
        let turn = Arc::new(Turn {
            kind,
            gives_way: CancellationToken::new(),
            body_ended: Notify::new(),
            bodies: AtomicU64::new(0),
            seats: Arc::clone(self),
            doing: Mutex::new((Progress::new(Instant::now()), None)),
        });
        turn.enter_line();
        Some(Seat(turn))
    }

    /// Closes the connection that has waited longest, because the system has no room for another.
    pub(super) fn free_one(&self) {
        let ordinary = &mut self.state().ordinary;
        if ordinary.end_longest() {
            ordinary.taken -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the line as usable as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The seat of one connection; dropping it frees the seat.
#[derive(Debug)]
pub(super) struct Seat(Arc<Turn>);

impl Seat {
    pub(super) fn turn(&self) -> &Arc<Turn> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let place = self.0.doing().1.take();
        let mut state = self.0.seats.state();
        let group = state.group(self.0.kind);
        if let Some(place) = place {
            group.line.remove(&place);
        }
        if !self.0.gives_way.is_cancelled() {
            group.taken -= 1;
        }
    }
}

/// The state of one connection, shared by its parts.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) kind: Kind,
    /// Cancelled when the connection is closed in favour of another.
    pub(super) gives_way: CancellationToken,
    /// A body has ended. It may have been discarded by another task, and the connection has to learn its new deadline.
    pub(super) body_ended: Notify,
    /// The number of bodies that have begun.
    bodies: AtomicU64,
    seats: Arc<Seats>,
    /// With its place in the line.
    doing: Mutex<(Progress, Option<u64>)>,
}

impl Turn {
    /// Takes an event into account, and enters the line at its end or leaves it accordingly.
    pub(super) fn note(self: &Arc<Self>, event: Event) {
        self.note_in(self.doing(), event);
    }

    /// Numbers a body that begins, before its request is noted.
    pub(super) fn begin_body(&self) -> u64 {
        self.bodies.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Notes the end of the body with this number, unless the next one has begun: the end of a body that is discarded is noticed late.
    pub(super) fn end_body(self: &Arc<Self>, number: u64) {
        let doing = self.doing();
        if self.bodies.load(Ordering::SeqCst) == number {
            self.note_in(doing, Event::ReceivedAll);
            self.body_ended.notify_one();
        }
    }

    fn note_in(self: &Arc<Self>, mut doing: MutexGuard<'_, (Progress, Option<u64>)>, event: Event) {
        let before = doing.0.waits_since();
        doing.0.note(event, Instant::now());
        let after = doing.0.waits_since();
        if before == after {
            return;
        }
        let mut state = self.seats.state();
        if let Some(place) = doing.1.take() {
            state.group(self.kind).line.remove(&place);
        }
        if after.is_some() {
            doing.1 = self.stand_last(&mut state);
        }
    }

    /// The moment at which the connection is closed, and the reason.
    pub(super) fn deadline(&self) -> Option<(Instant, Overdue)> {
        self.doing().0.deadline()
    }

    fn enter_line(self: &Arc<Self>) {
        let mut doing = self.doing();
        doing.1 = self.stand_last(&mut self.seats.state());
    }

    fn stand_last(self: &Arc<Self>, state: &mut State) -> Option<u64> {
        // A connection that is being closed has no seat any more.
        if self.gives_way.is_cancelled() {
            return None;
        }
        let place = state.next;
        state.next += 1;
        state.group(self.kind).line.insert(place, Arc::clone(self));
        Some(place)
    }

    /// Lock this before the seats, never after them.
    fn doing(&self) -> MutexGuard<'_, (Progress, Option<u64>)> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_out(seat: &Seat) -> bool {
        seat.turn().gives_way.is_cancelled()
    }

    fn assert_empty(seats: &Seats) {
        let mut state = seats.state();
        for kind in [Kind::Ordinary, Kind::Reserve] {
            let group = state.group(kind);
            assert_eq!((group.taken, group.line.len()), (0, 0), "{kind:?}");
        }
    }

    fn begin(seat: &Seat) {
        seat.turn().note(Event::Requested { with_body: false });
    }

    #[test]
    fn the_connection_that_has_waited_longest_gives_way() {
        let seats = Seats::new(3);
        let (one, two, three) = (seats.take().unwrap(), seats.take().unwrap(), seats.take().unwrap());
        begin(&one);
        let four = seats.take().unwrap();
        assert_eq!(four.turn().kind, Kind::Ordinary);
        assert!(is_out(&two) && !is_out(&one) && !is_out(&three));
        // Events on a connection that is being closed do not bring it back into the line.
        two.turn().note(Event::Requested { with_body: true });
        two.turn().note(Event::Received);
        drop(two);
        one.turn().note(Event::Answered);
        let five = seats.take().unwrap();
        assert!(is_out(&three) && !is_out(&one) && !is_out(&four));
        four.turn().note(Event::Requested { with_body: true });
        let six = seats.take().unwrap();
        assert!(
            is_out(&one),
            "it has waited longer than the one that has just begun to send"
        );
        four.turn().note(Event::Received);
        let seven = seats.take().unwrap();
        assert!(is_out(&five) && !is_out(&four), "a client that sends steadily stays");
        drop((one, three, four, five, six, seven));
        assert_empty(&seats);
    }

    #[test]
    fn the_late_end_of_a_discarded_body_is_not_taken_for_the_end_of_the_next_one() {
        let seats = Seats::new(1);
        let seat = seats.take().unwrap();
        let turn = seat.turn();
        let (with_body, without) = (
            Event::Requested { with_body: true },
            Event::Requested { with_body: false },
        );
        let discarded = turn.begin_body();
        turn.note(with_body);
        turn.note(Event::Answered);
        let next = turn.begin_body();
        turn.note(with_body);
        turn.end_body(discarded);
        let is_waiting = || turn.doing().0.waits_since().is_some();
        assert!(is_waiting(), "the next body has not ended");
        turn.end_body(next);
        assert!(!is_waiting());
        turn.note(Event::Answered);
        turn.note(without);
        assert!(!is_waiting());
    }

    #[test]
    fn there_is_a_reserve_when_all_connections_are_busy() {
        let seats = Seats::new(2);
        let busy: Vec<_> = (0..2).map(|_| seats.take().unwrap()).collect();
        busy.iter().for_each(begin);
        let reserve: Vec<_> = (0..RESERVE).map(|_| seats.take().unwrap()).collect();
        assert!(reserve.iter().all(|seat| seat.turn().kind == Kind::Reserve));
        // Idle connections cannot hold the reserve, and it stays a reserve.
        let next = seats.take().unwrap();
        assert_eq!(next.turn().kind, Kind::Reserve);
        assert!(is_out(&reserve[0]) && !busy.iter().any(is_out));
        for seat in reserve.iter().chain([&next]) {
            begin(seat);
        }
        assert!(seats.take().is_none());
        // A client that does not read its answer is waited for.
        busy[1].turn().note(Event::Blocked);
        let after = seats.take().unwrap();
        assert_eq!(after.turn().kind, Kind::Ordinary);
        assert!(is_out(&busy[1]));
        drop((busy, reserve, next, after));
        assert_empty(&seats);
    }

    #[test]
    fn a_seat_can_be_freed_when_the_system_has_no_room() {
        let seats = Seats::new(2);
        let one = seats.take().unwrap();
        seats.free_one();
        assert!(is_out(&one));
        assert_empty(&seats);
        drop(one);
        assert_empty(&seats);
        seats.free_one();
    }
}
