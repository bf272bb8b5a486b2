//! `admiral servers import`: `ansible-inventory` reads the inventory, the server says what would become of it, and then does it.

use super::{
    client::Client,
    failure::Hinted,
    input, keys,
    output::{self, Format, Table},
};
use crate::{inventory::import, process};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead as _, IsTerminal as _},
    path::{Path, PathBuf},
    time::Duration,
};

const PROGRAM: &str = "ansible-inventory";
/// Inventory plugins may ask a cloud.
const TIMEOUT: Duration = Duration::from_mins(10);

/// Options of `servers import`.
#[derive(Debug, clap::Args)]
pub struct ImportOptions {
    /// An inventory file, folder, script or plugin configuration, as ansible-playbook takes it (repeatable)
    #[arg(short, long = "inventory", required = true, value_name = "INVENTORY")]
    inventory: Vec<String>,
    /// User SSH signs in as on hosts that name none [default: the current user]
    #[arg(long, value_name = "USER")]
    ssh_user: Option<String>,
    /// The key, by name or id, of hosts that name none
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
    let inventory = read_inventory(&options.inventory).await?;
    let user = options
        .ssh_user
        .clone()
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_else(|| "root".to_owned());
    let hosts = import::read(&inventory, &user).context("ansible-inventory gave an unusable answer")?;
    let paths: BTreeSet<String> = hosts.into_iter().filter_map(|host| host.key_path).collect();
    let mut body = json!({
        "inventory": inventory,
        "default_username": user,
        "keys": paths.iter().filter_map(|path| read_key(path)).collect::<Vec<_>>(),
        "dry_run": true,
    });
    if let Some(key) = &options.key {
        body["default_private_key_id"] = keys::find(client, key).await?["id"].take();
    }
    let preview = client.post("/api/servers/import", body.clone()).await?;
    if !options.yes {
        show(format, &preview)?;
        if options.dry_run || !has_news(&preview) || !confirmed()? {
            return Ok(());
        }
    }
    body["dry_run"] = json!(false);
    let report = client.post("/api/servers/import", body).await?;
    if options.yes {
        show(format, &report)?;
    } else {
        output::say("imported");
    }
    Ok(())
}

/// What `ansible-inventory` makes of it, with the user's own configuration, in the folder the user stands in.
async fn read_inventory(sources: &[String]) -> anyhow::Result<Map<String, Value>> {
    let beside = std::env::var_os("ADMIRAL_ANSIBLE_BIN").map(PathBuf::from);
    let program = process::find_program(PROGRAM, beside.as_slice()).ok_or_else(|| {
        Hinted::new(
            format!("{PROGRAM} was not found"),
            "it comes with Ansible; put it into PATH, or set ADMIRAL_ANSIBLE_BIN to its folder",
        )
    })?;
    // A file, because an inventory may be longer than what is kept of a program's output.
    let answer = tempfile::NamedTempFile::new()?;
    let mut command = process::command(program);
    command
        .envs(std::env::vars_os())
        .arg("--list")
        .arg("--output")
        .arg(answer.path());
    for source in sources {
        command.arg("-i").arg(source);
    }
    let captured = process::run_captured(command, TIMEOUT).await?;
    // Its warnings are the user's to see.
    for line in captured.stderr_text().lines().filter(|line| !line.trim().is_empty()) {
        output::say(&output::printable(line));
    }
    anyhow::ensure!(captured.status.success(), "{PROGRAM} ended with {}", captured.status);
    serde_json::from_slice(&std::fs::read(answer.path())?).context("ansible-inventory gave an unusable answer")
}

/// A key that the inventory names; one that cannot be read here is told of with its hosts.
fn read_key(path: &str) -> Option<Value> {
    let file = match path.strip_prefix("~/") {
        Some(rest) => std::env::home_dir()?.join(rest),
        None => PathBuf::from(path),
    };
    match input::read_text(&file) {
        Ok(text) => {
            let name = file
                .file_name()
                .map_or(path.to_owned(), |name| name.to_string_lossy().into_owned());
            Some(json!({"path": path, "name": name, "private_key": text.as_str()}))
        }
        Err(error) => {
            output::say(&format!("the private key {} cannot be read: {error:#}", shown(&file)));
            None
        }
    }
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
    let count = |action: &str| servers.iter().filter(|server| server["action"] == action).count();
    output::say(&format!(
        "{} to create, {} to change, {} as they are, {} skipped",
        count("created"),
        count("changed"),
        count("unchanged"),
        count("skipped")
    ));
    Ok(())
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

fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        output::say("nothing was imported; --yes does it");
        return Ok(false);
    }
    output::say("import these? [y/N]");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
