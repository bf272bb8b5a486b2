//! `admiral presets …`

use super::{
    ansible_options::AnsibleOptions,
    client::{Client, with_query},
    environments::names,
    failure::Hinted,
    options::GlobalOptions,
    output::{self, Format, Table},
    playbooks,
    variables::VariableOptions,
};
use clap::Subcommand;
use serde_json::{Map, Value, json};

/// Manage presets: named variables and options of a playbook.
#[derive(Debug, Subcommand)]
pub enum PresetsCommand {
    /// List presets; secret values are never shown
    List {
        /// Only this playbook's: its id, path or file name
        playbook: Option<String>,
    },
    /// Make a preset
    Add(Box<AddPreset>),
    /// Delete a preset; deployments keep what they have
    Remove {
        /// The playbook's id, path or file name
        playbook: String,
        /// The preset's name or id
        preset: String,
    },
}

/// A preset to be made.
#[derive(Debug, clap::Args)]
pub struct AddPreset {
    /// The playbook's id, path or file name
    playbook: String,
    /// What to call the preset
    name: String,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    variables: VariableOptions,
    #[command(flatten)]
    ansible: AnsibleOptions,
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: PresetsCommand) -> anyhow::Result<()> {
    // What has to be typed is asked for before the database is touched.
    let (variables, secrets) = match &command {
        PresetsCommand::Add(add) => (add.variables.read()?, add.variables.read_secrets()?),
        _ => (Map::new(), Map::new()),
    };
    let client = Client::connect_for_playbooks(global).await?;
    let result = run_with(&client, global.output, command, variables, secrets).await;
    client.close().await?;
    result
}

async fn run_with(
    client: &Client,
    format: Format,
    command: PresetsCommand,
    variables: Map<String, Value>,
    secrets: Map<String, Value>,
) -> anyhow::Result<()> {
    match command {
        PresetsCommand::List { playbook } => {
            let playbook = match playbook {
                Some(playbook) => Some(playbooks::find(client, &playbook).await?),
                None => None,
            };
            let presets = all(client, playbook.as_deref()).await?;
            match format {
                Format::Json => output::json(&presets),
                Format::Table if presets.is_empty() => {
                    output::say("no presets; make one with `admiral presets add PLAYBOOK NAME --var NAME=VALUE`");
                    Ok(())
                }
                Format::Table => {
                    let mut table = Table::new(&["PLAYBOOK", "NAME", "VARIABLES", "SECRETS", "DESCRIPTION"]);
                    for preset in &presets {
                        table.row(vec![
                            output::cell(preset.get("playbook")),
                            output::cell(preset.get("name")),
                            names(&preset["variables"]),
                            names(&preset["secret_variables"]),
                            output::cell(preset.get("description")),
                        ]);
                    }
                    Ok(table.print()?)
                }
            }
        }
        PresetsCommand::Add(add) => {
            let body = json!({
                "playbook": playbooks::find(client, &add.playbook).await?,
                "name": add.name,
                "description": add.description,
                "variables": variables,
                "secret_variables": secrets,
                "options": add.ansible.given(),
            });
            let preset = client.post("/api/presets", body).await?;
            if format == Format::Json {
                return output::json(&preset);
            }
            output::say(&format!("added preset {}", output::cell(preset.get("name"))));
            Ok(())
        }
        PresetsCommand::Remove { playbook, preset } => {
            let playbook = playbooks::find(client, &playbook).await?;
            let preset = find(client, &playbook, &preset).await?;
            let id = preset["id"].as_str().unwrap_or_default();
            client.delete(&format!("/api/presets/{id}")).await?;
            output::say(&format!("removed preset {}", output::cell(preset.get("name"))));
            Ok(())
        }
    }
}

/// The playbook's preset with this name or id.
pub async fn find(client: &Client, playbook: &str, name: &str) -> anyhow::Result<Value> {
    let presets = all(client, Some(playbook)).await?;
    let found = presets.into_iter().find(|one| one["name"] == name || one["id"] == name);
    found.ok_or_else(|| {
        Hinted::new(
            format!("{playbook} has no preset {name:?}"),
            "`admiral presets list` shows all of them",
        )
        .into()
    })
}

async fn all(client: &Client, playbook: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let query: Vec<_> = playbook.iter().map(|playbook| ("playbook", *playbook)).collect();
    let mut answer = client.get(&with_query("/api/presets", &query)).await?;
    Ok(serde_json::from_value(answer["data"].take())?)
}
