//! Host keys that SSH met for the first time in a run are trusted from then on, if the server itself shows them to us too.
//!
//! The run's `known_hosts` is the run's to write: a hostile playbook can put any key there. So it only says which keys to look for;
//! `ssh-keyscan`, run outside, has the last word.

use super::Shared;
use crate::{
    domain::ServerId,
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
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    time::{Duration, Instant},
};

/// Seconds that a server has to show its key.
const PATIENCE_SECONDS: &str = "5";
/// How long looking at one lot of servers may take.
const SCAN_LIMIT: Duration = Duration::from_secs(30);
/// How long looking at all of them may take: the run has ended only after it.
const ALL_SCANS_LIMIT: Duration = Duration::from_mins(2);
/// Servers that one `ssh-keyscan` looks at.
const LOT: usize = 200;
/// Keys that are looked for at one address. A server has one of each type.
const MAX_KEYS: usize = 16;
/// The longest key in base64: an RSA key of 16,384 bits takes less than 3,000 bytes.
const MAX_KEY_BYTES: usize = 4096;

/// Stores the keys that the run met on the deployment's servers.
pub(super) async fn learn(shared: &Shared, folder: &RunFolder, run: &OwnedRun) -> Result<(), StoreError> {
    let folder = folder.clone();
    let read = tokio::task::spawn_blocking(move || folder.read_known_hosts()).await;
    let Ok(Ok(text)) = read else { return Ok(()) };
    if text.trim_ascii().is_empty() {
        return Ok(());
    }
    let mut connection = shared.database.acquire().await?;
    let targets = run_targets::list_targets(&mut connection, run.deployment_id, run.slice).await?;
    let servers: Vec<_> = targets.iter().map(|target| target.server.id).collect();
    let trusted = host_keys::list_for_servers(&mut connection, &servers).await?;
    drop(connection);
    let known: BTreeSet<(ServerId, String)> = trusted.into_iter().map(|key| (key.server_id, key.key_type)).collect();
    // The run may have written megabytes.
    let matching = tokio::task::spawn_blocking(move || {
        let mut met = match_servers(&String::from_utf8_lossy(&text), &targets);
        met.retain(|key| !known.contains(&(key.trusted.server_id, key.trusted.key_type.clone())));
        met
    });
    let Ok(met) = matching.await else { return Ok(()) };
    if met.is_empty() {
        return Ok(());
    }
    let shown = if guarded("host_key_scan") {
        scan(shared, &met).await
    } else {
        met.iter().map(Met::entry).collect()
    };
    let (confirmed, doubtful): (Vec<Met>, Vec<Met>) = met.into_iter().partition(|key| shown.contains(&key.entry()));
    if let Some(first) = doubtful.first() {
        tracing::warn!(
            host = first.host, port = first.port, key_type = first.trusted.key_type, count = doubtful.len(), run = %run.id,
            "host keys that the run met were not stored, because the servers did not show them to us; this is the first one"
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
    let began = Instant::now();
    for ((port, kind), hosts) in questions {
        let hosts: Vec<&str> = hosts.into_iter().collect();
        for lot in hosts.chunks(LOT) {
            if began.elapsed() > ALL_SCANS_LIMIT {
                tracing::warn!(
                    "asking servers for their host keys took too long: those that were not asked are not trusted yet"
                );
                return shown;
            }
            let look = Look {
                program: &program,
                folder: Path::new("/"),
                readable: &[],
                own: &[],
                writable: &[],
            };
            // Its input comes from others, so it runs in seclusion; the program itself is ours.
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

/// The entries of a `known_hosts` file that belong to servers, by address and port. Of one server no more than [`MAX_KEYS`].
fn match_servers(text: &str, targets: &[RunTarget]) -> Vec<Met> {
    let mut servers: HashMap<(String, i32), Vec<ServerId>> = HashMap::new();
    for target in targets {
        let server = &target.server;
        let address = (server.ssh_host.to_ascii_lowercase(), server.ssh_port);
        servers.entry(address).or_default().push(server.id);
    }
    let mut found: HashMap<(String, i32), BTreeSet<(&str, &str)>> = HashMap::new();
    let mut met = Vec::new();
    for known in known_hosts::entries(text).filter(|known| known.key.len() <= MAX_KEY_BYTES) {
        let address = (known.host.to_ascii_lowercase(), i32::from(known.port));
        let Some(ids) = servers.get(&address) else { continue };
        let keys = found.entry(address).or_default();
        if keys.len() >= MAX_KEYS || !keys.insert((known.key_type, known.key)) {
            continue;
        }
        let public_key = format!("{} {}", known.key_type, known.key);
        let Ok((key_type, fingerprint)) = ssh_key::describe_public(&public_key) else {
            continue;
        };
        met.extend(ids.iter().map(|id| Met {
            host: known.host.to_owned(),
            port: known.port,
            trusted: TrustedHostKey {
                server_id: *id,
                key_type: key_type.clone(),
                public_key: public_key.clone(),
                fingerprint: fingerprint.clone(),
            },
        }));
    }
    met
}
