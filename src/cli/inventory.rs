//! `admiral inventory`: what Ansible calls through `ansible/inventory/admiral`.
//!
//! Private keys are decrypted for Ansible only. Their files live exactly as long as the Ansible process that asked, which
//! is looked for among our ancestors; [`super::keeper`] removes them. Called by hand, by a shell or by another program,
//! the inventory names no key files, unless `--with-keys` asks for them: then they live as long as the calling process.
//!
//! With `--server` the inventory comes from a running server. A server never hands out a private key, so there are no key files then, and
//! Ansible uses the keys, the agent and the known hosts of the account that runs it.

use super::{keeper, key_files::KeyFolder};
use crate::{
    domain::server::Server,
    inventory::{HostVariables, InventoryHost, Selection, known_hosts, render_list},
    process::ProcessIdentity,
    store::{host_keys::TrustedHostKey, keys::SealedKey},
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
///
/// `list` and `host` exclude each other by themselves: a `#[group]` of the struct would take `with_keys` in as well.
#[derive(Debug, Clone, clap::Args)]
pub struct InventoryArgs {
    /// Print every host, with its groups and variables.
    #[arg(long, required_unless_present = "host", conflicts_with = "host")]
    pub list: bool,
    /// Print one host's variables.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Decrypt private keys even when no Ansible process called; they are removed when the calling process ends.
    #[arg(long)]
    pub with_keys: bool,
}

/// What is needed to make key files.
pub struct Loaded {
    /// The keys.
    pub keys: Vec<SealedKey>,
    /// The host keys that are trusted for the servers.
    pub host_keys: Vec<TrustedHostKey>,
    /// Opens the keys.
    pub vault: Arc<Vault>,
}

/// Answers Ansible on `output`.
///
/// `load_servers` gives every server; the selection is read from this process's environment. `load_keys` is called only
/// when key files are wanted, with the keys that the selected servers use, each once, and the servers' ids.
pub async fn run<Servers, Keys>(
    args: InventoryArgs,
    admiral_binary: &Path,
    load_servers: Servers,
    load_keys: Keys,
    output: &mut impl Write,
) -> anyhow::Result<()>
where
    Servers: AsyncFnOnce() -> anyhow::Result<Vec<Server>>,
    Keys: AsyncFnOnce(Vec<Uuid>, Vec<Uuid>) -> anyhow::Result<Loaded>,
{
    let servers = selected(&args, load_servers().await?)?;
    let caller = keeper::calling_ansible().or_else(|| {
        if args.with_keys {
            keeper::calling_process()
        } else {
            None
        }
    });
    let written = match caller {
        Some(caller) => write_keys(admiral_binary, caller, &servers, load_keys).await?,
        None => KeyFiles::default(),
    };
    render(&args, &servers, &written, output)?;
    if let Some(folder) = written.folder {
        folder.hand_over();
    }
    Ok(())
}

/// Answers Ansible on `output` with these servers and no key files.
pub fn run_without_keys(args: &InventoryArgs, servers: Vec<Server>, output: &mut impl Write) -> anyhow::Result<()> {
    render(args, &selected(args, servers)?, &KeyFiles::default(), output)
}

fn selected(args: &InventoryArgs, servers: Vec<Server>) -> anyhow::Result<Vec<Server>> {
    let selection =
        Selection::from_environment(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into()))?;
    let mut servers = selection.apply(&servers)?;
    if let Some(name) = &args.host {
        servers.retain(|server| server.hostname == *name);
        anyhow::ensure!(
            !servers.is_empty(),
            "there is no host {name} among the selected servers"
        );
    }
    Ok(servers)
}

fn render(args: &InventoryArgs, servers: &[Server], keys: &KeyFiles, output: &mut impl Write) -> anyhow::Result<()> {
    let hosts: Vec<InventoryHost> = servers
        .iter()
        .map(|server| {
            let file = server.private_key.as_ref().and_then(|key| keys.files.get(&key.id));
            InventoryHost::from((server, file.map(|path| path.to_string_lossy().into_owned())))
        })
        .collect();
    let written = if let (Some(_), Some(host)) = (&args.host, hosts.first()) {
        serde_json::to_writer(&mut *output, &HostVariables(host))
    } else {
        let list = render_list(&hosts);
        let list = match &keys.known_hosts {
            Some(file) => list.trusting(&file.to_string_lossy()),
            None => list,
        };
        serde_json::to_writer(&mut *output, &list)
    };
    written.context("failed to write the inventory")?;
    output
        .write_all(b"\n")
        .and_then(|()| output.flush())
        .context("failed to write the inventory")
}

/// What Ansible is handed besides the inventory itself.
#[derive(Default)]
struct KeyFiles {
    folder: Option<KeyFolder>,
    files: BTreeMap<Uuid, PathBuf>,
    known_hosts: Option<PathBuf>,
}

async fn write_keys<Keys>(
    binary: &Path,
    caller: ProcessIdentity,
    servers: &[Server],
    load_keys: Keys,
) -> anyhow::Result<KeyFiles>
where
    Keys: AsyncFnOnce(Vec<Uuid>, Vec<Uuid>) -> anyhow::Result<Loaded>,
{
    let names: BTreeMap<Uuid, &str> = servers
        .iter()
        .filter_map(|server| server.private_key.as_ref())
        .map(|key| (key.id, key.name.as_str()))
        .collect();
    if names.is_empty() {
        return Ok(KeyFiles::default());
    }
    let ids = servers.iter().map(|server| server.id).collect();
    let Loaded { keys, host_keys, vault } = load_keys(names.keys().copied().collect(), ids).await?;
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
    let trusted: Vec<(&str, i32, &str)> = servers
        .iter()
        .flat_map(|server| {
            let own = host_keys.iter().filter(|key| key.server_id == server.id);
            own.map(|key| (server.ssh_host.as_str(), server.ssh_port, key.public_key.as_str()))
        })
        .collect();
    let known_hosts = folder.write_known_hosts(&known_hosts::render(&trusted))?;
    Ok(KeyFiles {
        folder: Some(folder),
        files,
        known_hosts: Some(known_hosts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: InventoryArgs,
    }

    #[test]
    fn one_question_with_or_without_keys() {
        let parse =
            |arguments: &[&str]| Command::try_parse_from([&["inventory"], arguments].concat()).map(|it| it.args);
        assert!(parse(&["--list"]).is_ok_and(|args| args.list && !args.with_keys));
        assert!(parse(&["--list", "--with-keys"]).is_ok_and(|args| args.list && args.with_keys));
        assert!(parse(&["--host", "a", "--with-keys"]).is_ok_and(|args| args.host.is_some() && args.with_keys));
        for refused in [&[][..], &["--with-keys"], &["--list", "--host", "a"]] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }
}
