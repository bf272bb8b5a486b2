//! What other processes say through the database: LISTEN, and what to do when the connection breaks.

use super::{
    Database, StoreError,
    deployments::{CANCEL_CHANNEL, RUNS_CHANNEL},
    events::DEPLOYMENTS_CHANNEL,
};
use crate::domain::{DeploymentId, RunId};
use sqlx::{PgPool, postgres::PgListener};
use std::{fmt, time::Duration};

const RETRY: Duration = Duration::from_millis(500);

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
    /// The connection was lost and is back: whatever was said meanwhile was missed, so look at everything.
    Reconnected,
}

/// Listens to all of Admiral's channels over one connection of the pool. It comes back by itself.
pub struct Listener {
    pool: PgPool,
    /// `None` while the connection is down.
    listener: Option<PgListener>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("connected", &self.listener.is_some())
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Connects and begins to listen.
    pub async fn connect(database: &Database) -> Result<Self, StoreError> {
        let pool = database.pool().clone();
        let listener = Some(listen(&pool).await?);
        Ok(Self { pool, listener })
    }

    /// The next notification; waits for it, and for the database to come back if need be. Safe to drop and call again.
    pub async fn recv(&mut self) -> Notification {
        loop {
            let Some(listener) = &mut self.listener else {
                tokio::time::sleep(RETRY).await;
                match listen(&self.pool).await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        return Notification::Reconnected;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the database is unavailable; listening again soon");
                        continue;
                    }
                }
            };
            match listener.try_recv().await {
                Ok(Some(notification)) => {
                    if let Some(notification) = parse(notification.channel(), notification.payload()) {
                        return notification;
                    }
                    tracing::warn!(channel = notification.channel(), "a notification cannot be read");
                }
                Ok(None) => self.listener = None,
                Err(error) => {
                    tracing::warn!(%error, "the connection that listens was lost");
                    self.listener = None;
                }
            }
        }
    }
}

async fn listen(pool: &PgPool) -> Result<PgListener, StoreError> {
    let mut listener = PgListener::connect_with(pool).await?;
    // The connection is replaced here and not inside `try_recv`, so that every loss is seen as one.
    listener.eager_reconnect(false);
    listener
        .listen_all([DEPLOYMENTS_CHANNEL, RUNS_CHANNEL, CANCEL_CHANNEL])
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
        CANCEL_CHANNEL => Some(Notification::CancelRequested {
            run_id: payload.parse().ok()?,
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
        for (channel, payload) in [(DEPLOYMENTS_CHANNEL, "x"), (CANCEL_CHANNEL, ""), ("other", "")] {
            assert_eq!(parse(channel, payload), None);
        }
    }
}
