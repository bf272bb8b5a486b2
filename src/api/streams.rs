//! Limits the number of streams, and ends a stream as soon as its reader may no longer see it.

use super::{
    AppState,
    extract::Actor,
    live::AccessSubscription,
    problem::{Problem, RETRY_AFTER},
};
use crate::{
    auth::{
        policy::{Action, allows},
        standing::{self, Standing},
    },
    domain::UserId,
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The limit for one user, who has a stream for each open page and each watched deployment.
pub(super) const PER_USER: usize = 100;
/// The longest time between two checks of a reader's rights. Notices may be lost, so they are not enough.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// The wait after a check that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The streams that are open.
#[derive(Debug, Default)]
pub struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by: HashMap<UserId, usize>,
}

/// One open stream; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct OpenStream {
    streams: Arc<Streams>,
    user: UserId,
}

impl Streams {
    /// Opens one more stream, of at most `most` in all. Those of the local command line do not count.
    fn open(self: &Arc<Self>, user: Option<UserId>, most: usize) -> Result<Option<OpenStream>, Problem> {
        let Some(user) = user else { return Ok(None) };
        let mut open = self.state();
        if open.all >= most {
            return Err(Problem::unavailable(
                "too many streams are open on this server; try again shortly",
            ));
        }
        let own = open.by.entry(user).or_default();
        if *own >= PER_USER {
            let mut problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                format!("a user may have at most {PER_USER} streams open at a time; close some first"),
            );
            problem.retry_after = Some(RETRY_AFTER);
            return Err(problem);
        }
        *own += 1;
        open.all += 1;
        drop(open);
        Ok(Some(OpenStream {
            streams: Arc::clone(self),
            user,
        }))
    }

    fn state(&self) -> MutexGuard<'_, Open> {
        // A panic elsewhere leaves the numbers as usable as before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.state();
        open.all = open.all.saturating_sub(1);
        if let Some(own) = open.by.get_mut(&self.user) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.by.remove(&self.user);
            }
        }
    }
}

/// The reader of one stream.
pub(super) struct Reader {
    state: AppState,
    actor: Actor,
    action: Action,
    changes: AccessSubscription,
    _open: Option<OpenStream>,
}

impl Reader {
    /// Admits a reader who needs `action`, unless too many streams are open.
    pub(super) fn admit(state: &AppState, actor: Actor, action: Action) -> Result<Self, Problem> {
        // Other requests need connections too.
        let most = state.config.max_connections / 2;
        let open = state.streams.open(actor.principal.user_id, most)?;
        Ok(Self {
            changes: state.live.subscribe_access(),
            state: state.clone(),
            actor,
            action,
            _open: open,
        })
    }

    /// Returns when the reader has lost the right to read on.
    pub(super) async fn until_lost(mut self) {
        loop {
            let wait = match self.check().await {
                Ok(None) => return,
                Ok(Some(wait)) => wait,
                Err(problem) => {
                    tracing::debug!(
                        detail = problem.detail,
                        "the rights of a stream's reader could not be checked"
                    );
                    RETRY
                }
            };
            let changed = async {
                match self.actor.principal.user_id {
                    Some(user) => self.changes.of(user).await,
                    None => std::future::pending().await,
                }
            };
            let _waited = tokio::time::timeout(wait, changed).await;
        }
    }

    /// The time until the next check; `None` when the right is gone.
    async fn check(&self) -> Result<Option<Duration>, Problem> {
        let database = &self.state.stream_database;
        let now = self.state.clock.now();
        let looked = async {
            let mut connection = database.acquire().await?;
            standing::check(&mut connection, &self.actor.principal, now).await
        };
        Ok(may_go_on(looked.await?, self.action, now))
    }
}

/// The time for which a reader with this standing may go on without another check; `None` when they may not.
fn may_go_on(standing: Option<Standing>, action: Action, now: DateTime<Utc>) -> Option<Duration> {
    let standing = standing.filter(|standing| allows(standing.role, action))?;
    let left = standing.expires_at.map(|end| (end - now).to_std().unwrap_or_default());
    Some(left.unwrap_or(CHECK_EVERY).min(CHECK_EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{clock::new_id, user::Role};
    use chrono::TimeDelta;

    #[test]
    fn a_reader_goes_on_while_the_role_allows_it_and_until_the_end() {
        let now = DateTime::UNIX_EPOCH;
        let of = |role, seconds: Option<i64>| {
            let expires_at = seconds.map(|seconds| now + TimeDelta::seconds(seconds));
            may_go_on(Some(Standing { role, expires_at }), Action::ReadAudit, now)
        };
        assert_eq!(may_go_on(None, Action::ReadAudit, now), None);
        assert_eq!(of(Role::Viewer, None), None);
        assert_eq!(of(Role::Operator, Some(1)), None);
        assert_eq!(of(Role::Auditor, None), Some(CHECK_EVERY));
        assert_eq!(of(Role::Admin, Some(3600)), Some(CHECK_EVERY));
        assert_eq!(of(Role::Admin, Some(3)), Some(Duration::from_secs(3)));
        assert_eq!(of(Role::Admin, Some(-3)), Some(Duration::ZERO), "checked again at once");
    }

    #[test]
    fn streams_are_limited_per_user_and_in_all() {
        let streams = Arc::new(Streams::default());
        let (one, other) = (new_id(), new_id());
        let most = PER_USER + 2;
        let open: Vec<_> = (0..PER_USER)
            .map(|_| streams.open(Some(one), most).expect("there is room"))
            .collect();
        assert_eq!(streams.open(Some(one), most).unwrap_err().status, 429);
        let others: Vec<_> = (0..2)
            .map(|_| streams.open(Some(other), most).expect("there is room"))
            .collect();
        assert_eq!(streams.open(Some(other), most).unwrap_err().status, 503);
        assert!(streams.open(None, most).expect("it is not counted").is_none());
        drop((open, others));
        let state = streams.state();
        assert_eq!((state.all, state.by.len()), (0, 0));
    }
}
