//! `admiral playbooks …`

use super::{
    check::{self, CheckOptions},
    client::{Client, with_query},
    failure::Hinted,
    options::GlobalOptions,
    output::{self, Format, Table},
    upload::{self, UploadFile, UploadOptions},
    versions,
};
use clap::Subcommand;
use serde_json::Value;
use std::process::ExitCode;

/// List, show, upload and check playbooks.
#[derive(Debug, Subcommand)]
pub enum PlaybooksCommand {
    /// List playbooks
    List {
        /// Only those whose name or path holds this
        #[arg(long)]
        search: Option<String>,
    },
    /// Print a playbook
    Show {
        /// Its id, path or file name
        playbook: String,
    },
    /// List the versions of a playbook's package
    Versions {
        /// Its id, path or file name
        playbook: String,
    },
    /// Show how two versions differ
    Diff {
        /// The playbook's id, path or file name
        playbook: String,
        /// Number of the old version
        from: i32,
        /// Number of the new version [default: the current one]
        to: Option<i32>,
    },
    /// Make a new version that equals an old one
    Rollback {
        /// The playbook's id, path or file name
        playbook: String,
        /// Number of the version that is wanted back
        to: i32,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Upload a playbook, or a package with roles, templates and files
    Upload(UploadOptions),
    /// Look for mistakes and dangers in a playbook or a folder on this machine
    Check(CheckOptions),
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: PlaybooksCommand) -> anyhow::Result<ExitCode> {
    // Needs neither a server nor a database.
    if let PlaybooksCommand::Check(options) = &command {
        return check::run(global, options).await;
    }
    // What cannot be read is said before the database is touched.
    let file = match &command {
        PlaybooksCommand::Upload(options) => Some(options.read()?),
        _ => None,
    };
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command, file).await;
    client.close().await?;
    result.map(|()| ExitCode::SUCCESS)
}

async fn run_with(
    client: &Client,
    format: Format,
    command: PlaybooksCommand,
    file: Option<UploadFile>,
) -> anyhow::Result<()> {
    match command {
        PlaybooksCommand::Upload(options) => upload::run(client, format, &options, file.unwrap_or_default()).await,
        PlaybooksCommand::Check(_) => Ok(()),
        PlaybooksCommand::Versions { playbook } => versions::list(client, format, &playbook).await,
        PlaybooksCommand::Diff { playbook, from, to } => versions::diff(client, format, &playbook, from, to).await,
        PlaybooksCommand::Rollback { playbook, to, comment } => {
            versions::roll_back(client, format, &playbook, to, &comment).await
        }
        PlaybooksCommand::List { search } => {
            let query: Vec<_> = search.iter().map(|search| ("search", search.as_str())).collect();
            let playbooks = all(client, &query).await?;
            match format {
                Format::Json => output::json(&playbooks),
                Format::Table => Ok(Table::new(&["ID", "NAME", "DESCRIPTION", "ACCELERATOR", "ERROR"])
                    .rows_of(
                        &playbooks,
                        &[
                            "/id",
                            "/outline/name",
                            "/outline/description",
                            "/outline/accelerator",
                            "/outline/error",
                        ],
                    )
                    .print()?),
            }
        }
        PlaybooksCommand::Show { playbook } => {
            let id = find(client, &playbook).await?;
            let answer = client
                .get(&with_query("/api/playbooks/content", &[("id", &id)]))
                .await?;
            match format {
                Format::Json => output::json(&answer),
                Format::Table => {
                    // Talk, and so to stderr: the playbook's text can be piped on.
                    for (what, pointer) in [
                        ("accelerator", "/playbook/outline/accelerator"),
                        ("error", "/playbook/outline/error"),
                    ] {
                        if let Some(text) = answer.pointer(pointer).and_then(Value::as_str) {
                            output::say(&format!("{what}: {}", output::printable(text)));
                        }
                    }
                    Ok(output::bytes(
                        answer["content"].as_str().unwrap_or_default().as_bytes(),
                    )?)
                }
            }
        }
    }
}

/// The id of the playbook with this id, path or file name.
pub async fn find(client: &Client, name: &str) -> anyhow::Result<String> {
    let playbooks = all(client, &[]).await?;
    match choose(&playbooks, name).as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => Err(Hinted::new(
            format!("there is no playbook {name:?}"),
            "`admiral playbooks list` shows all of them",
        )
        .into()),
        several => Err(Hinted::new(
            format!("several playbooks are called {name:?}"),
            format!("say which: {}", several.join(", ")),
        )
        .into()),
    }
}

/// The library has no pages: it is a folder, not a table.
async fn all(client: &Client, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
    let mut answer = client.get(&with_query("/api/playbooks", query)).await?;
    Ok(serde_json::from_value(answer["data"].take())?)
}

/// Ids that match best: by id, else by path, else by file name.
fn choose<'a>(playbooks: &'a [Value], name: &str) -> Vec<&'a str> {
    let ids = || playbooks.iter().filter_map(|playbook| playbook["id"].as_str());
    let id_without_origin = |id: &'a str| id.split_once('/').map_or(id, |(_, path)| path);
    let by_id: Vec<_> = ids().filter(|id| *id == name).collect();
    let by_path: Vec<_> = ids().filter(|id| id_without_origin(id) == name).collect();
    let by_file: Vec<_> = ids().filter(|id| id.rsplit('/').next() == Some(name)).collect();
    [by_id, by_path, by_file]
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_closest_match_wins() {
        let playbooks: Vec<_> = [
            "builtin/ping.yml",
            "project/ping.yml",
            "project/app/site.yml",
            "project/site.yml",
        ]
        .iter()
        .map(|id| json!({"id": id}))
        .collect();
        assert_eq!(choose(&playbooks, "project/ping.yml"), ["project/ping.yml"]);
        assert_eq!(choose(&playbooks, "ping.yml"), ["builtin/ping.yml", "project/ping.yml"]);
        assert_eq!(choose(&playbooks, "site.yml"), ["project/site.yml"]);
        assert_eq!(choose(&playbooks, "app/site.yml"), ["project/app/site.yml"]);
        assert!(choose(&playbooks, "nope.yml").is_empty());
    }
}
