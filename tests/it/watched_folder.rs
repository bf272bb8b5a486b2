//! The watched folder of a running server: what is dropped, changed and taken away is in the library at once, whatever editors do.

#![expect(clippy::print_stderr, reason = "shows how long it took, which no test may assert")]

use crate::support::server::{AdmiralServer, PATIENCE, text};
use admiral::{
    domain::{package::Package, playbook::Playbook},
    store::{
        packages,
        playbooks::{self, PlaybookListFilter},
    },
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, Instant},
};

fn play(name: &str) -> String {
    format!("- name: {name}\n  hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n")
}

/// A running server, read past its API: every request for the library has it looked through first, and that is not what is tested.
struct Watched(AdmiralServer);

impl Watched {
    async fn start() -> Self {
        let server = AdmiralServer::start().await;
        // The folder is watched once it was looked through for the first time.
        server.get("/api/playbooks").await;
        Self(server)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.folder.path().join("playbooks").join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn playbook(&self, id: &str) -> Option<Playbook> {
        let mut connection = self.0.database.database.acquire().await.unwrap();
        let all = playbooks::list_playbooks(&mut connection, &PlaybookListFilter::default()).await;
        all.unwrap().into_iter().find(|playbook| playbook.id == id)
    }

    async fn package(&self, name: &str) -> Package {
        let mut connection = self.0.database.database.acquire().await.unwrap();
        let all = packages::list_packages(&mut connection).await.unwrap();
        all.into_iter().find(|package| package.name == name).unwrap()
    }

    /// Waits until the playbook is as wanted; how long that took is printed.
    async fn until(&self, id: &str, what: &str, wanted: impl Fn(&Playbook) -> bool) -> Playbook {
        let began = Instant::now();
        loop {
            let playbook = self.playbook(id).await;
            if let Some(playbook) = playbook.as_ref().filter(|playbook| wanted(playbook)) {
                eprintln!("{id} is {what} after {} ms", began.elapsed().as_millis());
                return playbook.clone();
            }
            assert!(began.elapsed() < PATIENCE, "{id} is not {what}: {playbook:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Number and paths of a package's current version, and how many versions there are.
    async fn versions(&self, package: &str) -> (i32, Vec<String>, i64) {
        let package = self.package(package).await;
        let version = package.current_version.expect("it has one");
        let versions = self.0.get(&format!("/api/packages/{}/versions", package.id)).await;
        let files = self
            .0
            .get(&format!("/api/packages/{}/versions/{}/files", package.id, version.id))
            .await;
        let files = files["data"].as_array().unwrap();
        (
            version.number,
            files.iter().map(|file| text(file, "path")).collect(),
            versions["meta"]["total"].as_i64().unwrap(),
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_changed_and_taken_away_is_seen_at_once() {
    let watched = Watched::start().await;
    let id = "project/shop/site.yml";
    watched.write("shop/site.yml", &play("One"));
    let first = watched.until(id, "listed", |_| true).await;
    assert_eq!((first.outline.name.as_str(), first.version_number), ("One", Some(1)));
    // A folder that was not there when the watching began.
    watched.write("shop/roles/web/tasks/main.yml", "- ansible.builtin.ping:\n");
    watched
        .until(id, "in its second version", |now| now.version_number == Some(2))
        .await;
    watched.write("shop/site.yml", &play("Two"));
    watched.until(id, "renamed", |now| now.outline.name == "Two").await;
    watched.write("shop/other.yml", &play("Other"));
    watched.until("project/shop/other.yml", "listed", |_| true).await;
    fs::remove_file(watched.path("shop/other.yml")).unwrap();
    watched
        .until("project/shop/other.yml", "missing", |now| now.missing_since.is_some())
        .await;
    let (number, files, total) = watched.versions("shop").await;
    assert_eq!((number, total), (5, 5));
    assert_eq!(files, ["roles/web/tasks/main.yml", "site.yml"]);

    // Taken away as a whole, it is kept for history; brought back as it was, it goes on where it ended.
    let aside = watched.0.folder.path().join("aside");
    fs::rename(watched.path("shop"), &aside).unwrap();
    watched.until(id, "missing", |now| now.missing_since.is_some()).await;
    let package = watched.package("shop").await;
    assert!(package.missing_since.is_some());
    let versions = watched.0.get(&format!("/api/packages/{}/versions", package.id)).await;
    assert_eq!(versions["meta"]["total"], 5);
    let launch = json!({"playbook": id, "all": true});
    let (status, problem) = watched
        .0
        .request(reqwest::Method::POST, "/api/deployments", Some(&launch))
        .await;
    assert_eq!(status, 422, "{problem}");
    fs::rename(&aside, watched.path("shop")).unwrap();
    watched.until(id, "back", |now| now.missing_since.is_none()).await;
    let (number, _, total) = watched.versions("shop").await;
    assert_eq!((number, total), (5, 5));

    // The folder itself may be taken away, too, and what comes in its place is watched.
    let folder = watched.path("");
    fs::rename(&folder, watched.0.folder.path().join("all")).unwrap();
    watched.until(id, "missing", |now| now.missing_since.is_some()).await;
    fs::create_dir(&folder).unwrap();
    watched.write("shop/site.yml", &play("New"));
    watched
        .until(id, "new", |now| {
            now.missing_since.is_none() && now.outline.name == "New"
        })
        .await;
    watched.write("shop/site.yml", &play("Newer"));
    watched.until(id, "newer", |now| now.outline.name == "Newer").await;

    // Exchanged at once, as releases are: nobody sees that it was gone.
    let release = watched.0.folder.path().join("release");
    fs::create_dir_all(release.join("shop")).unwrap();
    fs::write(release.join("shop/site.yml"), play("Released")).unwrap();
    fs::rename(&folder, watched.0.folder.path().join("former")).unwrap();
    fs::rename(&release, &folder).unwrap();
    watched
        .until(id, "released", |now| now.outline.name == "Released")
        .await;
    watched.write("shop/site.yml", &play("Patched"));
    watched.until(id, "patched", |now| now.outline.name == "Patched").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn editors_leave_one_version_for_each_save() {
    let watched = Watched::start().await;
    let id = "project/shop/site.yml";
    watched.write("shop/site.yml", &play("One"));
    watched.until(id, "listed", |_| true).await;
    // What editors leave lying around while a file is open.
    for name in [
        ".site.yml.swp",
        ".site.yml.swo",
        "site.yml~",
        "#site.yml#",
        "site.yml.retry",
    ] {
        watched.write(&format!("shop/{name}"), &play("Not saved"));
    }
    symlink("somebody@somewhere.4711:1700000000", watched.path("shop/.#site.yml")).unwrap();
    symlink("nowhere", watched.path("shop/dangling")).unwrap();
    // As vim saves: a try whether the folder can be written to, the old file as a backup, the new one, the backup away.
    watched.write("shop/4913", "");
    fs::remove_file(watched.path("shop/4913")).unwrap();
    fs::rename(watched.path("shop/site.yml"), watched.path("shop/site.yml~")).unwrap();
    watched.write("shop/site.yml", &play("Two"));
    fs::remove_file(watched.path("shop/site.yml~")).unwrap();
    watched.until(id, "saved by vim", |now| now.outline.name == "Two").await;
    let (number, files, _) = watched.versions("shop").await;
    assert_eq!((number, files), (2, vec!["site.yml".to_owned()]));
    // As many others do: the new file beside the old one, then in its place.
    watched.write("shop/.goutputstream-AB12CD", &play("Three"));
    fs::rename(
        watched.path("shop/.goutputstream-AB12CD"),
        watched.path("shop/site.yml"),
    )
    .unwrap();
    watched
        .until(id, "saved by renaming", |now| now.outline.name == "Three")
        .await;
    let (number, files, _) = watched.versions("shop").await;
    assert_eq!((number, files), (3, vec!["site.yml".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_written_files_make_no_versions() {
    let watched = Watched::start().await;
    let id = "project/shop/site.yml";
    watched.write("shop/site.yml", &play("One"));
    watched.write("other/site.yml", &play("Other"));
    watched.until(id, "listed", |_| true).await;
    let mut file = fs::File::create(watched.path("shop/site.yml")).unwrap();
    for chunk in 0..10 {
        let text = if chunk == 0 {
            play("Slowly")
        } else {
            format!("# part {chunk}\n")
        };
        file.write_all(text.as_bytes()).unwrap();
        file.flush().unwrap();
        // A slow upload, and people who look meanwhile.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let list = watched.0.get("/api/playbooks").await;
        let now = list["data"].as_array().unwrap().iter().find(|now| now["id"] == id);
        assert_eq!(now.unwrap()["version_number"], 1, "{chunk}");
    }
    // Others are not kept waiting.
    watched.write("other/site.yml", &play("Meanwhile"));
    watched
        .until("project/other/site.yml", "changed", |now| {
            now.outline.name == "Meanwhile"
        })
        .await;
    assert_eq!(watched.playbook(id).await.unwrap().version_number, Some(1));
    drop(file);
    watched.until(id, "whole", |now| now.outline.name == "Slowly").await;
    let (number, _, total) = watched.versions("shop").await;
    assert_eq!((number, total), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_broken_shows_its_error_and_hides_nothing() {
    let watched = Watched::start().await;
    watched.write("broken/site.yml", "- hosts: all\n  tasks: [\n");
    watched.write("broken/good.yml", &play("Good"));
    watched.write("sound/site.yml", &play("Sound"));
    watched.write("root.yml", &play("Root"));
    watched
        .until("project/broken/site.yml", "listed", |now| now.outline.error.is_some())
        .await;
    for id in ["project/broken/good.yml", "project/sound/site.yml", "project/root.yml"] {
        let playbook = watched.until(id, "listed", |_| true).await;
        assert_eq!(playbook.outline.error, None, "{id}");
    }
    // Links that lead back, several of them, and one that leaves to a large place.
    for (target, name) in [(".", "a"), ("..", "b"), ("../looped", "c")] {
        fs::create_dir_all(watched.path("looped")).unwrap();
        symlink(target, watched.path("looped").join(name)).unwrap();
    }
    watched.write("looped/site.yml", &play("Looped"));
    fs::create_dir(watched.path("leaving")).unwrap();
    symlink("/", watched.path("leaving/everything")).unwrap();
    watched.write("leaving/site.yml", &play("Leaving"));
    let error_of = |playbook: Playbook| playbook.outline.error.unwrap_or_default();
    let looped = watched
        .until("project/looped/site.yml", "listed", |now| now.outline.error.is_some())
        .await;
    assert!(error_of(looped).contains("leads back to itself"));
    let leaving = watched
        .until("project/leaving/site.yml", "listed", |now| now.outline.error.is_some())
        .await;
    assert!(error_of(leaving).contains("leads out of the library"));
    // All the while the rest is watched, and what is mended is sound.
    watched.write("sound/site.yml", &play("Still sound"));
    watched
        .until("project/sound/site.yml", "changed", |now| {
            now.outline.name == "Still sound"
        })
        .await;
    watched.write("broken/site.yml", &play("Mended"));
    for name in ["a", "b", "c"] {
        fs::remove_file(watched.path("looped").join(name)).unwrap();
    }
    for (id, version) in [("project/broken/site.yml", 2), ("project/looped/site.yml", 1)] {
        let mended = watched.until(id, "mended", |now| now.outline.error.is_none()).await;
        assert_eq!(mended.version_number, Some(version), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_kernel_does_not_tell_is_found_by_looking_through_everything() {
    let watched = Watched::start().await;
    let id = "project/shop/site.yml";
    watched.write("shop/site.yml", &play("One"));
    watched.until(id, "listed", |_| true).await;
    // Who watches a folder is told what happens through it, but not through another name of the same file elsewhere.
    let other_name = watched.0.folder.path().join("other-name.yml");
    fs::hard_link(watched.path("shop/site.yml"), &other_name).unwrap();
    fs::write(other_name, play("Two")).unwrap();
    let found = watched.until(id, "found", |now| now.outline.name == "Two").await;
    assert_eq!(found.version_number, Some(2));
    let (status, list): (_, Value) = watched
        .0
        .request(reqwest::Method::GET, "/api/playbooks?search=shop", None)
        .await;
    assert!(
        status.is_success() && list["data"][0]["outline"]["name"] == "Two",
        "{list}"
    );
}
