//! The library, its snapshots, and what the real Ansible says about syntax.

use crate::support::launchpad::{Launchpad, real_ansible_playbook};
use admiral::playbooks::{LibraryError, ansible};
use serde_json::json;
use std::{fs, os::unix::fs::symlink};

const PING: &str =
    "---\n# Says hello.\n- name: Hello\n  hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n";

#[tokio::test]
async fn the_library_lists_plays_and_nothing_else() {
    let pad = Launchpad::new().await;
    for path in [
        "root.yml",
        "web/site.yaml",
        "web/playbooks/deep.yml",
        "web/a/b/too-deep.yml",
        "roles/x/play.yml",
        "web/tasks/play.yml",
        "web/group_vars/play.yml",
        ".hidden/play.yml",
        "web/.hidden.yml",
        "web/readme.txt",
    ] {
        pad.write_playbook(path, PING);
    }
    pad.write_playbook("vars.yml", "hosts: all\n");
    pad.write_playbook("binary.yml", "- hosts: all\u{0}");
    fs::write(pad.folder.path().join("playbooks/latin1.yml"), b"- hosts: all # \xff\n").unwrap();
    let outside = pad.folder.path().join("outside.yml");
    fs::write(&outside, PING).unwrap();
    symlink(&outside, pad.folder.path().join("playbooks/link.yml")).unwrap();
    let (status, list) = pad.call("GET", "/api/playbooks", None).await;
    assert_eq!(status, 200);
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|playbook| playbook["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "builtin/facts.yml",
            "builtin/packages-update.yml",
            "builtin/ping.yml",
            "builtin/reboot.yml",
            "custom/binary.yml",
            "custom/root.yml",
            "custom/web/playbooks/deep.yml",
            "custom/web/site.yaml",
        ]
    );
    let (_, found) = pad.call("GET", "/api/playbooks?search=HELLO", None).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 3);
    assert_eq!(
        found["data"][0],
        json!({"id": "custom/root.yml", "origin": "custom", "path": "root.yml", "name": "Hello", "description": "Says hello.",
               "accelerator": null, "error": null})
    );
    let (status, content) = pad
        .call("GET", "/api/playbooks/content?id=custom/web/site.yaml", None)
        .await;
    assert_eq!((status, content["content"].as_str()), (200, Some(PING)));
}

#[tokio::test]
async fn nothing_outside_the_library_is_read() {
    let pad = Launchpad::new().await;
    pad.write_playbook("in.yml", PING);
    pad.write_playbook("tasks/t.yml", PING);
    fs::write(pad.folder.path().join("outside.yml"), PING).unwrap();
    symlink(
        pad.folder.path().join("outside.yml"),
        pad.folder.path().join("playbooks/link.yml"),
    )
    .unwrap();
    symlink(pad.folder.path(), pad.folder.path().join("playbooks/up")).unwrap();
    let absolute = format!("custom/{}", pad.folder.path().join("outside.yml").display());
    for id in [
        "custom/../outside.yml",
        "custom/..%2Foutside.yml",
        "custom/%2e%2e/outside.yml",
        "builtin/../playbooks/in.yml",
        "../in.yml",
        "custom/link.yml",
        "custom/up/outside.yml",
        "custom/tasks/t.yml",
        "custom/missing.yml",
        "project/in.yml",
        "",
        &absolute,
        "custom/in.yml%00",
    ] {
        let (status, problem) = pad.call("GET", &format!("/api/playbooks/content?id={id}"), None).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (404, Some("not_found")),
            "{id}: {problem}"
        );
    }
}

#[tokio::test]
async fn a_snapshot_holds_what_the_playbook_needs() {
    let pad = Launchpad::new().await;
    for (path, text) in [
        ("site.yml", "- import_playbook: shared/base.yml\n"),
        ("roles/common/tasks/main.yml", "[]\n"),
        ("group_vars/all.yml", "a: 1\n"),
        ("shared/base.yml", PING),
        ("web/site.yml", PING),
        ("web/roles/x/tasks/main.yml", "[]\n"),
        ("web/.git/config", "x"),
        ("web/__pycache__/x", "x"),
        ("web/site.retry", "x"),
        ("web/node_modules/x", "x"),
        ("web/.venv/x", "x"),
    ] {
        pad.write_playbook(path, text);
    }
    let script = pad.write_playbook("web/files/run.sh", "#!/bin/sh\n");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let library = &pad.state.library;
    let paths = |snapshot: &admiral::playbooks::Snapshot| {
        snapshot
            .manifest
            .iter()
            .map(|entry| format!("{} {:o}", entry.path, entry.mode))
            .collect::<Vec<_>>()
    };
    let root = library.snapshot(&"custom/site.yml".parse().unwrap()).await.unwrap();
    // `web` is somebody else's; `shared` is mentioned.
    assert_eq!(
        paths(&root),
        [
            "group_vars/all.yml 644",
            "roles/common/tasks/main.yml 644",
            "shared/base.yml 644",
            "site.yml 644"
        ]
    );
    let web = library.snapshot(&"custom/web/site.yml".parse().unwrap()).await.unwrap();
    assert_eq!(
        paths(&web),
        [
            "web/files/run.sh 755",
            "web/roles/x/tasks/main.yml 644",
            "web/site.yml 644"
        ]
    );
    assert_eq!(web.entry_path, "web/site.yml");

    // The digest follows the content, the path and the mode, and nothing else.
    pad.write_playbook("web/site.yml", PING);
    assert_eq!(library.snapshot(&web.id).await.unwrap().digest, web.digest);
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let plain = library.snapshot(&web.id).await.unwrap();
    assert_ne!(plain.digest, web.digest);
    pad.write_playbook("web/roles/x/tasks/main.yml", "[] \n");
    assert_ne!(library.snapshot(&web.id).await.unwrap().digest, plain.digest);
}

#[tokio::test]
async fn links_that_leave_and_folders_without_end_are_refused() {
    let pad = Launchpad::new().await;
    pad.write_playbook("web/site.yml", PING);
    let id = "custom/web/site.yml".parse().unwrap();
    let inside = pad.folder.path().join("playbooks/web/inside");
    symlink("site.yml", &inside).unwrap();
    let snapshot = pad.state.library.snapshot(&id).await.unwrap();
    assert_eq!(
        snapshot
            .files
            .iter()
            .find(|file| file.path == "web/inside")
            .unwrap()
            .content,
        PING.as_bytes()
    );
    symlink("/etc/hostname", pad.folder.path().join("playbooks/web/leaves")).unwrap();
    let error = pad.state.library.snapshot(&id).await.unwrap_err();
    assert!(matches!(error, LibraryError::LeavesLibrary(path) if path == "web/leaves"));
    fs::remove_file(pad.folder.path().join("playbooks/web/leaves")).unwrap();
    symlink(".", pad.folder.path().join("playbooks/web/loop")).unwrap();
    assert!(matches!(
        pad.state.library.snapshot(&id).await.unwrap_err(),
        LibraryError::TooDeep(_)
    ));
    fs::remove_file(pad.folder.path().join("playbooks/web/loop")).unwrap();
    let large = fs::File::create(pad.folder.path().join("playbooks/web/large")).unwrap();
    large.set_len(admiral::playbooks::MAX_TOTAL_BYTES).unwrap();
    assert!(matches!(
        pad.state.library.snapshot(&id).await.unwrap_err(),
        LibraryError::TooLarge
    ));
}

#[tokio::test]
async fn the_real_ansible_accepts_the_built_in_playbooks() {
    let pad = Launchpad::with_real_ansible().await;
    for playbook in pad.state.library.list(Some("builtin/")).await.unwrap() {
        assert!(playbook.description.is_some(), "{}", playbook.id);
        let snapshot = pad.state.library.snapshot(&playbook.id.parse().unwrap()).await.unwrap();
        pad.state
            .library
            .syntax_check(&snapshot, None)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", playbook.id));
    }
    let tools = ansible::discover(Some(real_ansible_playbook().parent().unwrap()))
        .await
        .unwrap();
    assert_eq!(tools.ansible_playbook, real_ansible_playbook());
    assert!(tools.version.starts_with("2."), "{}", tools.version);
}

#[tokio::test]
async fn the_syntax_is_checked_once_per_content() {
    let pad = Launchpad::with_real_ansible().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    pad.write_playbook("site/good.yml", PING);
    let launch = |playbook: &str| json!({ "playbook": playbook, "server_ids": [server] });
    pad.launch(launch("custom/site/good.yml")).await;
    assert_eq!(pad.ansible_runs(), 1);
    pad.launch(launch("custom/site/good.yml")).await;
    assert_eq!(pad.ansible_runs(), 1, "the second launch asks nobody");

    pad.write_playbook("site/good.yml", "- hosts: all\n  tasks:\n   - ping:\n    x: y\n");
    for _ in 0..2 {
        let (status, problem) = pad
            .call("POST", "/api/deployments", Some(launch("custom/site/good.yml")))
            .await;
        assert_eq!(
            (status, problem["errors"][0]["field"].as_str()),
            (422, Some("playbook")),
            "{problem}"
        );
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("YAML") && message.contains("site/good.yml"),
            "{message}"
        );
        assert!(
            !message.contains("/tmp") && !message.contains("admiral-syntax"),
            "{message}"
        );
    }
    assert_eq!(
        pad.ansible_runs(),
        3,
        "a refusal may be the machine's fault, so it is asked for again"
    );
    pad.write_playbook("site/good.yml", PING);
    pad.launch(launch("custom/site/good.yml")).await;
    assert_eq!(pad.ansible_runs(), 3, "known content is known again");
    assert_eq!(pad.number("SELECT count(*) FROM admiral.deployments").await, 3);
}

#[tokio::test]
async fn a_playbook_may_need_variables_to_be_read() {
    let pad = Launchpad::with_real_ansible().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    pad.write_playbook(
        "v/site.yml",
        "- hosts: \"{{ target }}\"\n  gather_facts: false\n  tasks: []\n",
    );
    let mut launch = json!({ "playbook": "custom/v/site.yml", "server_ids": [server] });
    let (status, problem) = pad.call("POST", "/api/deployments", Some(launch.clone())).await;
    assert_eq!(status, 422);
    assert!(
        problem["errors"][0]["message"].as_str().unwrap().contains("undefined"),
        "{problem}"
    );
    launch["variables"] = json!({ "target": "all" });
    pad.launch(launch).await;
}
