//! Servers, each with the key it uses and the host keys we trust: always in one query.

use super::{Connection, StoreError, word};
use crate::domain::{
    page::PageRequest,
    server::{HostKey, KeyReference, Server, ServerStatus},
    text_enum::text_enum,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

text_enum! {
    /// The order of a list of servers; `-` turns it round.
    ServerSort {
        /// By name in Ansible's inventory.
        Hostname = "hostname",
        /// By name in Ansible's inventory, last first.
        HostnameDescending = "-hostname",
        /// By name for people.
        Name = "name",
        /// By name for people, last first.
        NameDescending = "-name",
        /// Oldest first.
        CreatedAt = "created_at",
        /// Newest first.
        CreatedAtDescending = "-created_at",
    }
}

impl ServerSort {
    const fn sql(self) -> &'static str {
        match self {
            Self::Hostname => "s.hostname",
            Self::HostnameDescending => "s.hostname DESC",
            Self::Name => "s.name, s.hostname",
            Self::NameDescending => "s.name DESC, s.hostname DESC",
            Self::CreatedAt => "s.created_at, s.id",
            Self::CreatedAtDescending => "s.created_at DESC, s.id DESC",
        }
    }
}

/// Which servers are wanted; `None` and empty mean any.
#[derive(Debug, Clone, Default)]
pub struct ServerListFilter {
    /// Part of the hostname, name, address, distro or a tag.
    pub search: Option<String>,
    /// All of these.
    pub tags: Vec<String>,
    /// Exactly this status.
    pub status: Option<ServerStatus>,
    /// Exactly this distro.
    pub distro: Option<String>,
    /// By hostname when not said.
    pub sort: Option<ServerSort>,
}

/// Everything of a server that people set.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerValues {
    /// The name in Ansible's inventory; unique.
    pub hostname: String,
    /// A name for people.
    pub name: String,
    /// Address or DNS name.
    pub ssh_host: String,
    /// 1 to 65535.
    pub ssh_port: i32,
    /// The user SSH signs in as.
    pub ssh_username: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// Such as `Ubuntu 22.04`.
    pub distro: Option<String>,
    /// Such as `x86_64`.
    pub architecture: Option<String>,
    /// Whether deployments may target it.
    pub status: ServerStatus,
    /// Host variables.
    pub metadata: Map<String, Value>,
    /// The key SSH uses.
    pub private_key_id: Option<Uuid>,
}

/// A tag and how many servers have it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// How many servers have it.
    pub servers: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
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
    key_id: Option<Uuid>,
    key_name: Option<String>,
    key_fingerprint: Option<String>,
    host_keys: Json<Vec<HostKey>>,
}

impl TryFrom<Row> for Server {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let private_key = match (row.key_id, row.key_name, row.key_fingerprint) {
            (Some(id), Some(name), Some(fingerprint)) => Some(KeyReference { id, name, fingerprint }),
            _ => None,
        };
        Ok(Self {
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
            status: word(&row.status, "servers.status")?,
            metadata: row.metadata.0,
            private_key,
            host_keys: row.host_keys.0,
            last_seen_at: row.last_seen_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

const SELECT: &str = "SELECT s.*, k.id AS key_id, k.name AS key_name, k.fingerprint AS key_fingerprint, h.host_keys
   FROM admiral.servers s
   LEFT JOIN admiral.server_private_keys sk ON sk.server_id = s.id AND sk.is_primary
   LEFT JOIN admiral.private_keys k ON k.id = sk.private_key_id
   CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(json_build_object('id', hk.id, 'key_type', hk.key_type, 'fingerprint', hk.fingerprint,
                                                   'first_seen_at', hk.first_seen_at) ORDER BY hk.key_type), '[]') AS host_keys
          FROM admiral.host_keys hk WHERE hk.server_id = s.id) h";

fn servers(rows: Vec<Row>) -> Result<Vec<Server>, StoreError> {
    rows.into_iter().map(Server::try_from).collect()
}

/// One page of the servers, and how many there are.
pub async fn list_servers(
    connection: &mut Connection,
    filter: &ServerListFilter,
    page: PageRequest,
) -> Result<(Vec<Server>, i64), StoreError> {
    const WHERE: &str = "WHERE ($1::text IS NULL OR
            strpos(lower(concat_ws(' ', s.hostname, s.name, s.ssh_host, s.distro, s.tags::text)), lower($1)) > 0)
        AND ($2::jsonb IS NULL OR s.tags @> $2)
        AND ($3::text IS NULL OR s.status = $3)
        AND ($4::text IS NULL OR s.distro = $4)";
    let tags = (!filter.tags.is_empty()).then_some(Json(&filter.tags));
    let status = filter.status.map(ServerStatus::as_str);
    let (total,): (i64,) = sqlx::query_as(&format!("SELECT count(*) FROM admiral.servers s {WHERE}"))
        .bind(&filter.search)
        .bind(tags)
        .bind(status)
        .bind(&filter.distro)
        .fetch_one(&mut *connection)
        .await?;
    let order = filter.sort.unwrap_or(ServerSort::Hostname).sql();
    let rows: Vec<Row> = sqlx::query_as(&format!("{SELECT} {WHERE} ORDER BY {order} LIMIT $5 OFFSET $6"))
        .bind(&filter.search)
        .bind(tags)
        .bind(status)
        .bind(&filter.distro)
        .bind(page.per_page)
        .bind(page.offset())
        .fetch_all(connection)
        .await?;
    Ok((servers(rows)?, total))
}

/// All servers by hostname, inactive ones too.
pub async fn list_all_servers(connection: &mut Connection) -> Result<Vec<Server>, StoreError> {
    servers(
        sqlx::query_as(&format!("{SELECT} ORDER BY s.hostname"))
            .fetch_all(connection)
            .await?,
    )
}

/// The active servers that have all of `tags`, by hostname.
pub async fn list_servers_with_tags(connection: &mut Connection, tags: &[String]) -> Result<Vec<Server>, StoreError> {
    let rows = sqlx::query_as(&format!(
        "{SELECT} WHERE s.tags @> $1 AND s.status = 'active' ORDER BY s.hostname"
    ))
    .bind(Json(tags))
    .fetch_all(connection)
    .await?;
    servers(rows)
}

/// Those of these servers that exist, by hostname.
pub async fn get_servers_by_ids(connection: &mut Connection, ids: &[Uuid]) -> Result<Vec<Server>, StoreError> {
    let rows = sqlx::query_as(&format!("{SELECT} WHERE s.id = ANY($1) ORDER BY s.hostname"))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    servers(rows)
}

/// Those of these names that are hostnames.
pub async fn find_hostnames(connection: &mut Connection, names: &[String]) -> Result<Vec<String>, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT hostname FROM admiral.servers WHERE hostname = ANY ($1)")
            .bind(names)
            .fetch_all(connection)
            .await?,
    )
}

/// One server.
pub async fn get_server(connection: &mut Connection, id: Uuid) -> Result<Server, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE s.id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("server"))?.try_into()
}

/// One server, kept from changing until the transaction ends.
pub async fn lock_server(connection: &mut Connection, id: Uuid) -> Result<Server, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE s.id = $1 FOR UPDATE OF s"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("server"))?.try_into()
}

/// Adds a server. Call it in a transaction: it writes two tables.
pub async fn insert_server(connection: &mut Connection, id: Uuid, values: &ServerValues) -> Result<Server, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.servers
            (id, hostname, name, ssh_host, ssh_port, ssh_username, tags, distro, architecture, status, metadata)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(&values.hostname)
    .bind(&values.name)
    .bind(&values.ssh_host)
    .bind(values.ssh_port)
    .bind(&values.ssh_username)
    .bind(Json(&values.tags))
    .bind(&values.distro)
    .bind(&values.architecture)
    .bind(values.status.as_str())
    .bind(Json(&values.metadata))
    .execute(&mut *connection)
    .await?;
    set_primary_key(connection, id, values.private_key_id).await?;
    get_server(connection, id).await
}

/// Replaces everything that people set. Call it in a transaction: it writes two tables.
pub async fn update_server(connection: &mut Connection, id: Uuid, values: &ServerValues) -> Result<Server, StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.servers
            SET hostname = $2, name = $3, ssh_host = $4, ssh_port = $5, ssh_username = $6, tags = $7, distro = $8,
                architecture = $9, status = $10, metadata = $11, updated_at = now()
          WHERE id = $1",
    )
    .bind(id)
    .bind(&values.hostname)
    .bind(&values.name)
    .bind(&values.ssh_host)
    .bind(values.ssh_port)
    .bind(&values.ssh_username)
    .bind(Json(&values.tags))
    .bind(&values.distro)
    .bind(&values.architecture)
    .bind(values.status.as_str())
    .bind(Json(&values.metadata))
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::NotFound("server"));
    }
    set_primary_key(connection, id, values.private_key_id).await?;
    get_server(connection, id).await
}

async fn set_primary_key(connection: &mut Connection, id: Uuid, key: Option<Uuid>) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM admiral.server_private_keys WHERE server_id = $1 AND private_key_id IS DISTINCT FROM $2")
        .bind(id)
        .bind(key)
        .execute(&mut *connection)
        .await?;
    if let Some(key) = key {
        sqlx::query(
            "INSERT INTO admiral.server_private_keys (server_id, private_key_id, is_primary) VALUES ($1, $2, true)
             ON CONFLICT (server_id, private_key_id) DO UPDATE SET is_primary = true",
        )
        .bind(id)
        .bind(key)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Deletes a server with the host keys it had.
pub async fn delete_server(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM admiral.servers WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("server"))
    }
}

/// Notes that a run has just reached these servers.
pub async fn touch_last_seen(connection: &mut Connection, ids: &[Uuid]) -> Result<(), StoreError> {
    // In one order everywhere, so that two batches cannot wait for each other.
    sqlx::query(
        "WITH reached AS (SELECT id FROM admiral.servers WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)
         UPDATE admiral.servers s SET last_seen_at = now() FROM reached WHERE s.id = reached.id",
    )
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Every tag in use, and how many servers have it.
pub async fn count_tags(connection: &mut Connection) -> Result<Vec<TagCount>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT t.tag, count(*) AS servers
           FROM admiral.servers s CROSS JOIN LATERAL jsonb_array_elements_text(s.tags) AS t (tag)
          GROUP BY t.tag ORDER BY t.tag",
    )
    .fetch_all(connection)
    .await?)
}
