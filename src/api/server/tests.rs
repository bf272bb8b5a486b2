//! Clients of all kinds, on real sockets, with a clock that jumps to the next deadline when nothing else is left to do.

use super::*;
use axum::{
    body::Bytes,
    routing::{get, post},
};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore,
};

/// A client gives up after this long, on the clock that jumps.
const FAR_TOO_LONG: Duration = Duration::from_hours(1);
/// More than the buffers of both ends of a connection hold.
const LARGE: usize = 64 * 1024 * 1024;

struct Server {
    address: SocketAddr,
    metrics: Metrics,
    /// Opens `/wait`.
    gate: Arc<Semaphore>,
    /// The number of requests that are in `/wait`.
    waiting: Arc<AtomicUsize>,
    _stop: tokio_util::sync::DropGuard,
}

impl Server {
    async fn start(max_connections: usize) -> Self {
        let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let wait = {
            let (gate, waiting) = (Arc::clone(&gate), Arc::clone(&waiting));
            move || async move {
                waiting.fetch_add(1, Ordering::SeqCst);
                let _through = gate.acquire().await;
                waiting.fetch_sub(1, Ordering::SeqCst);
                "waited"
            }
        };
        let router = Router::new()
            .route(HEALTH, get(async || "well"))
            .route("/wait", get(wait))
            .route("/large", get(async || vec![b'x'; LARGE]))
            .route("/refuse", post(async || (axum::http::StatusCode::FORBIDDEN, "no")))
            .route(
                "/count",
                post(
                    async |request: Request| match crate::api::extract::receive(request).await {
                        Ok(bytes) => Bytes::len(&bytes).to_string().into_response(),
                        Err(problem) => problem.into_response(),
                    },
                ),
            );
        let metrics = Metrics::new();
        let terms = Terms {
            max_connections,
            metrics: metrics.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        tokio::spawn(answer(listener, router, terms, stop.clone()));
        Self {
            address,
            metrics,
            gate,
            waiting,
            _stop: stop.drop_guard(),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("the server reads");
        stream
    }

    /// Sends a request on a connection of its own; the whole answer.
    async fn ask(&self, path: &str) -> String {
        let mut stream = self
            .send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
            .await;
        rest_of(&mut stream).await
    }

    /// Makes this many connections busy.
    async fn occupy(&self, connections: usize) -> Vec<TcpStream> {
        let already = self.waiting.load(Ordering::SeqCst);
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(self.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await);
        }
        while self.waiting.load(Ordering::SeqCst) < already + connections {
            tokio::task::yield_now().await;
        }
        streams
    }

    /// The number of connections that were closed for this reason.
    fn closed(&self, reason: &str) -> usize {
        let text = self
            .metrics
            .encode(&crate::telemetry::Snapshot::default())
            .expect("text");
        let line = format!("admiral_http_connections_closed_total{{reason=\"{reason}\"}} ");
        text.lines()
            .find_map(|found| found.strip_prefix(&line)?.parse().ok())
            .unwrap_or(0)
    }
}

/// Everything until the server closes the connection.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off may end with an error.
    let _ended = timeout(FAR_TOO_LONG, stream.read_to_end(&mut bytes))
        .await
        .expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn answer_on(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&bytes).ends_with(end) {
        let read = timeout(FAR_TOO_LONG, stream.read(&mut buffer)).await;
        let read = read.expect("the server answers").expect("an answer");
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_request_head_has_to_arrive_in_time() {
    let server = Server::start(16).await;
    for beginning in ["", "G", "GET /large HTTP/1.1\r\nhost: x\r\nx-more: "] {
        let (mut stream, began) = (server.send(beginning).await, Instant::now());
        assert_eq!(rest_of(&mut stream).await, "", "{beginning:?}");
        assert!(began.elapsed() >= progress::HEAD && began.elapsed() < 2 * progress::HEAD);
    }
    // Sending one byte a second does not help.
    let (stream, began) = (server.connect().await, Instant::now());
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        for byte in b"GET / HTTP/1.1\r\nhost: a-long-name.example.org\r\n\r\n" {
            if writing.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let mut rest = Vec::new();
    let ended = timeout(FAR_TOO_LONG, reading.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the server closes the connection");
    assert!(began.elapsed() < 2 * progress::HEAD, "{:?}", began.elapsed());
    dripping.abort();
    assert_eq!(server.closed("slow_request"), 4);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_a_while() {
    let server = Server::start(16).await;
    let request = format!("GET {HEALTH} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut stream = server.send(&request).await;
    answer_on(&mut stream, "well").await;
    tokio::time::sleep(progress::IDLE * 9 / 10).await;
    stream.write_all(request.as_bytes()).await.expect("it is still open");
    answer_on(&mut stream, "well").await;
    let began = Instant::now();
    assert_eq!(rest_of(&mut stream).await, "");
    assert!(began.elapsed() >= progress::IDLE && began.elapsed() < 2 * progress::IDLE);
    assert_eq!(server.closed("idle"), 1);
    // It is the same after a request whose body was discarded.
    let mut stream = server
        .send("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nxxx")
        .await;
    answer_on(&mut stream, "\r\n\r\nno").await;
    let began = Instant::now();
    assert_eq!(rest_of(&mut stream).await, "");
    assert!(began.elapsed() >= progress::IDLE / 2 && began.elapsed() < 2 * progress::IDLE);
    assert_eq!(server.closed("idle"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_or_stalls_is_answered_with_408() {
    let server = Server::start(16).await;
    let head = "POST /count HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let mut stalled = server.send(&format!("{head}{}", "x".repeat(90_000))).await;
    let began = Instant::now();
    let answer = rest_of(&mut stalled).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"),
        "{answer}"
    );
    let pause = Duration::from_secs(20);
    assert!(
        began.elapsed() >= pause && began.elapsed() < 2 * pause,
        "{:?}",
        began.elapsed()
    );

    let (mut reading, mut writing) = server.send(head).await.into_split();
    let began = Instant::now();
    let dripping = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let mut answer = [0; 12];
    let read = timeout(FAR_TOO_LONG, reading.read_exact(&mut answer)).await;
    read.expect("the server answers").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(began.elapsed() < 2 * pause, "{:?}", began.elapsed());
    dripping.abort();

    // A slow body that arrives steadily is taken.
    let mut steady = server.send(head).await;
    for _ in 0..50 {
        steady.write_all(&[b'x'; 2000]).await.expect("it is read");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(
        answer_on(&mut steady, "\r\n\r\n100000")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_is_dropped_after_a_while() {
    let server = Server::start(16).await;
    let mut stream = server.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // The client reads nothing until the server has given up.
    let began = Instant::now();
    while server.closed("stalled_answer") == 0 {
        assert!(began.elapsed() < FAR_TOO_LONG, "the server does not give up");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut bytes = Vec::new();
    let _ended = stream.read_to_end(&mut bytes).await;
    assert!(bytes.len() < LARGE, "{}", bytes.len());

    // A client that reads slowly gets all of it.
    let mut stream = server
        .send("GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let mut buffer = vec![0; 4 * 1024 * 1024];
    let mut taken = 0;
    loop {
        let read = stream.read(&mut buffer).await.expect("it comes to its end");
        if read == 0 {
            break;
        }
        taken += read;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(taken > LARGE, "{taken}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_refused_while_sending_gets_to_read_the_answer() {
    let server = Server::start(16).await;
    let mut stream = server
        .send("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 20000000\r\n\r\n")
        .await;
    let answer = answer_on(&mut stream, "\r\n\r\nno").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    // The rest is discarded, and the connection can be used again.
    for _ in 0..20 {
        stream.write_all(&vec![b'x'; 1_000_000]).await.expect("it is taken");
    }
    let next = format!("GET {HEALTH} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(next.as_bytes()).await.expect("it is open");
    assert!(answer_on(&mut stream, "well").await.starts_with("HTTP/1.1 200 "));
    // A client that asks first is not told to send.
    let mut stream = server
        .send("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 20000000\r\nexpect: 100-continue\r\n\r\n")
        .await;
    let answer = rest_of(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && !answer.contains("100 Continue"),
        "{answer}"
    );
    let mut stream = server
        .send("POST /count HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
        .await;
    answer_on(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"xxx").await.expect("it is read");
    answer_on(&mut stream, "\r\n\r\n3").await;
    // A client that stops sending is not waited for.
    let mut stream = server
        .send("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 20000000\r\n\r\nxxx")
        .await;
    let answer = rest_of(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn slow_clients_give_way_and_busy_ones_leave_a_reserve() {
    let server = Server::start(16).await;
    let mut slow = Vec::new();
    for number in 0..200 {
        slow.push(match number % 4 {
            0 => server.connect().await,
            1 => server.send("GET / HTTP/1.1\r\nhost: ").await,
            2 => {
                server
                    .send("POST /count HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx")
                    .await
            }
            _ => {
                server
                    .send("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx")
                    .await
            }
        });
        if number % 10 == 9 {
            let answer = server.ask(HEALTH).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{number}: {answer}");
        }
    }
    assert!(server.closed("full") > 150, "{}", server.closed("full"));
    drop(slow);

    let mut busy = server.occupy(16).await;
    for _ in 0..2 * RESERVE {
        let answer = server.ask(HEALTH).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let answer = server.ask("/large").await;
        assert!(
            answer.starts_with("HTTP/1.1 503 ")
                && answer.contains("retry-after: ")
                && answer.contains("connection: close"),
            "{answer}"
        );
    }
    // Idle connections cannot hold the reserve either.
    let mut idle = Vec::new();
    for _ in 0..3 * RESERVE {
        idle.push(server.connect().await);
    }
    let answer = server.ask(HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.gate.add_permits(16);
    for stream in &mut busy {
        assert!(answer_on(stream, "waited").await.starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn the_limit_of_open_files_bounds_the_connections() {
    assert_eq!(connections_within(1024, 1024 * 1024), 1024);
    assert_eq!(connections_within(1024, 1024), 800);
    assert_eq!(connections_within(1024, 256), 32);
    assert_eq!(connections_within(1024, 64), 16);
}
