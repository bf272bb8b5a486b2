//! `POST /api/deployments`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        launch::{self, LaunchRequest},
        problem::Problem,
    },
    auth::policy::Action,
    domain::deployment::{Deployment, DeploymentOptions},
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// What to carry out, and where: exactly one of `server_ids`, `tags` and `all`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDeployment {
    /// For people; the playbook's name when left out.
    name: Option<String>,
    /// For people.
    description: Option<String>,
    /// The playbook's id in the library: `builtin/ping.yml`.
    playbook: String,
    /// A version of the playbook's package; the current one when left out.
    version_id: Option<Uuid>,
    /// Accepts what was found in a custom version that nobody has accepted yet.
    #[serde(default)]
    acknowledge: bool,
    /// These servers.
    server_ids: Option<Vec<Uuid>>,
    /// Active servers that have all of these tags.
    tags: Option<Vec<String>>,
    /// All active servers.
    all: Option<bool>,
    /// Extra variables. Strings are taken as they are, never as templates.
    #[serde(default)]
    #[schema(value_type = Object)]
    variables: Map<String, Value>,
    /// Extra variables whose values are kept sealed and never shown.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    secret_variables: BTreeMap<String, SecretText>,
    /// Options of `ansible-playbook`.
    #[serde(default)]
    options: DeploymentOptions,
}

/// A text that is wiped after use and shows in no log.
#[derive(Debug)]
pub struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

/// Launches a deployment: everything is checked and frozen now, and nothing of it fails later that could have been refused here.
#[utoipa::path(
    post, path = "/api/deployments", tag = "deployments", request_body = CreateDeployment,
    responses(
        (status = 201, body = Deployment),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`review_required`: `findings` of a custom version have to be acknowledged", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field was refused; nothing was launched", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_deployment(
    actor: Actor,
    State(state): State<AppState>,
    JsonBody(body): JsonBody<CreateDeployment>,
) -> Result<(StatusCode, Json<Deployment>), Problem> {
    actor.require(Action::Launch)?;
    let request = LaunchRequest {
        name: body.name,
        description: body.description,
        playbook: body.playbook,
        version_id: body.version_id,
        acknowledge: body.acknowledge,
        server_ids: body.server_ids,
        tags: body.tags,
        all: body.all,
        variables: body.variables,
        secret_variables: body
            .secret_variables
            .into_iter()
            .map(|(name, SecretText(value))| (name, value))
            .collect(),
        options: body.options,
    };
    let deployment = launch::launch(&state, &actor, request).await?;
    Ok((StatusCode::CREATED, Json(deployment)))
}
