//! Who did what: rows are only ever added.

use super::{Connection, StoreError, word};
use crate::domain::{
    audit::{AuditEntry, AuditOutcome, AuditRecord},
    page::PageRequest,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// Which records are wanted; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Part of the actor's name, the action, the object's id or the address.
    pub search: Option<String>,
    /// Exactly this action, such as `server.create`.
    pub action: Option<String>,
    /// Exactly this outcome.
    pub outcome: Option<AuditOutcome>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    recorded_at: DateTime<Utc>,
    actor_id: Option<Uuid>,
    actor_name: String,
    address: Option<String>,
    user_agent: Option<String>,
    action: String,
    object_type: String,
    object_id: Option<String>,
    outcome: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl TryFrom<Row> for AuditRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            recorded_at: row.recorded_at,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            address: row.address,
            user_agent: row.user_agent,
            action: row.action,
            object_type: row.object_type,
            object_id: row.object_id,
            outcome: word(&row.outcome, "audit_log.outcome")?,
            before: row.before,
            after: row.after,
        })
    }
}

/// Adds a record. Call it in the transaction of the change that it tells of.
pub async fn record(connection: &mut Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO admiral.audit_log
            (actor_id, actor_name, address, user_agent, action, object_type, object_id, outcome, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(entry.actor_id)
    .bind(&entry.actor_name)
    .bind(&entry.address)
    .bind(&entry.user_agent)
    .bind(&entry.action)
    .bind(&entry.object_type)
    .bind(&entry.object_id)
    .bind(entry.outcome.as_str())
    .bind(&entry.before)
    .bind(&entry.after)
    .execute(connection)
    .await?;
    Ok(())
}

/// One page of the records, newest first, and how many there are.
pub async fn list_records(
    connection: &mut Connection,
    filter: &AuditFilter,
    page: PageRequest,
) -> Result<(Vec<AuditRecord>, i64), StoreError> {
    const WHERE: &str = "WHERE ($1::text IS NULL OR strpos(lower(concat_ws(' ', actor_name, action, object_type, object_id, address)), lower($1)) > 0)
           AND ($2::text IS NULL OR action = $2)
           AND ($3::text IS NULL OR outcome = $3)";
    let outcome = filter.outcome.map(AuditOutcome::as_str);
    let (total,): (i64,) = sqlx::query_as(&format!("SELECT count(*) FROM admiral.audit_log {WHERE}"))
        .bind(&filter.search)
        .bind(&filter.action)
        .bind(outcome)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<Row> = sqlx::query_as(&format!(
        "SELECT * FROM admiral.audit_log {WHERE} ORDER BY id DESC LIMIT $4 OFFSET $5"
    ))
    .bind(&filter.search)
    .bind(&filter.action)
    .bind(outcome)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((
        rows.into_iter().map(AuditRecord::try_from).collect::<Result<_, _>>()?,
        total,
    ))
}
