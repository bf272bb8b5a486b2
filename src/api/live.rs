//! Wakes those who watch deployments. One LISTEN per process, however many watch; nothing is queued for anybody: who is woken
//! looks at the database.

use crate::{
    domain::{DeploymentId, UserId},
    store::{
        Database,
        notifications::{Listener, Notification},
    },
};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often watchers look even when nobody woke them: notices may be lost, the database never is.
/// With what a look takes it stays within two seconds.
const FALLBACK: Duration = Duration::from_millis(1500);
/// A list's watcher that is further behind than this looks at everything.
const LIST_BACKLOG: usize = 1024;

/// Who watches what. Listening begins with the first watcher and ends when this is dropped.
pub struct Live {
    database: Database,
    deployments: Mutex<HashMap<DeploymentId, watch::Sender<()>>>,
    all: broadcast::Sender<Option<DeploymentId>>,
    /// The user whose rights have changed; `None` stands for everybody.
    access: broadcast::Sender<Option<UserId>>,
    listening: AtomicBool,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("listening", &self.listening)
            .finish_non_exhaustive()
    }
}

impl Live {
    /// Nobody watches yet.
    pub fn new(database: Database) -> Arc<Self> {
        let stop = CancellationToken::new();
        Arc::new(Self {
            database,
            deployments: Mutex::default(),
            all: broadcast::Sender::new(LIST_BACKLOG),
            access: broadcast::Sender::new(LIST_BACKLOG),
            listening: AtomicBool::new(false),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Watches one deployment, from now on: subscribe first, then look.
    pub fn subscribe(self: &Arc<Self>, id: DeploymentId) -> Subscription {
        self.listen();
        let mut deployments = self.deployments();
        deployments.retain(|_, sender| sender.receiver_count() > 0);
        let receiver = deployments
            .entry(id)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Subscription {
            receiver,
            _live: Arc::clone(self),
        }
    }

    /// Watches all deployments, from now on.
    pub fn subscribe_all(self: &Arc<Self>) -> ListSubscription {
        self.listen();
        ListSubscription {
            receiver: self.all.subscribe(),
            _live: Arc::clone(self),
        }
    }

    /// Watches changes of users' rights, from now on.
    pub fn subscribe_access(self: &Arc<Self>) -> AccessSubscription {
        self.listen();
        AccessSubscription {
            receiver: self.access.subscribe(),
            _live: Arc::clone(self),
        }
    }

    /// How many watch one deployment each, and how many the list.
    pub fn viewers(&self) -> (usize, usize) {
        let deployments = self.deployments().values().map(watch::Sender::receiver_count).sum();
        (deployments, self.all.receiver_count())
    }

    fn deployments(&self) -> MutexGuard<'_, HashMap<DeploymentId, watch::Sender<()>>> {
        // A panic elsewhere leaves the map as usable as before.
        self.deployments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>) {
        if !self.listening.swap(true, Ordering::Relaxed) {
            let (live, database, stop) = (Arc::downgrade(self), self.database.clone(), self.stop.clone());
            tokio::spawn(async move { stop.run_until_cancelled(listen(live, database)).await });
        }
    }

    fn wake(&self, id: DeploymentId) {
        if let Some(sender) = self.deployments().get(&id) {
            sender.send_replace(());
        }
        // Fails when no list is watched, which is fine.
        let _watched = self.all.send(Some(id));
    }

    fn tell_access(&self, user: Option<UserId>) {
        // Fails when nobody reads a stream, which is fine.
        let _watched = self.access.send(user);
    }

    fn wake_all(&self) {
        for sender in self.deployments().values() {
            sender.send_replace(());
        }
        let _watched = self.all.send(None);
        self.tell_access(None);
    }
}

async fn listen(live: Weak<Live>, database: Database) {
    let mut listener = Listener::start(&database);
    loop {
        let notification = listener.recv().await;
        let Some(live) = live.upgrade() else { return };
        match notification {
            Notification::DeploymentChanged { id, .. } => live.wake(id),
            Notification::AccessChanged { user_id } => live.tell_access(Some(user_id)),
            Notification::Reconnected => live.wake_all(),
            Notification::RunsPending | Notification::CancelRequested { .. } | Notification::ProjectsDue => {}
        }
    }
}

/// Watches one deployment.
#[derive(Debug)]
pub struct Subscription {
    receiver: watch::Receiver<()>,
    _live: Arc<Live>,
}

impl Subscription {
    /// Returns when the deployment may have changed since the last call, after one and a half seconds at the latest.
    pub async fn changed(&mut self) {
        // An error means that no sender is left: then the fallback has to do.
        if let Ok(Err(_)) = tokio::time::timeout(FALLBACK, self.receiver.changed()).await {
            tokio::time::sleep(FALLBACK).await;
        }
    }
}

/// Watches all deployments.
#[derive(Debug)]
pub struct ListSubscription {
    receiver: broadcast::Receiver<Option<DeploymentId>>,
    _live: Arc<Live>,
}

impl ListSubscription {
    /// Returns when some deployments may have changed, after one and a half seconds at the latest, and adds those that are known to `changed`.
    pub async fn changed(&mut self, changed: &mut Vec<DeploymentId>) {
        if let Ok(Ok(Some(id))) = tokio::time::timeout(FALLBACK, self.receiver.recv()).await {
            changed.push(id);
        }
        self.drain(changed);
    }

    /// Adds those that have changed by now.
    pub fn drain(&mut self, changed: &mut Vec<DeploymentId>) {
        while let Ok(id) = self.receiver.try_recv() {
            changed.extend(id);
        }
        changed.sort_unstable();
        changed.dedup();
    }
}

/// Watches changes of users' rights.
#[derive(Debug)]
pub struct AccessSubscription {
    receiver: broadcast::Receiver<Option<UserId>>,
    _live: Arc<Live>,
}

impl AccessSubscription {
    /// Returns when the rights of `user` may have changed since the last call.
    pub async fn of(&mut self, user: UserId) {
        loop {
            match self.receiver.recv().await {
                Ok(Some(changed)) if changed != user => {}
                // A subscriber that has missed notices has to look.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
