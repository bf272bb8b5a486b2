//! The words of the product as types. Pure: imports nothing of ours, does no I/O, reads no clock but its own trait.

pub mod audit;
pub mod clock;
pub mod deployment;
pub mod event;
pub mod finding;
pub mod form;
pub mod galaxy_server;
pub mod isolation;
pub mod key;
pub mod package;
pub mod page;
pub mod playbook;
pub mod principal;
pub mod project;
pub mod run;
pub mod secret_name;
pub mod server;
pub mod settings;
pub mod text_enum;
pub mod user;
pub mod validation;
pub mod variable_set;
pub mod vault_password;
pub mod worker;

use uuid::Uuid;

/// Identifies a server.
pub type ServerId = Uuid;
/// Identifies a private key.
pub type PrivateKeyId = Uuid;
/// Identifies a deployment.
pub type DeploymentId = Uuid;
/// Identifies a run.
pub type RunId = Uuid;
/// Identifies a package of playbooks.
pub type PackageId = Uuid;
/// Identifies a version of a package.
pub type VersionId = Uuid;
/// Identifies a preset of a playbook.
pub type PresetId = Uuid;
/// Identifies an environment.
pub type EnvironmentId = Uuid;
/// Identifies a user.
pub type UserId = Uuid;
/// Identifies a worker process.
pub type WorkerId = Uuid;
