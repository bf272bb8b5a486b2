//! Git projects over a real `sshd`: what is taken, what is refused, and what is said about it.

use crate::support::{
    git_hosts::{KeyPair, PLAYBOOK, TestRepository},
    git_stage::{GitStage, add_key},
    ssh_hosts::free_port,
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_tags_and_commits_are_taken_with_a_deploy_key_under_a_passphrase() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    repository.write("roles/web/tasks/main.yml", "- ansible.builtin.ping:\n");
    repository.write("run.sh", "#!/bin/sh\n");
    repository.git(&["add", "--chmod=+x", "run.sh"]);
    let first = repository.commit("First things\n\nfirst");
    repository.git(&["tag", "-a", "v1", "-m", "one"]);
    repository.git(&["push", "--quiet", "origin", "v1"]);
    repository.write("extra.yml", PLAYBOOK);
    let second = repository.commit("More");

    let project = stage.add("site", &repository, json!({})).await;
    assert_eq!(
        (&project["error"], &project["commit_id"], &project["syncing"]),
        (&json!(null), &json!(second), &json!(false)),
        "the default branch: {project}"
    );
    assert!(project["synced_at"].is_string() && project["attempted_at"].is_string());
    assert_eq!(project["private_key"]["name"], "deploy");
    assert_eq!(project["host_keys"].as_array().unwrap().len(), 1);
    assert!(project["host_keys"][0].as_str().unwrap().starts_with("SHA256:"));
    let found = stage.package(&project).await;
    assert_eq!(
        (&found["source"], &found["entry_points"]),
        (&json!("git"), &json!(["extra.yml", "site.yml"]))
    );
    let version = &found["current_version"];
    assert_eq!(
        (
            &version["number"],
            &version["author_name"],
            &version["comment"],
            &version["commit_id"]
        ),
        (&json!(1), &json!("git"), &json!("More"), &json!(second))
    );
    assert_eq!(
        stage.files(&project).await,
        ["extra.yml", "roles/web/tasks/main.yml", "run.sh", "site.yml"]
    );

    let again = stage.sync(&project).await;
    assert_eq!(again["error"], json!(null));
    assert_eq!(
        stage.package(&project).await["current_version"]["number"],
        1,
        "nothing new"
    );

    for (reference, expected) in [
        ("v1", &first),
        ("main", &second),
        (&first, &first),
        ("refs/heads/main", &second),
    ] {
        let changed = stage.change(&project, json!({"reference": reference})).await;
        assert_eq!(
            (&changed["commit_id"], &changed["syncing"]),
            (&json!(null), &json!(true))
        );
        let synced = stage.sync(&project).await;
        assert_eq!(
            (&synced["error"], &synced["commit_id"]),
            (&json!(null), &json!(expected)),
            "{reference}"
        );
    }
    let (_, playbooks) = stage.pad.call("GET", "/api/playbooks?origin=project", None).await;
    let ids: Vec<&str> = playbooks["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["project/site/extra.yml", "project/site/site.yml"]);

    // A commit that no name leads to any more is still there, and so are repositories with longer ids.
    repository.git(&["checkout", "--quiet", "-b", "side", &first]);
    repository.write("side.yml", PLAYBOOK);
    let side = repository.commit("Aside");
    repository.git_bare(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    repository.git(&["push", "--quiet", "origin", "--delete", "side"]);
    stage.change(&project, json!({"reference": side})).await;
    let synced = stage.sync(&project).await;
    assert_eq!(synced["error"], json!(null));
    assert!(stage.files(&project).await.contains(&"side.yml".to_owned()));
    let longer = TestRepository::in_format("longer", "sha256");
    longer.write("site.yml", PLAYBOOK);
    let commit = longer.commit("With longer ids");
    assert_eq!(commit.len(), 64);
    let project = stage.add("longer", &longer, json!({})).await;
    assert_eq!(
        (&project["error"], &project["commit_id"]),
        (&json!(null), &json!(commit))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_changes_or_goes_keeps_what_was_taken() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    repository.commit("One");
    repository.git(&["checkout", "--quiet", "-b", "topic"]);
    repository.write("two.yml", PLAYBOOK);
    let two = repository.commit("Two");
    let project = stage.add("site", &repository, json!({"reference": "topic"})).await;
    assert_eq!(project["commit_id"], json!(two));

    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.write("three.yml", PLAYBOOK);
    let three = repository.commit("Three, instead of two");
    let project = stage.sync(&project).await;
    assert_eq!(
        (&project["error"], &project["commit_id"]),
        (&json!(null), &json!(three)),
        "forced"
    );
    assert_eq!(stage.files(&project).await, ["site.yml", "three.yml"]);
    let (_, playbooks) = stage.pad.call("GET", "/api/playbooks?search=two.yml", None).await;
    assert!(playbooks["data"][0]["missing_since"].is_string(), "{playbooks}");

    repository.git(&["push", "--quiet", "origin", "--delete", "topic"]);
    let project = stage.sync(&project).await;
    let error = project["error"].as_str().unwrap();
    assert!(
        error.contains("a branch or a tag named topic") && error.contains("deleted or renamed"),
        "{error}"
    );
    assert_eq!(project["commit_id"], json!(three), "the last version stays");
    let found = stage.package(&project).await;
    assert_eq!(
        (&found["current_version"]["number"], &found["error"]),
        (&json!(2), &json!(null))
    );

    std::fs::remove_dir_all(repository.bare()).unwrap();
    let project = stage.sync(&project).await;
    assert!(
        project["error"]
            .as_str()
            .unwrap()
            .contains("does not appear to be a git repository"),
        "{project}"
    );
    let stored = project["error"].to_string();
    assert!(
        !stored.contains("/dev/shm/admiral") && !stored.contains("ssh -F"),
        "{stored}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_said_in_gits_words_and_with_what_to_try() {
    let mut stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    let commit = repository.commit("One");
    let project = stage.add("site", &repository, json!({})).await;
    let error_of = |project: &Value| project["error"].as_str().unwrap_or_default().to_owned();

    let stranger = add_key(&stage.pad, "stranger", &KeyPair::new("").private(), None).await;
    stage.change(&project, json!({"private_key_id": stranger})).await;
    let failed = error_of(&stage.sync(&project).await);
    assert!(
        failed.contains("Permission denied") && failed.contains("deploy key"),
        "{failed}"
    );
    stage.change(&project, json!({"private_key_id": stage.key})).await;
    assert_eq!(error_of(&stage.sync(&project).await), "");

    stage.change(&project, json!({"reference": "a".repeat(40)})).await;
    let failed = error_of(&stage.sync(&project).await);
    assert!(
        failed.contains("the commit aaaa") && failed.contains("no branch and no tag"),
        "{failed}"
    );
    let url = format!("ssh://{}@127.0.0.1:{}/x", stage.hosts.user, free_port());
    stage.change(&project, json!({"url": url, "reference": ""})).await;
    let failed = error_of(&stage.sync(&project).await);
    assert!(
        failed.contains("Connection refused") && failed.contains("cannot be reached"),
        "{failed}"
    );
    stage
        .change(&project, json!({"url": "ssh://git@no-such-host.invalid/x"}))
        .await;
    let failed = error_of(&stage.sync(&project).await);
    assert!(failed.contains("name is not known"), "{failed}");

    stage
        .change(&project, json!({"url": repository.ssh_url(&stage.hosts)}))
        .await;
    let known = stage.sync(&project).await["host_keys"].clone();
    stage.hosts.replace_host_key();
    repository.write("new.yml", PLAYBOOK);
    let new = repository.commit("Behind another host key");
    let failed = stage.sync(&project).await;
    assert!(error_of(&failed).contains("forget the project's host keys"), "{failed}");
    assert_eq!(
        (&failed["host_keys"], &failed["commit_id"]),
        (&known, &json!(commit)),
        "nothing was taken"
    );
    stage.change(&project, json!({"forget_host_keys": true})).await;
    let synced = stage.sync(&project).await;
    assert_eq!((error_of(&synced).as_str(), &synced["commit_id"]), ("", &json!(new)));
    assert_ne!(synced["host_keys"], known);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submodules_are_taken_when_asked_for() {
    let stage = GitStage::set().await;
    let (deep, roles, site) = (
        TestRepository::new("deep"),
        TestRepository::new("roles"),
        TestRepository::new("site"),
    );
    deep.write("vars.yml", "deep: true\n");
    deep.commit("Deep");
    roles.write("tasks/main.yml", "- ansible.builtin.ping:\n");
    roles.git(&[
        "submodule",
        "--quiet",
        "add",
        &deep.ssh_url(&stage.hosts).replace(
            &format!("ssh://{}@127.0.0.1:{}", stage.hosts.user, stage.hosts.port),
            "",
        ),
        "deep",
    ]);
    roles.git(&[
        "config",
        "-f",
        ".gitmodules",
        "submodule.deep.url",
        &deep.ssh_url(&stage.hosts),
    ]);
    roles.commit("Roles");
    // As siblings of one folder, so that `../` leads from one to the other.
    let beside = site.root().join("roles.git");
    std::os::unix::fs::symlink(roles.bare(), &beside).unwrap();
    site.write("site.yml", PLAYBOOK);
    site.git(&["submodule", "--quiet", "add", &beside.to_string_lossy(), "roles/web"]);
    site.git(&["config", "-f", ".gitmodules", "submodule.roles/web.url", "../roles.git"]);
    // Of what else it says nothing happens.
    let touched = site.root().join("touched");
    site.git(&[
        "config",
        "-f",
        ".gitmodules",
        "submodule.roles/web.update",
        &format!("!touch {}", touched.display()),
    ]);
    std::os::unix::fs::symlink("roles/web/tasks/main.yml", site.work().join("link.yml")).unwrap();
    site.commit("With a submodule");

    let project = stage.add("site", &site, json!({})).await;
    assert_eq!(project["error"], json!(null));
    assert_eq!(stage.files(&project).await, [".gitmodules", "site.yml"]);
    stage.change(&project, json!({"submodules": true})).await;
    let project = stage.sync(&project).await;
    assert_eq!(project["error"], json!(null));
    assert_eq!(
        stage.files(&project).await,
        [
            ".gitmodules",
            "link.yml",
            "roles/web/.gitmodules",
            "roles/web/deep/vars.yml",
            "roles/web/tasks/main.yml",
            "site.yml"
        ]
    );
    assert!(!touched.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_syncs_at_once_are_one_after_the_other() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    repository.commit("One");
    let project = stage.add("site", &repository, json!({})).await;
    repository.write("two.yml", PLAYBOOK);
    let two = repository.commit("Two");
    let syncs: Vec<_> = (0..8).map(|_| stage.sync(&project)).collect();
    for synced in futures_util::future::join_all(syncs).await {
        assert_eq!((&synced["error"], &synced["commit_id"]), (&json!(null), &json!(two)));
    }
    let versions = format!(
        "SELECT count(*) FROM admiral.playbook_versions WHERE package_id = '{}'",
        project["id"].as_str().unwrap()
    );
    assert_eq!(stage.pad.number(&versions).await, 2, "taken once");
    let git = stage.pad.folder.path().join("git");
    assert_eq!(
        std::fs::read_dir(git).unwrap().count(),
        0,
        "nothing is left on the disk"
    );
}
