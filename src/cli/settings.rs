//! `admiral settings …`

use super::{
    client::Client,
    failure::UsageError,
    options::GlobalOptions,
    output::{self, Format},
};
use clap::Subcommand;
use serde_json::{Map, Value};

/// Show and change what holds for the whole installation.
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// Show the settings
    List,
    /// Change settings
    Set {
        /// Such as retention_days=30 (0: for ever) or max_running_runs=8 (null: no limit)
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = assignment)]
        settings: Vec<(String, Value)>,
    },
}

/// Runs the subcommand; without one, shows the settings.
pub async fn run(global: &GlobalOptions, command: Option<SettingsCommand>) -> anyhow::Result<()> {
    let changes = match command.unwrap_or(SettingsCommand::List) {
        SettingsCommand::List => None,
        SettingsCommand::Set { settings } => Some(changes(settings)?),
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, changes).await;
    client.close().await?;
    result
}

async fn run_with(client: &Client, format: Format, changes: Option<Value>) -> anyhow::Result<()> {
    let settings = match changes {
        Some(changes) => client.patch("/api/settings", changes).await?,
        None => client.get("/api/settings").await?,
    };
    match format {
        Format::Json => output::json(&settings),
        Format::Table => {
            for (name, value) in settings.as_object().into_iter().flatten() {
                output::line(&format!("{name}={value}"))?;
            }
            Ok(())
        }
    }
}

/// `NAME=VALUE`; the value as JSON, else as text, which the API refuses by the setting's name.
fn assignment(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.trim().to_owned(), value))
}

fn changes(settings: Vec<(String, Value)>) -> anyhow::Result<Value> {
    let mut changes = Map::new();
    for (name, value) in settings {
        if changes.contains_key(&name) {
            return Err(UsageError(format!("{name} is given twice")).into());
        }
        changes.insert(name, value);
    }
    Ok(changes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_json_where_they_can_be() {
        assert_eq!(
            assignment("retention_days=30"),
            Ok(("retention_days".to_owned(), json!(30)))
        );
        assert_eq!(
            assignment("max_running_runs=null"),
            Ok(("max_running_runs".to_owned(), json!(null)))
        );
        assert_eq!(assignment("x=a=b"), Ok(("x".to_owned(), json!("a=b"))));
        assert!(assignment("retention_days").is_err());
        assert!(changes(vec![("a".to_owned(), json!(1)), ("a".to_owned(), json!(2))]).is_err());
    }
}
