//! The connection pool, transactions and migrations.

use super::availability::{self, Availability};
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool, Postgres, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a connection may be waited for, unless [`Database::with_patience`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who waits this long for a connection wants to know whether the database is there at all.
const SUSPICIOUS: Duration = Duration::from_millis(500);

/// One connection; store functions take it so that the caller decides what is one transaction.
pub type Connection = sqlx::PgConnection;

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The connection URL cannot be read.
    #[error("failed to read the database URL")]
    Url(#[source] sqlx::Error),
    /// The server is older than PostgreSQL 14.
    #[error("PostgreSQL {found} is too old: 14 or later is needed")]
    TooOld {
        /// `server_version_num`, such as 130011.
        found: i64,
    },
    /// A migration failed.
    #[error("failed to migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// No such row.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A unique value is taken; the constraint's name says which.
    #[error("{constraint} is already taken")]
    Taken {
        /// The constraint, such as `servers_hostname_key`.
        constraint: String,
    },
    /// A row is still referred to.
    #[error("still in use ({constraint})")]
    InUse {
        /// The constraint.
        constraint: String,
    },
    /// The row is not in the state that the change needs.
    #[error("{0}")]
    WrongState(&'static str),
    /// A stored value cannot be read back.
    #[error("a stored value of {0} is invalid")]
    Corrupt(&'static str),
    /// The database is known to be away: nothing was tried.
    #[error("the database is unavailable")]
    Unavailable,
    /// The database refused or could not be reached.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            let constraint = database.constraint().unwrap_or_default().to_owned();
            if database.is_unique_violation() {
                return Self::Taken { constraint };
            }
            if database.is_foreign_key_violation() {
                return Self::InUse { constraint };
            }
        }
        Self::Database(error)
    }
}

impl StoreError {
    /// Whether a text holds what PostgreSQL cannot store: NUL (SQLSTATE 22021, `character_not_in_repertoire`).
    pub fn refuses_text(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "22021"))
    }

    /// Whether the database could not be reached, or cannot work at present, as opposed to having refused.
    pub fn is_unavailable(&self) -> bool {
        availability::is_unavailable(self)
    }

    /// Whether the database answers and does not let us in.
    pub fn is_locked_out(&self) -> bool {
        availability::is_locked_out(self)
    }

    /// Whether the database is there, and all connections to it are in use.
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::PoolTimedOut))
    }

    /// Whether the database lacks disk, memory or connections (SQLSTATE class 53): what it refuses now it may take later.
    pub fn is_out_of_resources(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("53")))
    }
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// What a database holds of Admiral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Nothing: it is new, or another program's.
    Missing,
    /// Migrations are to be applied yet.
    Older,
    /// All that this version knows of.
    Current,
}

/// How a pool of connections is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Most connections that it makes.
    pub max: u32,
    /// Connections it has.
    pub size: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// Connections handed out so far.
    pub acquired: u64,
    /// Times that none was to be had.
    pub failed: u64,
    /// All waits for a connection together.
    pub waited: Duration,
}

/// What the pool itself does not count.
#[derive(Debug, Default)]
struct Acquires {
    acquired: AtomicU64,
    failed: AtomicU64,
    waited_micros: AtomicU64,
}

/// The pool of connections; cheap to clone.
///
/// While the database is away, asking for a connection fails at once with [`StoreError::Unavailable`].
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    options: Arc<PgConnectOptions>,
    availability: Arc<Availability>,
    patience: Duration,
    acquires: Arc<Acquires>,
}

impl Database {
    /// Connects to `url` (a `postgres://` URL, or one with `host=/socket/folder`), with at most `max_connections`, and checks
    /// the server's version.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::connect_with(connect_options(url)?, max_connections).await
    }

    async fn connect_with(options: PgConnectOptions, max_connections: u32) -> Result<Self, StoreError> {
        // A pool tries until its time is over and then says only that; one connection says what is wrong.
        let connection = tokio::time::timeout(PATIENCE, sqlx::PgConnection::connect_with(&options));
        connection.await.map_err(|_| StoreError::Unavailable)??.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(PATIENCE)
            .connect_with(options.clone())
            .await?;
        let (found,): (i64,) = sqlx::query_as("SELECT current_setting('server_version_num')::bigint")
            .fetch_one(&pool)
            .await?;
        if found < 140_000 {
            return Err(StoreError::TooOld { found });
        }
        Ok(Self {
            pool,
            availability: Availability::new(options.clone()),
            options: Arc::new(options),
            patience: PATIENCE,
            acquires: Arc::default(),
        })
    }

    /// Like [`Self::connect`], but with one connection that cannot change anything.
    pub async fn connect_read_only(url: &str) -> Result<Self, StoreError> {
        let options = connect_options(url)?.options([("default_transaction_read_only", "on")]);
        Self::connect_with(options, 1).await
    }

    /// Another pool on the same database, so that who uses this one cannot starve who uses that one. Connects when needed.
    #[must_use]
    pub fn sibling(&self, max_connections: u32) -> Self {
        let options = PgConnectOptions::clone(&self.options);
        Self {
            pool: PgPoolOptions::new()
                .max_connections(max_connections)
                .acquire_timeout(PATIENCE)
                .connect_lazy_with(options),
            patience: PATIENCE,
            ..self.clone()
        }
    }

    /// The same pool, for somebody who waits at most this long (and never longer than ten seconds) for a connection.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self {
            patience: patience.min(PATIENCE),
            ..self.clone()
        }
    }

    /// Applies the embedded migrations, forward only; sqlx takes an advisory lock, so that several processes may start at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        MIGRATIONS.run(&self.pool).await?;
        Ok(())
    }

    /// Whether it is Admiral's, and up to date. Changes nothing.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let (is_ours,): (bool,) = sqlx::query_as(
            "SELECT to_regclass('admiral.deployments') IS NOT NULL AND to_regclass('public._sqlx_migrations') IS NOT NULL",
        )
        .fetch_one(&self.pool)
        .await?;
        if !is_ours {
            return Ok(Schema::Missing);
        }
        let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM public._sqlx_migrations WHERE success")
            .fetch_all(&self.pool)
            .await?;
        let is_current = MIGRATIONS.iter().all(|migration| applied.contains(&migration.version));
        Ok(if is_current { Schema::Current } else { Schema::Older })
    }

    /// A connection outside a transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.reach(self.pool.acquire()).await
    }

    /// Begins a transaction; dropping it rolls back.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.reach(self.pool.begin()).await
    }

    /// Does `work`, and gives up when the database is found to be away meanwhile: from a machine that is gone no answer ever comes,
    /// not even that there is none. Whether what was asked for last was done is then unknown.
    pub async fn unless_lost<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.availability.lost() => Err(StoreError::Unavailable),
        }
    }

    /// Returns once the database is found to be away; at once when it is. Finding out takes somebody who
    /// [suspects](Self::suspect) it.
    pub async fn lost(&self) {
        self.availability.lost().await;
    }

    /// Finds out, apart from all that goes on, whether the database answers.
    pub fn suspect(&self) {
        self.availability.suspect();
    }

    /// Waits for `work`, which asks the pool for a connection, as long as that makes sense.
    pub(super) async fn reach<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        let began = Instant::now();
        let reached = self.try_to_reach(work).await;
        let counter = match &reached {
            Ok(_) => &self.acquires.acquired,
            Err(_) => &self.acquires.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.acquires.waited_micros.fetch_add(micros, Ordering::Relaxed);
        reached
    }

    async fn try_to_reach<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        if self.availability.is_lost() {
            return Err(StoreError::Unavailable);
        }
        // In a box: it is large, and held by whoever waits.
        let mut work = Box::pin(work);
        let soon = tokio::time::timeout(SUSPICIOUS.min(self.patience), &mut work).await;
        let reached = if let Ok(reached) = soon {
            reached
        } else {
            self.availability.suspect();
            tokio::select! {
                reached = tokio::time::timeout(self.patience.saturating_sub(SUSPICIOUS), work) => {
                    reached.unwrap_or(Err(sqlx::Error::PoolTimedOut))
                }
                () = self.availability.lost() => return Err(StoreError::Unavailable),
            }
        };
        let reached = reached.map_err(StoreError::from);
        if reached.as_ref().is_err_and(StoreError::is_unavailable) {
            self.availability.suspect();
        }
        reached
    }

    /// A connection beside the pool, for what must not outlive it: dropping it ends the session, and what the session holds.
    pub(super) async fn connect_alone(&self) -> Result<Connection, StoreError> {
        let options = Arc::clone(&self.options);
        self.reach(async move { Connection::connect_with(&options).await })
            .await
    }

    /// How the pool is used.
    pub fn pool_use(&self) -> PoolUse {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let size = self.pool.size();
        PoolUse {
            max: self.pool.options().get_max_connections(),
            size,
            // Read at another moment than the size.
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX).min(size),
            acquired: count(&self.acquires.acquired),
            failed: count(&self.acquires.failed),
            waited: Duration::from_micros(count(&self.acquires.waited_micros)),
        }
    }

    /// The pool itself, for the store's own listener.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.acquire().await?;
        sqlx::query("SELECT 1").execute(&mut *connection).await?;
        Ok(())
    }

    /// The server's version in words, such as `PostgreSQL 15.10`.
    pub async fn server_version(&self) -> Result<String, StoreError> {
        let (version,): (String,) = sqlx::query_as("SELECT current_setting('server_version')")
            .fetch_one(&self.pool)
            .await?;
        // Distributions put their own name behind the number.
        Ok(format!(
            "PostgreSQL {}",
            version.split_whitespace().next().unwrap_or_default()
        ))
    }

    /// Makes an empty database beside this one; `name` must be a plain identifier.
    pub async fn create_database(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query(&format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\"")))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Closes all connections and waits for them.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn connect_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    // sqlx takes a URL of any scheme, and would look for MySQL's server at PostgreSQL's port.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        let reason = "it has to begin with postgres:// or postgresql://";
        return Err(StoreError::Url(sqlx::Error::Configuration(reason.into())));
    }
    let options = url.parse::<PgConnectOptions>().map_err(StoreError::Url)?;
    Ok(options
        .application_name("admiral")
        // The default, `"$user", public`, means schema `admiral` to a role of that name, once the schema is there: the second
        // start would look for sqlx's own table there, not find it, and migrate from the beginning. Our SQL names its schema.
        .options([("search_path", "public")])
        .log_statements(log::LevelFilter::Trace))
}
