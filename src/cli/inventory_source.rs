//! Where `admiral inventory` takes servers and keys from: the local database.

use super::{
    instance::{Instance, Needs},
    inventory::{self, InventoryArgs, StoredKey},
    options::GlobalOptions,
};
use crate::store::{keys, servers};
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
        async |ids| {
            let sealed = keys::get_sealed_keys(&mut *database.acquire().await?, &ids).await?;
            let stored = sealed
                .into_iter()
                .map(|key| StoredKey {
                    id: key.id,
                    sealed_key: key.sealed_key,
                    sealed_passphrase: key.sealed_passphrase,
                })
                .collect();
            Ok((stored, instance.state.vault.clone()))
        },
        &mut answer,
    )
    .await?;
    Ok(super::output::bytes(&answer)?)
}
