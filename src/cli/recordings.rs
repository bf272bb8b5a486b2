//! `admiral recordings`: what was recorded on this machine and is not in Admiral yet.

use super::{
    client::Client,
    options::GlobalOptions,
    output::{self, Format, Table},
    recorder::{
        spool::{Growing, Spool},
        upload::send_left,
    },
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What to do with recordings.
#[derive(Debug, clap::Subcommand)]
pub enum RecordingsCommand {
    /// List what is not stored yet
    List,
    /// Send what is not stored yet, also what was refused before
    Upload {
        /// The recordings' ids; all when left out
        ids: Vec<uuid::Uuid>,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: RecordingsCommand) -> anyhow::Result<ExitCode> {
    match command {
        RecordingsCommand::List => list(global.output),
        RecordingsCommand::Upload { ids } => {
            let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let wanted: Vec<Spool> = Spool::list()?
                .into_iter()
                .filter(|spool| names.is_empty() || names.contains(&spool.name()))
                .collect();
            if let Some(missing) = names
                .iter()
                .find(|name| !wanted.iter().any(|spool| spool.name() == **name))
            {
                anyhow::bail!("there is no recording {missing} here; it may be stored already");
            }
            if wanted.is_empty() {
                output::say("nothing is left to upload");
                return Ok(ExitCode::SUCCESS);
            }
            let client = Client::connect(global).await?;
            let code = upload(&client, &wanted).await;
            client.close().await?;
            Ok(code)
        }
    }
}

async fn upload(client: &Client, wanted: &[Spool]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for spool in wanted {
        let name = spool.name();
        match send_left(client, spool).await {
            Ok(Some(number)) => output::say(&format!("{name}: stored as deployment #{number}")),
            Ok(None) => output::say(&format!("{name}: still goes on")),
            Err(error) => {
                output::say(&format!("{name}: {error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn list(format: Format) -> anyhow::Result<ExitCode> {
    let rows: Vec<Value> = Spool::list()?.iter().map(describe).collect();
    match format {
        Format::Json => output::json(&rows)?,
        Format::Table if rows.is_empty() => output::say("everything that was recorded here is stored"),
        Format::Table => Table::new(&["ID", "STARTED", "COMMAND", "FOLDER", "BYTES", "STATE"])
            .rows_of(
                &rows,
                &["/id", "/started_at", "/command", "/folder", "/bytes", "/state"],
            )
            .print()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(spool: &Spool) -> Value {
    let bytes = [Growing::Events, Growing::Output]
        .into_iter()
        .filter_map(|file| spool.length(file).ok())
        .sum::<u64>();
    let state = match (spool.hold(), spool.refusal()) {
        (Ok(None), _) => "being recorded".to_owned(),
        (_, Some(reason)) => format!("refused: {reason}"),
        _ if spool.is_running() => "goes on without its recorder".to_owned(),
        _ => "waits to be uploaded".to_owned(),
    };
    match spool.begun() {
        Ok(begun) => json!({
            "id": spool.name(),
            "started_at": begun.started_at,
            "command": begun.words.join(" "),
            "folder": begun.folder,
            "bytes": bytes,
            "state": state,
        }),
        Err(error) => json!({
            "id": spool.name(), "started_at": null, "command": null, "folder": spool.path(), "bytes": bytes,
            "state": format!("cannot be read: {error}"),
        }),
    }
}
