//! Settings that all processes share; a name without a row has its default.

use super::{Connection, StoreError};
use crate::domain::settings::Settings;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const RETENTION_DAYS: &str = "retention_days";
const MAX_RUNNING_RUNS: &str = "max_running_runs";

/// The settings as they stand. Names that this version does not know are left alone.
pub async fn get_settings(connection: &mut Connection) -> Result<Settings, StoreError> {
    let rows: Vec<(String, Value)> = sqlx::query_as("SELECT name, value FROM admiral.settings")
        .fetch_all(connection)
        .await?;
    let mut settings = Settings::default();
    for (name, value) in rows {
        match name.as_str() {
            RETENTION_DAYS => settings.retention_days = read(value, "settings.retention_days")?,
            MAX_RUNNING_RUNS => settings.max_running_runs = read(value, "settings.max_running_runs")?,
            _ => {}
        }
    }
    settings.validate().map_err(|_| StoreError::Corrupt("settings"))?;
    Ok(settings)
}

/// The settings as they stand, which nobody else changes before this transaction ends. Readers do not wait.
pub async fn lock_settings(connection: &mut Connection) -> Result<Settings, StoreError> {
    // Rows that are not there yet cannot be locked one by one.
    sqlx::query("LOCK TABLE admiral.settings IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *connection)
        .await?;
    get_settings(connection).await
}

/// Stores the settings; they must be valid. Call it in the transaction of [`lock_settings`].
pub async fn update_settings(connection: &mut Connection, settings: &Settings) -> Result<(), StoreError> {
    let names = [RETENTION_DAYS, MAX_RUNNING_RUNS];
    let values = [json!(settings.retention_days), json!(settings.max_running_runs)];
    sqlx::query(
        "INSERT INTO admiral.settings AS old (name, value) SELECT * FROM unnest($1::text[], $2::jsonb[]) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now() WHERE old.value <> excluded.value",
    )
    .bind(names.as_slice())
    .bind(values.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

fn read<T: DeserializeOwned>(value: Value, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|_| StoreError::Corrupt(what))
}
