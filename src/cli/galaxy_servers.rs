//! `admiral galaxy-servers …`

use super::{
    client::Client,
    failure::{Hinted, UsageError},
    input,
    options::GlobalOptions,
    output::{self, Format, Table},
};
use clap::Subcommand;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Manage the servers that roles and collections are fetched from.
#[derive(Debug, Subcommand)]
pub enum GalaxyServersCommand {
    /// List them in the order in which they are asked
    List,
    /// Add one; as soon as there is one, only those that were added are asked
    Add {
        /// What to call it; requirements may name it as their source
        name: String,
        /// Where it is
        #[arg(long, value_name = "URL")]
        url: String,
        /// Where it gets tokens from (Keycloak)
        #[arg(long, value_name = "URL")]
        auth_url: Option<String>,
        /// Lower ones are asked first [default: after all others]
        #[arg(long)]
        position: Option<i32>,
        /// Where the token comes from
        #[command(flatten)]
        token: TokenSource,
    },
    /// Change one
    Update {
        /// Its name or id
        galaxy_server: String,
        /// What to call it
        #[arg(long)]
        name: Option<String>,
        /// Where it is
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Where it gets tokens from (Keycloak)
        #[arg(long, value_name = "URL")]
        auth_url: Option<String>,
        /// Lower ones are asked first
        #[arg(long)]
        position: Option<i32>,
        /// Where the token comes from
        #[command(flatten)]
        token: TokenSource,
        /// Forget the token
        #[arg(long, conflicts_with = "TokenSource")]
        no_token: bool,
    },
    /// Remove one
    Remove {
        /// Its name or id
        galaxy_server: String,
    },
}

/// Where the token comes from. Never the arguments: other users of the machine can read those.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct TokenSource {
    /// Holds the token; `-` reads stdin
    #[arg(long = "galaxy-token-file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// The environment variable that holds the token
    #[arg(long = "galaxy-token-env", value_name = "VARIABLE")]
    variable: Option<String>,
    /// Ask for the token
    #[arg(long = "ask-galaxy-token")]
    ask: bool,
}

impl TokenSource {
    fn read(&self) -> anyhow::Result<Option<SecretString>> {
        if let Some(path) = &self.file {
            return input::read_secret(path, false).map(Some);
        }
        if let Some(variable) = &self.variable {
            return std::env::var(variable)
                .map(|token| Some(SecretString::from(token)))
                .map_err(|_| UsageError(format!("the environment has no text {variable}")).into());
        }
        self.ask
            .then(|| input::ask_secret("token of the Galaxy server"))
            .transpose()
    }
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: GalaxyServersCommand) -> anyhow::Result<()> {
    // What has to be typed is asked for before the database is touched.
    let token = match &command {
        GalaxyServersCommand::Add { token, .. } | GalaxyServersCommand::Update { token, .. } => token.read()?,
        GalaxyServersCommand::List | GalaxyServersCommand::Remove { .. } => None,
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command, token).await;
    client.close().await?;
    result
}

async fn run_with(
    client: &Client,
    format: Format,
    command: GalaxyServersCommand,
    token: Option<SecretString>,
) -> anyhow::Result<()> {
    let mut body = Map::new();
    let mut set = |field: &str, value: Value| {
        if !value.is_null() {
            body.insert(field.to_owned(), value);
        }
    };
    set("token", json!(token.as_ref().map(secrecy::ExposeSecret::expose_secret)));
    let (stored, done) = match command {
        GalaxyServersCommand::List => return list(client, format).await,
        GalaxyServersCommand::Add {
            name,
            url,
            auth_url,
            position,
            ..
        } => {
            for (field, value) in [
                ("name", json!(name)),
                ("url", json!(url)),
                ("auth_url", json!(auth_url)),
                ("position", json!(position)),
            ] {
                set(field, value);
            }
            (client.post("/api/galaxy-servers", Value::Object(body)).await?, "added")
        }
        GalaxyServersCommand::Update {
            galaxy_server,
            name,
            url,
            auth_url,
            position,
            no_token,
            ..
        } => {
            for (field, value) in [
                ("name", json!(name)),
                ("url", json!(url)),
                ("auth_url", json!(auth_url)),
                ("position", json!(position)),
            ] {
                set(field, value);
            }
            if no_token {
                body.insert("token".to_owned(), Value::Null);
            }
            let found = find(client, &galaxy_server).await?;
            (client.patch(&path(&found), Value::Object(body)).await?, "changed")
        }
        GalaxyServersCommand::Remove { galaxy_server } => {
            let found = find(client, &galaxy_server).await?;
            client.delete(&path(&found)).await?;
            output::say(&format!("removed {}", output::cell(found.get("name"))));
            return Ok(());
        }
    };
    if format == Format::Json {
        return output::json(&stored);
    }
    output::say(&format!("{done} {}", output::cell(stored.get("name"))));
    Ok(())
}

async fn list(client: &Client, format: Format) -> anyhow::Result<()> {
    let servers = rows(client).await?;
    match format {
        Format::Json => output::json(&servers),
        Format::Table if servers.is_empty() => {
            output::say("no Galaxy servers: those of a project's ansible.cfg are asked, or galaxy.ansible.com");
            Ok(())
        }
        Format::Table => Ok(Table::new(&["NAME", "URL", "AUTH URL", "TOKEN", "POSITION"])
            .rows_of(&servers, &["/name", "/url", "/auth_url", "/has_token", "/position"])
            .print()?),
    }
}

async fn find(client: &Client, name: &str) -> anyhow::Result<Value> {
    let servers = rows(client).await?;
    let found = servers
        .into_iter()
        .find(|server| server["id"] == name || server["name"] == name);
    found.ok_or_else(|| {
        Hinted::new(
            format!("there is no Galaxy server {name:?}"),
            "`admiral galaxy-servers list` shows all of them",
        )
        .into()
    })
}

async fn rows(client: &Client) -> anyhow::Result<Vec<Value>> {
    let answer = client.get("/api/galaxy-servers").await?;
    Ok(answer["data"].as_array().cloned().unwrap_or_default())
}

fn path(server: &Value) -> String {
    format!("/api/galaxy-servers/{}", server["id"].as_str().unwrap_or_default())
}
