//! `admiral deploy`: launch, watch, and exit as `ansible-playbook` does.

use super::{
    ansible_options::AnsibleOptions,
    client::{Client, Refused, is_passing},
    environments,
    failure::Hinted,
    instance::WORKER_SILENCE,
    live::{self, Outcome},
    options::GlobalOptions,
    output::{self, Format},
    playbooks, presets, servers,
    variables::{self, VariableOptions},
    versions, views,
};
use crate::domain::deployment::{Deployment, DeploymentStatus, Reason};
use serde_json::{Map, Value, json};
use std::{process::ExitCode, time::Duration};

/// The pause between two questions for a worker while the database is away.
const PAUSE_WHILE_AWAY: Duration = Duration::from_secs(1);

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

    #[command(flatten)]
    variables: VariableOptions,
    /// A file as the value of a variable, which is its path while the run goes on (repeatable)
    #[arg(long = "file", value_name = "NAME=PATH", help_heading = "Variables")]
    files: Vec<String>,
    /// An environment, by name: its variables hold where nothing else says otherwise
    #[arg(long, value_name = "NAME", help_heading = "Variables")]
    environment: Option<String>,
    /// A preset of the playbook, by name: its variables win over the environment's, its options hold where none is given here
    #[arg(long, value_name = "NAME", help_heading = "Variables")]
    preset: Option<String>,

    #[command(flatten)]
    ansible: AnsibleOptions,

    /// Run this version of the playbook's package, by number [default: the current one]
    // `version` is the id of clap's own flag.
    #[arg(id = "playbook_version", long = "playbook-version", value_name = "NUMBER")]
    playbook_version: Option<i32>,
    /// Accept what was found in an uploaded version that nobody has accepted yet
    #[arg(long)]
    acknowledge: bool,

    /// Do not watch
    #[arg(long, conflicts_with = "json")]
    detach: bool,
    /// Print what happens as JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// What was given for the variables.
struct Given {
    variables: Map<String, Value>,
    secrets: Map<String, Value>,
    files: Map<String, Value>,
}

/// Launches the deployment and watches it.
pub async fn run(global: &GlobalOptions, options: DeployOptions) -> anyhow::Result<ExitCode> {
    let given = Given {
        variables: options.variables.read()?,
        secrets: options.variables.read_secrets()?,
        files: variables::read_files(&options.files)?,
    };
    let client = Client::connect_for_playbooks(global).await?;
    let result = launch_and_watch(&client, global, &options, given).await;
    client.close().await?;
    result
}

async fn launch_and_watch(
    client: &Client,
    global: &GlobalOptions,
    options: &DeployOptions,
    given: Given,
) -> anyhow::Result<ExitCode> {
    let playbook = playbooks::find(client, &options.playbook).await?;
    let mut body = json!({
        "playbook": playbook,
        "variables": given.variables,
        "secret_variables": given.secrets,
        "files": given.files,
    });
    if options.acknowledge {
        body["acknowledge"] = json!(true);
    }
    if let Some(number) = options.playbook_version {
        body["version_id"] = versions::find(client, &playbook, number).await?;
    }
    if let Some(name) = &options.environment {
        body["environment_id"] = environments::find(client, name).await?["id"].take();
    }
    let mut ansible = options.ansible.given();
    if let Some(name) = &options.preset {
        let mut preset = presets::find(client, &playbook, name).await?;
        body["preset_id"] = preset["id"].take();
        if let (false, Value::Object(mut all)) = (ansible.is_empty(), preset["options"].take()) {
            all.extend(ansible);
            ansible = all;
        }
    }
    if !ansible.is_empty() {
        body["options"] = ansible.into();
    }
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
    let created = client
        .post("/api/deployments", body)
        .await
        .map_err(variables::hint_at_answers)
        .map_err(hint_at_review)?;
    let deployment: Deployment = serde_json::from_value(created.clone())?;
    say_warnings(&deployment);
    let json = options.json || global.output == Format::Json;
    if options.detach {
        return launched(client, &created, &deployment, global.output).await;
    }
    watch(client, &deployment, json).await
}

/// Shows what has to be accepted, and says how.
fn hint_at_review(error: anyhow::Error) -> anyhow::Error {
    let Some(Refused(problem)) = error.downcast_ref::<Refused>() else {
        return error;
    };
    if problem.code != "review_required" {
        return error;
    }
    if let Some(findings) = problem.members.get("findings").and_then(Value::as_array) {
        for finding in findings {
            output::say(&output::printable(&format!(
                "{}:{}: {}: {}",
                output::cell(finding.get("path")),
                output::cell(finding.get("line")),
                output::cell(finding.get("severity")),
                output::cell(finding.get("message"))
            )));
        }
    }
    let hint = "--acknowledge accepts this and launches; `admiral playbooks diff` shows what is new";
    Hinted::new(error.to_string(), hint).caused_by(error).into()
}

/// Prints the warnings of the launch.
pub fn say_warnings(deployment: &Deployment) {
    for warning in &deployment.warnings {
        output::say(&format!("warning: {}", output::printable(warning)));
    }
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
            let mut until_asked_again = WORKER_SILENCE;
            if let (None, Some(instance)) = (&worker, client.instance()) {
                match instance.start_worker_unless_one_is_alive().await {
                    Ok(started) => worker = started,
                    // The database is away. The worker that runs the deployment waits for it, and so does this command.
                    Err(error) if is_passing(&error) => until_asked_again = PAUSE_WHILE_AWAY,
                    Err(error) => break Err(error),
                }
            }
            if let Ok(outcome) = tokio::time::timeout(until_asked_again, &mut watching).await {
                break outcome;
            }
        }
    };
    let alone = worker.is_some();
    if let Some(worker) = worker {
        worker.stop().await;
    }
    match outcome.map_err(|error| goes_on(error, deployment.number))? {
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

/// An error that ends the watching says that the deployment goes on.
fn goes_on(error: anyhow::Error, number: i64) -> anyhow::Error {
    let hint = format!(
        "deployment #{number} goes on; `admiral deployments show {number}` shows its status, and \
         `admiral deployments watch {number}` watches it again"
    );
    Hinted::new(format!("failed to watch deployment #{number} to its end"), hint)
        .caused_by(error)
        .into()
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
    fn later_variables_win() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, br#"{"a": 1, "b": [2]}"#).unwrap();
        let path = file.path().to_str().unwrap();
        let options = parse(&["site.yml", "--all", "--vars-file", path, "--var", "a=x=y"]).unwrap();
        assert_eq!(
            Value::Object(options.variables.read().unwrap()),
            json!({"a": "x=y", "b": [2]})
        );
    }

    #[test]
    fn options_left_out_are_the_servers_or_the_presets_to_choose() {
        let options = parse(&["site.yml", "--all", "-vv", "--check"]).unwrap().ansible.given();
        assert_eq!(Value::Object(options), json!({"verbosity": 2, "check": true}));
        assert!(
            parse(&["site.yml", "--all", "--preset", "small"])
                .unwrap()
                .ansible
                .given()
                .is_empty()
        );
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
            "--controller=writable",
            "--writable-path=/srv/reports",
        ];
        let options = parse(&given).unwrap().ansible.given();
        assert_eq!(
            Value::Object(options),
            json!({"slices": 4, "accelerator": "mitogen", "allow_overlap": true, "priority": -5,
                   "controller": "writable", "writable_paths": ["/srv/reports"]})
        );
        assert!(parse(&["site.yml", "--all", "--accelerator=warp"]).is_err());
        assert!(parse(&["site.yml", "--all", "--slices=2", "--limit=web*"]).is_err());
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
