//! Environments: variables under a name. Secret ones leave this file sealed.

use super::{Connection, StoreError};
use crate::domain::{EnvironmentId, variable_set::Environment};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

/// An environment as it is stored.
#[derive(Debug)]
pub struct StoredEnvironment<'a> {
    /// Identifies it; the sealed part is bound to it.
    pub id: EnvironmentId,
    /// Unique.
    pub name: &'a str,
    /// For people.
    pub description: Option<&'a str>,
    /// Its variables.
    pub variables: &'a Map<String, Value>,
    /// Names of the secret ones.
    pub secret_variable_names: &'a [String],
    /// The secret ones, sealed.
    pub sealed_variables: Option<&'a [u8]>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    description: Option<String>,
    variables: Json<Map<String, Value>>,
    secret_variable_names: Vec<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    sealed_variables: Option<Vec<u8>>,
}

impl From<Row> for (Environment, Option<Vec<u8>>) {
    fn from(row: Row) -> Self {
        let environment = Environment {
            id: row.id,
            name: row.name,
            description: row.description,
            variables: row.variables.0,
            secret_variables: row.secret_variable_names,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        (environment, row.sealed_variables)
    }
}

/// All of them, by name.
pub async fn list_environments(connection: &mut Connection) -> Result<Vec<Environment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM admiral.environments ORDER BY name, id")
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| <(Environment, _)>::from(row).0).collect())
}

/// One of them, with its sealed variables.
pub async fn get_environment(
    connection: &mut Connection,
    id: EnvironmentId,
) -> Result<(Environment, Option<Vec<u8>>), StoreError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM admiral.environments WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.map(Into::into).ok_or(StoreError::NotFound("environment"))
}

/// The same, kept from changing until the transaction ends.
pub async fn lock_environment(
    connection: &mut Connection,
    id: EnvironmentId,
) -> Result<(Environment, Option<Vec<u8>>), StoreError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM admiral.environments WHERE id = $1 FOR UPDATE")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.map(Into::into).ok_or(StoreError::NotFound("environment"))
}

/// Stores an environment.
pub async fn insert_environment(
    connection: &mut Connection,
    new: &StoredEnvironment<'_>,
) -> Result<Environment, StoreError> {
    write(
        connection,
        "INSERT INTO admiral.environments (id, name, description, variables, secret_variable_names, sealed_variables) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
        new,
    )
    .await
}

/// Changes an environment.
pub async fn update_environment(
    connection: &mut Connection,
    new: &StoredEnvironment<'_>,
) -> Result<Environment, StoreError> {
    write(
        connection,
        "UPDATE admiral.environments SET name = $2, description = $3, variables = $4, secret_variable_names = $5, \
             sealed_variables = $6, updated_at = now() \
         WHERE id = $1 RETURNING *",
        new,
    )
    .await
}

async fn write(
    connection: &mut Connection,
    statement: &str,
    new: &StoredEnvironment<'_>,
) -> Result<Environment, StoreError> {
    let row: Option<Row> = sqlx::query_as(statement)
        .bind(new.id)
        .bind(new.name)
        .bind(new.description)
        .bind(Json(new.variables))
        .bind(new.secret_variable_names)
        .bind(new.sealed_variables)
        .fetch_optional(connection)
        .await?;
    row.map(|row| <(Environment, _)>::from(row).0)
        .ok_or(StoreError::NotFound("environment"))
}

/// Deletes an environment; deployments keep its name.
pub async fn delete_environment(connection: &mut Connection, id: EnvironmentId) -> Result<(), StoreError> {
    let deleted = sqlx::query("DELETE FROM admiral.environments WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if deleted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("environment"))
    }
}
