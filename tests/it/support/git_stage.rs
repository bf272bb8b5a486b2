//! The API with git projects, and an `sshd` that knows their deploy key.

use super::{
    git_hosts::{KeyPair, TestRepository},
    launchpad::Launchpad,
    ssh_hosts::SshHosts,
};
use serde_json::{Value, json};

/// The deploy key's.
pub const PASSPHRASE: &str = "a passphrase of the deploy key";

/// A launchpad, and an `sshd` that knows its deploy key.
pub struct GitStage {
    pub pad: Launchpad,
    pub hosts: SshHosts,
    /// The deploy key's id.
    pub key: String,
}

impl GitStage {
    pub async fn set() -> Self {
        let (pad, hosts) = (Launchpad::new().await, SshHosts::start());
        let pair = KeyPair::new(PASSPHRASE);
        hosts.authorize(&pair.public());
        let key = add_key(&pad, "deploy", &pair.private(), Some(PASSPHRASE)).await;
        Self { pad, hosts, key }
    }

    /// Adds the repository as a project.
    pub async fn create(&self, name: &str, repository: &TestRepository, more: Value) -> Value {
        let mut body = json!({"name": name, "url": repository.ssh_url(&self.hosts), "private_key_id": self.key});
        for (field, value) in more.as_object().expect("an object") {
            body[field] = value.clone();
        }
        create(&self.pad, body).await
    }

    /// Adds the repository as a project, and syncs it.
    pub async fn add(&self, name: &str, repository: &TestRepository, more: Value) -> Value {
        let project = self.create(name, repository, more).await;
        self.sync(&project).await
    }

    pub async fn sync(&self, project: &Value) -> Value {
        sync(&self.pad, project).await
    }

    /// The project as it is now.
    pub async fn get(&self, project: &Value) -> Value {
        let (status, project) = self.pad.call("GET", &path(project), None).await;
        assert_eq!(status, 200, "{project}");
        project
    }

    pub async fn change(&self, project: &Value, body: Value) -> Value {
        let (status, project) = self.pad.call("PATCH", &path(project), Some(body)).await;
        assert_eq!(status, 200, "{project}");
        project
    }

    pub async fn package(&self, project: &Value) -> Value {
        let path = format!("/api/packages/{}", project["id"].as_str().expect("an id"));
        let (status, package) = self.pad.call("GET", &path, None).await;
        assert_eq!(status, 200, "{package}");
        package
    }

    /// The paths of the current version's files.
    pub async fn files(&self, project: &Value) -> Vec<String> {
        let version = self.package(project).await["current_version"]["id"].clone();
        let path = format!(
            "/api/packages/{}/versions/{}/files",
            project["id"].as_str().expect("an id"),
            version.as_str().expect("a version")
        );
        let (_, files) = self.pad.call("GET", &path, None).await;
        let files = files["data"].as_array().expect("files");
        files
            .iter()
            .map(|file| file["path"].as_str().expect("a path").to_owned())
            .collect()
    }

    /// A file of the current version.
    pub async fn text(&self, project: &Value, file: &str) -> String {
        let version = self.package(project).await["current_version"]["id"].clone();
        let path = format!(
            "/api/packages/{}/versions/{}/file?path={file}",
            project["id"].as_str().expect("an id"),
            version.as_str().expect("a version")
        );
        let (_, file) = self.pad.call("GET", &path, None).await;
        file["content"].as_str().expect("text").to_owned()
    }
}

pub async fn create(pad: &Launchpad, body: Value) -> Value {
    let (status, project) = pad.call("POST", "/api/projects", Some(body)).await;
    assert_eq!(status, 201, "{project}");
    project
}

pub async fn sync(pad: &Launchpad, project: &Value) -> Value {
    let (status, project) = pad.call("POST", &format!("{}/sync", path(project)), None).await;
    assert_eq!(status, 200, "{project}");
    project
}

pub async fn add_key(pad: &Launchpad, name: &str, private_key: &str, passphrase: Option<&str>) -> String {
    let body = json!({"name": name, "private_key": private_key, "passphrase": passphrase});
    let (status, key) = pad.call("POST", "/api/keys", Some(body)).await;
    assert_eq!(status, 201, "{key}");
    key["id"].as_str().expect("an id").to_owned()
}

pub fn path(project: &Value) -> String {
    format!("/api/projects/{}", project["id"].as_str().expect("an id"))
}

/// Why the last sync failed; empty when it did not.
pub fn error_of(project: &Value) -> &str {
    project["error"].as_str().unwrap_or_default()
}
