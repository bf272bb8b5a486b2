//! What the system says about this process, under the names that Prometheus's own clients use.

use procfs::process::{LimitValue, Process};
use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{
        counter::ConstCounter,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};
use std::{fmt, sync::atomic::AtomicU64};

/// Leaves out what cannot be read.
pub(super) fn encode(text: &mut String) -> fmt::Result {
    let mut registry = Registry::with_prefix("process");
    if let Ok(myself) = Process::myself() {
        if let Ok(stat) = myself.stat() {
            let ticks = procfs::ticks_per_second() as f64;
            registry.register_with_unit(
                "cpu",
                "Processor time, of the system and of the process itself",
                Unit::Seconds,
                ConstCounter::new((stat.utime + stat.stime) as f64 / ticks),
            );
            registry.register_with_unit(
                "resident_memory",
                "Memory in use",
                Unit::Bytes,
                ConstGauge::new((stat.rss * procfs::page_size()) as i64),
            );
            registry.register_with_unit(
                "virtual_memory",
                "Memory that was asked for",
                Unit::Bytes,
                ConstGauge::new(stat.vsize as i64),
            );
            registry.register("threads", "Threads", ConstGauge::new(stat.num_threads));
            if let Ok(boot) = procfs::boot_time_secs() {
                let start = Gauge::<f64, AtomicU64>::default();
                start.set(boot as f64 + stat.starttime as f64 / ticks);
                registry.register_with_unit(
                    "start_time",
                    "When the process began, since the beginning of 1970",
                    Unit::Seconds,
                    start,
                );
            }
        }
        if let Ok(open) = myself.fd_count() {
            registry.register("open_fds", "Open file descriptors", ConstGauge::new(open as i64));
        }
        if let Ok(limits) = myself.limits()
            && let LimitValue::Value(most) = limits.max_open_files.soft_limit
        {
            registry.register(
                "max_fds",
                "Most file descriptors that may be open",
                ConstGauge::new(most as i64),
            );
        }
    }
    encode_registry(text, &registry)
}
