//! `admiral projects …`

use super::{
    client::Client,
    failure::Hinted,
    input, keys,
    options::GlobalOptions,
    output::{self, Format, Table},
};
use clap::{Subcommand, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Manage git projects: playbooks that come from repositories.
#[derive(Debug, Subcommand)]
pub enum ProjectsCommand {
    /// List git projects
    List,
    /// Add a git project and sync it
    Add {
        /// What to call it: its playbooks are project/NAME/…
        name: String,
        /// <https://HOST/PATH>, <ssh://USER@HOST/PATH> or USER@HOST:PATH
        url: String,
        /// Where it comes from, and when it is looked at.
        #[command(flatten)]
        source: SourceOptions,
        /// Take the files of submodules too
        #[arg(long)]
        submodules: bool,
        /// Sync before each launch
        #[arg(long)]
        sync_before_launch: bool,
    },
    /// Show one git project
    Show {
        /// Its name or id
        project: String,
    },
    /// Sync a git project now
    Sync {
        /// Its name or id
        project: String,
    },
    /// Change a git project
    Update {
        /// Its name or id
        project: String,
        /// Another address; on another host the token is needed again
        #[arg(long)]
        url: Option<String>,
        /// Where it comes from, and when it is looked at.
        #[command(flatten)]
        source: SourceOptions,
        /// Whether to take the files of submodules too
        #[arg(long, value_name = "true|false")]
        submodules: Option<bool>,
        /// Whether to sync before each launch
        #[arg(long, value_name = "true|false")]
        sync_before_launch: Option<bool>,
        /// Trust the host's key anew, whatever it is
        #[arg(long)]
        forget_host_keys: bool,
    },
    /// Take a git project out of the library
    Remove {
        /// Its name or id
        project: String,
    },
}

/// Where a project comes from, and when it is looked at.
#[derive(Debug, clap::Args)]
pub struct SourceOptions {
    /// Branch, tag or whole commit id [default: the repository's default branch]
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// The private key for ssh, by name or id; `none` takes it away
    #[arg(long)]
    key: Option<String>,
    /// Holds the token for https on its first line; an empty file takes it away
    #[arg(long, value_name = "FILE")]
    git_token_file: Option<PathBuf>,
    /// The user name that goes with the token
    #[arg(long)]
    username: Option<String>,
    /// Sync this often: 90s, 15m, 6h, 1d, or `never`
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    sync_every: Option<Interval>,
    /// Take webhooks of this kind
    #[arg(long, value_enum)]
    webhook: Option<Webhook>,
    /// Holds the secret of the webhook on its first line
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
}

/// How webhooks prove where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Webhook {
    /// X-Admiral-Signature: sha256=HMAC of the body
    Generic,
    /// As GitHub signs
    Github,
    /// As GitLab does
    Gitlab,
    /// None is taken
    None,
}

/// Seconds between syncs; none for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval(Option<i64>);

fn parse_interval(text: &str) -> Result<Interval, String> {
    if text == "never" {
        return Ok(Interval(None));
    }
    let malformed = || format!("{text:?} is no time such as 90s, 15m, 6h or 1d");
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(malformed()),
    };
    let number: i64 = number.parse().map_err(|_| malformed())?;
    number
        .checked_mul(seconds)
        .map(|seconds| Interval(Some(seconds)))
        .ok_or_else(malformed)
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: ProjectsCommand) -> anyhow::Result<()> {
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command).await;
    client.close().await?;
    result
}

async fn run_with(client: &Client, format: Format, command: ProjectsCommand) -> anyhow::Result<()> {
    match command {
        ProjectsCommand::List => list(client, format).await,
        ProjectsCommand::Add {
            name,
            url,
            source,
            submodules,
            sync_before_launch,
        } => {
            let mut body = source.body(client).await?;
            for (field, value) in [
                ("name", json!(name)),
                ("url", json!(url)),
                ("submodules", json!(submodules)),
                ("sync_before_launch", json!(sync_before_launch)),
            ] {
                body.insert(field.to_owned(), value);
            }
            let project = client.post("/api/projects", Value::Object(body)).await?;
            output::say(&format!("added {}", output::cell(project.get("name"))));
            sync(client, format, &project).await
        }
        ProjectsCommand::Show { project } => {
            let project = find(client, &project).await?;
            show(format, &project)
        }
        ProjectsCommand::Sync { project } => {
            let project = find(client, &project).await?;
            sync(client, format, &project).await
        }
        ProjectsCommand::Update {
            project,
            url,
            source,
            submodules,
            sync_before_launch,
            forget_host_keys,
        } => {
            let project = find(client, &project).await?;
            let mut body = source.body(client).await?;
            let set = [
                ("url", url.map(Value::from)),
                ("submodules", submodules.map(Value::from)),
                ("sync_before_launch", sync_before_launch.map(Value::from)),
                ("forget_host_keys", forget_host_keys.then_some(Value::Bool(true))),
            ];
            body.extend(
                set.into_iter()
                    .filter_map(|(field, value)| Some((field.to_owned(), value?))),
            );
            let project = client.patch(&path(&project), Value::Object(body)).await?;
            output::say(&format!("changed {}", output::cell(project.get("name"))));
            show(format, &project)
        }
        ProjectsCommand::Remove { project } => {
            let project = find(client, &project).await?;
            client.delete(&path(&project)).await?;
            output::say(&format!("removed {}", output::cell(project.get("name"))));
            Ok(())
        }
    }
}

impl SourceOptions {
    /// The fields that were given.
    async fn body(&self, client: &Client) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        if let Some(reference) = &self.reference {
            body.insert("reference".to_owned(), json!(reference));
        }
        if let Some(key) = &self.key {
            let id = if key == "none" {
                Value::Null
            } else {
                keys::find(client, key).await?["id"].clone()
            };
            body.insert("private_key_id".to_owned(), id);
        }
        if let Some(file) = &self.git_token_file {
            body.insert("token".to_owned(), secret(file)?);
        }
        if let Some(username) = &self.username {
            body.insert("username".to_owned(), json!(username));
        }
        if let Some(Interval(seconds)) = self.sync_every {
            body.insert("sync_interval_seconds".to_owned(), json!(seconds));
        }
        if let Some(kind) = self.webhook {
            let kind = match kind {
                Webhook::Generic => json!("generic"),
                Webhook::Github => json!("github"),
                Webhook::Gitlab => json!("gitlab"),
                Webhook::None => Value::Null,
            };
            body.insert("webhook_kind".to_owned(), kind);
        }
        if let Some(file) = &self.webhook_secret_file {
            body.insert("webhook_secret".to_owned(), secret(file)?);
        }
        Ok(body)
    }
}

/// A file's first line; null when that is empty.
fn secret(file: &Path) -> anyhow::Result<Value> {
    let secret: SecretString = input::read_secret(file, false)?;
    let text = secret.expose_secret();
    Ok(if text.is_empty() { Value::Null } else { json!(text) })
}

async fn list(client: &Client, format: Format) -> anyhow::Result<()> {
    let mut projects = client.list("/api/projects", &[]).await?;
    if format == Format::Json {
        return output::json(&projects);
    }
    if projects.is_empty() {
        output::say("no git projects; add one with `admiral projects add NAME URL`");
        return Ok(());
    }
    for project in &mut projects {
        let commit: String = project["commit_id"]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(12)
            .collect();
        project["short_commit"] = json!(commit);
        let error = project["error"]
            .as_str()
            .and_then(|error| error.lines().next())
            .unwrap_or_default()
            .to_owned();
        project["short_error"] = json!(error);
    }
    Ok(Table::new(&["NAME", "URL", "REF", "COMMIT", "SYNCED", "ERROR"])
        .rows_of(
            &projects,
            &[
                "/name",
                "/url",
                "/reference",
                "/short_commit",
                "/synced_at",
                "/short_error",
            ],
        )
        .print()?)
}

fn show(format: Format, project: &Value) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(project);
    }
    Ok(output::print_fields(
        project,
        &[
            ("Id", "/id"),
            ("Name", "/name"),
            ("URL", "/url"),
            ("Reference", "/reference"),
            ("Private key", "/private_key/name"),
            ("User name", "/username"),
            ("Has a token", "/has_token"),
            ("Submodules", "/submodules"),
            ("Sync before launch", "/sync_before_launch"),
            ("Sync every (seconds)", "/sync_interval_seconds"),
            ("Webhook", "/webhook_kind"),
            ("Webhook path", "/webhook_path"),
            ("Host keys", "/host_keys"),
            ("Synced", "/synced_at"),
            ("Commit", "/commit_id"),
            ("Last attempt", "/attempted_at"),
            ("Error", "/error"),
        ],
    )?)
}

/// Syncs and says how that went; an error when it failed.
async fn sync(client: &Client, format: Format, project: &Value) -> anyhow::Result<()> {
    let project = client.post(&format!("{}/sync", path(project)), json!({})).await?;
    if format == Format::Json {
        output::json(&project)?;
    }
    let name = output::cell(project.get("name"));
    if let Some(error) = project["error"].as_str() {
        let lines: Vec<String> = error.lines().map(output::printable).collect();
        return Err(Hinted::new(
            format!("failed to sync {name}: {}", lines.join("\n")),
            format!("`admiral projects update {name}` changes the project, `admiral projects sync {name}` tries again"),
        )
        .into());
    }
    output::say(&format!("synced {name} at {}", output::cell(project.get("commit_id"))));
    Ok(())
}

async fn find(client: &Client, name: &str) -> anyhow::Result<Value> {
    if let Ok(id) = name.parse::<Uuid>() {
        return client.get(&format!("/api/projects/{id}")).await;
    }
    let projects = client.list("/api/projects", &[]).await?;
    projects
        .into_iter()
        .find(|project| project["name"] == name)
        .ok_or_else(|| {
            Hinted::new(
                format!("there is no git project {name:?}"),
                "`admiral projects list` shows all of them",
            )
            .into()
        })
}

fn path(project: &Value) -> String {
    format!("/api/projects/{}", project["id"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse_interval("90"), Ok(Interval(Some(90))));
        assert_eq!(parse_interval("15m"), Ok(Interval(Some(900))));
        assert_eq!(parse_interval("6h"), Ok(Interval(Some(21600))));
        assert_eq!(parse_interval("1d"), Ok(Interval(Some(86400))));
        assert_eq!(parse_interval("never"), Ok(Interval(None)));
        for text in ["", "m", "1w", "-5m x", "99999999999999999999d", "9223372036854775807d"] {
            assert!(parse_interval(text).is_err(), "{text:?}");
        }
    }
}
