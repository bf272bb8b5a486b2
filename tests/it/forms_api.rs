//! Forms, presets and environments: what holds at a launch, and what the API says about it.

use crate::support::launchpad::Launchpad;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const PLAYBOOK: &str = "- hosts: all\n  tasks: []\n";

const FORM: &str = "fields:
  - name: version
    type: text
    required: true
    pattern: '\\d+\\.\\d+'
  - name: replicas
    type: number
    min: 1
    max: 5
    default: 2
  - name: tls
    type: boolean
    default: false
  - name: port
    type: number
    default: 443
    shown_when: {field: tls, equals: true}
  - name: zone
    type: choice
    choices: [eu, us]
    default: eu
  - name: parts
    type: multi_choice
    choices: [web, db]
  - name: password
    type: secret
  - name: upstream
    type: server
  - name: certificate
    type: file
";

async fn with_form() -> (Launchpad, Value) {
    let pad = Launchpad::new().await;
    pad.write_playbook("site.yml", PLAYBOOK);
    pad.write_playbook("site.form.yml", FORM);
    pad.add_server("web1", &[], "active", true).await;
    (pad, json!({"playbook": "project/site.yml", "all": true}))
}

fn with(body: &Value, more: &Value) -> Value {
    let mut body = body.clone();
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn fields(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect()
}

async fn refused(pad: &Launchpad, body: Value) -> Vec<String> {
    let (status, problem) = pad.call("POST", "/api/deployments", Some(body.clone())).await;
    assert_eq!(status, 422, "{body}: {problem}");
    fields(&problem)
}

#[tokio::test]
async fn answers_are_checked_and_completed() {
    let (pad, body) = with_form().await;
    assert_eq!(refused(&pad, body.clone()).await, ["variables.version"]);
    for (variables, field) in [
        (json!({"version": "1"}), "variables.version"),
        (json!({"version": "1.2", "replicas": 6}), "variables.replicas"),
        (json!({"version": "1.2", "zone": "cn"}), "variables.zone"),
        (json!({"version": "1.2", "parts": ["web", "mail"]}), "variables.parts"),
        (json!({"version": "1.2", "upstream": "db1"}), "variables.upstream"),
        (
            json!({"version": "1.2", "certificate": "/etc/passwd"}),
            "variables.certificate",
        ),
        (json!({"version": "1.2", "tls": "maybe"}), "variables.tls"),
    ] {
        assert_eq!(
            refused(&pad, with(&body, &json!({"variables": variables}))).await,
            [field]
        );
    }
    let deployment = pad
        .launch(with(
            &body,
            &json!({"variables": {
                "version": "1.2", "replicas": "3", "parts": "web, db", "upstream": "web1", "password": "hunter2!", "port": 80,
                "extra": "{{ lookup('pipe', 'id') }}",
            }}),
        ))
        .await;
    assert_eq!(
        deployment["variables"],
        json!({"version": "1.2", "replicas": 3, "parts": ["web", "db"], "upstream": "web1", "tls": false, "zone": "eu",
               "extra": "{{ lookup('pipe', 'id') }}"})
    );
    assert_eq!(deployment["secret_variables"], json!(["password"]));
    assert_eq!(
        deployment["variable_sources"],
        json!({"version": "launch", "replicas": "launch", "parts": "launch", "upstream": "launch", "password": "launch",
               "extra": "launch", "tls": "form", "zone": "form"})
    );
    let warnings = deployment["warnings"].to_string();
    assert!(warnings.contains("port was left out"), "{warnings}");
    let stored = pad
        .number("SELECT count(*) FROM admiral.deployments WHERE to_jsonb(deployments)::text LIKE '%hunter2!%'")
        .await;
    assert_eq!(stored, 0, "a secret that came as a plain answer is not stored plain");
}

#[tokio::test]
async fn sources_are_merged_in_order_and_shown() {
    let (pad, body) = with_form().await;
    let (status, environment) = pad
        .call(
            "POST",
            "/api/environments",
            Some(
                json!({"name": "staging", "variables": {"zone": "us", "replicas": 1, "domain": "a.example"},
                        "secret_variables": {"password": "of-the-environment", "api_token": "t0ken-e"}}),
            ),
        )
        .await;
    assert_eq!(status, 201, "{environment}");
    let (status, preset) = pad
        .call(
            "POST",
            "/api/presets?playbook=project/site.yml",
            Some(json!({"name": "small", "variables": {"replicas": 4, "version": "1.0"},
                        "secret_variables": {"password": "of-the-preset"}, "options": {"forks": 7}})),
        )
        .await;
    assert_eq!(status, 201, "{preset}");
    let body = with(
        &body,
        &json!({"environment_id": environment["id"], "preset_id": preset["id"], "variables": {"version": "2.0"}}),
    );
    let (status, preview) = pad.call("POST", "/api/deployments/preview", Some(body.clone())).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(preview["errors"], json!([]));
    assert_eq!(preview["server_total"], 1);
    assert_eq!(preview["servers"][0]["hostname"], "web1");
    assert_eq!(preview["options"]["forks"], 7);
    assert_eq!(preview["acknowledgement_needed"], false);
    assert_eq!(
        preview["variables"],
        json!([
            {"name": "api_token", "value": null, "secret": true, "source": "environment", "overrides": []},
            {"name": "domain", "value": "a.example", "secret": false, "source": "environment", "overrides": []},
            {"name": "password", "value": null, "secret": true, "source": "preset", "overrides": ["environment"]},
            {"name": "replicas", "value": 4, "secret": false, "source": "preset", "overrides": ["form", "environment"]},
            {"name": "tls", "value": false, "secret": false, "source": "form", "overrides": []},
            {"name": "version", "value": "2.0", "secret": false, "source": "launch", "overrides": ["preset"]},
            {"name": "zone", "value": "us", "secret": false, "source": "environment", "overrides": ["form"]},
        ])
    );
    assert_eq!(
        pad.number("SELECT count(*) FROM admiral.deployments").await,
        0,
        "a preview launches nothing"
    );

    let deployment = pad.launch(body.clone()).await;
    assert_eq!(
        (&deployment["environment"], &deployment["preset"]),
        (&json!("staging"), &json!("small"))
    );
    assert_eq!(deployment["options"]["forks"], 7);
    assert_eq!(deployment["secret_variables"], json!(["api_token", "password"]));
    let wins = pad.launch(with(&body, &json!({"options": {"check": true}}))).await;
    assert_eq!(
        (&wins["options"]["forks"], &wins["options"]["check"]),
        (&json!(50), &json!(true))
    );

    let wrong = with(
        &body,
        &json!({"environment_id": preset["id"], "preset_id": environment["id"]}),
    );
    assert_eq!(refused(&pad, wrong).await, ["environment_id", "preset_id"]);
    pad.write_playbook("other.yml", PLAYBOOK);
    let other = with(&body, &json!({"playbook": "project/other.yml"}));
    assert_eq!(
        refused(&pad, other).await,
        ["preset_id"],
        "a preset is of its own playbook"
    );

    // What was launched keeps what it had.
    for path in ["/api/environments/", "/api/presets/"] {
        let id = if path.contains("env") {
            &environment["id"]
        } else {
            &preset["id"]
        };
        let (status, _) = pad
            .call("DELETE", &format!("{path}{}", id.as_str().unwrap()), None)
            .await;
        assert_eq!(status, 204);
    }
    pad.execute("UPDATE admiral.deployments SET status = 'failed'").await;
    pad.execute("UPDATE admiral.deployment_servers SET status = 'failed'")
        .await;
    let id = deployment["id"].as_str().unwrap();
    let (status, retry) = pad.call("POST", &format!("/api/deployments/{id}/retry"), None).await;
    assert_eq!(status, 201, "{retry}");
    for field in [
        "environment",
        "preset",
        "variable_sources",
        "secret_variables",
        "variables",
    ] {
        assert_eq!(retry[field], deployment[field], "{field}");
    }
}

#[tokio::test]
async fn files_are_answers() {
    let (pad, body) = with_form().await;
    let content = STANDARD.encode("-----BEGIN CERTIFICATE-----\n");
    let body = with(&body, &json!({"variables": {"version": "1.0"}}));
    let file = |name: &str, text: &str| json!({"files": {"certificate": {"name": name, "content_base64": text}}});
    for (more, field) in [
        (file("../x", &content), "files.certificate.name"),
        (file("", &content), "files.certificate.name"),
        (file("x", "%"), "files.certificate.content_base64"),
        (
            file("x", &STANDARD.encode(vec![0; 256 * 1024 + 1])),
            "files.certificate",
        ),
        (
            json!({"files": {"version": {"name": "x", "content_base64": ""}}}),
            "files.version",
        ),
        (
            json!({"files": {"ansible_connection": {"name": "x", "content_base64": ""}}}),
            "files.ansible_connection",
        ),
    ] {
        assert_eq!(refused(&pad, with(&body, &more)).await, [field], "{field}");
    }
    let deployment = pad.launch(with(&body, &file("server.pem", &content))).await;
    assert_eq!(deployment["file_variables"], json!(["certificate"]));
    assert_eq!(deployment["variable_sources"]["certificate"], "launch");
    assert_eq!(deployment["variables"].get("certificate"), None);
    pad.execute("UPDATE admiral.deployments SET status = 'failed'").await;
    pad.execute("UPDATE admiral.deployment_servers SET status = 'failed'")
        .await;
    let id = deployment["id"].as_str().unwrap();
    let (_, retry) = pad.call("POST", &format!("/api/deployments/{id}/retry"), None).await;
    assert_eq!(retry["file_variables"], json!(["certificate"]));
    assert_eq!(
        pad.number("SELECT count(sealed_files) FROM admiral.deployments").await,
        2
    );
    let ten: serde_json::Map<_, _> = (0..10)
        .map(|n| {
            (
                format!("f{n}"),
                json!({"name": "x", "content_base64": STANDARD.encode(vec![1; 256 * 1024])}),
            )
        })
        .collect();
    pad.launch(with(&body, &json!({ "files": ten }))).await;
}

#[tokio::test]
async fn a_playbook_that_asks_gets_its_answers_or_is_not_launched() {
    let pad = Launchpad::new().await;
    let text = "- hosts: all\n  vars: {colour: red}\n  vars_prompt:\n    - {name: user, prompt: 'Who?', private: no}\n    - name: pin\n    - {name: home, default: /srv, private: no}\n  tasks: []\n";
    pad.write_playbook("ask.yml", text);
    pad.add_server("web1", &[], "active", true).await;
    let body = json!({"playbook": "project/ask.yml", "all": true});
    assert_eq!(
        refused(&pad, body.clone()).await,
        ["variables.user", "secret_variables.pin"]
    );
    let deployment = pad
        .launch(with(
            &body,
            &json!({"variables": {"user": "ada", "pin": "4711-secret"}}),
        ))
        .await;
    assert_eq!(
        deployment["variables"],
        json!({"user": "ada"}),
        "nothing is sent that nobody answered"
    );
    assert_eq!(deployment["secret_variables"], json!(["pin"]));

    let (_, form) = pad.call("GET", "/api/playbooks/form?id=project/ask.yml", None).await;
    assert_eq!(
        (&form["source"], &form["path"]),
        (&json!("draft"), &json!("ask.form.yml"))
    );
    let names: Vec<_> = form["form"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["user", "pin", "home", "colour"]);
    assert_eq!(form["form"]["fields"][1]["type"], "secret");

    // The draft, saved beside the playbook, is the form.
    let yaml = form["yaml"].as_str().unwrap();
    pad.write_playbook("ask.form.yml", yaml);
    let (_, saved) = pad.call("GET", "/api/playbooks/form?id=project/ask.yml", None).await;
    assert_eq!((&saved["source"], &saved["yaml"]), (&json!("file"), &json!(yaml)));
    assert_eq!(
        refused(&pad, body.clone()).await,
        ["variables.user", "secret_variables.pin"]
    );
    // A form without them leaves them to what the playbook says.
    pad.write_playbook("ask.form.yml", "fields: []\n");
    assert_eq!(
        refused(&pad, body.clone()).await,
        ["variables.user", "secret_variables.pin"]
    );
    // A form that cannot be read is used by nobody.
    pad.write_playbook("ask.form.yml", "fields:\n  - name: x\n");
    assert_eq!(refused(&pad, body.clone()).await, ["playbook"]);
    let (_, preview) = pad.call("POST", "/api/deployments/preview", Some(body)).await;
    assert_eq!(preview["findings"][0]["line"], 2, "{preview}");
    assert_eq!(fields(&preview), ["playbook"]);
}

#[tokio::test]
async fn a_form_is_read_before_it_is_saved() {
    let pad = Launchpad::new().await;
    let parse = async |text: &str| {
        pad.call("POST", "/api/forms/parse", Some(json!({ "text": text })))
            .await
            .1
    };
    let read = parse(FORM).await;
    assert_eq!(read["errors"], json!([]));
    assert_eq!(
        read["form"]["fields"][3]["shown_when"],
        json!({"field": "tls", "equals": true})
    );
    let faulty = parse("fields:\n  - name: a b\n    type: text\n").await;
    assert_eq!(faulty["form"], Value::Null);
    assert_eq!(
        (&faulty["errors"][0]["line"], &faulty["errors"][0]["column"]),
        (&json!(2), &json!(11))
    );
}

#[tokio::test]
async fn secrets_of_presets_and_environments_stay() {
    let (pad, _) = with_form().await;
    for path in ["/api/environments", "/api/presets"] {
        let base = json!({"name": "a", "playbook": "project/site.yml"});
        let base = if path == "/api/presets" {
            base
        } else {
            json!({"name": "a"})
        };
        let create = with(
            &base,
            &json!({"variables": {"x": 1}, "secret_variables": {"one": "first-secret", "two": "second-secret"}}),
        );
        let (status, made) = pad.call("POST", path, Some(create.clone())).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["secret_variables"], json!(["one", "two"]));
        let (status, taken) = pad.call("POST", path, Some(create)).await;
        assert_eq!((status, fields(&taken)), (409, vec!["name".to_owned()]), "{taken}");
        for (wrong, field) in [
            (json!({"name": ""}), "name"),
            (
                json!({"name": "b", "variables": {"ansible_connection": "local"}}),
                "variables.ansible_connection",
            ),
            (
                json!({"name": "b", "secret_variables": {"a b": "x"}}),
                "secret_variables.a b",
            ),
            (
                json!({"name": "b", "variables": {"a": 1}, "secret_variables": {"a": "x"}}),
                "secret_variables.a",
            ),
            (json!({"name": "b", "description": "x".repeat(10_001)}), "description"),
        ] {
            let (status, problem) = pad.call("POST", path, Some(with(&base, &wrong))).await;
            assert_eq!((status, fields(&problem)), (422, vec![field.to_owned()]), "{problem}");
        }
        let one = format!("{path}/{}", made["id"].as_str().unwrap());
        let (status, changed) = pad
            .call(
                "PATCH",
                &one,
                Some(json!({"name": "b", "secret_variables": {"one": null, "three": "third-secret"}})),
            )
            .await;
        assert_eq!(status, 200, "{changed}");
        assert_eq!(changed["secret_variables"], json!(["three", "two"]));
        assert_eq!(
            (&changed["variables"], &changed["name"]),
            (&json!({"x": 1}), &json!("b"))
        );
        let (status, _) = pad.call("PATCH", &one, Some(json!({"variables": {"two": 1}}))).await;
        assert_eq!(status, 422, "two is a secret");
        // The second of two people is told.
        let change =
            |base: &Value, value: u8| json!({"base_updated_at": base["updated_at"], "variables": {"x": value}});
        let (status, latest) = pad.call("PATCH", &one, Some(change(&changed, 2))).await;
        assert_eq!(status, 200, "{latest}");
        let (status, problem) = pad.call("PATCH", &one, Some(change(&changed, 3))).await;
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
        let (status, _) = pad.call("PATCH", &one, Some(change(&latest, 4))).await;
        assert_eq!(status, 200);
        let (_, list) = pad.call("GET", path, None).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        let (status, _) = pad.call("DELETE", &one, None).await;
        assert_eq!(status, 204);
        let (status, _) = pad.call("DELETE", &one, None).await;
        assert_eq!(status, 404);
    }
    let (status, problem) = pad
        .call(
            "POST",
            "/api/presets?playbook=project/gone.yml",
            Some(json!({"name": "x"})),
        )
        .await;
    assert_eq!((status, fields(&problem)), (422, vec!["playbook".to_owned()]));
    let (status, problem) = pad
        .call(
            "POST",
            "/api/presets?playbook=project/site.yml",
            Some(json!({"name": "x", "options": {"forks": 0, "limit": "@x"}})),
        )
        .await;
    assert_eq!(
        (status, fields(&problem)),
        (422, vec!["options.forks".to_owned(), "options.limit".to_owned()])
    );
    let audit = pad.call("GET", "/api/audit", None).await.1.to_string();
    for action in [
        "environment.create",
        "environment.update",
        "environment.delete",
        "preset.create",
        "preset.update",
        "preset.delete",
    ] {
        assert!(audit.contains(action), "{action}");
    }
    for secret in ["first-secret", "second-secret", "third-secret"] {
        assert!(!audit.contains(secret));
    }
}

#[tokio::test]
async fn a_preview_tells_everything_that_is_wrong() {
    let (pad, body) = with_form().await;
    let body =
        json!({"playbook": body["playbook"], "variables": {"version": "x", "zone": "cn"}, "options": {"forks": 0}});
    let (status, preview) = pad.call("POST", "/api/deployments/preview", Some(body)).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(
        fields(&preview),
        ["server_ids", "options.forks", "variables.version", "variables.zone"]
    );
    let (status, _) = pad
        .call(
            "POST",
            "/api/deployments/preview",
            Some(json!({"playbook": "project/gone.yml", "all": true})),
        )
        .await;
    assert_eq!(status, 422);
}
