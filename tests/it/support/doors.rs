//! The doors through which a project comes to Admiral.

use super::{
    git_hosts::TestRepository,
    plain,
    server::{AdmiralServer, PATIENCE, text},
    ssh_hosts::SshHosts,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Dropped into the watched folder.
    Folder,
    /// Uploaded as one file.
    Upload,
    /// Read from a git repository over SSH.
    Git,
}

impl Door {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Folder, Self::Upload, Self::Git];
}

/// A server whose doors can be used, and what it needs for that.
pub struct Doors<'a> {
    /// The server.
    pub server: &'a AdmiralServer,
    /// Serves the repositories.
    pub hosts: &'a SshHosts,
    /// The id of the private key that `hosts` let in.
    pub key: String,
    /// Made on the way, and needed as long as the server is.
    pub repositories: Vec<TestRepository>,
}

impl Doors<'_> {
    /// Brings the project at `source` in and gives the ids of its playbooks `entries`, once they can be launched; else why they
    /// cannot.
    pub async fn bring_in(
        &mut self,
        door: Door,
        source: &Path,
        name: &str,
        entries: &[&str],
    ) -> Result<Vec<String>, String> {
        let package = match door {
            Door::Folder => self.drop_into_folder(source, name),
            Door::Upload => self.upload(source, name, entries).await?,
            Door::Git => self.add_project(source, name).await?,
        };
        let ids: Vec<String> = entries.iter().map(|entry| format!("{package}/{entry}")).collect();
        self.wait_until_listed(&ids).await?;
        Ok(ids)
    }

    /// The digest of what was brought in: of the paths, the modes and the content of all its files.
    pub async fn digest(&self, playbook: &str) -> String {
        let list = self.server.get("/api/playbooks").await;
        let mut playbooks = list["data"].as_array().expect("a list").iter();
        let found = playbooks.find(|found| found["id"] == playbook).expect("it is listed");
        let versions = format!("/api/packages/{}/versions", text(found, "package_id"));
        text(&self.server.get(&versions).await["data"][0], "digest")
    }

    /// Moved in at once, as a file manager does: what is half copied would be taken over as it stands, and again.
    fn drop_into_folder(&self, source: &Path, name: &str) -> String {
        let root = self.server.folder.path();
        plain::copy(source, &root.join(name));
        std::fs::rename(root.join(name), root.join("playbooks").join(name)).expect("the folder is ours");
        format!("project/{name}")
    }

    async fn upload(&self, source: &Path, name: &str, entries: &[&str]) -> Result<String, String> {
        // Who works on Windows packs a .zip.
        let file_name = format!("{name}.{}", if name.starts_with("windows") { "zip" } else { "tar.gz" });
        let archive = self.server.folder.path().join(&file_name);
        let mut pack = if name.starts_with("windows") {
            let mut zip = Command::new("python3");
            zip.args(["-m", "zipfile", "-c"]).arg(&archive);
            zip.args(
                std::fs::read_dir(source)
                    .expect("it is there")
                    .flatten()
                    .map(|entry| entry.path()),
            );
            zip
        } else {
            let mut tar = Command::new("tar");
            tar.arg("-czf").arg(&archive).arg("-C").arg(source).arg(".");
            tar
        };
        assert!(pack.status().expect("it starts").success());
        let mut query = vec![("name", name), ("file_name", file_name.as_str())];
        query.extend(entries.iter().map(|entry| ("entry", *entry)));
        let query = serde_html_form::to_string(query).expect("these are texts");
        let content = std::fs::read(&archive).expect("it was just made");
        let (status, answer) = self.server.upload(&format!("/api/packages?{query}"), content).await;
        if status == StatusCode::CREATED {
            Ok(format!("custom/{name}"))
        } else {
            Err(format!("{status} {answer}"))
        }
    }

    async fn add_project(&mut self, source: &Path, name: &str) -> Result<String, String> {
        let repository = TestRepository::new(name);
        plain::copy(&source.join("."), &repository.work());
        repository.commit("As it is");
        // A folder has the plain name.
        let (name, url) = (format!("{name}.git"), repository.ssh_url(self.hosts));
        self.repositories.push(repository);
        let project = json!({"name": name, "url": url, "reference": "main", "private_key_id": self.key});
        let project = self.server.post("/api/projects", project).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self
                .server
                .get(&format!("/api/projects/{}", text(&project, "id")))
                .await;
            if now["syncing"] == json!(false) {
                return if now["error"] == Value::Null {
                    Ok(format!("project/{name}"))
                } else {
                    Err(now["error"].to_string())
                };
            }
            if Instant::now() >= deadline {
                return Err(format!("it is not synced: {now}"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn wait_until_listed(&self, ids: &[String]) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.server.get("/api/playbooks").await;
            let is_listed = |id: &String| {
                let playbooks = list["data"].as_array().expect("a list");
                playbooks
                    .iter()
                    .any(|playbook| playbook["id"] == **id && !playbook["version"].is_null())
            };
            if ids.iter().all(is_listed) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("{ids:?} are not all listed"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
