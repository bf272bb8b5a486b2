//! A launch's variables, gathered: environment, preset, what is given, and the playbook's form over all of it.

use super::{
    request::{Checked, GivenFile},
    variables::{Layer, Merged, merge},
};
use crate::{
    api::{AppState, problem::Problem, sealed},
    domain::form::FormSource,
    domain::{
        DeploymentId,
        deployment::{DeploymentOptions, VariableSource},
        finding::Finding,
        playbook::PlaybookFile,
        validation::FieldError,
    },
    inventory::extra_vars,
    playbooks::form::{self, EffectiveForm},
    store::{Connection, StoreError, deployments::DeploymentInputs, environments, presets, servers},
    vault::RowIdentity,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// Everything that a launch's variables come from.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The variables.
    pub(super) merged: Merged,
    /// The environment's name.
    pub(super) environment: Option<String>,
    /// The preset's name.
    pub(super) preset: Option<String>,
    /// What was asked for, else what the preset says, else the defaults.
    pub(super) options: DeploymentOptions,
    /// What is wrong with the form's own file.
    pub(super) form_faults: Vec<Finding>,
}

/// Gathers the variables of a launch of the playbook at `entry_path` among `files`. What is wrong is among the result's errors.
pub(super) async fn gather(
    state: &AppState,
    connection: &mut Connection,
    checked: &Checked,
    files: &[PlaybookFile],
    entry_path: &str,
) -> Result<Inputs, Problem> {
    let mut layers = Vec::new();
    let mut errors = Vec::new();
    let mut environment = None;
    if let Some(id) = checked.environment_id {
        match environments::get_environment(connection, id).await {
            Ok((found, sealed)) => {
                let row = RowIdentity::environment_variables(id);
                layers.push(Layer {
                    source: VariableSource::Environment,
                    variables: found.variables,
                    secret_variables: sealed::open_variables(&state.vault, sealed.as_deref(), row)?,
                    files: BTreeMap::new(),
                });
                environment = Some(found.name);
            }
            Err(StoreError::NotFound(_)) => errors.push(error("environment_id", "names no environment")),
            Err(error) => return Err(error.into()),
        }
    }
    let (mut preset, mut preset_options) = (None, None);
    if let Some(id) = checked.preset_id {
        match presets::get_preset(connection, id).await {
            Ok((found, sealed)) if found.playbook == checked.playbook.to_string() => {
                let row = RowIdentity::preset_variables(id);
                layers.push(Layer {
                    source: VariableSource::Preset,
                    variables: found.variables,
                    secret_variables: sealed::open_variables(&state.vault, sealed.as_deref(), row)?,
                    files: BTreeMap::new(),
                });
                preset = Some(found.name);
                preset_options = Some(found.options);
            }
            Ok(_) | Err(StoreError::NotFound(_)) => {
                errors.push(error("preset_id", "names no preset of this playbook"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    layers.push(Layer {
        source: VariableSource::Launch,
        variables: checked.variables.clone(),
        secret_variables: checked.secret_variables.clone(),
        files: checked
            .files
            .iter()
            .map(|(name, file)| (name.clone(), file.content.expose_secret().len()))
            .collect(),
    });
    let mut merged = merge(layers);
    merged.errors.append(&mut errors);
    let form_faults = apply_playbook(connection, &mut merged, files, entry_path).await?;
    merged.hide_passwords();
    judge_whole(&mut merged);
    Ok(Inputs {
        merged,
        environment,
        preset,
        options: checked.options.clone().or(preset_options).unwrap_or_default(),
        form_faults,
    })
}

async fn apply_playbook(
    connection: &mut Connection,
    merged: &mut Merged,
    files: &[PlaybookFile],
    entry_path: &str,
) -> Result<Vec<Finding>, Problem> {
    let prompts = form::prompts(files, entry_path);
    let EffectiveForm {
        source,
        path,
        form,
        errors,
        ..
    } = form::effective(files, entry_path);
    // A draft suggests, and binds nothing but what the playbook asks for.
    let form = form.filter(|_| source == FormSource::File);
    if let Some(form) = &form {
        let named = merged.named_servers(form);
        let known: BTreeSet<String> = if named.is_empty() {
            BTreeSet::new()
        } else {
            servers::find_hostnames(connection, &named).await?.into_iter().collect()
        };
        merged.apply_form(form, &|name| known.contains(name));
    }
    if let Some(first) = errors.first() {
        let line = first.line.map(|line| format!(", line {line}")).unwrap_or_default();
        merged.errors.push(error(
            "playbook",
            format!("its form cannot be used: {path}{line}: {}", first.message),
        ));
    } else {
        merged.apply_prompts(&prompts, form.as_ref());
    }
    Ok(errors)
}

/// Each part was judged when it was stored or sent; together they may be too much.
fn judge_whole(merged: &mut Merged) {
    let judged = [
        extra_vars::validate_variables(&merged.plain()),
        extra_vars::validate_secret_variables(&merged.secret()),
    ];
    for found in judged
        .into_iter()
        .filter_map(Result::err)
        .flat_map(|invalid| invalid.errors)
    {
        if merged.errors.iter().all(|known| known.field != found.field) {
            merged.errors.push(found);
        }
    }
}

fn error(field: &str, message: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message: message.into(),
    }
}

impl Inputs {
    /// What is stored with the deployment `id`. `files` are those of the launch; the ones that were left out are not stored.
    pub(super) fn seal(
        self,
        state: &AppState,
        id: DeploymentId,
        files: &BTreeMap<String, GivenFile>,
    ) -> Result<DeploymentInputs, Problem> {
        let file_names = self.merged.file_names();
        let kept = files.iter().filter(|(name, _)| file_names.contains(name));
        Ok(DeploymentInputs {
            sources: self.merged.sources(),
            sealed_files: seal_files(state, kept, id)?,
            file_names,
            environment: self.environment,
            preset: self.preset,
            warnings: self.merged.warnings,
        })
    }
}

/// As the worker reads it: `{"NAME": {"name": FILE NAME, "content_base64": …}}`.
fn seal_files<'a>(
    state: &AppState,
    files: impl Iterator<Item = (&'a String, &'a GivenFile)>,
    id: DeploymentId,
) -> Result<Option<Vec<u8>>, Problem> {
    #[derive(serde::Serialize)]
    struct Stored<'a> {
        name: &'a str,
        content_base64: &'a str,
    }
    let encoded: Vec<(&str, &str, Zeroizing<String>)> = files
        .map(|(variable, file)| {
            let content = Zeroizing::new(STANDARD.encode(file.content.expose_secret()));
            (variable.as_str(), file.name.as_str(), content)
        })
        .collect();
    if encoded.is_empty() {
        return Ok(None);
    }
    let stored: BTreeMap<&str, Stored<'_>> = encoded
        .iter()
        .map(|(variable, name, content)| {
            (
                *variable,
                Stored {
                    name,
                    content_base64: content,
                },
            )
        })
        .collect();
    let text = serde_json::to_vec(&stored)
        .map(Zeroizing::new)
        .map_err(|error| Problem::internal(&error))?;
    state
        .vault
        .seal(&text, RowIdentity::deployment_files(id))
        .map(Some)
        .map_err(|error| Problem::internal(&error))
}
