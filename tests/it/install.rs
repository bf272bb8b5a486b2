//! `admiral install` on a real Debian 12 with its own systemd, then everything that may happen to a service, then `admiral uninstall`.
//!
//! One machine goes through all stages, because booting and installing take their time.

#![expect(
    clippy::print_stderr,
    reason = "shows how long each stage took, which no test may assert"
)]

use crate::support::{
    accounts::{Seen, is_root, look},
    machine::Machine,
    mounts::in_own_mounts,
    server::PATIENCE,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    time::Instant,
};

/// Waits in the middle until something listens on a port. No other sign reaches every run.
const PLAYBOOK: &str = "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo before {{ item }}
      loop: '{{ range(5) | list }}'
    - ansible.builtin.wait_for: { host: 127.0.0.1, port: '{{ port }}', sleep: 1, timeout: 600 }
    - ansible.builtin.command: echo after {{ item }}
      loop: '{{ range(5) | list }}'
";

/// The folders that `admiral install` writes to.
const TOUCHED: [&str; 4] = ["etc", "opt", "usr/local", "root"];

#[test]
fn a_service_from_its_installation_to_its_end() {
    if !is_root() || !in_own_mounts("install::a_service_from_its_installation_to_its_end") {
        // Only root can boot a machine.
        return;
    }
    let mut stage = Stage::begin();
    stage.run("a dry run changes nothing, an installation is complete", installation);
    stage.run("a second installation changes nothing", second_installation);
    stage.run("no other account may connect to the database", closed_database);
    stage.run("runs outlive restarts, kills and upgrades", runs_go_on);
    stage.run("root's commands leave a stopped service right", commands_of_root);
    stage.run("a full disk loses nothing", full_disk);
    stage.run("the service comes back with the machine", reboot);
    stage.run("everything is removed, and the data stay", removal);
    stage.run("a late external database is waited for at boot", external_database);
    stage.run("nothing is left", end);
}

/// The machine, and the facts that later stages compare.
struct Stage {
    machine: Machine,
    /// The files before anything was installed.
    before: BTreeMap<PathBuf, Seen>,
    /// Names of the servers that were added.
    servers: BTreeSet<String>,
}

impl Stage {
    fn begin() -> Self {
        let mut machine = Machine::set_up();
        fs::copy(env!("CARGO_BIN_EXE_admiral"), machine.root().join("root/admiral")).unwrap();
        fs::write(machine.root().join("var/tmp/long.yml"), PLAYBOOK).unwrap();
        machine.boot();
        let mut stage = Self {
            machine,
            before: BTreeMap::new(),
            servers: BTreeSet::new(),
        };
        stage.before = stage.look();
        stage
    }

    fn run(&mut self, what: &str, act: fn(&mut Self)) {
        let began = Instant::now();
        act(self);
        eprintln!("{:>6.1} s  {what}", began.elapsed().as_secs_f32());
    }

    /// All files in the folders that an installation writes to, by their paths on the machine.
    fn look(&self) -> BTreeMap<PathBuf, Seen> {
        let root = self.machine.root();
        // systemd itself writes these when it boots.
        let own = [root.join("etc/machine-id"), root.join("etc/resolv.conf")];
        let own: Vec<_> = own.iter().map(PathBuf::as_path).collect();
        let all = TOUCHED.iter().flat_map(|folder| look(&root.join(folder), &own));
        all.map(|(path, seen)| (path.strip_prefix(&root).unwrap().to_owned(), seen))
            .collect()
    }

    /// The files that an installation left: new ones outside /etc, and in /etc, where the packages that stay have settings, those that name
    /// Admiral.
    fn left(&self) -> Vec<String> {
        let root = self.machine.root();
        let is_ours = |path: &PathBuf| {
            if !path.starts_with("etc") {
                return !self.before.contains_key(path);
            }
            let named = path.to_string_lossy().contains("admiral");
            // useradd keeps a copy of the earlier file, under the same name with a dash.
            let is_copy = path.to_string_lossy().ends_with('-');
            named || (!is_copy && fs::read_to_string(root.join(path)).is_ok_and(|text| text.contains("admiral")))
        };
        let left = self.look().into_keys().filter(is_ours);
        left.map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// `admiral`, as root.
    fn admiral(&self, arguments: &[&str]) -> String {
        self.machine.run([&["admiral"], arguments].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.admiral(&[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn wait_until_serving(&mut self) {
        self.machine.until("the service is ready", |machine| {
            machine.property("admiral", "ActiveState") == "active" && machine.property("admiral", "Job").is_empty()
        });
    }

    fn main_process(&self) -> String {
        self.machine.property("admiral", "MainPID")
    }

    fn add_server(&mut self, name: &str) -> bool {
        let arguments = [
            "servers",
            "add",
            name,
            "--ssh-host",
            "127.0.0.1",
            "--ssh-user",
            "a",
            "--key",
            "fleet",
        ];
        let added = self.machine.try_run(std::iter::once("admiral").chain(arguments)).code == Some(0);
        if added {
            self.servers.insert(name.to_owned());
        }
        added
    }

    /// Every server that was added is there, and no other.
    fn assert_servers(&self) {
        let listed = self.json(&["servers", "list"]);
        let names = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|server| server["hostname"].as_str().unwrap().to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), self.servers);
    }

    /// Every file of the data directory belongs to the account.
    fn assert_owned(&self) {
        let id = |what: &str| -> u32 { self.machine.run(["id", what, "admiral"]).trim().parse().unwrap() };
        let (user, group) = (id("-u"), id("-g"));
        for (path, seen) in look(&self.machine.data(), &[&self.machine.data().join("lost+found")]) {
            if !path.ends_with("lost+found") {
                assert_eq!((seen.user, seen.group), (user, group), "{}", path.display());
            }
        }
        let mode = self.machine.data().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    /// Launches the playbook; the number of the deployment.
    fn launch(&self, port: u16) -> String {
        let port = format!("port={port}");
        let arguments = [
            "deploy",
            "long.yml",
            "--host",
            "web1",
            "--host",
            "web2",
            "--var",
            &port,
            "--detach",
            "--acknowledge",
        ];
        let launched = self.json(&arguments);
        launched["number"].to_string()
    }

    /// Opens the port that a run waits for.
    fn let_go_on(&self, port: u16) {
        let unit = format!("--unit=go-on-{port}");
        self.machine.run([
            "systemd-run",
            "--quiet",
            &unit,
            "python3",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            &port.to_string(),
        ]);
    }

    fn wait_for_events(&mut self, number: &str, least: i64) {
        let show = ["admiral", "deployments", "show", number, "--output", "json"];
        self.machine.until("the run has come so far", |machine| {
            let shown = machine.try_run(show);
            let shown: Value = serde_json::from_str(&shown.stdout).unwrap_or_default();
            find_position(&shown) >= least
        });
    }

    /// Waits for the end; every event of it, in words.
    fn outcome(&self, number: &str) -> Vec<String> {
        let watched = self
            .machine
            .try_run(["admiral", "deployments", "watch", number, "--json"]);
        assert_eq!(watched.code, Some(0), "{watched:#?}");
        let lines = watched
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events = lines.filter(|line| line["type"] == "events").flat_map(|mut line| {
            let events = line["data"]["events"].take();
            events.as_array().unwrap().clone()
        });
        let mut words: Vec<String> = events
            .map(|event| format!("{} {} {}", event["kind"], event["host"], event["task"]))
            .collect();
        words.sort();
        words
    }
}

/// The deployment's position, wherever the answer has it.
fn find_position(value: &Value) -> i64 {
    match value {
        Value::Object(fields) => match fields.get("event_position").and_then(Value::as_i64) {
            Some(position) => position,
            None => fields.values().map(find_position).max().unwrap_or(0),
        },
        Value::Array(values) => values.iter().map(find_position).max().unwrap_or(0),
        _ => 0,
    }
}

fn installation(stage: &mut Stage) {
    let planned = stage.machine.run(["/root/admiral", "install", "--dry-run"]);
    for step in [
        "install with apt-get: bubblewrap, postgresql",
        "make the system account admiral",
        "start the service",
    ] {
        assert!(planned.contains(step), "{step}: {planned}");
    }
    assert_eq!(stage.look(), stage.before, "a dry run changes nothing");
    assert!(stage.machine.try_run(["id", "admiral"]).code != Some(0));

    let said = stage.machine.run(["/root/admiral", "install", "--yes"]);
    assert!(
        said.contains("Admiral is running and listens on http://127.0.0.1:8080"),
        "{said}"
    );
    stage.wait_until_serving();
    let machine = &stage.machine;
    assert_eq!(machine.property("admiral", "UnitFileState"), "enabled");
    assert_eq!(machine.property("admiral", "StatusText"), "serving");
    let account = machine.run(["getent", "passwd", "admiral"]);
    assert!(
        account.trim_end().ends_with(":/var/lib/admiral:/usr/sbin/nologin"),
        "{account}"
    );
    let id: u32 = machine.run(["id", "-u", "admiral"]).trim().parse().unwrap();
    assert!((100..1000).contains(&id), "a system account: {id}");
    let group: u32 = machine.run(["id", "-g", "admiral"]).trim().parse().unwrap();
    let settings = machine.root().join("etc/admiral/env").metadata().unwrap();
    assert_eq!(
        (settings.uid(), settings.gid(), settings.mode() & 0o777),
        (0, group, 0o640)
    );
    assert_eq!(
        machine.run(["pg_lsclusters", "--no-header"]),
        "",
        "no cluster of Debian's was made"
    );
    stage.assert_owned();

    // The unit restricts the service, and leaves it everything that runs need: nothing covers any part of /proc.
    let figure = machine.run(["systemd-analyze", "security", "admiral.service", "--no-pager"]);
    let figure = figure.lines().last().unwrap();
    eprintln!("          {figure}");
    let exposure: f32 = figure.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(exposure < 4.0, "{figure}");
    let covers = |process: &str| -> BTreeSet<String> {
        let mounts = machine.run(["cat", &format!("/proc/{process}/mountinfo")]);
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        points
            .filter(|point| point.starts_with("/proc/"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(covers(&stage.main_process()), covers("1"));
    let doctor = machine.try_run(["admiral", "doctor"]);
    assert_eq!(doctor.code, Some(0), "{doctor:#?}");
    assert!(doctor.stdout.contains("ok    isolation"), "{doctor:#?}");
}

fn second_installation(stage: &mut Stage) {
    let (before, process) = (stage.look(), stage.main_process());
    let said = stage.machine.run(["/root/admiral", "install", "--yes"]);
    assert!(said.contains("nothing has to be done"), "{said}");
    assert_eq!((stage.look(), stage.main_process()), (before, process));
}

/// The folders and the socket are opened on purpose, so that PostgreSQL itself refuses.
fn closed_database(stage: &mut Stage) {
    let folders = "/var/lib/admiral /var/lib/admiral/postgres /var/lib/admiral/postgres/socket";
    stage.machine.shell(&format!(
        "chmod 755 {folders}; chmod 777 /var/lib/admiral/postgres/socket/.s.PGSQL.5432"
    ));
    for account in ["nobody", "postgres", "root"] {
        let refused = stage.machine.try_run([
            "runuser",
            "-u",
            account,
            "--",
            "psql",
            "--host=/var/lib/admiral/postgres/socket",
            "--username=admiral",
            "admiral",
            "--command=SELECT 1",
        ]);
        assert!(
            refused.stderr.contains("Peer authentication failed"),
            "{account}: {refused:#?}"
        );
    }
    stage.machine.shell(&format!("chmod 700 {folders}"));
}

/// One run lives through a restart, a kill, root's commands and an upgrade, and is recorded as its undisturbed twin.
fn runs_go_on(stage: &mut Stage) {
    stage.admiral(&["keys", "generate", "fleet"]);
    assert!(stage.add_server("web1") && stage.add_server("web2"));
    stage.admiral(&["playbooks", "upload", "/var/tmp/long.yml", "--name", "long"]);
    stage.let_go_on(9001);
    let undisturbed = stage.launch(9001);
    let expected = stage.outcome(&undisturbed);

    let disturbed = stage.launch(9002);
    stage.wait_for_events(&disturbed, 20);
    let running = || {
        let found = stage.machine.try_run(["pgrep", "--full", "bin/ansible-playbook"]);
        found.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let processes = running();
    assert!(!processes.is_empty());
    let first = stage.main_process();
    stage.machine.run(["systemctl", "restart", "admiral"]);
    assert_ne!(stage.main_process(), first);
    assert!(processes.is_subset(&running()), "the run outlives a restart");
    stage.machine.run(["kill", "-KILL", &stage.main_process()]);
    let second = stage.main_process();
    stage.machine.until("systemd starts it again", |machine| {
        machine.property("admiral", "NRestarts") == "1" && machine.property("admiral", "ActiveState") == "active"
    });
    assert_ne!(stage.main_process(), second);
    stage.assert_servers();
    assert_eq!(stage.machine.try_run(["admiral", "doctor"]).code, Some(0));

    // An upgrade by hand: a new file takes the place of the old one.
    let binary = stage.machine.root().join("usr/local/bin/admiral");
    let newer = binary.with_extension("newer");
    fs::copy(&binary, &newer).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(&newer)
        .unwrap()
        .write_all(b"newer")
        .unwrap();
    fs::rename(&newer, &binary).unwrap();
    stage.machine.run(["systemctl", "restart", "admiral"]);
    let running = stage
        .machine
        .try_run(["pgrep", "--full", "bin/ansible-playbook"])
        .stdout;
    assert!(
        processes
            .iter()
            .all(|process| running.lines().any(|line| line == process)),
        "the run outlives an upgrade"
    );
    stage.let_go_on(9002);
    assert_eq!(stage.outcome(&disturbed), expected);

    // An upgrade by `admiral install`, back to the first one.
    let said = stage.machine.run(["/root/admiral", "install", "--yes"]);
    assert!(
        said.contains("replace /usr/local/bin/admiral") && said.contains("restart the service; runs go on"),
        "{said}"
    );
    stage.wait_until_serving();
    stage.assert_owned();
}

fn commands_of_root(stage: &mut Stage) {
    stage.machine.run(["systemctl", "stop", "admiral"]);
    stage.assert_servers();
    let doctor = stage.machine.run(["admiral", "doctor"]);
    assert!(doctor.contains("the embedded database is stopped"), "{doctor}");
    assert!(stage.add_server("web3"));
    stage.assert_owned();
    stage.machine.run(["systemctl", "start", "admiral"]);
    stage.assert_servers();
    stage.assert_owned();
    // Root does not serve an installation of the account, and a stranger can do nothing at all.
    let refused = stage.machine.try_run(["admiral", "serve"]);
    assert!(
        refused
            .stderr
            .contains("`systemctl start admiral` starts the installed service"),
        "{refused:#?}"
    );
    let refused = stage.machine.try_run([
        "runuser",
        "-u",
        "nobody",
        "--",
        "admiral",
        "--data-dir",
        "/var/lib/admiral",
        "servers",
        "list",
    ]);
    assert!(refused.stderr.contains("sudo -u admiral admiral"), "{refused:#?}");
}

/// Every committed row is there when there is room again, even if the service was restarted meanwhile.
fn full_disk(stage: &mut Stage) {
    stage
        .machine
        .shell("dd if=/dev/zero of=/var/lib/admiral/filler bs=1M status=none || true; sync");
    // PostgreSQL goes on in the room that it has already, until that is full.
    let mut refused = 0;
    for number in 0..2000 {
        if !stage.add_server(&format!("full{number}")) {
            refused += 1;
            if refused == 3 {
                break;
            }
        }
    }
    assert_eq!(refused, 3, "the disk was full");
    let survivors = stage.servers.len();
    stage.machine.run(["rm", "/var/lib/admiral/filler"]);
    let deadline = Instant::now() + PATIENCE;
    while !stage.add_server("room") {
        assert!(
            Instant::now() < deadline,
            "{}",
            stage
                .machine
                .run(["journalctl", "-u", "admiral", "-n", "40", "--no-pager"])
        );
    }
    assert_eq!(stage.servers.len(), survivors + 1);
    stage.wait_until_serving();
    stage.assert_servers();
    stage.assert_owned();
}

fn reboot(stage: &mut Stage) {
    stage.machine.shut_down();
    stage.machine.boot();
    stage.wait_until_serving();
    stage.assert_servers();
    stage.assert_owned();
}

fn removal(stage: &mut Stage) {
    let planned = stage.machine.run(["/root/admiral", "uninstall", "--dry-run"]);
    assert!(planned.contains("the data in /var/lib/admiral stay"), "{planned}");
    let mistyped = stage
        .machine
        .try_run(["/root/admiral", "uninstall", "--yes", "--purge", "/var/lib/admirals"]);
    assert!(mistyped.stderr.contains("that is /var/lib/admiral"), "{mistyped:#?}");
    assert_eq!(
        stage.machine.property("admiral", "ActiveState"),
        "active",
        "nothing was done so far"
    );
    stage.machine.run(["/root/admiral", "uninstall", "--yes"]);
    // The data stay, and so do their account, the settings and the list of what was made.
    stage.assert_owned();
    assert_eq!(
        stage.left(),
        [
            "etc/admiral",
            "etc/admiral/env",
            "etc/admiral/installed.json",
            "etc/group",
            "etc/gshadow",
            "etc/passwd",
            "etc/shadow"
        ]
    );

    // And all of it comes back.
    stage.machine.run(["/root/admiral", "install", "--yes"]);
    stage.wait_until_serving();
    stage.assert_servers();
    stage
        .machine
        .run(["/root/admiral", "uninstall", "--yes", "--purge", "/var/lib/admiral"]);
    assert!(stage.machine.try_run(["id", "admiral"]).code != Some(0));
    let names: Vec<_> = fs::read_dir(stage.machine.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["lost+found"]);
    assert_eq!(stage.machine.data().metadata().unwrap().uid(), 0);
    stage.servers.clear();
}

fn external_database(stage: &mut Stage) {
    stage.machine.shell(
        "pg_createcluster 15 main --start-conf=manual -- --no-sync >/dev/null
         systemctl start postgresql@15-main
         runuser -u postgres -- psql --quiet -c \"CREATE ROLE admiral LOGIN PASSWORD 'p w'\" -c 'CREATE DATABASE admiral OWNER admiral'",
    );
    let url = "postgres://admiral:p%20w@127.0.0.1/admiral";
    stage
        .machine
        .run(["/root/admiral", "install", "--yes", "--database-url", url]);
    stage.wait_until_serving();
    stage.admiral(&["keys", "generate", "fleet"]);
    assert!(stage.add_server("web1"), "root's commands use the service's database");
    assert!(!stage.machine.data().join("postgres").exists());

    // Nobody starts the database at boot.
    stage.machine.shut_down();
    stage.machine.boot();
    stage.machine.until("the service waits for its database", |machine| {
        machine
            .property("admiral", "StatusText")
            .starts_with("waiting for the database: ")
    });
    assert_eq!(stage.machine.property("admiral", "ActiveState"), "activating");
    let health = "import urllib.request, urllib.error
try: urllib.request.urlopen('http://127.0.0.1:8080/api/health')
except urllib.error.HTTPError as error: print(error.code, error.headers['Retry-After'])";
    assert_eq!(stage.machine.run(["python3", "-c", health]), "503 2\n");
    stage.machine.run(["systemctl", "start", "postgresql@15-main"]);
    stage.wait_until_serving();
    assert_eq!(stage.machine.property("admiral", "NRestarts"), "0", "it waited");
    stage.assert_servers();
}

fn end(stage: &mut Stage) {
    stage
        .machine
        .run(["/root/admiral", "uninstall", "--yes", "--purge", "/var/lib/admiral"]);
    assert_eq!(stage.left(), Vec::<String>::new());
    assert!(stage.machine.try_run(["systemctl", "cat", "admiral"]).code != Some(0));
    assert_eq!(
        stage.machine.try_run(["pgrep", "--full", "admiral"]).stdout,
        "",
        "no process is left"
    );
    let again = stage.machine.try_run(["/root/admiral", "uninstall", "--yes"]);
    assert!(
        again.stderr.contains("made nothing that could be taken away"),
        "{again:#?}"
    );
}
