//! `PATCH /api/environments/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path, present},
        problem::Problem,
        sealed::open_variables,
        variable_set::{VariableSet, check_description, check_name, require_unchanged},
    },
    auth::policy::Action,
    domain::{EnvironmentId, validation::Validator, variable_set::Environment},
    store::{
        StoreError,
        environments::{self, StoredEnvironment},
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

/// Changes to an environment; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateEnvironment {
    /// Unique; 1 to 100 characters.
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
}

/// Changes an environment. Deployments that were launched keep what they have.
#[utoipa::path(
    patch, path = "/api/environments/{id}", tag = "environments", request_body = UpdateEnvironment,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = Environment),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such environment", body = Problem),
        (status = 409, description = "The name is taken, or somebody else changed it in the meantime", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn update_environment(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<EnvironmentId>,
    JsonBody(body): JsonBody<UpdateEnvironment>,
) -> Result<Json<Environment>, Problem> {
    let row = RowIdentity::environment_variables(id);
    let mut transaction = state.database.begin().await?;
    let (before, sealed) = environments::lock_environment(&mut transaction, id).await?;
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
    validator.finish()?;
    let (sealed, names) = set.seal(&state.vault, row)?;
    let after = environments::update_environment(
        &mut transaction,
        &StoredEnvironment {
            id,
            name,
            description: description.as_deref(),
            variables: &set.variables,
            secret_variable_names: &names,
            sealed_variables: sealed.as_deref(),
        },
    )
    .await?;
    let entry = actor
        .entry("environment.update")
        .object(id)
        .before(&before)
        .after(&after);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
