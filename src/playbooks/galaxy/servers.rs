//! Admiral's own Galaxy servers, as `ansible-galaxy` asks them.

use super::ServerAccess;
use crate::{
    store::{Connection, StoreError, galaxy_servers},
    vault::{RowIdentity, Vault, VaultError},
};

/// Why they cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token does not open.
    #[error("failed to open the token of the Galaxy server {name:?}")]
    Token {
        /// The server's.
        name: String,
        /// Why not.
        #[source]
        source: VaultError,
    },
}

/// All of them in their order, with their tokens opened.
pub async fn open_servers(connection: &mut Connection, vault: &Vault) -> Result<Vec<ServerAccess>, ServersError> {
    let sealed = galaxy_servers::list_sealed(connection).await?;
    let mut servers = Vec::with_capacity(sealed.len());
    for server in sealed {
        let row = RowIdentity::galaxy_token(server.id);
        let token = server
            .sealed_token
            .map(|token| vault.open_text(&token, row))
            .transpose();
        servers.push(ServerAccess {
            token: token.map_err(|source| ServersError::Token {
                name: server.name.clone(),
                source,
            })?,
            name: server.name,
            url: server.url,
            auth_url: server.auth_url,
        });
    }
    Ok(servers)
}
