//! The real program: `admiral serve` as a process of its own, spoken to over HTTP.

use super::{ansible::ansible_bins, database::TestDatabase, ssh_hosts::free_port};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a test waits for something that has to happen; generous, because machines are shared.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The password of the test's admin.
pub const PASSWORD: &str = "correct horse battery staple";

/// How a server is to be started.
pub struct Beginning<'a> {
    /// Where its data directory, its playbooks and its log are.
    pub folder: TempDir,
    /// The `bin` folder of its Ansible.
    pub ansible: &'a Path,
    /// With the embedded PostgreSQL.
    pub embedded: bool,
    /// More arguments for `admiral serve`.
    pub arguments: &'a [&'a str],
    /// More for its environment.
    pub environment: &'a [(&'a str, &'a str)],
    /// What it may be and use.
    pub terms: Terms,
}

/// As what a server runs, and what it may use; by default as we do.
#[derive(Clone, Copy, Default)]
pub struct Terms {
    /// The user and the group that it runs as.
    pub account: Option<(u32, u32)>,
    /// The soft limit on its open files.
    pub open_files: Option<u64>,
}

/// A running server with its own data directory and database, and an admin's token.
pub struct AdmiralServer {
    /// Holds `data/`, `playbooks/` and `server.log`.
    pub folder: TempDir,
    /// The data directory; `data/` in `folder` at first.
    pub data: PathBuf,
    /// Its database.
    pub database: TestDatabase,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The server's process.
    pub process: Child,
    port: u16,
    token: String,
    client: reqwest::Client,
    ansible: PathBuf,
    embedded: bool,
}

impl AdmiralServer {
    /// Starts one with the default ansible-core.
    pub async fn start() -> Self {
        Self::start_with(&ansible_bins()[0]).await
    }

    /// Starts one that uses the `ansible-playbook` of this `bin` folder.
    pub async fn start_with(ansible: &Path) -> Self {
        Self::start_full(ansible, TestDatabase::create().await, false, &[]).await
    }

    /// Starts one on this database.
    pub async fn start_on(database: TestDatabase) -> Self {
        Self::start_full(&ansible_bins()[0], database, false, &[]).await
    }

    /// Starts one of these roles.
    pub async fn start_roles(roles: &str) -> Self {
        let database = TestDatabase::create().await;
        Self::start_full(&ansible_bins()[0], database, false, &["--roles", roles]).await
    }

    /// Starts one with the embedded PostgreSQL; its `database` stays empty.
    pub async fn start_embedded() -> Self {
        Self::start_full(&ansible_bins()[0], TestDatabase::create().await, true, &[]).await
    }

    /// Starts one with more arguments for `admiral serve`.
    pub async fn start_as(ansible: &Path, arguments: &[&str]) -> Self {
        Self::start_full(ansible, TestDatabase::create().await, false, arguments).await
    }

    /// Starts one without an account, which serves only the API.
    pub async fn start_without_account() -> Self {
        let database = TestDatabase::create().await;
        Self::start_only(&ansible_bins()[0], database, false, &["--roles", "api"], None).await
    }

    /// Starts one with the embedded PostgreSQL and with this soft limit on open files.
    pub async fn start_with_open_files(soft_limit: u64) -> Self {
        let database = TestDatabase::create().await;
        let mut server = Self::start_only(
            &ansible_bins()[0],
            database,
            true,
            &["--roles", "api"],
            Some(soft_limit),
        )
        .await;
        server.sign_up().await;
        server
    }

    async fn start_full(ansible: &Path, database: TestDatabase, embedded: bool, arguments: &[&str]) -> Self {
        let mut server = Self::start_only(ansible, database, embedded, arguments, None).await;
        server.sign_up().await;
        server
    }

    async fn start_only(
        ansible: &Path,
        database: TestDatabase,
        embedded: bool,
        arguments: &[&str],
        open_files: Option<u64>,
    ) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("admiral-it-")
            .tempdir()
            .expect("a temporary folder can be made");
        let beginning = Beginning {
            folder,
            ansible,
            embedded,
            arguments,
            environment: &[],
            terms: Terms {
                open_files,
                ..Terms::default()
            },
        };
        Self::begin(beginning, database).await
    }

    /// Starts one with the embedded PostgreSQL, as described.
    pub async fn start_at(beginning: Beginning<'_>) -> Self {
        let mut server = Self::begin(beginning, TestDatabase::create().await).await;
        server.sign_up().await;
        server
    }

    async fn begin(beginning: Beginning<'_>, database: TestDatabase) -> Self {
        let Beginning {
            folder,
            ansible,
            embedded,
            arguments,
            environment,
            terms,
        } = beginning;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("the folder is ours");
        std::fs::create_dir(folder.path().join("playbooks")).expect("the folder is writable");
        let port = free_port();
        let url = (!embedded).then_some(database.url.as_str());
        let listen = format!("127.0.0.1:{port}");
        let arguments: Vec<&str> = ["--listen", &listen]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let data = folder.path().join("data");
        if let Some((user, group)) = terms.account {
            std::fs::create_dir(&data).expect("the folder is writable");
            std::os::unix::fs::chown(&data, Some(user), Some(group)).expect("we are root");
        }
        let process = spawn(folder.path(), &data, url, ansible, &arguments, environment, terms);
        let mut server = Self {
            folder,
            data,
            port,
            database,
            url: format!("http://127.0.0.1:{port}"),
            process,
            token: String::new(),
            client: reqwest::Client::new(),
            ansible: ansible.to_owned(),
            embedded,
        };
        server.wait_until_healthy().await;
        server
    }

    /// Asks the server to stop, and waits for that; how long it took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().ok();
        let status = wait_for_exit(&mut self.process);
        (status, asked.elapsed())
    }

    /// Another process on this server's database, with the data directory `data` beside the log.
    pub fn spawn_beside(&self, data: &str, arguments: &[&str]) -> Child {
        let data = self.folder.path().join(data);
        let url = Some(self.database.url.as_str());
        spawn(
            self.folder.path(),
            &data,
            url,
            &self.ansible,
            arguments,
            &[],
            Terms::default(),
        )
    }

    /// Lets the server die as it stands, and nothing else with it.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server was started");
        self.process.wait().expect("it is our child");
    }

    /// Waits until the server has died by SIGKILL.
    pub async fn wait_for_death(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("the server was started") {
                break status;
            }
            assert!(Instant::now() < deadline, "the server did not die: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(status.signal(), Some(9), "{status}: {}", self.log());
    }

    /// Starts a server that has died again, with more in its environment.
    pub async fn start_again(&mut self, environment: &[(&str, &str)]) {
        assert!(
            self.process.try_wait().expect("it was started").is_some(),
            "it still runs"
        );
        let url = (!self.embedded).then_some(self.database.url.as_str());
        let listen = format!("127.0.0.1:{}", self.port);
        let arguments = ["--listen", &listen];
        self.process = spawn(
            self.folder.path(),
            &self.data,
            url,
            &self.ansible,
            &arguments,
            environment,
            Terms::default(),
        );
        self.wait_until_healthy().await;
    }

    async fn wait_until_healthy(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(answer) = self.client.get(format!("{}/api/health", self.url)).send().await
                && answer.status() == StatusCode::OK
            {
                return;
            }
            assert!(
                self.process.try_wait().expect("the server was started").is_none(),
                "the server ended: {}",
                self.log()
            );
            assert!(
                Instant::now() < deadline,
                "the server did not become healthy: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn sign_up(&mut self) {
        let link = self.data.join("first-account-link");
        let deadline = Instant::now() + PATIENCE;
        let token = loop {
            let link = std::fs::read_to_string(&link).unwrap_or_default();
            if let Some((_, token)) = link.split_once("/setup?token=")
                && let Some(token) = token.strip_suffix('\n')
            {
                break token.to_owned();
            }
            assert!(Instant::now() < deadline, "no set-up link was written: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let answer = self
            .client
            .post(format!("{}/api/setup", self.url))
            .header("Origin", &self.url)
            .json(&json!({"token": token, "username": "admin", "password": PASSWORD}))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
        let cookie = answer.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let answer = self
            .client
            .post(format!("{}/api/tokens", self.url))
            .header("Origin", &self.url)
            .header("Cookie", cookie)
            .json(&json!({"name": "tests"}))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
        let body: Value = answer.json().await.unwrap();
        self.token = text(&body, "token");
    }

    /// Sends a request as the admin.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is text");
        let value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        (status, value)
    }

    /// As [`Self::request`]; `None` when the server is not there to answer.
    pub async fn try_request(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    /// POST to a server that may die of it.
    pub async fn post_regardless(&self, path: &str, body: &Value) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Ok(answer) = request.json(body).send().await {
            assert!(answer.status().is_success(), "POST {path}: {}", answer.status());
        }
    }

    /// GET that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.request(Method::GET, path, None).await;
        assert!(
            status.is_success(),
            "GET {path}: {status} {body}{}",
            self.log_of(status)
        );
        body
    }

    /// POST that must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.request(Method::POST, path, Some(&body)).await;
        assert!(
            status.is_success(),
            "POST {path}: {status} {answer}{}",
            self.log_of(status)
        );
        answer
    }

    /// What the server has to say about a failure of its own.
    fn log_of(&self, status: StatusCode) -> String {
        if status.is_server_error() {
            format!("\n{}", self.log())
        } else {
            String::new()
        }
    }

    /// POST of a file as it is.
    pub async fn upload(&self, path: &str, file: Vec<u8>) -> (StatusCode, Value) {
        let request = self
            .client
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("Content-Type", "application/octet-stream")
            .body(file);
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// An open answer, to be read as it comes.
    pub async fn open(&self, path: &str, last_event_id: Option<&str>) -> reqwest::Response {
        let mut request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        request.send().await.expect("the server answers")
    }

    /// Makes an ed25519 key; returns its id and public key.
    pub async fn generate_key(&self, name: &str) -> (String, String) {
        let key = self.post("/api/keys/generate", json!({"name": name})).await;
        (text(&key, "id"), text(&key, "public_key"))
    }

    /// Registers a server; returns its id.
    pub async fn add_server(
        &self,
        hostname: &str,
        ssh_host: &str,
        port: u16,
        user: &str,
        key: &str,
        tags: &[&str],
    ) -> String {
        let server = self
            .post(
                "/api/servers",
                json!({"hostname": hostname, "ssh_host": ssh_host, "ssh_port": port, "ssh_username": user,
                       "private_key_id": key, "tags": tags,
                       // What discovery finds first may be a version manager's shim.
                       "metadata": {"ansible_python_interpreter": "/usr/bin/python3"}}),
            )
            .await;
        text(&server, "id")
    }

    /// Registers servers for plays with `connection: local`.
    pub async fn add_local_servers(&self, hostnames: &[&str]) {
        // A launch asks for one, though nobody connects.
        let (key, _) = self.generate_key("local").await;
        for hostname in hostnames {
            self.add_server(hostname, "127.0.0.1", 22, "root", &key, &[]).await;
        }
    }

    /// Puts a playbook into the custom folder, under a folder of its own; returns its id in the library.
    pub fn add_playbook(&self, name: &str, content: &str) -> String {
        let folder = self.folder.path().join("playbooks").join(name);
        std::fs::create_dir_all(&folder).expect("the folder is writable");
        std::fs::write(folder.join("site.yml"), content).expect("the folder is writable");
        format!("project/{name}/site.yml")
    }

    /// Waits until the deployment is over and returns it.
    pub async fn wait_for_end(&self, id: &str) -> Value {
        self.wait_for(id, |deployment| !deployment["finished_at"].is_null())
            .await
    }

    /// Waits until the deployment is as wanted and returns it.
    pub async fn wait_for(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let deployment = self.get(&format!("/api/deployments/{id}")).await;
            if wanted(&deployment) {
                return deployment;
            }
            assert!(
                Instant::now() < deadline,
                "still not as wanted: {deployment}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// All rows of a deployment, by host.
    pub async fn rows(&self, id: &str) -> Vec<Value> {
        let mut rows = self.get(&format!("/api/deployments/{id}/servers?per_page=5000")).await["data"]
            .as_array()
            .expect("a list")
            .clone();
        rows.sort_by_key(|row| text(row, "host"));
        rows
    }

    /// All events of a deployment, in order.
    pub async fn events(&self, id: &str) -> Vec<Value> {
        let page = self.get(&format!("/api/deployments/{id}/events?limit=5000")).await;
        assert!(page["next_after"].is_null(), "more than 5000 events");
        page["data"].as_array().expect("a list").clone()
    }

    /// The folders of runs that are not over.
    pub fn run_folders(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.data.join("runs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }

    /// The whole raw output.
    pub async fn output(&self, id: &str) -> String {
        match self.get(&format!("/api/deployments/{id}/output?format=text")).await {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// What the server wrote to stdout and stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Speaks to this server as its admin.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The command line with this server's data directory and database.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_admiral"));
        command
            .env("ADMIRAL_DATA_DIR", &self.data)
            .env("DATABASE_URL", &self.database.url)
            .env("ADMIRAL_ANSIBLE_BIN", &self.ansible)
            .stdin(Stdio::null());
        command
    }
}

impl Drop for AdmiralServer {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().ok();
        let deadline = Instant::now() + Duration::from_secs(30);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Waits for a process that is about to end.
pub fn wait_for_exit(process: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.try_wait().expect("it was started here") {
            return status;
        }
        assert!(Instant::now() < deadline, "the process does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn spawn(
    folder: &Path,
    data: &Path,
    database_url: Option<&str>,
    ansible: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    terms: Terms,
) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("server.log"))
        .expect("the folder is writable");
    let mut command = match terms.account {
        None => starter(Path::new(env!("CARGO_BIN_EXE_admiral")), terms.open_files),
        Some((user, group)) => {
            // The one that was built may lie where only we can go.
            let copy = folder.join("admiral");
            std::fs::copy(env!("CARGO_BIN_EXE_admiral"), &copy).expect("the folder is writable");
            let mut command = starter(&copy, terms.open_files);
            command.uid(user).gid(group).current_dir("/").env("HOME", data);
            command
        }
    };
    if let Some(url) = database_url {
        command.env("DATABASE_URL", url);
    }
    command
        .arg("serve")
        .args(arguments)
        .arg("--playbooks")
        .arg(folder.join("playbooks"))
        .env("ADMIRAL_DATA_DIR", data)
        .env("ADMIRAL_ANSIBLE_BIN", ansible)
        .env("ADMIRAL_LOG", "info,admiral=debug")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .expect("the server starts")
}

/// A command that becomes `binary`.
fn starter(binary: &Path, open_files: Option<u64>) -> Command {
    let Some(soft_limit) = open_files else {
        return Command::new(binary);
    };
    // The shell is replaced by the server.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -S -n {soft_limit} && exec \"$0\" \"$@\"")]);
    shell.arg(binary);
    shell
}

/// Makes a data directory with a key ring, which is all that an installation on an external database has at first.
pub fn make_key_ring(data: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(data).expect("a folder");
    admiral::vault::KeyRing::load_or_create(&data.join("key-ring.json")).expect("a key ring");
}

/// A text field of an answer.
pub fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is text in {value}"))
        .to_owned()
}
