//! Three processes that work, a database of their own, twelve servers, and ways to harm them.

use crate::support::{
    cluster::PrivateCluster,
    invariants, processes,
    server::{AdmiralServer, wait_for_exit},
};
use admiral::{
    domain::{DeploymentId, RunId},
    process::{ProcessIdentity, ProcessTarget, Signal, signal},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Child,
    time::{Duration, Instant},
};

const SERVERS: usize = 12;
/// The last runs may still be held by a lease that has to run out.
const PATIENCE: Duration = Duration::from_mins(10);

const PLAYBOOKS: [(&str, &str); 4] = [
    (
        "quick",
        "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - debug: { msg: one }
    - command: 'true'
    - debug: { msg: two }
      loop: [1, 2, 3]
",
    ),
    (
        "mixed",
        "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - command: sleep 0.5
    - block:
        - fail: { msg: to be rescued }
          when: inventory_hostname is search('[147]$')
      rescue:
        - debug: { msg: rescued }
    - command: 'false'
      ignore_errors: true
    - fail: { msg: this host fails }
      when: inventory_hostname is search('[36]$')
    - add_host: { name: 'extra-{{ inventory_hostname }}' }
      changed_when: false
    - command: sleep 1
",
    ),
    (
        "slow",
        "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - command: sleep 2
      loop: [1, 2, 3, 4]
    - command: sleep 60
      when: inventory_hostname is search('8$')
",
    ),
    (
        "leaver",
        "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - shell: setsid sh -c 'sleep 300 & sleep 300' >/dev/null 2>&1 &
    - command: sleep 1
",
    ),
];

/// A process that works, and when it comes back after it died.
struct Node {
    data: PathBuf,
    process: Child,
    back_at: Option<Instant>,
}

pub struct Stage {
    server: AdmiralServer,
    /// When the server itself comes back.
    server_back_at: Option<Instant>,
    nodes: Vec<Node>,
    servers: Vec<String>,
    playbooks: Vec<String>,
    done: BTreeMap<&'static str, u32>,
    // Last, so that the database outlives those who use it.
    cluster: PrivateCluster,
}

impl Stage {
    pub async fn build() -> Self {
        let cluster = PrivateCluster::start().await;
        let server = AdmiralServer::start_on(cluster.database().await).await;
        let (key, _) = server.generate_key("fleet").await;
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            let name = format!("host{number:02}");
            servers.push(server.add_server(&name, "127.0.0.1", 22, "root", &key, &[]).await);
        }
        let playbooks = PLAYBOOKS
            .map(|(name, content)| server.add_playbook(name, content))
            .to_vec();
        let mut stage = Self {
            server,
            server_back_at: None,
            nodes: Vec::new(),
            servers,
            playbooks,
            done: BTreeMap::new(),
            cluster,
        };
        for number in 1..=2 {
            let data = stage.server.folder.path().join(format!("worker{number}"));
            fs::create_dir(&data).expect("the folder is writable");
            let ring = stage.server.folder.path().join("data/key-ring.json");
            fs::copy(ring, data.join("key-ring.json")).expect("the key ring is there");
            let process = stage.spawn_worker(number);
            stage.nodes.push(Node {
                data,
                process,
                back_at: None,
            });
        }
        stage
    }

    fn spawn_worker(&self, number: usize) -> Child {
        self.server
            .spawn_beside(&format!("worker{number}"), &["--roles", "worker,scheduler"])
    }

    fn note(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// Starts those again whose time has come, or all.
    pub async fn raise_the_dead(&mut self, all: bool) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| all || at <= Instant::now());
        if is_due(self.server_back_at) {
            wait_for_exit(&mut self.server.process);
            self.server.start_again(&[]).await;
            self.server_back_at = None;
        }
        for index in 0..self.nodes.len() {
            let ended = self.nodes[index].process.try_wait().expect("it was started").is_some();
            if is_due(self.nodes[index].back_at) || (ended && self.nodes[index].back_at.is_none()) {
                wait_for_exit(&mut self.nodes[index].process);
                self.nodes[index].process = self.spawn_worker(index + 1);
                self.nodes[index].back_at = None;
            }
        }
    }

    async fn ids(&self, condition: &str) -> Vec<DeploymentId> {
        let mut connection = self.server.database.database.acquire().await.expect("a connection");
        sqlx::query_scalar(&format!(
            "SELECT id FROM admiral.deployments WHERE {condition} ORDER BY number"
        ))
        .fetch_all(&mut *connection)
        .await
        .expect("the deployments")
    }

    pub async fn unfinished(&self) -> usize {
        self.ids("finished_at IS NULL").await.len()
    }

    async fn post(&mut self, path: &str, body: Value, what: &'static str) {
        if self.server_back_at.is_none()
            && let Some((status, answer)) = self.server.try_request(Method::POST, path, Some(&body)).await
        {
            // 404, 409, 422: overtaken by events; 503: the database is just coming back.
            assert!(
                status.is_success() || [404, 409, 422, 503].contains(&status.as_u16()),
                "POST {path}: {status} {answer}"
            );
            if status.is_success() {
                self.note(what);
            }
        }
    }

    pub async fn launch(&mut self, random: &mut fastrand::Rng) {
        let mut servers = self.servers.clone();
        random.shuffle(&mut servers);
        servers.truncate(random.usize(1..=6));
        let body = json!({
            "playbook": random.choice(&self.playbooks),
            "server_ids": servers,
            "options": {
                "slices": random.i32(1..=3),
                "allow_overlap": random.u32(0..4) == 0,
                "priority": random.i32(-1..=1),
                "timeout_seconds": if random.u32(0..8) == 0 { 3 } else { 600 },
            },
        });
        self.post("/api/deployments", body, "launches").await;
    }

    pub async fn cancel(&mut self, random: &mut fastrand::Rng) {
        let ids = self.ids("finished_at IS NULL").await;
        if let Some(id) = random.choice(&ids) {
            let body = json!({ "force": random.bool() });
            self.post(&format!("/api/deployments/{id}/cancel"), body, "cancels")
                .await;
        }
    }

    pub async fn retry(&mut self, random: &mut fastrand::Rng) {
        let ids = self.ids("status IN ('failed', 'cancelled')").await;
        if let Some(id) = random.choice(&ids) {
            self.post(&format!("/api/deployments/{id}/retry"), json!({}), "retries")
                .await;
        }
    }

    /// SIGKILL for the server or a worker; it comes back after up to three seconds.
    pub fn kill_node(&mut self, random: &mut fastrand::Rng) {
        let back_at = Instant::now() + Duration::from_millis(random.u64(0..3000));
        let index = random.usize(0..=self.nodes.len());
        if let Some(node) = self.nodes.get_mut(index) {
            if node.back_at.is_none() {
                node.process.kill().expect("it was started");
                node.back_at = Some(back_at);
                self.note("killed workers");
            }
        } else if self.server_back_at.is_none() {
            self.server.process.kill().expect("it was started");
            self.server_back_at = Some(back_at);
            self.note("killed servers");
        }
    }

    /// SIGTERM for a worker.
    pub fn stop_node(&mut self, random: &mut fastrand::Rng) {
        let index = random.usize(0..self.nodes.len());
        let node = &mut self.nodes[index];
        if node.back_at.is_none() {
            send(node.process.id() as i32, Signal::TERM);
            node.back_at = Some(Instant::now() + Duration::from_millis(random.u64(0..3000)));
            self.note("stopped workers");
        }
    }

    fn homes(&self) -> Vec<PathBuf> {
        let data = self.server.folder.path().join("data");
        self.nodes.iter().map(|node| node.data.clone()).chain([data]).collect()
    }

    pub fn kill_supervisor(&mut self, random: &mut fastrand::Rng) {
        let found: Vec<i32> = self
            .homes()
            .iter()
            .flat_map(|data| processes::supervisors(data))
            .collect();
        if let Some(pid) = random.choice(&found) {
            send(*pid, Signal::KILL);
            self.note("killed supervisors");
        }
    }

    pub fn kill_ansible(&mut self, random: &mut fastrand::Rng) {
        let folder = self.server.folder.path().to_string_lossy().into_owned();
        let found: Vec<i32> = processes::mentioning(&folder)
            .into_iter()
            .filter(|(_, process)| process.command.contains("ansible-playbook") && !process.command.contains("bwrap"))
            .map(|(pid, _)| pid)
            .collect();
        if let Some(pid) = random.choice(&found) {
            send(*pid, Signal::KILL);
            self.note("killed Ansibles");
        }
    }

    pub async fn kill_database(&mut self, random: &mut fastrand::Rng) {
        self.cluster.stop_at_once().await;
        tokio::time::sleep(Duration::from_millis(random.u64(0..4000))).await;
        self.cluster.start_again().await;
        self.note("killed databases");
        self.until_the_database_answers().await;
    }

    async fn until_the_database_answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.server.database.database.ping().await.is_err() {
            assert!(Instant::now() < deadline, "the database does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every connection of Admiral's, those that listen among them.
    pub async fn break_connections(&mut self) {
        let mut connection = self.server.database.database.acquire().await.expect("a connection");
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&mut *connection)
        .await
        .expect("done");
        drop(connection);
        self.until_the_database_answers().await;
        self.note("broken connections");
    }

    pub async fn wait_for_all_ends(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.unfinished().await > 0 {
            if Instant::now() > deadline {
                let mut connection = self.server.database.database.acquire().await.expect("a connection");
                let left: Vec<String> = sqlx::query_scalar(
                    "SELECT format('#%s %s %s: run %s %s owner %s lease %s folder %s', d.number, d.name, d.status, r.id, r.status, r.owner, \
                         r.lease_expires_at - now(), r.run_folder) \
                     FROM admiral.deployments d JOIN admiral.runs r ON r.deployment_id = d.id WHERE d.finished_at IS NULL",
                )
                .fetch_all(&mut *connection)
                .await
                .expect("what is left");
                panic!("not ended:\n{}\n{}", left.join("\n"), self.server.log());
            }
            self.raise_the_dead(true).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Everything ended, stored whole, and nothing left.
    pub async fn check(mut self) {
        let ids = self.ids("true").await;
        for id in &ids {
            invariants::check(&self.server.database.database, *id).await;
        }
        let mut connection = self.server.database.database.acquire().await.expect("a connection");
        let runs: Vec<RunId> = sqlx::query_scalar("SELECT id FROM admiral.runs")
            .fetch_all(&mut *connection)
            .await
            .expect("the runs");
        let (events, outcomes): (i64, String) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM admiral.deployment_events), \
                    (SELECT string_agg(format('%s %s', n, what), ', ') FROM \
                        (SELECT count(*) AS n, coalesce(reason, status) AS what FROM admiral.deployments GROUP BY 2) AS ends)",
        )
        .fetch_one(&mut *connection)
        .await
        .expect("the sums");
        drop(connection);
        for node in &mut self.nodes {
            send(node.process.id() as i32, Signal::TERM);
            wait_for_exit(&mut node.process);
        }
        self.server.terminate();
        for data in self.homes() {
            let left: Vec<_> = fs::read_dir(data.join("runs"))
                .expect("the run folders")
                .flatten()
                .collect();
            assert!(left.is_empty(), "left behind: {left:?}");
        }
        let folder = self.server.folder.path().to_string_lossy().into_owned();
        let cluster = self.cluster.path().to_string_lossy().into_owned();
        let mut processes = processes::mentioning(&folder);
        processes.retain(|_, process| !process.command.contains(&cluster));
        assert!(processes.is_empty(), "left behind: {processes:?}");
        for run in &runs {
            let digits = run.simple().to_string();
            let name = &digits[digits.len() - 8..];
            for root in [PathBuf::from("/dev/shm"), std::env::temp_dir()] {
                let folder = root.join(format!("admiral-{}", own_uid())).join(name);
                assert!(!folder.exists(), "left behind: {}", folder.display());
            }
        }
        eprintln!(
            "soak: {} deployments ({outcomes}), {} runs, {events} events; {:?}",
            ids.len(),
            runs.len(),
            self.done
        );
        assert!(!ids.is_empty(), "something was done");
    }
}

fn send(pid: i32, what: Signal) {
    if let Ok(process) = ProcessIdentity::of(pid) {
        let _ended_meanwhile = signal(&ProcessTarget::Process(process), what);
    }
}

/// The user that the tests run as.
fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").expect("/proc").uid()
}
