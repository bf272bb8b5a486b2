//! Figures for Prometheus: what this process has counted, and what holds at the moment of a scrape. The only user of
//! `prometheus_client`.
//!
//! Nothing here is called for every event: ingest reports whole batches.

mod metrics;
mod process;
mod snapshot;
mod spools;

pub use metrics::{Metrics, StoredBatch};
pub use snapshot::Snapshot;
pub use spools::SpoolGuard;

/// What [`Metrics::encode`] writes: OpenMetrics 1.0, which Prometheus reads.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
