//! The raw output of a deployment, in the chunks it was stored in.

use super::{Connection, StoreError};
use crate::domain::DeploymentId;
use chrono::{DateTime, Utc};

/// Some bytes of output.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OutputChunk {
    /// Where the content begins in the deployment's whole output.
    #[sqlx(rename = "byte_offset")]
    pub offset: i64,
    /// Raw bytes; a chunk may end inside a UTF-8 sequence.
    pub content: Vec<u8>,
    /// When it was stored.
    #[sqlx(rename = "ingested_at")]
    pub recorded_at: DateTime<Utc>,
}

/// Output from byte `after` on: whole chunks (the first one cut to begin at `after`) until `limit_bytes` are reached, at least one.
pub async fn list_after(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    after: i64,
    limit_bytes: i64,
) -> Result<Vec<OutputChunk>, StoreError> {
    // The chunk that holds `after` begins at or before it. Chunks do not overlap, so it is the last one that does.
    let mut chunks: Vec<OutputChunk> = sqlx::query_as(
        "WITH start AS ( \
             SELECT coalesce(max(byte_offset), 0) AS byte_offset FROM admiral.deployment_output \
             WHERE deployment_id = $1 AND byte_offset <= $2) \
         SELECT byte_offset, content, ingested_at FROM ( \
             SELECT o.byte_offset, o.content, o.ingested_at, \
                    sum(octet_length(o.content)) OVER (ORDER BY o.byte_offset) - octet_length(o.content) AS before \
             FROM admiral.deployment_output o, start \
             WHERE o.deployment_id = $1 AND o.byte_offset >= start.byte_offset AND o.byte_offset < $2 + $3) measured \
         WHERE before < $3 AND byte_offset + octet_length(content) > $2 ORDER BY byte_offset",
    )
    .bind(deployment_id)
    .bind(after)
    .bind(limit_bytes)
    .fetch_all(connection)
    .await?;
    if let Some(first) = chunks.first_mut()
        && first.offset < after
    {
        first.content.drain(
            ..usize::try_from(after - first.offset)
                .unwrap_or_default()
                .min(first.content.len()),
        );
        first.offset = after;
    }
    Ok(chunks)
}
