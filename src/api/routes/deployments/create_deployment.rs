//! `POST /api/deployments`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        launch::{self, FileText, LaunchRequest, ModuleCommand},
        problem::Problem,
    },
    auth::policy::Action,
    domain::deployment::{Deployment, DeploymentOptions},
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
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
    /// The playbook's id in the library: `builtin/ping.yml`. Either this or `command`.
    playbook: Option<String>,
    /// A module to run in place of a playbook.
    command: Option<CreateCommand>,
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
    secret_variables: BTreeMap<String, SecretString>,
    /// Files, by the variables that are their paths while a run goes on. Ten at most, each of 262144 bytes at most.
    #[serde(default)]
    files: BTreeMap<String, FileAnswer>,
    /// An environment whose variables hold where nothing else says otherwise.
    environment_id: Option<Uuid>,
    /// A preset of the playbook.
    preset_id: Option<Uuid>,
    /// Options of `ansible-playbook`; as the preset says when left out, and else the defaults.
    options: Option<DeploymentOptions>,
}

/// A file that is given as the value of a variable.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileAnswer {
    /// What it is called in the run's folder: one part of a path.
    name: String,
    /// What is in it.
    #[schema(value_type = String)]
    content_base64: SecretString,
}

/// A module and its arguments.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCommand {
    /// Its name: `ping`, `ansible.builtin.command`.
    module: String,
    /// As `ansible -a` takes them; templates are evaluated for each host.
    #[serde(default)]
    arguments: String,
}

impl From<CreateDeployment> for LaunchRequest {
    fn from(body: CreateDeployment) -> Self {
        Self {
            name: body.name,
            description: body.description,
            playbook: body.playbook,
            command: body.command.map(|command| ModuleCommand {
                module: command.module,
                arguments: command.arguments,
            }),
            version_id: body.version_id,
            acknowledge: body.acknowledge,
            server_ids: body.server_ids,
            tags: body.tags,
            all: body.all,
            variables: body.variables,
            secret_variables: body.secret_variables,
            files: body
                .files
                .into_iter()
                .map(|(variable, file)| {
                    let text = FileText {
                        name: file.name,
                        content_base64: file.content_base64,
                    };
                    (variable, text)
                })
                .collect(),
            environment_id: body.environment_id,
            preset_id: body.preset_id,
            options: body.options,
        }
    }
}

/// Launches a deployment: everything is checked and frozen now, and nothing of it fails later that could have been refused here.
#[utoipa::path(
    post, path = "/api/deployments", tag = "deployments", request_body = CreateDeployment,
    extensions(("x-permission" = json!(Action::Launch))),
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
    let deployment = launch::launch(&state, &actor, body.into()).await?;
    Ok((StatusCode::CREATED, Json(deployment)))
}
