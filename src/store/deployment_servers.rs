//! The live rows: one for each host of a deployment.

use super::{Connection, StoreError};
use crate::domain::{
    DeploymentId, ServerId,
    deployment::{DeploymentServer, DeploymentStatus, HostStatus},
    page::PageRequest,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Which rows of a deployment are wanted.
#[derive(Debug, Clone, Default)]
pub struct RowFilter {
    /// Part of the host's name or its address.
    pub search: Option<String>,
    /// Only rows of this status.
    pub status: Option<HostStatus>,
    /// The order.
    pub sort: RowSort,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowSort {
    /// By name.
    #[default]
    Host,
    /// By name, from the end.
    HostDescending,
    /// What needs attention first: failed, unreachable, running, pending, cancelled, skipped, success.
    Status,
    /// The other way round.
    StatusDescending,
    /// The latest to start first.
    StartedDescending,
    /// The first to start first.
    Started,
    /// The latest to finish first.
    FinishedDescending,
    /// The first to finish first.
    Finished,
}

impl RowSort {
    /// All orders and the words that ask for them.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("host", Self::Host),
        ("-host", Self::HostDescending),
        ("status", Self::Status),
        ("-status", Self::StatusDescending),
        ("started_at", Self::Started),
        ("-started_at", Self::StartedDescending),
        ("finished_at", Self::Finished),
        ("-finished_at", Self::FinishedDescending),
    ];

    /// The order that a word asks for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, sort)| *sort)
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::HostDescending => "host DESC",
            Self::Status => {
                "array_position(ARRAY['failed', 'unreachable', 'running', 'pending', 'cancelled', 'skipped', 'success'], status), host"
            }
            Self::StatusDescending => {
                "array_position(ARRAY['success', 'skipped', 'cancelled', 'pending', 'running', 'unreachable', 'failed'], status), host"
            }
            Self::Started => "started_at NULLS LAST, host",
            Self::StartedDescending => "started_at DESC NULLS LAST, host",
            Self::Finished => "finished_at NULLS LAST, host",
            Self::FinishedDescending => "finished_at DESC NULLS LAST, host",
        }
    }
}

#[derive(sqlx::FromRow)]
struct ServerRow {
    host: String,
    slice: i32,
    server_id: Option<Uuid>,
    address: Option<String>,
    status: String,
    changed: bool,
    ok_count: i32,
    changed_count: i32,
    failed_count: i32,
    skipped_count: i32,
    rescued_count: i32,
    ignored_count: i32,
    unreachable_count: i32,
    current_task: Option<String>,
    error_message: Option<String>,
    position: i64,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "host, slice, server_id, address, status, changed, ok_count, changed_count, failed_count, skipped_count, \
     rescued_count, ignored_count, unreachable_count, current_task, error_message, position, started_at, finished_at";

impl TryFrom<ServerRow> for DeploymentServer {
    type Error = StoreError;

    fn try_from(row: ServerRow) -> Result<Self, StoreError> {
        Ok(Self {
            host: row.host,
            slice: row.slice,
            server_id: row.server_id,
            address: row.address,
            status: row
                .status
                .parse()
                .map_err(|_| StoreError::Corrupt("deployment_servers.status"))?,
            changed: row.changed,
            ok: row.ok_count,
            changed_count: row.changed_count,
            failed: row.failed_count,
            skipped: row.skipped_count,
            rescued: row.rescued_count,
            ignored: row.ignored_count,
            unreachable: row.unreachable_count,
            current_task: row.current_task,
            error_message: row.error_message,
            started_at: row.started_at,
            finished_at: row.finished_at,
            position: row.position,
        })
    }
}

/// A page of rows, and how many there are over all pages.
pub async fn list(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    filter: &RowFilter,
    page: PageRequest,
) -> Result<(Vec<DeploymentServer>, i64), StoreError> {
    const WHERE: &str = "deployment_id = $1 AND ($2::text IS NULL OR status = $2) \
         AND ($3::text IS NULL OR strpos(lower(host), lower($3)) > 0 OR strpos(lower(coalesce(address, '')), lower($3)) > 0)";
    let status = filter.status.map(HostStatus::as_str);
    let search = filter.search.as_deref().filter(|text| !text.is_empty());
    let total: i64 = sqlx::query_scalar(&format!(
        "SELECT count(*) FROM admiral.deployment_servers WHERE {WHERE}"
    ))
    .bind(deployment_id)
    .bind(status)
    .bind(search)
    .fetch_one(&mut *connection)
    .await?;
    let rows: Vec<ServerRow> = sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM admiral.deployment_servers WHERE {WHERE} ORDER BY {}, slice LIMIT $4 OFFSET $5",
        filter.sort.sql()
    ))
    .bind(deployment_id)
    .bind(status)
    .bind(search)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((
        rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        total,
    ))
}

/// Rows that changed after `position`, the longest unchanged first; all of them when `position` is 0 or less, since rows start at 0.
pub async fn changed_since(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    position: i64,
) -> Result<Vec<DeploymentServer>, StoreError> {
    let changed = Changed {
        after: position,
        up_to: i64::MAX,
    };
    let (rows, _) = list_changed(connection, deployment_id, changed, None, i64::from(i32::MAX)).await?;
    Ok(rows)
}

/// Selects rows by the position of their latest change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The position is above this one; 0 or less selects all rows, since rows start at 0.
    pub after: i64,
    /// The position is not above this one.
    pub up_to: i64,
}

/// Up to `limit` rows of `changed` that come after the row `last`, the longest unchanged first; and whether there are more.
pub async fn list_changed(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    changed: Changed,
    last: Option<&DeploymentServer>,
    limit: i64,
) -> Result<(Vec<DeploymentServer>, bool), StoreError> {
    let from = if changed.after <= 0 { 0 } else { changed.after + 1 };
    let rows: Vec<ServerRow> = sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM admiral.deployment_servers \
         WHERE deployment_id = $1 AND position BETWEEN $2 AND $3 \
           AND ($4::bigint IS NULL OR (position, host, slice) > ($4, $5::text, $6::integer)) \
         ORDER BY position, host, slice LIMIT $7"
    ))
    .bind(deployment_id)
    .bind(last.map_or(from, |last| last.position))
    .bind(changed.up_to)
    .bind(last.map(|last| last.position))
    .bind(last.map(|last| last.host.as_str()))
    .bind(last.map(|last| last.slice))
    .bind(limit.saturating_add(1))
    .fetch_all(connection)
    .await?;
    let mut rows: Vec<DeploymentServer> = rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    let more = rows.len() as i64 > limit;
    if more {
        rows.pop();
    }
    Ok((rows, more))
}

/// Servers to try again: hosts that failed, were unreachable or never ran, as far as their servers still exist. In a deployment
/// that was completed, hosts that never ran were not meant by any play: they are left out.
pub async fn list_retryable(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    status: DeploymentStatus,
) -> Result<Vec<ServerId>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT server_id FROM admiral.deployment_servers WHERE deployment_id = $1 AND server_id IS NOT NULL \
           AND (status IN ('failed', 'unreachable', 'pending', 'running', 'cancelled') \
                OR (status = 'skipped' AND NOT $2 AND ok_count + changed_count + failed_count + skipped_count = 0)) \
         ORDER BY host",
    )
    .bind(deployment_id)
    .bind(status == DeploymentStatus::Completed)
    .fetch_all(connection)
    .await?)
}
