//! Which accelerator a launch gets, and whether it can do what is asked of it.

use crate::{
    api::AppState,
    domain::{
        deployment::{Accelerator, DeploymentOptions},
        playbook::PlaybookFile,
        server::Server,
        validation::Invalid,
    },
    playbooks::{acceleration, mitogen},
};
use serde_json::{Map, Value};

/// The field that is refused.
const FIELD: &str = "options.accelerator";
/// So many reasons are named in one message.
const MAX_NAMED: usize = 5;

/// What a launch is judged by.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The frozen files of the playbook.
    pub(super) files: &'a [PlaybookFile],
    /// The playbook's own file among them.
    pub(super) entry_path: &'a str,
    /// What it is launched on.
    pub(super) servers: &'a [Server],
    /// The launch's variables.
    pub(super) variables: &'a Map<String, Value>,
    /// Names of its secret variables.
    pub(super) secret_names: &'a [String],
}

/// What was asked for, else what the playbook says, else none.
pub(super) fn choose(asked: Option<Accelerator>, playbook: Option<Accelerator>) -> Accelerator {
    asked.or(playbook).unwrap_or(Accelerator::None)
}

/// Refuses an accelerator that is not there. The worker looks again: it may run on another machine.
pub(super) async fn check_present(
    state: &AppState,
    chosen: Accelerator,
    asked: &DeploymentOptions,
) -> Result<(), Invalid> {
    if chosen == Accelerator::None {
        return Ok(());
    }
    mitogen::find(&state.library.ansible().ansible_playbook)
        .await
        .map(drop)
        .map_err(|error| refuse(asked, &error.to_string()))
}

/// Refuses what the chosen accelerator cannot do.
pub(super) fn check_plan(chosen: Accelerator, asked: &DeploymentOptions, plan: &Plan<'_>) -> Result<(), Invalid> {
    if chosen == Accelerator::None {
        return Ok(());
    }
    let mut variables = vec![("the launch".to_owned(), plan.variables)];
    variables.extend(
        plan.servers
            .iter()
            .map(|server| (server.hostname.clone(), &server.metadata)),
    );
    let becomes = asked.become_ || plan.secret_names.iter().any(|name| name == "ansible_become");
    let obstacles = acceleration::obstacles(plan.files, plan.entry_path, &variables, becomes);
    if obstacles.is_empty() {
        return Ok(());
    }
    let named = &obstacles[..obstacles.len().min(MAX_NAMED)];
    let more = match obstacles.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Err(refuse(
        asked,
        &format!("mitogen cannot do this: {}{more}", named.join("; ")),
    ))
}

fn refuse(asked: &DeploymentOptions, why: &str) -> Invalid {
    let hint = match asked.accelerator {
        Some(_) => "",
        None => " (the playbook asks for mitogen; launch with the accelerator none to run it without)",
    };
    Invalid::field(FIELD, format!("{why}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launch_has_the_last_word() {
        let (none, mitogen) = (Some(Accelerator::None), Some(Accelerator::Mitogen));
        assert_eq!(choose(None, None), Accelerator::None);
        assert_eq!(choose(None, mitogen), Accelerator::Mitogen);
        assert_eq!(choose(none, mitogen), Accelerator::None);
        assert_eq!(choose(mitogen, none), Accelerator::Mitogen);
    }
}
