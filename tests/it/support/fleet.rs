//! Servers and deployments, straight into the database.

use admiral::{
    domain::{
        DeploymentId, RunId, ServerId, WorkerId,
        clock::new_id,
        deployment::{Deployment, DeploymentKind, DeploymentOptions, DeploymentServer, Launcher, Target},
        event::DeploymentEvent,
        playbook::{ManifestEntry, PlaybookFile, PlaybookOrigin},
    },
    store::{
        Database,
        claims::{self, ClaimTerms},
        deployment_servers,
        deployments::{self, DeploymentInputs, NewDeployment, NewHost},
        events,
        packages::{self, Author, NewVersion},
        runs::OwnedRun,
    },
};
use sha2::{Digest as _, Sha256};
use std::{path::Path, time::Duration};

/// A deployment that was just launched.
#[derive(Debug, Clone, Copy)]
pub struct Launched {
    /// The deployment.
    pub id: DeploymentId,
    /// Its run.
    pub run_id: RunId,
}

/// Registers servers under these names.
pub async fn insert_servers(database: &Database, names: &[&str]) -> Vec<ServerId> {
    let mut connection = database.acquire().await.expect("a connection");
    let mut ids = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let id = new_id();
        sqlx::query(
            "INSERT INTO admiral.servers (id, hostname, name, ssh_host, ssh_port, ssh_username) \
             VALUES ($1, $2, $2, $3, 22, 'root') ON CONFLICT (hostname) DO NOTHING",
        )
        .bind(id)
        .bind(name)
        .bind(format!("192.0.2.{}", number + 1))
        .execute(&mut *connection)
        .await
        .expect("a server");
        let id = sqlx::query_scalar("SELECT id FROM admiral.servers WHERE hostname = $1")
            .bind(name)
            .fetch_one(&mut *connection)
            .await
            .expect("its id");
        ids.push(id);
    }
    ids
}

/// Launches a playbook of one file on servers of these names.
pub async fn launch(
    database: &Database,
    hosts: &[&str],
    playbook: &str,
    change: impl FnOnce(&mut NewDeployment),
) -> Launched {
    let servers = insert_servers(database, hosts).await;
    let digest = hex::encode(Sha256::digest(playbook));
    let mut transaction = database.begin().await.expect("a transaction");
    let author = Author {
        id: None,
        name: "test".to_owned(),
    };
    let head = packages::upsert_package(&mut transaction, PlaybookOrigin::Project, "", &author)
        .await
        .expect("a package");
    let version = packages::add_version(
        &mut transaction,
        &NewVersion {
            package_id: head.id,
            digest: &digest,
            manifest: &[ManifestEntry {
                path: "play.yml".to_owned(),
                mode: 0o644,
                digest: digest.clone(),
            }],
            files: &[PlaybookFile {
                path: "play.yml".to_owned(),
                mode: 0o644,
                content: playbook.as_bytes().to_vec(),
            }],
            comment: "",
            author: &author,
            commit_id: None,
            rolled_back_to: None,
        },
    )
    .await
    .expect("a playbook version");
    let mut new = NewDeployment {
        id: new_id(),
        run_ids: vec![new_id()],
        name: "test".to_owned(),
        description: None,
        playbook: "project/play.yml".to_owned(),
        kind: DeploymentKind::Playbook,
        command: None,
        entry_path: "play.yml".to_owned(),
        playbook_version_id: Some(version.id),
        target: Target::All,
        variables: serde_json::Map::new(),
        secret_variable_names: Vec::new(),
        inputs: DeploymentInputs::default(),
        sealed_variables: None,
        options: DeploymentOptions::default(),
        overridden_settings: Vec::new(),
        retry_of: None,
        created_by: Launcher {
            id: None,
            username: "test".to_owned(),
        },
        hosts: hosts
            .iter()
            .zip(servers)
            .map(|(host, server_id)| NewHost {
                host: (*host).to_owned(),
                server_id,
                address: "192.0.2.1:22".to_owned(),
            })
            .collect(),
    };
    change(&mut new);
    deployments::insert_deployment(&mut transaction, &new)
        .await
        .expect("a deployment");
    transaction.commit().await.expect("committed");
    Launched {
        id: new.id,
        run_id: new.run_ids[0],
    }
}

/// Claims the next run, if there is one for this worker.
pub async fn claim(database: &Database, worker: WorkerId, lease: Duration) -> Option<OwnedRun> {
    let terms = ClaimTerms {
        worker,
        lease,
        runs_folder: Path::new("/runs"),
        builtin_only: false,
    };
    let mut transaction = database.begin().await.expect("a transaction");
    let claimed = claims::claim_next(&mut transaction, &terms).await.expect("claims");
    transaction.commit().await.expect("committed");
    claimed
}

/// The deployment as it stands.
pub async fn deployment(database: &Database, id: DeploymentId) -> Deployment {
    let mut connection = database.acquire().await.expect("a connection");
    deployments::get_deployment(&mut connection, id)
        .await
        .expect("the deployment")
}

/// Its rows, by name.
pub async fn rows(database: &Database, id: DeploymentId) -> Vec<DeploymentServer> {
    let mut connection = database.acquire().await.expect("a connection");
    let mut rows = deployment_servers::changed_since(&mut connection, id, 0)
        .await
        .expect("rows");
    rows.sort_by(|a, b| a.host.cmp(&b.host));
    rows
}

/// All its events.
pub async fn all_events(database: &Database, id: DeploymentId) -> Vec<DeploymentEvent> {
    let mut connection = database.acquire().await.expect("a connection");
    events::list_after(
        &mut connection,
        id,
        0,
        events::PageLimit::events(100_000),
        &events::EventFilter::default(),
    )
    .await
    .expect("events")
    .events
}
