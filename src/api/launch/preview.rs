//! What a launch would do, shown before it is made.

use super::{
    LaunchRequest,
    accelerator::{self, Plan},
    check_limit, find,
    inputs::{Inputs, gather},
    project,
    request::examine,
    resolve,
    variables::Content,
    weak_secrets,
};
use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    domain::{
        deployment::{DeploymentOptions, VariableSource},
        finding::Finding,
        package::PackageVersion,
        server::Server,
        validation::FieldError,
    },
    playbooks::review,
    store::packages,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// As many servers are listed.
const MAX_SERVERS: usize = 100;

/// What a launch would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentPreview {
    /// The playbook's id.
    pub playbook: String,
    /// The version that would run.
    pub version: PackageVersion,
    /// All variables, by name.
    pub variables: Vec<PreviewedVariable>,
    /// The servers, by hostname: the first 100.
    pub servers: Vec<PreviewedServer>,
    /// How many servers there are.
    pub server_total: usize,
    /// Options of `ansible-playbook`.
    pub options: DeploymentOptions,
    /// What was found in the version's files.
    pub findings: Vec<Finding>,
    /// The launch has to acknowledge the findings.
    pub acknowledgement_needed: bool,
    /// What does not stop the launch.
    pub warnings: Vec<String>,
    /// What does.
    pub errors: Vec<FieldError>,
}

/// A variable that a launch would set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewedVariable {
    /// Its name.
    pub name: String,
    /// Its value; null for a secret or a file.
    pub value: Option<Value>,
    /// It is kept sealed and never shown.
    pub secret: bool,
    /// Where its value comes from.
    pub source: VariableSource,
    /// Where else there is a value, which does not hold.
    pub overrides: Vec<VariableSource>,
}

/// A server that a launch would run on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewedServer {
    /// Identifies the server.
    pub id: Uuid,
    /// Its hostname.
    pub hostname: String,
}

/// Goes through a launch without making it. The syntax is left to the launch, which runs Ansible for it.
pub(in crate::api) async fn preview(
    state: &AppState,
    actor: &Actor,
    request: LaunchRequest,
) -> Result<DeploymentPreview, Problem> {
    let (checked, mut errors) = examine(request)?;
    let frozen = find(state, actor, &checked).await?;
    let mut connection = state.database.acquire().await?;
    let version = packages::get_version(&mut connection, frozen.version).await?;
    let mut inputs = gather(state, &mut connection, &checked, &frozen.files, &frozen.entry_path).await?;
    weak_secrets::warn_of_inputs(&mut inputs, &checked.files);
    let Inputs {
        mut merged,
        options,
        form_faults,
        ..
    } = inputs;
    let servers = match &checked.target {
        Some(target) => list(resolve(&mut connection, target).await, &mut errors)?.unwrap_or_default(),
        None => Vec::new(),
    };
    drop(connection);
    for error in std::mem::take(&mut merged.errors) {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    let chosen = accelerator::choose(options.accelerator, frozen.outline.accelerator);
    let present = accelerator::check_present(state, chosen, &options).await;
    list(present.map_err(Problem::from), &mut errors)?;
    let readable = project::vault_passwords(state, frozen.package, &frozen.files).await;
    if let Some(passwords) = list(readable, &mut errors)? {
        merged.warnings.extend(weak_secrets::of_vault_passwords(&passwords));
    }
    if !servers.is_empty() {
        list(check_limit(&options, &servers).map_err(Problem::from), &mut errors)?;
        let secret_names: Vec<String> = merged.secret().into_keys().collect();
        let plan = Plan {
            files: &frozen.files,
            entry_path: &frozen.entry_path,
            servers: &servers,
            variables: &merged.plain(),
            secret_names: &secret_names,
        };
        let planned = accelerator::check_plan(chosen, &options, &plan);
        list(planned.map_err(Problem::from), &mut errors)?;
    }
    let (files, entries) = (frozen.files, [frozen.entry_path]);
    // Reading all of a package takes a while.
    let reviewing = tokio::task::spawn_blocking(move || review(&files, &entries));
    let mut findings = reviewing.await.map_err(|error| Problem::internal(&error))?;
    // The review has looked at the form's file too.
    findings.extend(form_faults);
    findings.sort();
    findings.dedup();
    Ok(DeploymentPreview {
        playbook: checked.playbook.to_string(),
        version,
        variables: merged
            .variables
            .into_iter()
            .map(|(name, variable)| PreviewedVariable {
                name,
                secret: matches!(variable.content, Content::Secret(_)),
                value: match variable.content {
                    Content::Plain(value) => Some(value),
                    Content::Secret(_) | Content::File(_) => None,
                },
                source: variable.source,
                overrides: variable.overrides,
            })
            .collect(),
        server_total: servers.len(),
        servers: servers.iter().take(MAX_SERVERS).map(named).collect(),
        options: DeploymentOptions {
            accelerator: Some(chosen),
            ..options
        },
        findings,
        acknowledgement_needed: !frozen.is_reviewed,
        warnings: merged.warnings,
        errors,
    })
}

fn named(server: &Server) -> PreviewedServer {
    PreviewedServer {
        id: server.id,
        hostname: server.hostname.clone(),
    }
}

/// A refusal of fields becomes part of the answer; any other problem is one.
fn list<T>(outcome: Result<T, Problem>, errors: &mut Vec<FieldError>) -> Result<Option<T>, Problem> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(problem) if !problem.errors.is_empty() => {
            for error in problem.errors {
                if !errors.contains(&error) {
                    errors.push(error);
                }
            }
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}
