//! A server as Ansible sees it.

use crate::domain::server::Server;
use serde_json::{Map, Value};
use uuid::Uuid;

/// One host of an inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryHost {
    /// The name in the inventory.
    pub hostname: String,
    /// A name for people.
    pub name: String,
    /// Address or DNS name.
    pub ssh_host: String,
    /// 1 to 65535.
    pub ssh_port: i32,
    /// The user SSH signs in as.
    pub ssh_username: String,
    /// The path of a file with the private key; without it SSH uses what it finds.
    pub private_key_file: Option<String>,
    /// The server's number.
    pub server_id: i64,
    /// The server's identifier.
    pub server_uuid: Uuid,
    /// Free labels.
    pub tags: Vec<String>,
    /// Such as `Ubuntu 22.04`.
    pub distro: Option<String>,
    /// Such as `x86_64`.
    pub architecture: Option<String>,
    /// Host variables.
    pub metadata: Map<String, Value>,
}

impl From<(&Server, Option<String>)> for InventoryHost {
    fn from((server, private_key_file): (&Server, Option<String>)) -> Self {
        Self {
            hostname: server.hostname.clone(),
            name: server.name.clone(),
            ssh_host: server.ssh_host.clone(),
            ssh_port: server.ssh_port,
            ssh_username: server.ssh_username.clone(),
            private_key_file,
            server_id: server.number,
            server_uuid: server.id,
            tags: server.tags.clone(),
            distro: server.distro.clone(),
            architecture: server.architecture.clone(),
            metadata: server.metadata.clone(),
        }
    }
}
