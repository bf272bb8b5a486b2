//! `admiral vault-passwords …`

use super::{
    client::Client,
    failure::{Hinted, UsageError},
    input,
    options::GlobalOptions,
    output::{self, Format, Table},
};
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Manage the passwords that files of `ansible-vault` are read with.
#[derive(Debug, Subcommand)]
pub enum VaultPasswordsCommand {
    /// List them; the passwords themselves are never shown
    List,
    /// Store one
    Add {
        /// What stands before the @ of --vault-id; `default` for files that name none
        vault_id: String,
        /// Only for this package [default: for all of them]
        #[arg(long, value_name = "NAME")]
        package: Option<String>,
        /// Where the password comes from
        #[command(flatten)]
        source: SecretSource,
    },
    /// Store another password for the same vault id
    Update {
        /// Its vault id, or its id
        vault_id: String,
        /// The one of this package
        #[arg(long, value_name = "NAME")]
        package: Option<String>,
        /// Where the password comes from
        #[command(flatten)]
        source: SecretSource,
    },
    /// Forget one
    Remove {
        /// Its vault id, or its id
        vault_id: String,
        /// The one of this package
        #[arg(long, value_name = "NAME")]
        package: Option<String>,
    },
}

/// Where the password comes from; it is asked for otherwise. Never the arguments: other users of the machine can read those.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct SecretSource {
    /// Holds the password; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The environment variable that holds the password
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,
}

impl SecretSource {
    fn read(&self, vault_id: &str) -> anyhow::Result<SecretString> {
        if let Some(path) = &self.password_file {
            return input::read_secret(path, true);
        }
        if let Some(variable) = &self.password_env {
            return std::env::var(variable)
                .map(SecretString::from)
                .map_err(|_| UsageError(format!("the environment has no text {variable}")).into());
        }
        input::ask_new_password(&format!("the vault id {vault_id}"))
    }
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: VaultPasswordsCommand) -> anyhow::Result<()> {
    // What has to be typed is asked for before the database is touched.
    let password = match &command {
        VaultPasswordsCommand::Add { vault_id, source, .. }
        | VaultPasswordsCommand::Update { vault_id, source, .. } => Some(source.read(vault_id)?),
        VaultPasswordsCommand::List | VaultPasswordsCommand::Remove { .. } => None,
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command, password).await;
    client.close().await?;
    result
}

async fn run_with(
    client: &Client,
    format: Format,
    command: VaultPasswordsCommand,
    password: Option<SecretString>,
) -> anyhow::Result<()> {
    let password = password.as_ref().map(ExposeSecret::expose_secret);
    let stored = match command {
        VaultPasswordsCommand::List => return list(client, format).await,
        VaultPasswordsCommand::Add { vault_id, package, .. } => {
            let mut body = json!({"vault_id": vault_id, "password": password});
            if let Some(package) = package {
                body["package_id"] = find_package(client, &package).await?["id"].clone();
            }
            client.post("/api/vault-passwords", body).await?
        }
        VaultPasswordsCommand::Update { vault_id, package, .. } => {
            let found = find(client, &vault_id, package.as_deref()).await?;
            client.patch(&path(&found), json!({"password": password})).await?
        }
        VaultPasswordsCommand::Remove { vault_id, package } => {
            let found = find(client, &vault_id, package.as_deref()).await?;
            client.delete(&path(&found)).await?;
            output::say(&format!(
                "removed the password of {}",
                output::cell(found.get("vault_id"))
            ));
            return Ok(());
        }
    };
    if format == Format::Json {
        return output::json(&stored);
    }
    let whom = stored["package"]["name"].as_str().map(|name| format!(" in {name}"));
    output::say(&format!(
        "stored the password of {}{}",
        output::cell(stored.get("vault_id")),
        whom.unwrap_or_default()
    ));
    Ok(())
}

async fn list(client: &Client, format: Format) -> anyhow::Result<()> {
    let answer = client.get("/api/vault-passwords").await?;
    let passwords = rows(&answer);
    match format {
        Format::Json => output::json(&passwords),
        Format::Table if passwords.is_empty() => {
            output::say("no vault passwords; store one with `admiral vault-passwords add VAULT_ID`");
            Ok(())
        }
        Format::Table => Ok(Table::new(&["VAULT ID", "PACKAGE", "CHANGED"])
            .rows_of(passwords, &["/vault_id", "/package/name", "/updated_at"])
            .print()?),
    }
}

async fn find(client: &Client, vault_id: &str, package: Option<&str>) -> anyhow::Result<Value> {
    let package = match package {
        Some(name) => Some(find_package(client, name).await?["id"].clone()),
        None => None,
    };
    let answer = client.get("/api/vault-passwords").await?;
    rows(&answer)
        .iter()
        .find(|row| {
            row["id"] == vault_id
                || row["vault_id"] == vault_id
                    && package.as_ref().unwrap_or(&Value::Null) == row.pointer("/package/id").unwrap_or(&Value::Null)
        })
        .cloned()
        .ok_or_else(|| {
            Hinted::new(
                format!("there is no password of the vault id {vault_id:?}"),
                "`admiral vault-passwords list` shows all of them; --package names the package of one that is for it alone",
            )
            .into()
        })
}

/// The package with this name, `ORIGIN/NAME` or id.
async fn find_package(client: &Client, name: &str) -> anyhow::Result<Value> {
    let answer = client.get("/api/packages").await?;
    let found: Vec<&Value> = rows(&answer)
        .iter()
        .filter(|package| {
            let (origin, own) = (output::cell(package.get("origin")), output::cell(package.get("name")));
            package["id"] == name || own == name || format!("{origin}/{own}") == name
        })
        .collect();
    match found.as_slice() {
        [package] => Ok((*package).clone()),
        [] => Err(Hinted::new(
            format!("there is no package {name:?}"),
            "a package is the folder that its playbooks are in, or what was uploaded",
        )
        .into()),
        _ => Err(UsageError(format!("{name:?} names several packages: say ORIGIN/{name}")).into()),
    }
}

fn rows(answer: &Value) -> &[Value] {
    answer["data"].as_array().map_or(&[], Vec::as_slice)
}

fn path(password: &Value) -> String {
    format!("/api/vault-passwords/{}", password["id"].as_str().unwrap_or_default())
}
