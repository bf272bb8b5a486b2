//! Whether the database can be reached: found out once for everybody, so that nobody waits for what is not there.
//!
//! While all is well this does nothing. Somebody whom the database keeps waiting raises a suspicion; then one connection is tried,
//! however many wait. When that fails, everybody is told at once, and a task tries again until it works.

use super::StoreError;
use sqlx::{ConnectOptions as _, Connection as _, migrate::MigrateError, postgres::PgConnectOptions};
use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How long one try may take. A server that is merely busy answers sooner.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// Between two tries while the database is away.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// What is known of one database, shared by all pools on it.
pub(super) struct Availability {
    options: PgConnectOptions,
    lost: watch::Sender<bool>,
    probing: AtomicBool,
}

impl fmt::Debug for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Availability")
            .field("lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

impl Availability {
    /// It has just been reached.
    pub(super) fn new(options: PgConnectOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            lost: watch::Sender::new(false),
            probing: AtomicBool::new(false),
        })
    }

    /// Whether it could not be reached when last tried, a moment ago.
    pub(super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Returns once it is found to be lost; at once when it is.
    pub(super) async fn lost(&self) {
        let mut lost = self.lost.subscribe();
        // An error would mean that the sender is gone, which is part of `self`.
        let _lost = lost.wait_for(|lost| *lost).await;
    }

    /// Something took long or broke: finds out what is the matter, unless somebody is about it.
    pub(super) fn suspect(self: &Arc<Self>) {
        if !self.probing.swap(true, Ordering::AcqRel) {
            tokio::spawn(find_out(Arc::downgrade(self)));
        }
    }
}

/// Tries until the database answers, or nobody cares any more.
async fn find_out(availability: Weak<Availability>) {
    loop {
        let Some(options) = availability.upgrade().map(|known| known.options.clone()) else {
            return;
        };
        let answer = probe(&options).await;
        let Some(known) = availability.upgrade() else { return };
        match answer {
            Ok(()) => {
                if known.lost.send_replace(false) {
                    tracing::info!("the database answers again");
                }
                known.probing.store(false, Ordering::Release);
                return;
            }
            Err(error) => {
                if !known.lost.send_replace(true) {
                    tracing::warn!(%error, "the database is unavailable; trying until it answers");
                }
            }
        }
        drop(known);
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

async fn probe(options: &PgConnectOptions) -> Result<(), String> {
    match tokio::time::timeout(PROBE_LIMIT, options.connect()).await {
        Ok(Ok(connection)) => {
            // It has answered; whether it hears the goodbye does not matter.
            let _closed = tokio::time::timeout(PROBE_LIMIT, connection.close()).await;
            Ok(())
        }
        // It answers, and says that it has as many clients as it takes.
        Ok(Err(error)) if sqlstate(&error).is_some_and(|code| code == "53300") => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

/// Whether an error says that the database could not be reached or cannot work at present, as opposed to having refused.
/// Classes as in PostgreSQL's "Error Codes".
pub(super) fn is_unavailable(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable => true,
        StoreError::Database(error)
        | StoreError::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(_) => sqlstate(error).is_some_and(|code| is_passing(&code)),
            _ => false,
        },
        _ => false,
    }
}

/// Whether the database answers and does not let us in: a wrong password, no such role or database, no right to connect, or a
/// certificate that is not trusted. That may change in a moment, but most likely the address is wrong.
pub(super) fn is_locked_out(error: &StoreError) -> bool {
    match error {
        StoreError::Database(sqlx::Error::Tls(_)) => true,
        StoreError::Database(error) => sqlstate(error).is_some_and(|code| refuses_entry(&code)),
        _ => false,
    }
}

/// `invalid_authorization_specification`, `invalid_catalog_name` and `insufficient_privilege`.
fn refuses_entry(sqlstate: &str) -> bool {
    sqlstate.starts_with("28") || ["3D000", "42501"].contains(&sqlstate)
}

/// `connection_exception`, `insufficient_resources` (too many clients, no memory, no space), `operator_intervention` (shutdown, crash,
/// starting up) other than a cancelled query, `system_error`, and `read_only_sql_transaction`: a standby that was the primary.
fn is_passing(sqlstate: &str) -> bool {
    ["08", "53", "57P", "58"]
        .iter()
        .any(|class| sqlstate.starts_with(class))
        || sqlstate == "25006"
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_refused() {
        for passing in [
            "08006", "08P01", "53100", "53300", "57P01", "57P02", "57P03", "58030", "25006",
        ] {
            assert!(is_passing(passing), "{passing}");
        }
        for refused in ["23505", "42P01", "57014", "40001", "22021", "28P01"] {
            assert!(!is_passing(refused), "{refused}");
        }
        for locked_out in ["28P01", "28000", "3D000", "42501"] {
            assert!(refuses_entry(locked_out) && !is_passing(locked_out), "{locked_out}");
        }
        assert!(!refuses_entry("53300") && !refuses_entry("23505"));
        assert!(is_unavailable(&StoreError::Database(sqlx::Error::PoolTimedOut)));
        assert!(!is_unavailable(&StoreError::Database(sqlx::Error::RowNotFound)));
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_lost_soon() {
        let nowhere = tempfile::tempdir().unwrap();
        let options = PgConnectOptions::new_without_pgpass().host(&nowhere.path().to_string_lossy());
        let availability = Availability::new(options);
        assert!(!availability.is_lost());
        availability.suspect();
        availability.lost().await;
        assert!(availability.is_lost());
    }
}
