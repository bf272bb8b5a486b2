//! The servers behind a deployment's hosts.

use super::{Connection, StoreError, servers};
use crate::domain::{DeploymentId, PrivateKeyId, ServerId, server::Server};
use std::collections::HashMap;

/// One host of a deployment whose server still exists.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTarget {
    /// The name in the inventory, frozen at launch.
    pub host: String,
    /// The server as it is now.
    pub server: Server,
}

impl RunTarget {
    /// The key that SSH uses.
    pub fn private_key_id(&self) -> Option<PrivateKeyId> {
        self.server.private_key.as_ref().map(|key| key.id)
    }
}

/// The hosts of a deployment's slice whose servers still exist, by name.
pub async fn list_targets(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    slice: i32,
) -> Result<Vec<RunTarget>, StoreError> {
    let hosts: Vec<(String, ServerId)> = sqlx::query_as(
        "SELECT host, server_id FROM admiral.deployment_servers \
         WHERE deployment_id = $1 AND slice = $2 AND server_id IS NOT NULL ORDER BY host",
    )
    .bind(deployment_id)
    .bind(slice)
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<ServerId> = hosts.iter().map(|(_, id)| *id).collect();
    let servers = servers::get_servers_by_ids(connection, &ids).await?;
    let mut servers: HashMap<ServerId, Server> = servers.into_iter().map(|server| (server.id, server)).collect();
    let target = |(host, id)| servers.remove(&id).map(|server| RunTarget { host, server });
    Ok(hosts.into_iter().filter_map(target).collect())
}

/// Notes that a run reached these hosts of a deployment just now.
pub async fn touch_last_seen(
    connection: &mut Connection,
    deployment_id: DeploymentId,
    hosts: &[String],
) -> Result<(), StoreError> {
    let ids: Vec<ServerId> = sqlx::query_scalar(
        "SELECT server_id FROM admiral.deployment_servers \
         WHERE deployment_id = $1 AND host = ANY($2) AND server_id IS NOT NULL",
    )
    .bind(deployment_id)
    .bind(hosts)
    .fetch_all(&mut *connection)
    .await?;
    servers::touch_last_seen(connection, &ids).await
}
