//! Servers that roles and collections are fetched from. The sealed token leaves this file in [`SealedGalaxyServer`] only.

use super::{Connection, StoreError};
use crate::domain::galaxy_server::GalaxyServer;
use uuid::Uuid;

/// A server with its token.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SealedGalaxyServer {
    /// Identifies the server; the token is bound to it.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Where it gets tokens from.
    pub auth_url: Option<String>,
    /// The token, sealed.
    pub sealed_token: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    url: String,
    auth_url: Option<String>,
    has_token: bool,
    position: i32,
}

impl From<Row> for GalaxyServer {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            url: row.url,
            auth_url: row.auth_url,
            has_token: row.has_token,
            position: row.position,
        }
    }
}

const SELECT: &str =
    "SELECT id, name, url, auth_url, sealed_token IS NOT NULL AS has_token, position FROM admiral.galaxy_servers";

/// Stores a server; [`StoreError::Taken`] when its name is.
pub async fn insert_galaxy_server(
    connection: &mut Connection,
    server: &GalaxyServer,
    sealed_token: Option<&[u8]>,
) -> Result<GalaxyServer, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.galaxy_servers (id, name, url, auth_url, sealed_token, position) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(server.id)
    .bind(&server.name)
    .bind(&server.url)
    .bind(&server.auth_url)
    .bind(sealed_token)
    .bind(server.position)
    .execute(&mut *connection)
    .await?;
    get_galaxy_server(connection, server.id).await
}

/// All servers in the order in which they are asked.
pub async fn list_galaxy_servers(connection: &mut Connection) -> Result<Vec<GalaxyServer>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(&format!("{SELECT} ORDER BY position, name"))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(GalaxyServer::from).collect())
}

/// One server.
pub async fn get_galaxy_server(connection: &mut Connection, id: Uuid) -> Result<GalaxyServer, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.ok_or(StoreError::NotFound("Galaxy server"))?.into())
}

/// Stores a server as it is now. `token`: `None` leaves it, `Some(None)` takes it away.
pub async fn update_galaxy_server(
    connection: &mut Connection,
    server: &GalaxyServer,
    token: Option<Option<&[u8]>>,
) -> Result<GalaxyServer, StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.galaxy_servers SET name = $2, url = $3, auth_url = $4, position = $5, \
             sealed_token = CASE WHEN $6 THEN $7 ELSE sealed_token END WHERE id = $1",
    )
    .bind(server.id)
    .bind(&server.name)
    .bind(&server.url)
    .bind(&server.auth_url)
    .bind(server.position)
    .bind(token.is_some())
    .bind(token.flatten())
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::NotFound("Galaxy server"));
    }
    get_galaxy_server(connection, server.id).await
}

/// Forgets a server.
pub async fn delete_galaxy_server(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM admiral.galaxy_servers WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("Galaxy server"))
    }
}

/// All servers with their tokens, in the order in which they are asked.
pub async fn list_sealed(connection: &mut Connection) -> Result<Vec<SealedGalaxyServer>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, name, url, auth_url, sealed_token FROM admiral.galaxy_servers ORDER BY position, name",
    )
    .fetch_all(connection)
    .await?)
}
