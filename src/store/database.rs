//! The connection pool, transactions and migrations.

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

    /// Whether the database could not be reached, as opposed to having refused.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Database(
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_)
            )
        ) || matches!(self, Self::Database(sqlx::Error::Database(error))
            // Class 57: operator intervention (shutdown, crash, cannot connect now).
            if error.code().is_some_and(|code| code.starts_with("57P")))
    }
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
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    acquires: Arc<Acquires>,
}

impl Database {
    /// Connects to `url` (a `postgres://` URL, or one with `host=/socket/folder`), with at most `max_connections`, and checks
    /// the server's version.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let options = url
            .parse::<PgConnectOptions>()
            .map_err(StoreError::Url)?
            .application_name("admiral")
            // The default, `"$user", public`, means schema `admiral` to a role of that name, once the schema is there: the second
            // start would look for sqlx's own table there, not find it, and migrate from the beginning. Our SQL names its schema.
            .options([("search_path", "public")])
            .log_statements(log::LevelFilter::Trace);
        // A pool tries until its time is over and then says only that; one connection says what is wrong.
        sqlx::PgConnection::connect_with(&options).await?.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        let (found,): (i64,) = sqlx::query_as("SELECT current_setting('server_version_num')::bigint")
            .fetch_one(&pool)
            .await?;
        if found < 140_000 {
            return Err(StoreError::TooOld { found });
        }
        Ok(Self {
            pool,
            acquires: Arc::default(),
        })
    }

    /// Applies the embedded migrations, forward only; sqlx takes an advisory lock, so that several processes may start at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        sqlx::migrate!("./migrations").run(&self.pool).await?;
        Ok(())
    }

    /// A connection outside a transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.counted(self.pool.acquire()).await
    }

    /// Begins a transaction; dropping it rolls back.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.counted(self.pool.begin()).await
    }

    async fn counted<T>(&self, acquire: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        let began = Instant::now();
        let acquired = acquire.await;
        let counter = match &acquired {
            Ok(_) => &self.acquires.acquired,
            Err(_) => &self.acquires.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.acquires.waited_micros.fetch_add(micros, Ordering::Relaxed);
        Ok(acquired?)
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
        sqlx::query("SELECT 1").execute(&self.pool).await?;
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
