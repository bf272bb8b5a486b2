//! Packages of playbooks and their versions. Versions are immutable; each file's content is stored once.

use super::{Connection, StoreError};
use crate::domain::{
    PackageId, VersionId,
    clock::new_id,
    package::{Package, PackageFile, PackageSource, PackageVersion},
    page::PageRequest,
    playbook::{ManifestEntry, PlaybookFile, PlaybookOrigin},
};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Who makes a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Null for what was found in a folder or a repository.
    pub id: Option<Uuid>,
    /// For people.
    pub name: String,
}

/// A version to be added.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// Its package, locked by [`lock_package`].
    pub package_id: PackageId,
    /// Digest of the whole.
    pub digest: &'a str,
    /// Every file.
    pub manifest: &'a [ManifestEntry],
    /// The content of every file whose digest is not known to be stored already.
    pub files: &'a [PlaybookFile],
    /// For people.
    pub comment: &'a str,
    /// Who makes it.
    pub author: &'a Author,
    /// The commit it was taken from.
    pub commit_id: Option<&'a str>,
    /// The number of the version that is taken back.
    pub rolled_back_to: Option<i32>,
}

/// What a change of a package is judged by.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PackageHead {
    /// The package.
    pub id: PackageId,
    /// Its name.
    pub name: String,
    /// The current version.
    pub version_id: Option<VersionId>,
    /// That version's digest.
    pub digest: Option<String>,
    /// That version's number.
    pub number: Option<i32>,
}

/// The package of this origin and name, made if need be, and locked until the transaction ends.
pub async fn upsert_package(
    connection: &mut Connection,
    origin: PlaybookOrigin,
    name: &str,
    by: &Author,
) -> Result<PackageHead, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.packages (id, origin, name, created_by, created_by_name) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (origin, name) WHERE deleted_at IS NULL DO NOTHING",
    )
    .bind(new_id())
    .bind(origin.as_str())
    .bind(name)
    .bind(by.id)
    .bind(&by.name)
    .execute(&mut *connection)
    .await?;
    let id = find_package(connection, origin, name)
        .await?
        .ok_or(StoreError::NotFound("package"))?;
    lock_package(connection, id).await
}

/// Whether a package ships with Admiral. Commands that people give are kept in a package of the same origin, and do not.
pub async fn ships_with_admiral(connection: &mut Connection, id: PackageId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM admiral.packages \
                        WHERE id = $1 AND origin = 'built_in' AND NOT starts_with(name, '.'))",
    )
    .bind(id)
    .fetch_one(connection)
    .await?)
}

/// The package of this origin and name.
pub async fn find_package(
    connection: &mut Connection,
    origin: PlaybookOrigin,
    name: &str,
) -> Result<Option<PackageId>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT id FROM admiral.packages WHERE origin = $1 AND name = $2 AND deleted_at IS NULL")
            .bind(origin.as_str())
            .bind(name)
            .fetch_optional(connection)
            .await?,
    )
}

/// Locks a package until the transaction ends, so that versions are added one after the other.
pub async fn lock_package(connection: &mut Connection, id: PackageId) -> Result<PackageHead, StoreError> {
    // Two statements: the second one sees what was committed while the first one waited.
    sqlx::query("SELECT FROM admiral.packages WHERE id = $1 FOR UPDATE")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    sqlx::query_as(
        "SELECT p.id, p.name, v.id AS version_id, v.digest, v.number FROM admiral.packages p \
         LEFT JOIN admiral.playbook_versions v ON v.id = p.current_version_id WHERE p.id = $1 AND p.deleted_at IS NULL",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?
    .ok_or(StoreError::NotFound("package"))
}

/// Adds a version and makes it the current one.
pub async fn add_version(connection: &mut Connection, new: &NewVersion<'_>) -> Result<PackageVersion, StoreError> {
    insert_files(connection, new.manifest, new.files).await?;
    let id = new_id();
    sqlx::query(
        "INSERT INTO admiral.playbook_versions (id, package_id, number, digest, manifest, comment, author_id, author_name, \
             commit_id, rolled_back_to) \
         SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8, $9 \
         FROM admiral.playbook_versions WHERE package_id = $2",
    )
    .bind(id)
    .bind(new.package_id)
    .bind(new.digest)
    .bind(Json(new.manifest))
    .bind(new.comment)
    .bind(new.author.id)
    .bind(&new.author.name)
    .bind(new.commit_id)
    .bind(new.rolled_back_to)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE admiral.packages SET current_version_id = $2 WHERE id = $1")
        .bind(new.package_id)
        .bind(id)
        .execute(&mut *connection)
        .await?;
    get_version(connection, id).await
}

/// The version of a package with this digest, the newest of several.
pub async fn find_version(
    connection: &mut Connection,
    package: PackageId,
    digest: &str,
) -> Result<Option<VersionId>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM admiral.playbook_versions WHERE package_id = $1 AND digest = $2 ORDER BY number DESC LIMIT 1",
    )
    .bind(package)
    .bind(digest)
    .fetch_optional(connection)
    .await?)
}

/// Notes why a package's files cannot be taken over, or that they can, and that it is there.
pub async fn set_package_error(
    connection: &mut Connection,
    id: PackageId,
    error: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.packages SET error = $2, missing_since = NULL WHERE id = $1")
        .bind(id)
        .bind(error)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes which folder a package lies in.
pub async fn set_found_in(connection: &mut Connection, id: PackageId, folder: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.packages SET found_in = $2 WHERE id = $1")
        .bind(id)
        .bind(folder)
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks packages that were found in a folder, and their playbooks, as missing unless they are among `present`.
pub async fn mark_missing_packages(
    connection: &mut Connection,
    origin: PlaybookOrigin,
    folder: &str,
    present: &[String],
) -> Result<(), StoreError> {
    sqlx::query(
        "WITH gone AS ( \
             UPDATE admiral.packages p SET missing_since = now() \
             WHERE origin = $1 AND missing_since IS NULL AND deleted_at IS NULL AND name <> ALL ($2) AND found_in = $3 \
               AND NOT EXISTS (SELECT FROM admiral.git_projects g WHERE g.package_id = p.id) \
             RETURNING id) \
         UPDATE admiral.playbooks SET missing_since = now() \
         WHERE missing_since IS NULL AND package_id IN (SELECT id FROM gone)",
    )
    .bind(origin.as_str())
    .bind(present)
    .bind(folder)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a package's files come from a git repository.
pub async fn is_git(connection: &mut Connection, id: PackageId) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM admiral.git_projects WHERE package_id = $1)")
            .bind(id)
            .fetch_one(connection)
            .await?,
    )
}

/// Forgets a package: it is no longer listed, its name is free, its presets are gone, its versions stay for the deployments that
/// ran them.
pub async fn delete_package(connection: &mut Connection, id: PackageId) -> Result<(), StoreError> {
    let deleted = sqlx::query("UPDATE admiral.packages SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() != 1 {
        return Err(StoreError::NotFound("package"));
    }
    sqlx::query("UPDATE admiral.playbooks SET missing_since = coalesce(missing_since, now()) WHERE package_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    // Another package of this name must not come by their secrets.
    sqlx::query(
        "DELETE FROM admiral.presets WHERE playbook_id IN (SELECT id FROM admiral.playbooks WHERE package_id = $1)",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
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
    let missing: HashSet<&str> = missing.iter().map(String::as_str).collect();
    // Sorted, so that two that store the same files wait for one another and do not deadlock.
    let mut missing: Vec<&ManifestEntry> = manifest
        .iter()
        .filter(|entry| missing.contains(entry.digest.as_str()))
        .collect();
    missing.sort_by(|a, b| a.digest.cmp(&b.digest));
    missing.dedup_by(|a, b| a.digest == b.digest);
    let contents: HashMap<&str, &[u8]> = files
        .iter()
        .map(|file| (file.path.as_str(), file.content.as_slice()))
        .collect();
    for entry in missing {
        let content = contents
            .get(entry.path.as_str())
            .ok_or(StoreError::NotFound("playbook file"))?;
        sqlx::query(
            "INSERT INTO admiral.playbook_files (digest, content) VALUES (decode($1, 'hex'), $2) ON CONFLICT DO NOTHING",
        )
        .bind(&entry.digest)
        .bind(content)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    id: Uuid,
    package_id: Uuid,
    number: i32,
    digest: String,
    comment: String,
    author_id: Option<Uuid>,
    author_name: String,
    created_at: DateTime<Utc>,
    commit_id: Option<String>,
    rolled_back_to: Option<i32>,
    reviewed_at: Option<DateTime<Utc>>,
    reviewed_by_name: Option<String>,
}

impl From<VersionRow> for PackageVersion {
    fn from(row: VersionRow) -> Self {
        Self {
            id: row.id,
            package_id: row.package_id,
            number: row.number,
            digest: row.digest,
            comment: row.comment,
            author_id: row.author_id,
            author_name: row.author_name,
            created_at: row.created_at,
            commit_id: row.commit_id,
            rolled_back_to: row.rolled_back_to,
            reviewed_at: row.reviewed_at,
            reviewed_by_name: row.reviewed_by_name,
        }
    }
}

const VERSION_COLUMNS: &str = "id, package_id, number, digest, comment, author_id, author_name, created_at, commit_id, \
     rolled_back_to, reviewed_at, reviewed_by_name";

/// One version.
pub async fn get_version(connection: &mut Connection, id: VersionId) -> Result<PackageVersion, StoreError> {
    let row: Option<VersionRow> = sqlx::query_as(&format!(
        "SELECT {VERSION_COLUMNS} FROM admiral.playbook_versions WHERE id = $1"
    ))
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.map(Into::into).ok_or(StoreError::NotFound("version"))
}

/// A package's versions, the newest first, and how many there are.
pub async fn list_versions(
    connection: &mut Connection,
    package: PackageId,
    page: PageRequest,
) -> Result<(Vec<PackageVersion>, i64), StoreError> {
    let total = sqlx::query_scalar("SELECT count(*) FROM admiral.playbook_versions WHERE package_id = $1")
        .bind(package)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<VersionRow> = sqlx::query_as(&format!(
        "SELECT {VERSION_COLUMNS} FROM admiral.playbook_versions WHERE package_id = $1 \
         ORDER BY number DESC LIMIT $2 OFFSET $3"
    ))
    .bind(package)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((rows.into_iter().map(Into::into).collect(), total))
}

/// Notes that somebody accepted what was found in a version; the first one to do so is kept.
pub async fn mark_reviewed(connection: &mut Connection, id: VersionId, by: &Author) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE admiral.playbook_versions SET reviewed_at = now(), reviewed_by = $2, reviewed_by_name = $3 \
         WHERE id = $1 AND reviewed_at IS NULL",
    )
    .bind(id)
    .bind(by.id)
    .bind(&by.name)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether somebody accepted what was found in a version, or in one with the same files.
pub async fn is_reviewed(connection: &mut Connection, id: VersionId) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "SELECT bool_or(same.reviewed_at IS NOT NULL) FROM admiral.playbook_versions v \
         JOIN admiral.playbook_versions same ON same.package_id = v.package_id AND same.digest = v.digest \
         WHERE v.id = $1 GROUP BY v.id",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?
    .ok_or(StoreError::NotFound("version"))
}

#[derive(sqlx::FromRow)]
struct PackageRow {
    id: Uuid,
    origin: String,
    name: String,
    is_git: bool,
    entry_points: Vec<String>,
    current_version_id: Option<Uuid>,
    error: Option<String>,
    missing_since: Option<DateTime<Utc>>,
    created_by_name: String,
    created_at: DateTime<Utc>,
}

const SELECT_PACKAGE: &str = "SELECT p.id, p.origin, p.name, p.current_version_id, p.error, p.missing_since, p.created_by_name, \
     p.created_at, EXISTS (SELECT FROM admiral.git_projects g WHERE g.package_id = p.id) AS is_git, \
     ARRAY(SELECT e.entry_path FROM admiral.playbooks e WHERE e.package_id = p.id AND e.missing_since IS NULL \
           ORDER BY e.entry_path) AS entry_points \
     FROM admiral.packages p WHERE p.deleted_at IS NULL";

async fn with_version(connection: &mut Connection, row: PackageRow) -> Result<Package, StoreError> {
    let current_version = match row.current_version_id {
        Some(id) => Some(get_version(connection, id).await?),
        None => None,
    };
    let origin: PlaybookOrigin = row.origin.parse().map_err(|_| StoreError::Corrupt("packages.origin"))?;
    Ok(Package {
        id: row.id,
        origin,
        source: match origin {
            PlaybookOrigin::BuiltIn => PackageSource::BuiltIn,
            PlaybookOrigin::Custom => PackageSource::Upload,
            PlaybookOrigin::Project if row.is_git => PackageSource::Git,
            PlaybookOrigin::Project => PackageSource::Folder,
        },
        name: row.name,
        entry_points: row.entry_points,
        current_version,
        error: row.error,
        missing_since: row.missing_since,
        created_by_name: row.created_by_name,
        created_at: row.created_at,
    })
}

/// One package.
pub async fn get_package(connection: &mut Connection, id: PackageId) -> Result<Package, StoreError> {
    let row: Option<PackageRow> = sqlx::query_as(&format!("{SELECT_PACKAGE} AND p.id = $1"))
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
    with_version(connection, row.ok_or(StoreError::NotFound("package"))?).await
}

/// All packages, by origin and name, but those of Admiral's own (`.adhoc`).
pub async fn list_packages(connection: &mut Connection) -> Result<Vec<Package>, StoreError> {
    let rows: Vec<PackageRow> = sqlx::query_as(&format!(
        "{SELECT_PACKAGE} AND NOT starts_with(p.name, '.') ORDER BY p.origin, p.name"
    ))
    .fetch_all(&mut *connection)
    .await?;
    let mut packages = Vec::with_capacity(rows.len());
    for row in rows {
        packages.push(with_version(connection, row).await?);
    }
    Ok(packages)
}

#[derive(sqlx::FromRow)]
struct PackageFileRow {
    path: String,
    mode: i32,
    size: i64,
    digest: String,
}

/// The files of a version by path, without their content.
pub async fn list_files(connection: &mut Connection, version: VersionId) -> Result<Vec<PackageFile>, StoreError> {
    let rows: Vec<PackageFileRow> = sqlx::query_as(
        "SELECT m.path, m.mode, octet_length(f.content)::bigint AS size, m.digest FROM admiral.playbook_versions v, \
             jsonb_to_recordset(v.manifest) AS m (path text, mode integer, digest text) \
             JOIN admiral.playbook_files f ON f.digest = decode(m.digest, 'hex') \
         WHERE v.id = $1 ORDER BY m.path",
    )
    .bind(version)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PackageFile {
            path: row.path,
            mode: row.mode as u32,
            size: row.size,
            digest: row.digest,
        })
        .collect())
}

/// A version's manifest.
pub async fn get_manifest(connection: &mut Connection, version: VersionId) -> Result<Vec<ManifestEntry>, StoreError> {
    let manifest: Option<Json<Vec<ManifestEntry>>> =
        sqlx::query_scalar("SELECT manifest FROM admiral.playbook_versions WHERE id = $1")
            .bind(version)
            .fetch_optional(connection)
            .await?;
    manifest
        .map(|manifest| manifest.0)
        .ok_or(StoreError::NotFound("version"))
}

/// One file of a version; `None` when the version has no such file.
pub async fn read_file(
    connection: &mut Connection,
    version: VersionId,
    path: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT f.content FROM admiral.playbook_versions v, \
             jsonb_to_recordset(v.manifest) AS m (path text, mode integer, digest text) \
             JOIN admiral.playbook_files f ON f.digest = decode(m.digest, 'hex') \
         WHERE v.id = $1 AND m.path = $2",
    )
    .bind(version)
    .bind(path)
    .fetch_optional(connection)
    .await?)
}

/// The contents of these files by digest, those that are larger than `max_bytes` left out.
pub async fn read_contents(
    connection: &mut Connection,
    digests: &[&str],
    max_bytes: usize,
) -> Result<HashMap<String, Vec<u8>>, StoreError> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT wanted.digest, f.content FROM (SELECT DISTINCT digest FROM unnest($1::text[]) AS t (digest)) wanted \
         JOIN admiral.playbook_files f ON f.digest = decode(wanted.digest, 'hex') WHERE length(f.content) <= $2",
    )
    .bind(digests)
    .bind(i32::try_from(max_bytes).unwrap_or(i32::MAX))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
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
    let entries = entries.ok_or(StoreError::NotFound("version"))?;
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
