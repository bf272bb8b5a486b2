//! `admiral deploy`: launch, watch, and exit as `ansible-playbook` does.

use super::{
    client::Client,
    failure::UsageError,
    input,
    instance::WORKER_SILENCE,
    live::{self, Outcome},
    options::GlobalOptions,
    output::{self, Format},
    playbooks, servers, views,
};
use crate::domain::deployment::{Accelerator, Deployment, DeploymentStatus, Reason};
use clap::builder::PossibleValuesParser;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Options of `admiral deploy`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("target").required(true).multiple(true))]
pub struct DeployOptions {
    /// The playbook's id, path or file name, as `admiral playbooks list` shows it
    playbook: String,

    /// A server, by hostname or number (repeatable)
    #[arg(long = "host", value_name = "NAME", group = "target", help_heading = "Targets")]
    hosts: Vec<String>,
    /// A server, by id (repeatable)
    #[arg(long = "server-id", value_name = "ID", group = "target", help_heading = "Targets")]
    server_ids: Vec<uuid::Uuid>,
    /// The servers that have all of these tags (repeatable)
    #[arg(long = "tag", value_name = "TAG", group = "target", conflicts_with_all = ["hosts", "server_ids", "all"], help_heading = "Targets")]
    tags: Vec<String>,
    /// All active servers
    #[arg(long, group = "target", conflicts_with_all = ["hosts", "server_ids"], help_heading = "Targets")]
    all: bool,

    /// What to call the deployment [default: the playbook's name]
    #[arg(long)]
    name: Option<String>,
    /// Why it is made
    #[arg(long)]
    description: Option<String>,

    /// An extra variable, as text (repeatable)
    #[arg(long = "var", value_name = "NAME=VALUE", help_heading = "Variables")]
    variables: Vec<String>,
    /// A file with one JSON object of extra variables; `-` reads stdin
    #[arg(long = "vars-file", value_name = "FILE", help_heading = "Variables")]
    variable_files: Vec<PathBuf>,
    /// A secret variable: from a file, or with NAME alone from ADMIRAL_SECRET_NAME or a prompt (repeatable)
    #[arg(long = "secret-var", value_name = "NAME=@FILE|NAME", help_heading = "Variables")]
    secret_variables: Vec<String>,

    /// Predict changes without making them
    #[arg(long, short = 'C', help_heading = "Ansible")]
    check: bool,
    /// Show differences in changed files
    #[arg(long, short = 'D', help_heading = "Ansible")]
    diff: bool,
    /// Hosts at a time [default: 50]
    #[arg(long, short = 'f', value_name = "NUMBER", help_heading = "Ansible")]
    forks: Option<u32>,
    /// A host pattern that narrows the targets further
    #[arg(long, short = 'l', value_name = "PATTERN", help_heading = "Ansible")]
    limit: Option<String>,
    /// Run only tasks with this tag (repeatable)
    #[arg(long = "task-tag", value_name = "TAG", help_heading = "Ansible")]
    task_tags: Vec<String>,
    /// Leave out tasks with this tag (repeatable)
    #[arg(long = "skip-task-tag", value_name = "TAG", help_heading = "Ansible")]
    skip_task_tags: Vec<String>,
    /// Begin at the task of this name
    #[arg(long, value_name = "NAME", help_heading = "Ansible")]
    start_at_task: Option<String>,
    /// More output (repeatable)
    #[arg(long, short = 'v', action = clap::ArgAction::Count, help_heading = "Ansible")]
    verbose: u8,
    /// Become root on the servers
    #[arg(long = "become", short = 'b', help_heading = "Ansible")]
    become_: bool,
    /// End the run after this many seconds [default: 3600]
    #[arg(long = "timeout", value_name = "SECONDS", help_heading = "Ansible")]
    timeout_seconds: Option<u32>,

    /// Share the servers out to this many runs side by side, 1 to 100 [default: 1]
    ///
    /// Each slice is a run of `ansible-playbook` on its own part of the servers, on any worker. So `run_once`, `serial` and plays
    /// on `localhost` count for each slice, and `groups` and `hostvars` hold the servers of the slice alone.
    #[arg(
        long,
        value_name = "NUMBER",
        conflicts_with = "limit",
        help_heading = "How it is carried out"
    )]
    slices: Option<u32>,
    /// What makes Ansible quicker [default: what the playbook says, else none]
    ///
    /// `mitogen` keeps a Python on each server for the whole run instead of starting one for each task. It needs Python on the
    /// servers also for `raw`, and becomes other users with sudo, su and doas only; what it cannot do is refused at the launch.
    #[arg(long, value_name = "NAME", value_parser = accelerator(), help_heading = "How it is carried out")]
    accelerator: Option<String>,
    /// Begin even while another deployment is at work on the same servers
    #[arg(long, help_heading = "How it is carried out")]
    allow_overlap: bool,
    /// Begin before waiting deployments of a lower priority, -100 to 100 [default: 0]
    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        help_heading = "How it is carried out"
    )]
    priority: Option<i32>,

    /// Do not watch
    #[arg(long, conflicts_with = "json")]
    detach: bool,
    /// Print what happens as JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// Launches the deployment and watches it.
pub async fn run(global: &GlobalOptions, options: DeployOptions) -> anyhow::Result<ExitCode> {
    let variables = read_variables(&options)?;
    let secrets = read_secrets(&options.secret_variables)?;
    let client = Client::connect_for_playbooks(global).await?;
    let result = launch_and_watch(&client, global, &options, variables, secrets).await;
    client.close().await?;
    result
}

async fn launch_and_watch(
    client: &Client,
    global: &GlobalOptions,
    options: &DeployOptions,
    variables: Map<String, Value>,
    secrets: Map<String, Value>,
) -> anyhow::Result<ExitCode> {
    let mut body = json!({
        "playbook": playbooks::find(client, &options.playbook).await?,
        "variables": variables,
        "secret_variables": secrets,
        "options": ansible_options(options),
    });
    for (field, text) in [("name", &options.name), ("description", &options.description)] {
        if let Some(text) = text {
            body[field] = json!(text);
        }
    }
    if options.all {
        body["all"] = json!(true);
    } else if !options.tags.is_empty() {
        body["tags"] = json!(options.tags);
    } else {
        let mut ids: Vec<Value> = options.server_ids.iter().map(|id| json!(id)).collect();
        for host in &options.hosts {
            ids.push(servers::find(client, host).await?["id"].take());
        }
        body["server_ids"] = json!(ids);
    }
    let created = client.post("/api/deployments", body).await?;
    let deployment: Deployment = serde_json::from_value(created.clone())?;
    let json = options.json || global.output == Format::Json;
    if options.detach {
        return launched(client, &created, &deployment, global.output).await;
    }
    watch(client, &deployment, json).await
}

/// Watches a deployment until its end, with a worker in this process when no other is there to carry it out.
pub async fn watch(client: &Client, deployment: &Deployment, json: bool) -> anyhow::Result<ExitCode> {
    let mut worker = None;
    let mut view = views::choose(json);
    let outcome = {
        let watching = live::watch(client, deployment.id, view.as_mut());
        tokio::pin!(watching);
        loop {
            // Asked again and again: a server that has just died still looks alive for a moment.
            if let (None, Some(instance)) = (&worker, client.instance()) {
                worker = instance.start_worker_unless_one_is_alive().await?;
            }
            if let Ok(outcome) = tokio::time::timeout(WORKER_SILENCE, &mut watching).await {
                break outcome;
            }
        }
    };
    let alone = worker.is_some();
    if let Some(worker) = worker {
        worker.stop().await;
    }
    match outcome? {
        Outcome::Ended(deployment) => {
            if !json {
                super::recap::print(client, &deployment).await?;
            }
            Ok(ExitCode::from(exit_code(deployment.status, deployment.reason)))
        }
        Outcome::Detached => {
            let number = deployment.number;
            output::say(&format!("detached; deployment #{number} goes on"));
            output::say(&if alone {
                format!("`admiral serve` stores what it does from here; then `admiral deployments show {number}`")
            } else {
                format!("see how it stands with `admiral deployments show {number}`")
            });
            Ok(ExitCode::from(130))
        }
    }
}

async fn launched(
    client: &Client,
    created: &Value,
    deployment: &Deployment,
    format: Format,
) -> anyhow::Result<ExitCode> {
    match format {
        Format::Json => output::json(created)?,
        Format::Table => {
            output::say(&format!(
                "launched deployment #{} on {} hosts",
                deployment.number, deployment.counts.total
            ));
            output::line(&deployment.id.to_string())?;
        }
    }
    if let Some(instance) = client.instance()
        && !instance.worker_is_alive().await?
    {
        output::say("\nhint: no worker is running; start `admiral serve` to carry it out");
    }
    Ok(ExitCode::SUCCESS)
}

/// As `ansible-playbook` exits: 0 ok, 2 failed hosts, 4 unreachable hosts, 99 interrupted, 1 any other error.
pub fn exit_code(status: DeploymentStatus, reason: Option<Reason>) -> u8 {
    match (status, reason) {
        (DeploymentStatus::Completed, _) => 0,
        (DeploymentStatus::Cancelled, _) | (_, Some(Reason::CancelledByUser)) => 99,
        (_, Some(Reason::HostsFailed)) => 2,
        (_, Some(Reason::HostsUnreachable)) => 4,
        _ => 1,
    }
}

fn ansible_options(options: &DeployOptions) -> Value {
    let mut body = json!({
        "check": options.check,
        "diff": options.diff,
        "tags": options.task_tags,
        "skip_tags": options.skip_task_tags,
        "verbosity": options.verbose,
        "become": options.become_,
        "allow_overlap": options.allow_overlap,
    });
    for (field, number) in [
        ("forks", options.forks.map(i64::from)),
        ("timeout_seconds", options.timeout_seconds.map(i64::from)),
        ("slices", options.slices.map(i64::from)),
        ("priority", options.priority.map(i64::from)),
    ] {
        if let Some(number) = number {
            body[field] = json!(number);
        }
    }
    for (field, text) in [
        ("limit", &options.limit),
        ("start_at_task", &options.start_at_task),
        ("accelerator", &options.accelerator),
    ] {
        if let Some(text) = text {
            body[field] = json!(text);
        }
    }
    body
}

fn accelerator() -> PossibleValuesParser {
    PossibleValuesParser::new(Accelerator::ALL.iter().map(|known| known.as_str()))
}

fn read_variables(options: &DeployOptions) -> anyhow::Result<Map<String, Value>> {
    let mut variables = Map::new();
    for file in &options.variable_files {
        variables.extend(input::read_object(file)?);
    }
    for pair in &options.variables {
        let (name, value) = input::name_and_value("--var", pair)?;
        variables.insert(name.to_owned(), json!(value));
    }
    Ok(variables)
}

fn read_secrets(options: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut secrets = Map::new();
    for option in options {
        let (name, secret) = match option.split_once('=') {
            Some((name, value)) => match value.strip_prefix('@') {
                Some(file) => (name, input::read_secret(Path::new(file), true)?),
                None => {
                    return Err(UsageError(format!(
                        "--secret-var {name}=… would show the secret to every user of this machine; give {name}=@FILE, or {name} alone"
                    ))
                    .into());
                }
            },
            None => match std::env::var(format!("ADMIRAL_SECRET_{option}")) {
                Ok(secret) => (option.as_str(), secret.into()),
                Err(_) => (option.as_str(), input::ask_secret(&format!("value of {option}"))?),
            },
        };
        secrets.insert(name.to_owned(), json!(secret.expose_secret()));
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Harness {
        #[command(flatten)]
        options: DeployOptions,
    }

    fn parse(arguments: &[&str]) -> Result<DeployOptions, clap::Error> {
        Harness::try_parse_from(std::iter::once(&"deploy").chain(arguments)).map(|harness| harness.options)
    }

    #[test]
    fn one_way_to_name_the_targets_is_needed() {
        assert!(parse(&["site.yml"]).is_err());
        assert!(parse(&["site.yml", "--all", "--tag", "web"]).is_err());
        assert!(parse(&["site.yml", "--tag", "web", "--tag", "eu"]).is_ok());
        assert!(parse(&["site.yml", "--host", "a", "--host", "b"]).is_ok());
    }

    #[test]
    fn options_left_out_are_the_servers_to_choose() {
        let options = ansible_options(&parse(&["site.yml", "--all", "-vv", "--check"]).unwrap());
        assert_eq!(options["verbosity"], 2);
        assert_eq!(options["check"], true);
        assert_eq!(options.get("forks"), None);
        assert_eq!(options.get("limit"), None);
        assert_eq!(options.get("slices"), None);
        assert_eq!(options.get("accelerator"), None);
    }

    #[test]
    fn how_it_is_carried_out_is_passed_on() {
        let given = [
            "site.yml",
            "--all",
            "--slices=4",
            "--accelerator=mitogen",
            "--allow-overlap",
            "--priority",
            "-5",
        ];
        let options = ansible_options(&parse(&given).unwrap());
        assert_eq!(options["slices"], 4);
        assert_eq!(options["accelerator"], "mitogen");
        assert_eq!(options["allow_overlap"], true);
        assert_eq!(options["priority"], -5);
        assert!(parse(&["site.yml", "--all", "--accelerator=warp"]).is_err());
        assert!(parse(&["site.yml", "--all", "--slices=2", "--limit=web*"]).is_err());
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused() {
        let error = read_secrets(&["password=hunter2".to_owned()]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(super::super::failure::exit_code(&error), 2);
    }

    #[test]
    fn later_variables_win() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, br#"{"a": 1, "b": [2]}"#).unwrap();
        let path = file.path().to_str().unwrap();
        let options = parse(&["site.yml", "--all", "--vars-file", path, "--var", "a=x=y"]).unwrap();
        assert_eq!(
            Value::Object(read_variables(&options).unwrap()),
            json!({"a": "x=y", "b": [2]})
        );
    }

    #[test]
    fn exit_codes_are_ansibles() {
        assert_eq!(exit_code(DeploymentStatus::Completed, None), 0);
        assert_eq!(exit_code(DeploymentStatus::Failed, Some(Reason::HostsFailed)), 2);
        assert_eq!(exit_code(DeploymentStatus::Failed, Some(Reason::HostsUnreachable)), 4);
        assert_eq!(exit_code(DeploymentStatus::Failed, Some(Reason::TimedOut)), 1);
        assert_eq!(
            exit_code(DeploymentStatus::Cancelled, Some(Reason::CancelledByUser)),
            99
        );
    }
}
