//! `admiral workers` and `admiral drain`.

use super::{
    client::{Client, Refused},
    failure::{Hinted, UsageError},
    options::GlobalOptions,
    output::{self, Format, Table},
    worker_options::machine_name,
};
use crate::domain::worker::{Worker, WorkerStatus};
use serde_json::{Value, json};
use std::time::Duration;

/// How often a worker that drains is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Options of `admiral drain`.
#[derive(Debug, clap::Args)]
pub struct DrainOptions {
    /// Its name or id, or the beginning of its id [default: the only one, else this machine's]
    worker: Option<String>,
    /// Do not wait for its runs to end
    #[arg(long)]
    no_wait: bool,
    /// Let it claim runs again
    #[arg(long, conflicts_with = "no_wait")]
    undo: bool,
}

/// `admiral workers`.
pub async fn list(global: &GlobalOptions) -> anyhow::Result<()> {
    let client = Client::connect(global).await?;
    let listed = async {
        let answer = client.get("/api/workers").await?;
        let rows = answer["data"].as_array().map_or(&[][..], Vec::as_slice);
        match global.output {
            Format::Json => output::json(&rows),
            Format::Table => print(rows),
        }
    };
    let result = listed.await;
    client.close().await?;
    result
}

fn print(rows: &[Value]) -> anyhow::Result<()> {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut row = row.clone();
            row["load"] = format!("{}/{}", row["runs"], row["max_runs"]).into();
            row["heard"] = format!("{} s ago", row["heartbeat_age_seconds"]).into();
            row
        })
        .collect();
    let columns = [
        "NAME",
        "ID",
        "STATUS",
        "RUNS",
        "ISOLATION",
        "ROLES",
        "HEARD",
        "DRAINING SINCE",
    ];
    let fields = [
        "/name",
        "/id",
        "/status",
        "/load",
        "/isolation",
        "/roles",
        "/heard",
        "/draining_since",
    ];
    Ok(Table::new(&columns).rows_of(&rows, &fields).print()?)
}

/// `admiral drain`.
pub async fn drain(global: &GlobalOptions, options: DrainOptions) -> anyhow::Result<()> {
    let client = Client::connect(global).await?;
    let result = drain_with(&client, global.output, &options).await;
    client.close().await?;
    result
}

async fn drain_with(client: &Client, format: Format, options: &DrainOptions) -> anyhow::Result<()> {
    let workers = workers(client).await?;
    let worker = choose(&workers, options.worker.as_deref(), &machine_name())?;
    let path = format!("/api/workers/{}/drain", worker.id);
    if options.undo {
        let answer = client.delete_for_answer(&path).await?;
        return told(format, &answer, &format!("{} claims runs again", described(worker)));
    }
    let mut answer = client.post(&path, json!({})).await?;
    if options.no_wait {
        return told(format, &answer, &format!("{} claims nothing more", described(worker)));
    }
    let mut shown = None;
    loop {
        let now: Worker = serde_json::from_value(answer.clone())?;
        if now.draining_since.is_none() {
            return Err(Hinted::new(
                format!("{} claims runs again", described(worker)),
                "somebody undid the draining; `admiral workers` shows how it stands",
            )
            .into());
        }
        if now.runs == 0 {
            break;
        }
        if shown.replace((now.runs, now.status)) != Some((now.runs, now.status)) {
            output::say(&waiting(&now));
        }
        tokio::time::sleep(LOOK).await;
        answer = match find(client, &now).await? {
            Some(found) => found,
            // A process that is nothing but a worker ends when it is done; so it is.
            None => break,
        };
    }
    told(
        format,
        &answer,
        &format!("{} is drained: it has no run", described(worker)),
    )
}

/// How it stands now; waits while the server or its database is away.
async fn find(client: &Client, worker: &Worker) -> anyhow::Result<Option<Value>> {
    let answer = match client.get("/api/workers").await {
        Ok(answer) => answer,
        Err(error) if is_passing(&error) => return Ok(Some(serde_json::to_value(worker)?)),
        Err(error) => return Err(error),
    };
    let id = worker.id.to_string();
    let found = answer["data"].as_array().into_iter().flatten();
    Ok(found.into_iter().find(|row| row["id"] == id.as_str()).cloned())
}

fn is_passing(error: &anyhow::Error) -> bool {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Refused>())
        .is_some_and(Refused::is_passing)
}

fn waiting(worker: &Worker) -> String {
    let plural = if worker.runs == 1 { "run goes on" } else { "runs go on" };
    let silent = if worker.status == WorkerStatus::Silent {
        format!(" (not heard of for {} s)", worker.heartbeat_age_seconds)
    } else {
        String::new()
    };
    format!(
        "{} claims nothing more; {} {plural}{silent}",
        described(worker),
        worker.runs
    )
}

fn told(format: Format, answer: &Value, text: &str) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(answer),
        Format::Table => {
            output::say(text);
            Ok(())
        }
    }
}

async fn workers(client: &Client) -> anyhow::Result<Vec<Worker>> {
    let mut answer = client.get("/api/workers").await?;
    Ok(serde_json::from_value(answer["data"].take())?)
}

fn described(worker: &Worker) -> String {
    let id = worker.id.to_string();
    // The last part of a time-ordered UUID is random.
    format!("worker {} ({}…)", output::printable(&worker.name), &id[..13])
}

fn choose<'a>(workers: &'a [Worker], wanted: Option<&str>, machine: &str) -> anyhow::Result<&'a Worker> {
    let hint = "`admiral workers` lists them; name one by its id";
    let fitting: Vec<&Worker> = match wanted {
        Some(wanted) => workers
            .iter()
            .filter(|worker| worker.name == wanted || worker.id.to_string().starts_with(wanted))
            .collect(),
        None if workers.len() == 1 => workers.iter().collect(),
        None => workers.iter().filter(|worker| worker.name == machine).collect(),
    };
    match (&fitting[..], wanted) {
        ([worker], _) => Ok(worker),
        ([], _) if workers.is_empty() => Err(Hinted::new(
            "there is no worker",
            "`admiral serve` is one; `admiral workers` lists them",
        )
        .into()),
        ([], Some(wanted)) => {
            Err(UsageError(format!("there is no worker {wanted:?}; `admiral workers` lists them")).into())
        }
        ([], None) => Err(Hinted::new(format!("there are {} workers, none on {machine}", workers.len()), hint).into()),
        (several, _) => Err(Hinted::new(format!("{} workers are meant", several.len()), hint).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{clock::Clock as _, clock::SystemClock, isolation::WorkerIsolation, worker::ProcessRole};

    fn worker(name: &str, id: u128) -> Worker {
        let now = SystemClock.now();
        Worker {
            id: uuid::Uuid::from_u128(id << 120),
            name: name.to_owned(),
            status: WorkerStatus::Active,
            roles: vec![ProcessRole::Worker],
            runs: 0,
            max_runs: 4,
            isolation: WorkerIsolation::Strict,
            started_at: now,
            heartbeat_at: now,
            heartbeat_age_seconds: 0,
            draining_since: None,
        }
    }

    #[test]
    fn a_worker_is_meant_by_name_by_id_or_by_machine() {
        let workers = [worker("a", 1), worker("b", 2), worker("b", 3)];
        let chosen = |wanted, machine| choose(&workers, wanted, machine).map(|worker| worker.id.to_string());
        assert!(chosen(Some("a"), "x").unwrap().starts_with("01"));
        assert!(chosen(Some("02"), "x").unwrap().starts_with("02"));
        assert!(chosen(None, "a").unwrap().starts_with("01"));
        assert_eq!(chosen(Some("b"), "x").unwrap_err().to_string(), "2 workers are meant");
        assert_eq!(
            chosen(None, "x").unwrap_err().to_string(),
            "there are 3 workers, none on x"
        );
        assert!(chosen(Some("c"), "x").is_err());
        assert!(choose(&workers[..1], None, "x").is_ok());
        assert!(choose(&[], None, "x").is_err());
    }
}
