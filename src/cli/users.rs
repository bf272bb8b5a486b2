//! `admiral users …`

use super::{
    client::Client,
    failure::{Hinted, UsageError},
    input,
    options::GlobalOptions,
    output::{self, Format, Table},
};
use crate::{
    auth::first_account::{self, LinkFile},
    domain::audit::AuditEntry,
    store::audit,
};
use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Manage users.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Add a user
    Add {
        /// The name to sign in with
        username: String,
        /// What they may do
        #[arg(long, default_value = "operator", value_parser = ROLES)]
        role: String,
        /// Where the password comes from
        #[command(flatten)]
        password: PasswordOptions,
    },
    /// List users
    List,
    /// Change a user
    ///
    /// A new password ends all of the user's sessions and revokes all their API tokens and sign-in links. `admiral password` changes your own.
    Set {
        /// The name to sign in with
        username: String,
        /// What they may do
        #[arg(long, value_parser = ROLES)]
        role: Option<String>,
        /// Where the password comes from
        #[command(flatten)]
        password: PasswordOptions,
        /// Keep them out
        #[arg(long)]
        disable: bool,
        /// Let them in again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
    },
    /// Delete a user
    Delete {
        /// The name to sign in with
        username: String,
    },
    /// Print a link that signs a user in, once
    SignInLink {
        /// The name to sign in with
        username: String,
        /// The console's address; without it, and without --server, only the path behind it is printed
        #[arg(long, value_name = "URL")]
        console: Option<String>,
    },
    /// Make a new link for the first account, while there is none; the earlier link stops working
    SetupLink {
        /// The console's address; without it only the path behind it is printed
        #[arg(long, value_name = "URL")]
        console: Option<String>,
    },
}

/// The roles there are.
pub const ROLES: [&str; 4] = ["admin", "operator", "viewer", "auditor"];

/// Where a password comes from. Never from the arguments: other users of the machine can read those.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct PasswordOptions {
    /// Holds the password; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Ask for the password
    #[arg(long)]
    password: bool,
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: UsersCommand) -> anyhow::Result<()> {
    let password = match &command {
        UsersCommand::Add { username, password, .. } | UsersCommand::Set { username, password, .. } => {
            read_password(username, password)?
        }
        _ => None,
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global, command, password).await;
    client.close().await?;
    result
}

async fn run_with(
    client: &Client,
    global: &GlobalOptions,
    command: UsersCommand,
    password: Option<SecretString>,
) -> anyhow::Result<()> {
    let format = global.output;
    match command {
        UsersCommand::Add { username, role, .. } => {
            let mut body = json!({"username": username, "role": role});
            if let Some(password) = &password {
                body["password"] = json!(password.expose_secret());
            }
            let user = client.post("/api/users", body).await?;
            if format == Format::Json {
                return output::json(&user);
            }
            output::say(&format!("added {role} {username}"));
            if password.is_none() {
                output::say(&format!(
                    "they have no password yet: `admiral users sign-in-link {username}` lets them in"
                ));
            }
            Ok(())
        }
        UsersCommand::List => {
            let users = client.list("/api/users", &[]).await?;
            match format {
                Format::Json => output::json(&users),
                Format::Table => Ok(Table::new(&["USERNAME", "ROLE", "DISABLED", "CREATED"])
                    .rows_of(&users, &["/username", "/role", "/disabled", "/created_at"])
                    .print()?),
            }
        }
        UsersCommand::Set {
            username,
            role,
            disable,
            enable,
            ..
        } => {
            let user = find(client, &username).await?;
            let mut body = Map::new();
            if let Some(role) = role {
                body.insert("role".to_owned(), json!(role));
            }
            if let Some(password) = &password {
                body.insert("password".to_owned(), json!(password.expose_secret()));
            }
            if disable || enable {
                body.insert("disabled".to_owned(), json!(disable));
            }
            if body.is_empty() {
                return Err(UsageError("nothing to change was given".to_owned()).into());
            }
            let user = client.patch(&path(&user), Value::Object(body)).await?;
            if format == Format::Json {
                return output::json(&user);
            }
            output::say(&format!("changed {username}"));
            if password.is_some() {
                output::say("their sessions have ended, and their API tokens and sign-in links are revoked");
            }
            Ok(())
        }
        UsersCommand::Delete { username } => {
            client.delete(&path(&find(client, &username).await?)).await?;
            output::say(&format!("deleted {username}"));
            Ok(())
        }
        UsersCommand::SignInLink { username, console } => {
            let user = find(client, &username).await?;
            let link = client.post(&format!("{}/sign-in-link", path(&user)), json!({})).await?;
            if format == Format::Json {
                return output::json(&link);
            }
            let console = console.or_else(|| global.server.clone());
            output::say(&format!(
                "signs {username} in once, until {}:",
                output::cell(link.get("expires_at"))
            ));
            print_link(console, link["url_path"].as_str().unwrap_or_default())
        }
        UsersCommand::SetupLink { console } => setup_link(client, format, console).await,
    }
}

/// This does not go through the API, because there is no account yet that could call it.
async fn setup_link(client: &Client, format: Format, console: Option<String>) -> anyhow::Result<()> {
    let Some(instance) = client.instance() else {
        return Err(
            UsageError("setup-link works only on the server's own machine: leave --server out".to_owned()).into(),
        );
    };
    let mut transaction = instance.state.database.begin().await?;
    let Some(link) = first_account::renew_link(&mut transaction, instance.state.clock.now()).await? else {
        return Err(Hinted::new(
            "there is an account already",
            "`admiral users sign-in-link USERNAME` makes a link for an account; `admiral users list` shows all of them",
        )
        .into());
    };
    let by = AuditEntry::by_name("local", "user.create_setup_link");
    audit::record(&mut transaction, &by).await?;
    transaction.commit().await?;
    // The link in the data directory does not work any more.
    LinkFile::in_directory(&instance.data_directory).remove()?;
    if format == Format::Json {
        return output::json(&json!({"url_path": link.url_path(), "expires_at": link.expires_at}));
    }
    output::say(&format!(
        "makes the first account once, until {}:",
        output::cell(Some(&json!(link.expires_at)))
    ));
    print_link(console, &link.url_path())
}

/// Prints a link. Without an address only its path is printed: a guess could hand the link to another program.
fn print_link(console: Option<String>, url_path: &str) -> anyhow::Result<()> {
    let console = console.unwrap_or_default();
    Ok(output::line(&format!("{}{url_path}", console.trim_end_matches('/')))?)
}

fn read_password(username: &str, options: &PasswordOptions) -> anyhow::Result<Option<SecretString>> {
    match options {
        PasswordOptions {
            password_file: Some(path),
            ..
        } => Ok(Some(input::read_secret(path, false)?)),
        PasswordOptions { password: true, .. } => Ok(Some(input::ask_new_password(username)?)),
        _ => Ok(None),
    }
}

/// The user with this name or id.
pub async fn find(client: &Client, username: &str) -> anyhow::Result<Value> {
    let users = client.list("/api/users", &[]).await?;
    users
        .into_iter()
        .find(|user| user["username"] == username || user["id"] == username)
        .ok_or_else(|| {
            Hinted::new(
                format!("there is no user {username:?}"),
                "`admiral users list` shows all of them",
            )
            .into()
        })
}

fn path(user: &Value) -> String {
    format!("/api/users/{}", user["id"].as_str().unwrap_or_default())
}
