//! `admiral servers …`

use super::{
    client::Client,
    failure::{Hinted, UsageError},
    input, keys,
    options::GlobalOptions,
    output::{self, Format, Table},
    server_import,
};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Manage servers.
#[derive(Debug, Subcommand)]
pub enum ServersCommand {
    /// Register a server
    Add(AddOptions),
    /// List servers
    List(ListOptions),
    /// Show one server
    Show {
        /// Its hostname, number or id
        // `server` is the id of the global option.
        #[arg(id = "hostname", value_name = "SERVER")]
        server: String,
    },
    /// Change a server
    Set(SetOptions),
    /// Take over servers, groups and keys from an inventory that Ansible can read
    Import(server_import::ImportOptions),
    /// Delete servers
    Delete {
        /// Hostnames, numbers or ids
        #[arg(required = true, value_name = "SERVER")]
        servers: Vec<String>,
    },
    /// Forget a server's SSH host keys, so that the next contact trusts anew
    ForgetHostKeys {
        /// Its hostname, number or id
        // `server` is the id of the global option.
        #[arg(id = "hostname", value_name = "SERVER")]
        server: String,
    },
}

/// Options of `servers add`.
#[derive(Debug, clap::Args)]
pub struct AddOptions {
    /// The name in Ansible's inventory
    hostname: String,
    /// A name for people [default: the hostname]
    #[arg(long)]
    name: Option<String>,
    /// Address SSH connects to [default: the hostname]
    #[arg(long, value_name = "ADDRESS")]
    ssh_host: Option<String>,
    /// Port SSH connects to
    #[arg(long, alias = "port", default_value_t = 22, value_name = "PORT")]
    ssh_port: u16,
    /// User SSH signs in as
    #[arg(long, alias = "user", default_value = "root", value_name = "USER")]
    ssh_user: String,
    /// The private key, by name or id
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    facts: Facts,
}

/// What `servers add` and `servers set` share.
#[derive(Debug, clap::Args)]
struct Facts {
    /// A tag; makes an inventory group (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Distribution, such as "Ubuntu 22.04"
    #[arg(long)]
    distro: Option<String>,
    /// Architecture, such as x86_64
    #[arg(long, alias = "arch")]
    architecture: Option<String>,
    /// Whether deployments may target it
    #[arg(long, value_parser = ["active", "inactive"])]
    status: Option<String>,
    /// A host variable, as text (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
}

/// Options of `servers list`.
#[derive(Debug, clap::Args)]
pub struct ListOptions {
    /// Only these whose name or address holds this
    #[arg(long)]
    search: Option<String>,
    /// Only these with all of these tags (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only these of this status
    #[arg(long, value_parser = ["active", "inactive"])]
    status: Option<String>,
}

/// Options of `servers set`.
#[derive(Debug, clap::Args)]
pub struct SetOptions {
    /// Its hostname, number or id
    // `server` is the id of the global option.
    #[arg(id = "which", value_name = "SERVER")]
    server: String,
    /// Rename it in Ansible's inventory
    #[arg(long)]
    hostname: Option<String>,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Address SSH connects to
    #[arg(long, value_name = "ADDRESS")]
    ssh_host: Option<String>,
    /// Port SSH connects to
    #[arg(long, alias = "port", value_name = "PORT")]
    ssh_port: Option<u16>,
    /// User SSH signs in as
    #[arg(long, alias = "user", value_name = "USER")]
    ssh_user: Option<String>,
    /// The private key, by name or id
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Use no private key
    #[arg(long, conflicts_with = "key")]
    no_key: bool,
    /// Drop all tags (--tag replaces them)
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    #[command(flatten)]
    facts: Facts,
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: ServersCommand) -> anyhow::Result<()> {
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command).await;
    client.close().await?;
    result
}

async fn run_with(client: &Client, format: Format, command: ServersCommand) -> anyhow::Result<()> {
    match command {
        ServersCommand::Add(options) => {
            let mut body = facts(options.facts, None)?;
            body.insert(
                "ssh_host".to_owned(),
                json!(options.ssh_host.as_ref().unwrap_or(&options.hostname)),
            );
            body.insert("hostname".to_owned(), json!(options.hostname));
            body.insert("ssh_port".to_owned(), json!(options.ssh_port));
            body.insert("ssh_username".to_owned(), json!(options.ssh_user));
            insert_some(&mut body, "name", options.name);
            if let Some(key) = &options.key {
                body.insert("private_key_id".to_owned(), keys::find(client, key).await?["id"].take());
            }
            let server = client.post("/api/servers", Value::Object(body)).await?;
            changed(format, &server, "added")
        }
        ServersCommand::List(options) => list(client, format, &options).await,
        ServersCommand::Show { server } => show(format, &find(client, &server).await?),
        ServersCommand::Set(options) => {
            let server = find(client, &options.server).await?;
            let mut body = facts(options.facts, server["metadata"].as_object())?;
            insert_some(&mut body, "hostname", options.hostname);
            insert_some(&mut body, "name", options.name);
            insert_some(&mut body, "ssh_host", options.ssh_host);
            insert_some(&mut body, "ssh_port", options.ssh_port);
            insert_some(&mut body, "ssh_username", options.ssh_user);
            if options.no_tags {
                body.insert("tags".to_owned(), json!([]));
            }
            if options.no_key {
                body.insert("private_key_id".to_owned(), Value::Null);
            } else if let Some(key) = &options.key {
                body.insert("private_key_id".to_owned(), keys::find(client, key).await?["id"].take());
            }
            if body.is_empty() {
                return Err(UsageError("nothing to change was given".to_owned()).into());
            }
            let server = client.patch(&path(&server), Value::Object(body)).await?;
            changed(format, &server, "changed")
        }
        ServersCommand::Import(options) => server_import::run(client, format, &options).await,
        ServersCommand::Delete { servers } => {
            // All are found before the first is gone: a mistyped name deletes nothing.
            let mut found = Vec::new();
            for name in &servers {
                found.push(find(client, name).await?);
            }
            for server in found {
                client.delete(&path(&server)).await?;
                output::say(&format!("deleted {}", text(&server, "hostname")));
            }
            Ok(())
        }
        ServersCommand::ForgetHostKeys { server } => {
            let server = find(client, &server).await?;
            client.delete(&format!("{}/host-keys", path(&server))).await?;
            output::say(&format!(
                "forgot the SSH host keys of {}; the next contact trusts anew",
                text(&server, "hostname")
            ));
            Ok(())
        }
    }
}

async fn list(client: &Client, format: Format, options: &ListOptions) -> anyhow::Result<()> {
    let mut query: Vec<(&str, &str)> = vec![("sort", "hostname")];
    query.extend(options.search.as_deref().map(|search| ("search", search)));
    query.extend(options.tags.iter().map(|tag| ("tag", tag.as_str())));
    query.extend(options.status.as_deref().map(|status| ("status", status)));
    let servers = client.list("/api/servers", &query).await?;
    match format {
        Format::Json => output::json(&servers),
        Format::Table if servers.is_empty() => {
            output::say("no servers; register one with `admiral servers add HOSTNAME --ssh-host ADDRESS --key KEY`");
            Ok(())
        }
        Format::Table => Ok(Table::new(&[
            "NUMBER",
            "HOSTNAME",
            "ADDRESS",
            "PORT",
            "USER",
            "TAGS",
            "STATUS",
            "KEY",
            "LAST SEEN",
        ])
        .rows_of(
            &servers,
            &[
                "/number",
                "/hostname",
                "/ssh_host",
                "/ssh_port",
                "/ssh_username",
                "/tags",
                "/status",
                "/private_key/name",
                "/last_seen_at",
            ],
        )
        .print()?),
    }
}

fn show(format: Format, server: &Value) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(server);
    }
    output::print_fields(
        server,
        &[
            ("Number", "/number"),
            ("Id", "/id"),
            ("Hostname", "/hostname"),
            ("Name", "/name"),
            ("Address", "/ssh_host"),
            ("Port", "/ssh_port"),
            ("User", "/ssh_username"),
            ("Tags", "/tags"),
            ("Distro", "/distro"),
            ("Architecture", "/architecture"),
            ("Status", "/status"),
            ("Private key", "/private_key/name"),
            ("Host variables", "/metadata"),
            ("Last seen", "/last_seen_at"),
            ("Created", "/created_at"),
        ],
    )?;
    for host_key in server["host_keys"].as_array().into_iter().flatten() {
        output::line(&format!(
            "Host key        {} {}",
            output::cell(host_key.get("key_type")),
            output::cell(host_key.get("fingerprint"))
        ))?;
    }
    Ok(())
}

/// The server with this hostname, number or id.
pub async fn find(client: &Client, name: &str) -> anyhow::Result<Value> {
    if let Ok(id) = name.parse::<Uuid>() {
        return client.get(&format!("/api/servers/{id}")).await;
    }
    let named = client.list("/api/servers", &[("search", name)]).await?;
    if let Some(server) = named.into_iter().find(|server| server["hostname"] == name) {
        return Ok(server);
    }
    if let Ok(number) = name.parse::<i64>()
        && let Some(server) = client
            .list("/api/servers", &[])
            .await?
            .into_iter()
            .find(|server| server["number"] == number)
    {
        return Ok(server);
    }
    Err(Hinted::new(
        format!("there is no server {name:?}"),
        "`admiral servers list` shows all of them",
    )
    .into())
}

fn facts(facts: Facts, before: Option<&Map<String, Value>>) -> Result<Map<String, Value>, UsageError> {
    let mut body = Map::new();
    if !facts.tags.is_empty() {
        body.insert("tags".to_owned(), json!(facts.tags));
    }
    insert_some(&mut body, "distro", facts.distro);
    insert_some(&mut body, "architecture", facts.architecture);
    insert_some(&mut body, "status", facts.status);
    if !facts.metadata.is_empty() {
        let mut metadata = before.cloned().unwrap_or_default();
        for pair in &facts.metadata {
            let (name, value) = input::name_and_value("--metadata", pair)?;
            metadata.insert(name.to_owned(), json!(value));
        }
        body.insert("metadata".to_owned(), Value::Object(metadata));
    }
    Ok(body)
}

fn insert_some(body: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}

fn changed(format: Format, server: &Value, done: &str) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(server),
        Format::Table => {
            output::say(&format!(
                "{done} server {} ({})",
                text(server, "hostname"),
                text(server, "id")
            ));
            Ok(())
        }
    }
}

fn path(server: &Value) -> String {
    format!("/api/servers/{}", server["id"].as_str().unwrap_or_default())
}

fn text(value: &Value, field: &str) -> String {
    output::cell(value.get(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_merged_into_what_there_was() {
        let before = json!({"rack": "a1", "zone": "eu"});
        let facts = super::facts(
            Facts {
                tags: vec![],
                distro: None,
                architecture: None,
                status: None,
                metadata: vec!["rack=b2".into(), "n=1".into()],
            },
            before.as_object(),
        );
        assert_eq!(
            Value::Object(facts.unwrap()),
            json!({"metadata": {"rack": "b2", "zone": "eu", "n": "1"}})
        );
    }
}
