//! `admiral servers import`: `ansible-inventory` reads the inventory, the server says what would become of it, and then does it.

use super::{
    ansible_inventory::{Defaults, Sources},
    client::Client,
    failure::Hinted,
    input, keys,
    output::{self, Format, Table},
};
use crate::{
    inventory::import::{self, ImportedHost},
    vault::ssh_key::{self, KeyError},
};
use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

/// Options of `servers import`.
#[derive(Debug, clap::Args)]
pub struct ImportOptions {
    #[command(flatten)]
    sources: Sources,
    /// User SSH signs in as on hosts that name none [default: what ansible.cfg says, else the current user]
    #[arg(long, value_name = "USER")]
    ssh_user: Option<String>,
    /// The key, by name or id, of hosts that name none [default: the one that ansible.cfg names]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Do not ask whether to import
    #[arg(short, long)]
    yes: bool,
    /// Only show what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// Runs the subcommand.
pub async fn run(client: &Client, format: Format, options: &ImportOptions) -> anyhow::Result<()> {
    if !options.yes && !options.dry_run && !std::io::stdin().is_terminal() {
        return Err(Hinted::new(
            "cannot ask whether to import: there is no terminal",
            "--yes imports without asking, --dry-run only shows what would be done",
        )
        .into());
    }
    let defaults = Defaults::read().await?;
    let mut inventory = options.sources.read().await?;
    let user = options
        .ssh_user
        .clone()
        .or_else(|| defaults.user.clone())
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_else(|| "root".to_owned());
    let read = |inventory: &Map<String, Value>| {
        import::read(inventory, &user).context("ansible-inventory gave an unusable answer")
    };
    let hosts = read(&inventory)?;
    add_defaults(&mut inventory, &hosts, &defaults, options.key.is_some());
    let paths: BTreeSet<String> = read(&inventory)?.into_iter().filter_map(|host| host.key_path).collect();
    let folders = options.sources.folders();
    let mut body = json!({
        "inventory": inventory,
        "default_username": user,
        "keys": paths.iter().filter_map(|path| read_key(path, &folders)).collect::<Vec<_>>(),
        "dry_run": true,
    });
    if let Some(key) = &options.key {
        body["default_private_key_id"] = keys::find(client, key).await?["id"].take();
    }
    let mut preview = client.post("/api/servers/import", body.clone()).await?;
    if ask_for_passphrases(&mut body, &preview)? {
        preview = client.post("/api/servers/import", body.clone()).await?;
    }
    if !options.yes {
        let asks = !options.dry_run && has_news(&preview);
        // A program that reads JSON is given one answer.
        if asks && format == Format::Json {
            output::say(&summary(&preview));
        } else {
            show(format, &preview)?;
        }
        if !asks || !input::confirm("import these?")? {
            return Ok(());
        }
    }
    body["dry_run"] = json!(false);
    let report = client.post("/api/servers/import", body).await?;
    if options.yes || format == Format::Json {
        return show(format, &report);
    }
    output::say("imported");
    Ok(())
}

/// What `ansible.cfg` says holds for hosts that name nothing else.
fn add_defaults(inventory: &mut Map<String, Value>, hosts: &[ImportedHost], defaults: &Defaults, has_key: bool) {
    let Some(variables) = inventory
        .get_mut("_meta")
        .and_then(|meta| meta.get_mut("hostvars"))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for host in hosts {
        let of_host = variables
            .entry(host.input.hostname.clone())
            .or_insert_with(|| json!({}));
        let Some(of_host) = of_host.as_object_mut() else {
            continue;
        };
        if let (None, Some(key), false) = (&host.key_path, &defaults.key, has_key) {
            of_host.insert("ansible_ssh_private_key_file".to_owned(), json!(key));
        }
        if let (false, Some(port)) = (host.has_port, defaults.port) {
            of_host.insert("ansible_port".to_owned(), json!(port));
        }
    }
}

/// Asks for the passphrases of keys that could not be opened, if there is somebody to ask. `true`: there are new ones.
fn ask_for_passphrases(body: &mut Value, preview: &Value) -> anyhow::Result<bool> {
    let mut found = false;
    let keys = body["keys"].as_array_mut().into_iter().flatten();
    // They come back in the order given.
    for (key, told) in keys.zip(preview["keys"].as_array().into_iter().flatten()) {
        let text = SecretString::from(key["private_key"].as_str().unwrap_or_default());
        let is_encrypted = matches!(ssh_key::inspect(&text, None, ""), Err(KeyError::PassphraseMissing));
        if told["action"] == "skipped" && is_encrypted && std::io::stdin().is_terminal() {
            let path = output::printable(key["path"].as_str().unwrap_or_default());
            let passphrase = input::ask_secret(&format!("passphrase of {path} (empty: leave the key out)"))?;
            found |= !passphrase.expose_secret().is_empty();
            key["passphrase"] = json!(passphrase.expose_secret());
        }
    }
    Ok(found)
}

/// A key that the inventory names; one that cannot be read here is told of with its hosts.
fn read_key(path: &str, folders: &BTreeSet<PathBuf>) -> Option<Value> {
    let candidates = resolved(path, folders);
    let file = candidates.iter().find(|file| file.exists()).or(candidates.first())?;
    match input::read_text(file) {
        Ok(text) => {
            let name = file
                .file_name()
                .map_or(path.to_owned(), |name| name.to_string_lossy().into_owned());
            Some(json!({"path": path, "name": name, "private_key": text.as_str()}))
        }
        Err(error) => {
            output::say(&format!("the private key {} cannot be read: {error:#}", shown(file)));
            None
        }
    }
}

/// Where a key may lie: with several inventories nobody says whose folder is meant.
fn resolved(path: &str, folders: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    if let Some(rest) = path.strip_prefix("~/") {
        return std::env::home_dir().map(|home| home.join(rest)).into_iter().collect();
    }
    let spaceless = path.replace("{{ ", "{{").replace(" }}", "}}");
    if let Some(rest) = spaceless.strip_prefix("{{inventory_dir}}/") {
        return folders.iter().map(|folder| folder.join(rest)).collect();
    }
    if let Some(rest) = spaceless.strip_prefix("{{playbook_dir}}/") {
        return vec![PathBuf::from(rest)];
    }
    vec![PathBuf::from(path)]
}

fn shown(path: &Path) -> String {
    output::printable(&path.to_string_lossy())
}

fn show(format: Format, report: &Value) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(report);
    }
    let rows = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let (servers, keys) = (rows("servers"), rows("keys"));
    if !keys.is_empty() {
        Table::new(&["KEY", "FROM", "", "NOTE"])
            .rows_of(&keys, &["/name", "/path", "/action", "/note"])
            .print()?;
        output::line("")?;
    }
    Table::new(&["SERVER", "", "CHANGES", "NOTES"])
        .rows_of(&servers, &["/hostname", "/action", "/changes", "/notes"])
        .print()?;
    output::say(&summary(report));
    Ok(())
}

fn summary(report: &Value) -> String {
    let servers = report["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |action: &str| servers.iter().filter(|server| server["action"] == action).count();
    format!(
        "{} to create, {} to change, {} as they are, {} skipped",
        count("created"),
        count("changed"),
        count("unchanged"),
        count("skipped")
    )
}

fn has_news(preview: &Value) -> bool {
    let acts = |name: &str| {
        preview[name].as_array().is_some_and(|rows| {
            rows.iter()
                .any(|row| row["action"] == "created" || row["action"] == "changed")
        })
    };
    acts("servers") || acts("keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_where_the_inventory_says() {
        let folders = BTreeSet::from([PathBuf::from("/a"), PathBuf::from("/b")]);
        let at = |path: &str| resolved(path, &folders);
        assert_eq!(at("/x/id"), [PathBuf::from("/x/id")]);
        assert_eq!(at("keys/id"), [PathBuf::from("keys/id")]);
        for path in ["{{ inventory_dir }}/keys/id", "{{inventory_dir}}/keys/id"] {
            assert_eq!(at(path), [PathBuf::from("/a/keys/id"), PathBuf::from("/b/keys/id")]);
        }
    }
}
