//! What a launch takes from the project itself: its `ansible.cfg`.

use crate::{
    domain::{
        deployment::{Accelerator, DeploymentOptions, OverriddenSetting},
        playbook::PlaybookFile,
        validation::Invalid,
    },
    playbooks::configuration::{self, Ours, Terms},
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
