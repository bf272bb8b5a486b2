//! A worker with all it needs, and a scripted stand-in for `ansible-playbook` that runs the playbook as a shell script.

use super::{
    database::TestDatabase,
    fleet::{self, Launched},
};
use admiral::{
    domain::{
        clock::{Clock, SystemClock},
        deployment::{Deployment, DeploymentServer},
    },
    runner::RunFolder,
    store::output,
    vault::{KeyRing, Vault},
    worker::{Worker, WorkerConfig},
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

const STAND_IN: &str = r#"#!/bin/bash
SEQ=0
event() {
    SEQ=$((SEQ + 1))
    printf '{"v":1,"seq":%d,"ts":"2026-01-02T03:04:%02d.000000Z","event":"%s"%s}\n' $SEQ $((SEQ % 60)) "$1" "$2" >> "$ADMIRAL_EVENTS_PATH"
}
on() { event "$1" ",\"host\":\"$2\",\"task\":\"Install\",\"task_id\":\"t1\",\"play\":\"p\"$3"; }
stats() { event playbook_on_stats ",\"stats\":{$1}"; }
for last; do :; done
. "$last"
"#;

/// How long anything may take on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_mins(1);

/// A database, a data directory and a stand-in, for workers to work with.
pub struct Stage {
    pub test: TestDatabase,
    pub data: tempfile::TempDir,
    pub ansible_playbook: PathBuf,
    pub vault: Arc<Vault>,
}

/// A worker in a task of its own.
pub struct WorkerAtWork {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Stage {
    pub async fn set() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let ansible_playbook = data.path().join("bin/ansible-playbook");
        fs::create_dir(data.path().join("bin")).expect("a folder");
        fs::write(&ansible_playbook, STAND_IN).expect("written");
        fs::set_permissions(&ansible_playbook, fs::Permissions::from_mode(0o700)).expect("made executable");
        let vault = Arc::new(Vault::new(KeyRing::generate().expect("keys")));
        Self {
            test: TestDatabase::create().await,
            data,
            ansible_playbook,
            vault,
        }
    }

    pub fn worker(&self) -> WorkerAtWork {
        self.worker_with(Arc::new(SystemClock), |_| {})
    }

    /// A worker with a clock and settings of its own.
    pub fn worker_with(&self, clock: Arc<dyn Clock>, change: impl FnOnce(&mut WorkerConfig)) -> WorkerAtWork {
        let mut config = WorkerConfig {
            grace_seconds: 2,
            ..WorkerConfig::new(
                self.data.path().join("data"),
                env!("CARGO_BIN_EXE_admiral").into(),
                self.ansible_playbook.clone(),
            )
        };
        change(&mut config);
        let worker = Worker::new(config, self.test.database.clone(), Arc::clone(&self.vault), clock);
        let shutdown = CancellationToken::new();
        WorkerAtWork {
            task: tokio::spawn(worker.run(shutdown.clone())),
            shutdown,
        }
    }

    pub async fn launch(&self, playbook: &str) -> Launched {
        fleet::launch(&self.test.database, &["web1", "web2"], playbook, |_| {}).await
    }

    pub async fn until(
        &self,
        launched: Launched,
        what: impl Fn(&Deployment, &[DeploymentServer]) -> bool,
    ) -> Deployment {
        let deadline = Instant::now() + LIMIT;
        loop {
            let deployment = fleet::deployment(&self.test.database, launched.id).await;
            let rows = fleet::rows(&self.test.database, launched.id).await;
            if what(&deployment, &rows) {
                return deployment;
            }
            assert!(Instant::now() < deadline, "it took too long: {deployment:#?} {rows:#?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    pub async fn until_end(&self, launched: Launched) -> (Deployment, Vec<DeploymentServer>) {
        let deployment = self.until(launched, |deployment, _| deployment.status.is_final()).await;
        (deployment, fleet::rows(&self.test.database, launched.id).await)
    }

    pub async fn run(&self, playbook: &str) -> (Launched, Deployment, Vec<DeploymentServer>) {
        let launched = self.launch(playbook).await;
        let worker = self.worker();
        let (deployment, rows) = self.until_end(launched).await;
        worker.end().await;
        (launched, deployment, rows)
    }

    pub async fn output(&self, launched: Launched) -> String {
        let mut connection = self.test.database.acquire().await.expect("a connection");
        let chunks = output::list_after(&mut connection, launched.id, 0, 1 << 24)
            .await
            .expect("output");
        chunks
            .iter()
            .map(|chunk| String::from_utf8_lossy(&chunk.content).into_owned())
            .collect()
    }

    pub fn folder(&self, launched: Launched) -> RunFolder {
        RunFolder::open(self.data.path().join("data/runs").join(launched.run_id.to_string()))
    }
}

impl WorkerAtWork {
    pub async fn end(self) {
        self.shutdown.cancel();
        self.task.await.expect("the worker ends");
    }

    pub async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
