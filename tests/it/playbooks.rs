//! The library, its snapshots, and what the real Ansible says about syntax.

use crate::support::launchpad::{Launchpad, real_ansible_playbook};
use admiral::{
    domain::playbook::Playbook,
    playbooks::{Library, LibraryConfig, SyntaxContext, ansible},
    runner::{IsolationMode, Seclusion},
    store::{
        packages,
        playbooks::{self, PlaybookListFilter},
    },
};
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
        "web/a/b/c/too-deep.yml",
        "roles/x/play.yml",
        "web/tasks/play.yml",
        "web/group_vars/play.yml",
        ".hidden/play.yml",
        "web/.hidden.yml",
        "web/readme.txt",
        "we\\ird.yml",
        "odd\\name/site.yml",
        "two\nlines/site.yml",
    ] {
        pad.write_playbook(path, PING);
    }
    pad.write_playbook("vars.yml", "hosts: all\n");
    pad.write_playbook("binary.yml", "- hosts: all\u{0}");
    fs::write(pad.folder.path().join("playbooks/latin1.yml"), b"- hosts: all # \xff\n").unwrap();
    pad.write_playbook("nul/site.yml", "- hosts: all\n  name: \"x\\0y\"\n");
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
            "project/binary.yml",
            "project/latin1.yml",
            "project/nul/site.yml",
            "project/root.yml",
            "project/web/playbooks/deep.yml",
            "project/web/site.yaml",
        ]
    );
    let (_, found) = pad.call("GET", "/api/playbooks?search=HELLO", None).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 3);
    let first = &found["data"][0];
    assert_eq!(
        (&first["id"], &first["origin"]),
        (&json!("project/root.yml"), &json!("project"))
    );
    assert_eq!(
        (&first["package_name"], &first["entry_path"]),
        (&json!(""), &json!("root.yml"))
    );
    assert_eq!(first["outline"]["name"], "Hello");
    assert_eq!(first["outline"]["description"], "Says hello.");
    // The link leads out: what lies beside it cannot be launched until it is gone.
    assert_eq!(
        (&first["version_number"], &first["missing_since"]),
        (&json!(null), &json!(null))
    );
    assert!(
        first["outline"]["error"].as_str().unwrap().contains("link.yml"),
        "{first}"
    );
    let (status, content) = pad
        .call("GET", "/api/playbooks/content?id=project/web/site.yaml", None)
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
    let absolute = format!("project/{}", pad.folder.path().join("outside.yml").display());
    for id in [
        "project/../outside.yml",
        "project/..%2Foutside.yml",
        "project/%2e%2e/outside.yml",
        "builtin/../playbooks/in.yml",
        "../in.yml",
        "project/link.yml",
        "project/up/outside.yml",
        "project/tasks/t.yml",
        "project/missing.yml",
        "other/in.yml",
        "",
        &absolute,
        "project/in.yml%00",
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
    // `web` is somebody else's; `shared` is mentioned.
    assert_eq!(
        manifest(&pad, "project/site.yml").await.1,
        [
            "group_vars/all.yml 644",
            "roles/common/tasks/main.yml 644",
            "shared/base.yml 644",
            "site.yml 644"
        ]
    );
    let (digest, paths) = manifest(&pad, "project/web/site.yml").await;
    assert_eq!(
        paths,
        ["files/run.sh 755", "roles/x/tasks/main.yml 644", "site.yml 644"]
    );

    // The digest follows the content, the path and the mode, and nothing else.
    let id = "project/web/site.yml";
    pad.write_playbook("web/site.yml", PING);
    assert_eq!(manifest(&pad, id).await.0, digest);
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let plain = manifest(&pad, id).await.0;
    assert_ne!(plain, digest);
    pad.write_playbook("web/roles/x/tasks/main.yml", "[] \n");
    assert_ne!(manifest(&pad, id).await.0, plain);
}

/// Digest, paths and modes of a playbook's current version.
async fn manifest(pad: &Launchpad, id: &str) -> (String, Vec<String>) {
    let playbook = playbook(pad, id).await;
    let mut connection = pad.database().acquire().await.unwrap();
    let version = playbook.version.unwrap();
    let manifest = packages::get_manifest(&mut connection, version).await.unwrap();
    let paths = manifest
        .iter()
        .map(|entry| format!("{} {:o}", entry.path, entry.mode))
        .collect();
    (
        packages::get_version(&mut connection, version).await.unwrap().digest,
        paths,
    )
}

/// A playbook, as it lies in the folder now.
async fn playbook(pad: &Launchpad, id: &str) -> Playbook {
    pad.state.library.sync(pad.database()).await.unwrap();
    let mut connection = pad.database().acquire().await.unwrap();
    playbooks::get_playbook(&mut connection, &id.parse().unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn links_that_leave_and_folders_without_end_are_refused() {
    let pad = Launchpad::new().await;
    pad.write_playbook("web/site.yml", PING);
    pad.write_playbook("good/site.yml", PING);
    let id = "project/web/site.yml";
    let error = async || playbook(&pad, id).await.outline.error;
    let in_web = |name: &str| pad.folder.path().join("playbooks/web").join(name);
    symlink("site.yml", in_web("inside")).unwrap();
    assert_eq!(error().await, None);
    let mut connection = pad.database().acquire().await.unwrap();
    let version = playbook(&pad, id).await.version.unwrap();
    let inside = packages::read_file(&mut connection, version, "inside").await.unwrap();
    assert_eq!(inside.as_deref(), Some(PING.as_bytes()));
    symlink("/etc/hostname", in_web("leaves")).unwrap();
    assert!(error().await.unwrap().contains("\"leaves\" is a link that leads out"));
    fs::remove_file(in_web("leaves")).unwrap();
    // Several: whoever follows each within each other is at it for ever.
    for name in ["loop", "other-loop", "third-loop"] {
        symlink(".", in_web(name)).unwrap();
    }
    assert!(
        error()
            .await
            .unwrap()
            .contains("\"loop\" is a link that leads back to itself")
    );
    for name in ["loop", "other-loop", "third-loop"] {
        fs::remove_file(in_web(name)).unwrap();
    }
    let large = fs::File::create(in_web("large")).unwrap();
    large.set_len(admiral::playbooks::MAX_TOTAL_BYTES).unwrap();
    assert!(error().await.unwrap().contains("64 MiB"));
    // The others are as they were, and this one is launched no more.
    assert_eq!(playbook(&pad, "project/good/site.yml").await.outline.error, None);
    let server = pad.add_server("web-1", &[], "active", true).await;
    let launch = json!({ "playbook": id, "server_ids": [server] });
    let (status, problem) = pad.call("POST", "/api/deployments", Some(launch)).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (422, &json!("playbook")),
        "{problem}"
    );
    fs::remove_file(in_web("large")).unwrap();
    assert_eq!(error().await, None);
}

#[tokio::test]
async fn the_real_ansible_accepts_the_built_in_playbooks() {
    let pad = Launchpad::with_real_ansible().await;
    pad.state.library.sync(pad.database()).await.unwrap();
    let mut connection = pad.database().acquire().await.unwrap();
    let shipped = playbooks::list_playbooks(&mut connection, &PlaybookListFilter::default())
        .await
        .unwrap();
    assert!(shipped.len() >= 4);
    for playbook in shipped {
        assert!(playbook.outline.description.is_some(), "{}", playbook.id);
        let files = packages::load_version_files(&mut connection, playbook.version.unwrap())
            .await
            .unwrap();
        pad.state
            .library
            .syntax_check(&files, &playbook.entry_path, SyntaxContext::default())
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
    pad.launch(launch("project/site/good.yml")).await;
    assert_eq!(pad.ansible_runs(), 1);
    pad.launch(launch("project/site/good.yml")).await;
    assert_eq!(pad.ansible_runs(), 1, "the second launch asks nobody");

    pad.write_playbook("site/good.yml", "- hosts: all\n  tasks:\n    - no_such_module:\n");
    for _ in 0..2 {
        let (status, problem) = pad
            .call("POST", "/api/deployments", Some(launch("project/site/good.yml")))
            .await;
        assert_eq!(
            (status, problem["errors"][0]["field"].as_str()),
            (422, Some("playbook")),
            "{problem}"
        );
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("no_such_module") && message.contains("good.yml"),
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
    pad.launch(launch("project/site/good.yml")).await;
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
    let mut launch = json!({ "playbook": "project/v/site.yml", "server_ids": [server] });
    let (status, problem) = pad.call("POST", "/api/deployments", Some(launch.clone())).await;
    assert_eq!(status, 422);
    assert!(
        problem["errors"][0]["message"].as_str().unwrap().contains("undefined"),
        "{problem}"
    );
    launch["variables"] = json!({ "target": "all" });
    pad.launch(launch).await;
}

#[tokio::test]
async fn what_is_gone_is_missing_and_another_folder_takes_nothing_away() {
    let pad = Launchpad::new().await;
    let site = pad.write_playbook("web/site.yml", PING);
    pad.write_playbook("db/site.yml", PING);
    assert_eq!(playbook(&pad, "project/web/site.yml").await.missing_since, None);
    // As a command line on the same database does that was told of another folder.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("own")).unwrap();
    fs::write(elsewhere.path().join("own/site.yml"), PING).unwrap();
    let other = Library::new(LibraryConfig {
        builtin_folder: elsewhere.path().join("builtin"),
        project_folder: elsewhere.path().to_owned(),
        galaxy_folder: elsewhere.path().join("galaxy"),
        ansible: pad.state.library.ansible().clone(),
        seclusion: Seclusion::new(IsolationMode::None, elsewhere.path().to_owned()).expect("a folder"),
    });
    other.sync(pad.database()).await.unwrap();
    for id in ["project/web/site.yml", "project/own/site.yml", "builtin/ping.yml"] {
        assert_eq!(playbook(&pad, id).await.missing_since, None, "{id}");
    }
    fs::remove_file(site).unwrap();
    let gone = playbook(&pad, "project/web/site.yml").await;
    assert!(gone.missing_since.is_some() && gone.version.is_some());
    assert_eq!(playbook(&pad, "project/db/site.yml").await.missing_since, None);
    pad.write_playbook("web/site.yml", PING);
    let back = playbook(&pad, "project/web/site.yml").await;
    assert_eq!((back.missing_since, back.version), (None, gone.version));
}
