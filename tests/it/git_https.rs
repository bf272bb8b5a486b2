//! Git projects over real https, with a token that the host checks.

use crate::support::{
    git_hosts::{HttpsHost, PLAYBOOK, TestRepository},
    git_stage::{create, error_of, path, sync},
    launchpad::Launchpad,
};
use admiral::playbooks::git::GitProjects;
use serde_json::{Value, json};
use std::fs;

const TOKEN: &str = "canary-token-7d3f01";

async fn pad_that_trusts(hosts: &[&HttpsHost]) -> Launchpad {
    let mut pad = Launchpad::new().await;
    let file = pad.folder.path().join("authorities.pem");
    let certificates: String = hosts
        .iter()
        .map(|host| fs::read_to_string(host.certificate()).unwrap())
        .collect();
    fs::write(&file, certificates).unwrap();
    let projects = GitProjects::new(pad.state.vault.clone(), pad.state.library.git_folder()).with_ca_file(file);
    pad.use_projects(projects);
    pad
}

fn repository() -> (TestRepository, String) {
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    let commit = repository.commit("One");
    (repository, commit)
}

async fn change(pad: &Launchpad, project: &Value, body: Value) -> (u16, Value) {
    pad.call("PATCH", &path(project), Some(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_a_repository_and_a_wrong_one_does_not() {
    let (repository, commit) = repository();
    let host = HttpsHost::start(repository.root(), "deployer", TOKEN);
    let pad = pad_that_trusts(&[&host]).await;
    let project = create(
        &pad,
        json!({"name": "site", "url": host.url("site.git"), "username": "deployer", "token": TOKEN}),
    )
    .await;
    assert_eq!((&project["has_token"], project.get("token")), (&json!(true), None));
    let project = sync(&pad, &project).await;
    assert_eq!(
        (error_of(&project), &project["commit_id"]),
        ("", &json!(commit)),
        "{}",
        host.log()
    );

    repository.write("tagged.yml", PLAYBOOK);
    let tagged = repository.commit("Two");
    repository.git(&["tag", "v1"]);
    repository.git(&["push", "--quiet", "origin", "v1"]);
    for (reference, expected) in [("v1", &tagged), (commit.as_str(), &commit), ("main", &tagged)] {
        assert_eq!(change(&pad, &project, json!({"reference": reference})).await.0, 200);
        let project = sync(&pad, &project).await;
        assert_eq!(
            (error_of(&project), &project["commit_id"]),
            ("", &json!(expected)),
            "{reference}"
        );
    }

    for (token, words) in [
        (json!("canary-token-wrong"), "Authentication failed"),
        (json!(null), "could not read Username"),
    ] {
        assert_eq!(change(&pad, &project, json!({"token": token})).await.0, 200);
        let failed = sync(&pad, &project).await;
        let error = error_of(&failed);
        assert!(error.contains(words) && error.contains("asks for a token"), "{error}");
        assert!(!error.contains("canary"), "{error}");
        assert_eq!(failed["commit_id"], json!(tagged), "what was taken stays");
    }
    assert_eq!(
        change(&pad, &project, json!({"token": TOKEN, "url": host.url("missing.git")}))
            .await
            .0,
        200
    );
    let failed = sync(&pad, &project).await;
    assert!(error_of(&failed).contains("no such repository"), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_certificate_nobody_vouches_for_is_not_spoken_to() {
    let (repository, _) = repository();
    let host = HttpsHost::start(repository.root(), "", "");
    let pad = Launchpad::new().await;
    let project = create(
        &pad,
        json!({"name": "site", "url": host.url("site.git"), "token": TOKEN}),
    )
    .await;
    let failed = sync(&pad, &project).await;
    assert!(error_of(&failed).contains("ADMIRAL_GIT_CA_FILE"), "{failed}");
    assert_eq!(host.log(), "", "not a word was said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_goes_to_its_host_and_to_no_other() {
    let (repository, commit) = repository();
    let host = HttpsHost::start(repository.root(), "x-access-token", TOKEN);
    let thief = HttpsHost::start(repository.root(), "x-access-token", TOKEN);
    let pad = pad_that_trusts(&[&host, &thief]).await;
    // As when a host says that an address has another end.
    let own = host.url(&format!("redirect/{}/site.git", host.port));
    let project = create(&pad, json!({"name": "site", "url": own, "token": TOKEN})).await;
    let project = sync(&pad, &project).await;
    assert_eq!((error_of(&project), &project["commit_id"]), ("", &json!(commit)));

    let elsewhere = host.url(&format!("redirect/{}/site.git", thief.port));
    assert_eq!(change(&pad, &project, json!({"url": elsewhere})).await.0, 200);
    let failed = sync(&pad, &project).await;
    assert!(error_of(&failed).contains("could not read Username"), "{failed}");
    assert!(
        !thief.log().is_empty() && !thief.log().contains("Basic"),
        "{}",
        thief.log()
    );

    // Nor can somebody have it sent there who does not know it.
    let (status, refused) = change(&pad, &project, json!({"url": thief.url("site.git")})).await;
    assert_eq!(
        (status, &refused["errors"][0]["field"]),
        (422, &json!("token")),
        "{refused}"
    );
    let (status, changed) = change(&pad, &project, json!({"url": thief.url("site.git"), "token": null})).await;
    assert_eq!((status, &changed["has_token"]), (200, &json!(false)));

    // A submodule of another host is read without it.
    repository.git(&[
        "submodule",
        "--quiet",
        "add",
        &repository.bare().to_string_lossy(),
        "sub",
    ]);
    repository.git(&[
        "config",
        "-f",
        ".gitmodules",
        "submodule.sub.url",
        &thief.url("site.git"),
    ]);
    repository.commit("With a submodule");
    let body = json!({"url": host.url("site.git"), "token": TOKEN, "submodules": true});
    assert_eq!(change(&pad, &project, body).await.0, 200);
    let failed = sync(&pad, &project).await;
    assert!(
        error_of(&failed).contains("the submodule \"sub\" (127.0.0.1)"),
        "{failed}"
    );
    assert!(!thief.log().contains("Basic"), "{}", thief.log());
    assert_eq!(failed["commit_id"], json!(null));
}
