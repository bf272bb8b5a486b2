//! Hostile addresses and hostile repositories: each is refused with a reason, and nothing is written.

use crate::support::{
    git_hosts::{PLAYBOOK, TestRepository},
    git_stage::{GitStage, error_of},
    launchpad::Launchpad,
};
use serde_json::{Value, json};
use std::fmt::Write as _;

const COUNTS: &str = "SELECT (SELECT count(*) FROM admiral.packages WHERE origin = 'project') \
    + (SELECT count(*) FROM admiral.git_projects) + (SELECT count(*) FROM admiral.audit_log WHERE starts_with(action, 'project'))";

#[tokio::test]
async fn hostile_addresses_are_refused_and_nothing_is_written() {
    let pad = Launchpad::new().await;
    let before = pad.number(COUNTS).await;
    for (url, reason) in [
        ("ext::sh -c touch% /tmp/x", "transport helper"),
        ("ext::sh", "transport helper"),
        ("fd::17/x", "transport helper"),
        ("file:///etc", "own disk"),
        ("/srv/repositories/site", "own disk"),
        ("../site", "own disk"),
        ("http://example.org/a", "use https"),
        ("git://example.org/a", "use https or ssh"),
        ("ftp://example.org/a", "not ftp"),
        ("--upload-pack=touch /tmp/x", "option"),
        ("-oProxyCommand=touch", "option"),
        ("ssh://-oProxyCommand=touch/a", "host that begins with \"-\""),
        ("ssh://-x@example.org/a", "user that begins with \"-\""),
        ("git@example.org:-x", "path that begins with \"-\""),
        ("git@-oProxyCommand=x:a", "host that begins with \"-\""),
        ("https://example.org/a\n--upload-pack=x", "line breaks"),
        ("https://example.org/a b", "blanks"),
        ("https://example.org/a\u{0}b", "control characters"),
        ("https://user:hunter2@example.org/a", "must not hold a password"),
        ("https://user@example.org/a", "field username"),
        ("https:///a", "name a host"),
        ("https://example.org/%2e%2e/a", "\"%\" in the path"),
        ("https://ex%61mple.org/a", "\"%\" in the host"),
        ("https://example.org\\@evil.example/a", "backslash"),
        ("https://example.org/a/../b", "\"..\""),
        ("https://example.org/a;touch", "';'"),
        ("https://example.org/$(touch)", "'$'"),
        ("https://example.org", "name a repository"),
        ("", "is required"),
    ] {
        let (status, problem) = pad
            .call("POST", "/api/projects", Some(json!({"name": "site", "url": url})))
            .await;
        let error = &problem["errors"][0];
        assert_eq!((status, &error["field"]), (422, &json!("url")), "{url:?}: {problem}");
        assert!(
            error["message"].as_str().unwrap().contains(reason),
            "{url:?}: {problem}"
        );
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
    for reference in [
        "-x",
        "--upload-pack=id",
        "a..b",
        "a b",
        "a\nb",
        "a:b",
        "@{-1}",
        "a~1",
        "refs/heads/x.lock",
    ] {
        let body = json!({"name": "site", "url": "https://example.org/a", "reference": reference});
        let (status, problem) = pad.call("POST", "/api/projects", Some(body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!("reference")),
            "{reference:?}"
        );
    }
    for (field, value) in [
        ("name", json!("../x")),
        ("name", json!("-x")),
        ("name", json!("a/b")),
        ("username", json!("a\nb")),
        ("token", json!("a\nprotocol=https")),
        ("webhook_secret", json!("short")),
        ("sync_interval_seconds", json!(59)),
        ("private_key_id", json!("00000000-0000-7000-8000-000000000000")),
    ] {
        let mut body = json!({"name": "site", "url": "https://example.org/a"});
        body[field] = value;
        let (status, problem) = pad.call("POST", "/api/projects", Some(body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
    for (body, field) in [
        (json!({"name": "site", "url": "git@example.org:a"}), "private_key_id"),
        (
            json!({"name": "site", "url": "https://example.org/a", "webhook_kind": "github"}),
            "webhook_secret",
        ),
    ] {
        let (status, problem) = pad.call("POST", "/api/projects", Some(body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
    assert_eq!(pad.number(COUNTS).await, before, "nothing was written");
    assert!(!pad.folder.path().join("git").exists());
}

#[tokio::test]
async fn names_belong_to_one_folder_or_project() {
    let pad = Launchpad::new().await;
    pad.write_playbook("taken/site.yml", PLAYBOOK);
    let create = |name: &'static str| json!({"name": name, "url": "https://example.org/a"});
    let (status, problem) = pad.call("POST", "/api/projects", Some(create("taken"))).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (409, &json!("name")),
        "{problem}"
    );
    assert_eq!(pad.call("POST", "/api/projects", Some(create("site"))).await.0, 201);
    let (status, problem) = pad.call("POST", "/api/projects", Some(create("site"))).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (409, &json!("name")),
        "{problem}"
    );

    // A folder that is gone makes way, and its history goes on.
    std::fs::remove_dir_all(pad.folder.path().join("playbooks/taken")).unwrap();
    let (_, packages) = pad.call("GET", "/api/packages", None).await;
    let gone = packages["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "taken")
        .unwrap()
        .clone();
    assert!(gone["missing_since"].is_string());
    let (status, project) = pad.call("POST", "/api/projects", Some(create("taken"))).await;
    assert_eq!((status, &project["id"]), (201, &gone["id"]));
    // And does not come back over it.
    pad.write_playbook("site/site.yml", PLAYBOOK);
    let (_, packages) = pad.call("GET", "/api/packages", None).await;
    let site = packages["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "site")
        .unwrap()
        .clone();
    assert_eq!(
        (&site["source"], &site["current_version"]),
        (&json!("git"), &json!(null))
    );

    let id = project["id"].as_str().unwrap();
    assert_eq!(pad.call("DELETE", &format!("/api/projects/{id}"), None).await.0, 204);
    assert_eq!(pad.call("GET", &format!("/api/projects/{id}"), None).await.0, 404);
    assert_eq!(pad.call("POST", &format!("/api/projects/{id}/sync"), None).await.0, 404);
    assert_eq!(
        pad.call("POST", "/api/projects", Some(create("taken"))).await.0,
        201,
        "the name is free again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_trees_are_refused_and_nothing_is_taken() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    let play = repository.blob(PLAYBOOK.as_bytes());
    let (absolute, outside, inside) = (
        repository.blob(b"/etc/passwd"),
        repository.blob(b"../../etc/passwd"),
        repository.blob(b"site.yml"),
    );
    let large = repository.blob(&vec![b'x'; 65 << 20]);
    repository.push_tree(&format!("100644 blob {play}\tsite.yml\n"));
    let project = stage.add("site", &repository, json!({})).await;
    assert_eq!(error_of(&project), "");
    let kept = project["commit_id"].clone();
    let versions = stage.pad.number("SELECT count(*) FROM admiral.playbook_versions").await;

    let mut many = String::new();
    for number in 0..10_001 {
        writeln!(many, "100644 blob {play}\tfile-{number}.txt").unwrap();
    }
    let small = repository.git_bare(&["rev-parse", "main^{tree}"]);
    // Ten folders that are the same folder, ten times over: 10^8 files in a few hundred bytes.
    let mut folder = small.clone();
    for _ in 0..8 {
        let lines: Vec<String> = (0..10).map(|n| format!("040000 tree {folder}\tfolder-{n}\n")).collect();
        repository.push_tree(&lines.concat());
        folder = repository.git_bare(&["rev-parse", "main^{tree}"]);
    }
    let bomb = format!("040000 tree {folder}\tbomb\n");
    // Folders that share one chain of folders: a file each, and millions of folders.
    let mut chain = small.clone();
    for _ in 0..400 {
        repository.push_tree(&format!("040000 tree {chain}\ta\n"));
        chain = repository.git_bare(&["rev-parse", "main^{tree}"]);
    }
    let mut chains = String::new();
    for number in 0..7_500 {
        writeln!(chains, "040000 tree {chain}\tf{number}").unwrap();
    }
    for (tree, reason) in [
        (
            format!("100644 blob {play}\t..\n"),
            "\"..\", which no checkout may hold",
        ),
        (format!("040000 tree {small}\t..\n"), "which no checkout may hold"),
        (format!("100644 blob {play}\t.git\n"), "\".git\""),
        (format!("040000 tree {small}\t.GIT\n"), "which no checkout may hold"),
        (
            format!("100644 blob {play}\t\"two\\nlines.yml\"\n"),
            "which no checkout may hold",
        ),
        (format!("100644 blob {play}\t\"latin-\\344.yml\"\n"), "not UTF-8"),
        (format!("120000 blob {absolute}\tlink\n"), "leads out of the repository"),
        (format!("120000 blob {outside}\tlink\n"), "leads out of the repository"),
        (format!("120000 blob {inside}\tsite.yml\n"), "leads back to itself"),
        (many, "more than 10,000 files"),
        (format!("100644 blob {large}\tlarge.bin\n"), "more than 64 MiB"),
        (bomb, "more files than a package may have"),
        (chains, "nested too deeply"),
    ] {
        repository.push_tree(&tree);
        let failed = stage.sync(&project).await;
        assert!(error_of(&failed).contains(reason), "{tree:.80}: {failed}");
        assert_eq!(failed["commit_id"], kept, "{failed}");
    }
    assert_eq!(
        stage.pad.number("SELECT count(*) FROM admiral.playbook_versions").await,
        versions
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_submodules_are_refused() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    let play = repository.blob(PLAYBOOK.as_bytes());
    let commit = repository.push_tree(&format!("100644 blob {play}\tsite.yml\n"));
    let touched = repository.root().join("touched");
    let project = stage.add("site", &repository, json!({"submodules": true})).await;
    assert_eq!(error_of(&project), "");
    for (url, path, reason) in [
        (format!("ext::touch {}", touched.display()), "sub", "transport helper"),
        (format!("file://{}", repository.bare().display()), "sub", "own disk"),
        (repository.bare().display().to_string(), "sub", "own disk"),
        ("-u./payload".to_owned(), "sub", "option"),
        ("--upload-pack=touch".to_owned(), "sub", "option"),
        (
            format!("ssh://-oProxyCommand=touch${{IFS}}{}/x", touched.display()),
            "sub",
            "begins with",
        ),
        ("http://example.org/a".to_owned(), "sub", "use https"),
        ("../../../../../../../../../../../../etc".to_owned(), "sub", "\"..\""),
        (
            "https://user:secret@example.org/a".to_owned(),
            "sub",
            "must not hold a password",
        ),
        (repository.ssh_url(&stage.hosts), "other", "does not say where it is"),
    ] {
        let modules = repository.blob(
            format!(
                "[submodule \"../../x\"]\n\tpath = {path}\n\turl = \"{url}\"\n\tupdate = !touch {}\n",
                touched.display()
            )
            .as_bytes(),
        );
        repository.push_tree(&format!(
            "100644 blob {modules}\t.gitmodules\n100644 blob {play}\tsite.yml\n160000 commit {commit}\tsub\n"
        ));
        let failed = stage.sync(&project).await;
        assert!(error_of(&failed).contains(reason), "{url}: {failed}");
        assert!(!error_of(&failed).contains("secret"), "{failed}");
        assert!(!touched.exists(), "{url}");
    }
    // A repository that is its own submodule, and so on.
    let own = repository.blob(
        format!(
            "[submodule \"x\"]\n\tpath = sub\n\turl = {}\n",
            repository.ssh_url(&stage.hosts)
        )
        .as_bytes(),
    );
    let mut inner = commit;
    for _ in 0..7 {
        inner = repository.push_tree(&format!("100644 blob {own}\t.gitmodules\n160000 commit {inner}\tsub\n"));
        repository.git_bare(&["tag", &format!("kept-{inner}"), &inner]);
    }
    let failed = stage.sync(&project).await;
    assert!(
        error_of(&failed).contains("five submodules inside one another"),
        "{failed}"
    );
    // Where nobody asked for submodules, nothing of it is looked at.
    stage.change(&project, json!({"submodules": false})).await;
    assert_eq!(error_of(&stage.sync(&project).await), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_filters_and_hooks_have_no_say() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    let touched = repository.root().join("touched");
    repository.write("site.yml", PLAYBOOK);
    repository.write("subst.txt", "$Format:%H$ $Id$\r\n");
    repository.write("filtered.txt", "as it was committed\n");
    repository.write("hidden.txt", "ignored by archives\n");
    repository.write(
        ".gitattributes",
        "subst.txt export-subst ident text eol=crlf\nfiltered.txt filter=evil diff=evil merge=evil\nhidden.txt export-ignore\n*.yml working-tree-encoding=UTF-16\n",
    );
    repository.write(
        "hooks/post-checkout",
        &format!("#!/bin/sh\ntouch {}\n", touched.display()),
    );
    repository.write(
        "config",
        &format!(
            "[filter \"evil\"]\n\tsmudge = touch {}\n\trequired = true\n",
            touched.display()
        ),
    );
    repository.write(".lfsconfig", "[lfs]\n\turl = ext::touch\n");
    repository.git(&[
        "-c",
        "core.autocrlf=false",
        "add",
        "--all",
        "--force",
        "--",
        ".gitattributes",
    ]);
    std::fs::remove_file(repository.work().join(".gitattributes")).unwrap();
    repository.commit("Contents as they are");
    repository.write(
        ".gitattributes",
        "subst.txt export-subst ident\nfiltered.txt filter=evil\nhidden.txt export-ignore\n",
    );
    repository.git(&["add", "--force", "--", ".gitattributes"]);
    repository.git(&["commit", "--quiet", "-m", "And attributes"]);
    repository.git(&["push", "--quiet", "origin", "HEAD"]);

    let project = stage.add("site", &repository, json!({})).await;
    assert_eq!(error_of(&project), "");
    assert_eq!(stage.text(&project, "subst.txt").await, "$Format:%H$ $Id$\r\n");
    assert_eq!(stage.text(&project, "filtered.txt").await, "as it was committed\n");
    assert_eq!(stage.text(&project, "site.yml").await, PLAYBOOK);
    let files: Value = json!(stage.files(&project).await);
    assert_eq!(
        files,
        json!([
            ".gitattributes",
            ".lfsconfig",
            "config",
            "filtered.txt",
            "hidden.txt",
            "hooks/post-checkout",
            "site.yml",
            "subst.txt"
        ])
    );
    assert!(!touched.exists());
}
