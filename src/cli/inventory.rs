//! `admiral inventory`: what Ansible calls through `ansible/inventory/admiral`.
//!
//! Private keys are decrypted for Ansible only. Their files live exactly as long as the Ansible process that asked, which
//! is looked for among our ancestors; [`super::keeper`] removes them. Called by hand, by a shell or by another program,
//! the inventory names no key files, unless `--with-keys` asks for them: then they live as long as the calling process.

use super::{keeper::Caller, key_files::KeyFolder};
use crate::{
    domain::server::Server,
    inventory::{InventoryHost, Selection, render_host, render_list},
    vault::{RowIdentity, Vault, ssh_key},
};
use anyhow::Context;
use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// Options of `admiral inventory`.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "question", required = true, multiple = false, args = ["list", "host"])]
pub struct InventoryArgs {
    /// Print every host, with its groups and variables.
    #[arg(long)]
    pub list: bool,
    /// Print one host's variables.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Decrypt private keys even when no Ansible process called; they are removed when the calling process ends.
    #[arg(long)]
    pub with_keys: bool,
}

/// A private key as it is stored.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// Identifies the key.
    pub id: Uuid,
    /// The sealed private part.
    pub sealed_key: Vec<u8>,
    /// The sealed passphrase, if the key has one.
    pub sealed_passphrase: Option<Vec<u8>>,
}

/// Answers Ansible on `output`.
///
/// `load_servers` gives every server; the selection is read from this process's environment. `load_keys` is called only
/// when key files are wanted, with the keys that the selected servers use, each once.
pub async fn run<Servers, Keys>(
    args: InventoryArgs,
    admiral_binary: &Path,
    load_servers: Servers,
    load_keys: Keys,
    output: &mut impl Write,
) -> anyhow::Result<()>
where
    Servers: AsyncFnOnce() -> anyhow::Result<Vec<Server>>,
    Keys: AsyncFnOnce(Vec<Uuid>) -> anyhow::Result<(Vec<StoredKey>, Arc<Vault>)>,
{
    let selection =
        Selection::from_environment(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into()))?;
    let mut servers = selection.apply(&load_servers().await?)?;
    if let Some(name) = &args.host {
        servers.retain(|server| server.hostname == *name);
        anyhow::ensure!(
            !servers.is_empty(),
            "there is no host {name} among the selected servers"
        );
    }
    let caller = Caller::ansible().or_else(|| if args.with_keys { Caller::parent() } else { None });
    let (folder, files) = match caller {
        Some(caller) => write_keys(admiral_binary, caller, &servers, load_keys).await?,
        None => (None, BTreeMap::new()),
    };
    let hosts: Vec<InventoryHost> = servers
        .iter()
        .map(|server| {
            let file = server.private_key.as_ref().and_then(|key| files.get(&key.id));
            InventoryHost::from((server, file.map(|path| path.to_string_lossy().into_owned())))
        })
        .collect();
    let answer = match (&args.host, hosts.first()) {
        (Some(_), Some(host)) => render_host(host),
        _ => render_list(&hosts),
    };
    serde_json::to_writer(&mut *output, &answer).context("failed to write the inventory")?;
    output
        .write_all(b"\n")
        .and_then(|()| output.flush())
        .context("failed to write the inventory")?;
    if let Some(folder) = folder {
        folder.hand_over();
    }
    Ok(())
}

type KeyFiles = (Option<KeyFolder>, BTreeMap<Uuid, PathBuf>);

async fn write_keys<Keys>(
    binary: &Path,
    caller: Caller,
    servers: &[Server],
    load_keys: Keys,
) -> anyhow::Result<KeyFiles>
where
    Keys: AsyncFnOnce(Vec<Uuid>) -> anyhow::Result<(Vec<StoredKey>, Arc<Vault>)>,
{
    let names: BTreeMap<Uuid, &str> = servers
        .iter()
        .filter_map(|server| server.private_key.as_ref())
        .map(|key| (key.id, key.name.as_str()))
        .collect();
    if names.is_empty() {
        return Ok((None, BTreeMap::new()));
    }
    let (keys, vault) = load_keys(names.keys().copied().collect()).await?;
    let folder = KeyFolder::create(binary, caller)?;
    let mut files = BTreeMap::new();
    for (&id, name) in &names {
        let key = keys.iter().find(|key| key.id == id);
        let key = key.with_context(|| format!("private key {name} ({id}) is not in the database any more"))?;
        let write = || -> anyhow::Result<PathBuf> {
            let text = vault.open_text(&key.sealed_key, RowIdentity::private_key(id))?;
            let passphrase = key.sealed_passphrase.as_deref();
            let passphrase = passphrase
                .map(|sealed| vault.open_text(sealed, RowIdentity::passphrase(id)))
                .transpose()?;
            folder.write_key(id, &ssh_key::open_for_ansible(&text, passphrase.as_ref())?)
        };
        files.insert(
            id,
            write().with_context(|| format!("failed to use private key {name}"))?,
        );
    }
    Ok((Some(folder), files))
}
