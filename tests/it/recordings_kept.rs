//! Recordings that could not be sent: where they may go later, what keeps them, and what never does.

use crate::support::{
    ansible::ansible_bins,
    database::TestDatabase,
    server::{AdmiralServer, text},
    shell::{Shell, recorded},
};
use admiral::store::{Database, Schema};
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode},
};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

fn shell_with(server: &AdmiralServer) -> Shell {
    let shell = Shell::with(server, &ansible_bins()[0]);
    shell.write_program("ansible-playbook", "#!/bin/sh\necho it ran\n");
    shell
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn on(mut command: Command, server: &AdmiralServer) -> Output {
    command
        .env("ADMIRAL_SERVER", &server.url)
        .env("ADMIRAL_TOKEN", server.token())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_recorded_for_one_server_goes_to_no_other_by_itself() {
    let (mut one, other) = (AdmiralServer::start().await, AdmiralServer::start().await);
    let shell = shell_with(&one);
    one.kill();
    for _ in 0..2 {
        assert!(shell.run(&["admiral", "ansible-playbook", "x.yml"]).status.success());
    }
    let kept = shell.recordings();
    assert_eq!(kept.len(), 2);
    let ids: Vec<&str> = kept
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();

    on(shell.command(&["admiral", "ansible-playbook", "x.yml"]), &other);
    let uploaded = on(shell.command(&["admiral", "recordings", "upload"]), &other);
    let told = stderr(&uploaded);
    assert!(told.contains(&format!("was recorded for {}", one.url)), "{told}");
    assert_eq!((recorded(&other).await.len(), shell.recordings().len()), (1, 2));
    // Asked for by name it goes there.
    let uploaded = on(shell.command(&["admiral", "recordings", "upload", ids[0]]), &other);
    assert!(uploaded.status.success(), "{}", stderr(&uploaded));
    assert_eq!((recorded(&other).await.len(), shell.recordings().len()), (2, 1));

    let asked = shell.run(&["admiral", "recordings", "remove", ids[1]]);
    assert!(
        !asked.status.success() && stderr(&asked).contains("--yes"),
        "{}",
        stderr(&asked)
    );
    assert_eq!(shell.recordings().len(), 1);
    assert!(
        shell
            .run(&["admiral", "recordings", "remove", ids[1], "--yes"])
            .status
            .success()
    );
    assert!(shell.recordings().is_empty());
}

#[tokio::test]
async fn what_never_became_a_recording_is_swept() {
    let shell = Shell::alone(&ansible_bins()[0]);
    let (old, young) = (
        "new-0199f2f0-0000-7000-8000-000000000001",
        "new-0199f2f0-0000-7000-8000-000000000002",
    );
    for name in [old, young, "somebodys-own"] {
        shell.write(&format!("state/admiral/recordings/{name}/events.jsonl"), "");
    }
    for name in [old, "somebodys-own"] {
        let path = format!("state/admiral/recordings/{name}");
        assert!(shell.run(&["touch", "-d", "2 hours ago", &path]).status.success());
    }
    let listed = shell.run(&["admiral", "recordings", "list"]);
    assert!(stderr(&listed).contains("is stored"), "{}", stderr(&listed));
    let left: Vec<String> = shell
        .recordings()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, [young, "somebodys-own"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_mended_sends_what_was_kept() {
    let server = AdmiralServer::start().await;
    let shell = shell_with(&server);
    let refused = shell
        .command(&["admiral", "ansible-playbook", "x.yml"])
        .env("ADMIRAL_TOKEN", "adm_wrong")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(0));
    let told = stderr(&refused);
    assert!(
        told.contains("not in Admiral yet") && told.contains("recordings upload"),
        "{told}"
    );
    let listed = shell.run(&["admiral", "recordings", "list", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed[0]["state"], "waits to be uploaded", "{listed}");
    assert_eq!(listed[0]["destination"], server.url, "{listed}");
    assert!(shell.run(&["admiral", "recordings", "upload"]).status.success());
    assert!(shell.recordings().is_empty());
    assert_eq!(recorded(&server).await.len(), 1);
}

/// A proxy that takes bodies of 100 KiB at most.
async fn narrow_proxy(server: &AdmiralServer) -> String {
    async fn pass_on(State(url): State<String>, request: Request) -> Response<axum::body::Body> {
        let (head, body) = request.into_parts();
        let body: Bytes = to_bytes(body, usize::MAX).await.unwrap();
        if body.len() > 100 * 1024 {
            let mut answer = Response::new("too large".into());
            *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return answer;
        }
        let mut headers = head.headers;
        headers.remove("host");
        let answer = reqwest::Client::new()
            .request(head.method, format!("{url}{}", head.uri))
            .headers(headers)
            .body(body)
            .send()
            .await
            .unwrap();
        let mut passed = Response::builder().status(answer.status());
        passed.headers_mut().unwrap().clone_from(answer.headers());
        passed.body(answer.bytes().await.unwrap().into()).unwrap()
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(pass_on).with_state(server.url.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_finds_too_large_comes_in_smaller_pieces() {
    let server = AdmiralServer::start().await;
    let url = narrow_proxy(&server).await;
    let shell = shell_with(&server);
    shell.write_program(
        "ansible-playbook",
        "#!/bin/sh\nhead -c 900000 /dev/zero | tr '\\0' x | fold -w 99\n",
    );
    // Longer than what the server takes of a command line.
    let tags = "t".repeat(100_000);
    let output = shell
        .command(&["admiral", "ansible-playbook", "x.yml", "--tags", &tags])
        .env("ADMIRAL_SERVER", url)
        .output()
        .unwrap();
    let uploaded = shell.run(&["admiral", "recordings", "upload"]);
    assert!(
        shell.recordings().is_empty(),
        "{}{}",
        stderr(&output),
        stderr(&uploaded)
    );
    let deployments = recorded(&server).await;
    assert_eq!(deployments[0]["command"]["words"][2], "--tags");
    assert_eq!(
        server.output(&text(&deployments[0], "id")).await.as_bytes(),
        output.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_program_is_left_as_it_is() {
    let server = AdmiralServer::start().await;
    let url = TestDatabase::make_empty().await;
    let shell = Shell::alone(&ansible_bins()[0]);
    shell.write_program("ansible-playbook", "#!/bin/sh\necho it ran\n");
    let nothing = shell.folder.path().join("no-data");
    for data in [nothing.as_path(), &server.data] {
        let with = |words: &[&str], data: &Path| {
            let mut command = shell.command(words);
            command.env("DATABASE_URL", &url).env("ADMIRAL_DATA_DIR", data);
            command.output().unwrap()
        };
        let output = with(&["admiral", "ansible-playbook", "x.yml"], data);
        assert_eq!(output.status.code(), Some(0));
        assert!(stderr(&output).contains("not in Admiral yet"), "{}", stderr(&output));
        assert!(!with(&["admiral", "recordings", "upload"], data).status.success());
    }
    assert_eq!(shell.recordings().len(), 2);
    assert!(!nothing.exists());
    let database = Database::connect(&url, 1).await.unwrap();
    assert_eq!(database.schema().await.unwrap(), Schema::Missing);
    assert_eq!(server.database.database.schema().await.unwrap(), Schema::Current);
}
