//! What a launch says about secrets that cannot be masked well, and what it keeps as a secret.

use crate::support::launchpad::Launchpad;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

fn warnings(answer: &Value) -> Vec<&str> {
    answer["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn weak_secrets_are_warned_of() {
    let pad = Launchpad::new().await;
    pad.write_playbook("site.yml", "- hosts: all\n");
    pad.add_server("web-1", &["all"], "active", true).await;
    let (status, environment) = pad
        .call(
            "POST",
            "/api/environments",
            Some(json!({"name": "staging", "secret_variables": {"token": "Changeme", "unused": ""}})),
        )
        .await;
    assert_eq!(status, 201, "{environment}");
    let launch = json!({
        "playbook": "project/site.yml", "all": true, "environment_id": environment["id"],
        "variables": {"short": "ab"},
        "secret_variables": {"pin": "73\n", "password": "long enough"},
        "files": {"seed": {"name": "seed", "content_base64": STANDARD.encode([0xff, 1, 2])}},
    });
    let (status, preview) = pad.call("POST", "/api/deployments/preview", Some(launch.clone())).await;
    assert_eq!(status, 200, "{preview}");
    let deployment = pad.launch(launch).await;
    for answer in [&preview, &deployment] {
        let found = warnings(answer);
        assert_eq!(found.len(), 3, "{found:?}");
        for (warning, (name, rule)) in found.iter().zip([
            ("secret_variables.pin has fewer than 4 characters", "no_log"),
            ("files.seed has fewer than 4 characters", "too short to be masked"),
            (
                "secret_variables.token (its value is the environment's) is a common word",
                "********",
            ),
        ]) {
            let known = found
                .iter()
                .any(|warning| warning.starts_with(name) && warning.contains(rule));
            assert!(known, "{name} is not among {found:?} ({warning})");
        }
        assert!(
            !answer.to_string().to_lowercase().contains("changeme"),
            "the value stays secret"
        );
    }
    // A retry has them as well.
    pad.execute("UPDATE admiral.runs SET status = 'finished'").await;
    pad.execute("UPDATE admiral.deployments SET status = 'failed', reason = 'hosts_failed'")
        .await;
    pad.execute("UPDATE admiral.deployment_servers SET status = 'failed'")
        .await;
    let retry = format!("/api/deployments/{}/retry", deployment["id"].as_str().unwrap());
    let (status, retried) = pad.call("POST", &retry, Some(json!({}))).await;
    assert_eq!(status, 201, "{retried}");
    let found = warnings(&retried);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("secret_variables.pin has fewer"), "{found:?}");
}

#[tokio::test]
async fn passwords_are_secrets_whichever_way_they_are_given() {
    let pad = Launchpad::new().await;
    pad.write_playbook("site.yml", "- hosts: all\n");
    pad.add_server("web-1", &["all"], "active", true).await;
    let set = json!({"name": "staging", "variables": {"ansible_become_password": "canary-1"}});
    for path in ["/api/environments", "/api/presets?playbook=project/site.yml"] {
        let (status, problem) = pad.call("POST", path, Some(set.clone())).await;
        assert_eq!(status, 422, "{problem}");
        assert_eq!(
            problem["errors"][0]["field"], "variables.ansible_become_password",
            "{problem}"
        );
        assert!(
            problem["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("among the secret variables")
        );
    }
    // One that is older than this rule.
    let (status, environment) = pad
        .call("POST", "/api/environments", Some(json!({"name": "staging"})))
        .await;
    assert_eq!(status, 201, "{environment}");
    pad.execute("UPDATE admiral.environments SET variables = '{\"ansible_become_pass\": 739105}'")
        .await;
    let deployment = pad
        .launch(json!({
            "playbook": "project/site.yml", "all": true, "environment_id": environment["id"],
            "variables": {"ansible_become_password": "canary-1", "a": 1},
        }))
        .await;
    assert_eq!(deployment["variables"], json!({"a": 1}));
    assert_eq!(
        deployment["secret_variables"],
        json!(["ansible_become_pass", "ansible_become_password"])
    );
    let kept = "SELECT count(*) FROM admiral.deployments WHERE deployments::text ~ '(canary-1|739105)'";
    assert_eq!(pad.number(kept).await, 0);
}
