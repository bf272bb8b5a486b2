//! Where `admiral inventory` takes servers and keys from: the local database.

use super::{
    instance::{Instance, Needs},
    inventory::{self, InventoryArgs, Loaded},
    options::GlobalOptions,
};
use crate::store::{host_keys, keys, servers};
use anyhow::Context as _;

/// Answers Ansible on stdout.
pub async fn run(global: &GlobalOptions, arguments: InventoryArgs) -> anyhow::Result<()> {
    let instance = Instance::open(
        global,
        Needs {
            connections: 2,
            ..Needs::default()
        },
    )
    .await?;
    let result = answer(&instance, arguments).await;
    instance.close().await?;
    result
}

async fn answer(instance: &Instance, arguments: InventoryArgs) -> anyhow::Result<()> {
    let binary = std::env::current_exe().context("failed to find this program's own file")?;
    let database = &instance.state.database;
    // Printed when it is whole: Ansible must not read half an inventory.
    let mut answer = Vec::new();
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
        &mut answer,
    )
    .await?;
    Ok(super::output::bytes(&answer)?)
}
