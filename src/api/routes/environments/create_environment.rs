//! `POST /api/environments`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
        variable_set::{VariableSet, check_description, check_name},
    },
    auth::policy::Action,
    domain::{clock::new_id, validation::Validator, variable_set::Environment},
    store::{
        StoreError,
        environments::{self, StoredEnvironment},
    },
    vault::RowIdentity,
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An environment to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEnvironment {
    /// Unique; 1 to 100 characters.
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
}

/// Makes an environment.
#[utoipa::path(
    post, path = "/api/environments", tag = "environments", request_body = CreateEnvironment,
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 201, body = Environment),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn create_environment(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateEnvironment>,
) -> Result<(StatusCode, Json<Environment>), Problem> {
    let mut validator = Validator::new();
    let name = check_name(&mut validator, &body.name);
    let description = check_description(&mut validator, body.description);
    let set = VariableSet {
        variables: body.variables,
        secret_variables: body.secret_variables,
    };
    set.check(&mut validator);
    validator.finish()?;
    let id = new_id();
    let (sealed, names) = set.seal(&state.vault, RowIdentity::environment_variables(id))?;
    let mut transaction = state.database.begin().await?;
    let made = environments::insert_environment(
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
    let entry = actor.entry("environment.create").object(id).after(&made);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(made)))
}
