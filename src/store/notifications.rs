//! What other processes say through the database: LISTEN, and what to do when the connection breaks.

use super::{
    Database, StoreError,
    deployments::{CANCEL_CHANNEL, RUNS_CHANNEL},
    events::DEPLOYMENTS_CHANNEL,
    projects::PROJECTS_CHANNEL,
};
use crate::domain::{DeploymentId, RunId, UserId};
use sqlx::{PgPool, postgres::PgListener};
use std::{fmt, time::Duration};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Carries the id of a user who may do less than before, or one of whose sessions or tokens has ended. Triggers in the database send it
/// (`admiral.announce_lost_access`).
const ACCESS_CHANNEL: &str = "admiral_access";

const RETRY: Duration = Duration::from_millis(500);
/// Notifications on their way from the connection to whoever listens.
const BACKLOG: usize = 1024;

/// Something that happened elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notification {
    /// A deployment has reached this position.
    DeploymentChanged {
        /// Which one.
        id: DeploymentId,
        /// Its latest event.
        position: i64,
    },
    /// There are runs to claim.
    RunsPending,
    /// A run is to be cancelled.
    CancelRequested {
        /// Which one.
        run_id: RunId,
    },
    /// There are projects to sync.
    ProjectsDue,
    /// A user may do less than before, or one of their sessions or tokens has ended.
    AccessChanged {
        /// The user.
        user_id: UserId,
    },
    /// The connection was lost and is back: whatever was said meanwhile was missed, so look at everything.
    Reconnected,
}

/// Listens to all of Admiral's channels over one connection of the pool, in a task of its own. It comes back by itself.
pub struct Listener {
    received: mpsc::Receiver<Notification>,
    _task: AbortOnDropHandle<()>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Listener {
    /// Begins to listen, now or when the database is there: the first thing that is heard is then [`Notification::Reconnected`].
    pub fn start(database: &Database) -> Self {
        Self::spawn(database, None)
    }

    /// Connects and begins to listen.
    pub async fn connect(database: &Database) -> Result<Self, StoreError> {
        let listener = listen_on(database.pool()).await?;
        Ok(Self::spawn(database, Some(listener)))
    }

    fn spawn(database: &Database, listener: Option<PgListener>) -> Self {
        let (sender, received) = mpsc::channel(BACKLOG);
        let task = tokio::spawn(forward(database.clone(), listener, sender));
        Self {
            received,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The next notification; waits for it, and for the database to come back if need be. Safe to drop and call again.
    pub async fn recv(&mut self) -> Notification {
        match self.received.recv().await {
            Some(notification) => notification,
            // The pool was closed: nothing will be heard any more.
            None => std::future::pending().await,
        }
    }
}

/// Passes on what is heard, until nobody takes it or the pool is closed.
async fn forward(database: Database, mut listener: Option<PgListener>, sender: mpsc::Sender<Notification>) {
    let mut told = false;
    loop {
        let heard = match &mut listener {
            Some(current) => {
                let heard = tokio::select! {
                    heard = current.try_recv() => heard,
                    // From a machine that is gone not even the loss of the connection is heard.
                    () = database.lost() => Ok(None),
                };
                if let Ok(Some(notification)) = heard {
                    let heard = parse(notification.channel(), notification.payload());
                    if heard.is_none() {
                        tracing::warn!(channel = notification.channel(), "a notification cannot be read");
                    }
                    heard
                } else {
                    listener = None;
                    None
                }
            }
            None => match database.reach(listen_on(database.pool())).await {
                Ok(new) => {
                    listener = Some(new);
                    told = false;
                    Some(Notification::Reconnected)
                }
                Err(error) => {
                    if database.pool().is_closed() {
                        return;
                    }
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "the database cannot be listened to; it is looked at from time to time instead");
                    }
                    tokio::time::sleep(RETRY).await;
                    None
                }
            },
        };
        if let Some(heard) = heard
            && sender.send(heard).await.is_err()
        {
            return;
        }
    }
}

async fn listen_on(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // The connection is replaced here and not inside `try_recv`, so that every loss is seen as one.
    listener.eager_reconnect(false);
    listener
        .listen_all([
            DEPLOYMENTS_CHANNEL,
            RUNS_CHANNEL,
            CANCEL_CHANNEL,
            PROJECTS_CHANNEL,
            ACCESS_CHANNEL,
        ])
        .await?;
    Ok(listener)
}

fn parse(channel: &str, payload: &str) -> Option<Notification> {
    match channel {
        DEPLOYMENTS_CHANNEL => {
            let (id, position) = payload.split_once(':')?;
            Some(Notification::DeploymentChanged {
                id: id.parse().ok()?,
                position: position.parse().ok()?,
            })
        }
        RUNS_CHANNEL => Some(Notification::RunsPending),
        PROJECTS_CHANNEL => Some(Notification::ProjectsDue),
        CANCEL_CHANNEL => Some(Notification::CancelRequested {
            run_id: payload.parse().ok()?,
        }),
        ACCESS_CHANNEL => Some(Notification::AccessChanged {
            user_id: payload.parse().ok()?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_read() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(
            parse(DEPLOYMENTS_CHANNEL, &format!("{id}:12")),
            Some(Notification::DeploymentChanged { id, position: 12 })
        );
        assert_eq!(parse(RUNS_CHANNEL, ""), Some(Notification::RunsPending));
        assert_eq!(
            parse(CANCEL_CHANNEL, &id.to_string()),
            Some(Notification::CancelRequested { run_id: id })
        );
        assert_eq!(
            parse(ACCESS_CHANNEL, &id.to_string()),
            Some(Notification::AccessChanged { user_id: id })
        );
        for (channel, payload) in [(DEPLOYMENTS_CHANNEL, "x"), (CANCEL_CHANNEL, ""), ("other", "")] {
            assert_eq!(parse(channel, payload), None);
        }
    }
}
