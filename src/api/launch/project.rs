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
        vault_ids::{self, OpenedPassword, StoredPassword},
    },
    store::{packages, vault_passwords},
    vault::RowIdentity,
};

/// Settings of the project's `ansible.cfg` that do not hold; refuses one that cannot be read.
pub(super) fn overridden_settings(
    files: &[PlaybookFile],
    options: &DeploymentOptions,
    chosen: Accelerator,
) -> Result<Vec<OverriddenSetting>, Invalid> {
    let terms = Terms {
        forks: Some(options.forks),
        accelerated: chosen == Accelerator::Mitogen,
    };
    configuration::merge(files, terms, &Ours::default())
        .map(|merged| merged.overridden)
        .map_err(|error| Invalid::field("playbook", error.to_string()))
}

/// Refuses to run a version again that can no longer be read.
pub(super) async fn check_again(state: &AppState, version: &DeployedVersion) -> Result<(), Problem> {
    let files = packages::load_version_files(&mut *state.database.acquire().await?, version.id).await?;
    vault_passwords(state, version.package_id, &files).await.map(drop)
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
