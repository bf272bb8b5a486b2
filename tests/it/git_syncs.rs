//! What has a git project synced: webhooks, the schedule, a launch.

use crate::support::{
    git_hosts::{PLAYBOOK, TestRepository},
    git_stage::{GitStage, create, error_of},
};
use admiral::{domain::clock::SystemClock, scheduler::Scheduler};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "a secret of the webhook";

fn scheduler(stage: &GitStage) -> Scheduler {
    Scheduler::new(stage.pad.database().clone(), Arc::new(SystemClock)).with_projects(stage.pad.state.projects.clone())
}

fn signature(secret: &str, body: &Value) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let signature = mac.chain_update(body.to_string()).finalize().into_bytes();
    format!("sha256={}", hex::encode(signature))
}

/// Has the last sync be so long ago, and nobody have asked for one since.
async fn wait(stage: &GitStage, seconds: i64) {
    let sql = format!(
        "UPDATE admiral.git_projects SET attempted_at = now() - interval '{seconds} seconds', sync_requested_at = NULL"
    );
    stage.pad.execute(&sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_of_all_kinds_are_checked_and_lead_to_a_sync() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    repository.commit("One");
    let project = stage.add("site", &repository, json!({"reference": "main"})).await;
    let path = project["webhook_path"].as_str().unwrap().to_owned();
    let push = json!({"ref": "refs/heads/main", "repository": {"default_branch": "main"}});
    let other = json!({"ref": "refs/heads/topic"});
    let (right, wrong) = (signature(SECRET, &push), signature("not the secret", &push));
    let send = async |path: &str, body: &Value, headers: &[(&str, &str)]| {
        let response = stage.pad.send("POST", path, Some(body.clone()), headers).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let mut body: Value = serde_json::from_slice(&bytes).unwrap();
        body.as_object_mut().unwrap().remove("request_id");
        (status, body)
    };
    let unknown = send(
        "/api/webhooks/00000000-0000-7000-8000-000000000000",
        &push,
        &[("x-admiral-signature", &right)],
    )
    .await;
    assert_eq!(unknown.0, 401);
    assert_eq!(send("/api/webhooks/nonsense", &push, &[]).await, unknown);
    assert_eq!(
        send(&path, &push, &[("x-admiral-signature", &right)]).await,
        unknown,
        "none is taken yet"
    );

    for (kind, header, right, wrong) in [
        ("generic", "x-admiral-signature", right.as_str(), wrong.as_str()),
        ("github", "x-hub-signature-256", &right, &wrong),
        ("gitlab", "x-gitlab-token", SECRET, "not the secret"),
    ] {
        let changed = stage
            .change(&project, json!({"webhook_kind": kind, "webhook_secret": SECRET}))
            .await;
        assert_eq!(
            (&changed["has_webhook_secret"], changed.get("webhook_secret")),
            (&json!(true), None)
        );
        for headers in [
            vec![],
            vec![(header, wrong)],
            vec![(header, "")],
            vec![("authorization", right)],
        ] {
            assert_eq!(send(&path, &push, &headers).await, unknown, "{kind} {headers:?}");
        }
        if kind != "gitlab" {
            assert_eq!(
                send(&path, &other, &[(header, right)]).await,
                unknown,
                "signed for another body"
            );
        }
        let of_other = if kind == "gitlab" {
            SECRET.to_owned()
        } else {
            signature(SECRET, &other)
        };
        let (status, answer) = send(&path, &other, &[(header, &of_other)]).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(false)), "another branch");
        let (status, answer) = send(&path, &push, &[(header, right), ("x-github-event", "ping")]).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(false)), "no push");
        assert_eq!(stage.get(&project).await["syncing"], json!(false), "{kind}");

        repository.write(&format!("{kind}.yml"), PLAYBOOK);
        let commit = repository.commit(kind);
        // Many are one.
        for number in 0..3 {
            let push = json!({"ref": "refs/heads/main", "kind": kind, "number": number});
            let signed = if kind == "gitlab" {
                SECRET.to_owned()
            } else {
                signature(SECRET, &push)
            };
            let (status, answer) = send(&path, &push, &[(header, &signed)]).await;
            assert_eq!((status, &answer["accepted"]), (202, &json!(true)));
        }
        assert_eq!(stage.get(&project).await["syncing"], json!(true), "asked for");
        scheduler(&stage).sync_pass().await.unwrap();
        let synced = stage.get(&project).await;
        assert_eq!(
            (error_of(&synced), &synced["commit_id"], &synced["syncing"]),
            ("", &json!(commit), &json!(false))
        );
    }
    stage
        .change(&project, json!({"webhook_kind": null, "webhook_secret": null}))
        .await;
    assert_eq!(send(&path, &push, &[("x-gitlab-token", SECRET)]).await, unknown);
    let versions = stage.package(&project).await["current_version"]["number"].clone();
    assert_eq!(versions, json!(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_are_due_by_schedule_and_failures_wait_longer_each_time() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    repository.commit("One");
    let project = stage
        .create("site", &repository, json!({"sync_interval_seconds": 3600}))
        .await;
    let scheduler = scheduler(&stage);
    let look = async || {
        scheduler.sync_pass().await.unwrap();
        stage.get(&project).await
    };
    let first = look().await;
    assert_eq!(error_of(&first), "", "a new project is due");
    assert!(first["commit_id"].is_string());

    repository.write("two.yml", PLAYBOOK);
    let two = repository.commit("Two");
    let is_due_after = async |seconds| {
        wait(&stage, seconds).await;
        let before = stage.get(&project).await["attempted_at"].clone();
        look().await["attempted_at"] != before
    };
    assert!(!is_due_after(3500).await);
    assert!(is_due_after(3600).await);
    assert_eq!(stage.get(&project).await["commit_id"], json!(two));

    let moved = repository.root().join("moved.git");
    std::fs::rename(repository.bare(), &moved).unwrap();
    assert!(is_due_after(3600).await);
    let failed = stage.get(&project).await;
    assert!(
        !error_of(&failed).is_empty() && failed["commit_id"] == json!(two),
        "{failed}"
    );
    for seconds in [60, 120, 240] {
        assert!(!is_due_after(seconds - 50).await, "{seconds}");
        assert!(is_due_after(seconds).await, "{seconds}");
    }
    std::fs::rename(&moved, repository.bare()).unwrap();
    assert!(is_due_after(480).await);
    assert_eq!(error_of(&stage.get(&project).await), "");

    stage.change(&project, json!({"sync_interval_seconds": null})).await;
    assert!(!is_due_after(1_000_000).await, "nobody asks any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_scheduler_is_woken_by_whoever_asks() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    let commit = repository.commit("One");
    let shutdown = CancellationToken::new();
    // Two of them, as on two machines: they take turns.
    let running: Vec<_> = (0..2)
        .map(|_| tokio::spawn(scheduler(&stage).run(shutdown.clone())))
        .collect();
    let project = stage.create("site", &repository, json!({})).await;
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let now = stage.get(&project).await;
        if now["syncing"] == json!(false) {
            assert_eq!((error_of(&now), &now["commit_id"]), ("", &json!(commit)));
            break;
        }
        assert!(Instant::now() < deadline, "{now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shutdown.cancel();
    for task in running {
        task.await.unwrap();
    }
    assert_eq!(stage.package(&project).await["current_version"]["number"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_hangs_holds_nobody_up() {
    let stage = GitStage::set().await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/site.git", hanging.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(scheduler(&stage).run(shutdown.clone()));
    create(&stage.pad, json!({"name": "hanging", "url": url})).await;
    let (_held, _) = hanging.accept().await.unwrap();

    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    let commit = repository.commit("One");
    let project = stage.create("site", &repository, json!({})).await;
    let deadline = Instant::now() + Duration::from_mins(1);
    while stage.get(&project).await["commit_id"] != json!(commit) {
        assert!(Instant::now() < deadline, "{}", stage.get(&project).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_cannot_be_stored_is_a_failure_like_others() {
    let stage = GitStage::set().await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    let one = repository.commit("One");
    let project = stage.add("site", &repository, json!({})).await;
    stage
        .pad
        .execute(
            "CREATE FUNCTION admiral.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$",
        )
        .await;
    stage
        .pad
        .execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON admiral.playbook_versions FOR EACH ROW EXECUTE FUNCTION admiral.refuse()",
        )
        .await;
    repository.write("site.yml", &PLAYBOOK.replace("Hello", "Hello again"));
    let two = repository.commit("Two");
    let failed = stage.sync(&project).await;
    assert!(error_of(&failed).contains("could not be stored"), "{failed}");
    assert_eq!(failed["commit_id"], json!(one), "{failed}");
    assert_ne!(failed["attempted_at"], project["attempted_at"]);
    // It is tried again when a failure is, and not at once.
    scheduler(&stage).sync_pass().await.unwrap();
    assert_eq!(stage.get(&project).await["attempted_at"], failed["attempted_at"]);
    stage
        .pad
        .execute("DROP TRIGGER refuse ON admiral.playbook_versions")
        .await;
    let stored = stage.sync(&project).await;
    assert_eq!((error_of(&stored), &stored["commit_id"]), ("", &json!(two)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_begins_with_a_sync_where_that_is_wanted() {
    let stage = GitStage::set().await;
    stage.pad.add_server("web-1", &[], "active", true).await;
    let repository = TestRepository::new("site");
    repository.write("site.yml", PLAYBOOK);
    let one = repository.commit("One");
    // Not synced at all yet: the first launch does it.
    let project = stage
        .create("site", &repository, json!({"sync_before_launch": true}))
        .await;
    let launch = json!({"playbook": "project/site/site.yml", "all": true});
    stage.pad.launch(launch.clone()).await;
    assert_eq!(stage.get(&project).await["commit_id"], json!(one));
    let first_version = stage.package(&project).await["current_version"]["id"].clone();

    repository.write("site.yml", &PLAYBOOK.replace("Hello", "Hello again"));
    let two = repository.commit("Two");
    let deployment = stage.pad.launch(launch.clone()).await;
    assert_eq!(deployment["name"], "Hello again", "{deployment}");
    assert_eq!(stage.get(&project).await["commit_id"], json!(two));

    std::fs::remove_dir_all(repository.bare()).unwrap();
    let (status, problem) = stage.pad.call("POST", "/api/deployments", Some(launch.clone())).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (422, &json!("playbook")),
        "{problem}"
    );
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("could not be synced before the launch"), "{message}");
    let mut old = launch.clone();
    old["version_id"] = first_version;
    assert_eq!(
        stage.pad.launch(old).await["name"],
        "Hello",
        "who names a version wants that one"
    );
    stage.change(&project, json!({"sync_before_launch": false})).await;
    assert_eq!(
        stage.pad.launch(launch).await["name"],
        "Hello again",
        "the last one that was taken"
    );
}
