//! Launching, cancelling and retrying deployments over the API.

use crate::support::launchpad::Launchpad;
use admiral::{
    store::{deployments, packages},
    vault::RowIdentity,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

fn id(value: &Value) -> uuid::Uuid {
    value["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_bad_input_is_refused_by_its_field_and_inserts_nothing() {
    let pad = Launchpad::new().await;
    let good = pad.add_server("web-1", &["web"], "active", true).await;
    let inactive = pad.add_server("web-2", &["web"], "inactive", true).await;
    let keyless = pad.add_server("db-1", &["db"], "active", false).await;
    let unknown = uuid::Uuid::from_u128(1);
    let base = json!({ "playbook": "builtin/ping.yml", "server_ids": [good] });
    let with = |changes: Value| {
        let mut body = base.clone();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let table: Vec<(Value, &str, &str)> = vec![
        (json!({ "playbook": "builtin/ping.yml" }), "server_ids", "exactly one"),
        (with(json!({ "tags": ["web"] })), "tags", "exactly one"),
        (with(json!({ "all": true })), "all", "exactly one"),
        (json!({ "playbook": "builtin/ping.yml", "all": false }), "all", "true"),
        (with(json!({ "server_ids": [] })), "server_ids", "1 to 10000"),
        (
            with(json!({ "server_ids": [good, unknown] })),
            "server_ids[1]",
            "no server",
        ),
        (
            with(json!({ "server_ids": [good, good, unknown] })),
            "server_ids[1]",
            "no server",
        ),
        (
            with(json!({ "server_ids": [inactive] })),
            "server_ids[0]",
            "web-2 is inactive",
        ),
        (
            with(json!({ "server_ids": [keyless] })),
            "server_ids[0]",
            "db-1 has no private key",
        ),
        (with(json!({ "server_ids": ["x"] })), "server_ids[0]", ""),
        (
            json!({ "playbook": "builtin/ping.yml", "tags": [] }),
            "tags",
            "1 to 100",
        ),
        (
            json!({ "playbook": "builtin/ping.yml", "tags": ["web", "db"] }),
            "tags",
            "no active server",
        ),
        (
            json!({ "playbook": "builtin/ping.yml", "tags": ["db"] }),
            "tags",
            "db-1",
        ),
        (json!({ "playbook": "builtin/ping.yml", "all": true }), "all", "db-1"),
        (json!({ "server_ids": [good] }), "playbook", "required"),
        (
            with(json!({ "playbook": "builtin/none.yml" })),
            "playbook",
            "not in the library",
        ),
        (
            with(json!({ "playbook": "project/../builtin/ping.yml" })),
            "playbook",
            "id of a playbook",
        ),
        (
            with(json!({ "playbook": "/etc/passwd" })),
            "playbook",
            "id of a playbook",
        ),
        (with(json!({ "name": " " })), "name", "1 to 200"),
        (with(json!({ "name": "x".repeat(201) })), "name", "1 to 200"),
        (
            with(json!({ "description": "x".repeat(10_001) })),
            "description",
            "10000",
        ),
        (
            with(json!({ "variables": { "not valid": 1 } })),
            "variables.not valid",
            "",
        ),
        (
            with(json!({ "variables": { "ansible_ssh_common_args": "x" } })),
            "variables.ansible_ssh_common_args",
            "",
        ),
        (
            with(json!({ "secret_variables": { "1x": "s3cret" } })),
            "secret_variables.1x",
            "",
        ),
        (
            with(json!({ "variables": { "a": 1 }, "secret_variables": { "a": "s3cret" } })),
            "secret_variables.a",
            "among the variables",
        ),
        (
            with(json!({ "secret_variables": { "a": 1 } })),
            "secret_variables.a",
            "",
        ),
        (
            with(json!({ "options": { "forks": 0 } })),
            "options.forks",
            "between 1 and 500",
        ),
        (
            with(json!({ "options": { "verbosity": 5 } })),
            "options.verbosity",
            "between 0 and 4",
        ),
        (
            with(json!({ "options": { "timeout_seconds": 0 } })),
            "options.timeout_seconds",
            "604800",
        ),
        (
            with(json!({ "options": { "limit": "nobody" } })),
            "options.limit",
            "none of the servers",
        ),
        (
            with(json!({ "options": { "limit": "@/etc/passwd" } })),
            "options.limit",
            "must not hold @FILE",
        ),
        (
            with(json!({ "options": { "limit": "--list-hosts" } })),
            "options.limit",
            "host pattern",
        ),
        (with(json!({ "options": { "tags": ["a b"] } })), "options.tags", "names"),
        (
            with(json!({ "options": { "colour": true } })),
            "options.colour",
            "not a known field",
        ),
        (with(json!({ "colour": true })), "colour", "not a known field"),
    ];
    for (body, field, message) in table {
        let (status, problem) = pad.call("POST", "/api/deployments", Some(body.clone())).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (422, Some("validation_failed")),
            "{body}\n{problem}"
        );
        let errors = problem["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["field"] == field);
        let error = error.unwrap_or_else(|| panic!("{field} is not among the errors of {body}\n{problem}"));
        assert!(
            error["message"].as_str().unwrap().contains(message),
            "{body}\n{problem}"
        );
        assert!(!problem.to_string().contains("s3cret"), "{problem}");
    }
    for table in ["deployments", "deployment_servers", "runs", "audit_log"] {
        assert_eq!(
            pad.number(&format!("SELECT count(*) FROM admiral.{table}")).await,
            0,
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_launch_freezes_everything() {
    let pad = Launchpad::new().await;
    pad.write_playbook("site/site.yml", "# About.\n- name: Site\n  hosts: all\n");
    pad.write_playbook("site/group_vars/all.yml", "a: 1\n");
    let first = pad.add_server("web-2", &["web", "eu"], "active", true).await;
    let second = pad.add_server("web-1", &["web", "eu"], "active", true).await;
    pad.add_server("web-3", &["web"], "active", true).await;
    pad.add_server("web-4", &["web", "eu"], "inactive", true).await;
    let deployment = pad
        .launch(json!({
            "playbook": "project/site/site.yml", "tags": ["web", "eu"], "description": "why",
            "variables": { "a": [1, "{{ x }}"] }, "secret_variables": { "password": "canary-7" },
            "options": { "forks": 7, "become": true, "limit": "web-1" },
        }))
        .await;
    assert_eq!(deployment["name"], "Site");
    assert_eq!(deployment["status"], "pending");
    assert_eq!(deployment["target"], json!({ "kind": "tags", "tags": ["web", "eu"] }));
    assert_eq!(deployment["secret_variables"], json!(["password"]));
    assert_eq!(deployment["counts"]["total"], 2);
    assert_eq!(deployment["counts"]["pending"], 2);
    assert_eq!(deployment["options"]["forks"], 7);
    assert_eq!(deployment["created_by"]["username"], "tester");
    assert!(!deployment.to_string().contains("canary-7"));

    // What changes afterwards changes nothing.
    pad.write_playbook("site/site.yml", "- name: Changed\n  hosts: all\n");
    pad.execute("UPDATE admiral.servers SET ssh_host = '10.9.9.9', tags = '[]'")
        .await;
    let (_, rows) = pad
        .call(
            "GET",
            &format!("/api/deployments/{}/servers", deployment["number"]),
            None,
        )
        .await;
    assert_eq!(rows["meta"]["total"], 2);
    let of = |row: &Value| {
        (
            row["host"].clone(),
            row["server_id"].clone(),
            row["address"].clone(),
            row["status"].clone(),
        )
    };
    assert_eq!(
        of(&rows["data"][0]),
        (json!("web-1"), json!(second), json!("10.0.0.1:22"), json!("pending"))
    );
    assert_eq!(
        of(&rows["data"][1]),
        (json!("web-2"), json!(first), json!("10.0.0.1:22"), json!("pending"))
    );

    let mut connection = pad.database().acquire().await.unwrap();
    let frozen = deployments::get_frozen(&mut connection, id(&deployment)).await.unwrap();
    let files = packages::load_version_files(&mut connection, frozen.playbook_version_id.unwrap())
        .await
        .unwrap();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|file| (file.path.as_str(), file.content.as_slice()))
        .collect();
    assert_eq!(
        files,
        [
            ("group_vars/all.yml", b"a: 1\n".as_slice()),
            ("site.yml", b"# About.\n- name: Site\n  hosts: all\n".as_slice())
        ]
    );
    let sealed = frozen.sealed_variables.unwrap();
    let plain = pad
        .state
        .vault
        .open(&sealed, RowIdentity::deployment_variables(id(&deployment)))
        .unwrap();
    assert_eq!(plain.expose_secret().as_slice(), br#"{"password":"canary-7"}"#);

    assert_eq!(
        pad.number("SELECT count(*) FROM admiral.runs WHERE status = 'pending'")
            .await,
        1
    );
    let audited = "SELECT count(*) FROM admiral.audit_log WHERE action = 'deployment.launch' AND actor_name = 'tester' \
                   AND after::text NOT LIKE '%canary-7%'";
    assert_eq!(pad.number(audited).await, 1);
    let (_, by_number) = pad
        .call("GET", &format!("/api/deployments/{}", deployment["number"]), None)
        .await;
    assert_eq!(by_number["id"], deployment["id"]);
    for missing in ["999999", "x", "00000000-0000-0000-0000-000000000001"] {
        for rest in ["", "/servers", "/events", "/output", "/stream"] {
            assert_eq!(
                pad.call("GET", &format!("/api/deployments/{missing}{rest}"), None)
                    .await
                    .0,
                404
            );
        }
    }
}

#[tokio::test]
async fn a_pending_deployment_is_cancelled_at_once() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let deployment = pad
        .launch(json!({ "playbook": "builtin/ping.yml", "server_ids": [server] }))
        .await;
    let path = format!("/api/deployments/{}", deployment["id"].as_str().unwrap());
    let (status, cancelled) = pad.call("POST", &format!("{path}/cancel"), Some(json!({}))).await;
    assert_eq!(status, 202);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["reason"], "cancelled_by_user");
    assert_eq!(
        (&cancelled["counts"]["cancelled"], &cancelled["counts"]["pending"]),
        (&json!(1), &json!(0))
    );
    let (_, rows) = pad.call("GET", &format!("{path}/servers"), None).await;
    assert_eq!(
        (&rows["data"][0]["status"], &rows["data"][0]["position"]),
        (&json!("cancelled"), &json!(2))
    );
    let (_, events) = pad.call("GET", &format!("{path}/events"), None).await;
    let kinds: Vec<&str> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["cancel_requested", "deployment_finished"]);
    assert_eq!(events["data"][0]["payload"], json!({ "by": "tester", "force": false }));
    assert_eq!(events["next_after"], Value::Null);
    let (_, page) = pad.call("GET", &format!("{path}/events?limit=1"), None).await;
    assert_eq!(
        (page["data"].as_array().unwrap().len(), &page["next_after"]),
        (1, &json!(1))
    );
    assert_eq!(
        pad.number("SELECT count(*) FROM admiral.runs WHERE status = 'finished'")
            .await,
        1
    );
    let (status, problem) = pad.call("POST", &format!("{path}/cancel"), None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("conflict")));
    assert_eq!(
        pad.call("POST", &format!("{path}/cancel"), Some(json!({ "hard": true })))
            .await
            .0,
        422
    );
}

#[tokio::test]
async fn a_running_deployment_is_asked_to_end_and_a_second_request_is_forced() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let deployment = pad
        .launch(json!({ "playbook": "builtin/ping.yml", "server_ids": [server] }))
        .await;
    let path = format!("/api/deployments/{}", deployment["id"].as_str().unwrap());
    // Claimed, but the worker has not come to say that the deployment runs: it must not be cancelled under its hands.
    pad.execute("UPDATE admiral.runs SET status = 'running'").await;
    let (status, asked) = pad.call("POST", &format!("{path}/cancel"), None).await;
    assert_eq!((status, asked["status"].as_str()), (202, Some("pending")));
    assert!(asked["cancel_requested_at"].is_string());
    let told = "SELECT count(*) FROM admiral.runs WHERE cancel_requested_at IS NOT NULL AND cancel_force";
    assert_eq!(pad.number(told).await, 0);
    pad.execute("UPDATE admiral.deployments SET status = 'running'").await;
    let (status, again) = pad.call("POST", &format!("{path}/cancel"), None).await;
    assert_eq!(
        (status, &again["cancel_requested_at"]),
        (202, &asked["cancel_requested_at"])
    );
    assert_eq!(pad.number(told).await, 1);
    let (_, events) = pad
        .call("GET", &format!("{path}/events?kind=cancel_requested"), None)
        .await;
    assert_eq!(events["data"][1]["payload"]["force"], true);
    assert_eq!(pad.call("POST", &format!("{path}/retry"), Some(json!({}))).await.0, 409);
}

#[tokio::test]
async fn a_retry_takes_what_failed_with_identical_parameters() {
    let pad = Launchpad::new().await;
    pad.write_playbook("site/site.yml", "- hosts: all\n");
    for host in [
        "a-ok",
        "b-failed",
        "c-unreachable",
        "d-cancelled",
        "e-skipped",
        "f-gone",
        "g-inactive",
    ] {
        pad.add_server(host, &["all"], "active", true).await;
    }
    let old = pad
        .launch(json!({
            "playbook": "project/site/site.yml", "tags": ["all"], "name": "Roll-out", "variables": { "a": 1 },
            "secret_variables": { "password": "canary-8" }, "options": { "forks": 3, "limit": "all:!x" },
        }))
        .await;
    pad.execute("UPDATE admiral.runs SET status = 'finished'").await;
    pad.execute("UPDATE admiral.deployments SET status = 'failed', reason = 'hosts_failed'")
        .await;
    pad.execute(
        "UPDATE admiral.deployment_servers SET status = CASE host WHEN 'a-ok' THEN 'success' WHEN 'c-unreachable' THEN 'unreachable' \
         WHEN 'd-cancelled' THEN 'cancelled' WHEN 'e-skipped' THEN 'skipped' ELSE 'failed' END",
    )
    .await;
    pad.execute("DELETE FROM admiral.servers WHERE hostname = 'f-gone'")
        .await;
    pad.execute("UPDATE admiral.servers SET status = 'inactive' WHERE hostname = 'g-inactive'")
        .await;
    // The library has moved on; a retry has not.
    pad.write_playbook("site/site.yml", "- hosts: none\n");
    let path = format!("/api/deployments/{}/retry", old["id"].as_str().unwrap());
    let (status, new) = pad.call("POST", &path, Some(json!({}))).await;
    assert_eq!(status, 201, "{new}");
    assert_eq!(new["retry_of"], old["id"]);
    assert_ne!(new["id"], old["id"]);
    for same in [
        "name",
        "playbook",
        "variables",
        "secret_variables",
        "options",
        "description",
    ] {
        assert_eq!(new[same], old[same], "{same}");
    }
    let (_, rows) = pad
        .call("GET", &format!("/api/deployments/{}/servers", new["number"]), None)
        .await;
    let hosts: Vec<&str> = rows["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["host"].as_str().unwrap())
        .collect();
    assert_eq!(hosts, ["b-failed", "c-unreachable", "d-cancelled", "e-skipped"]);
    let mut connection = pad.database().acquire().await.unwrap();
    let (of_old, of_new) = (
        deployments::get_frozen(&mut connection, id(&old)).await.unwrap(),
        deployments::get_frozen(&mut connection, id(&new)).await.unwrap(),
    );
    assert_eq!(of_old.playbook_version_id, of_new.playbook_version_id);
    let sealed = of_new.sealed_variables.unwrap();
    assert!(
        pad.state
            .vault
            .open(&sealed, RowIdentity::deployment_variables(id(&old)))
            .is_err()
    );
    let plain = pad
        .state
        .vault
        .open(&sealed, RowIdentity::deployment_variables(id(&new)))
        .unwrap();
    assert_eq!(plain.expose_secret().as_slice(), br#"{"password":"canary-8"}"#);
    drop(connection);

    pad.execute("UPDATE admiral.deployment_servers SET status = 'success' WHERE status <> 'skipped'")
        .await;
    pad.execute("UPDATE admiral.deployments SET status = 'completed', reason = NULL")
        .await;
    assert_eq!(
        pad.call("POST", &path, None).await.0,
        422,
        "in a completed deployment nothing is left to do"
    );
}
