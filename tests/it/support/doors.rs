//! The doors through which a project comes to Admiral.

use super::{
    plain,
    server::{AdmiralServer, PATIENCE},
};
use std::{path::Path, time::Instant};

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Dropped into the watched folder.
    Folder,
}

impl Door {
    /// All there are.
    pub const ALL: [Self; 1] = [Self::Folder];

    /// Brings the project at `source` in under `name`, and gives the ids of its playbooks `entries` once they can be launched;
    /// else why they cannot.
    pub async fn bring_in(
        self,
        server: &AdmiralServer,
        source: &Path,
        name: &str,
        entries: &[&str],
    ) -> Result<Vec<String>, String> {
        match self {
            Self::Folder => {
                // Moved in at once, as a file manager does: what is half copied would be taken over as it stands, and again.
                let beside = server.folder.path().join(name);
                plain::copy(source, &beside);
                let folder = server.folder.path().join("playbooks").join(name);
                std::fs::rename(beside, folder).expect("the folder is ours");
            }
        }
        let ids: Vec<String> = entries.iter().map(|entry| format!("project/{name}/{entry}")).collect();
        wait_until_listed(server, &ids).await?;
        Ok(ids)
    }
}

async fn wait_until_listed(server: &AdmiralServer, ids: &[String]) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = server.get("/api/playbooks").await;
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
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
