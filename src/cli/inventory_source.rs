//! The source of servers and keys for `admiral inventory`: the local database or a running server.

use super::{
    client::Client,
    failure::UsageError,
    instance::{Instance, Needs},
    inventory::{self, InventoryArgs, Loaded},
    options::GlobalOptions,
};
use crate::{
    domain::server::Server,
    store::{host_keys, keys, servers},
};
use anyhow::Context as _;

/// Answers Ansible on stdout.
pub async fn run(global: &GlobalOptions, arguments: InventoryArgs) -> anyhow::Result<()> {
    // It is printed when it is complete: Ansible must not read half an inventory.
    let mut answer = Vec::new();
    if global.server.is_some() {
        answer_from_server(global, &arguments, &mut answer).await?;
    } else {
        let needs = Needs {
            connections: 2,
            ..Needs::default()
        };
        let instance = Instance::open(global, needs).await?;
        let result = answer_locally(&instance, arguments, &mut answer).await;
        instance.close().await?;
        result?;
    }
    Ok(super::output::bytes(&answer)?)
}

/// There are no key files: a server never hands out a private key.
async fn answer_from_server(
    global: &GlobalOptions,
    arguments: &InventoryArgs,
    answer: &mut Vec<u8>,
) -> anyhow::Result<()> {
    if arguments.with_keys {
        return Err(UsageError(
            "--with-keys cannot be used with --server or ADMIRAL_SERVER: a server hands no private key out; \
             use it on the server's own machine, or deploy through the server"
                .to_owned(),
        )
        .into());
    }
    let client = Client::connect(global).await?;
    let rows = client.list("/api/servers", &[]).await;
    client.close().await?;
    let servers: Vec<Server> = rows?
        .into_iter()
        .map(serde_json::from_value)
        .collect::<Result<_, _>>()
        .context("the server's answer is not a list of servers; does the server have another version?")?;
    inventory::run_without_keys(arguments, servers, answer)
}

async fn answer_locally(instance: &Instance, arguments: InventoryArgs, answer: &mut Vec<u8>) -> anyhow::Result<()> {
    let binary = std::env::current_exe().context("failed to find this program's own file")?;
    let database = &instance.state.database;
    inventory::run(
        arguments,
        &binary,
        async || Ok(servers::list_all_servers(&mut *database.acquire().await?).await?),
        async |keys, servers| {
            let mut connection = database.acquire().await?;
            Ok(Loaded {
                keys: keys::get_sealed_keys(&mut connection, &keys).await?,
                host_keys: host_keys::list_for_servers(&mut connection, &servers).await?,
                vault: instance.state.vault.clone(),
            })
        },
        answer,
    )
    .await
}
