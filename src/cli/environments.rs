//! `admiral environments …`

use super::{
    client::Client,
    failure::Hinted,
    options::GlobalOptions,
    output::{self, Format, Table},
    variables::VariableOptions,
};
use clap::Subcommand;
use serde_json::{Map, Value, json};

/// Manage environments: variables that hold wherever one is chosen.
#[derive(Debug, Subcommand)]
pub enum EnvironmentsCommand {
    /// List environments; secret values are never shown
    List,
    /// Make an environment
    Add {
        /// What to call it
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// Its variables.
        #[command(flatten)]
        variables: VariableOptions,
    },
    /// Change an environment; what is not named stays as it is
    Update {
        /// Its name or id
        environment: String,
        /// What to call it
        #[arg(long)]
        name: Option<String>,
        /// What it is for; empty takes it away
        #[arg(long)]
        description: Option<String>,
        /// Its variables.
        #[command(flatten)]
        variables: VariableOptions,
        /// Take a variable away, secret or not (repeatable)
        #[arg(long = "unset", value_name = "NAME", help_heading = "Variables")]
        unset: Vec<String>,
    },
    /// Delete an environment; deployments keep what they have
    Remove {
        /// Its name or id
        environment: String,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: EnvironmentsCommand) -> anyhow::Result<()> {
    // What has to be typed is asked for before the database is touched.
    let (variables, secrets) = match &command {
        EnvironmentsCommand::Add { variables, .. } | EnvironmentsCommand::Update { variables, .. } => {
            (variables.read()?, variables.read_secrets()?)
        }
        _ => (Map::new(), Map::new()),
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command, variables, secrets).await;
    client.close().await?;
    result
}

async fn run_with(
    client: &Client,
    format: Format,
    command: EnvironmentsCommand,
    variables: Map<String, Value>,
    mut secrets: Map<String, Value>,
) -> anyhow::Result<()> {
    match command {
        EnvironmentsCommand::List => {
            let environments = all(client).await?;
            match format {
                Format::Json => output::json(&environments),
                Format::Table if environments.is_empty() => {
                    output::say("no environments; make one with `admiral environments add NAME --var NAME=VALUE`");
                    Ok(())
                }
                Format::Table => {
                    let mut table = Table::new(&["NAME", "VARIABLES", "SECRETS", "DESCRIPTION"]);
                    for environment in &environments {
                        table.row(vec![
                            output::cell(environment.get("name")),
                            names(&environment["variables"]),
                            names(&environment["secret_variables"]),
                            output::cell(environment.get("description")),
                        ]);
                    }
                    Ok(table.print()?)
                }
            }
        }
        EnvironmentsCommand::Add { name, description, .. } => {
            let body =
                json!({"name": name, "description": description, "variables": variables, "secret_variables": secrets});
            told(format, &client.post("/api/environments", body).await?, "added")
        }
        EnvironmentsCommand::Update {
            environment,
            name,
            description,
            unset,
            ..
        } => {
            let mut before = find(client, &environment).await?;
            let mut body = json!({"base_updated_at": before["updated_at"]});
            for (field, text) in [("name", name), ("description", description)] {
                if let Some(text) = text {
                    body[field] = json!(text);
                }
            }
            let Value::Object(mut plain) = before["variables"].take() else {
                return Err(anyhow::anyhow!("the server's answer has no variables"));
            };
            // What becomes secret is plain no more, and the other way round.
            for name in secrets.keys() {
                plain.remove(name);
            }
            let known: Vec<&str> = before["secret_variables"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for name in unset
                .iter()
                .chain(variables.keys())
                .filter(|name| known.contains(&name.as_str()))
            {
                secrets.entry(name.clone()).or_insert(Value::Null);
            }
            for name in &unset {
                plain.remove(name);
            }
            plain.extend(variables);
            body["variables"] = plain.into();
            body["secret_variables"] = secrets.into();
            let changed = client.patch(&path(&before), body).await?;
            told(format, &changed, "changed")
        }
        EnvironmentsCommand::Remove { environment } => {
            let environment = find(client, &environment).await?;
            client.delete(&path(&environment)).await?;
            output::say(&format!(
                "removed environment {}",
                output::cell(environment.get("name"))
            ));
            Ok(())
        }
    }
}

/// The environment with this name or id.
pub async fn find(client: &Client, name: &str) -> anyhow::Result<Value> {
    let found = all(client)
        .await?
        .into_iter()
        .find(|one| one["name"] == name || one["id"] == name);
    found.ok_or_else(|| {
        Hinted::new(
            format!("there is no environment {name:?}"),
            "`admiral environments list` shows all of them",
        )
        .into()
    })
}

async fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut answer = client.get("/api/environments").await?;
    Ok(serde_json::from_value(answer["data"].take())?)
}

/// Names of variables, in one cell.
pub(super) fn names(variables: &Value) -> String {
    let names: Vec<&str> = match variables {
        Value::Object(variables) => variables.keys().map(String::as_str).collect(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.join(", ")
}

fn told(format: Format, environment: &Value, done: &str) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(environment);
    }
    output::say(&format!("{done} environment {}", output::cell(environment.get("name"))));
    Ok(())
}

fn path(environment: &Value) -> String {
    format!("/api/environments/{}", environment["id"].as_str().unwrap_or_default())
}
