//! What holds at the moment of a scrape.

use super::spools::Waiting;
use crate::store::{database::PoolUse, statistics::QueueState};
use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{
        counter::ConstCounter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};
use std::{fmt, sync::atomic::AtomicU64};

/// What others know at the moment of a scrape.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What waits and what runs, over all processes; `None` when the database cannot be asked.
    pub queue: Option<QueueState>,
    /// The pool of connections of this process.
    pub pool: PoolUse,
    /// Viewers of one deployment each.
    pub deployment_viewers: usize,
    /// Viewers of the list of deployments.
    pub list_viewers: usize,
}

type Labelled = Family<[(&'static str, &'static str); 1], Gauge>;

pub(super) fn encode_snapshot(text: &mut String, snapshot: &Snapshot, waiting: Waiting) -> fmt::Result {
    let mut registry = Registry::with_prefix("admiral");
    register_ingest(&mut registry, waiting);
    register_pool(&mut registry, &snapshot.pool);
    registry.register(
        "stream_viewers",
        "Open streams of server-sent events",
        labelled(
            "stream",
            &[
                ("deployment", snapshot.deployment_viewers as i64),
                ("deployments", snapshot.list_viewers as i64),
            ],
        ),
    );
    registry.register(
        "database_up",
        "Whether the database answers",
        ConstGauge::new(i64::from(snapshot.queue.is_some())),
    );
    if let Some(queue) = &snapshot.queue {
        register_queue(&mut registry, queue);
    }
    encode_registry(text, &registry)
}

fn register_ingest(registry: &mut Registry, waiting: Waiting) {
    registry.register(
        "ingest_followed_runs",
        "Runs that this process follows",
        ConstGauge::new(waiting.runs as i64),
    );
    registry.register_with_unit(
        "ingest_waiting",
        "Bytes that runs of this process have written and that are not stored",
        Unit::Bytes,
        ConstGauge::new(waiting.bytes as i64),
    );
    registry.register(
        "ingest_waiting_events",
        "Events that are not stored, by the bytes that wait and the mean size of those stored",
        ConstGauge::new(waiting.events as i64),
    );
}

fn register_pool(registry: &mut Registry, pool: &PoolUse) {
    registry.register(
        "database_pool_connections",
        "Connections of this process to the database",
        labelled(
            "state",
            &[
                ("idle", i64::from(pool.idle)),
                ("in_use", i64::from(pool.size.saturating_sub(pool.idle))),
            ],
        ),
    );
    registry.register(
        "database_pool_max_connections",
        "Most connections that this process makes",
        ConstGauge::new(i64::from(pool.max)),
    );
    registry.register(
        "database_pool_acquires",
        "Connections handed out",
        ConstCounter::new(pool.acquired),
    );
    registry.register(
        "database_pool_acquire_failures",
        "Times that no connection was to be had",
        ConstCounter::new(pool.failed),
    );
    registry.register_with_unit(
        "database_pool_acquire_wait",
        "All waits for a connection together",
        Unit::Seconds,
        ConstCounter::new(pool.waited.as_secs_f64()),
    );
}

fn register_queue(registry: &mut Registry, queue: &QueueState) {
    registry.register(
        "runs",
        "Runs that have not ended, of all processes",
        labelled(
            "state",
            &[
                ("pending", queue.runs_pending),
                ("claimed", queue.runs_claimed),
                ("running", queue.runs_running),
            ],
        ),
    );
    registry.register(
        "deployments",
        "Deployments that have not ended; waiting are those that others keep from beginning",
        labelled(
            "state",
            &[
                ("pending", queue.deployments_pending - queue.deployments_waiting),
                ("waiting", queue.deployments_waiting),
                ("running", queue.deployments_running),
            ],
        ),
    );
    let oldest = Gauge::<f64, AtomicU64>::default();
    oldest.set(queue.oldest_pending_seconds);
    registry.register_with_unit(
        "run_oldest_pending",
        "Time since the launch of the oldest run that nobody has claimed",
        Unit::Seconds,
        oldest,
    );
    registry.register(
        "workers",
        "Workers heard of within the last minute",
        ConstGauge::new(queue.workers),
    );
}

fn labelled(name: &'static str, values: &[(&'static str, i64)]) -> Labelled {
    let family = Labelled::default();
    for (value, count) in values {
        family.get_or_create(&[(name, *value)]).set(*count);
    }
    family
}
