//! `PATCH /api/presets/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path, present},
        launch::check_options,
        problem::Problem,
        sealed::open_variables,
        variable_set::{VariableSet, check_description, check_name, require_unchanged},
    },
    auth::policy::Action,
    domain::{PresetId, deployment::DeploymentOptions, validation::Validator, variable_set::Preset},
    store::{
        StoreError,
        presets::{self, StoredPreset},
    },
    vault::RowIdentity,
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Changes to a preset; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePreset {
    /// Unique among the playbook's presets; 1 to 100 characters.
    name: Option<String>,
    /// For people; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    #[expect(clippy::option_option, reason = "null takes it away, and leaving it out leaves it")]
    description: Option<Option<String>>,
    /// The `updated_at` that the change is made on; with another one now, nothing is changed (409 `conflict`).
    base_updated_at: Option<DateTime<Utc>>,
    /// All its variables from now on.
    #[schema(value_type = Option<Object>)]
    variables: Option<Map<String, Value>>,
    /// Secret variables to be set, or with null to be taken away; the others stay.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Option<String>>)]
    secret_variables: BTreeMap<String, Option<SecretString>>,
    /// All its options from now on.
    options: Option<DeploymentOptions>,
}

/// Changes a preset. Deployments that were launched keep what they have.
#[utoipa::path(
    patch, path = "/api/presets/{id}", tag = "presets", request_body = UpdatePreset,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = Preset),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such preset", body = Problem),
        (status = 409, description = "The name is taken, or somebody else changed it in the meantime", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn update_preset(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PresetId>,
    JsonBody(body): JsonBody<UpdatePreset>,
) -> Result<Json<Preset>, Problem> {
    let row = RowIdentity::preset_variables(id);
    let mut transaction = state.database.begin().await?;
    let (before, sealed) = presets::lock_preset(&mut transaction, id).await?;
    require_unchanged(body.base_updated_at, before.updated_at)?;
    let mut validator = Validator::new();
    let name = check_name(&mut validator, body.name.as_deref().unwrap_or(&before.name));
    let description = match body.description {
        Some(description) => check_description(&mut validator, description),
        None => before.description.clone(),
    };
    let set = VariableSet {
        variables: before.variables.clone(),
        secret_variables: open_variables(&state.vault, sealed.as_deref(), row)?,
    };
    let set = set.change(body.variables, body.secret_variables);
    set.check(&mut validator);
    let options = body.options.unwrap_or_else(|| before.options.clone());
    check_options(&mut validator, &options);
    validator.finish()?;
    let (sealed, names) = set.seal(&state.vault, row)?;
    let after = presets::update_preset(
        &mut transaction,
        &StoredPreset {
            id,
            name,
            description: description.as_deref(),
            variables: &set.variables,
            secret_variable_names: &names,
            sealed_variables: sealed.as_deref(),
            options: &options,
        },
    )
    .await?;
    let entry = actor.entry("preset.update").object(id).before(&before).after(&after);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
