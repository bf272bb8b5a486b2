//! What a run needs to reach its hosts, and what it learns about them.

use super::{Connection, StoreError};
use crate::domain::{DeploymentId, PrivateKeyId, ServerId, clock::new_id, server::Server};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

/// One host of a deployment whose server still exists.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTarget {
    /// The name in the inventory, frozen at launch.
    pub host: String,
    /// The server as it is now; its key and host keys are left out.
    pub server: Server,
    /// The key that SSH uses.
    pub private_key_id: Option<PrivateKeyId>,
}

/// A private key as stored.
#[derive(Debug, Clone, FromRow)]
pub struct TargetKey {
    /// Identifies the key.
    pub id: PrivateKeyId,
    /// Its name, for messages.
    pub name: String,
    /// The key, sealed.
    pub sealed_key: Vec<u8>,
    /// Its passphrase, sealed.
    pub sealed_passphrase: Option<Vec<u8>>,
}

/// A host key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TargetHostKey {
    /// The server.
    pub server_id: ServerId,
    /// The algorithm's SSH name.
    pub key_type: String,
    /// Key type and base64.
    pub public_key: String,
    /// `SHA256:` and base64.
    pub fingerprint: String,
}

#[derive(FromRow)]
struct TargetRow {
    host: String,
    id: Uuid,
    number: i64,
    hostname: String,
    name: String,
    ssh_host: String,
    ssh_port: i32,
    ssh_username: String,
    tags: Json<Vec<String>>,
    distro: Option<String>,
    architecture: Option<String>,
    status: String,
    metadata: Json<Map<String, Value>>,
    last_seen_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    private_key_id: Option<Uuid>,
}

impl TryFrom<TargetRow> for RunTarget {
    type Error = StoreError;

    fn try_from(row: TargetRow) -> Result<Self, StoreError> {
        Ok(Self {
            host: row.host,
            private_key_id: row.private_key_id,
            server: Server {
                id: row.id,
                number: row.number,
                hostname: row.hostname,
                name: row.name,
                ssh_host: row.ssh_host,
                ssh_port: row.ssh_port,
                ssh_username: row.ssh_username,
                tags: row.tags.0,
                distro: row.distro,
                architecture: row.architecture,
                status: row.status.parse().map_err(|_| StoreError::Corrupt("servers.status"))?,
                metadata: row.metadata.0,
                private_key: None,
                host_keys: Vec::new(),
                last_seen_at: row.last_seen_at,
                created_at: row.created_at,
                updated_at: row.updated_at,
            },
        })
    }
}

/// The hosts of a deployment whose servers still exist, by name.
pub async fn list_targets(
    connection: &mut Connection,
    deployment_id: DeploymentId,
) -> Result<Vec<RunTarget>, StoreError> {
    let rows: Vec<TargetRow> = sqlx::query_as(
        "SELECT d.host, s.id, s.number, s.hostname, s.name, s.ssh_host, s.ssh_port, s.ssh_username, s.tags, s.distro, \
                s.architecture, s.status, s.metadata, s.last_seen_at, s.created_at, s.updated_at, k.private_key_id \
         FROM admiral.deployment_servers d JOIN admiral.servers s ON s.id = d.server_id \
         LEFT JOIN admiral.server_private_keys k ON k.server_id = s.id AND k.is_primary \
         WHERE d.deployment_id = $1 ORDER BY d.host",
    )
    .bind(deployment_id)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The keys with these ids.
pub async fn list_keys(connection: &mut Connection, ids: &[PrivateKeyId]) -> Result<Vec<TargetKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, name, sealed_key, sealed_passphrase FROM admiral.private_keys WHERE id = ANY($1) ORDER BY id",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?)
}

/// The host keys that are trusted for these servers.
pub async fn list_host_keys(
    connection: &mut Connection,
    servers: &[ServerId],
) -> Result<Vec<TargetHostKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT server_id, key_type, public_key, fingerprint FROM admiral.host_keys WHERE server_id = ANY($1) \
         ORDER BY server_id, key_type",
    )
    .bind(servers)
    .fetch_all(connection)
    .await?)
}

/// Trusts host keys on first use: what is trusted already, and what belongs to no server any more, stays as it is.
pub async fn trust_host_keys(connection: &mut Connection, keys: &[TargetHostKey]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO admiral.host_keys (id, server_id, key_type, public_key, fingerprint) \
         SELECT k.* FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) \
             AS k (id, server_id, key_type, public_key, fingerprint) \
         WHERE EXISTS (SELECT FROM admiral.servers s WHERE s.id = k.server_id) \
         ON CONFLICT (server_id, key_type) DO NOTHING",
    )
    .bind(keys.iter().map(|_| new_id()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.server_id).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.key_type.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.public_key.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a run reached these hosts of a deployment just now.
pub async fn touch_last_seen(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    hosts: &[String],
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE admiral.servers s SET last_seen_at = now() FROM admiral.deployment_servers d \
         WHERE d.deployment_id = $1 AND d.host = ANY($2) AND s.id = d.server_id",
    )
    .bind(deployment_id)
    .bind(hosts)
    .execute(connection)
    .await?;
    Ok(())
}
