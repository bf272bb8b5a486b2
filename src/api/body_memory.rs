//! Limits the memory that request bodies take while they are being received and handled: for one caller, and for all callers together.
//!
//! A byte counts from its arrival until the request is answered. The first bytes of each body are free, so that signing in never depends on
//! other callers; the limit on connections bounds those.

use super::problem::{Problem, RETRY_AFTER};
use crate::domain::UserId;
use axum::{
    body::{Body, Bytes, HttpBody},
    http::StatusCode,
};
use hyper::body::{Frame, SizeHint};
use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

const MIB: usize = 1024 * 1024;
/// The part of each body that does not count. A request to sign in is never larger than this.
pub(super) const FREE: usize = 32 * 1024;
/// The limit for all callers together.
const ALL: usize = 256 * MIB;
/// The limit for one user: one upload of the largest size, and some room beside it.
const PER_USER: usize = 96 * MIB;
/// The limit for callers without an account, by the network they come from. These are webhooks.
const PER_NETWORK: usize = 8 * MIB;

/// A caller, whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    User(UserId),
    Network(IpAddr),
}

impl Holder {
    /// A caller who is not signed in.
    pub(super) fn network(address: IpAddr) -> Self {
        Self::Network(crate::auth::limiter::network(address))
    }

    const fn limit(self) -> usize {
        match self {
            Self::User(_) => PER_USER,
            Self::Network(_) => PER_NETWORK,
        }
    }
}

/// There is no room for more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    /// The caller is at its limit.
    #[error("your concurrent requests are larger than {} MiB together; wait for the others to end, then try again", .0 / MIB)]
    OfCaller(usize),
    /// All callers together are at the limit.
    #[error("the server is receiving as much data as it has room for; try again shortly")]
    OfAll,
}

impl From<NoRoom> for Problem {
    fn from(error: NoRoom) -> Self {
        let (status, code) = match error {
            NoRoom::OfCaller(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            NoRoom::OfAll => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let mut problem = Self::new(status, code, error.to_string());
        problem.retry_after = Some(RETRY_AFTER);
        problem
    }
}

/// The bytes in use, by caller.
#[derive(Debug, Default)]
pub struct BodyMemory(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by: HashMap<Holder, usize>,
}

impl Held {
    fn take(&mut self, holder: Holder, bytes: usize) -> Result<(), NoRoom> {
        let own = self.by.get(&holder).copied().unwrap_or_default() + bytes;
        if own > holder.limit() {
            return Err(NoRoom::OfCaller(holder.limit()));
        }
        if self.all + bytes > ALL {
            return Err(NoRoom::OfAll);
        }
        self.all += bytes;
        self.by.insert(holder, own);
        Ok(())
    }

    fn give_back(&mut self, holder: Holder, bytes: usize) {
        self.all = self.all.saturating_sub(bytes);
        if let Some(own) = self.by.get_mut(&holder) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                self.by.remove(&holder);
            }
        }
    }
}

impl BodyMemory {
    /// Opens an empty reservation for one request.
    pub(super) fn open(self: &Arc<Self>, holder: Holder) -> Arc<Reservation> {
        Arc::new(Reservation {
            memory: Arc::clone(self),
            holder,
            bytes: AtomicUsize::new(0),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic elsewhere leaves the numbers as usable as before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes that one request has in use; dropping it returns them.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: Arc<BodyMemory>,
    holder: Holder,
    bytes: AtomicUsize,
}

impl Reservation {
    /// Adds bytes that have arrived.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), NoRoom> {
        self.memory.held().take(self.holder, bytes)?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        if bytes > 0 {
            self.memory.held().give_back(self.holder, bytes);
        }
    }
}

/// A body whose bytes are counted as they arrive. It ends with [`NoRoom`] when there is no room for them.
pub(super) struct Metered {
    body: Body,
    free: usize,
    reservation: Arc<Reservation>,
}

impl Metered {
    pub(super) fn new(body: Body, reservation: Arc<Reservation>) -> Self {
        Self {
            body,
            free: FREE,
            reservation,
        }
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let counted = data.len().saturating_sub(self.free);
            self.free = self.free.saturating_sub(data.len());
            if counted > 0 {
                self.reservation.grow(counted).map_err(axum::Error::new)?;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::new_id;
    use http_body_util::BodyExt as _;

    fn network(last: u8) -> Holder {
        Holder::network(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn each_caller_has_a_limit_and_all_have_one_together() {
        let memory = Arc::new(BodyMemory::default());
        let user = Holder::User(new_id());
        let (one, other) = (memory.open(user), memory.open(user));
        one.grow(60 * MIB).unwrap();
        assert_eq!(other.grow(60 * MIB), Err(NoRoom::OfCaller(PER_USER)));
        other.grow(36 * MIB).unwrap();
        drop(one);
        other.grow(60 * MIB).unwrap();

        let others: Vec<_> = (0..2).map(|_| memory.open(Holder::User(new_id()))).collect();
        others[0].grow(PER_USER).unwrap();
        assert_eq!(others[1].grow(PER_USER), Err(NoRoom::OfAll));
        others[1].grow(64 * MIB).unwrap();
        let stranger = memory.open(network(1));
        assert_eq!(stranger.grow(1), Err(NoRoom::OfAll));
        drop(others);
        stranger.grow(PER_NETWORK).unwrap();
        assert_eq!(memory.open(network(1)).grow(1), Err(NoRoom::OfCaller(PER_NETWORK)));
        memory.open(network(2)).grow(1).unwrap();
        drop((stranger, other));
        let held = memory.held();
        assert_eq!((held.all, held.by.len()), (0, 0));
    }

    #[tokio::test]
    async fn small_bodies_are_free_and_others_count_until_they_are_answered() {
        let memory = Arc::new(BodyMemory::default());
        let receive = |bytes: usize| {
            let reservation = memory.open(network(1));
            let body = Metered::new(Body::from(vec![0; bytes]), Arc::clone(&reservation));
            async { (body.collect().await.map(|_| ()), reservation) }
        };
        let (received, small) = receive(FREE).await;
        received.unwrap();
        assert_eq!(memory.held().all, 0);
        let (received, large) = receive(FREE + PER_NETWORK).await;
        received.unwrap();
        assert_eq!(memory.held().all, PER_NETWORK);
        let (received, _refused) = receive(FREE + 1).await;
        let error = received.unwrap_err().into_inner();
        assert_eq!(error.downcast_ref(), Some(&NoRoom::OfCaller(PER_NETWORK)));
        let (received, _free) = receive(FREE).await;
        received.unwrap();
        drop((small, large));
        assert_eq!(memory.held().all, 0);
    }
}
