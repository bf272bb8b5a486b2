//! `POST /api/presets`.

use super::PlaybookQuery;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Query},
        launch::{check_options, launcher},
        problem::Problem,
        variable_set::{VariableSet, check_description, check_name},
    },
    auth::policy::Action,
    domain::{
        clock::new_id,
        deployment::DeploymentOptions,
        validation::{Invalid, Validator},
        variable_set::Preset,
    },
    store::{
        StoreError,
        presets::{self, StoredPreset},
    },
    vault::RowIdentity,
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A preset to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePreset {
    /// The playbook's id, unless the address names it.
    playbook: Option<String>,
    /// Unique among the playbook's presets; 1 to 100 characters.
    name: String,
    /// For people.
    description: Option<String>,
    /// Its variables.
    #[serde(default)]
    #[schema(value_type = Object)]
    variables: Map<String, Value>,
    /// Its secret variables, which are kept sealed and never shown.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    secret_variables: BTreeMap<String, SecretString>,
    /// What holds for a launch that says nothing about options.
    #[serde(default)]
    options: DeploymentOptions,
}

/// Makes a preset.
#[utoipa::path(
    post, path = "/api/presets", tag = "presets", request_body = CreatePreset, params(PlaybookQuery),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 201, body = Preset),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn create_preset(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<PlaybookQuery>,
    JsonBody(body): JsonBody<CreatePreset>,
) -> Result<(StatusCode, Json<Preset>), Problem> {
    let query = PlaybookQuery {
        playbook: query.playbook.or(body.playbook),
    };
    let playbook = query.id()?.ok_or_else(|| Invalid::field("playbook", "is required"))?;
    let mut validator = Validator::new();
    let name = check_name(&mut validator, &body.name);
    let description = check_description(&mut validator, body.description);
    let set = VariableSet {
        variables: body.variables,
        secret_variables: body.secret_variables,
    };
    set.check(&mut validator);
    check_options(&mut validator, &body.options);
    validator.finish()?;
    let id = new_id();
    let (sealed, names) = set.seal(&state.vault, RowIdentity::preset_variables(id))?;
    state.refresh_library().await?;
    let mut transaction = state.database.begin().await?;
    let made = presets::insert_preset(
        &mut transaction,
        &playbook,
        &StoredPreset {
            id,
            name,
            description: description.as_deref(),
            variables: &set.variables,
            secret_variable_names: &names,
            sealed_variables: sealed.as_deref(),
            options: &body.options,
        },
        &launcher(&actor),
    )
    .await
    .map_err(|error| match error {
        StoreError::NotFound(_) => Invalid::field("playbook", "is not in the library").into(),
        error => Problem::from(error),
    })?;
    let entry = actor.entry("preset.create").object(id).after(&made);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(made)))
}
