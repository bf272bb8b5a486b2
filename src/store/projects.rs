//! Git projects: where packages come from, how they are read, and how their last sync went.

use super::{Connection, Database, StoreError};
use crate::domain::{
    PackageId, PrivateKeyId,
    page::PageRequest,
    playbook::{PlaybookId, PlaybookOrigin},
    project::{ProjectKey, WebhookKind},
};
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

/// Told when a project is to be synced.
pub const PROJECTS_CHANNEL: &str = "admiral_projects";

/// Failures in a row after which a project without a schedule is not tried again by itself.
const MAX_RETRIES: i32 = 5;

/// Whose lock says that a project is being synced.
const LOCK_KEY: &str = "hashtextextended('admiral.git_projects ' || g.package_id::text, 0)";

/// What somebody sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSettings {
    /// Where the repository is.
    pub url: String,
    /// Branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// For `ssh`.
    pub private_key_id: Option<PrivateKeyId>,
    /// With the token.
    pub username: String,
    /// For `https`; sealed for [`crate::domain::PackageId`].
    pub sealed_token: Option<Vec<u8>>,
    /// Whether submodules are taken too.
    pub submodules: bool,
    /// Whether each launch begins with a sync.
    pub sync_before_launch: bool,
    /// Seconds between syncs.
    pub sync_interval_seconds: Option<i32>,
    /// How webhooks are checked.
    pub webhook_kind: Option<WebhookKind>,
    /// What they are checked with; sealed.
    pub sealed_webhook_secret: Option<Vec<u8>>,
}

/// A project as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProject {
    /// Its package.
    pub id: PackageId,
    /// The package's name.
    pub name: String,
    /// What somebody set.
    pub settings: ProjectSettings,
    /// The key of the settings, with its name.
    pub private_key: Option<ProjectKey>,
    /// A `known_hosts` file.
    pub host_keys: String,
    /// The last sync that worked.
    pub synced_at: Option<DateTime<Utc>>,
    /// What it took.
    pub commit_id: Option<String>,
    /// The commit of the package's current version.
    pub version_commit: Option<String>,
    /// When the last sync began.
    pub attempted_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether one is under way or asked for.
    pub syncing: bool,
}

#[derive(sqlx::FromRow)]
struct ProjectRow {
    package_id: Uuid,
    name: String,
    url: String,
    reference: String,
    private_key_id: Option<Uuid>,
    private_key_name: Option<String>,
    username: String,
    sealed_token: Option<Vec<u8>>,
    submodules: bool,
    sync_before_launch: bool,
    sync_interval_seconds: Option<i32>,
    webhook_kind: Option<String>,
    sealed_webhook_secret: Option<Vec<u8>>,
    host_keys: String,
    synced_at: Option<DateTime<Utc>>,
    commit_id: Option<String>,
    version_commit: Option<String>,
    attempted_at: Option<DateTime<Utc>>,
    error: Option<String>,
    syncing: bool,
}

impl TryFrom<ProjectRow> for StoredProject {
    type Error = StoreError;

    fn try_from(row: ProjectRow) -> Result<Self, StoreError> {
        let webhook_kind = row.webhook_kind.map(|kind| kind.parse()).transpose();
        let private_key = row.private_key_id.zip(row.private_key_name);
        Ok(Self {
            id: row.package_id,
            name: row.name,
            settings: ProjectSettings {
                url: row.url,
                reference: row.reference,
                private_key_id: row.private_key_id,
                username: row.username,
                sealed_token: row.sealed_token,
                submodules: row.submodules,
                sync_before_launch: row.sync_before_launch,
                sync_interval_seconds: row.sync_interval_seconds,
                webhook_kind: webhook_kind.map_err(|_| StoreError::Corrupt("git_projects.webhook_kind"))?,
                sealed_webhook_secret: row.sealed_webhook_secret,
            },
            private_key: private_key.map(|(id, name)| ProjectKey { id, name }),
            host_keys: row.host_keys,
            synced_at: row.synced_at,
            commit_id: row.commit_id,
            version_commit: row.version_commit,
            attempted_at: row.attempted_at,
            error: row.error,
            syncing: row.syncing,
        })
    }
}

fn select(rest: &str) -> String {
    // The lock of somebody who died is gone with their connection: nothing has to be cleaned up.
    format!(
        "SELECT g.package_id, p.name, g.url, g.reference, g.private_key_id, k.name AS private_key_name, g.username, \
             g.sealed_token, g.submodules, g.sync_before_launch, g.sync_interval_seconds, g.webhook_kind, \
             g.sealed_webhook_secret, g.host_keys, g.synced_at, g.commit_id, v.commit_id AS version_commit, g.attempted_at, \
             g.error, \
             (g.sync_requested_at > coalesce(g.attempted_at, '-infinity')) IS TRUE OR EXISTS ( \
                 SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                   AND ((l.classid::bigint << 32) | l.objid::bigint) = {LOCK_KEY}) AS syncing \
         FROM admiral.git_projects g JOIN admiral.packages p ON p.id = g.package_id AND p.deleted_at IS NULL \
         LEFT JOIN admiral.private_keys k ON k.id = g.private_key_id \
         LEFT JOIN admiral.playbook_versions v ON v.id = p.current_version_id {rest}"
    )
}

/// One project.
pub async fn get_project(connection: &mut Connection, id: PackageId) -> Result<StoredProject, StoreError> {
    let row: Option<ProjectRow> = sqlx::query_as(&select("WHERE g.package_id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("project"))?.try_into()
}

/// Projects by name, and how many there are.
pub async fn list_projects(
    connection: &mut Connection,
    page: PageRequest,
) -> Result<(Vec<StoredProject>, i64), StoreError> {
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM admiral.git_projects g JOIN admiral.packages p ON p.id = g.package_id AND p.deleted_at IS NULL",
    )
    .fetch_one(&mut *connection)
    .await?;
    let rows: Vec<ProjectRow> = sqlx::query_as(&select("ORDER BY p.name COLLATE \"C\" LIMIT $1 OFFSET $2"))
        .bind(page.per_page)
        .bind(page.offset())
        .fetch_all(connection)
        .await?;
    let rows: Result<_, _> = rows.into_iter().map(TryInto::try_into).collect();
    Ok((rows?, total))
}

/// Whether playbooks of another package are called `project/NAME/…`, as those of a folder within the watched folder's own package.
pub async fn is_name_of_other_playbooks(
    connection: &mut Connection,
    package: PackageId,
    name: &str,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM admiral.playbooks WHERE origin = 'project' AND package_id <> $1 AND missing_since IS NULL \
                        AND starts_with(path, $2 || '/'))",
    )
    .bind(package)
    .bind(name)
    .fetch_one(connection)
    .await?)
}

/// Has a package's files come from a repository from now on.
pub async fn insert_project(
    connection: &mut Connection,
    id: PackageId,
    settings: &ProjectSettings,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO admiral.git_projects (package_id, url, reference, private_key_id, username, sealed_token, submodules, \
             sync_before_launch, sync_interval_seconds, webhook_kind, sealed_webhook_secret) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(&settings.url)
    .bind(&settings.reference)
    .bind(settings.private_key_id)
    .bind(&settings.username)
    .bind(&settings.sealed_token)
    .bind(settings.submodules)
    .bind(settings.sync_before_launch)
    .bind(settings.sync_interval_seconds)
    .bind(settings.webhook_kind.map(WebhookKind::as_str))
    .bind(&settings.sealed_webhook_secret)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets all that somebody may set. What comes from elsewhere than before has not been synced yet.
pub async fn update_project(
    connection: &mut Connection,
    id: PackageId,
    settings: &ProjectSettings,
    forget_host_keys: bool,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.git_projects SET url = $2, reference = $3, private_key_id = $4, username = $5, sealed_token = $6, \
             submodules = $7, sync_before_launch = $8, sync_interval_seconds = $9, webhook_kind = $10, \
             sealed_webhook_secret = $11, host_keys = CASE WHEN $12 THEN '' ELSE host_keys END, \
             commit_id = CASE WHEN (url, reference, submodules) = ($2, $3, $7) THEN commit_id END, \
             synced_at = CASE WHEN (url, reference, submodules) = ($2, $3, $7) THEN synced_at END \
         WHERE package_id = $1",
    )
    .bind(id)
    .bind(&settings.url)
    .bind(&settings.reference)
    .bind(settings.private_key_id)
    .bind(&settings.username)
    .bind(&settings.sealed_token)
    .bind(settings.submodules)
    .bind(settings.sync_before_launch)
    .bind(settings.sync_interval_seconds)
    .bind(settings.webhook_kind.map(WebhookKind::as_str))
    .bind(&settings.sealed_webhook_secret)
    .bind(forget_host_keys)
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("project"))
    }
}

/// Forgets where a package came from, and the secrets it was read with.
pub async fn delete_project(connection: &mut Connection, id: PackageId) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM admiral.git_projects WHERE package_id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("project"))
    }
}

/// Asks for a sync, as soon as somebody comes to it; many requests are one sync.
pub async fn request_sync(connection: &mut Connection, id: PackageId) -> Result<(), StoreError> {
    sqlx::query(
        "WITH asked AS (UPDATE admiral.git_projects SET sync_requested_at = clock_timestamp() WHERE package_id = $1 RETURNING 1) \
         SELECT pg_notify($2, '') FROM asked",
    )
    .bind(id)
    .bind(PROJECTS_CHANNEL)
    .execute(connection)
    .await?;
    Ok(())
}

/// The project that a playbook would come from and that is synced before each launch.
pub async fn find_synced_before_launch(
    connection: &mut Connection,
    playbook: &PlaybookId,
) -> Result<Option<PackageId>, StoreError> {
    if playbook.origin() != PlaybookOrigin::Project {
        return Ok(None);
    }
    let name = playbook.path().split('/').next().unwrap_or_default();
    Ok(sqlx::query_scalar(
        "SELECT g.package_id FROM admiral.git_projects g JOIN admiral.packages p ON p.id = g.package_id \
         WHERE p.origin = 'project' AND p.name = $1 AND p.deleted_at IS NULL AND g.sync_before_launch",
    )
    .bind(name)
    .fetch_optional(connection)
    .await?)
}

/// What a sync is due by: asked for since the last one began; by schedule; or again after a failure, each time later.
const IS_DUE: &str = "(g.sync_requested_at > coalesce(g.attempted_at, '-infinity') \
     OR g.failures = 0 AND coalesce(g.attempted_at, '-infinity') + make_interval(secs => g.sync_interval_seconds) <= now() \
     OR g.failures > 0 AND (g.sync_interval_seconds IS NOT NULL OR g.failures <= $1) \
        AND g.attempted_at + make_interval(secs => least(60 * 2 ^ least(g.failures - 1, 20), \
                                                         greatest(3600, g.sync_interval_seconds))) <= now()) IS TRUE";

/// Projects that are to be synced now.
pub async fn list_due(connection: &mut Connection) -> Result<Vec<PackageId>, StoreError> {
    Ok(sqlx::query_scalar(&format!(
        "SELECT g.package_id FROM admiral.git_projects g JOIN admiral.packages p ON p.id = g.package_id \
         WHERE p.deleted_at IS NULL AND {IS_DUE} ORDER BY g.attempted_at NULLS FIRST"
    ))
    .bind(MAX_RETRIES)
    .fetch_all(connection)
    .await?)
}

/// The database's own time, to the microsecond and not that of the transaction.
pub async fn now(connection: &mut Connection) -> Result<DateTime<Utc>, StoreError> {
    Ok(sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(connection)
        .await?)
}

/// The right to sync one project: nobody else has it meanwhile, in any process. It is held by a connection of its own, and gone
/// with it, however the process ends.
#[derive(Debug)]
pub struct SyncTurn {
    connection: PgConnection,
    id: PackageId,
}

impl SyncTurn {
    /// Waits for it.
    pub async fn take(database: &Database, id: PackageId) -> Result<Self, StoreError> {
        let mut connection = database.connect_alone().await?;
        sqlx::query(&format!(
            "SELECT pg_advisory_lock({LOCK_KEY}) FROM (VALUES ($1::uuid)) AS g (package_id)"
        ))
        .bind(id)
        .execute(&mut connection)
        .await?;
        Ok(Self { connection, id })
    }

    /// Takes it if nobody has it and a sync is due.
    pub async fn take_if_due(database: &Database, id: PackageId) -> Result<Option<Self>, StoreError> {
        let mut connection = database.connect_alone().await?;
        let taken: bool = sqlx::query_scalar(&format!(
            "SELECT pg_try_advisory_lock({LOCK_KEY}) FROM (VALUES ($1::uuid)) AS g (package_id)"
        ))
        .bind(id)
        .fetch_one(&mut connection)
        .await?;
        // Whoever had it a moment ago may have done what was due.
        if taken && list_due(&mut connection).await?.contains(&id) {
            return Ok(Some(Self { connection, id }));
        }
        Ok(None)
    }

    /// The project as it is now, and the time.
    pub async fn begin(&mut self) -> Result<(StoredProject, DateTime<Utc>), StoreError> {
        let began = now(&mut self.connection).await?;
        Ok((get_project(&mut self.connection, self.id).await?, began))
    }

    /// Lets the next one go on.
    pub async fn end(self) {
        let mut connection = self.connection;
        // The server sees only later that a connection was closed; one that is lost has let go already.
        let unlocked = sqlx::query("SELECT pg_advisory_unlock_all()")
            .execute(&mut connection)
            .await;
        if let Err(error) = unlocked.map(drop) {
            tracing::debug!(%error, "the connection of a sync was lost");
        }
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "the connection of a sync was lost");
        }
    }
}

/// How a sync went.
#[derive(Debug)]
pub struct SyncRecord<'a> {
    /// When it began.
    pub began: DateTime<Utc>,
    /// The host keys before.
    pub known_hosts_before: &'a str,
    /// The host keys that are trusted now.
    pub known_hosts: &'a str,
    /// The commit that was taken, or why none was.
    pub outcome: Result<&'a str, &'a str>,
}

/// Notes how a sync went, unless the project was changed meanwhile so that it says nothing any more: then `false`.
pub async fn record_sync(
    connection: &mut Connection,
    of: &StoredProject,
    record: &SyncRecord<'_>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.git_projects SET attempted_at = $5, error = $6, \
             synced_at = CASE WHEN $7::text IS NULL THEN synced_at ELSE clock_timestamp() END, \
             commit_id = coalesce($7, commit_id), \
             failures = CASE WHEN $7::text IS NULL THEN failures + 1 ELSE 0 END, \
             host_keys = CASE WHEN host_keys = $8 THEN $9 ELSE host_keys END \
         WHERE package_id = $1 AND (url, reference, submodules) = ($2, $3, $4)",
    )
    .bind(of.id)
    .bind(&of.settings.url)
    .bind(&of.settings.reference)
    .bind(of.settings.submodules)
    .bind(record.began)
    .bind(record.outcome.err())
    .bind(record.outcome.ok())
    .bind(record.known_hosts_before)
    .bind(record.known_hosts)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
