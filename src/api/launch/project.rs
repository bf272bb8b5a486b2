//! What a launch takes from the project itself: its `ansible.cfg`, and what is needed to read its files.

use crate::{
    api::{AppState, problem::Problem},
    domain::{
        PackageId,
        deployment::{Accelerator, DeployedVersion, DeploymentOptions, OverriddenSetting},
        playbook::PlaybookFile,
        validation::Invalid,
    },
    playbooks::{
        configuration::{self, Ours, Terms},
        galaxy::{self, ServersError},
        git::GitSource,
        vault_ids::{self, OpenedPassword, StoredPassword},
    },
    store::{Connection, galaxy_servers, packages, vault_passwords},
    vault::RowIdentity,
};
use std::path::PathBuf;

/// Settings of the project's `ansible.cfg` that do not hold; refuses one that cannot be read.
pub(super) async fn overridden_settings(
    connection: &mut Connection,
    files: &[PlaybookFile],
    options: &DeploymentOptions,
    chosen: Accelerator,
) -> Result<Vec<OverriddenSetting>, Problem> {
    let terms = Terms {
        forks: Some(options.forks),
        accelerated: chosen == Accelerator::Mitogen,
        galaxy_servers: !galaxy_servers::list_galaxy_servers(connection).await?.is_empty(),
    };
    let merged = configuration::merge(files, terms, &Ours::default());
    Ok(merged
        .map_err(|error| Invalid::field("playbook", error.to_string()))?
        .overridden)
}

/// What a package's files are read with.
pub(super) struct Project {
    /// Passwords of `ansible-vault`.
    pub(super) vault_passwords: Vec<OpenedPassword>,
    /// The folder with the roles and collections that it asks for.
    pub(super) galaxy: Option<PathBuf>,
}

/// Makes ready what a package's files are read with.
pub(super) async fn prepare(state: &AppState, package: PackageId, files: &[PlaybookFile]) -> Result<Project, Problem> {
    Ok(Project {
        vault_passwords: vault_passwords(state, package, files).await?,
        galaxy: fetched(state, package, files).await?,
    })
}

/// The roles and collections that the package asks for; fetches what is not there yet.
async fn fetched(state: &AppState, package: PackageId, files: &[PlaybookFile]) -> Result<Option<PathBuf>, Problem> {
    if !galaxy::has_requirements(files) {
        return Ok(None);
    }
    let servers = match galaxy::open_servers(&mut *state.database.acquire().await?, &state.vault).await {
        Ok(servers) => servers,
        Err(ServersError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Problem::internal(&error)),
    };
    let git = GitSource {
        database: &state.database,
        vault: &state.vault,
        package,
    };
    match state.library.galaxy().provide(files, &servers, git).await {
        Ok(folder) => Ok(folder),
        Err(error) if error.is_refusal() => Err(Invalid::field("playbook", error.to_string()).into()),
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// The passwords that a version is read with when it runs again; refuses one that can no longer be read.
pub(super) async fn read_again(state: &AppState, version: &DeployedVersion) -> Result<Vec<OpenedPassword>, Problem> {
    let files = packages::load_version_files(&mut *state.database.acquire().await?, version.id).await?;
    vault_passwords(state, version.package_id, &files).await
}

/// The passwords that the package's encrypted files and values are read with; refuses a package whose passwords are not all there.
pub(super) async fn vault_passwords(
    state: &AppState,
    package: PackageId,
    files: &[PlaybookFile],
) -> Result<Vec<OpenedPassword>, Problem> {
    let refuse = |message: String| Problem::from(Invalid::field("playbook", message));
    let merged =
        configuration::merge(files, Terms::default(), &Ours::default()).map_err(|error| refuse(error.to_string()))?;
    let used = vault_ids::used(files);
    let mut connection = state.database.acquire().await?;
    let sealed = vault_passwords::list_sealed(&mut connection, package).await?;
    drop(connection);
    let stored: Vec<StoredPassword<'_>> = sealed
        .iter()
        .map(|password| StoredPassword {
            vault_id: &password.vault_id,
            of_package: password.of_package,
        })
        .collect();
    let chosen = vault_ids::choose(&used, &merged.own_passwords, &stored)
        .complete()
        .map_err(|missing| refuse(missing.to_string()))?;
    chosen
        .into_iter()
        .map(|index| {
            let password = &sealed[index];
            let row = RowIdentity::vault_password(password.id);
            let opened = state.vault.open_text(&password.sealed_password, row);
            Ok(OpenedPassword {
                vault_id: password.vault_id.clone(),
                password: opened.map_err(|error| Problem::internal(&error))?,
            })
        })
        .collect()
}
