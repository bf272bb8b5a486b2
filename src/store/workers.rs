//! Workers: who carries runs out.

use super::{Connection, StoreError};
use std::time::Duration;

/// Whether any worker was heard of in the last `silence`.
pub async fn any_worker_alive(connection: &mut Connection, silence: Duration) -> Result<bool, StoreError> {
    let (alive,): (bool,) = sqlx::query_as(
        "SELECT EXISTS (SELECT FROM admiral.workers WHERE heartbeat_at > now() - make_interval(secs => $1))",
    )
    .bind(silence.as_secs_f64())
    .fetch_one(connection)
    .await?;
    Ok(alive)
}
