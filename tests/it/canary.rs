//! A secret goes in, is used for real, and is found nowhere afterwards: not as it is, and not in any of the ways in which Ansible and
//! other programs write it.

use crate::support::{
    ansible::ansible_bins,
    processes,
    server::{AdmiralServer, text},
    ssh_hosts::SshHosts,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const VARIABLE: &str = "canary-variable-5f1d2c";
/// With characters that every writer treats differently, and blanks at which YAML and terminals break lines.
const AWKWARD: &str = "canary's \"awkward\" \\new {{ 7 }} %41&lt; $x `y` #z: ünïcöde 😀 +/=? [a, b] that goes on and on until it is folded";
const LINES: &str = "canary of lines 81e5b0\n  indented: 'quoted' line-2-7fa913\n\nlast-line-ee0d11: \"end\"";
const BECOME: &str = "canary-become-4e82f1";
const PASSPHRASE: &str = "canary-passphrase-93be07";
/// Given as if it were no secret; the form knows better.
const ANSWER: &str = "canary-answer-\"quoted\"-7c20aa";
const OF_THE_ENVIRONMENT: &str = "canary-environment-b1870d";
const OF_THE_PRESET: &str = "canary-preset-e44c19";
const FILE: &str = "canary-file-0d9a55";
const VAULT_PASSWORD: &str = "canary-vault-c40a81";

const FILES: [(&str, &str); 6] = [
    ("site.yml", include_str!("canary/project/site.yml")),
    ("site.form.yml", include_str!("canary/project/site.form.yml")),
    ("included.yml", include_str!("canary/project/included.yml")),
    ("template.j2", include_str!("canary/project/template.j2")),
    ("encode.py", ENCODE),
    (
        "filter_plugins/say.py",
        include_str!("canary/project/filter_plugins/say.py"),
    ),
];
/// Run by the playbook, and by the test to know what to look for.
const ENCODE: &str = include_str!("canary/project/encode.py");
/// Pieces of this length are looked for: shorter ones are common, longer ones would miss what is left of a secret.
const PIECE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_found_nowhere() {
    let hosts = SshHosts::start();
    let server = AdmiralServer::start().await;
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "canary", "-N", PASSPHRASE, "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let private_key = std::fs::read_to_string(&path).unwrap();
    hosts.authorize(&std::fs::read_to_string(path.with_extension("pub")).unwrap());
    let plain_key = decrypted_form(&path);
    // A line from the middle of each form: what a leak would show.
    let blob: Vec<u8> = (0..480_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80)
        .collect();
    let canaries: Vec<String> = vec![
        VARIABLE.to_owned(),
        BECOME.to_owned(),
        PASSPHRASE.to_owned(),
        ANSWER.to_owned(),
        OF_THE_ENVIRONMENT.to_owned(),
        OF_THE_PRESET.to_owned(),
        FILE.to_owned(),
        STANDARD.encode(FILE),
        VAULT_PASSWORD.to_owned(),
        middle_line(&private_key),
        middle_line(&plain_key),
    ];

    let key = server
        .post(
            "/api/keys",
            json!({"name": "canary", "private_key": private_key, "passphrase": PASSPHRASE}),
        )
        .await;
    let key = text(&key, "id");
    server
        .add_server("canary1", &SshHosts::address(0), hosts.port, &hosts.user, &key, &[])
        .await;
    let encrypted = vault_file(keys.path());
    for (name, settings) in [
        ("canary", ""),
        ("canary-yaml", "[defaults]\ncallback_result_format = yaml\n"),
    ] {
        let folder = server.folder.path().join("playbooks").join(name);
        std::fs::create_dir_all(folder.join("filter_plugins")).unwrap();
        for (file, content) in FILES {
            std::fs::write(folder.join(file), content).unwrap();
        }
        std::fs::write(folder.join("ansible.cfg"), settings).unwrap();
        std::fs::write(folder.join("vault.yml"), &encrypted).unwrap();
    }
    let playbook = "project/canary/site.yml";
    let environment = server
        .post(
            "/api/environments",
            json!({"name": "production", "secret_variables": {"of_the_environment": OF_THE_ENVIRONMENT, "answer": "x"}}),
        )
        .await;
    let preset = server
        .post(
            "/api/presets",
            json!({"playbook": playbook, "name": "all", "secret_variables": {"of_the_preset": OF_THE_PRESET}}),
        )
        .await;

    server
        .post(
            "/api/vault-passwords",
            json!({"vault_id": "canary", "password": VAULT_PASSWORD}),
        )
        .await;

    let watching = Arc::new(AtomicBool::new(true));
    let exposed = Arc::new(Mutex::new(BTreeSet::new()));
    let watcher = std::thread::spawn({
        let (watching, exposed, canaries) = (watching.clone(), exposed.clone(), canaries.clone());
        move || {
            while watching.load(Ordering::Relaxed) {
                for process in processes::mentioning_any(&canaries).into_values() {
                    exposed.lock().unwrap().insert(process.command);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let reversed = |text: &str| text.trim_end().chars().rev().collect::<String>();
    let playground = tempfile::tempdir().unwrap();
    std::fs::set_permissions(playground.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let launch = json!({
        "playbook": playbook, "all": true,
        "secret_variables": {"secret": VARIABLE, "awkward": AWKWARD, "lines": LINES, "ansible_become_password": BECOME},
        "variables": {
            "answer": ANSWER, "passphrase_reversed": reversed(PASSPHRASE), "stored_key_reversed": reversed(&private_key),
            "playground": playground.path(), "repeated": 3000,
        },
        "files": {
            "certificate": {"name": "server.pem", "content_base64": STANDARD.encode(FILE)},
            "blob": {"name": "blob", "content_base64": STANDARD.encode(&blob)},
        },
        "environment_id": environment["id"], "preset_id": preset["id"], "options": {"verbosity": 3, "diff": true},
    });
    let preview = server
        .request(Method::POST, "/api/deployments/preview", Some(&launch))
        .await
        .1;
    let mut as_yaml = launch.clone();
    as_yaml["playbook"] = json!("project/canary-yaml/site.yml");
    as_yaml["preset_id"] = Value::Null;
    // What does not depend on how Ansible shows results.
    as_yaml["options"]["skip_tags"] = json!(["once"]);
    as_yaml["secret_variables"]["of_the_preset"] = json!(OF_THE_PRESET);
    let mut streams = Vec::new();
    let mut ids = Vec::new();
    for body in [launch, as_yaml] {
        let deployment = server.post("/api/deployments", body).await;
        let id = text(&deployment, "id");
        let stream = server.open(&format!("/api/deployments/{id}/stream"), None).await;
        streams.push(tokio::spawn(read_to_end(stream)));
        ids.push(id);
    }
    let mut haystacks: Vec<(String, String)> = vec![("the preview".to_owned(), preview.to_string())];
    for (id, stream) in ids.iter().zip(streams) {
        let deployment = server.wait_for_end(id).await;
        let output = server.output(id).await;
        assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
        let mut secret = vec![
            "ansible_become_password",
            "answer",
            "awkward",
            "lines",
            "of_the_environment",
            "of_the_preset",
            "secret",
        ];
        secret.sort_unstable();
        assert_eq!(deployment["secret_variables"], json!(secret));
        for shown in [
            "the secret is ********",
            "the vault opens with ********",
            "the warning is ********",
            "By the name ******** of a task",
            "included for ********",
            "no good: ******** ********",
        ] {
            assert!(output.contains(shown), "{shown} is not in {output}");
        }
        haystacks.push(("the output".to_owned(), output));
        haystacks.push(("the stream".to_owned(), stream.await.unwrap()));
        for path in ["", "/servers", "/events?limit=5000", "/runs", "/output"] {
            let answer = server.get(&format!("/api/deployments/{id}{path}")).await;
            haystacks.push((format!("the answer of {path}"), answer.to_string()));
        }
        assert!(
            haystacks
                .iter()
                .any(|(name, text)| name == "the stream" && text.contains("event: end"))
        );
    }
    watching.store(false, Ordering::Relaxed);
    watcher.join().unwrap();

    // `shell` with `environment` and `raw` put the secret into a process for a moment: that is the playbook's doing. Nothing that
    // Admiral starts may show it.
    let exposed: Vec<_> = exposed
        .lock()
        .unwrap()
        .iter()
        .filter(|c| c.contains("ansible-playbook") || c.contains("admiral"))
        .cloned()
        .collect();
    let exposed: Vec<_> = exposed
        .into_iter()
        .filter(|c| {
            !["AnsiballZ", "SECRET=", "printf '%s\\n' canary"]
                .iter()
                .any(|own| c.contains(own))
        })
        .collect();
    assert!(exposed.is_empty(), "in the process table: {exposed:?}");

    for path in [
        "/api/deployments".to_owned(),
        "/api/keys".to_owned(),
        format!("/api/keys/{key}"),
        "/api/servers".to_owned(),
        "/api/environments".to_owned(),
        "/api/presets".to_owned(),
        format!("/api/playbooks/form?id={playbook}"),
        "/api/audit".to_owned(),
        "/api/vault-passwords".to_owned(),
    ] {
        haystacks.push((format!("the answer of {path}"), server.get(&path).await.to_string()));
    }
    let dump = Command::new("pg_dump")
        .arg(&server.database.url)
        .output()
        .expect("pg_dump is installed");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("canary1"), "the dump holds the data");
    // Bytes are there in hexadecimal: the output, and the files of the playbooks.
    let (bytes, texts): (Vec<&str>, Vec<&str>) = dump
        .split(['\t', '\n'])
        .partition(|field| field.strip_prefix("\\\\x").is_some_and(|digits| digits.len() % 2 == 0));
    let bytes: Vec<u8> = bytes
        .iter()
        .flat_map(|field| hex::decode(&field[3..]).unwrap())
        .collect();
    let bytes = String::from_utf8_lossy(&bytes).into_owned();
    assert!(bytes.contains("PLAY RECAP"), "the dump holds the output");
    haystacks.push(("the bytes of the database".to_owned(), bytes));
    haystacks.push(("the database".to_owned(), texts.join("\n")));
    haystacks.push(("the log".to_owned(), server.log()));

    for canary in &canaries {
        for (place, text) in &haystacks {
            assert!(!text.contains(canary.as_str()), "{canary} is in {place}");
            assert!(
                !text.contains(&hex_of(canary)),
                "{canary} is in {place}, as hexadecimal"
            );
        }
    }
    let values = json!({
        "secret": VARIABLE, "awkward": AWKWARD, "lines": LINES, "become": BECOME, "answer": ANSWER, "of_the_environment": OF_THE_ENVIRONMENT,
        "of_the_preset": OF_THE_PRESET, "vault_password": VAULT_PASSWORD, "passphrase": PASSPHRASE, "stored_key": private_key.trim_end(),
        "key": plain_key.trim_end(), "file": FILE,
    });
    let public_key = std::fs::read(path.with_extension("pub")).unwrap();
    let pieces = Pieces::new(&values, &blob, public_key);
    for (place, text) in &haystacks {
        let left = pieces.found_in(text);
        assert!(left.is_empty(), "{left:?} are left in {place}");
    }
    let mut left = Vec::new();
    for root in [
        server.folder.path().to_owned(),
        PathBuf::from("/dev/shm"),
        PathBuf::from("/tmp"),
    ] {
        files_holding(&root, &canaries, &[keys.path()], &mut left);
    }
    assert!(left.is_empty(), "in files: {left:?}");
}

fn decrypted_form(path: &Path) -> String {
    let copy = path.with_file_name("plain");
    std::fs::copy(path, &copy).unwrap();
    let status = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", PASSPHRASE, "-N", "", "-f"])
        .arg(&copy)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read_to_string(copy).unwrap()
}

fn middle_line(key: &str) -> String {
    let lines: Vec<&str> = key.lines().collect();
    lines[lines.len() - 3].to_owned()
}

/// A file of variables that only the vault's password opens.
fn vault_file(folder: &Path) -> Vec<u8> {
    std::fs::write(folder.join("vault"), VAULT_PASSWORD).unwrap();
    std::fs::write(folder.join("vault.yml"), format!("vaulted: {VAULT_PASSWORD}\n")).unwrap();
    let encrypted = Command::new(ansible_bins()[0].join("ansible-vault"))
        .args(["encrypt", "--vault-id", "canary@vault", "vault.yml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(encrypted.success());
    std::fs::read(folder.join("vault.yml")).unwrap()
}

async fn read_to_end(stream: reqwest::Response) -> String {
    let mut text = Vec::new();
    let mut stream = stream.bytes_stream();
    while let Some(Ok(part)) = stream.next().await {
        text.extend(part);
        if text.windows(10).rev().take(4096).any(|window| window == b"event: end") {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The values in all the ways in which they may be written, by the names of both.
fn encode(values: &Value) -> BTreeMap<(String, String), String> {
    let mut child = Command::new(ansible_bins()[0].join("python"))
        .args(["-c", ENCODE, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(values.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let encoded: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_slice(&output.stdout).unwrap();
    let by_kind = encoded.into_iter();
    by_kind
        .flat_map(|(kind, texts)| texts.into_iter().map(move |(name, text)| ((kind.clone(), name), text)))
        .collect()
}

/// Pieces of all canaries, in all the ways in which they may be written.
struct Pieces {
    /// What each is a piece of.
    known: BTreeMap<Vec<u8>, String>,
    hashed: HashSet<Vec<u8>>,
    /// Parts of keys that are no secret: what all of them begin and end with, and the public half.
    public: Vec<Vec<u8>>,
}

impl Pieces {
    fn new(values: &Value, blob: &[u8], public_key: Vec<u8>) -> Self {
        let frame = "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----";
        let frames = json!({"0": frame, "1": format!("x{frame}"), "2": format!("xx{frame}")});
        let mut pieces = Self {
            known: BTreeMap::new(),
            hashed: HashSet::new(),
            public: encode(&frames).into_values().map(String::into_bytes).collect(),
        };
        pieces.public.push(public_key);
        for ((kind, name), text) in encode(values) {
            for line in text.lines() {
                pieces.add(line.trim().as_bytes(), &format!("{kind}, {name}"));
            }
        }
        pieces.add(blob, "blob");
        pieces.add(STANDARD.encode(blob).as_bytes(), "blob, base64");
        pieces.add(hex::encode(blob).as_bytes(), "blob, hexadecimal");
        pieces
    }

    fn add(&mut self, text: &[u8], name: &str) {
        for piece in text.chunks_exact(PIECE) {
            // Zeros in a key read the same everywhere, and backwards.
            let letters: BTreeSet<&u8> = piece.iter().filter(|byte| byte.is_ascii_alphanumeric()).collect();
            let is_public = self
                .public
                .iter()
                .any(|text| memchr::memmem::find(text, piece).is_some());
            if letters.len() >= PIECE / 2 && !is_public {
                self.hashed.insert(piece.to_vec());
                self.known.entry(piece.to_vec()).or_insert_with(|| name.to_owned());
            }
        }
    }

    /// Those in a text as it is, and with one and two levels of backslashes less: the database writes its text with them, and JSON.
    fn found_in(&self, text: &str) -> BTreeSet<(String, String)> {
        let once = text.replace("\\\\", "\\").replace("\\\"", "\"");
        let twice = once.replace("\\\\", "\\").replace("\\\"", "\"");
        let mut found = BTreeSet::new();
        for text in [text, &once, &twice] {
            for window in text
                .as_bytes()
                .windows(PIECE)
                .filter(|window| self.hashed.contains(*window))
            {
                found.insert((self.known[window].clone(), String::from_utf8_lossy(window).into_owned()));
            }
        }
        found
    }
}

fn hex_of(text: &str) -> String {
    hex::encode(text)
}

fn files_holding(folder: &Path, needles: &[String], except: &[&Path], found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else {
            continue;
        };
        if except.contains(&path.as_path()) {
            continue;
        }
        if kind.is_dir() {
            // Other tests' folders are theirs to check, and the cluster's files were looked into as a dump.
            let name = entry.file_name().to_string_lossy().into_owned();
            let others = name.starts_with("admiral-it-") || name.starts_with("admiral-test");
            let ours = folder != Path::new("/tmp") || name.starts_with("admiral") && !others;
            if ours {
                files_holding(&path, needles, except, found);
            }
        } else if kind.is_file() && std::fs::metadata(&path).is_ok_and(|data| data.len() < 64 << 20) {
            let content = std::fs::read(&path).unwrap_or_default();
            if needles
                .iter()
                .any(|needle| memchr::memmem::find(&content, needle.as_bytes()).is_some())
            {
                found.push(path);
            }
        }
    }
}
