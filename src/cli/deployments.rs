//! `admiral deployments …`

use super::{
    client::{Client, with_query},
    deploy,
    options::GlobalOptions,
    output::{self, Format, Table},
    recap, slices,
};
use crate::domain::deployment::{CommandLine, Deployment, DeploymentServer};
use clap::Subcommand;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::process::ExitCode;

/// List, show, cancel and retry deployments.
#[derive(Debug, Subcommand)]
pub enum DeploymentsCommand {
    /// List deployments, newest first
    List {
        /// Only those of this status
        #[arg(long, value_parser = ["pending", "running", "completed", "failed", "cancelled"])]
        status: Option<String>,
        /// Only those whose name holds this
        #[arg(long)]
        search: Option<String>,
        /// How many
        #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        number: u16,
    },
    /// Show a deployment and its hosts
    Show {
        /// Its number or id
        deployment: String,
    },
    /// Watch a deployment until its end
    Watch {
        /// Its number or id
        deployment: String,
        /// Print what happens as JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Ask to cancel a deployment
    Cancel {
        /// Its number or id
        deployment: String,
        /// Do not let tasks finish
        #[arg(long)]
        force: bool,
    },
    /// Launch a deployment again on the hosts that failed, were unreachable or did not start
    Retry {
        /// Its number or id
        deployment: String,
        /// Do not watch
        #[arg(long)]
        detach: bool,
    },
    /// Print a deployment's raw output
    Log {
        /// Its number or id
        deployment: String,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: DeploymentsCommand) -> anyhow::Result<ExitCode> {
    let client = match &command {
        DeploymentsCommand::Watch { .. } | DeploymentsCommand::Retry { .. } => {
            Client::connect_for_playbooks(global).await?
        }
        _ => Client::connect(global).await?,
    };
    let result = run_with(&client, global.output, command).await;
    client.close().await?;
    result
}

async fn run_with(client: &Client, format: Format, command: DeploymentsCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeploymentsCommand::List { status, search, number } => {
            let number = number.to_string();
            let mut query: Vec<(&str, &str)> = vec![("per_page", &number)];
            query.extend(status.as_deref().map(|status| ("status", status)));
            query.extend(search.as_deref().map(|search| ("search", search)));
            let answer = client.get(&with_query("/api/deployments", &query)).await?;
            list(format, answer["data"].as_array().map_or(&[], Vec::as_slice))?;
        }
        DeploymentsCommand::Show { deployment } => show(client, format, &deployment).await?,
        DeploymentsCommand::Watch { deployment, json } => {
            let deployment: Deployment = serde_json::from_value(client.get(&path(&deployment)).await?)?;
            return deploy::watch(client, &deployment, json || format == Format::Json).await;
        }
        DeploymentsCommand::Cancel { deployment, force } => {
            let answer = client
                .post(&format!("{}/cancel", path(&deployment)), json!({"force": force}))
                .await?;
            match format {
                Format::Json => output::json(&answer)?,
                Format::Table => output::say(&format!("asked to cancel deployment #{}", answer["number"])),
            }
        }
        DeploymentsCommand::Retry { deployment, detach } => {
            let answer = client.post(&format!("{}/retry", path(&deployment)), json!({})).await?;
            let launched: Deployment = serde_json::from_value(answer.clone())?;
            output::say(&format!(
                "launched deployment #{} on {} hosts",
                launched.number, launched.counts.total
            ));
            deploy::say_warnings(&launched);
            if !detach {
                return deploy::watch(client, &launched, format == Format::Json).await;
            }
            if format == Format::Json {
                output::json(&answer)?;
            }
        }
        DeploymentsCommand::Log { deployment } => {
            let mut body = client
                .stream(&format!("{}/output?format=text", path(&deployment)))
                .await?;
            while let Some(chunk) = body.next().await {
                output::bytes(&chunk?)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(format: Format, deployments: &[Value]) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(&deployments),
        Format::Table if deployments.is_empty() => {
            output::say("no deployments; launch one with `admiral deploy PLAYBOOK --all`");
            Ok(())
        }
        Format::Table => Ok(Table::new(&[
            "NUMBER", "NAME", "KIND", "PLAYBOOK", "STATUS", "REASON", "HOSTS", "FAILED", "BY", "CREATED",
        ])
        .rows_of(
            deployments,
            &[
                "/number",
                "/name",
                "/kind",
                "/playbook",
                "/status",
                "/reason",
                "/counts/total",
                "/counts/failed",
                "/created_by/username",
                "/created_at",
            ],
        )
        .print()?),
    }
}

async fn show(client: &Client, format: Format, name: &str) -> anyhow::Result<()> {
    let mut value = client.get(&path(name)).await?;
    let mut rows = client.list(&format!("{}/servers", path(name)), &[]).await?;
    if format == Format::Json {
        value["servers"] = Value::Array(rows);
        return output::json(&value);
    }
    let deployment: Deployment = serde_json::from_value(value.clone())?;
    value["waiting"] = json!(
        deployment
            .waiting_for
            .iter()
            .map(|other| format!("#{} {}", other.number, other.name))
            .collect::<Vec<_>>()
    );
    if let Some(CommandLine::Shell { words, .. }) = &deployment.command {
        value["words"] = json!(words.join(" "));
    }
    output::print_fields(
        &value,
        &[
            ("Number", "/number"),
            ("Id", "/id"),
            ("Name", "/name"),
            ("Kind", "/kind"),
            ("Playbook", "/playbook"),
            ("Command", "/words"),
            ("Folder", "/command/folder"),
            ("Machine", "/command/machine"),
            ("Status", "/status"),
            ("Reason", "/reason"),
            ("Message", "/message"),
            ("Waiting for", "/waiting"),
            ("Warnings", "/warnings"),
            ("Variables", "/variables"),
            ("Secret variables", "/secret_variables"),
            ("Launched by", "/created_by/username"),
            ("Created", "/created_at"),
            ("Started", "/started_at"),
            ("Finished", "/finished_at"),
            ("Isolation", "/isolation"),
            ("Controller", "/options/controller"),
            ("Writable paths", "/options/writable_paths"),
            ("Slices", "/options/slices"),
            ("Accelerator", "/options/accelerator"),
            ("Priority", "/options/priority"),
            ("Allow overlap", "/options/allow_overlap"),
        ],
    )?;
    output::line(&format!("\n{}\n", recap::counts_in_words(&deployment.counts)))?;
    let slices = slices::count(&deployment);
    for row in &mut rows {
        let parsed: DeploymentServer = serde_json::from_value(row.clone())?;
        row["label"] = json!(slices::host_label(&parsed, slices));
    }
    Ok(Table::new(&[
        "HOST", "STATUS", "OK", "CHANGED", "FAILED", "SKIPPED", "RESCUED", "IGNORED", "TASK", "ERROR",
    ])
    .rows_of(
        &rows,
        &[
            "/label",
            "/status",
            "/ok",
            "/changed_count",
            "/failed",
            "/skipped",
            "/rescued",
            "/ignored",
            "/current_task",
            "/error_message",
        ],
    )
    .print()?)
}

fn path(deployment: &str) -> String {
    format!(
        "/api/deployments/{}",
        super::client::escape(deployment.trim_start_matches('#'))
    )
}
