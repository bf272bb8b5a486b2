//! `admiral recordings`: what was recorded on this machine and is not in Admiral yet.

use super::{
    client::Client,
    input,
    options::GlobalOptions,
    output::{self, Format, Table},
    recorder::{
        destination,
        spool::{Growing, Spool},
        upload::send_left,
    },
};
use anyhow::Context as _;
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
    /// Remove recordings that are not to be stored
    Remove {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<uuid::Uuid>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: RecordingsCommand) -> anyhow::Result<ExitCode> {
    Spool::sweep();
    match command {
        RecordingsCommand::List => list(global.output),
        RecordingsCommand::Remove { ids, yes } => remove(&named(&ids)?, yes),
        RecordingsCommand::Upload { ids } => {
            let wanted = if ids.is_empty() { Spool::list()? } else { named(&ids)? };
            if wanted.is_empty() {
                output::say("nothing is left to upload");
                return Ok(ExitCode::SUCCESS);
            }
            let client = destination::connect(global).await?;
            // Now there is one: what was recorded for another is sent only if it is asked for by name.
            let here = destination::destination(global).filter(|_| ids.is_empty());
            let code = upload(&client, &wanted, here.as_deref()).await;
            client.close().await?;
            Ok(code)
        }
    }
}

/// The recordings of these ids.
fn named(ids: &[uuid::Uuid]) -> anyhow::Result<Vec<Spool>> {
    let known = Spool::list()?;
    ids.iter()
        .map(|id| {
            let found = known.iter().find(|spool| spool.name() == id.to_string()).cloned();
            found.with_context(|| format!("there is no recording {id} here; it may be stored already"))
        })
        .collect()
}

fn remove(wanted: &[Spool], yes: bool) -> anyhow::Result<ExitCode> {
    if !yes && !input::confirm(&format!("remove {} for good?", counted(wanted.len())))? {
        return Ok(ExitCode::FAILURE);
    }
    for spool in wanted {
        let name = spool.name();
        let held = spool.hold()?;
        anyhow::ensure!(held.is_some() && !spool.is_running(), "{name} is still being recorded");
        spool.remove()?;
        output::say(&format!("{name}: removed"));
    }
    Ok(ExitCode::SUCCESS)
}

fn counted(recordings: usize) -> String {
    match recordings {
        1 => "this recording".to_owned(),
        many => format!("these {many} recordings"),
    }
}

/// Sends them; with `here`, only those that were not recorded for another place.
async fn upload(client: &Client, wanted: &[Spool], here: Option<&str>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for spool in wanted {
        let name = spool.name();
        if here.is_some_and(|here| !spool.is_for(here)) {
            let wanted = spool.begun().ok().and_then(|begun| begun.destination);
            let wanted = wanted.unwrap_or_else(|| "another place".to_owned());
            output::say(&format!(
                "{name}: was recorded for {wanted}; `admiral recordings upload {name}` sends it here"
            ));
            continue;
        }
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
        Format::Table => Table::new(&["ID", "STARTED", "COMMAND", "FOLDER", "BYTES", "FOR", "STATE"])
            .rows_of(
                &rows,
                &[
                    "/id",
                    "/started_at",
                    "/command",
                    "/folder",
                    "/bytes",
                    "/destination",
                    "/state",
                ],
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
            "destination": begun.destination,
        }),
        Err(error) => json!({
            "id": spool.name(), "started_at": null, "command": null, "folder": spool.path(), "bytes": bytes,
            "state": format!("cannot be read: {error}"), "destination": null,
        }),
    }
}
