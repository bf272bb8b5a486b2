//! Host keys that SSH met for the first time in a run are trusted from then on.

use super::Shared;
use crate::{
    inventory::known_hosts,
    runner::RunFolder,
    store::{
        StoreError,
        host_keys::{self, TrustedHostKey},
        run_targets::{self, RunTarget},
        runs::OwnedRun,
    },
    vault::ssh_key,
};

/// Stores the keys that the run's `known_hosts` names for the deployment's servers.
pub(super) async fn learn(shared: &Shared, folder: &RunFolder, run: &OwnedRun) -> Result<(), StoreError> {
    let Ok(text) = std::fs::read(folder.known_hosts()) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&text);
    if text.trim().is_empty() {
        return Ok(());
    }
    let mut connection = shared.database.acquire().await?;
    let targets = run_targets::list_targets(&mut connection, run.deployment_id, run.slice).await?;
    let met = match_servers(&text, &targets);
    if met.is_empty() {
        return Ok(());
    }
    host_keys::trust_on_first_use(&mut connection, &met).await.map(drop)
}

/// The entries of a `known_hosts` file that belong to servers, by address and port. What is trusted already is left to the
/// store, which keeps the older key.
fn match_servers(text: &str, targets: &[RunTarget]) -> Vec<TrustedHostKey> {
    let mut met = Vec::new();
    for known in known_hosts::parse(text) {
        let Ok((key_type, fingerprint)) = ssh_key::describe_public(&known.public_key) else {
            continue;
        };
        for target in targets {
            let server = &target.server;
            if server.ssh_host.eq_ignore_ascii_case(&known.host) && server.ssh_port == i32::from(known.port) {
                met.push(TrustedHostKey {
                    server_id: server.id,
                    key_type: key_type.clone(),
                    public_key: known.public_key.clone(),
                    fingerprint: fingerprint.clone(),
                });
            }
        }
    }
    met
}
