//! Playbooks: the entry points of packages, as the library lists them.

use super::{Connection, StoreError};
use crate::domain::{
    PackageId,
    clock::new_id,
    playbook::{Outline, PastDeployment, Playbook, PlaybookId, PlaybookOrigin, PlaybookRecord},
};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

/// Which playbooks are wanted.
#[derive(Debug, Clone, Default)]
pub struct PlaybookListFilter {
    /// Part of the id, the name, the description or the category.
    pub search: Option<String>,
    /// Only this origin's.
    pub origin: Option<PlaybookOrigin>,
}

/// Says which playbooks a package has now; others that it had are missing from now on. `entries` are paths within the package
/// and what their texts tell. A playbook of a git project stays that project's, whatever lies at its place in a folder.
pub async fn set_entry_points(
    connection: &mut Connection,
    origin: PlaybookOrigin,
    package: PackageId,
    package_name: &str,
    entries: &[(String, Outline)],
) -> Result<(), StoreError> {
    for (entry_path, outline) in entries {
        let path = if package_name.is_empty() {
            entry_path.clone()
        } else {
            format!("{package_name}/{entry_path}")
        };
        sqlx::query(
            "INSERT INTO admiral.playbooks (id, origin, path, package_id, entry_path, outline) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (origin, path) DO UPDATE SET package_id = $4, entry_path = $5, outline = $6, missing_since = NULL \
             WHERE playbooks.package_id = $4 OR NOT EXISTS ( \
                 SELECT FROM admiral.git_projects g JOIN admiral.packages p ON p.id = g.package_id \
                 WHERE g.package_id = playbooks.package_id AND p.deleted_at IS NULL)",
        )
        .bind(new_id())
        .bind(origin.as_str())
        .bind(path)
        .bind(package)
        .bind(entry_path)
        .bind(Json(outline))
        .execute(&mut *connection)
        .await?;
    }
    let present: Vec<&str> = entries.iter().map(|(path, _)| path.as_str()).collect();
    sqlx::query(
        "UPDATE admiral.playbooks SET missing_since = now() \
         WHERE package_id = $1 AND missing_since IS NULL AND entry_path <> ALL ($2)",
    )
    .bind(package)
    .bind(present)
    .execute(connection)
    .await?;
    Ok(())
}

/// Paths of playbooks that a package once had and has no longer.
pub async fn list_missing_entry_points(
    connection: &mut Connection,
    package: PackageId,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT entry_path FROM admiral.playbooks WHERE package_id = $1 AND missing_since IS NOT NULL",
    )
    .bind(package)
    .fetch_all(connection)
    .await?)
}

#[derive(sqlx::FromRow)]
struct PlaybookRow {
    origin: String,
    path: String,
    package_id: Uuid,
    package_name: String,
    entry_path: String,
    outline: Json<Outline>,
    version: Option<Uuid>,
    version_number: Option<i32>,
    updated_at: Option<DateTime<Utc>>,
    missing_since: Option<DateTime<Utc>>,
    package_error: Option<String>,
    ended: i64,
    completed: i64,
    latest: Json<Vec<PastDeployment>>,
}

const SELECT: &str = "SELECT e.origin, e.path, e.package_id, p.name AS package_name, e.entry_path, e.outline, v.id AS version, \
         v.number AS version_number, v.created_at AS updated_at, e.missing_since, p.error AS package_error, \
         r.ended, r.completed, r.latest \
     FROM admiral.playbooks e JOIN admiral.packages p ON p.id = e.package_id \
     LEFT JOIN admiral.playbook_versions v ON v.id = p.current_version_id \
     CROSS JOIN LATERAL ( \
         SELECT count(*) FILTER (WHERE d.status IN ('completed', 'failed')) AS ended, \
                count(*) FILTER (WHERE d.status = 'completed') AS completed, \
                coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'number', d.number, 'status', d.status, 'created_at', d.created_at) \
                                   ORDER BY d.number DESC) FILTER (WHERE d.place <= 5), '[]') AS latest \
         FROM (SELECT id, number, status, created_at, row_number() OVER (ORDER BY number DESC) AS place \
               FROM admiral.deployments WHERE kind = 'playbook' \
                 AND playbook = CASE e.origin WHEN 'built_in' THEN 'builtin' ELSE e.origin END || '/' || e.path) d) r \
     WHERE p.deleted_at IS NULL";

impl TryFrom<PlaybookRow> for Playbook {
    type Error = StoreError;

    fn try_from(row: PlaybookRow) -> Result<Self, StoreError> {
        let origin: PlaybookOrigin = row
            .origin
            .parse()
            .map_err(|_| StoreError::Corrupt("playbooks.origin"))?;
        let id = PlaybookId::new(origin, row.path.clone()).map_err(|_| StoreError::Corrupt("playbooks.path"))?;
        let mut outline = row.outline.0;
        outline.error = row.package_error.or(outline.error);
        Ok(Self {
            id: id.to_string(),
            origin,
            path: row.path,
            package_id: row.package_id,
            package_name: row.package_name,
            entry_path: row.entry_path,
            outline,
            version: row.version,
            version_number: row.version_number,
            updated_at: row.updated_at,
            missing_since: row.missing_since,
            record: PlaybookRecord {
                ended: row.ended,
                completed: row.completed,
                latest: row.latest.0,
            },
        })
    }
}

/// The library: built-in first, then custom, then projects, each by path.
pub async fn list_playbooks(
    connection: &mut Connection,
    filter: &PlaybookListFilter,
) -> Result<Vec<Playbook>, StoreError> {
    let rows: Vec<PlaybookRow> = sqlx::query_as(&format!(
        "{SELECT} AND ($1::text IS NULL OR e.origin = $1) \
           AND ($2::text IS NULL OR strpos(lower(concat_ws(' ', CASE e.origin WHEN 'built_in' THEN 'builtin' ELSE e.origin END \
               || '/' || e.path, e.outline ->> 'name', e.outline ->> 'description', e.outline ->> 'category')), lower($2)) > 0) \
         ORDER BY e.origin COLLATE \"C\", e.path COLLATE \"C\""
    ))
    .bind(filter.origin.map(PlaybookOrigin::as_str))
    .bind(filter.search.as_deref().filter(|text| !text.is_empty()))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// One playbook, also one that is missing.
pub async fn get_playbook(connection: &mut Connection, id: &PlaybookId) -> Result<Playbook, StoreError> {
    let row: Option<PlaybookRow> = sqlx::query_as(&format!("{SELECT} AND e.origin = $1 AND e.path = $2"))
        .bind(id.origin().as_str())
        .bind(id.path())
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("playbook"))?.try_into()
}
