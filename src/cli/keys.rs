//! `admiral keys …`

use super::{
    client::Client,
    failure::Hinted,
    input,
    options::GlobalOptions,
    output::{self, Format, Table},
};
use clap::Subcommand;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// Manage SSH private keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Store a private key
    Add {
        /// What to call it
        name: String,
        /// The private key, in OpenSSH or PEM form; `-` reads stdin
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The key has a passphrase, which this file holds
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// The key has a passphrase; ask for it
        #[arg(long, conflicts_with = "passphrase_file")]
        ask_passphrase: bool,
    },
    /// Generate an ed25519 key and print its public half
    Generate {
        /// What to call it
        name: String,
        /// The public key's comment
        #[arg(long)]
        comment: Option<String>,
    },
    /// List keys
    List,
    /// Show one key; the private half is never shown
    Show {
        /// Its name or id
        key: String,
        /// Print only the public key, as for authorized_keys
        #[arg(long)]
        public: bool,
    },
    /// Rename a key
    Rename {
        /// Its name or id
        key: String,
        /// What to call it
        name: String,
    },
    /// Delete a key that no server uses
    Delete {
        /// Its name or id
        key: String,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: KeysCommand) -> anyhow::Result<()> {
    // What has to be typed is asked for before the database is touched.
    let passphrase = match &command {
        KeysCommand::Add {
            passphrase_file: Some(path),
            ..
        } => Some(input::read_secret(path, false)?),
        KeysCommand::Add {
            ask_passphrase: true, ..
        } => Some(input::ask_secret("passphrase of the key")?),
        _ => None,
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command, passphrase).await;
    client.close().await?;
    result
}

async fn run_with(
    client: &Client,
    format: Format,
    command: KeysCommand,
    passphrase: Option<secrecy::SecretString>,
) -> anyhow::Result<()> {
    match command {
        KeysCommand::Add { name, file, .. } => {
            let text = input::read_text(&file)?;
            let mut body = json!({"name": name, "private_key": text.as_str()});
            if let Some(passphrase) = passphrase {
                body["passphrase"] = json!(passphrase.expose_secret());
            }
            let key = client.post("/api/keys", body).await?;
            made(format, &key, "added")
        }
        KeysCommand::Generate { name, comment } => {
            let mut body = json!({"name": name});
            if let Some(comment) = comment {
                body["comment"] = json!(comment);
            }
            let key = client.post("/api/keys/generate", body).await?;
            made(format, &key, "generated")
        }
        KeysCommand::List => {
            let keys = client.list("/api/keys", &[]).await?;
            match format {
                Format::Json => output::json(&keys),
                Format::Table if keys.is_empty() => {
                    output::say("no keys; make one with `admiral keys generate NAME`");
                    Ok(())
                }
                Format::Table => Ok(Table::new(&["NAME", "TYPE", "FINGERPRINT", "SERVERS", "CREATED"])
                    .rows_of(
                        &keys,
                        &["/name", "/key_type", "/fingerprint", "/servers", "/created_at"],
                    )
                    .print()?),
            }
        }
        KeysCommand::Show { key, public } => {
            let key = find(client, &key).await?;
            match format {
                _ if public => Ok(output::line(&output::cell(key.get("public_key")))?),
                Format::Json => output::json(&key),
                Format::Table => Ok(output::print_fields(
                    &key,
                    &[
                        ("Id", "/id"),
                        ("Name", "/name"),
                        ("Type", "/key_type"),
                        ("Bits", "/bits"),
                        ("Fingerprint", "/fingerprint"),
                        ("Public key", "/public_key"),
                        ("Has a passphrase", "/has_passphrase"),
                        ("Servers", "/servers"),
                        ("Created", "/created_at"),
                    ],
                )?),
            }
        }
        KeysCommand::Rename { key, name } => {
            let key = client
                .patch(&path(&find(client, &key).await?), json!({"name": name}))
                .await?;
            output::say(&format!("renamed to {}", output::cell(key.get("name"))));
            Ok(())
        }
        KeysCommand::Delete { key } => {
            let key = find(client, &key).await?;
            client.delete(&path(&key)).await?;
            output::say(&format!("deleted {}", output::cell(key.get("name"))));
            Ok(())
        }
    }
}

/// The key with this name or id.
pub async fn find(client: &Client, name: &str) -> anyhow::Result<Value> {
    if let Ok(id) = name.parse::<Uuid>() {
        return client.get(&format!("/api/keys/{id}")).await;
    }
    let keys = client.list("/api/keys", &[]).await?;
    keys.into_iter().find(|key| key["name"] == name).ok_or_else(|| {
        Hinted::new(
            format!("there is no key {name:?}"),
            "`admiral keys list` shows all of them",
        )
        .into()
    })
}

fn made(format: Format, key: &Value, done: &str) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(key);
    }
    output::say(&format!(
        "{done} key {} {}",
        output::cell(key.get("name")),
        output::cell(key.get("fingerprint"))
    ));
    Ok(output::line(&output::cell(key.get("public_key")))?)
}

fn path(key: &Value) -> String {
    format!("/api/keys/{}", key["id"].as_str().unwrap_or_default())
}
