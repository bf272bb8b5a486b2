//! A fresh, migrated database for each test.

use admiral::store::Database;

/// Dropped with the cluster that `scripts/test` starts and throws away.
pub struct TestDatabase {
    /// Migrated and empty.
    pub database: Database,
    /// For a second connection, `pg_dump`, or a server process of its own.
    pub url: String,
}

impl TestDatabase {
    /// Makes one in the cluster that `ADMIRAL_TEST_DATABASE_URL` names.
    pub async fn create() -> Self {
        Self::open(Self::make_empty().await).await
    }

    /// Makes one that is not migrated; its URL.
    pub async fn make_empty() -> String {
        let base = std::env::var("ADMIRAL_TEST_DATABASE_URL")
            .expect("ADMIRAL_TEST_DATABASE_URL names a throw-away PostgreSQL; `make test` starts one");
        let name = format!("admiral_test_{}", admiral::domain::clock::new_id().simple());
        let admin = Database::connect(&base, 1).await.expect("the test cluster answers");
        admin.create_database(&name).await.expect("a test database can be made");
        admin.close().await;
        let (server, query) = base.split_once('?').unwrap_or((&base, ""));
        let (server, _) = server.rsplit_once('/').expect("the URL names a database");
        format!("{server}/{name}?{query}")
    }

    /// Migrates the one at `url`.
    pub async fn open(url: String) -> Self {
        let database = Database::connect(&url, 5).await.expect("the database answers");
        database.migrate().await.expect("migrations apply");
        Self { database, url }
    }
}
