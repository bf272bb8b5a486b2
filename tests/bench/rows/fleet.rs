//! `fleet`: real SSH hosts, facts and five tasks: stock `ansible-playbook`, Admiral as it comes, Admiral with its accelerator.

use crate::{
    bare::time,
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    ssh_hosts::SshHosts,
    statistics::{Ratio, median, seconds},
    watch::Watch,
};
use admiral::runner::RunFolder;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const DEFAULTS_TARGET: f64 = 0.5;
const ACCELERATED_TARGET: f64 = 0.2;
const FORKS: usize = 20;

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let hosts = context.size(50, 4);
    let ssh = SshHosts::start();
    let installation = Installation::make(&context.ansible_bin).await?;
    let server = installation.serve().await?;
    add_servers(&installation, &server, &ssh, hosts).await?;
    let work = installation.folder.path().join("hosts");
    let content = playbook(&work);
    let playbook = installation.add_playbook("fleet", &content)?;
    let stock = Stock::prepare(context, &installation, &ssh, hosts, &content)?;
    let mut watch = Watch::begin(&installation).await?;

    // Learns the host keys, checks the syntax and makes what the tasks make: afterwards all three find the same.
    say("fleet: the first run, which does not count");
    launch(&installation, &server, &mut watch, &playbook, &json!({"forks": FORKS})).await?;
    let has_accelerator = has_accelerator(context)?;
    let (mut stocks, mut defaults, mut accelerated) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = context.rounds(3);
    for round in 1..=rounds {
        say(format!("fleet: round {round} of {rounds}"));
        stocks.push(stock.run(round)?);
        let plain = json!({"forks": FORKS, "accelerator": "none"});
        defaults.push(
            launch(&installation, &server, &mut watch, &playbook, &plain)
                .await?
                .seconds,
        );
        if has_accelerator {
            let options = json!({"forks": FORKS, "accelerator": "mitogen"});
            let launched = launch(&installation, &server, &mut watch, &playbook, &options).await?;
            ensure!(
                launched.configuration.contains("strategy_plugins"),
                "the accelerator was asked for and is not in the run's ansible.cfg"
            );
            accelerated.push(launched.seconds);
        }
    }
    drop(server);
    installation.close().await?;

    let line = |what: &str, taken: &[f64], target: f64| {
        let ratio = Ratio::of(taken, &stocks);
        Line::new(what, seconds(median(taken)))
            .ratio(&ratio)
            .target(format!("≤ {target}×"), ratio.median() <= target)
            .samples("seconds", taken)
    };
    Ok(vec![
        Line::new(
            format!("stock ansible-playbook: {hosts} SSH hosts, facts + 5 tasks, forks {FORKS}"),
            seconds(median(&stocks)),
        )
        .samples("seconds", &stocks),
        line("Admiral, accelerator none", &defaults, DEFAULTS_TARGET),
        if has_accelerator {
            line("Admiral, accelerator mitogen", &accelerated, ACCELERATED_TARGET)
        } else {
            Line::new("Admiral, accelerator mitogen", "not installed").missing(format!("≤ {ACCELERATED_TARGET}×"))
        },
    ])
}

fn playbook(work: &Path) -> String {
    let work = work.display();
    format!(
        "- name: Bring hosts up to date
  hosts: all
  gather_facts: true
  tasks:
    - name: Make a folder
      ansible.builtin.file:
        path: {work}/{{{{ inventory_hostname }}}}
        state: directory
        mode: \"0755\"
    - name: Write a file
      ansible.builtin.copy:
        content: \"{{{{ ansible_facts['distribution'] }}}} on {{{{ inventory_hostname }}}}\\n\"
        dest: {work}/{{{{ inventory_hostname }}}}/motd
        mode: \"0644\"
    - name: Set an option
      ansible.builtin.lineinfile:
        path: {work}/{{{{ inventory_hostname }}}}/options
        line: verbose = true
        create: true
        mode: \"0644\"
    - name: Ask the host
      ansible.builtin.command: uname -a
      changed_when: false
    - name: Look at the file
      ansible.builtin.stat:
        path: {work}/{{{{ inventory_hostname }}}}/motd
"
    )
}

fn has_accelerator(context: &Context) -> anyhow::Result<bool> {
    let output = Command::new(context.ansible_bin.join("python"))
        .args([
            "-c",
            "import importlib.util as u, sys; sys.exit(u.find_spec('ansible_mitogen') is None)",
        ])
        .stdin(Stdio::null())
        .output()?;
    Ok(output.status.success())
}

async fn add_servers(installation: &Installation, server: &Server, ssh: &SshHosts, hosts: usize) -> anyhow::Result<()> {
    let (key, public) = server.generate_key("fleet").await?;
    ssh.authorize(&public);
    for number in 0..hosts {
        let body = json!({
            "hostname": format!("fleet-{number:02}"), "ssh_host": SshHosts::address(number), "ssh_port": ssh.port,
            "ssh_username": ssh.user, "private_key_id": key,
            // What discovery finds first may be a version manager's shim.
            "metadata": {"ansible_python_interpreter": "/usr/bin/python3"},
        });
        server.post("/api/servers", &body).await?;
    }
    fs::create_dir_all(installation.folder.path().join("hosts"))?;
    Ok(())
}

struct Launched {
    seconds: f64,
    configuration: String,
}

async fn launch(
    installation: &Installation,
    server: &Server,
    watch: &mut Watch,
    playbook: &str,
    options: &Value,
) -> anyhow::Result<Launched> {
    installation.settle().await?;
    let began = Instant::now();
    let id = server.launch(playbook, options.clone()).await?;
    let folder = RunFolder::open(watch.run_folder(id).await?);
    watch.until_event(id, "playbook_on_start").await?;
    let configuration = fs::read_to_string(folder.configuration()).context("the run has a configuration")?;
    let (ended, _) = watch.until_success(id).await?;
    Ok(Launched {
        seconds: (ended - began).as_secs_f64(),
        configuration,
    })
}

/// `ansible-playbook` as it comes: nothing is set but what it takes to reach the hosts.
struct Stock {
    folder: PathBuf,
    program: PathBuf,
}

impl Stock {
    fn prepare(
        context: &Context,
        installation: &Installation,
        ssh: &SshHosts,
        hosts: usize,
        playbook: &str,
    ) -> anyhow::Result<Self> {
        let folder = installation.folder.path().join("stock");
        fs::create_dir_all(&folder)?;
        let key = folder.join("key");
        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .stdin(Stdio::null())
            .status()?;
        ensure!(status.success(), "ssh-keygen ended with {status}");
        ssh.authorize(&fs::read_to_string(folder.join("key.pub"))?);
        let mut inventory = "[all]\n".to_owned();
        for number in 0..hosts {
            writeln!(
                inventory,
                "fleet-{number:02} ansible_host={}",
                SshHosts::address(number)
            )?;
        }
        write!(
            inventory,
            "[all:vars]\nansible_port={}\nansible_user={}\nansible_ssh_private_key_file={}\n\
             ansible_ssh_common_args=-o UserKnownHostsFile={}\nansible_python_interpreter=/usr/bin/python3\n",
            ssh.port,
            ssh.user,
            key.display(),
            folder.join("known_hosts").display()
        )?;
        fs::write(folder.join("hosts.ini"), inventory)?;
        fs::write(folder.join("site.yml"), playbook)?;
        fs::write(folder.join("ansible.cfg"), "")?;
        Ok(Self {
            folder,
            program: context.ansible_bin.join("ansible-playbook"),
        })
    }

    fn run(&self, round: usize) -> anyhow::Result<f64> {
        let output = self.folder.join("output.log");
        // Connections are kept for a minute: the next round must not find them.
        let sockets = self.folder.join(format!("cp{round}"));
        let file = fs::File::create(&output)?;
        let mut command = Command::new(&self.program);
        command
            .args(["--inventory", "hosts.ini", "--forks", &FORKS.to_string(), "site.yml"])
            .env("ANSIBLE_CONFIG", self.folder.join("ansible.cfg"))
            .env("ANSIBLE_HOME", self.folder.join("home"))
            .env("ANSIBLE_HOST_KEY_CHECKING", "False")
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", &sockets)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let took = time(&mut command, &output)?;
        for socket in fs::read_dir(&sockets).into_iter().flatten().flatten() {
            Command::new("ssh")
                .args(["-O", "exit", "-o"])
                .arg(format!("ControlPath={}", socket.path().display()))
                .arg("localhost")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
        }
        Ok(took)
    }
}
