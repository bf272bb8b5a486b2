//! What can keep a run from being carried out.

use crate::{
    domain::deployment::Reason,
    playbooks::{
        configuration::ConfigurationError,
        galaxy::{GalaxyError, ServersError},
        mitogen::MitogenError,
        vault_ids::MissingPasswords,
    },
    runner::RunnerError,
    store::StoreError,
    vault::{VaultError, ssh_key::KeyError},
};
use std::io;

/// Why a run could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    /// The database failed.
    #[error("failed to read what the run needs")]
    Store(#[from] StoreError),
    /// A secret does not open.
    #[error("failed to open {what}")]
    Vault {
        /// The secret's name.
        what: String,
        /// Why.
        #[source]
        source: VaultError,
    },
    /// A private key is of no use.
    #[error("failed to use the private key {name:?}")]
    Key {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A secret opened but is not what it should be.
    #[error("failed to read {0}")]
    Unreadable(String),
    /// A playbook's path leads elsewhere.
    #[error("failed to lay out the playbook: a path leads out of its folder")]
    PlaybookPath,
    /// The project's configuration is broken.
    #[error("failed to read the project's configuration")]
    Configuration(#[from] ConfigurationError),
    /// Content of the package that no password is there for.
    #[error("failed to read the playbook's files: {0}")]
    VaultPasswords(#[from] MissingPasswords),
    /// What the package asks for is not there.
    #[error("failed to make ready what the package asks for")]
    Galaxy(#[from] GalaxyError),
    /// It must not run where it cannot be isolated.
    #[error("failed to isolate the run: {0}")]
    Isolation(String),
    /// A folder that the run may write to.
    #[error("failed to open {path} to the run: {problem}")]
    WritablePath {
        /// The folder.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The limit names a file.
    #[error("failed to use the limit: a pattern may not begin with @")]
    Limit,
    /// The accelerator is not there.
    #[error("failed to accelerate the run")]
    Accelerator(#[from] MitogenError),
    /// A file of the run could not be made.
    #[error("failed to {what}: {source}")]
    Io {
        /// The step.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The spec could not be written.
    #[error("failed to {0}")]
    Runner(#[source] RunnerError),
}

impl From<ServersError> for PrepareError {
    fn from(error: ServersError) -> Self {
        match error {
            ServersError::Store(error) => error.into(),
            ServersError::Token { name, source } => Self::Vault {
                what: format!("the token of the Galaxy server {name:?}"),
                source,
            },
        }
    }
}

impl PrepareError {
    /// Whether trying again later may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Store(error) if !matches!(error, StoreError::NotFound(_) | StoreError::Corrupt(_)))
    }

    /// The reason that the deployment shows.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Vault { .. } | Self::Key { .. } | Self::Limit => Reason::InventoryError,
            Self::Store(_)
            | Self::Unreadable(_)
            | Self::PlaybookPath
            | Self::Configuration(_)
            | Self::VaultPasswords(_)
            | Self::Galaxy(_)
            | Self::Accelerator(_)
            | Self::Isolation(_)
            | Self::WritablePath { .. }
            | Self::Io { .. }
            | Self::Runner(_) => Reason::LaunchError,
        }
    }

    /// The message that the deployment shows: the fragment and its causes.
    pub(super) fn message(&self) -> String {
        let mut message = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.ends_with(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        message
    }
}

/// Why following a run stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The worker shuts down; the run goes on and is adopted later.
    #[error("the worker shuts down")]
    Shutdown,
    /// Another worker has taken the run over, or ended it.
    #[error("the run is no longer this worker's")]
    Taken,
    /// The database failed.
    #[error("failed to read the run's state")]
    Store(#[from] StoreError),
    /// The run's secrets do not open, so that nothing may be stored.
    #[error("{0}")]
    Secrets(String),
}
