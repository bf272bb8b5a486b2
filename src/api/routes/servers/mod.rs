//! Servers, their trusted host keys, and the tags in use.

mod create_server;
mod delete_server;
mod forget_host_keys;
mod get_server;
mod import_servers;
mod list_server_tags;
mod list_servers;
mod update_server;

pub use import_servers::{ImportAction, ImportKey, ImportReport, ImportServers, ImportedKey, ImportedServer};

use crate::{
    api::{AppState, problem::Problem},
    domain::validation::Invalid,
    inventory::validation::ServerInput,
    store::{Connection, StoreError, keys, servers::ServerValues},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// `/api/servers`, `/api/server-tags`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_servers::list_servers, create_server::create_server))
        .routes(routes!(
            get_server::get_server,
            update_server::update_server,
            delete_server::delete_server
        ))
        .routes(routes!(forget_host_keys::forget_host_keys))
        .routes(routes!(list_server_tags::list_server_tags))
        .merge(import_servers::router())
}

/// What is stored of a server that was checked; a server without a name is named after its host.
async fn checked(
    connection: &mut Connection,
    input: ServerInput,
    private_key_id: Option<Uuid>,
) -> Result<ServerValues, Problem> {
    let mut wrong = input.validate().err().map(|invalid| invalid.errors).unwrap_or_default();
    if let Some(id) = private_key_id {
        match keys::get_key(connection, id).await {
            Ok(_) => {}
            Err(StoreError::NotFound(_)) => {
                wrong.extend(Invalid::field("private_key_id", "names no key").errors);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !wrong.is_empty() {
        return Err(Invalid { errors: wrong }.into());
    }
    Ok(values(input, private_key_id))
}

fn values(input: ServerInput, private_key_id: Option<Uuid>) -> ServerValues {
    ServerValues {
        name: input.name.unwrap_or_else(|| input.hostname.clone()),
        hostname: input.hostname,
        ssh_host: input.ssh_host,
        ssh_port: input.ssh_port,
        ssh_username: input.ssh_username,
        tags: input.tags,
        distro: input.distro,
        architecture: input.architecture,
        status: input.status,
        metadata: input.metadata,
        private_key_id,
    }
}
