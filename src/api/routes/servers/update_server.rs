//! `PATCH /api/servers/{id}`.

use super::checked;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path, present},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        ServerId,
        server::{Server, ServerStatus},
    },
    inventory::validation::ServerInput,
    store::{StoreError, servers},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Changes to a server; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::option_option,
    reason = "null takes a value away, a field that is not there leaves it"
)]
pub struct UpdateServer {
    /// The name in Ansible's inventory; unique.
    hostname: Option<String>,
    /// A name for people.
    name: Option<String>,
    /// Address or DNS name. Another address does not change which host keys are trusted.
    ssh_host: Option<String>,
    /// 1 to 65535.
    ssh_port: Option<i32>,
    /// The user SSH signs in as.
    ssh_username: Option<String>,
    /// Free labels, all of them.
    tags: Option<Vec<String>>,
    /// Null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    distro: Option<Option<String>>,
    /// Null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    architecture: Option<Option<String>>,
    /// Whether deployments may target it.
    status: Option<ServerStatus>,
    /// Host variables, all of them.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// The key SSH uses; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<uuid::Uuid>)]
    private_key_id: Option<Option<uuid::Uuid>>,
}

/// Changes a server.
#[utoipa::path(
    patch, path = "/api/servers/{id}", tag = "servers", request_body = UpdateServer, params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 200, body = Server),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such server", body = Problem),
        (status = 409, description = "The hostname is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn update_server(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<ServerId>,
    JsonBody(body): JsonBody<UpdateServer>,
) -> Result<Json<Server>, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = servers::lock_server(&mut transaction, id).await?;
    let old = before.clone();
    let private_key_id = body.private_key_id.unwrap_or(old.private_key.map(|key| key.id));
    let input = ServerInput {
        hostname: body.hostname.unwrap_or(old.hostname),
        name: Some(body.name.unwrap_or(old.name)),
        ssh_host: body.ssh_host.unwrap_or(old.ssh_host),
        ssh_port: body.ssh_port.unwrap_or(old.ssh_port),
        ssh_username: body.ssh_username.unwrap_or(old.ssh_username),
        tags: body.tags.unwrap_or(old.tags),
        distro: body.distro.unwrap_or(old.distro),
        architecture: body.architecture.unwrap_or(old.architecture),
        status: body.status.unwrap_or(old.status),
        metadata: body.metadata.unwrap_or(old.metadata),
    };
    let values = checked(&mut transaction, input, private_key_id).await?;
    let after = servers::update_server(&mut transaction, id, &values).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("server.update").object(id).before(&before).after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
