//! Presets of playbooks. Secret variables leave this file sealed.

use super::{Connection, StoreError, word};
use crate::domain::{
    PresetId,
    deployment::{DeploymentOptions, Launcher},
    playbook::{PlaybookId, PlaybookOrigin},
    variable_set::Preset,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

/// A preset as it is stored.
#[derive(Debug)]
pub struct StoredPreset<'a> {
    /// Identifies it; the sealed part is bound to it.
    pub id: PresetId,
    /// Unique among the playbook's presets.
    pub name: &'a str,
    /// For people.
    pub description: Option<&'a str>,
    /// Its variables.
    pub variables: &'a Map<String, Value>,
    /// Names of the secret ones.
    pub secret_variable_names: &'a [String],
    /// The secret ones, sealed.
    pub sealed_variables: Option<&'a [u8]>,
    /// Options of `ansible-playbook`.
    pub options: &'a DeploymentOptions,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    origin: String,
    path: String,
    name: String,
    description: Option<String>,
    variables: Json<Map<String, Value>>,
    secret_variable_names: Vec<String>,
    options: Json<DeploymentOptions>,
    created_by_name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    sealed_variables: Option<Vec<u8>>,
}

impl TryFrom<Row> for (Preset, Option<Vec<u8>>) {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let origin: PlaybookOrigin = word(&row.origin, "playbooks.origin")?;
        let playbook = PlaybookId::new(origin, row.path).map_err(|_| StoreError::Corrupt("playbooks.path"))?;
        let preset = Preset {
            id: row.id,
            playbook: playbook.to_string(),
            name: row.name,
            description: row.description,
            variables: row.variables.0,
            secret_variables: row.secret_variable_names,
            options: row.options.0,
            created_by_name: row.created_by_name,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok((preset, row.sealed_variables))
    }
}

const SELECT: &str =
    "SELECT p.*, e.origin, e.path FROM admiral.presets p JOIN admiral.playbooks e ON e.id = p.playbook_id";

/// A playbook's presets by name; those of all playbooks when none is named.
pub async fn list_presets(
    connection: &mut Connection,
    playbook: Option<&PlaybookId>,
) -> Result<Vec<Preset>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(&format!(
        "{SELECT} WHERE $1::text IS NULL OR (e.origin = $1 AND e.path = $2) ORDER BY e.origin, e.path, p.name, p.id"
    ))
    .bind(playbook.map(|playbook| playbook.origin().as_str()))
    .bind(playbook.map(PlaybookId::path))
    .fetch_all(connection)
    .await?;
    let presets = rows
        .into_iter()
        .map(|row| <(Preset, _)>::try_from(row).map(|pair| pair.0));
    presets.collect()
}

/// One preset, with its sealed variables.
pub async fn get_preset(connection: &mut Connection, id: PresetId) -> Result<(Preset, Option<Vec<u8>>), StoreError> {
    select(connection, id, "").await
}

/// The same, kept from changing until the transaction ends.
pub async fn lock_preset(connection: &mut Connection, id: PresetId) -> Result<(Preset, Option<Vec<u8>>), StoreError> {
    select(connection, id, "FOR UPDATE OF p").await
}

async fn select(
    connection: &mut Connection,
    id: PresetId,
    lock: &str,
) -> Result<(Preset, Option<Vec<u8>>), StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE p.id = $1 {lock}"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("preset"))?.try_into()
}

/// Stores a preset of a playbook.
pub async fn insert_preset(
    connection: &mut Connection,
    playbook: &PlaybookId,
    new: &StoredPreset<'_>,
    by: &Launcher,
) -> Result<Preset, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO admiral.presets (id, playbook_id, name, description, variables, secret_variable_names, sealed_variables, \
             options, created_by, created_by_name) \
         SELECT $1, e.id, $4, $5, $6, $7, $8, $9, $10, $11 FROM admiral.playbooks e WHERE e.origin = $2 AND e.path = $3",
    )
    .bind(new.id)
    .bind(playbook.origin().as_str())
    .bind(playbook.path())
    .bind(new.name)
    .bind(new.description)
    .bind(Json(new.variables))
    .bind(new.secret_variable_names)
    .bind(new.sealed_variables)
    .bind(Json(new.options))
    .bind(by.id)
    .bind(&by.username)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() != 1 {
        return Err(StoreError::NotFound("playbook"));
    }
    Ok(get_preset(connection, new.id).await?.0)
}

/// Changes a preset.
pub async fn update_preset(connection: &mut Connection, new: &StoredPreset<'_>) -> Result<Preset, StoreError> {
    sqlx::query(
        "UPDATE admiral.presets SET name = $2, description = $3, variables = $4, secret_variable_names = $5, \
             sealed_variables = $6, options = $7, updated_at = now() \
         WHERE id = $1",
    )
    .bind(new.id)
    .bind(new.name)
    .bind(new.description)
    .bind(Json(new.variables))
    .bind(new.secret_variable_names)
    .bind(new.sealed_variables)
    .bind(Json(new.options))
    .execute(&mut *connection)
    .await?;
    Ok(get_preset(connection, new.id).await?.0)
}

/// Deletes a preset; deployments keep its name.
pub async fn delete_preset(connection: &mut Connection, id: PresetId) -> Result<(), StoreError> {
    let deleted = sqlx::query("DELETE FROM admiral.presets WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if deleted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("preset"))
    }
}
