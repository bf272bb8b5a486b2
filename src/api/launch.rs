//! Launching: everything is checked, then everything is frozen in one transaction. What could have been refused here never fails
//! later.

use super::{AppState, extract::Actor, problem::Problem};
use crate::{
    domain::{
        ServerId,
        clock::new_id,
        deployment::{Deployment, DeploymentOptions, Launcher, Target},
        playbook::PlaybookId,
        server::{Server, ServerStatus},
        validation::{Invalid, Validator},
    },
    inventory::extra_vars,
    playbooks::{LibraryError, Snapshot, SyntaxError},
    store::{
        Connection,
        deployments::{self, NewDeployment, NewHost},
        playbooks::{self, SyntaxState, VersionId},
        servers,
    },
    vault::RowIdentity,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};
use uuid::Uuid;
use zeroize::Zeroizing;

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_SERVER_IDS: usize = 10_000;
/// As many host names are listed in one message.
const MAX_NAMED: usize = 10;

/// What was asked for, as it came.
#[derive(Debug, Default)]
pub(super) struct LaunchRequest {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) playbook: String,
    pub(super) server_ids: Option<Vec<ServerId>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) all: Option<bool>,
    pub(super) variables: Map<String, Value>,
    pub(super) secret_variables: BTreeMap<String, SecretString>,
    pub(super) options: DeploymentOptions,
}

/// What was asked for, as far as that can be judged without looking anywhere.
#[derive(Debug)]
struct Checked {
    name: Option<String>,
    description: Option<String>,
    playbook: PlaybookId,
    target: Target,
    variables: Map<String, Value>,
    secret_variables: BTreeMap<String, SecretString>,
    options: DeploymentOptions,
}

/// Launches a deployment.
pub(super) async fn launch(state: &AppState, actor: &Actor, request: LaunchRequest) -> Result<Deployment, Problem> {
    let checked = check(request)?;
    let (version, playbook_name) = freeze_playbook(state, &checked).await?;
    let mut transaction = state.database.begin().await?;
    let servers = resolve(&mut transaction, &checked.target).await?;
    let id = new_id();
    let new = NewDeployment {
        id,
        run_id: new_id(),
        name: checked.name.unwrap_or(playbook_name),
        description: checked.description,
        playbook: checked.playbook.to_string(),
        playbook_version_id: version,
        target: checked.target,
        sealed_variables: seal(state, id, &checked.secret_variables)?,
        secret_variable_names: checked.secret_variables.into_keys().collect(),
        variables: checked.variables,
        options: checked.options,
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
    transaction.commit().await.map_err(crate::store::StoreError::from)?;
    Ok(deployment)
}

/// Launches a deployment anew on the hosts that failed, were unreachable or never ran.
pub(super) async fn retry(state: &AppState, actor: &Actor, of: Uuid) -> Result<Deployment, Problem> {
    let mut transaction = state.database.begin().await?;
    let old = deployments::get_deployment(&mut transaction, of).await?;
    if !old.status.is_final() {
        return Err(Problem::conflict("the deployment has not ended yet"));
    }
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
    let frozen = deployments::get_frozen(&mut transaction, of).await?;
    let id = new_id();
    let sealed_variables = match frozen.sealed_variables {
        Some(sealed) => {
            let plain = state
                .vault
                .open(&sealed, RowIdentity::deployment_variables(of))
                .map_err(|error| Problem::internal(&error))?;
            let sealed = state
                .vault
                .seal(plain.expose_secret(), RowIdentity::deployment_variables(id));
            Some(sealed.map_err(|error| Problem::internal(&error))?)
        }
        None => None,
    };
    let new = NewDeployment {
        id,
        run_id: new_id(),
        name: old.name,
        description: old.description,
        playbook: old.playbook,
        playbook_version_id: frozen.playbook_version_id,
        target: Target::ServerIds {
            server_ids: servers.iter().map(|server| server.id).collect(),
        },
        variables: old.variables,
        secret_variable_names: old.secret_variables,
        sealed_variables,
        options: old.options,
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
    transaction.commit().await.map_err(crate::store::StoreError::from)?;
    Ok(deployment)
}

fn launcher(actor: &Actor) -> Launcher {
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

/// What can be judged without looking anywhere.
fn check(request: LaunchRequest) -> Result<Checked, Invalid> {
    let mut validator = Validator::new();
    let name = request.name.map(|name| name.trim().to_owned());
    if let Some(name) = &name {
        let fits = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control);
        validator.check(fits, "name", "must be one line of 1 to 200 characters");
    }
    if let Some(description) = &request.description {
        let fits = description.chars().count() <= MAX_DESCRIPTION && !description.contains('\0');
        validator.check(fits, "description", "must be at most 10000 characters");
    }
    let playbook: Option<PlaybookId> = request.playbook.parse().ok();
    validator.check(
        playbook.is_some(),
        "playbook",
        "must be the id of a playbook of the library, such as builtin/ping.yml",
    );
    let target = check_target(&mut validator, request.server_ids, request.tags, request.all);
    check_variables(&mut validator, &request.variables, &request.secret_variables);
    request.options.validate(&mut validator);
    if let Some(limit) = &request.options.limit {
        validator.check(
            is_plain_limit(limit),
            "options.limit",
            "must be a host pattern; files (@) and options (-) are not taken",
        );
    }
    validator.finish()?;
    let (Some(playbook), Some(target)) = (playbook, target) else {
        return Err(Invalid::field("playbook", "is required"));
    };
    Ok(Checked {
        name,
        description: request.description.filter(|text| !text.trim().is_empty()),
        playbook,
        target,
        variables: request.variables,
        secret_variables: request.secret_variables,
        options: request.options,
    })
}

fn check_target(
    validator: &mut Validator,
    server_ids: Option<Vec<ServerId>>,
    tags: Option<Vec<String>>,
    all: Option<bool>,
) -> Option<Target> {
    const ONE: &str = "exactly one of server_ids, tags and all is needed";
    match (server_ids, tags, all) {
        (Some(server_ids), None, None) => {
            let fits = (1..=MAX_SERVER_IDS).contains(&server_ids.len());
            validator.check(fits, "server_ids", "must name 1 to 10000 servers");
            Some(Target::ServerIds {
                server_ids: once_each(server_ids),
            })
        }
        (None, Some(tags), None) => {
            validator.check((1..=100).contains(&tags.len()), "tags", "must be 1 to 100 tags");
            for (index, tag) in tags.iter().enumerate() {
                if tag.trim().is_empty() || tag.contains('\0') {
                    validator.error(format!("tags[{index}]"), "must not be empty");
                }
            }
            Some(Target::Tags { tags: once_each(tags) })
        }
        (None, None, Some(true)) => Some(Target::All),
        (None, None, Some(false)) => {
            validator.error("all", "must be true, or left out");
            None
        }
        (None, None, None) => {
            validator.error("server_ids", ONE);
            None
        }
        (server_ids, tags, _) => {
            for (given, field) in [
                (server_ids.is_some(), "server_ids"),
                (tags.is_some(), "tags"),
                (all.is_some(), "all"),
            ] {
                validator.check(!given, field, ONE);
            }
            None
        }
    }
}

fn once_each<T: Ord + Clone>(items: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|item| seen.insert(item.clone())).collect()
}

fn check_variables(
    validator: &mut Validator,
    variables: &Map<String, Value>,
    secret_variables: &BTreeMap<String, SecretString>,
) {
    let judged = [
        extra_vars::validate_variables(variables),
        extra_vars::validate_secret_variables(secret_variables),
    ];
    for error in judged
        .into_iter()
        .filter_map(Result::err)
        .flat_map(|invalid| invalid.errors)
    {
        validator.error(error.field, error.message);
    }
    for name in secret_variables.keys().filter(|name| variables.contains_key(*name)) {
        validator.error(
            format!("secret_variables.{name}"),
            "is given among the variables as well",
        );
    }
}

/// `--limit @FILE` reads a file of the controller, in any part of a list of patterns.
fn is_plain_limit(limit: &str) -> bool {
    !limit.trim_start().starts_with('-')
        && !limit.split([',', ':', ';']).any(|part| {
            part.trim_start_matches(|c: char| c.is_whitespace() || "!&".contains(c))
                .starts_with('@')
        })
}

/// Stores the playbook's files as they are and makes sure that Ansible can read them. Gives the version and the playbook's name.
async fn freeze_playbook(state: &AppState, checked: &Checked) -> Result<(VersionId, String), Problem> {
    let id = &checked.playbook;
    let (playbook, _) = state.library.read(id).await.map_err(|error| refuse_playbook(&error))?;
    let snapshot = state
        .library
        .snapshot(id)
        .await
        .map_err(|error| refuse_playbook(&error))?;
    let mut transaction = state.database.begin().await?;
    let version = playbooks::upsert_playbook_version(
        &mut transaction,
        id.origin(),
        id.path(),
        &snapshot.digest,
        &snapshot.manifest,
        &snapshot.files,
    )
    .await?;
    transaction.commit().await.map_err(crate::store::StoreError::from)?;
    check_syntax(state, checked, &snapshot, version).await?;
    Ok((version, playbook.name))
}

fn refuse_playbook(error: &LibraryError) -> Problem {
    match error {
        LibraryError::NotFound(_) => Invalid::field("playbook", "is not in the library").into(),
        LibraryError::Stopped => Problem::internal(error),
        error => Invalid::field("playbook", error.to_string()).into(),
    }
}

/// The syntax is checked once per version, without variables. Only a playbook that cannot be read without some (`hosts: "{{ x }}"`)
/// is checked anew at each launch, with the variables of that launch.
async fn check_syntax(
    state: &AppState,
    checked: &Checked,
    snapshot: &Snapshot,
    version: VersionId,
) -> Result<(), Problem> {
    // One at a time: a second launch of the same playbook waits for the first one's answer, and launches do not crowd the machine.
    let _turn = state.library.syntax_turn().await;
    let mut connection = state.database.acquire().await?;
    let known = playbooks::syntax_state(&mut connection, version).await?;
    drop(connection);
    let refusal = match known {
        SyntaxState::Valid => return Ok(()),
        SyntaxState::Invalid(message) => message,
        SyntaxState::Unknown => {
            let outcome = syntax_check(state, snapshot, None).await?;
            let mut connection = state.database.acquire().await?;
            playbooks::record_syntax(&mut connection, version, outcome.as_deref()).await?;
            match outcome {
                None => return Ok(()),
                Some(message) => message,
            }
        }
    };
    if checked.variables.is_empty() && checked.secret_variables.is_empty() {
        return Err(Invalid::field("playbook", refusal).into());
    }
    // A secret's value has no business in a file that is there for its name.
    let secret = checked
        .secret_variables
        .keys()
        .map(|name| (name.clone(), SecretString::from("secret")))
        .collect();
    let text = extra_vars::render_extra_vars(&checked.variables, &secret);
    match syntax_check(state, snapshot, Some(text.expose_secret())).await? {
        None => Ok(()),
        Some(message) => Err(Invalid::field("playbook", message).into()),
    }
}

async fn syntax_check(
    state: &AppState,
    snapshot: &Snapshot,
    extra_vars: Option<&str>,
) -> Result<Option<String>, Problem> {
    match state.library.syntax_check(snapshot, extra_vars).await {
        Ok(()) => Ok(None),
        Err(SyntaxError::Refused(message)) => Ok(Some(message)),
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

fn seal(state: &AppState, id: Uuid, secret: &BTreeMap<String, SecretString>) -> Result<Option<Vec<u8>>, Problem> {
    if secret.is_empty() {
        return Ok(None);
    }
    let exposed: BTreeMap<&str, &str> = secret
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose_secret()))
        .collect();
    let text = Zeroizing::new(serde_json::to_vec(&exposed).map_err(|error| Problem::internal(&error))?);
    let sealed = state.vault.seal(&text, RowIdentity::deployment_variables(id));
    sealed.map(Some).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_read_files_are_refused() {
        for limit in ["web", "web:&staging", "web,!db", "~web\\d+", "host@domain", "all:!x@y"] {
            assert!(is_plain_limit(limit), "{limit:?}");
        }
        for limit in [
            "@/etc/passwd",
            " @x",
            "web,@x",
            "web, @x",
            "web:@x",
            "web:!@x",
            "--version",
            " -i x",
        ] {
            assert!(!is_plain_limit(limit), "{limit:?}");
        }
    }

    #[test]
    fn exactly_one_target() {
        let id = Uuid::from_u128(1);
        let request = |server_ids: Option<Vec<Uuid>>, tags: Option<Vec<String>>, all| LaunchRequest {
            playbook: "builtin/ping.yml".into(),
            server_ids,
            tags,
            all,
            ..LaunchRequest::default()
        };
        let fields = |request| {
            check(request)
                .map(|checked| checked.target)
                .map_err(|invalid| invalid.errors.into_iter().map(|error| error.field).collect::<Vec<_>>())
        };
        assert_eq!(
            fields(request(Some(vec![id, id]), None, None)),
            Ok(Target::ServerIds { server_ids: vec![id] })
        );
        assert_eq!(fields(request(None, None, Some(true))), Ok(Target::All));
        assert_eq!(fields(request(None, None, None)), Err(vec!["server_ids".to_owned()]));
        assert_eq!(fields(request(None, None, Some(false))), Err(vec!["all".to_owned()]));
        assert_eq!(
            fields(request(Some(vec![]), None, None)),
            Err(vec!["server_ids".to_owned()])
        );
        assert_eq!(
            fields(request(Some(vec![id]), Some(vec!["a".into()]), None)),
            Err(vec!["server_ids".to_owned(), "tags".to_owned()])
        );
        assert_eq!(
            fields(request(None, Some(vec!["a".into(), " ".into()]), None)),
            Err(vec!["tags[1]".to_owned()])
        );
    }
}
