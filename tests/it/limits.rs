//! A `--limit` chooses hosts and reads no file, whichever way it comes.

use crate::support::{ansible::ansible_bins, launchpad::Launchpad};
use admiral::inventory::limit::may_read_file;
use serde_json::json;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Prints those of the given limits for which Ansible would read a file.
const SPLIT: &str = "import json, sys
from ansible.inventory.manager import split_host_pattern
limits = json.load(sys.stdin)
print(json.dumps([limit for limit in limits if any(part[0] == '@' for part in split_host_pattern(limit))]))
";

/// The characters that mean something to Ansible's splitting, and some that do not.
const ALPHABET: [char; 20] = [
    'a', '1', '@', '@', ',', ':', ';', ' ', '\t', '[', ']', '!', '&', '~', '*', '.', '-', '\u{1f}', '\u{a0}',
    '\u{2028}',
];

#[test]
fn no_limit_that_is_taken_makes_ansible_read_a_file() {
    let mut limits: Vec<String> = Vec::new();
    for length in 1..=3_u32 {
        for number in 0..ALPHABET.len().pow(length) {
            let digit = |place| ALPHABET[number / ALPHABET.len().pow(place) % ALPHABET.len()];
            limits.push((0..length).map(digit).collect());
        }
    }
    let mut random = fastrand::Rng::with_seed(9);
    limits.extend((0..6000).map(|_| {
        let length = random.usize(4..14);
        (0..length)
            .map(|_| ALPHABET[random.usize(..ALPHABET.len())])
            .collect::<String>()
    }));
    let written = [
        "all:h1 @/etc/passwd",
        "h1[0] @/etc/passwd",
        "[::1] @x",
        "web[1:3]@x",
        "h1,\u{3000}@x",
    ];
    limits.extend(written.map(str::to_owned));
    let with_at = |limit: &&String| limit.contains('@');
    let taken: Vec<&String> = limits
        .iter()
        .filter(with_at)
        .filter(|limit| !may_read_file(limit))
        .collect();
    assert!(taken.len() > 100, "names with @ in them are taken");
    for bin in ansible_bins() {
        assert_eq!(
            read_files(&bin.join("python"), &taken),
            Vec::<String>::new(),
            "{}",
            bin.display()
        );
        // The test would notice.
        let refused: Vec<&String> = limits
            .iter()
            .filter(with_at)
            .filter(|limit| may_read_file(limit))
            .collect();
        assert!(read_files(&bin.join("python"), &refused).len() > 1000);
    }
}

fn read_files(python: &std::path::Path, limits: &[&String]) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", SPLIT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(limits).unwrap()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn no_door_takes_a_limit_that_reads_a_file() {
    const READS: &str = "all:h1 @/etc/passwd";
    let pad = Launchpad::new().await;
    pad.write_playbook("site.yml", "- hosts: all\n");
    pad.add_server("h1", &["all"], "active", true).await;
    let launch = json!({"playbook": "project/site.yml", "all": true});
    let with = |name: &str, value: serde_json::Value| {
        let mut body = launch.clone();
        body[name] = value;
        body
    };
    let refused = |(status, problem): (u16, serde_json::Value)| {
        assert_eq!(status, 422, "{problem}");
        assert_eq!(problem["errors"][0]["field"], "options.limit", "{problem}");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("must not hold @FILE"), "{message}");
    };
    let bad = with("options", json!({"limit": READS}));
    refused(pad.call("POST", "/api/deployments", Some(bad.clone())).await);
    let (status, preview) = pad.call("POST", "/api/deployments/preview", Some(bad)).await;
    let errors = preview["errors"].as_array().unwrap();
    assert_eq!(
        (status, errors.len(), &errors[0]["field"]),
        (200, 1, &json!("options.limit")),
        "{preview}"
    );
    let command = json!({"command": {"module": "ping"}, "all": true, "options": {"limit": "h1[0] @/etc/passwd"}});
    refused(pad.call("POST", "/api/deployments", Some(command)).await);

    // A preset and a deployment of an earlier version may have such a limit.
    let preset = json!({"name": "small", "options": {"limit": READS}});
    let presets = "/api/presets?playbook=project/site.yml";
    refused(pad.call("POST", presets, Some(preset)).await);
    let (status, preset) = pad.call("POST", presets, Some(json!({"name": "small"}))).await;
    assert_eq!(status, 201, "{preset}");
    pad.execute(&format!(
        "UPDATE admiral.presets SET options = options || '{{\"limit\": \"{READS}\"}}'"
    ))
    .await;
    refused(
        pad.call(
            "POST",
            "/api/deployments",
            Some(with("preset_id", preset["id"].clone())),
        )
        .await,
    );
    let deployment = pad.launch(launch.clone()).await;
    pad.execute("UPDATE admiral.runs SET status = 'finished'").await;
    pad.execute(&format!(
        "UPDATE admiral.deployments SET status = 'failed', reason = 'hosts_failed', options = options || '{{\"limit\": \"{READS}\"}}'"
    ))
    .await;
    pad.execute("UPDATE admiral.deployment_servers SET status = 'failed'")
        .await;
    let retry = format!("/api/deployments/{}/retry", deployment["id"].as_str().unwrap());
    refused(pad.call("POST", &retry, Some(json!({}))).await);
    assert_eq!(pad.number("SELECT count(*) FROM admiral.deployments").await, 1);
}
