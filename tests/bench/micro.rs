//! Micro-benchmarks of what the pipeline and the inventory do for each event, each server and each secret.

use admiral::{
    domain::clock::new_id,
    events::{LineParser, ParsedLine, RunState, WireEvent},
    ingest::redact::{HeldOutput, Redactor},
    inventory::{InventoryHost, render_list},
    vault::{KeyRing, RowIdentity, Vault},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, json};
use std::hint::black_box;

#[expect(dead_code, reason = "what is in the file matters to the other rows")]
mod spool;

const SHAPE: spool::Shape = spool::Shape { hosts: 200, tasks: 10 };
/// As much as the worker reads at once.
const CHUNK: usize = 256 * 1024;

fn events() -> Vec<u8> {
    let mut events = Vec::new();
    spool::write(SHAPE, &mut events, &mut std::io::sink()).expect("writing to memory does not fail");
    events
}

fn parse(criterion: &mut Criterion) {
    let bytes = events();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("bytes to events", |bencher| {
        bencher.iter(|| {
            let mut parser = LineParser::new(0);
            for chunk in bytes.chunks(CHUNK) {
                black_box(parser.feed(chunk));
            }
            parser.consumed()
        });
    });
    group.finish();
}

fn fold(criterion: &mut Criterion) {
    let parsed: Vec<WireEvent> = LineParser::new(0)
        .feed(&events())
        .into_iter()
        .filter_map(|line| match line {
            ParsedLine::Event { event, .. } => Some(*event),
            ParsedLine::Invalid { .. } => None,
        })
        .collect();
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(parsed.len() as u64));
    group.bench_function("events to rows", |bencher| {
        bencher.iter_batched(
            || RunState::new((0..SHAPE.hosts).map(spool::host_name)),
            |mut state| {
                // Looked at as often as a worker stores.
                for batch in parsed.chunks(1500) {
                    for event in batch {
                        state.apply(event);
                    }
                    black_box((state.take_changes(), state.counts()));
                }
                state
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// As many secrets as a run has at most, as a rule: a key of 3 KB for each of 50 groups of servers, or a few variables.
fn redact(criterion: &mut Criterion) {
    let bytes = events();
    let events = String::from_utf8(bytes).expect("events are text");
    let lines: Vec<&str> = events.lines().collect();
    let mut output = Vec::new();
    let shape = spool::Shape { hosts: 2000, ..SHAPE };
    spool::write(shape, &mut std::io::sink(), &mut output).expect("writing to memory does not fail");
    let variables: Vec<String> = (0..5)
        .map(|number| format!("variable-{number}-{}", &key(number)[50..70]))
        .collect();
    let keys: Vec<String> = (0..50).map(key).collect();
    for (name, secrets) in [("5 variables", &variables), ("50 keys", &keys)] {
        let redactor = Redactor::new(secrets.iter().map(String::as_bytes));
        let mut group = criterion.benchmark_group(format!("redact {name}"));
        group.bench_function("secrets to an index", |bencher| {
            bencher.iter(|| Redactor::new(black_box(secrets).iter().map(String::as_bytes)));
        });
        group.throughput(Throughput::Bytes(events.len() as u64));
        group.bench_function("events without secrets", |bencher| {
            bencher.iter(|| lines.iter().filter_map(|line| redactor.redact_line(line)).count());
        });
        group.throughput(Throughput::Bytes(output.len() as u64));
        group.bench_function("output without secrets", |bencher| {
            bencher.iter(|| stream(&redactor, &output));
        });
        let printed = secrets
            .iter()
            .cycle()
            .take(5 * secrets.len())
            .fold(String::new(), |text, key| text + key + "\n");
        group.throughput(Throughput::Bytes(printed.len() as u64));
        group.bench_function("output of nothing but secrets", |bencher| {
            bencher.iter(|| stream(&redactor, printed.as_bytes()));
        });
        group.finish();
    }
}

fn stream(redactor: &Redactor, output: &[u8]) -> Vec<u8> {
    let (mut held, mut out) = (HeldOutput::default(), Vec::new());
    for chunk in output.chunks(CHUNK) {
        held.feed(redactor, chunk, &mut out);
    }
    held.finish(redactor, &mut out);
    out
}

/// A private key of 3 KB.
fn key(seed: u64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = fastrand::Rng::with_seed(seed);
    let mut line = || -> String { (0..70).map(|_| char::from(DIGITS[random.usize(..64)])).collect() };
    let lines: Vec<String> = (0..42).map(|_| line()).collect();
    let lines = lines.join("\n");
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n")
}

fn render(criterion: &mut Criterion) {
    let hosts: Vec<InventoryHost> = (0..1000).map(host).collect();
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(hosts.len() as u64));
    group.bench_function("servers to inventory JSON", |bencher| {
        bencher.iter(|| serde_json::to_vec(&render_list(black_box(&hosts))));
    });
    group.finish();
}

fn host(number: usize) -> InventoryHost {
    let metadata = json!({"region": format!("eu-west-{}", number % 3), "rack": number % 40, "contact": "ops@example.org",
        "ansible_python_interpreter": "/usr/bin/python3"});
    InventoryHost {
        hostname: format!("web-{number:05}.eu-west.example.org"),
        name: format!("Web {number}"),
        ssh_host: format!("10.0.{}.{}", number / 250, number % 250 + 1),
        ssh_port: 22,
        ssh_username: "deploy".to_owned(),
        private_key_file: Some(format!("/run/admiral/key-{}", number % 50)),
        server_id: number as i64,
        server_uuid: new_id(),
        tags: vec![format!("tag{}", number % 34), format!("tag{}", number / 7 % 34)],
        distro: Some(format!("Distro {}", number % 6)),
        architecture: Some("x86_64".to_owned()),
        metadata: metadata.as_object().cloned().unwrap_or_else(Map::new),
    }
}

/// The size of an ed25519 key in OpenSSH's format.
const KEY_BYTES: usize = 400;

fn envelope(criterion: &mut Criterion) {
    let vault = Vault::new(KeyRing::generate().expect("a key ring"));
    let row = RowIdentity::private_key(new_id());
    let key = vec![b'k'; KEY_BYTES];
    let sealed = vault.seal(&key, row).expect("sealed");
    let mut group = criterion.benchmark_group("envelope");
    group.throughput(Throughput::Elements(1));
    group.bench_function("seal a key", |bencher| {
        bencher.iter(|| vault.seal(black_box(&key), row));
    });
    group.bench_function("open a key", |bencher| {
        bencher.iter(|| vault.open(black_box(&sealed), row));
    });
    group.finish();
}

criterion_group!(benches, parse, fold, redact, render, envelope);
criterion_main!(benches);
