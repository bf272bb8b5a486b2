//! What this process counts.

use super::{
    process,
    snapshot::{Snapshot, encode_snapshot},
    spools::{SpoolGuard, Spools},
};
use crate::domain::{RunId, deployment::DeploymentStatus};
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// Label names with their values; names and values are our own words, so that there are few.
type Labels<const N: usize> = [(&'static str, String); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

const REQUEST_SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const STORE_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const LAG_SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];
const WAIT_SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0];
const RUN_SECONDS: [f64; 12] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0,
];
const BATCH_EVENTS: [f64; 10] = [1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0];

/// All that this process counts; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    connections: Gauge,
    closed_connections: Family<Labels<1>, Counter>,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Histograms<2>,
    queue_seconds: Histogram,
    run_seconds: Histograms<1>,
    deployment_seconds: Histograms<1>,
    events: Counter,
    bytes: Counter,
    batch_events: Histogram,
    store_seconds: Histogram,
    lag_seconds: Histogram,
    spools: Spools,
}

/// An open connection of a client. It counts until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A batch that was committed.
#[derive(Debug, Clone, Copy)]
pub struct StoredBatch {
    /// The run it belongs to.
    pub run: RunId,
    /// Events in it.
    pub events: usize,
    /// Bytes of the run's event file that it took.
    pub bytes: u64,
    /// Bytes of the run's event file that are stored now.
    pub offset: u64,
    /// How long storing took, the waits for a lost database included.
    pub took: Duration,
    /// How old its first event was when it was committed; `None` when it held no event.
    pub lag: Option<Duration>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let seconds = |buckets: &[f64]| Histogram::new(buckets.iter().copied());
        let mut inner = Inner {
            registry: Registry::with_prefix("admiral"),
            connections: Gauge::default(),
            closed_connections: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            queue_seconds: seconds(&WAIT_SECONDS),
            run_seconds: Family::new_with_constructor(|| Histogram::new(RUN_SECONDS)),
            deployment_seconds: Family::new_with_constructor(|| Histogram::new(RUN_SECONDS)),
            events: Counter::default(),
            bytes: Counter::default(),
            batch_events: Histogram::new(BATCH_EVENTS),
            store_seconds: seconds(&STORE_SECONDS),
            lag_seconds: seconds(&LAG_SECONDS),
            spools: Spools::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// A client has connected.
    pub fn open_connection(&self) -> OpenConnection {
        self.0.connections.inc();
        OpenConnection(self.0.connections.clone())
    }

    /// A connection was closed although its client kept it open.
    pub fn count_closed_connection(&self, reason: &'static str) {
        let labels = [("reason", reason.to_owned())];
        self.0.closed_connections.get_or_create(&labels).inc();
    }

    /// A request was answered (of a stream: begun to be). `route` is the template, such as `/api/servers/{id}`, not the path.
    pub fn observe_request(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let route = || ("route", route.to_owned());
        let method = || ("method", method.to_owned());
        let status = ("status", status.to_string());
        self.0.requests.get_or_create(&[route(), method(), status]).inc();
        self.0
            .request_seconds
            .get_or_create(&[route(), method()])
            .observe(took.as_secs_f64());
    }

    /// A worker of this process claimed a run that had waited for so long since its launch.
    pub fn observe_claim(&self, waited: Duration) {
        self.0.queue_seconds.observe(waited.as_secs_f64());
    }

    /// A run that this process followed has ended.
    pub fn observe_run(&self, status: DeploymentStatus, took: Duration) {
        let labels = [("status", status.as_str().to_owned())];
        self.0.run_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A deployment has ended with a run that this process followed.
    pub fn observe_deployment(&self, status: DeploymentStatus, took: Duration) {
        let labels = [("status", status.as_str().to_owned())];
        self.0
            .deployment_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A batch was committed.
    pub fn observe_batch(&self, batch: &StoredBatch) {
        let inner = &self.0;
        inner.events.inc_by(batch.events as u64);
        inner.bytes.inc_by(batch.bytes);
        inner.batch_events.observe(batch.events as f64);
        inner.store_seconds.observe(batch.took.as_secs_f64());
        if let Some(lag) = batch.lag {
            inner.lag_seconds.observe(lag.as_secs_f64());
        }
        inner.spools.stored(batch.run, batch.offset);
    }

    /// From now on the event file at `path` is looked at with every scrape, until the guard is dropped. `stored` bytes of it are
    /// stored already.
    pub fn follow_spool(&self, run: RunId, path: PathBuf, stored: u64) -> SpoolGuard {
        self.0.spools.add(run, path, stored)
    }

    /// Everything, in the format that [`super::CONTENT_TYPE`] names.
    pub fn encode(&self, snapshot: &Snapshot) -> Result<String, fmt::Error> {
        let inner = &self.0;
        let mut text = String::with_capacity(16 * 1024);
        encode_registry(&mut text, &inner.registry)?;
        let waiting = inner.spools.waiting(inner.bytes.get(), inner.events.get());
        encode_snapshot(&mut text, snapshot, waiting)?;
        process::encode(&mut text)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Inner {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of this Admiral", build);
        registry.register(
            "http_connections",
            "Open connections of clients",
            self.connections.clone(),
        );
        registry.register(
            "http_connections_closed",
            "Connections that were closed although their clients kept them open, by reason",
            self.closed_connections.clone(),
        );
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time to the answer, of streams to its beginning",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        registry.register_with_unit(
            "run_queue_wait",
            "Time from a run's launch to its claim by a worker of this process",
            Unit::Seconds,
            self.queue_seconds.clone(),
        );
        registry.register_with_unit(
            "run_duration",
            "Time from a run's start to its end, of runs that this process followed to their end",
            Unit::Seconds,
            self.run_seconds.clone(),
        );
        registry.register_with_unit(
            "deployment_duration",
            "Time from a deployment's start to its end, of those that ended with a run of this process",
            Unit::Seconds,
            self.deployment_seconds.clone(),
        );
        registry.register("ingest_events", "Events stored", self.events.clone());
        registry.register_with_unit("ingest", "Bytes of event files stored", Unit::Bytes, self.bytes.clone());
        registry.register(
            "ingest_batch_events",
            "Events in a batch that was stored",
            self.batch_events.clone(),
        );
        registry.register_with_unit(
            "ingest_store_duration",
            "Time to store a batch, waits for a lost database included",
            Unit::Seconds,
            self.store_seconds.clone(),
        );
        registry.register_with_unit(
            "ingest_lag",
            "Age of a batch's first event when the batch was committed",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
    }
}
