//! Checks whether a launcher may let a deployment change the machine that it runs on, and whether any worker can isolate the run.

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    auth::policy::Action,
    domain::{
        PackageId,
        deployment::DeploymentOptions,
        isolation::{Controller, WorkerIsolation},
    },
    store::{packages, workers},
};
use axum::http::StatusCode;
use std::time::Duration;

/// A worker that has not been heard from for this long counts as gone.
const SILENCE: Duration = Duration::from_secs(15);

/// Refuses a launch that its launcher has no right to, and one that no worker would run.
pub(super) async fn check(
    state: &AppState,
    actor: &Actor,
    options: &DeploymentOptions,
    package: PackageId,
) -> Result<(), Problem> {
    if options.controller == Controller::Writable || !options.writable_paths.is_empty() {
        actor.require(Action::OpenController)?;
    }
    let mut connection = state.database.acquire().await?;
    let offers = workers::list_isolation(&mut connection, SILENCE).await?;
    let nobody_can = !offers.is_empty() && offers.iter().all(|offer| *offer == WorkerIsolation::Unavailable);
    if nobody_can && !packages::ships_with_admiral(&mut connection, package).await? {
        return Err(unavailable("no worker can isolate runs"));
    }
    Ok(())
}

/// 409: only built-in playbooks are run where runs cannot be isolated.
pub(super) fn unavailable(reason: &str) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "isolation_unavailable",
        format!(
            "only built-in playbooks are run while runs cannot be isolated ({reason}); `admiral doctor` on the worker's machine says what \
             is missing, and an admin can choose `--isolation none`"
        ),
    )
}
