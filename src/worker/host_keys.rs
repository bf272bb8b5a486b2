//! Host keys that SSH met for the first time in a run are trusted from then on, if the server itself shows them to us too.
//!
//! The run's `known_hosts` is the run's to write: a hostile playbook can put any key there. So it only says which keys to look for;
//! `ssh-keyscan`, run outside, has the last word.

use super::Shared;
use crate::{
    inventory::known_hosts,
    process::{self, base_environment, find_program, guarded},
    runner::{Look, RunFolder},
    store::{
        StoreError,
        host_keys::{self, TrustedHostKey},
        run_targets::{self, RunTarget},
        runs::OwnedRun,
    },
    vault::ssh_key,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

/// Seconds that a server has to show its key.
const PATIENCE_SECONDS: &str = "5";
/// How long looking at one lot of servers may take.
const SCAN_LIMIT: Duration = Duration::from_secs(30);
/// Servers that one `ssh-keyscan` looks at.
const LOT: usize = 200;

/// Stores the keys that the run met on the deployment's servers.
pub(super) async fn learn(shared: &Shared, folder: &RunFolder, run: &OwnedRun) -> Result<(), StoreError> {
    let folder = folder.clone();
    let read = tokio::task::spawn_blocking(move || folder.read_known_hosts()).await;
    let Ok(Ok(text)) = read else { return Ok(()) };
    let text = String::from_utf8_lossy(&text);
    if text.trim().is_empty() {
        return Ok(());
    }
    let mut connection = shared.database.acquire().await?;
    let targets = run_targets::list_targets(&mut connection, run.deployment_id, run.slice).await?;
    let servers: Vec<_> = targets.iter().map(|target| target.server.id).collect();
    let trusted = host_keys::list_for_servers(&mut connection, &servers).await?;
    drop(connection);
    let is_known = |key: &Met| {
        let mut of_server = trusted.iter().filter(|known| known.server_id == key.trusted.server_id);
        of_server.any(|known| known.key_type == key.trusted.key_type)
    };
    let mut met = match_servers(&text, &targets);
    met.retain(|key| !is_known(key));
    if met.is_empty() {
        return Ok(());
    }
    let shown = if guarded("host_key_scan") {
        scan(shared, &met).await
    } else {
        met.iter().map(Met::entry).collect()
    };
    let (confirmed, doubtful): (Vec<Met>, Vec<Met>) = met.into_iter().partition(|key| shown.contains(&key.entry()));
    for key in doubtful {
        tracing::warn!(
            host = key.host, port = key.port, key_type = key.trusted.key_type, run = %run.id,
            "a host key that the run met was not stored, because the server did not show it to us"
        );
    }
    let confirmed: Vec<TrustedHostKey> = confirmed.into_iter().map(|key| key.trusted).collect();
    if confirmed.is_empty() {
        return Ok(());
    }
    let mut connection = shared.database.acquire().await?;
    host_keys::trust_on_first_use(&mut connection, &confirmed)
        .await
        .map(drop)
}

/// A key that the run met, and where.
#[derive(Debug, Clone, PartialEq)]
struct Met {
    host: String,
    port: u16,
    trusted: TrustedHostKey,
}

impl Met {
    fn entry(&self) -> (String, u16, String) {
        (self.host.clone(), self.port, self.trusted.public_key.clone())
    }
}

/// Asks the servers for their keys. Those that do not answer show none.
async fn scan(shared: &Shared, met: &[Met]) -> BTreeSet<(String, u16, String)> {
    let mut questions: BTreeMap<(u16, &str), BTreeSet<&str>> = BTreeMap::new();
    for key in met {
        if let Some(kind) = scan_type(&key.trusted.key_type) {
            questions.entry((key.port, kind)).or_default().insert(&key.host);
        }
    }
    let Some(program) = find_program("ssh-keyscan", &[]) else {
        tracing::warn!("ssh-keyscan is not installed (package openssh-client): no host keys are stored");
        return BTreeSet::new();
    };
    let mut shown = BTreeSet::new();
    for ((port, kind), hosts) in questions {
        let hosts: Vec<&str> = hosts.into_iter().collect();
        for lot in hosts.chunks(LOT) {
            let look = Look {
                program: &program,
                folder: Path::new("/"),
                readable: &[],
                own: &[],
                writable: &[],
            };
            // What it reads comes from others, and it is none of theirs.
            let mut command = match shared.seclusion.for_builtin().command(look) {
                Ok(command) => command,
                Err(error) => {
                    tracing::warn!(%error, "ssh-keyscan cannot be run");
                    return shown;
                }
            };
            command
                .envs(base_environment(Path::new("/")))
                .args(["-T", PATIENCE_SECONDS, "-t", kind, "-p", &port.to_string(), "--"])
                .args(lot);
            match process::run_captured(command, SCAN_LIMIT).await {
                Ok(captured) => {
                    let found = known_hosts::parse(&captured.stdout_text());
                    shown.extend(found.into_iter().map(|key| (key.host, key.port, key.public_key)));
                }
                Err(error) => tracing::warn!(%error, "servers could not be asked for their host keys"),
            }
        }
    }
    shown
}

/// What `ssh-keyscan -t` calls a type of keys; ssh-keyscan(1).
fn scan_type(key_type: &str) -> Option<&'static str> {
    match key_type {
        "ssh-ed25519" => Some("ed25519"),
        "ssh-rsa" => Some("rsa"),
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => Some("ecdsa"),
        _ => None,
    }
}

/// The entries of a `known_hosts` file that belong to servers, by address and port.
fn match_servers(text: &str, targets: &[RunTarget]) -> Vec<Met> {
    let mut met = Vec::new();
    for known in known_hosts::parse(text) {
        let Ok((key_type, fingerprint)) = ssh_key::describe_public(&known.public_key) else {
            continue;
        };
        for target in targets {
            let server = &target.server;
            if server.ssh_host.eq_ignore_ascii_case(&known.host) && server.ssh_port == i32::from(known.port) {
                met.push(Met {
                    host: known.host.clone(),
                    port: known.port,
                    trusted: TrustedHostKey {
                        server_id: server.id,
                        key_type: key_type.clone(),
                        public_key: known.public_key.clone(),
                        fingerprint: fingerprint.clone(),
                    },
                });
            }
        }
    }
    met
}
