//! Named moments at which tests let the calling process die. Builds without `debug_assertions` have none of it.

/// Ends the process as `kill -9` would, when the environment variable `ADMIRAL_KILL_AT` names this moment: `NAME`, or
/// `NAME:N` for the Nth time that it comes.
#[cfg(debug_assertions)]
pub fn kill_point(name: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    use rustix::process::{Signal, getpid, kill_process};

    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static TIMES: AtomicU32 = AtomicU32::new(0);

    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("ADMIRAL_KILL_AT").ok()?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), nth.parse().ok()?))
    });
    let Some((_, nth)) = wanted.as_ref().filter(|(wanted, _)| wanted == name) else {
        return;
    };
    if TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *nth {
        tracing::warn!(name, "dying here, as asked");
        if kill_process(getpid(), Signal::KILL).is_ok() {
            // The signal comes before this returns, but not by anybody's promise.
            loop {
                std::thread::park();
            }
        }
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
#[inline]
pub fn kill_point(_name: &str) {}
