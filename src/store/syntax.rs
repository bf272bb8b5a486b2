//! Which ansible-core has found the syntax of which playbook in order.

use super::{Connection, StoreError};
use crate::domain::VersionId;

/// Whether this ansible-core has already found the syntax of a playbook in order, in this version or in one with the same files.
pub async fn is_syntax_valid(
    connection: &mut Connection,
    version_id: VersionId,
    entry_path: &str,
    ansible_version: &str,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "SELECT bool_or(same.syntax_valid_with ->> $2 IS NOT DISTINCT FROM $3) FROM admiral.playbook_versions v \
         JOIN admiral.playbook_versions same ON same.package_id = v.package_id AND same.digest = v.digest \
         WHERE v.id = $1 GROUP BY v.id",
    )
    .bind(version_id)
    .bind(entry_path)
    .bind(ansible_version)
    .fetch_optional(connection)
    .await?
    .ok_or(StoreError::NotFound("version"))
}

/// Keeps that this ansible-core found the syntax of a playbook in order.
pub async fn record_valid_syntax(
    connection: &mut Connection,
    version_id: VersionId,
    entry_path: &str,
    ansible_version: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.playbook_versions SET syntax_valid_with = syntax_valid_with || jsonb_build_object($2::text, $3::text) \
         WHERE id = $1",
    )
    .bind(version_id)
    .bind(entry_path)
    .bind(ansible_version)
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("version"))
    }
}
