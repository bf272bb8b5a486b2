//! Versions of custom packages: saving, conflicts, differences, rolling back, running old ones.

use crate::support::launchpad::Launchpad;
use serde_json::{Value, json};

const SITE: &str = "- name: Site\n  hosts: all\n  roles: [web]\n";
const TASKS: &str = "- ansible.builtin.ping:\n";

async fn shop(pad: &Launchpad) -> (String, String) {
    let files = [
        ("site.yml", SITE),
        ("roles/web/tasks/main.yml", TASKS),
        ("logo.png", "\0binary"),
    ];
    let (package, version) = pad.add_package("shop", &files).await;
    (format!("/api/packages/{package}"), version.to_string())
}

fn edit(base: &str, changes: Value) -> Value {
    json!({ "base_version_id": base, "comment": " Faster ", "changes": changes })
}

#[tokio::test]
async fn every_change_is_a_version_and_none_is_lost() {
    let pad = Launchpad::new().await;
    let (package, first) = shop(&pad).await;
    let changes = json!([
        { "path": "roles/web/tasks/main.yml", "content": "- ansible.builtin.command: uptime\n" },
        { "path": "run.sh", "content": "#!/bin/sh\n", "mode": 0o755 },
        { "path": "logo.png", "content": null },
    ]);
    let (status, second) = pad
        .call("POST", &format!("{package}/versions"), Some(edit(&first, changes)))
        .await;
    assert_eq!(status, 201, "{second}");
    assert_eq!(
        (&second["number"], &second["comment"], &second["author_name"]),
        (&json!(2), &json!("Faster"), &json!("tester"))
    );
    let second_id = second["id"].as_str().unwrap();

    let (_, diff) = pad
        .call("GET", &format!("{package}/diff?from={first}&to={second_id}"), None)
        .await;
    let files: Vec<_> = diff["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].clone(), file["status"].clone(), file["diff"].clone()))
        .collect();
    assert_eq!(
        files,
        [
            (json!("logo.png"), json!("removed"), json!("")),
            (
                json!("roles/web/tasks/main.yml"),
                json!("changed"),
                json!("@@ -1 +1 @@\n-- ansible.builtin.ping:\n+- ansible.builtin.command: uptime\n")
            ),
            (json!("run.sh"), json!("added"), json!("@@ -0,0 +1 @@\n+#!/bin/sh\n")),
        ]
    );
    assert_eq!(
        (&diff["files"][0]["binary"], &diff["files"][2]["new_mode"]),
        (&json!(true), &json!(0o755))
    );

    // Rolling back makes a third version, equal to the first.
    let back = json!({ "version_id": first, "base_version_id": second_id, "comment": "too fast" });
    let (status, third) = pad.call("POST", &format!("{package}/rollback"), Some(back)).await;
    assert_eq!(
        (status, &third["number"], &third["rolled_back_to"]),
        (201, &json!(3), &json!(1)),
        "{third}"
    );
    let (_, versions) = pad.call("GET", &format!("{package}/versions"), None).await;
    let digests: Vec<&Value> = versions["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["digest"])
        .collect();
    assert_eq!((versions["meta"]["total"].as_i64(), digests[0]), (Some(3), digests[2]));
    assert_ne!(digests[0], digests[1]);

    let file = format!("{package}/versions/{second_id}/file");
    let (_, script) = pad.call("GET", &format!("{file}?path=run.sh"), None).await;
    assert_eq!(
        script,
        json!({"path": "run.sh", "mode": 0o755, "size": 10, "content": "#!/bin/sh\n"})
    );
    let (_, logo) = pad
        .call("GET", &format!("{package}/versions/{first}/file?path=logo.png"), None)
        .await;
    assert_eq!((&logo["content"], &logo["size"]), (&json!(null), &json!(7)));
    assert_eq!(pad.call("GET", &format!("{file}?path=logo.png"), None).await.0, 404);
    let (_, files) = pad
        .call("GET", &format!("{package}/versions/{first}/files"), None)
        .await;
    assert_eq!(files["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_second_of_two_people_is_told_and_nothing_is_lost() {
    let pad = Launchpad::new().await;
    let (package, first) = shop(&pad).await;
    let save = |text: &str| edit(&first, json!([{ "path": "site.yml", "content": text }]));
    let path = format!("{package}/versions");
    // At the same time: one of them is first.
    let (ours, theirs) = (format!("{SITE}# ours\n"), format!("{SITE}# theirs\n"));
    let (a, b) = tokio::join!(
        pad.call("POST", &path, Some(save(&ours))),
        pad.call("POST", &path, Some(save(&theirs)))
    );
    let (saved, refused) = if a.0 == 201 { (a, b) } else { (b, a) };
    assert_eq!((saved.0, refused.0), (201, 409), "{saved:?} {refused:?}");
    assert_eq!(refused.1["code"], "version_conflict");
    assert_eq!(refused.1["current"], saved.1);
    assert_eq!(pad.number("SELECT count(*) FROM admiral.playbook_versions v JOIN admiral.packages p ON p.id = v.package_id WHERE p.origin = 'custom'").await, 2);
    let back = json!({ "version_id": first, "base_version_id": first });
    let (status, problem) = pad.call("POST", &format!("{package}/rollback"), Some(back)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("version_conflict")));
    // On top of what is there now, the second save goes through.
    let mut again = save(&theirs);
    again["base_version_id"] = saved.1["id"].clone();
    let (status, third) = pad.call("POST", &path, Some(again)).await;
    assert!(status == 201 || (status == 422 && saved.1["number"] == 2), "{third}");
}

#[tokio::test]
async fn a_playbook_that_went_with_its_file_comes_back_with_it() {
    let pad = Launchpad::new().await;
    let files = [
        ("a.yml", SITE),
        ("b.yml", SITE),
        ("c.yml", SITE),
        ("roles/web/tasks/main.yml", TASKS),
    ];
    let (package, first) = pad.add_package("shop", &files).await;
    let package = format!("/api/packages/{package}");
    // One is left out by choice, one goes with its file.
    let chosen = json!({ "entry_points": ["a.yml", "b.yml"] });
    let (status, answer) = pad.call("PATCH", &package, Some(chosen)).await;
    assert_eq!(status, 200, "{answer}");
    let removal = edit(&first.to_string(), json!([{ "path": "b.yml", "content": null }]));
    let (_, second) = pad.call("POST", &format!("{package}/versions"), Some(removal)).await;
    let entries = async || pad.call("GET", &package, None).await.1["entry_points"].clone();
    assert_eq!(entries().await, json!(["a.yml"]));
    let back = json!({ "base_version_id": second["id"], "version_id": first });
    let (status, third) = pad.call("POST", &format!("{package}/rollback"), Some(back)).await;
    assert_eq!((status, &third["number"]), (201, &json!(3)), "{third}");
    assert_eq!(entries().await, json!(["a.yml", "b.yml"]));
}

#[tokio::test]
async fn bad_edits_are_refused_by_their_field() {
    let pad = Launchpad::new().await;
    let (package, first) = shop(&pad).await;
    let path = format!("{package}/versions");
    for (changes, field) in [
        (json!([]), "changes"),
        (json!([{ "path": "site.yml", "content": SITE }]), "changes"),
        (json!([{ "path": "../site.yml", "content": "" }]), "changes[0].path"),
        (json!([{ "path": "gone", "content": null }]), "changes[0].path"),
        (
            json!([{ "path": "x", "content": "", "mode": 0o4755 }]),
            "changes[0].mode",
        ),
    ] {
        let (status, problem) = pad.call("POST", &path, Some(edit(&first, changes))).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
    pad.write_playbook("mine/site.yml", SITE);
    let (_, list) = pad.call("GET", "/api/packages", None).await;
    let folder = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "mine")
        .unwrap();
    assert_eq!(
        (&folder["source"], &folder["entry_points"]),
        (&json!("folder"), &json!(["site.yml"]))
    );
    let base = folder["current_version"]["id"].as_str().unwrap();
    let changes = json!([{ "path": "site.yml", "content": "- hosts: all\n" }]);
    let path = format!("/api/packages/{}/versions", folder["id"].as_str().unwrap());
    assert_eq!(pad.call("POST", &path, Some(edit(base, changes))).await.0, 409);
    let path = format!("/api/packages/{}", folder["id"].as_str().unwrap());
    assert_eq!(pad.call("DELETE", &path, None).await.0, 409);
}

#[tokio::test]
async fn a_deployment_keeps_its_version_and_an_old_one_can_be_run() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let (package, first) = shop(&pad).await;
    let mut body = json!({ "playbook": "custom/shop/site.yml", "server_ids": [server] });
    // Nobody has looked at what was uploaded.
    let (status, problem) = pad.call("POST", "/api/deployments", Some(body.clone())).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("review_required")),
        "{problem}"
    );
    body["acknowledge"] = json!(true);
    let launched = pad.launch(body.clone()).await;
    assert_eq!(
        (
            &launched["version"]["number"],
            &launched["version"]["differs_from_current"]
        ),
        (&json!(1), &json!(null))
    );
    assert_eq!(launched["version"]["reviewed_by_name"], "tester");
    body["acknowledge"] = json!(false);
    pad.launch(body.clone()).await;

    let changes = json!([{ "path": "site.yml", "content": "- name: New\n  hosts: all\n" }]);
    let (_, second) = pad
        .call("POST", &format!("{package}/versions"), Some(edit(&first, changes)))
        .await;
    let (_, seen) = pad
        .call(
            "GET",
            &format!("/api/deployments/{}", launched["id"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!(seen["version"]["differs_from_current"], second["id"]);
    // A new version has to be looked at anew; the old one was.
    assert_eq!(pad.call("POST", "/api/deployments", Some(body.clone())).await.0, 409);
    body["version_id"] = json!(first);
    let old = pad.launch(body.clone()).await;
    assert_eq!((&old["version"]["number"], &old["name"]), (&json!(1), &json!("Site")));
    body["version_id"] = json!(pad.add_package("other", &[("x.yml", SITE)]).await.1);
    let (status, problem) = pad.call("POST", "/api/deployments", Some(body)).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (422, &json!("version_id")),
        "{problem}"
    );

    let (_, list) = pad.call("GET", "/api/playbooks?origin=custom&search=shop", None).await;
    let record = &list["data"][0]["record"];
    assert_eq!(
        (&record["ended"], record["latest"].as_array().unwrap().len()),
        (&json!(0), 3)
    );
    let reviews = "SELECT count(*) FROM admiral.audit_log WHERE action = 'package.review'";
    assert_eq!(pad.number(reviews).await, 1);
}

#[tokio::test]
async fn a_deleted_package_is_gone_and_its_deployments_are_not() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let (package, _) = shop(&pad).await;
    let launch = json!({ "playbook": "custom/shop/site.yml", "server_ids": [server], "acknowledge": true });
    let launched = pad.launch(launch.clone()).await;
    assert_eq!(pad.call("DELETE", &package, None).await.0, 204);
    assert_eq!(pad.call("DELETE", &package, None).await.0, 404);
    let (_, list) = pad.call("GET", "/api/playbooks?origin=custom", None).await;
    assert_eq!(list["data"], json!([]));
    assert_eq!(pad.call("POST", "/api/deployments", Some(launch.clone())).await.0, 422);
    let path = format!("/api/deployments/{}", launched["id"].as_str().unwrap());
    assert_eq!(pad.call("GET", &path, None).await.1["version"]["package_name"], "shop");
    // Its name is free again.
    shop(&pad).await;
    pad.launch(launch).await;
}

#[tokio::test]
async fn the_playbooks_of_a_package_are_chosen() {
    let pad = Launchpad::new().await;
    let (package, _) = pad
        .add_package("two", &[("a.yml", SITE), ("b.yml", SITE), ("vars.yml", "x: 1\n")])
        .await;
    let path = format!("/api/packages/{package}");
    let (status, after) = pad
        .call("PATCH", &path, Some(json!({ "entry_points": ["b.yml", "a.yml"] })))
        .await;
    assert_eq!(
        (status, &after["entry_points"]),
        (200, &json!(["a.yml", "b.yml"])),
        "{after}"
    );
    let (status, problem) = pad
        .call("PATCH", &path, Some(json!({ "entry_points": ["vars.yml"] })))
        .await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (422, &json!("entry_points[0]"))
    );
    pad.call("PATCH", &path, Some(json!({ "entry_points": ["b.yml"] })))
        .await;
    let (_, list) = pad.call("GET", "/api/playbooks?search=custom/two", None).await;
    let missing: Vec<bool> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| !p["missing_since"].is_null())
        .collect();
    assert_eq!(missing, [true, false]);
}
