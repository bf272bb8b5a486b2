//! Thousands of clients are slow on purpose. The server answers everybody else, and its memory stays bounded.

#![expect(
    clippy::print_stderr,
    reason = "shows how long answers took and how much memory, which no test may assert exactly"
)]

use crate::support::{
    fleet, processes,
    server::{AdmiralServer, PASSWORD, PATIENCE, text},
};
use futures_util::future::join_all;
use reqwest::StatusCode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::{
    fs, io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

const MIB: u64 = 1024 * 1024;
/// A body that once took the server from 188 to 947 MiB before its sender was refused.
const LARGE_BODY: usize = 60 * 1024 * 1024;

/// Each client is an open file of this process.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the soft limit may be raised to the hard one");
}

fn address(server: &AdmiralServer) -> SocketAddr {
    server.url.trim_start_matches("http://").parse().expect("an address")
}

/// Sends `text` on a new connection that has little room for an answer.
async fn send(address: SocketAddr, text: &str) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    Ok(stream)
}

/// A value of the server's `/proc/PID/status`, in bytes.
fn memory(server: &AdmiralServer, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    let kilobytes: String = line.chars().filter(char::is_ascii_digit).collect();
    kilobytes.parse::<u64>().expect("a number") * 1024
}

/// Resets the peak of the server's memory.
fn reset_peak(server: &AdmiralServer) {
    fs::write(format!("/proc/{}/clear_refs", server.process.id()), "5").expect("the process is ours");
}

/// Waits until the server has nothing to do, because the buffers of all slow readers are full.
async fn until_idle(server: &AdmiralServer) {
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.process.id())).expect("the server runs");
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let fields: Vec<i64> = fields
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        // After the state come ten other numbers, then the time in user mode and in the kernel (proc(5)).
        fields[10] + fields[11]
    };
    let deadline = Instant::now() + PATIENCE;
    let mut before = ticks();
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = ticks();
        if now - before <= 2 {
            return;
        }
        assert!(Instant::now() < deadline, "the server is still at work");
        before = now;
    }
}

/// Asks for `GET /api/health` on new connections, and returns the time of the slowest answer.
async fn check_health(server: &AdmiralServer, times: usize) -> Duration {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client");
    let mut slowest = Duration::ZERO;
    for _ in 0..times {
        let began = Instant::now();
        let answer = client.get(format!("{}/api/health", server.url)).timeout(PATIENCE);
        let answer = answer.send().await.expect("health is answered whatever happens");
        assert_eq!(answer.status(), StatusCode::OK);
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

async fn sign_in(server: &AdmiralServer, username: &str) -> Duration {
    let began = Instant::now();
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client");
    let answer = client
        .post(format!("{}/api/session", server.url))
        .json(&json!({"username": username, "password": PASSWORD}))
        .timeout(PATIENCE)
        .send()
        .await
        .expect("signing in is answered");
    assert_eq!(answer.status(), StatusCode::OK);
    began.elapsed()
}

/// Adds a user and returns a token of theirs.
async fn add_user(server: &AdmiralServer, username: &str, role: &str) -> String {
    let user = json!({"username": username, "role": role, "password": PASSWORD});
    server.post("/api/users", user).await;
    let made = server
        .command()
        .args(["tokens", "add", "tests", "--user", username])
        .output()
        .expect("the command runs");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).expect("text").trim().to_owned()
}

/// Makes a deployment whose stream is larger than the buffers of a connection.
async fn large_deployment(server: &AdmiralServer) -> String {
    let hosts: Vec<String> = (0..50).map(|number| format!("host{number}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let launched = fleet::launch(&server.database.database, &hosts, "- hosts: all", |_| {}).await;
    let mut connection = server.database.database.acquire().await.unwrap();
    for sql in [
        "INSERT INTO admiral.deployment_events (deployment_id, position, recorded_at, kind, host, payload) \
         SELECT $1, p, now(), 'runner_on_ok', 'host1', jsonb_build_object('task', 't', 'out', repeat(md5(p::text), 30)) \
           FROM generate_series(1, 4000) AS p",
        "UPDATE admiral.deployments SET event_position = 4000 WHERE id = $1",
    ] {
        sqlx::query(sql)
            .bind(launched.id)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    launched.id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_slow_clients_keep_nobody_out() {
    allow_many_files();
    let server = AdmiralServer::start_roles("api").await;
    let address = address(&server);
    let deployment = large_deployment(&server).await;
    let mut tokens = Vec::new();
    for number in 0..4 {
        tokens.push(add_user(&server, &format!("viewer{number}"), "viewer").await);
    }
    check_health(&server, 20).await;
    let before = memory(&server, "VmRSS:");
    reset_peak(&server);

    let read = async |number: usize| {
        let token = &tokens[number % tokens.len()];
        let request = format!(
            "GET /api/deployments/{deployment}/stream?events=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut stream = send(address, &request).await.expect("a connection");
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200", "so many streams are allowed");
        stream
    };
    let mut readers = Vec::new();
    for some in 0..20 {
        readers.extend(join_all((0..20).map(|number| read(20 * some + number))).await);
    }
    until_idle(&server).await;

    let begin = async |number: usize| {
        let token = &tokens[number % tokens.len()];
        let request = match number / 500 {
            0 => "GET /api/servers HTTP/1.1\r\nhost: x\r\nx-more: ".to_owned(),
            // The bodies of an anonymous caller, of one without the permission, and of one with it.
            1 => "POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{".to_owned(),
            2 => format!(
                "POST /api/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 900000\r\n\r\n{{"
            ),
            _ => format!(
                "POST /api/forms/parse HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
                 content-length: 900000\r\n\r\n{{"
            ),
        };
        // The server may close it again in favour of others.
        send(address, &request).await.expect("connections are taken")
    };
    let mut slow = Vec::new();
    for some in 0..20 {
        slow.extend(join_all((0..100).map(|number| begin(20 * number + some))).await);
    }
    // Each of them sends a byte from time to time.
    let dripping = tokio::spawn(async move {
        loop {
            for stream in &mut slow {
                let _gone = stream.write_all(b" ").await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let (health, mut signing_in) = (check_health(&server, 40).await, Duration::ZERO);
    for number in 0..4 {
        signing_in = signing_in.max(sign_in(&server, &format!("viewer{number}")).await);
    }
    let listed = server.get("/api/users").await;
    assert_eq!(listed["meta"]["total"], 5);
    let grown = memory(&server, "VmHWM:").saturating_sub(before);
    eprintln!(
        "with 2000 slow connections and 400 slow readers: health within {health:?}, signing in within {signing_in:?}, \
         memory {} MiB and {} MiB more at most",
        before / MIB,
        grown / MIB
    );
    dripping.abort();
    assert!(grown < 350 * MIB, "{grown}");
    drop(readers);

    // Afterwards everything is as before.
    check_health(&server, 3).await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_without_permission_is_refused_at_once() {
    let server = AdmiralServer::start_roles("api").await;
    let viewer = add_user(&server, "viewer", "viewer").await;
    let operator = add_user(&server, "operator", "operator").await;
    let client = reqwest::Client::new();
    let import = async |token: &str| {
        let request = client
            .post(format!("{}/api/servers/import", server.url))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(vec![b' '; LARGE_BODY]);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(import(&viewer).await, StatusCode::FORBIDDEN);
    let before = memory(&server, "VmRSS:");
    reset_peak(&server);
    for _ in 0..4 {
        assert_eq!(import(&viewer).await, StatusCode::FORBIDDEN);
        assert_eq!(import("adm_nobodys").await, StatusCode::UNAUTHORIZED);
    }
    let grown = memory(&server, "VmHWM:").saturating_sub(before);
    eprintln!("eight refused bodies of 60 MiB took {} MiB at most", grown / MIB);
    assert!(grown < 40 * MIB, "{grown}");

    // Even with the permission, several at once are too many.
    let head = format!(
        "POST /api/servers/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {operator}\r\ncontent-type: application/json\r\n\
         content-length: {LARGE_BODY}\r\n\r\n"
    );
    let mut held = send(address(&server), &head).await.unwrap();
    held.write_all(&vec![b' '; LARGE_BODY - 1]).await.unwrap();
    let before = memory(&server, "VmRSS:");
    let mut second = send(address(&server), &head).await.unwrap();
    let (mut reading, mut writing) = second.split();
    let sending = async {
        let _cut_short = writing.write_all(&vec![b' '; LARGE_BODY - 1]).await;
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 2048];
    let length = tokio::select! {
        read = reading.read(&mut answer) => read.unwrap(),
        () = sending => unreachable!("it never ends"),
    };
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: "),
        "{answer}"
    );
    // Other users are not affected.
    let (status, _) = server
        .request(
            reqwest::Method::POST,
            "/api/servers/import",
            Some(&json!({"inventory": {"_meta": {"hostvars": {}}}})),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let grown = memory(&server, "VmRSS:").saturating_sub(before);
    assert!(grown < 60 * MIB, "{grown}");
    // The first request is answered when its body is complete.
    held.write_all(b" ").await.unwrap();
    let mut status = [0; 12];
    held.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 400");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_low_limit_of_open_files_is_raised_for_the_server_alone() {
    allow_many_files();
    let server = AdmiralServer::start_with_open_files(256).await;
    let soft_limit = |pid: u32| {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .expect("a limit");
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        (numbers[0], numbers[1])
    };
    let (soft, hard) = soft_limit(server.process.id());
    assert_eq!(soft, hard);
    let cluster = server.data.join("postgres/data");
    let postmaster = processes::working_in(&cluster);
    assert!(!postmaster.is_empty());
    for process in postmaster {
        assert_eq!(soft_limit(process.pid as u32).0, 256, "children have the former limit");
    }
    let address = address(&server);
    let mut half = Vec::new();
    for _ in 0..390 {
        half.push(send(address, "GET /api/servers HTTP/1.1\r\nhost: x\r\n").await.unwrap());
    }
    let slowest = check_health(&server, 5).await;
    eprintln!("with 390 half-sent requests: health within {slowest:?}");
    sign_in(&server, "admin").await;
    // None of them was closed.
    for stream in &mut half {
        stream.write_all(b"\r\n").await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 401");
    }
    assert!(!server.log().contains("could not be accepted"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_leave_half_of_the_connections_to_others() {
    allow_many_files();
    let server = AdmiralServer::start_as(
        &crate::support::ansible::ansible_bins()[0],
        &["--roles", "api", "--max-connections", "20"],
    )
    .await;
    // At most half of the connections may be streams.
    let streams = join_all((0..10).map(|_| server.open("/api/stream", None))).await;
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    let refused = server.open("/api/stream", None).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let problem: Value = refused.json().await.unwrap();
    assert!(text(&problem, "detail").contains("streams"), "{problem}");
    let slowest = check_health(&server, 50).await;
    eprintln!("with half of the connections in use: health within {slowest:?}");
}
