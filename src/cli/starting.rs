//! A server that starts waits for its database as patiently as one that is running.
//!
//! At boot the database is often later than Admiral: its name cannot be looked up yet, nobody listens, or it is still starting up. All
//! of that passes, so the server waits without a limit. It waits only for a moment for a database that answers and does not let us in.

use super::{
    instance::{Instance, Needs},
    options::GlobalOptions,
    service_manager,
};
use crate::store::StoreError;
use std::time::{Duration, Instant};

/// How long to try a database that refuses us: longer than it takes to make a role and a database.
const LOCKED_OUT_LIMIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often the log says that the server still waits for the database.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Opens what the options name, as soon as its database is there.
pub async fn open(global: &GlobalOptions, needs: &Needs) -> anyhow::Result<Instance> {
    let mut waiting = Waiting::new(Instant::now());
    loop {
        match Instance::open(global, needs.clone()).await {
            Ok(instance) => {
                if waiting.reason.is_some() {
                    tracing::info!("the database answers; starting");
                }
                return Ok(instance);
            }
            Err(error) => {
                let trouble = Trouble::of(&error);
                let reason = innermost(&error);
                match waiting.failed(trouble, &reason, Instant::now()) {
                    Step::GiveUp => return Err(error),
                    Step::Wait { pause, say } => {
                        if say {
                            tracing::warn!(reason, "waiting for the database");
                            service_manager::status(&format!("waiting for the database: {reason}"));
                        }
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        }
    }
}

/// The kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It passes by itself.
    Passing,
    /// The database does not let us in.
    LockedOut,
    /// It lasts until somebody fixes it.
    Lasting,
}

impl Trouble {
    fn of(error: &anyhow::Error) -> Self {
        let store = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
        match store {
            Some(error) if error.is_locked_out() => Self::LockedOut,
            Some(error) if error.is_unavailable() => Self::Passing,
            _ => Self::Lasting,
        }
    }
}

/// The next step after an attempt that failed.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    GiveUp,
    Wait { pause: Duration, say: bool },
}

/// The wait so far.
#[derive(Debug)]
struct Waiting {
    pause: Duration,
    reason: Option<String>,
    said: Instant,
    locked_out_since: Option<Instant>,
}

impl Waiting {
    fn new(now: Instant) -> Self {
        Self {
            pause: FIRST_PAUSE,
            reason: None,
            said: now,
            locked_out_since: None,
        }
    }

    /// Gives the reason for the wait at first, when it changes, and from time to time.
    fn failed(&mut self, trouble: Trouble, reason: &str, now: Instant) -> Step {
        match trouble {
            Trouble::Lasting => return Step::GiveUp,
            Trouble::Passing => self.locked_out_since = None,
            Trouble::LockedOut => {
                let since = *self.locked_out_since.get_or_insert(now);
                if now.duration_since(since) >= LOCKED_OUT_LIMIT {
                    return Step::GiveUp;
                }
            }
        }
        let is_news = self.reason.as_deref() != Some(reason);
        let say = is_news || now.duration_since(self.said) >= SAY_EVERY;
        if say {
            self.reason = Some(reason.to_owned());
            self.said = now;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Step::Wait { pause, say }
    }
}

/// The last error of the chain is the real reason.
fn innermost(error: &anyhow::Error) -> String {
    error.root_cause().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_waited_for_without_end_and_said_once_in_a_while() {
        let start = Instant::now();
        let mut waiting = Waiting::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let said = |step| matches!(step, Step::Wait { say: true, .. });
        assert!(said(waiting.failed(Trouble::Passing, "refused", at(0))));
        assert!(!said(waiting.failed(Trouble::Passing, "refused", at(1))));
        assert!(said(waiting.failed(Trouble::Passing, "starting up", at(2))));
        assert!(!said(waiting.failed(Trouble::Passing, "starting up", at(31))));
        assert!(said(waiting.failed(Trouble::Passing, "starting up", at(32))));
        let later = waiting.failed(Trouble::Passing, "starting up", at(1_000_000));
        assert_eq!(
            later,
            Step::Wait {
                pause: LONGEST_PAUSE,
                say: true
            }
        );
    }

    #[test]
    fn a_database_that_refuses_us_is_given_a_moment() {
        let start = Instant::now();
        let mut waiting = Waiting::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_ne!(waiting.failed(Trouble::LockedOut, "password", at(100)), Step::GiveUp);
        assert_ne!(waiting.failed(Trouble::LockedOut, "password", at(109)), Step::GiveUp);
        // A database that restarts meanwhile gets a new moment.
        assert_ne!(waiting.failed(Trouble::Passing, "starting up", at(110)), Step::GiveUp);
        assert_ne!(waiting.failed(Trouble::LockedOut, "password", at(111)), Step::GiveUp);
        assert_eq!(waiting.failed(Trouble::LockedOut, "password", at(121)), Step::GiveUp);
        assert_eq!(waiting.failed(Trouble::Lasting, "too old", at(122)), Step::GiveUp);
    }
}
