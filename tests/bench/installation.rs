//! A throw-away Admiral: a data directory with its own PostgreSQL (default durability), and servers as processes.

use crate::{context::ADMIRAL, ssh_hosts::free_port};
use admiral::{
    embedded::EmbeddedPostgres,
    process::{ProcessIdentity, ProcessTarget, signal},
    store::Database,
};
use anyhow::{Context as _, bail, ensure};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::{
    cell::OnceCell,
    fs::OpenOptions,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use uuid::Uuid;

/// How long anything may take before the row is given up.
pub const PATIENCE: Duration = Duration::from_mins(30);
/// How long a server may take to come up.
const START_LIMIT: Duration = Duration::from_mins(3);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const PASSWORD: &str = "correct horse battery staple";

/// A data directory, and its PostgreSQL, which runs as long as this lives.
pub struct Installation {
    /// Holds `data/`, `playbooks/` and `server.log`; rows may put more into it.
    pub folder: TempDir,
    /// For single queries of the bench's own.
    pub pool: PgPool,
    /// For connections of the bench's own.
    pub database_url: String,
    /// The process id of PostgreSQL.
    pub postgres_pid: i32,
    postgres_programs: PathBuf,
    ansible_bin: PathBuf,
    token: OnceCell<String>,
    embedded: EmbeddedPostgres,
}

impl Installation {
    /// Makes one whose servers use the `ansible-playbook` of `ansible_bin`.
    pub async fn make(ansible_bin: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("admiral-bench-").tempdir()?;
        // As root PostgreSQL runs as another user, who passes through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        std::fs::create_dir(folder.path().join("playbooks"))?;
        let embedded = EmbeddedPostgres::start(&folder.path().join("data")).await?;
        let database_url = embedded.url();
        let database = Database::connect(&database_url, 1).await?;
        database.migrate().await?;
        database.close().await;
        let pool = PgPoolOptions::new().max_connections(2).connect(&database_url).await?;
        Ok(Self {
            folder,
            pool,
            database_url,
            postgres_pid: embedded.server_pid(),
            postgres_programs: embedded.binaries().to_owned(),
            ansible_bin: ansible_bin.to_owned(),
            token: OnceCell::new(),
            embedded,
        })
    }

    /// Stops PostgreSQL and removes everything.
    pub async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        self.embedded.stop().await?;
        self.folder.close()?;
        Ok(())
    }

    /// The command line with this data directory.
    pub fn command(&self) -> Command {
        command(self.folder.path(), &self.ansible_bin)
    }

    /// Starts a server and waits until it answers.
    pub async fn serve(&self) -> anyhow::Result<Server> {
        self.serve_with(&[]).await
    }

    /// As [`Self::serve`], with more arguments.
    pub async fn serve_with(&self, arguments: &[&str]) -> anyhow::Result<Server> {
        let mut server = Server::spawn_with(self.folder.path(), &self.ansible_bin, arguments)?;
        server.wait_until_ready().await?;
        let token = match self.token.get() {
            Some(token) => token.clone(),
            None => server.sign_up().await?,
        };
        server.token.clone_from(&token);
        // Set already when another server came first, and then to the same.
        let _ = self.token.set(token);
        Ok(server)
    }

    /// Puts a playbook into the library; returns its id there.
    pub fn add_playbook(&self, name: &str, content: &str) -> anyhow::Result<String> {
        let folder = self.folder.path().join("playbooks").join(name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("site.yml"), content)?;
        Ok(format!("project/{name}/site.yml"))
    }

    /// Registers `count` servers named `host-0001…`, which share one key. For playbooks that run on `connection: local`.
    pub async fn add_local_servers(&self, server: &Server, count: usize) -> anyhow::Result<()> {
        let key: Uuid = server.generate_key("bench").await?.0.parse()?;
        sqlx::query(
            "WITH added AS (INSERT INTO admiral.servers (id, hostname, name, ssh_host, ssh_port, ssh_username, metadata) \
                 SELECT gen_random_uuid(), format('host-%s', to_char(n, 'FM00000')), format('Host %s', n), '127.0.0.1', 22, \
                     'root', '{\"ansible_python_interpreter\": \"/usr/bin/python3\"}' \
                 FROM generate_series(1, $1) AS n RETURNING id) \
             INSERT INTO admiral.server_private_keys (server_id, private_key_id) SELECT id, $2 FROM added",
        )
        .bind(i32::try_from(count)?)
        .bind(key)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// `psql` itself: distributions put a wrapper on PATH, whose start alone takes longer than small answers do.
    pub fn psql_command(&self) -> Command {
        let beside_the_server = self.postgres_programs.join("psql");
        let mut command = if beside_the_server.exists() {
            Command::new(beside_the_server)
        } else {
            Command::new("psql")
        };
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.database_url]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs statements, or one command of psql's own.
    pub fn psql(&self, text: &str) -> anyhow::Result<()> {
        let output = self.psql_command().args(["-c", text]).output()?;
        ensure!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Writes what is in PostgreSQL's memory to disk, so that a measurement pays for its own writes and not for earlier ones.
    pub async fn settle(&self) -> anyhow::Result<()> {
        sqlx::query("CHECKPOINT").execute(&self.pool).await?;
        Ok(())
    }
}

fn command(folder: &Path, ansible_bin: &Path) -> Command {
    let mut command = Command::new(ADMIRAL);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        // Nothing of the person's own installation is touched.
        if name.starts_with("ADMIRAL_") || name.starts_with("ANSIBLE_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
        .env("ADMIRAL_DATA_DIR", folder.join("data"))
        .env("ADMIRAL_PLAYBOOKS", folder.join("playbooks"))
        .env("ADMIRAL_ANSIBLE_BIN", ansible_bin)
        .stdin(Stdio::null());
    command
}

/// `admiral serve`; stopped on drop.
pub struct Server {
    process: Child,
    /// When it was started.
    pub spawned: Instant,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    client: reqwest::Client,
    token: String,
    log: PathBuf,
    link: PathBuf,
}

impl Server {
    /// Starts one for `folder/data`, and does not wait for it.
    pub fn spawn(folder: &Path, ansible_bin: &Path) -> anyhow::Result<Self> {
        Self::spawn_with(folder, ansible_bin, &[])
    }

    fn spawn_with(folder: &Path, ansible_bin: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let log = folder.join("server.log");
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let port = free_port();
        let mut command = command(folder, ansible_bin);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(arguments)
            .stdout(output.try_clone()?)
            .stderr(output)
            // A Ctrl-C is ours to pass on.
            .process_group(0);
        let spawned = Instant::now();
        let process = command.spawn().context("failed to start admiral serve")?;
        Ok(Self {
            process,
            spawned,
            url: format!("http://127.0.0.1:{port}"),
            client: reqwest::Client::builder().no_proxy().build()?,
            token: String::new(),
            log,
            link: folder.join("data/first-account-link"),
        })
    }

    /// Waits until it answers; the seconds since its start.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<f64> {
        loop {
            if let Ok(answer) = self.client.get(format!("{}/api/health", self.url)).send().await
                && answer.status() == StatusCode::OK
            {
                return Ok(self.spawned.elapsed().as_secs_f64());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.log());
            }
            ensure!(
                self.spawned.elapsed() < START_LIMIT,
                "the server did not come up:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    /// Speaks to it as its admin.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// SIGKILL.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits; the seconds that took.
    pub fn stop(&mut self) -> anyhow::Result<f64> {
        let began = Instant::now();
        if self.process.try_wait()?.is_some() {
            return Ok(0.0);
        }
        let identity = ProcessIdentity::of(self.pid())?;
        signal(&ProcessTarget::Process(identity), Signal::TERM)?;
        while self.process.try_wait()?.is_none() {
            if began.elapsed() > STOP_LIMIT {
                self.process.kill()?;
                self.process.wait()?;
                bail!("the server did not stop within {} s of SIGTERM", STOP_LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// Makes the first account by the link that the server wrote down, and a token for it.
    async fn sign_up(&self) -> anyhow::Result<String> {
        let began = Instant::now();
        let link = loop {
            let link = std::fs::read_to_string(&self.link).unwrap_or_default();
            if let Some((_, token)) = link.split_once("/setup?token=")
                && let Some(token) = token.strip_suffix('\n')
            {
                break token.to_owned();
            }
            ensure!(
                began.elapsed() < START_LIMIT,
                "no set-up link was written:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let post = |path: &str, body: Value| {
            let request = self.client.post(format!("{}{path}", self.url));
            request.header("Origin", &self.url).json(&body)
        };
        let body = json!({"token": link, "username": "bench", "password": PASSWORD});
        let answer = post("/api/setup", body).send().await?.error_for_status()?;
        let cookie = answer.headers().get("set-cookie").context("signing up sets a cookie")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        let request = post("/api/tokens", json!({"name": "bench"})).header("Cookie", cookie);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        text(&answer, "token")
    }

    /// POST; the answer's body.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}{path}", self.url));
        let answer = request.bearer_auth(&self.token).json(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "POST {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// An open stream.
    pub async fn stream(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        let request = self.client.get(format!("{}{path}", self.url));
        Ok(request.bearer_auth(&self.token).send().await?.error_for_status()?)
    }

    /// Launches a deployment on all servers; its id.
    pub async fn launch(&self, playbook: &str, options: Value) -> anyhow::Result<Uuid> {
        let body = json!({"playbook": playbook, "all": true, "options": options});
        let deployment = self.post("/api/deployments", &body).await?;
        Ok(text(&deployment, "id")?.parse()?)
    }

    /// Makes an ed25519 key; its id and its public half.
    pub async fn generate_key(&self, name: &str) -> anyhow::Result<(String, String)> {
        let key = self.post("/api/keys/generate", &json!({"name": name})).await?;
        Ok((text(&key, "id")?, text(&key, "public_key")?))
    }

    /// What the server has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            crate::context::say(format!("{error:#}"));
        }
    }
}

/// A text field of an answer.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let found = value[field].as_str();
    Ok(found.with_context(|| format!("{field} is text in {value}"))?.to_owned())
}
