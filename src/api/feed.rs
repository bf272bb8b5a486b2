//! What a viewer of a deployment is sent, in which order: pulled from the database as fast as the viewer takes it.
//!
//! A message's id is a cursor: everything up to that position has been delivered once the message is. Rows are sent before the
//! events of the same step, because a cursor inside the step's events promises the rows as well; a row may therefore be sent again
//! after a reconnect (it is a state, so that does no harm), an event never is.

use super::{AppState, live::Subscription};
use crate::{
    domain::{
        DeploymentId,
        deployment::{Deployment, DeploymentServer},
        event::DeploymentEvent,
    },
    store::{
        StoreError,
        deployment_servers::{self, Changed},
        deployments,
        events::{self, EventFilter, PageLimit},
    },
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// At most ten steps a second.
const STEP: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);
/// A viewer who reads slowly makes us keep one message, so messages are small.
const ROWS_PER_MESSAGE: i64 = 250;
const EVENTS_PER_MESSAGE: PageLimit = PageLimit {
    events: 250,
    bytes: 256 * 1024,
};

/// One message of the stream.
#[derive(Debug)]
pub(super) struct Message {
    /// The cursor to resume from.
    pub(super) id: i64,
    /// What it says.
    pub(super) content: Content,
}

/// What a message says.
#[derive(Debug)]
pub(super) enum Content {
    /// The deployment has changed.
    Deployment(Box<Deployment>),
    /// Rows have changed.
    Servers(Vec<DeploymentServer>),
    /// The next events.
    Events(Vec<DeploymentEvent>),
    /// Nothing will change any more.
    End,
    /// The server stops: whoever watches comes back, to this one or to another, and goes on.
    Closing,
}

/// One viewer of one deployment.
pub(super) struct Feed {
    state: AppState,
    id: DeploymentId,
    subscription: Subscription,
    with_events: bool,
    /// Everything up to here is read.
    cursor: i64,
    /// The last message's id.
    delivered: i64,
    /// The step under way goes up to here.
    goal: i64,
    /// The last row that was read of the step, if there are more behind it.
    rows_behind: Option<DeploymentServer>,
    shown: Option<Deployment>,
    ready: VecDeque<Message>,
    stepped_at: Option<Instant>,
    is_final: bool,
    is_over: bool,
}

impl Feed {
    /// Begins after position `after`.
    pub(super) fn new(state: AppState, id: DeploymentId, after: i64, with_events: bool) -> Self {
        let subscription = state.live.subscribe(id);
        let cursor = after.max(0);
        Self {
            state,
            id,
            subscription,
            with_events,
            cursor,
            delivered: cursor,
            goal: cursor,
            rows_behind: None,
            shown: None,
            ready: VecDeque::new(),
            stepped_at: None,
            is_final: false,
            is_over: false,
        }
    }

    /// The next message, once there is one; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Message> {
        if self.is_over {
            return None;
        }
        let shutdown = self.state.shutdown.clone();
        let Some(message) = shutdown.run_until_cancelled(self.advance()).await else {
            self.is_over = true;
            return Some(Message {
                id: self.delivered,
                content: Content::Closing,
            });
        };
        self.delivered = message.as_ref().map_or(self.delivered, |message| message.id);
        message
    }

    async fn advance(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let database = self.state.stream_database.clone();
            let done = if self.rows_behind.is_some() {
                database.unless_lost(self.read_rows()).await
            } else if self.cursor < self.goal {
                database.unless_lost(self.read_events()).await
            } else {
                if self.is_final {
                    self.is_over = true;
                    return Some(Message {
                        id: self.cursor,
                        content: Content::End,
                    });
                }
                if self.stepped_at.is_some() {
                    self.wait().await;
                }
                database.unless_lost(self.step()).await
            };
            match done {
                Ok(()) => {}
                // The deployment was deleted.
                Err(StoreError::NotFound(_)) => return None,
                Err(error) => {
                    // A database that is away is in the log once, and not for every viewer.
                    if !error.is_unavailable() {
                        tracing::warn!(%error, deployment = %self.id, "a stream cannot go on; trying again");
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Looks at the deployment and its rows, and sets the goal for the events.
    async fn step(&mut self) -> Result<(), StoreError> {
        self.stepped_at = Some(Instant::now());
        let mut connection = self.state.stream_database.acquire().await?;
        // In this order: all rows that changed up to the deployment's position are seen by the second query.
        let deployment = deployments::get_deployment(&mut connection, self.id).await?;
        let is_first = self.shown.is_none();
        // A cursor from elsewhere must not hide what is to come.
        self.cursor = self.cursor.min(deployment.event_position);
        let is_behind = is_first || self.cursor < deployment.event_position;
        self.goal = deployment.event_position;
        let (rows, more) = if is_behind {
            let changed = self.changed();
            deployment_servers::list_changed(&mut connection, self.id, changed, None, ROWS_PER_MESSAGE).await?
        } else {
            (Vec::new(), false)
        };
        drop(connection);
        self.is_final = deployment.status.is_final();
        if self.shown.as_ref() != Some(&deployment) {
            self.shown = Some(deployment.clone());
            let id = if rows.is_empty() {
                self.after_rows()
            } else {
                self.cursor
            };
            self.ready.push_back(Message {
                id,
                content: Content::Deployment(Box::new(deployment)),
            });
        }
        self.take_rows(rows, more);
        Ok(())
    }

    /// Reads one more page of the step's rows. A row that has changed again since the step began is part of the next step.
    async fn read_rows(&mut self) -> Result<(), StoreError> {
        let mut connection = self.state.stream_database.acquire().await?;
        let (changed, last) = (self.changed(), self.rows_behind.as_ref());
        let (rows, more) =
            deployment_servers::list_changed(&mut connection, self.id, changed, last, ROWS_PER_MESSAGE).await?;
        drop(connection);
        self.take_rows(rows, more);
        Ok(())
    }

    /// The rows of the step.
    const fn changed(&self) -> Changed {
        Changed {
            after: self.cursor,
            up_to: self.goal,
        }
    }

    /// The cursor once all rows of the step are delivered.
    const fn after_rows(&self) -> i64 {
        if self.with_events { self.cursor } else { self.goal }
    }

    fn take_rows(&mut self, rows: Vec<DeploymentServer>, more: bool) {
        let reached = self.after_rows();
        self.rows_behind = if more { rows.last().cloned() } else { None };
        if !rows.is_empty() {
            self.ready.push_back(Message {
                id: if more { self.cursor } else { reached },
                content: Content::Servers(rows),
            });
        }
        if !more {
            self.cursor = reached;
        }
    }

    /// Reads one page of the events that lead to the goal.
    async fn read_events(&mut self) -> Result<(), StoreError> {
        let mut connection = self.state.stream_database.acquire().await?;
        let filter = EventFilter::default();
        let page = events::list_after(&mut connection, self.id, self.cursor, EVENTS_PER_MESSAGE, &filter).await?;
        let mut events = page.events;
        // Later events wait for the rows that belong to them.
        events.retain(|event| event.position <= self.goal);
        if let Some(last) = events.last().map(|event| event.position) {
            self.cursor = last;
            self.ready.push_back(Message {
                id: last,
                content: Content::Events(events),
            });
        } else {
            // Nothing is left up to the goal: old events may have been dropped.
            self.cursor = self.goal;
        }
        Ok(())
    }

    /// Waits until there may be something new, and until a step is due.
    async fn wait(&mut self) {
        self.subscription.changed().await;
        let due = self.stepped_at.map_or_else(Instant::now, |at| at + STEP);
        tokio::time::sleep_until(due).await;
    }
}
