//! The counters of a finished deployment equal Ansible's own recap, whatever the playbook does.

use crate::support::{
    ansible::ansible_bins,
    server::{AdmiralServer, text},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

/// Each playbook, and whether all of its hosts come through.
pub const CASES: &[(&str, bool)] = &[
    ("ok_changed", true),
    ("failed", false),
    ("ignored", true),
    ("rescued", false),
    ("skipped", true),
    ("unreachable", false),
    ("ignore_unreachable", true),
    ("delegated", true),
    ("looped", false),
    ("retried", false),
    ("serial", false),
    ("run_once", true),
    ("free", false),
    ("handlers", true),
    ("includes", true),
    ("asynchronous", true),
    ("end_host", true),
    ("add_host", false),
    ("any_errors_fatal", false),
];

/// Host → (ok, changed, unreachable, failed, skipped, rescued, ignored).
pub type Recap = BTreeMap<String, BTreeMap<String, i64>>;

/// Reads `PLAY RECAP` of the human output, which our plugin has no part in.
pub fn read_recap(output: &str) -> Recap {
    let plain = strip_colours(output);
    let (_, recap) = plain
        .rsplit_once("PLAY RECAP")
        .unwrap_or_else(|| panic!("no recap in {plain}"));
    recap
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(" : "))
        .map(|(host, counters)| {
            let counters = counters
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, count)| (name.to_owned(), count.parse().expect("a count")))
                .collect();
            (host.trim().to_owned(), counters)
        })
        .collect()
}

fn strip_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            for end in characters.by_ref() {
                if end.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

/// The counters of a deployment's row.
pub fn counters_of(row: &Value) -> BTreeMap<String, i64> {
    [
        ("ok", "ok"),
        ("changed", "changed_count"),
        ("unreachable", "unreachable"),
        ("failed", "failed"),
        ("skipped", "skipped"),
        ("rescued", "rescued"),
        ("ignored", "ignored"),
    ]
    .into_iter()
    .map(|(name, field)| {
        (
            name.to_owned(),
            row[field].as_i64().unwrap_or_else(|| panic!("{field} in {row}")),
        )
    })
    .collect()
}

fn expected_status(counters: &BTreeMap<String, i64>) -> &'static str {
    if counters["failed"] > 0 {
        "failed"
    } else if counters["unreachable"] > 0 {
        "unreachable"
    } else if counters["ok"] + counters["rescued"] > 0 {
        "success"
    } else {
        "skipped"
    }
}

/// Compares a deployment and its rows with the recap in its output. Gives the recap, and what differs.
pub fn compare(
    case: &str,
    comes_through: bool,
    deployment: &Value,
    rows: &[Value],
    output: &str,
) -> (Recap, Vec<String>) {
    let mut wrong = Vec::new();
    let recap = read_recap(output);
    assert!(!recap.is_empty(), "{case}: {output}");
    for row in rows {
        let host = text(row, "host");
        let counters = counters_of(row);
        let expected = recap
            .get(&host)
            .cloned()
            .unwrap_or_else(|| counters.keys().map(|k| (k.clone(), 0)).collect());
        if counters != expected {
            wrong.push(format!("{case}/{host}: rows say {counters:?}, the recap {expected:?}"));
        }
        if row["status"] != expected_status(&expected) {
            wrong.push(format!("{case}/{host}: status {} with {expected:?}", row["status"]));
        }
        if row["changed"] != (expected["changed"] > 0) {
            wrong.push(format!("{case}/{host}: changed {} with {expected:?}", row["changed"]));
        }
    }
    // Otherwise the playbook did something else than what its name says.
    let harmed = recap
        .values()
        .any(|counters| counters["failed"] + counters["unreachable"] > 0);
    if harmed == comes_through && case != "ignore_unreachable" {
        wrong.push(format!("{case}: the recap is {recap:?}\n{output}"));
    }
    for host in recap.keys() {
        if host != "localhost" && !rows.iter().any(|row| row["host"] == **host) {
            wrong.push(format!("{case}/{host}: in the recap, but has no row"));
        }
    }
    let failed = recap.values().any(|counters| counters["failed"] > 0);
    let unreachable = recap.values().any(|counters| counters["unreachable"] > 0);
    let expected = match (failed, unreachable) {
        (true, _) => ("failed", json!("hosts_failed")),
        (false, true) => ("failed", json!("hosts_unreachable")),
        (false, false) => ("completed", Value::Null),
    };
    // Unreachable hosts that the playbook ignores do not fail the run.
    let ignored = case == "ignore_unreachable";
    if !ignored && (deployment["status"] != expected.0 || deployment["reason"] != expected.1) {
        wrong.push(format!(
            "{case}: {} {} instead of {expected:?}",
            deployment["status"], deployment["reason"]
        ));
    }
    if deployment["warnings"] != json!([]) {
        wrong.push(format!("{case}: warnings {}", deployment["warnings"]));
    }
    (recap, wrong)
}

/// Runs every case with the accelerator and compares the rows with Ansible's recap. Gives the recap of each case.
pub async fn counters_equal_the_recap(ansible: &Path, accelerator: &str) -> BTreeMap<&'static str, Recap> {
    let server = AdmiralServer::start_with(ansible).await;
    let playbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playbooks/parity");
    let custom = server.folder.path().join("playbooks/parity");
    std::fs::create_dir_all(custom.join("parts")).unwrap();
    for (case, _) in CASES {
        std::fs::copy(
            playbooks.join(format!("{case}.yml")),
            custom.join(format!("{case}.yml")),
        )
        .unwrap();
    }
    std::fs::copy(playbooks.join("parts/included.yml"), custom.join("parts/included.yml")).unwrap();

    let (key, _) = server.generate_key("parity").await;
    for n in 1..=4 {
        // Nothing listens on port 1: a play that really connects finds its host unreachable.
        server
            .add_server(&format!("h{n}"), "127.0.0.1", 1, "nobody", &key, &[])
            .await;
    }
    let mut deployments = Vec::new();
    for (case, comes_through) in CASES {
        let deployment = server
            .post(
                "/api/deployments",
                json!({"name": case, "playbook": format!("project/parity/{case}.yml"), "all": true,
                       "options": {"forks": 5, "accelerator": accelerator}}),
            )
            .await;
        deployments.push((case, comes_through, text(&deployment, "id")));
    }
    let mut wrong = Vec::new();
    let mut recaps = BTreeMap::new();
    for (case, comes_through, id) in deployments {
        let deployment = server.wait_for_end(&id).await;
        let output = server.output(&id).await;
        let (recap, differences) = compare(case, *comes_through, &deployment, &server.rows(&id).await, &output);
        wrong.extend(differences);
        recaps.insert(*case, recap);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    recaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_equal_the_recap_of_the_newest_ansible() {
    counters_equal_the_recap(&ansible_bins()[0], "none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_equal_the_recap_of_the_oldest_ansible() {
    counters_equal_the_recap(ansible_bins().last().expect("at least one"), "none").await;
}
