//! Roles and collections that a package asks for in `requirements.yml`, fetched with `ansible-galaxy` and kept.
//!
//! ```text
//! <data directory>/galaxy/
//!     DIGEST/roles/, DIGEST/collections/    complete as soon as they are there; `used` beside them tells when last
//!     locks/DIGEST                          held by the process that fetches
//!     ssh/known_hosts                       of git servers, trusted on first use
//! ```
//! The digest is one over the requirements, the Galaxy servers and the version of ansible-core. What is in the folder of a digest
//! never changes: a requirement without a version stays at what it was when it was first fetched.

mod cache;
mod dependencies;
mod failures;
mod fetch;
mod requirements;
mod servers;

pub use requirements::has_requirements;
pub use servers::{ServersError, open_servers};

use self::{
    cache::Slot,
    fetch::Fetch,
    requirements::{RequirementError, Requirements},
};
use super::{
    ansible::{self, AnsibleError},
    git::{AccessError, GitSource},
};
use crate::{
    domain::playbook::PlaybookFile,
    process::{self, ProcessError},
    runner::{Seclusion, SeclusionError},
};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::{OnceCell, Semaphore};

/// Fetches of one process at once.
const AT_ONCE: usize = 4;

/// A Galaxy server, with what it takes to use it.
#[derive(Debug, Clone)]
pub struct ServerAccess {
    /// Letters, digits, `_` and `-`: requirements may name it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Where it gets tokens from (Keycloak), if anywhere.
    pub auth_url: Option<String>,
    /// What it asks for.
    pub token: Option<SecretString>,
}

/// Why what a package asks for is not there.
#[derive(Debug, thiserror::Error)]
pub enum GalaxyError {
    /// The requirements themselves are refused.
    #[error("{0}")]
    Requirements(#[from] RequirementError),
    /// `ansible-galaxy` could not fetch something; says what, why, and what to do.
    #[error("{0}")]
    NotFetched(String),
    /// It is not beside `ansible-playbook`.
    #[error("there is no ansible-galaxy at {}, which the package's requirements need", .0.display())]
    NoProgram(PathBuf),
    /// Ansible does not tell its version.
    #[error("failed to find out the version of Ansible")]
    Ansible(#[from] AnsibleError),
    /// `ansible-galaxy` could not be run to its end.
    #[error("failed to run ansible-galaxy")]
    Process(#[from] ProcessError),
    /// The package's own credentials are of no use.
    #[error("failed to open the credentials of the git project")]
    Credentials(#[from] AccessError),
    /// A file could not be made.
    #[error("failed to {what}")]
    Io {
        /// The step.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could not be isolated, and so was not run.
    #[error(transparent)]
    Seclusion(#[from] SeclusionError),
    /// The work was given up because the process is ending.
    #[error("fetching the package's requirements was broken off")]
    Stopped,
}

impl GalaxyError {
    /// Whether the package or what it is fetched from is at fault, and not this machine.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Requirements(_) | Self::NotFetched(_))
    }
}

/// The kept roles and collections of one data directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Galaxy {
    folder: PathBuf,
    ansible_playbook: PathBuf,
    version: Arc<OnceCell<String>>,
    seclusion: Seclusion,
    room: Arc<Semaphore>,
}

impl Galaxy {
    /// Keeps in `folder` of the data directory, which need not exist, what the `ansible-galaxy` beside `ansible_playbook` fetches in
    /// `seclusion`. The `version` of ansible-core is asked for when it is needed and not known.
    pub fn new(folder: PathBuf, ansible_playbook: PathBuf, version: Option<String>, seclusion: Seclusion) -> Self {
        Self {
            folder,
            ansible_playbook,
            version: Arc::new(OnceCell::new_with(version)),
            seclusion,
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The folder with `roles/` and `collections/` that a package asks for; `None` when it asks for nothing, or has all of it in
    /// its own files. Fetches only what is not kept; two that ask for the same at once fetch it once.
    ///
    /// `servers` are asked in their order. Without any, those of the project's `ansible.cfg` are, or else Ansible's own. Repositories on
    /// the host that the package itself comes from are read with its credentials.
    pub async fn provide(
        &self,
        files: &[PlaybookFile],
        servers: &[ServerAccess],
        git: GitSource<'_>,
    ) -> Result<Option<PathBuf>, GalaxyError> {
        let requirements = Requirements::find(files, servers)?;
        if requirements.is_empty() {
            return Ok(None);
        }
        let version = self.version.get_or_try_init(|| self.read_version()).await?;
        let configuration = fetch::server_settings(files, servers)?;
        let digest = digest(&requirements, files, &configuration.digested, version);
        let slot = Slot::new(&self.folder, &digest);
        if slot.take_up() {
            return Ok(Some(slot.folder().to_owned()));
        }
        let ansible_galaxy = self.ansible_playbook.with_file_name("ansible-galaxy");
        let Some(ansible_galaxy) = process::find_program(&ansible_galaxy.to_string_lossy(), &[]) else {
            return Err(GalaxyError::NoProgram(ansible_galaxy));
        };
        let fetch = Fetch {
            ansible_galaxy,
            seclusion: self.seclusion.clone(),
            galaxy_folder: self.folder.clone(),
            files: files.to_vec(),
            requirements,
            settings: configuration,
            git: git.open().await?,
        };
        // Goes on when the request that asked for it is given up: whoever asks again finds it done.
        let room = Arc::clone(&self.room);
        let fetching = tokio::spawn(async move {
            let _held = slot.lock().await?;
            let _room = room.acquire().await.map_err(|_| GalaxyError::Stopped)?;
            if !slot.take_up() {
                fetch.run(&slot).await?;
                cache::sweep(&fetch.galaxy_folder);
            }
            Ok(slot.folder().to_owned())
        });
        fetching.await.unwrap_or(Err(GalaxyError::Stopped)).map(Some)
    }

    /// Removes what no launch and no run has used for long.
    pub fn sweep(&self) {
        cache::sweep(&self.folder);
    }

    async fn read_version(&self) -> Result<String, AnsibleError> {
        ansible::discover(Some(&self.ansible_playbook))
            .await
            .map(|tools| tools.version)
    }
}

/// The same for the same requirements, files they name, servers and Ansible.
fn digest(requirements: &Requirements, files: &[PlaybookFile], settings: &str, version: &str) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(version.as_bytes());
    add(settings.as_bytes());
    for file in files.iter().filter(|file| requirements.uses(&file.path)) {
        add(file.path.as_bytes());
        add(&file.content);
    }
    hex::encode(hash.finalize())
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> GalaxyError {
    move |source| GalaxyError::Io { what, source }
}

/// Where a data directory keeps what was fetched.
pub fn folder_in(data_directory: &Path) -> PathBuf {
    data_directory.join("galaxy")
}
