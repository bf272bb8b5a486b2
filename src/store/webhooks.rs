//! Remembers webhooks that were received.

use super::{Connection, StoreError};
use crate::domain::PackageId;
use chrono::{DateTime, TimeDelta, Utc};

/// The time for which a delivery is remembered.
const KEPT: TimeDelta = TimeDelta::days(7);
/// The number of deliveries that are remembered for one project.
const MOST: i64 = 10_000;

/// SHA-256 of the part of a delivery that identifies it.
pub type Fingerprint = [u8; 32];

/// The fingerprints that a repetition of a delivery is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// A fingerprint that comes only once.
    pub once: Option<Fingerprint>,
    /// A fingerprint that does not come twice in a row.
    pub not_in_a_row: Option<Fingerprint>,
}

/// Remembers a delivery of a project; `false` when it was received before. Other deliveries of the project wait until the transaction ends.
pub async fn remember_delivery(
    connection: &mut Connection,
    id: PackageId,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let last: Option<(Option<Vec<u8>>,)> =
        sqlx::query_as("SELECT last_webhook_body FROM admiral.git_projects WHERE package_id = $1 FOR UPDATE")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
    let last = last.ok_or(StoreError::NotFound("project"))?.0;
    if let Some(once) = identity.once {
        let done = sqlx::query(
            "INSERT INTO admiral.webhook_deliveries (package_id, fingerprint, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(&once[..])
        .bind(now)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
    }
    let Some(body) = identity.not_in_a_row else {
        return Ok(true);
    };
    if last.as_deref() == Some(&body[..]) {
        return Ok(false);
    }
    sqlx::query("UPDATE admiral.git_projects SET last_webhook_body = $2 WHERE package_id = $1")
        .bind(id)
        .bind(&body[..])
        .execute(connection)
        .await?;
    Ok(true)
}

/// Forgets deliveries that are too old at `now`, and the oldest ones of projects that have too many; returns their number.
pub async fn purge_deliveries(connection: &mut Connection, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let old = sqlx::query("DELETE FROM admiral.webhook_deliveries WHERE received_at < $1")
        .bind(now - KEPT)
        .execute(&mut *connection)
        .await?;
    let too_many = sqlx::query(
        "DELETE FROM admiral.webhook_deliveries d USING (
             SELECT package_id, fingerprint, row_number() OVER (PARTITION BY package_id ORDER BY received_at DESC) AS place
               FROM admiral.webhook_deliveries) ranked
          WHERE (d.package_id, d.fingerprint) = (ranked.package_id, ranked.fingerprint) AND ranked.place > $1",
    )
    .bind(MOST)
    .execute(connection)
    .await?;
    Ok(old.rows_affected() + too_many.rows_affected())
}
