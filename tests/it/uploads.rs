//! Uploads: every format, every refusal, entry points, new versions, the command line.

use crate::support::{
    app::{OPERATOR, TestApp, VIEWER},
    archives::{self, SITE, ZipEntry, gzip, tar_entry, tarball, zip},
    database::TestDatabase,
    launchpad::Launchpad,
    server::make_key_ring,
};
use admiral::{
    domain::playbook::PlaybookFile,
    playbooks::{Snapshot, archive},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

const TASKS: &str = "- ansible.builtin.ping:\n";

async fn create(pad: &Launchpad, query: &str, file: Vec<u8>) -> (u16, Value) {
    pad.upload(&format!("/api/packages?{query}"), file).await
}

/// What an upload may write, in rows, and who was let through.
async fn rows(pad: &Launchpad) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in [
        "packages",
        "playbook_versions",
        "playbook_files",
        "playbooks",
        "audit_log",
    ] {
        counts.push(pad.number(&format!("SELECT count(*) FROM admiral.{table}")).await);
    }
    counts
}

#[tokio::test]
async fn hostile_archives_are_refused_with_a_reason_and_nothing_is_written() {
    let pad = Launchpad::new().await;
    let (status, _) = create(&pad, "file_name=site.yml", SITE.to_vec()).await;
    assert_eq!(status, 201);
    let before = rows(&pad).await;
    let mut wrong = Vec::new();
    for hostile in archives::hostile().into_iter().chain(archives::oversized()) {
        for path in ["/api/packages/inspect?", "/api/packages?name=evil&"] {
            let path = format!("{path}file_name={}", hostile.file_name);
            let (status, problem) = pad.upload(&path, hostile.bytes.clone()).await;
            let message = problem["errors"][0]["message"].as_str().unwrap_or_default();
            let is_refused = (status, &problem["code"]) == (422, &json!("validation_failed"))
                && problem["errors"][0]["field"] == "file"
                && message.contains(hostile.reason)
                && !message.contains(char::is_control);
            if !is_refused {
                wrong.push(format!("{} as {}: {problem}", hostile.about, hostile.file_name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows(&pad).await, before);
}

#[tokio::test]
async fn what_is_too_long_or_no_file_is_refused() {
    let pad = Launchpad::new().await;
    let long = vec![b'#'; archive::MAX_UPLOAD_BYTES + 1];
    let (status, problem) = pad.upload("/api/packages/inspect?file_name=x.zip", long).await;
    assert_eq!((status, &problem["code"]), (413, &json!("payload_too_large")));
    let body = Some(json!({}));
    let (status, problem) = pad.call("POST", "/api/packages?file_name=x.zip", body).await;
    assert_eq!((status, &problem["code"]), (415, &json!("unsupported_media_type")));
    for (query, field) in [
        ("", "file_name"),
        ("file_name=site.yml&name=../evil", "name"),
        ("file_name=site.yml&name=", "name"),
        ("file_name=site.yml&entry=other.yml", "entry"),
        (
            "file_name=site.yml&base_version_id=00000000-0000-7000-8000-000000000000",
            "base_version_id",
        ),
        ("file_name=site.yml&base_version_id=1", "base_version_id"),
        ("file_name=site.yml&comment=%00", "comment"),
        ("file_name=site.yml&colour=blue", "colour"),
    ] {
        let (status, problem) = create(&pad, query, SITE.to_vec()).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{query}: {problem}"
        );
    }
    let (status, problem) = create(&pad, "file_name=vars.yml", b"a: 1\n".to_vec()).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (422, &json!("file")),
        "{problem}"
    );
    assert_eq!(
        pad.number("SELECT count(*) FROM admiral.packages WHERE origin = 'custom'")
            .await,
        0
    );
    assert_eq!(pad.number("SELECT count(*) FROM admiral.playbook_files").await, 0);
}

#[tokio::test]
async fn every_format_holds_the_same_as_the_watched_folder() {
    let pad = Launchpad::new().await;
    for (path, text) in [
        ("shop/site.yml", "- hosts: all\n  roles: [web]\n"),
        ("shop/roles/web/tasks/main.yml", TASKS),
        ("shop/roles/web/templates/page.j2", "{{ a }}\u{e9}\n"),
        ("shop/group_vars/all.yml", "a: 1\n"),
        ("shop/collections/ansible_collections/a/b/galaxy.yml", "name: b\n"),
        ("shop/files/run.sh", "#!/bin/sh\n"),
        ("shop/files/empty", ""),
        ("shop/.git/config", "x"),
        ("shop/library/__pycache__/x.pyc", "x"),
        ("shop/.DS_Store", "x"),
        ("shop/files/._run.sh", "x"),
    ] {
        pad.write_playbook(path, text);
    }
    let folder = pad.folder.path().join("playbooks/shop");
    fs::set_permissions(folder.join("files/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let long = format!("files/{}/{}", "long-folder-name".repeat(10), "x".repeat(120));
    pad.write_playbook(&format!("shop/{long}"), "long");
    pad.call("GET", "/api/playbooks", None).await;
    let (_, packages) = pad.call("GET", "/api/packages", None).await;
    let watched = packages["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "shop")
        .unwrap();
    let digest = &watched["current_version"]["digest"];

    let files = Snapshot::of_folder(&folder).unwrap().files;
    let mut uploads: Vec<(String, Vec<u8>)> = archives::every_format(&files)
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .collect();
    // As `git archive` and most people do it: in a folder.
    let in_folder: Vec<PlaybookFile> = files
        .iter()
        .map(|file| PlaybookFile {
            path: format!("shop-1.0/{}", file.path),
            ..file.clone()
        })
        .collect();
    for (name, bytes) in archives::every_format(&in_folder) {
        uploads.push((name.to_owned(), bytes));
    }
    // As other programs do it, with all that lies in the folder.
    for (index, (name, line)) in [
        ("x.tar.gz", "tar -czf OUT -C ROOT shop"),
        ("x.tar", "tar -cf OUT -C ROOT/shop ."),
        ("x.tgz", "tar --format=pax -czf OUT -C ROOT shop"),
        ("x.tar", "tar --format=gnu -cf OUT -C ROOT shop"),
        ("x.tar.gz", "python3 -m tarfile -c OUT shop"),
        ("x.zip", "python3 -m zipfile -c OUT shop"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = pad.folder.path().join(format!("{index}-{name}"));
        let root = pad.folder.path().join("playbooks");
        let line = line
            .replace("OUT", out.to_str().unwrap())
            .replace("ROOT", root.to_str().unwrap());
        run(&root, &line);
        uploads.push((name.to_owned(), fs::read(&out).unwrap()));
    }
    for (index, (name, bytes)) in uploads.into_iter().enumerate() {
        let (status, inspection) = pad
            .upload(&format!("/api/packages/inspect?file_name={name}"), bytes.clone())
            .await;
        assert_eq!(status, 200, "{index} {name}: {inspection}");
        assert_eq!(
            inspection["files"].as_array().unwrap().len(),
            files.len(),
            "{index} {name}"
        );
        let (status, upload) = create(&pad, &format!("name=shop{index}&file_name={name}"), bytes).await;
        assert_eq!(status, 201, "{index} {name}: {upload}");
        assert_eq!(&upload["version"]["digest"], digest, "{index} {name}");
        assert_eq!(upload["package"]["entry_points"], json!(["site.yml"]), "{index} {name}");
    }
}

/// A command line without quotes, run in `folder`.
fn run(folder: &Path, line: &str) {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_top_folder_stays_when_it_means_something() {
    for (name, expected) in [("shop/site.yml", "site.yml"), (".hidden/site.yml", ".hidden/site.yml")] {
        let files = archive::read("x.zip", &zip(&[ZipEntry::file(name, SITE)])).unwrap();
        assert_eq!(files[0].path, expected);
    }
    let role = zip(&[ZipEntry::file("roles/web/tasks/main.yml", TASKS.as_bytes())]);
    assert_eq!(
        archive::read("x.zip", &role).unwrap()[0].path,
        "roles/web/tasks/main.yml"
    );
    // What macOS puts beside the folder does not count.
    let beside = [
        ZipEntry::file("shop/site.yml", SITE),
        ZipEntry::file("__MACOSX/shop/._site.yml", b"x"),
    ];
    let files = archive::read("x.zip", &zip(&beside)).unwrap();
    assert_eq!((files.len(), files[0].path.as_str()), (1, "site.yml"));
    // A link where nothing is kept hurts nobody.
    let link = tar_entry(b'2', b"shop/.venv/bin/python", b"");
    let files = archive::read(
        "x.tgz",
        &gzip(&tarball(&[link, tar_entry(b'0', b"shop/site.yml", SITE)])),
    )
    .unwrap();
    assert_eq!(files.len(), 1);
}

#[tokio::test]
async fn the_user_picks_among_several_playbooks() {
    let pad = Launchpad::new().await;
    let package = zip(&[
        ZipEntry::file("site.yml", SITE),
        ZipEntry::file("playbooks/deploy.yaml", SITE),
        ZipEntry::file("roles/web/tasks/main.yml", TASKS.as_bytes()),
    ]);
    let (status, inspection) = pad
        .upload("/api/packages/inspect?file_name=My%20Shop.zip", package.clone())
        .await;
    assert_eq!((status, &inspection["suggested_name"]), (200, &json!("My-Shop")));
    let candidates: Vec<_> = inspection["entry_points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["path"].clone(), entry["outline"]["name"].clone()))
        .collect();
    assert_eq!(
        candidates,
        [
            (json!("playbooks/deploy.yaml"), json!("Site")),
            (json!("site.yml"), json!("Site"))
        ]
    );
    assert_eq!(inspection["files"][1]["path"], "roles/web/tasks/main.yml");
    assert_eq!(inspection["files"][1]["size"], TASKS.len());
    assert_eq!(
        pad.number("SELECT count(*) FROM admiral.packages WHERE origin = 'custom'")
            .await,
        0
    );

    let (status, problem) = create(&pad, "file_name=My%20Shop.zip", package.clone()).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("entry")));
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("playbooks/deploy.yaml, site.yml"), "{message}");

    let query = "file_name=My%20Shop.zip&comment=first&entry=site.yml&entry=playbooks/deploy.yaml";
    let (status, upload) = create(&pad, query, package.clone()).await;
    assert_eq!(status, 201, "{upload}");
    assert_eq!(
        (
            &upload["package"]["name"],
            &upload["version"]["number"],
            &upload["version"]["comment"]
        ),
        (&json!("My-Shop"), &json!(1), &json!("first"))
    );
    let (_, list) = pad.call("GET", "/api/playbooks?origin=custom", None).await;
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, ["custom/My-Shop/playbooks/deploy.yaml", "custom/My-Shop/site.yml"]);
    let audited = "SELECT count(*) FROM admiral.audit_log WHERE action = 'package.upload' AND outcome = 'success' \
                   AND after -> 'current_version' ->> 'number' = '1'";
    assert_eq!(pad.number(audited).await, 1);
}

#[tokio::test]
async fn a_new_version_follows_on_the_current_one() {
    let pad = Launchpad::new().await;
    let package = |text: &[u8]| {
        zip(&[
            ZipEntry::file("site.yml", SITE),
            ZipEntry::file("other.yml", SITE),
            ZipEntry::file("files/x", text),
        ])
    };
    let (_, first) = create(&pad, "file_name=shop.zip&entry=site.yml", package(b"1")).await;
    let (status, problem) = create(&pad, "file_name=shop.zip&entry=site.yml", package(b"2")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("package_exists")));
    assert_eq!(problem["current"], first["version"]);

    // Without entry points those of before stay.
    let id = |upload: &Value| upload["version"]["id"].as_str().unwrap().to_owned();
    let on = |upload: &Value, more: &str| format!("file_name=shop.zip&base_version_id={}{more}", id(upload));
    let (status, second) = create(&pad, &on(&first, ""), package(b"2")).await;
    assert_eq!((status, &second["version"]["number"]), (201, &json!(2)), "{second}");
    assert_eq!(second["package"]["entry_points"], json!(["site.yml"]));
    let (status, problem) = create(&pad, &on(&first, ""), package(b"3")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("version_conflict")));
    assert_eq!(problem["current"], second["version"]);

    // The same files make no version, but may get other entry points.
    let (status, same) = create(&pad, &on(&second, "&entry=other.yml"), package(b"2")).await;
    assert_eq!((status, &same["version"]), (200, &second["version"]), "{same}");
    assert_eq!(same["package"]["entry_points"], json!(["other.yml"]));
    assert_eq!(pad.number("SELECT count(*) FROM admiral.playbook_versions v JOIN admiral.packages p ON p.id = v.package_id WHERE p.origin = 'custom'").await, 2);

    // Two at the same time: one of them is first.
    let query = on(&second, "");
    let (a, b) = tokio::join!(create(&pad, &query, package(b"4")), create(&pad, &query, package(b"5")));
    let mut answers = [a.0, b.0];
    answers.sort_unstable();
    assert_eq!(answers, [201, 409]);
    let (a, b) = tokio::join!(
        create(&pad, "file_name=new.yml", SITE.to_vec()),
        create(&pad, "file_name=new.yml", TWO.to_vec())
    );
    let mut answers = [a.0, b.0];
    answers.sort_unstable();
    assert_eq!(answers, [201, 409]);
}

const TWO: &[u8] = b"- name: Two\n  hosts: all\n";

#[tokio::test]
async fn what_is_found_is_told_and_keeps_nobody_from_uploading() {
    let pad = Launchpad::new().await;
    let site = b"- hosts: all\n  roles: [missing]\n";
    let (_, inspection) = pad
        .upload("/api/packages/inspect?file_name=site.yml", site.to_vec())
        .await;
    let (status, upload) = create(&pad, "file_name=site.yml", site.to_vec()).await;
    assert_eq!(
        (status, &upload["findings"]),
        (201, &inspection["findings"]),
        "{upload}"
    );
    let finding = &upload["findings"][0];
    assert_eq!(
        (&finding["path"], &finding["line"]),
        (&json!("site.yml"), &json!(2)),
        "{upload}"
    );
    assert_eq!(upload["version"]["reviewed_at"], json!(null));
}

#[tokio::test]
async fn a_body_is_read_only_from_those_who_may_send_it() {
    let app = TestApp::start().await;
    let send = |who, size: usize| {
        app.client
            .post(format!("{}/api/packages/inspect?file_name=x.zip", app.base))
            .bearer_auth(app.token(who).unwrap())
            .header("content-type", "application/octet-stream")
            .body(vec![0; size])
            .send()
    };
    // Within the limit of uploads, and far beyond that of all other endpoints.
    assert_eq!(send(OPERATOR, 3 * 1024 * 1024).await.unwrap().status(), 422);
    assert_eq!(send(VIEWER, 10).await.unwrap().status(), 403);
}

#[tokio::test]
async fn the_command_line_uploads_files_and_folders() {
    let app = TestApp::start().await;
    let test = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    for (path, text) in [
        ("site.yml", "- hosts: all\n  roles: [web]\n"),
        ("other.yml", "- hosts: all\n"),
        ("roles/web/tasks/main.yml", TASKS),
        (".git/config", "x"),
    ] {
        fs::create_dir_all(shop.join(path).parent().unwrap()).unwrap();
        fs::write(shop.join(path), text).unwrap();
    }
    symlink("site.yml", shop.join("link.yml")).unwrap();
    let remote = vec![
        ("ADMIRAL_SERVER", app.base.clone()),
        ("ADMIRAL_TOKEN", app.token(OPERATOR).unwrap().to_owned()),
    ];
    let local = vec![("DATABASE_URL", test.url.clone())];
    let data = folder.path().join("data");
    make_key_ring(&data);
    for environment in [remote, local] {
        let admiral = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_admiral"));
            command
                .args(arguments)
                .current_dir(&shop)
                .env_remove("DATABASE_URL")
                .env("ADMIRAL_DATA_DIR", &data)
                .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
                .stdin(Stdio::null());
            async move {
                let output = tokio::task::spawn_blocking(move || command.output())
                    .await
                    .unwrap()
                    .unwrap();
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                (output.status.code(), text(output.stdout), text(output.stderr))
            }
        };
        let (code, _, said) = admiral(&["playbooks", "upload", "."]).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("link.yml, other.yml, site.yml") && said.contains("--all-entries"),
            "{said}"
        );
        let (code, ids, said) = admiral(&["playbooks", "upload", ".", "--entry", "site.yml"]).await;
        assert_eq!((code, ids.as_str()), (Some(0), "custom/shop/site.yml\n"), "{said}");
        assert!(
            said.contains("uploaded shop, version 1") && said.contains("admiral deploy custom/shop/site.yml"),
            "{said}"
        );
        let (code, _, said) = admiral(&["playbooks", "upload", "."]).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("--update"), "{said}");
        let (code, _, said) = admiral(&["playbooks", "upload", ".", "--update"]).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("nothing has changed"), "{said}");
        let (code, ids, said) = admiral(&["playbooks", "upload", "../shop", "--update", "--all-entries"]).await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            ids,
            "custom/shop/link.yml\ncustom/shop/other.yml\ncustom/shop/site.yml\n"
        );

        let packed = archive::pack(&Snapshot::of_folder(&shop).unwrap().files).unwrap();
        fs::write(folder.path().join("packed.tgz"), packed).unwrap();
        let arguments = [
            "playbooks",
            "upload",
            "../packed.tgz",
            "--name",
            "again",
            "--all-entries",
            "--output",
            "json",
        ];
        let (code, answer, said) = admiral(&arguments).await;
        assert_eq!(code, Some(0), "{said}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            (&answer["package"]["name"], &answer["version"]["number"]),
            (&json!("again"), &json!(1))
        );
        let (code, ids, said) = admiral(&["playbooks", "upload", "other.yml", "--comment", "alone"]).await;
        assert_eq!((code, ids.as_str()), (Some(0), "custom/other/other.yml\n"), "{said}");
        for (arguments, expected) in [
            (vec!["playbooks", "upload", "gone.zip"], "failed to read gone.zip"),
            (vec!["playbooks", "upload", "roles"], "holds no playbook"),
            (
                vec!["playbooks", "upload", "other.yml", "--name", "../x"],
                "cannot be called",
            ),
            (vec!["playbooks", "upload", ".git/config"], "is needed"),
        ] {
            let (code, _, said) = admiral(&arguments).await;
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    }
}

/// Files with names that are allowed, none of which is the folder of another.
fn legal_files() -> impl Strategy<Value = Vec<PlaybookFile>> {
    let part = "[a-zA-Z0-9é _.,:+-]{1,24}".prop_filter("a plain name", |part| {
        !part.trim_matches('.').is_empty()
            && !part.contains(".swp")
            && !part.contains(".retry")
            && !part.starts_with("._")
            && !part.starts_with(".#")
    });
    let path = prop::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"));
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        Just(Vec::new()),
        Just(b"- hosts: all\n".repeat(100)),
    ];
    prop::collection::btree_map(path, (any::<bool>(), content), 0..20).prop_map(|files: BTreeMap<_, _>| {
        let mut kept: Vec<PlaybookFile> = Vec::new();
        // This one beside them keeps a common folder from being taken away.
        let site = ("site.yml".to_owned(), (false, SITE.to_vec()));
        for (path, (is_executable, content)) in files.into_iter().chain([site]) {
            let is_free = |file: &PlaybookFile| {
                file.path != path
                    && !file.path.starts_with(&format!("{path}/"))
                    && !path.starts_with(&format!("{}/", file.path))
            };
            let is_drive = path.as_bytes().get(1) == Some(&b':');
            if kept.iter().all(is_free) && !is_drive {
                kept.push(PlaybookFile {
                    path,
                    mode: if is_executable { 0o755 } else { 0o644 },
                    content,
                });
            }
        }
        kept.sort_by(|a, b| a.path.cmp(&b.path));
        kept
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_is_read_again(files in legal_files()) {
        for (name, bytes) in archives::every_format(&files) {
            prop_assert_eq!(&archive::read(name, &bytes).unwrap(), &files, "{}", name);
        }
    }

    #[test]
    fn a_damaged_archive_is_refused_or_read_within_limits(
        files in legal_files(), at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        for (name, mut bytes) in archives::every_format(&files) {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(read) = archive::read(name, &bytes) {
                for file in read {
                    prop_assert!(archive::check_path(&file.path).is_ok());
                }
            }
        }
    }
}
