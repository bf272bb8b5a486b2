//! The API over a library of test playbooks, with servers to launch them on.

use super::database::TestDatabase;
use admiral::{
    api::{self, AppState, state::ApiConfig},
    domain::{
        clock::{SystemClock, new_id},
        playbook::{PlaybookFile, PlaybookOrigin},
        principal::Principal,
    },
    playbooks::{AnsibleTools, Library, LibraryConfig, Snapshot, builtin, find_entry_points, git::GitProjects},
    runner::{IsolationMode, Seclusion},
    store::{
        Database,
        packages::{self, Author, NewVersion},
        playbooks,
    },
    vault::{KeyRing, Vault},
};
use axum::{Router, body::Body, http::Request, response::Response};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

/// Everything a launch needs, in this process.
pub struct Launchpad {
    /// Holds `playbooks/` (custom), `builtin/`, and the stand-in for Ansible.
    pub folder: TempDir,
    /// The state behind the router.
    pub state: AppState,
    router: Router,
    _database: TestDatabase,
}

impl Launchpad {
    /// With an `ansible-playbook` that is content with everything.
    pub async fn new() -> Self {
        Self::with_ansible("exit 0").await
    }

    /// With the real `ansible-playbook`, which counts how often it is run.
    pub async fn with_real_ansible() -> Self {
        Self::with_ansible(&format!("exec '{}' \"$@\"", real_ansible_playbook().display())).await
    }

    /// With a shell script as `ansible-playbook`.
    pub async fn with_ansible(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ansible_playbook = folder.path().join("ansible-playbook");
        let counter = folder.path().join("runs");
        fs::write(
            &ansible_playbook,
            format!("#!/bin/sh\necho run >> '{}'\n{script}\n", counter.display()),
        )
        .expect("a script");
        fs::set_permissions(&ansible_playbook, fs::Permissions::from_mode(0o755)).expect("made executable");
        let builtin_folder = folder.path().join("builtin");
        builtin::unpack(&builtin_folder).expect("the built-in playbooks are unpacked");
        let library = Library::new(LibraryConfig {
            builtin_folder,
            galaxy_folder: folder.path().join("galaxy"),
            project_folder: folder.path().join("playbooks"),
            ansible: AnsibleTools {
                ansible_playbook,
                version: "2.19.0".to_owned(),
            },
            seclusion: Seclusion::new(IsolationMode::None, folder.path().to_owned()).expect("a folder"),
        });
        let database = TestDatabase::create().await;
        let state = AppState::new(
            database.database.clone(),
            Arc::new(Vault::new(KeyRing::generate().expect("a key ring"))),
            Arc::new(library),
            Arc::new(SystemClock),
            ApiConfig::default(),
        );
        Self {
            folder,
            router: api::router(state.clone()),
            state,
            _database: database,
        }
    }

    /// Reads git repositories in another way.
    pub fn use_projects(&mut self, projects: GitProjects) {
        self.state.projects = Arc::new(projects);
        self.router = api::router(self.state.clone());
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.state.database
    }

    /// Writes a file of the custom library.
    pub fn write_playbook(&self, path: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join("playbooks").join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// Uploads a custom package of these files, of which the first is its playbook; its id and that of its version.
    pub async fn add_package(&self, name: &str, files: &[(&str, &str)]) -> (Uuid, Uuid) {
        let author = Author {
            id: None,
            name: "uploader".to_owned(),
        };
        let snapshot = Snapshot::new(
            files
                .iter()
                .map(|(path, content)| PlaybookFile {
                    path: (*path).to_owned(),
                    mode: 0o644,
                    content: content.as_bytes().to_vec(),
                })
                .collect(),
        );
        let mut transaction = self.database().begin().await.expect("a transaction");
        let head = packages::upsert_package(&mut transaction, PlaybookOrigin::Custom, name, &author)
            .await
            .expect("a package");
        let version = packages::add_version(
            &mut transaction,
            &NewVersion {
                package_id: head.id,
                digest: &snapshot.digest,
                manifest: &snapshot.manifest,
                files: &snapshot.files,
                comment: "",
                author: &author,
                commit_id: None,
                rolled_back_to: None,
            },
        )
        .await
        .expect("a version");
        let mut entries = find_entry_points(&snapshot.files);
        entries.retain(|(path, _)| path == files[0].0);
        playbooks::set_entry_points(&mut transaction, PlaybookOrigin::Custom, head.id, name, &entries)
            .await
            .expect("a playbook");
        transaction.commit().await.expect("committed");
        (head.id, version.id)
    }

    /// How often Ansible was run.
    pub fn ansible_runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("runs"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// Registers a server, with a key of its own if asked for.
    pub async fn add_server(&self, hostname: &str, tags: &[&str], status: &str, with_key: bool) -> Uuid {
        let id = new_id();
        let mut connection = self.database().acquire().await.expect("a connection");
        sqlx::query(
            "INSERT INTO admiral.servers (id, hostname, name, ssh_host, ssh_port, ssh_username, tags, status) \
             VALUES ($1, $2, $2, '10.0.0.1', 22, 'root', $3, $4)",
        )
        .bind(id)
        .bind(hostname)
        .bind(serde_json::json!(tags))
        .bind(status)
        .execute(&mut *connection)
        .await
        .expect("a server");
        if with_key {
            let key = new_id();
            sqlx::query(
                "INSERT INTO admiral.private_keys (id, name, key_type, fingerprint, public_key, sealed_key) \
                 VALUES ($1, $2, 'ssh-ed25519', 'SHA256:x', 'ssh-ed25519 x', '')",
            )
            .bind(key)
            .bind(hostname)
            .execute(&mut *connection)
            .await
            .expect("a key");
            sqlx::query("INSERT INTO admiral.server_private_keys (server_id, private_key_id) VALUES ($1, $2)")
                .bind(id)
                .bind(key)
                .execute(&mut *connection)
                .await
                .expect("a key for the server");
        }
        id
    }

    /// Sends a request as the local command line does.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Principal::local_command("tester"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = request.body(body).expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("the router always answers")
    }

    /// Sends a request and reads the whole answer.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.send(method, path, body, &[]).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Sends a file, and reads the whole answer.
    pub async fn upload(&self, path: &str, file: Vec<u8>) -> (u16, Value) {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("content-type", "application/octet-stream")
            .extension(Principal::local_command("tester"))
            .body(Body::from(file))
            .expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router always answers");
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Launches and expects that to work.
    pub async fn launch(&self, body: Value) -> Value {
        let (status, deployment) = self.call("POST", "/api/deployments", Some(body)).await;
        assert_eq!(status, 201, "{deployment}");
        deployment
    }

    /// Runs one statement, as a worker would.
    pub async fn execute(&self, sql: &str) -> u64 {
        let mut connection = self.database().acquire().await.expect("a connection");
        sqlx::query(sql)
            .execute(&mut *connection)
            .await
            .expect("the statement runs")
            .rows_affected()
    }

    /// One number out of the database.
    pub async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.database().acquire().await.expect("a connection");
        sqlx::query_scalar(sql)
            .fetch_one(&mut *connection)
            .await
            .expect("a number")
    }
}

/// The first `ansible-playbook` of `ADMIRAL_TEST_ANSIBLE_BINS`, or of the repository's own environments.
pub fn real_ansible_playbook() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = [repository.join(".venv/bin"), repository.join(".venv-oldest/bin")];
    let folders: Vec<PathBuf> = match std::env::var_os("ADMIRAL_TEST_ANSIBLE_BINS") {
        Some(folders) => std::env::split_paths(&folders).collect(),
        None => own.to_vec(),
    };
    let found = folders
        .iter()
        .map(|folder| folder.join("ansible-playbook"))
        .find(|path| path.is_file());
    found.expect("ansible-core is installed: see the Makefile, or set ADMIRAL_TEST_ANSIBLE_BINS")
}
