//! Events: the append-only truth of a deployment, and the position that orders them.

use super::{Connection, StoreError};
use crate::domain::{DeploymentId, event::DeploymentEvent};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// The channel that tells of new events; the payload is `<deployment uuid>:<position>`.
pub const DEPLOYMENTS_CHANNEL: &str = "admiral_deployments";

/// A page of events stops early once its payloads reach this many bytes, so that no answer is boundless.
pub const MAX_PAGE_BYTES: i64 = 4 * 1024 * 1024;

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only events about this host.
    pub host: Option<String>,
    /// Only events of these kinds; all when there are none.
    pub kinds: Vec<String>,
    /// Only events of the run of this slice.
    pub slice: Option<i32>,
}

/// Events in the order of their positions.
#[derive(Debug, Default)]
pub struct EventPage {
    /// The events.
    pub events: Vec<DeploymentEvent>,
    /// Whether more follow already.
    pub more: bool,
}

#[derive(sqlx::FromRow)]
struct EventRow {
    position: i64,
    recorded_at: DateTime<Utc>,
    kind: String,
    slice: Option<i32>,
    host: Option<String>,
    task_id: Option<String>,
    payload: String,
    found: i64,
}

/// What is read out of a payload. Done here and not with `->>`, which refuses a payload that holds `\u0000`.
#[derive(Default, Deserialize)]
struct Names {
    play: Option<String>,
    task: Option<String>,
}

impl TryFrom<EventRow> for DeploymentEvent {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let names: Names = serde_json::from_str(&row.payload).unwrap_or_default();
        Ok(Self {
            position: row.position,
            recorded_at: row.recorded_at,
            kind: row.kind,
            slice: row.slice,
            host: row.host,
            task_id: row.task_id,
            play: names.play,
            task: names.task,
            payload: RawValue::from_string(row.payload)
                .map_err(|_| StoreError::Corrupt("deployment_events.payload"))?,
        })
    }
}

/// Appends one of Admiral's own events ([`crate::domain::event::own`]) and tells the listeners when the transaction commits.
///
/// The deployment's row stays locked until then, which is what makes positions gapless and ordered by commit.
pub async fn append_own(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    kind: &str,
    payload: &Value,
) -> Result<i64, StoreError> {
    let (position,): (i64,) = sqlx::query_as(
        "UPDATE admiral.deployments SET event_position = event_position + 1 WHERE id = $1 RETURNING event_position",
    )
    .bind(deployment_id)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(StoreError::NotFound("deployment"))?;
    sqlx::query(
        "INSERT INTO admiral.deployment_events (deployment_id, position, recorded_at, kind, payload) \
         VALUES ($1, $2, now(), $3, $4::json)",
    )
    .bind(deployment_id)
    .bind(position)
    .bind(kind)
    .bind(sqlx::types::Json(payload))
    .execute(&mut *connection)
    .await?;
    notify_position(connection, deployment_id, position).await?;
    Ok(position)
}

/// Tells the listeners that a deployment has reached `position`, when the transaction commits.
pub async fn notify_position(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    position: i64,
) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(DEPLOYMENTS_CHANNEL)
        .bind(format!("{deployment_id}:{position}"))
        .execute(connection)
        .await?;
    Ok(())
}

/// The size of a page.
#[derive(Debug, Clone, Copy)]
pub struct PageLimit {
    /// The most events.
    pub events: i64,
    /// The most bytes of their payloads.
    pub bytes: i64,
}

impl PageLimit {
    /// A limit on the number of events, with [`MAX_PAGE_BYTES`].
    pub const fn events(events: i64) -> Self {
        Self {
            events,
            bytes: MAX_PAGE_BYTES,
        }
    }
}

/// Up to `limit` events with a position above `after`, fewer when they are large, but at least one.
pub async fn list_after(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    after: i64,
    limit: PageLimit,
    filter: &EventFilter,
) -> Result<EventPage, StoreError> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "WITH page AS ( \
             SELECT position, recorded_at, kind, run_id, host, task_id, payload::text AS payload \
             FROM admiral.deployment_events \
             WHERE deployment_id = $1 AND position > $2 \
               AND ($4::text IS NULL OR host = $4) AND ($5::text[] = '{}' OR kind = ANY ($5)) \
               AND ($7::integer IS NULL OR run_id = \
                    (SELECT id FROM admiral.runs WHERE deployment_id = $1 AND slice = $7)) \
             ORDER BY position LIMIT $3 + 1), \
         measured AS ( \
             SELECT *, row_number() OVER (ORDER BY position) AS number, \
                    sum(octet_length(payload)) OVER (ORDER BY position) AS size, count(*) OVER () AS found \
             FROM page) \
         SELECT position, recorded_at, kind, slice::integer, host, task_id, payload, found \
         FROM measured LEFT JOIN admiral.runs ON runs.id = measured.run_id \
         WHERE number = 1 OR (number <= $3 AND size <= $6) ORDER BY position",
    )
    .bind(deployment_id)
    .bind(after)
    .bind(limit.events)
    .bind(filter.host.as_deref())
    .bind(&filter.kinds)
    .bind(limit.bytes)
    .bind(filter.slice)
    .fetch_all(connection)
    .await?;
    let more = rows.first().is_some_and(|row| row.found > rows.len() as i64);
    let events = rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    Ok(EventPage { events, more })
}
