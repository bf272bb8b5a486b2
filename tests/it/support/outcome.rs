//! What a run of a playbook came to, in a form in which a plain run and one of Admiral's can be compared.

use super::server::{AdmiralServer, text};
use crate::parity::{Recap, counters_of, read_recap};
use serde_json::Value;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Each host's results in its own order: the task's name and how it went.
pub type Results = BTreeMap<String, Vec<(String, String)>>;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// `completed`, or `failed` with the reason.
    pub status: String,
    /// The counters of each host that did anything.
    pub recap: Recap,
    /// What each task did on each host.
    pub results: Results,
    /// What the run wrote into its output folder: path → mode and content.
    pub written: BTreeMap<String, String>,
}

impl Outcome {
    /// Where `self` differs from what was expected, in words; empty when nowhere.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.status != expected.status {
            found.push(format!("it is {}, but plainly {}", self.status, expected.status));
        }
        compare(&self.recap, &expected.recap, &mut found, |host, ours, plain| {
            let counts = plain.iter().filter_map(|(name, plain)| {
                let ours = ours.get(name).copied().unwrap_or_default();
                (ours != *plain).then(|| format!("{name} is {ours}, but plainly {plain}"))
            });
            format!("{host}: {}", counts.collect::<Vec<_>>().join(", "))
        });
        compare(&self.results, &expected.results, &mut found, |host, ours, plain| {
            let longest = ours.len().max(plain.len());
            let at = (0..longest)
                .find(|&at| ours.get(at) != plain.get(at))
                .expect("the lists differ");
            format!(
                "{host}: result {at} is {:?}, but plainly {:?}",
                ours.get(at),
                plain.get(at)
            )
        });
        compare(&self.written, &expected.written, &mut found, |path, ours, plain| {
            format!("{path} is {ours:?}, but plainly {plain:?}")
        });
        found
    }
}

fn compare<T: PartialEq>(
    ours: &BTreeMap<String, T>,
    plain: &BTreeMap<String, T>,
    found: &mut Vec<String>,
    describe: impl Fn(&str, &T, &T) -> String,
) {
    for (name, expected) in plain {
        match ours.get(name) {
            None => found.push(format!("{name} is missing")),
            Some(actual) if actual != expected => found.push(describe(name, actual, expected)),
            Some(_) => {}
        }
    }
    for name in ours.keys().filter(|name| !plain.contains_key(*name)) {
        found.push(format!("{name} is there, but not plainly"));
    }
}

/// What a deployment that has ended came to.
pub async fn of_deployment(server: &AdmiralServer, deployment: &Value, output_folder: &Path) -> Outcome {
    let id = text(deployment, "id");
    let mut status = text(deployment, "status");
    if let Some(reason) = deployment["reason"].as_str() {
        status = format!("{status}: {reason}");
    }
    let output = server.output(&id).await;
    let said = if output.contains("PLAY RECAP") {
        read_recap(&output)
    } else {
        status = format!("{status}\n{output}");
        Recap::new()
    };
    let mut recap: Recap = server
        .rows(&id)
        .await
        .iter()
        .map(|row| (text(row, "host"), counters_of(row)))
        .filter(|(_, counters)| counters.values().any(|&count| count > 0))
        .collect();
    // The controller itself has no row; what Ansible says about it is what there is.
    if let Some(counters) = said.get("localhost") {
        recap.entry("localhost".to_owned()).or_insert_with(|| counters.clone());
    }
    Outcome {
        status,
        recap,
        results: results_of(server, &id).await,
        written: written(output_folder),
    }
}

async fn results_of(server: &AdmiralServer, id: &str) -> Results {
    let kinds = "runner_on_ok,runner_on_failed,runner_on_skipped,runner_on_unreachable";
    let mut results = Results::new();
    let mut after = 0;
    loop {
        let page = server
            .get(&format!(
                "/api/deployments/{id}/events?limit=5000&after={after}&kind={kinds}"
            ))
            .await;
        for event in page["data"].as_array().expect("a list") {
            let payload = &event["payload"];
            let status = match text(event, "kind").as_str() {
                "runner_on_ok" if payload["changed"] == true => "changed",
                "runner_on_ok" => "ok",
                "runner_on_failed" if payload["ignore_errors"] == true => "ignored",
                "runner_on_failed" => "failed",
                "runner_on_skipped" => "skipped",
                _ => "unreachable",
            };
            let result = (without_project(&text(event, "task")), status.to_owned());
            results.entry(text(event, "host")).or_default().push(result);
        }
        match page["next_after"].as_i64() {
            Some(next) => after = next,
            None => return results,
        }
    }
}

/// Names of roles that are given by path hold the folder that the project lies in.
pub fn without_project(name: &str) -> String {
    let words = name.split(' ').map(|word| match word.find("/project") {
        Some(at) if word.starts_with('/') => &word[at + 1..],
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What lies below a folder: the path of every file and folder, its mode, and what is in it.
pub fn written(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let metadata = entry.metadata().expect("it was just listed");
            let content = if metadata.is_dir() {
                "folder".to_owned()
            } else {
                let content = fs::read(&path).expect("it was just listed");
                match String::from_utf8(content) {
                    Ok(text) => text.replace(&*folder.to_string_lossy(), "OUTPUT"),
                    Err(binary) => format!("{:?}", binary.as_bytes()),
                }
            };
            let mode = metadata.permissions().mode() & 0o7777;
            let name = path
                .strip_prefix(folder)
                .expect("it lies below")
                .to_string_lossy()
                .into_owned();
            found.insert(name, format!("{mode:04o} {content}"));
            if metadata.is_dir() {
                waiting.push(path);
            }
        }
    }
    found
}
