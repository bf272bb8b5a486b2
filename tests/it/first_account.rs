//! The link that makes the first account is made once, is written to a file in the data directory, and is in no log.

use crate::support::{
    server::{AdmiralServer, PASSWORD, PATIENCE},
    ssh_hosts::free_port,
};
use reqwest::StatusCode;
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const NO_ACCOUNT: &str = "There is no account yet";

fn file(server: &AdmiralServer) -> PathBuf {
    server.data.join("first-account-link")
}

/// Waits until the log contains `text` this many times, and returns it.
async fn log_with(server: &AdmiralServer, text: &str, times: usize) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = server.log();
        if log.matches(text).count() >= times {
            return log;
        }
        assert!(Instant::now() < deadline, "{text:?} is not there {times} times: {log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn token_of(link: &str) -> String {
    let (_, token) = link.trim().split_once("/setup?token=").expect("a link");
    token.to_owned()
}

async fn set_up(server: &AdmiralServer, token: &str) -> StatusCode {
    let body = json!({"token": token, "username": "admin", "password": PASSWORD});
    let request = reqwest::Client::new()
        .post(format!("{}/api/setup", server.url))
        .json(&body);
    request.send().await.expect("the server answers").status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_is_made_once_and_is_in_no_log() {
    let mut server = AdmiralServer::start_without_account().await;
    let log = log_with(&server, NO_ACCOUNT, 1).await;
    let link = fs::read_to_string(file(&server)).unwrap();
    assert!(
        link.starts_with(&server.url) && log.contains("first-account-link"),
        "{link} {log}"
    );
    let mode = fs::metadata(file(&server)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // A restart changes nothing.
    assert!(tokio::task::block_in_place(|| server.terminate()).0.success());
    server.start_again(&[]).await;
    log_with(&server, NO_ACCOUNT, 2).await;
    assert_eq!(fs::read_to_string(file(&server)).unwrap(), link);

    // A new link takes the place of the old one.
    let setup_link = |server: &AdmiralServer| server.command().args(["users", "setup-link"]).output().unwrap();
    let made = setup_link(&server);
    assert!(made.status.success(), "{made:?}");
    let new = token_of(&String::from_utf8_lossy(&made.stdout));
    assert!(!file(&server).exists());
    assert_eq!(set_up(&server, &token_of(&link)).await, StatusCode::UNAUTHORIZED);
    assert!(tokio::task::block_in_place(|| server.terminate()).0.success());
    server.start_again(&[]).await;
    let log = log_with(&server, "is not in this data directory", 1).await;
    assert!(!file(&server).exists());
    for token in [token_of(&link), new.clone()] {
        assert!(!log.contains(&token), "{log}");
    }

    assert_eq!(set_up(&server, &new).await, StatusCode::CREATED);
    let refused = setup_link(&server);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("there is an account already"),
        "{said}"
    );
    assert!(tokio::task::block_in_place(|| server.terminate()).0.success());
    server.start_again(&[]).await;
    assert_eq!(server.log().matches(NO_ACCOUNT).count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_the_link_and_the_file_goes_when_it_was_used() {
    let server = AdmiralServer::start_roles("api").await;
    assert!(!file(&server).exists(), "it was used up");

    let other = AdmiralServer::start_without_account().await;
    let link = fs::read_to_string(file(&other)).unwrap();
    // Another process on the same data directory, at a terminal.
    let shown = other.folder.path().join("terminal");
    let serve = format!(
        "{} serve --roles api --listen 127.0.0.1:{}",
        env!("CARGO_BIN_EXE_admiral"),
        free_port()
    );
    let mut terminal = Command::new("script")
        .args(["-q", "-f", "-c", &serve])
        .arg(&shown)
        .env("ADMIRAL_DATA_DIR", &other.data)
        .env("DATABASE_URL", &other.database.url)
        .env(
            "ADMIRAL_ANSIBLE_BIN",
            crate::support::ansible::ansible_bins()[0].as_os_str(),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !fs::read_to_string(&shown).unwrap_or_default().contains(link.trim()) {
        assert!(
            Instant::now() < deadline,
            "{}",
            fs::read_to_string(&shown).unwrap_or_default()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    terminal.kill().unwrap();
    terminal.wait().unwrap();
}
