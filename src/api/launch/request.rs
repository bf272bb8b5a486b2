//! What was asked for, and what of it can be judged without looking anywhere. Pure.

use crate::{
    domain::{
        EnvironmentId, PresetId, ServerId, VersionId,
        deployment::{DeploymentOptions, Target},
        form::{MAX_FILE_BYTES, is_file_name},
        playbook::PlaybookId,
        validation::{FieldError, Invalid, Validator},
    },
    inventory::{extra_vars, limit, variable_names},
    playbooks::adhoc,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_SERVER_IDS: usize = 10_000;
const MAX_FILES: usize = 10;

/// A module in place of a playbook, as it came.
#[derive(Debug)]
pub(in crate::api) struct ModuleCommand {
    pub(in crate::api) module: String,
    pub(in crate::api) arguments: String,
}

/// A file that is given as the value of a variable, as it came.
#[derive(Debug)]
pub(in crate::api) struct FileText {
    pub(in crate::api) name: String,
    pub(in crate::api) content_base64: SecretString,
}

/// The same, read.
#[derive(Debug)]
pub(super) struct GivenFile {
    /// One plain part of a path.
    pub(super) name: String,
    pub(super) content: SecretBox<Vec<u8>>,
}

/// What was asked for, as it came.
#[derive(Debug, Default)]
pub(in crate::api) struct LaunchRequest {
    pub(in crate::api) name: Option<String>,
    pub(in crate::api) description: Option<String>,
    pub(in crate::api) playbook: Option<String>,
    pub(in crate::api) command: Option<ModuleCommand>,
    pub(in crate::api) version_id: Option<VersionId>,
    pub(in crate::api) acknowledge: bool,
    pub(in crate::api) server_ids: Option<Vec<ServerId>>,
    pub(in crate::api) tags: Option<Vec<String>>,
    pub(in crate::api) all: Option<bool>,
    pub(in crate::api) variables: Map<String, Value>,
    pub(in crate::api) secret_variables: BTreeMap<String, SecretString>,
    pub(in crate::api) environment_id: Option<EnvironmentId>,
    pub(in crate::api) preset_id: Option<PresetId>,
    pub(in crate::api) files: BTreeMap<String, FileText>,
    pub(in crate::api) options: Option<DeploymentOptions>,
}

/// What was asked for, as far as that can be judged without looking anywhere.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    /// Of a command the one that stands for all of them.
    pub(super) playbook: PlaybookId,
    pub(super) command: Option<ModuleCommand>,
    pub(super) version_id: Option<VersionId>,
    pub(super) acknowledge: bool,
    /// Without one there is an error among those that [`examine`] returns.
    pub(super) target: Option<Target>,
    pub(super) variables: Map<String, Value>,
    pub(super) secret_variables: BTreeMap<String, SecretString>,
    pub(super) environment_id: Option<EnvironmentId>,
    pub(super) preset_id: Option<PresetId>,
    pub(super) files: BTreeMap<String, GivenFile>,
    /// `None`: as the preset says.
    pub(super) options: Option<DeploymentOptions>,
}

/// What can be judged without looking anywhere; the first thing that is wrong ends it.
pub(super) fn check(request: LaunchRequest) -> Result<Checked, Invalid> {
    let (checked, errors) = examine(request)?;
    if errors.is_empty() {
        Ok(checked)
    } else {
        Err(Invalid { errors })
    }
}

/// What can be judged without looking anywhere, and what is wrong. Fails when not even the playbook can be told.
pub(super) fn examine(request: LaunchRequest) -> Result<(Checked, Vec<FieldError>), Invalid> {
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
    let playbook = check_playbook(&mut validator, request.playbook.as_deref(), request.command.is_some());
    let target = check_target(&mut validator, request.server_ids, request.tags, request.all);
    check_variables(&mut validator, &request.variables, &request.secret_variables);
    let files = check_files(
        &mut validator,
        request.files,
        &request.variables,
        &request.secret_variables,
    );
    if let Some(options) = &request.options {
        check_options(&mut validator, options);
    }
    let errors = validator.finish().err().map_or_else(Vec::new, |invalid| invalid.errors);
    let Some(playbook) = playbook else {
        return Err(Invalid { errors });
    };
    let checked = Checked {
        name,
        description: request.description.filter(|text| !text.trim().is_empty()),
        playbook,
        command: request.command,
        version_id: request.version_id,
        acknowledge: request.acknowledge,
        target,
        variables: request.variables,
        secret_variables: request.secret_variables,
        environment_id: request.environment_id,
        preset_id: request.preset_id,
        files,
        options: request.options,
    };
    Ok((checked, errors))
}

/// The playbook that is named, or the one that stands for commands.
fn check_playbook(validator: &mut Validator, playbook: Option<&str>, is_command: bool) -> Option<PlaybookId> {
    let found = match playbook {
        Some(_) if is_command => {
            validator.error("command", "cannot be given together with a playbook");
            return None;
        }
        Some(id) => id.parse().ok(),
        None if is_command => adhoc::id(),
        None => {
            validator.error("playbook", "is required, unless there is a command");
            return None;
        }
    };
    validator.check(
        found.is_some(),
        "playbook",
        "must be the id of a playbook of the library, such as builtin/ping.yml",
    );
    found
}

/// Notes what is wrong with options, wherever they come from.
pub(in crate::api) fn check_options(validator: &mut Validator, options: &DeploymentOptions) {
    options.validate(validator);
    if let Some(limit) = &options.limit {
        check_limit(validator, limit);
    }
}

/// Reports a limit that would make Ansible do something other than choose hosts.
pub(super) fn check_limit(validator: &mut Validator, limit: &str) {
    validator.check(
        !limit.trim_start().starts_with('-'),
        "options.limit",
        "must be a host pattern, which cannot begin with `-`",
    );
    validator.check(
        !limit::may_read_file(limit),
        "options.limit",
        "must not hold @FILE, because Ansible would read that file on the controller: name the hosts themselves. In the name of a host, \
         @ must follow a letter or a digit",
    );
}

fn check_files(
    validator: &mut Validator,
    files: BTreeMap<String, FileText>,
    variables: &Map<String, Value>,
    secret_variables: &BTreeMap<String, SecretString>,
) -> BTreeMap<String, GivenFile> {
    validator.check(files.len() <= MAX_FILES, "files", "must be at most 10");
    let mut read = BTreeMap::new();
    for (variable, file) in files {
        let field = format!("files.{variable}");
        if let Some(reason) = variable_names::refuse_in_deployment(&variable) {
            validator.error(&field, reason);
            continue;
        }
        let is_free = !variables.contains_key(&variable) && !secret_variables.contains_key(&variable);
        validator.check(is_free, &field, "is given among the variables as well");
        validator.check(
            is_file_name(&file.name),
            &format!("{field}.name"),
            "must be the name of a file: one part of a path, of 1 to 255 bytes, without control characters",
        );
        match STANDARD.decode(file.content_base64.expose_secret()) {
            Ok(content) if content.len() <= MAX_FILE_BYTES => {
                let given = GivenFile {
                    name: file.name,
                    content: SecretBox::new(Box::new(content)),
                };
                read.insert(variable, given);
            }
            Ok(_) => validator.error(field, format!("must be at most {MAX_FILE_BYTES} bytes")),
            Err(_) => validator.error(format!("{field}.content_base64"), "is not base64"),
        }
    }
    read
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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn limits_that_are_not_host_patterns_are_refused() {
        for (limit, is_taken) in [
            ("web:!db", true),
            ("all:h1 @/etc/passwd", false),
            ("--version", false),
            (" -i x", false),
        ] {
            let mut validator = Validator::new();
            check_limit(&mut validator, limit);
            assert_eq!(validator.finish().is_ok(), is_taken, "{limit:?}");
        }
    }

    #[test]
    fn exactly_one_target() {
        let id = Uuid::from_u128(1);
        let request = |server_ids: Option<Vec<Uuid>>, tags: Option<Vec<String>>, all| LaunchRequest {
            playbook: Some("builtin/ping.yml".into()),
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
            Ok(Some(Target::ServerIds { server_ids: vec![id] }))
        );
        assert_eq!(fields(request(None, None, Some(true))), Ok(Some(Target::All)));
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
