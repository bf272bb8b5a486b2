//! Launching: everything is checked, then everything is frozen in one transaction. What could have been refused here never fails
//! later.

mod accelerator;
mod adhoc;
mod inputs;
mod isolation;
mod preview;
mod project;
mod request;
mod variables;
mod weak_secrets;

pub use preview::DeploymentPreview;
pub(super) use preview::preview;
pub(super) use request::{FileText, LaunchRequest, ModuleCommand, check_options};

use self::{
    accelerator::Plan,
    inputs::gather,
    project::Project,
    request::{Checked, check},
};
use super::{
    AppState,
    extract::Actor,
    problem::Problem,
    routes::packages::author,
    sealed::{open_variables, reseal, seal_variables},
};
use crate::{
    domain::{
        PackageId, RunId, ServerId, VersionId,
        clock::new_id,
        deployment::{Accelerator, CommandLine, Deployment, DeploymentKind, DeploymentOptions, Launcher, Target},
        playbook::{Outline, PlaybookFile, PlaybookId, PlaybookOrigin},
        server::{Server, ServerStatus},
        validation::{Invalid, Validator},
    },
    inventory::{extra_vars, limit},
    playbooks::{SyntaxContext, SyntaxError, outline, review},
    store::{
        Connection, StoreError,
        deployments::{self, DeploymentInputs, NewDeployment, NewHost},
        packages, playbooks, projects, servers, syntax,
    },
    vault::RowIdentity,
};
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use std::{collections::HashMap, fmt::Write as _};
use uuid::Uuid;

/// As many host names are listed in one message.
const MAX_NAMED: usize = 10;

/// Launches a deployment.
pub(super) async fn launch(state: &AppState, actor: &Actor, request: LaunchRequest) -> Result<Deployment, Problem> {
    let checked = check(request)?;
    if checked.command.is_none() && checked.version_id.is_none() {
        sync_first(state, &checked.playbook).await?;
    }
    let frozen = find(state, actor, &checked).await?;
    if !frozen.is_reviewed && !checked.acknowledge {
        return Err(review_required(&frozen));
    }
    let mut connection = state.database.acquire().await?;
    let mut inputs = gather(state, &mut connection, &checked, &frozen.files, &frozen.entry_path).await?;
    drop(connection);
    if !inputs.merged.errors.is_empty() {
        return Err(Invalid {
            errors: inputs.merged.errors,
        }
        .into());
    }
    let (variables, secret_variables) = (inputs.merged.plain(), inputs.merged.secret());
    let options = inputs.options.clone();
    isolation::check(state, actor, &options, frozen.package).await?;
    let hidden_names = secret_variables.keys().cloned().chain(inputs.merged.file_names());
    let project = project::prepare(state, frozen.package, &frozen.files).await?;
    weak_secrets::warn_of_inputs(&mut inputs, &checked.files);
    let weak_passwords = weak_secrets::of_vault_passwords(&project.vault_passwords);
    inputs.merged.warnings.extend(weak_passwords);
    check_syntax(state, &frozen, &project, &variables, hidden_names.collect()).await?;
    let chosen = accelerator::choose(options.accelerator, frozen.outline.accelerator);
    accelerator::check_present(state, chosen, &options).await?;
    let target = checked
        .target
        .ok_or_else(|| Invalid::field("server_ids", "is required"))?;
    let mut transaction = state.database.begin().await?;
    let overridden_settings = project::overridden_settings(&mut transaction, &frozen.files, &options, chosen).await?;
    let servers = resolve(&mut transaction, &target).await?;
    check_limit(&options, &servers)?;
    let secret_variable_names: Vec<String> = secret_variables.keys().cloned().collect();
    let plan = Plan {
        files: &frozen.files,
        entry_path: &frozen.entry_path,
        servers: &servers,
        variables: &variables,
        secret_names: &secret_variable_names,
    };
    accelerator::check_plan(chosen, &options, &plan)?;
    if !frozen.is_reviewed {
        accept_review(&mut transaction, actor, &frozen).await?;
    }
    let id = new_id();
    let row = RowIdentity::deployment_variables(id);
    let new = NewDeployment {
        id,
        run_ids: run_ids(&options, servers.len()),
        name: checked.name.unwrap_or(frozen.outline.name),
        description: checked.description,
        playbook: match &frozen.command {
            Some(CommandLine::Module { module, .. }) => module.clone(),
            _ => checked.playbook.to_string(),
        },
        kind: if frozen.command.is_some() {
            DeploymentKind::Adhoc
        } else {
            DeploymentKind::Playbook
        },
        command: frozen.command,
        entry_path: frozen.entry_path,
        playbook_version_id: Some(frozen.version),
        target,
        sealed_variables: seal_variables(&state.vault, &secret_variables, row)?,
        secret_variable_names,
        variables,
        inputs: inputs.seal(state, id, &checked.files)?,
        options: DeploymentOptions {
            accelerator: Some(chosen),
            ..options
        },
        overridden_settings,
        retry_of: None,
        created_by: launcher(actor),
        hosts: servers.iter().map(host).collect(),
    };
    deployments::insert_deployment(&mut transaction, &new).await?;
    let deployment = deployments::get_deployment(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("deployment.launch").object(id).after(&deployment),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    log_launch(&new);
    Ok(deployment)
}

/// From here on the log can be searched for the deployment's id, and for those of its runs.
fn log_launch(new: &NewDeployment) {
    let runs: Vec<String> = new.run_ids.iter().map(ToString::to_string).collect();
    tracing::info!(
        deployment = %new.id,
        runs = runs.join(","),
        playbook = new.playbook,
        hosts = new.hosts.len(),
        retry_of = new.retry_of.map(tracing::field::display),
        "a deployment was launched"
    );
}

/// Launches a deployment anew on the hosts that failed, were unreachable or never ran.
pub(super) async fn retry(state: &AppState, actor: &Actor, of: Uuid) -> Result<Deployment, Problem> {
    let old = deployments::get_deployment(&mut *state.database.acquire().await?, of).await?;
    if !old.status.is_final() {
        return Err(Problem::conflict("the deployment has not ended yet"));
    }
    if old.kind == DeploymentKind::Recorded {
        return Err(Problem::conflict(
            "it was recorded in a shell, and Admiral has neither its files nor its inventory: run it again there",
        ));
    }
    if let Some(version) = &old.version {
        isolation::check(state, actor, &old.options, version.package_id).await?;
    }
    // As at the launch; one that is older than accelerators has none.
    let chosen = accelerator::choose(old.options.accelerator, None);
    accelerator::check_present(state, chosen, &old.options).await?;
    let mut warnings = match &old.version {
        Some(version) => weak_secrets::of_vault_passwords(&project::read_again(state, version).await?),
        None => Vec::new(),
    };
    let mut transaction = state.database.begin().await?;
    let ids = crate::store::deployment_servers::list_retryable(&mut transaction, of, old.status).await?;
    let mut servers = servers::get_servers_by_ids(&mut transaction, &ids).await?;
    servers.retain(|server| server.status == ServerStatus::Active);
    if servers.is_empty() {
        return Err(Invalid::field(
            "deployment",
            "has no host to retry: none failed, was unreachable or was left out, or their servers are gone or inactive",
        )
        .into());
    }
    servers.sort_by(|a, b| a.hostname.cmp(&b.hostname));
    require_keys(&servers, "deployment")?;
    check_limit(&old.options, &servers)?;
    let frozen = deployments::get_frozen(&mut transaction, of).await?;
    let version = frozen
        .playbook_version_id
        .ok_or_else(|| Problem::conflict("what was recorded in a shell is run again there"))?;
    if chosen != Accelerator::None {
        // The servers may have changed since.
        let files = packages::load_version_files(&mut transaction, version).await?;
        let plan = Plan {
            files: &files,
            entry_path: &old.entry_path,
            servers: &servers,
            variables: &old.variables,
            secret_names: &old.secret_variables,
        };
        accelerator::check_plan(chosen, &old.options, &plan)?;
    }
    let id = new_id();
    let sealed_variables = reseal(
        &state.vault,
        frozen.sealed_variables.as_deref(),
        RowIdentity::deployment_variables(of),
        RowIdentity::deployment_variables(id),
    )?;
    let opened = open_variables(
        &state.vault,
        sealed_variables.as_deref(),
        RowIdentity::deployment_variables(id),
    )?;
    warnings.extend(weak_secrets::of_variables(&opened));
    let sealed_files = reseal(
        &state.vault,
        frozen.sealed_files.as_deref(),
        RowIdentity::deployment_files(of),
        RowIdentity::deployment_files(id),
    )?;
    let new = NewDeployment {
        id,
        run_ids: run_ids(&old.options, servers.len()),
        name: old.name,
        description: old.description,
        playbook: old.playbook,
        kind: old.kind,
        command: old.command,
        entry_path: old.entry_path,
        playbook_version_id: Some(version),
        target: Target::ServerIds {
            server_ids: servers.iter().map(|server| server.id).collect(),
        },
        variables: old.variables,
        secret_variable_names: old.secret_variables,
        sealed_variables,
        inputs: DeploymentInputs {
            environment: old.environment,
            preset: old.preset,
            sources: old.variable_sources,
            file_names: old.file_variables,
            sealed_files,
            warnings,
        },
        options: DeploymentOptions {
            accelerator: Some(chosen),
            ..old.options
        },
        overridden_settings: old.overridden_settings,
        retry_of: Some(of),
        created_by: launcher(actor),
        hosts: servers.iter().map(host).collect(),
    };
    deployments::insert_deployment(&mut transaction, &new).await?;
    let deployment = deployments::get_deployment(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("deployment.retry").object(id).after(&deployment),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    log_launch(&new);
    Ok(deployment)
}

/// Ansible refuses to start on a limit that leaves no host. That it reads no file is checked here again, because the limit may come from
/// a preset or a deployment of an earlier version.
fn check_limit(options: &DeploymentOptions, servers: &[Server]) -> Result<(), Invalid> {
    let Some(limit) = &options.limit else { return Ok(()) };
    let mut validator = Validator::new();
    request::check_limit(&mut validator, limit);
    validator.finish()?;
    if limit::may_match(limit, servers) {
        Ok(())
    } else {
        Err(Invalid::field("options.limit", "matches none of the servers"))
    }
}

/// One for each slice; a slice without a server would have nothing to do.
fn run_ids(options: &DeploymentOptions, servers: usize) -> Vec<RunId> {
    let slices = usize::try_from(options.slices).unwrap_or(1).clamp(1, servers.max(1));
    std::iter::repeat_with(new_id).take(slices).collect()
}

/// The actor, as it is kept with what they launch or make.
pub(super) fn launcher(actor: &Actor) -> Launcher {
    Launcher {
        id: actor.principal.user_id,
        username: actor.principal.username.clone(),
    }
}

fn host(server: &Server) -> NewHost {
    let address = if server.ssh_host.contains(':') {
        format!("[{}]:{}", server.ssh_host, server.ssh_port)
    } else {
        format!("{}:{}", server.ssh_host, server.ssh_port)
    };
    NewHost {
        host: server.hostname.clone(),
        server_id: server.id,
        address,
    }
}

/// A playbook as it is launched.
struct FrozenPlaybook {
    version: VersionId,
    package: PackageId,
    outline: Outline,
    entry_path: String,
    files: Vec<PlaybookFile>,
    /// What the playbook was written for, when it is no one's.
    command: Option<CommandLine>,
    /// False when this launch has to note that its launcher accepts what was found.
    is_reviewed: bool,
}

/// Finds or writes what is to be carried out.
async fn find(state: &AppState, actor: &Actor, checked: &Checked) -> Result<FrozenPlaybook, Problem> {
    match &checked.command {
        Some(command) => adhoc::freeze(state, actor, &command.module, &command.arguments).await,
        None => find_playbook(state, &checked.playbook, checked.version_id).await,
    }
}

/// Finds the version that is meant.
async fn find_playbook(
    state: &AppState,
    id: &PlaybookId,
    version_id: Option<VersionId>,
) -> Result<FrozenPlaybook, Problem> {
    let missing = || Problem::from(Invalid::field("playbook", "is not in the library"));
    state.refresh_library().await?;
    let mut connection = state.database.acquire().await?;
    let playbook = match playbooks::get_playbook(&mut connection, id).await {
        Err(StoreError::NotFound(_)) => return Err(missing()),
        found => found?,
    };
    let version = match version_id {
        Some(version) => {
            let found = packages::get_version(&mut connection, version).await;
            if !found.is_ok_and(|found| found.package_id == playbook.package_id) {
                return Err(Invalid::field("version_id", "is no version of the playbook's package").into());
            }
            version
        }
        None if playbook.missing_since.is_some() => return Err(missing()),
        None => {
            if let Some(error) = playbook.outline.error {
                return Err(Invalid::field("playbook", error).into());
            }
            playbook.version.ok_or_else(missing)?
        }
    };
    let files = packages::load_version_files(&mut connection, version).await?;
    drop(connection);
    let outline = files
        .iter()
        .find(|file| file.path == playbook.entry_path)
        .and_then(|file| outline(&file.path, &file.content))
        .ok_or_else(missing)?;
    if let Some(error) = outline.error {
        return Err(Invalid::field("playbook", error).into());
    }
    let is_reviewed = playbook.origin != PlaybookOrigin::Custom
        || packages::is_reviewed(&mut *state.database.acquire().await?, version).await?;
    Ok(FrozenPlaybook {
        version,
        package: playbook.package_id,
        is_reviewed,
        command: None,
        outline,
        entry_path: playbook.entry_path,
        files,
    })
}

/// 409 to the first launch of what was uploaded and nobody has looked at.
fn review_required(frozen: &FrozenPlaybook) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "review_required",
        "nobody has accepted what was found in this version; look at the findings and acknowledge them",
    )
    .with(
        "findings",
        review(&frozen.files, std::slice::from_ref(&frozen.entry_path)),
    )
}

/// Notes that the launcher accepts what was found in a version.
async fn accept_review(connection: &mut Connection, actor: &Actor, frozen: &FrozenPlaybook) -> Result<(), Problem> {
    packages::mark_reviewed(connection, frozen.version, &author(actor)).await?;
    let version = packages::get_version(connection, frozen.version).await?;
    let entry = actor.entry("package.review").object(frozen.package).after(&version);
    Ok(actor.record(connection, entry).await?)
}

/// Syncs the git project that the playbook comes from, where that is wanted before each launch. What cannot be synced is not launched:
/// nobody would know that it is not the latest.
async fn sync_first(state: &AppState, playbook: &PlaybookId) -> Result<(), Problem> {
    let project = projects::find_synced_before_launch(&mut *state.database.acquire().await?, playbook).await?;
    if let Some(project) = project
        && let Some(failure) = state.sync_project(project).await?
    {
        let message = format!("could not be synced before the launch: {failure}");
        return Err(Invalid::field("playbook", message).into());
    }
    Ok(())
}

/// The syntax is checked once per version and ansible-core, without variables. Only a playbook that cannot be read without some
/// (`hosts: "{{ x }}"`) is checked anew at each launch, with the variables of that launch. A refusal is not kept: a missing role or
/// collection is a fault of the machine, and mended without a new version.
async fn check_syntax(
    state: &AppState,
    frozen: &FrozenPlaybook,
    project: &Project,
    variables: &Map<String, Value>,
    hidden_names: Vec<String>,
) -> Result<(), Problem> {
    // One at a time: a second launch of the same playbook waits for the first one's answer, and launches do not crowd the machine.
    let _turn = state.library.syntax_turn().await;
    let mut connection = state.database.acquire().await?;
    let ansible_version = &state.library.ansible().version;
    let (version, entry_path) = (frozen.version, &frozen.entry_path);
    let known = syntax::is_syntax_valid(&mut connection, version, entry_path, ansible_version).await?;
    drop(connection);
    if known {
        return Ok(());
    }
    let Some(refusal) = syntax_check(state, frozen, project, None).await? else {
        let mut connection = state.database.acquire().await?;
        syntax::record_valid_syntax(&mut connection, version, entry_path, ansible_version).await?;
        return Ok(());
    };
    if variables.is_empty() && hidden_names.is_empty() {
        return Err(Invalid::field("playbook", refusal).into());
    }
    // A secret's value has no business in a file that is there for its name.
    let hidden = hidden_names
        .into_iter()
        .map(|name| (name, SecretString::from("secret")))
        .collect();
    let text = extra_vars::render_extra_vars(variables, &hidden);
    match syntax_check(state, frozen, project, Some(text.expose_secret())).await? {
        None => Ok(()),
        Some(message) => Err(Invalid::field("playbook", message).into()),
    }
}

async fn syntax_check(
    state: &AppState,
    frozen: &FrozenPlaybook,
    project: &Project,
    extra_vars: Option<&str>,
) -> Result<Option<String>, Problem> {
    let is_builtin = packages::ships_with_admiral(&mut *state.database.acquire().await?, frozen.package).await?;
    let context = SyntaxContext {
        is_builtin,
        extra_vars,
        vault_passwords: &project.vault_passwords,
        galaxy: project.galaxy.as_deref(),
    };
    let checking = state.library.syntax_check(&frozen.files, &frozen.entry_path, context);
    match checking.await {
        Ok(()) => Ok(None),
        Err(SyntaxError::Refused(message)) => Ok(Some(message)),
        Err(SyntaxError::Unavailable(reason)) => Err(isolation::unavailable(&reason)),
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// The servers that are meant, by hostname; refuses what could not run.
async fn resolve(connection: &mut Connection, target: &Target) -> Result<Vec<Server>, Problem> {
    let (mut found, field, nothing) = match target {
        Target::ServerIds { server_ids } => {
            let found = servers::get_servers_by_ids(connection, server_ids).await?;
            check_named(server_ids, &found)?;
            (found, "server_ids", "names no server")
        }
        Target::Tags { tags } => (
            servers::list_servers_with_tags(connection, tags).await?,
            "tags",
            "no active server has all of these tags",
        ),
        Target::All => (
            servers::list_all_servers(connection).await?,
            "all",
            "there is no active server",
        ),
        Target::Recorded => return Err(Problem::conflict("what was recorded in a shell is run again there")),
    };
    found.retain(|server| server.status == ServerStatus::Active);
    if found.is_empty() {
        return Err(Invalid::field(field, nothing).into());
    }
    if matches!(target, Target::Tags { .. } | Target::All) {
        require_keys(&found, field)?;
    }
    found.sort_by(|a, b| a.hostname.cmp(&b.hostname));
    Ok(found)
}

/// Every named server must be there, active and with a key.
fn check_named(ids: &[ServerId], found: &[Server]) -> Result<(), Invalid> {
    let found: HashMap<ServerId, &Server> = found.iter().map(|server| (server.id, server)).collect();
    let mut validator = Validator::new();
    for (index, id) in ids.iter().enumerate() {
        let field = format!("server_ids[{index}]");
        match found.get(id) {
            None => validator.error(field, "names no server"),
            Some(server) if server.status != ServerStatus::Active => {
                validator.error(field, format!("{} is inactive", server.hostname));
            }
            Some(server) if server.private_key.is_none() => {
                validator.error(field, format!("{} has no private key", server.hostname));
            }
            Some(_) => {}
        }
    }
    validator.finish()
}

fn require_keys(servers: &[Server], field: &str) -> Result<(), Invalid> {
    let keyless: Vec<&str> = servers
        .iter()
        .filter(|server| server.private_key.is_none())
        .map(|server| server.hostname.as_str())
        .collect();
    if keyless.is_empty() {
        return Ok(());
    }
    let mut names = keyless[..keyless.len().min(MAX_NAMED)].join(", ");
    if keyless.len() > MAX_NAMED {
        // Writing to a string cannot fail.
        let _ = write!(names, " and {} more", keyless.len() - MAX_NAMED);
    }
    Err(Invalid::field(field, format!("without a private key: {names}")))
}
