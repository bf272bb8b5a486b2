//! Versions of playbooks: immutable, each file's content stored once.

use super::{Connection, StoreError};
use crate::domain::{
    clock::new_id,
    playbook::{ManifestEntry, PlaybookFile, PlaybookOrigin},
};
use sqlx::types::Json;
use uuid::Uuid;

/// Identifies a version of a playbook.
pub type VersionId = Uuid;

/// Stores a version unless it is there already. `digest` is the digest of the whole; `files` holds the content of every entry of
/// `manifest`.
pub async fn upsert_playbook_version(
    connection: &mut Connection,
    origin: PlaybookOrigin,
    path: &str,
    digest: &str,
    manifest: &[ManifestEntry],
    files: &[PlaybookFile],
) -> Result<VersionId, StoreError> {
    if let Some(id) = find_version(connection, origin, path, digest).await? {
        return Ok(id);
    }
    sqlx::query(
        "INSERT INTO admiral.playbooks (id, origin, path) VALUES ($1, $2, $3) ON CONFLICT (origin, path) DO NOTHING",
    )
    .bind(new_id())
    .bind(origin.as_str())
    .bind(path)
    .execute(&mut *connection)
    .await?;
    insert_files(connection, manifest, files).await?;
    sqlx::query(
        "INSERT INTO admiral.playbook_versions (id, playbook_id, digest, manifest) \
         SELECT $1, id, $4, $5 FROM admiral.playbooks WHERE origin = $2 AND path = $3 \
         ON CONFLICT (playbook_id, digest) DO NOTHING",
    )
    .bind(new_id())
    .bind(origin.as_str())
    .bind(path)
    .bind(digest)
    .bind(Json(manifest))
    .execute(&mut *connection)
    .await?;
    find_version(connection, origin, path, digest)
        .await?
        .ok_or(StoreError::NotFound("playbook version"))
}

async fn find_version(
    connection: &mut Connection,
    origin: PlaybookOrigin,
    path: &str,
    digest: &str,
) -> Result<Option<VersionId>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT v.id FROM admiral.playbook_versions v JOIN admiral.playbooks p ON p.id = v.playbook_id \
         WHERE p.origin = $1 AND p.path = $2 AND v.digest = $3",
    )
    .bind(origin.as_str())
    .bind(path)
    .bind(digest)
    .fetch_optional(connection)
    .await?)
}

async fn insert_files(
    connection: &mut Connection,
    manifest: &[ManifestEntry],
    files: &[PlaybookFile],
) -> Result<(), StoreError> {
    let wanted: Vec<&str> = manifest.iter().map(|entry| entry.digest.as_str()).collect();
    let missing: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT wanted.digest FROM unnest($1::text[]) AS wanted (digest) \
         WHERE NOT EXISTS (SELECT FROM admiral.playbook_files f WHERE f.digest = decode(wanted.digest, 'hex'))",
    )
    .bind(wanted)
    .fetch_all(&mut *connection)
    .await?;
    // Sorted, so that two launches that store the same files wait for one another and do not deadlock.
    let mut missing: Vec<&ManifestEntry> = manifest
        .iter()
        .filter(|entry| missing.contains(&entry.digest))
        .collect();
    missing.sort_by(|a, b| a.digest.cmp(&b.digest));
    missing.dedup_by(|a, b| a.digest == b.digest);
    for entry in missing {
        let file = files
            .iter()
            .find(|file| file.path == entry.path)
            .ok_or(StoreError::NotFound("playbook file"))?;
        sqlx::query(
            "INSERT INTO admiral.playbook_files (digest, content) VALUES (decode($1, 'hex'), $2) ON CONFLICT DO NOTHING",
        )
        .bind(&entry.digest)
        .bind(&file.content)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Whether this ansible-core has already found a version's syntax in order.
pub async fn is_syntax_valid(
    connection: &mut Connection,
    version_id: VersionId,
    ansible_version: &str,
) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT syntax_valid_with IS NOT DISTINCT FROM $2 FROM admiral.playbook_versions WHERE id = $1")
        .bind(version_id)
        .bind(ansible_version)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound("playbook version"))
}

/// Keeps that this ansible-core found a version's syntax in order.
pub async fn record_valid_syntax(
    connection: &mut Connection,
    version_id: VersionId,
    ansible_version: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE admiral.playbook_versions SET syntax_valid_with = $2 WHERE id = $1")
        .bind(version_id)
        .bind(ansible_version)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("playbook version"))
    }
}

#[derive(sqlx::FromRow)]
struct FileRow {
    path: String,
    mode: i32,
    content: Vec<u8>,
}

/// All files of a version, sorted by path.
pub async fn load_version_files(
    connection: &mut Connection,
    version_id: VersionId,
) -> Result<Vec<PlaybookFile>, StoreError> {
    let entries: Option<i64> =
        sqlx::query_scalar("SELECT jsonb_array_length(manifest)::bigint FROM admiral.playbook_versions WHERE id = $1")
            .bind(version_id)
            .fetch_optional(&mut *connection)
            .await?;
    let entries = entries.ok_or(StoreError::NotFound("playbook version"))?;
    let rows: Vec<FileRow> = sqlx::query_as(
        "SELECT m.path, m.mode, f.content FROM admiral.playbook_versions v, \
             jsonb_to_recordset(v.manifest) AS m (path text, mode integer, digest text) \
             JOIN admiral.playbook_files f ON f.digest = decode(m.digest, 'hex') \
         WHERE v.id = $1 ORDER BY m.path",
    )
    .bind(version_id)
    .fetch_all(connection)
    .await?;
    if rows.len() as i64 != entries {
        return Err(StoreError::Corrupt("playbook_versions.manifest"));
    }
    Ok(rows
        .into_iter()
        .map(|row| PlaybookFile {
            path: row.path,
            mode: row.mode as u32,
            content: row.content,
        })
        .collect())
}
