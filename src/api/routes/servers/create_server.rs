//! `POST /api/servers`.

use super::checked;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        clock::new_id,
        server::{Server, ServerStatus},
    },
    inventory::validation::ServerInput,
    store::{StoreError, servers},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A new server.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateServer {
    /// The name in Ansible's inventory; unique.
    hostname: String,
    /// A name for people; the hostname when not said.
    name: Option<String>,
    /// Address or DNS name.
    ssh_host: String,
    /// 1 to 65535.
    #[serde(default = "default_port")]
    #[schema(default = 22)]
    ssh_port: i32,
    /// The user SSH signs in as.
    #[serde(default = "default_username")]
    #[schema(default = "root")]
    ssh_username: String,
    /// Free labels.
    #[serde(default)]
    tags: Vec<String>,
    /// Such as `Ubuntu 22.04`.
    distro: Option<String>,
    /// Such as `x86_64`.
    architecture: Option<String>,
    /// `active` when not said.
    status: Option<ServerStatus>,
    /// Host variables.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The key SSH uses.
    private_key_id: Option<uuid::Uuid>,
}

fn default_port() -> i32 {
    22
}

fn default_username() -> String {
    "root".to_owned()
}

/// Registers a server.
#[utoipa::path(
    post, path = "/api/servers", tag = "servers", request_body = CreateServer,
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 201, body = Server),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 409, description = "The hostname is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn create_server(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateServer>,
) -> Result<(StatusCode, Json<Server>), Problem> {
    let private_key_id = body.private_key_id;
    let input = ServerInput {
        hostname: body.hostname,
        name: body.name,
        ssh_host: body.ssh_host,
        ssh_port: body.ssh_port,
        ssh_username: body.ssh_username,
        tags: body.tags,
        distro: body.distro,
        architecture: body.architecture,
        status: body.status.unwrap_or(ServerStatus::Active),
        metadata: body.metadata,
    };
    let mut transaction = state.database.begin().await?;
    let values = checked(&mut transaction, input, private_key_id).await?;
    let server = servers::insert_server(&mut transaction, new_id(), &values).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("server.create").object(server.id).after(&server),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(server)))
}
