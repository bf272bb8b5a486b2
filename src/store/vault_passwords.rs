//! Passwords of `ansible-vault`. The sealed part leaves this file in [`SealedVaultPassword`] only.

use super::{Connection, StoreError};
use crate::domain::{
    PackageId,
    vault_password::{PackageName, VaultPassword},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The sealed part of a password.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SealedVaultPassword {
    /// Identifies the password; the sealed part is bound to it.
    pub id: Uuid,
    /// The vault id that it opens.
    pub vault_id: String,
    /// Whether it is for one package only.
    pub of_package: bool,
    /// The password, sealed.
    pub sealed_password: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    vault_id: String,
    package_id: Option<Uuid>,
    package_name: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for VaultPassword {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            vault_id: row.vault_id,
            package: row
                .package_id
                .zip(row.package_name)
                .map(|(id, name)| PackageName { id, name }),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

const SELECT: &str = "SELECT v.id, v.vault_id, v.package_id, p.name AS package_name, v.created_at, v.updated_at \
     FROM admiral.vault_passwords v LEFT JOIN admiral.packages p ON p.id = v.package_id";

/// Stores a password; [`StoreError::Taken`] when there is one for this vault id and package.
pub async fn insert_vault_password(
    connection: &mut Connection,
    id: Uuid,
    vault_id: &str,
    package: Option<PackageId>,
    sealed: &[u8],
) -> Result<VaultPassword, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.vault_passwords (id, vault_id, package_id, sealed_password) VALUES ($1, $2, $3, $4)",
    )
    .bind(id)
    .bind(vault_id)
    .bind(package)
    .bind(sealed)
    .execute(&mut *connection)
    .await?;
    get_vault_password(connection, id).await
}

/// All passwords, by vault id; of one vault id the one for all packages first.
pub async fn list_vault_passwords(connection: &mut Connection) -> Result<Vec<VaultPassword>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(&format!(
        "{SELECT} ORDER BY v.vault_id, p.name NULLS FIRST, v.package_id"
    ))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(VaultPassword::from).collect())
}

/// One password.
pub async fn get_vault_password(connection: &mut Connection, id: Uuid) -> Result<VaultPassword, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE v.id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.ok_or(StoreError::NotFound("vault password"))?.into())
}

/// Puts another password in the place of this one.
pub async fn update_vault_password(
    connection: &mut Connection,
    id: Uuid,
    sealed: &[u8],
) -> Result<VaultPassword, StoreError> {
    let done = sqlx::query("UPDATE admiral.vault_passwords SET sealed_password = $2, updated_at = now() WHERE id = $1")
        .bind(id)
        .bind(sealed)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::NotFound("vault password"));
    }
    get_vault_password(connection, id).await
}

/// Forgets a password.
pub async fn delete_vault_password(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM admiral.vault_passwords WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("vault password"))
    }
}

/// The passwords that a package's runs may be given: its own, and those for all packages.
pub async fn list_sealed(
    connection: &mut Connection,
    package: PackageId,
) -> Result<Vec<SealedVaultPassword>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, vault_id, package_id IS NOT NULL AS of_package, sealed_password FROM admiral.vault_passwords \
         WHERE package_id = $1 OR package_id IS NULL ORDER BY vault_id, of_package DESC",
    )
    .bind(package)
    .fetch_all(connection)
    .await?)
}
