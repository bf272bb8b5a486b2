//! `POST /api/servers/import`.

use super::values;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
        routes::keys::import_key,
    },
    auth::policy::Action,
    domain::{PrivateKeyId, clock::new_id, server::Server, text_enum::text_enum, validation::Invalid},
    inventory::{
        import::{self, ImportedHost},
        validation::{ServerInput, TAGS_LIMIT},
    },
    store::{Connection, StoreError, keys, servers},
};
use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Longest inventory, in bytes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// Most hosts that are imported at once.
const MAX_HOSTS: usize = 20_000;

/// An inventory to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportServers {
    /// What `ansible-inventory --list` prints.
    #[schema(value_type = Object)]
    inventory: Map<String, Value>,
    /// The user SSH signs in as on hosts that name none; `root` when left out.
    default_username: Option<String>,
    /// The key of hosts that name none.
    default_private_key_id: Option<Uuid>,
    /// Private keys that the inventory names by their path.
    #[serde(default)]
    keys: Vec<ImportKey>,
    /// Only says what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// A private key that an inventory names.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportKey {
    /// As the inventory names it.
    pub path: String,
    /// What it is called here, if it is not there already.
    pub name: String,
    /// The file's content.
    #[schema(value_type = String, format = Password)]
    pub private_key: SecretString,
    /// What it is encrypted under.
    #[schema(value_type = Option<String>, format = Password)]
    pub passphrase: Option<SecretString>,
}

text_enum! {
    /// What becomes of a host or a key of an inventory.
    ImportAction {
        /// It is new here.
        Created = "created",
        /// It was here and differs.
        Changed = "changed",
        /// It was here and is the same.
        Unchanged = "unchanged",
        /// It cannot be taken over.
        Skipped = "skipped",
    }
}

/// What becomes of one host.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportedServer {
    /// Its name in the inventory.
    pub hostname: String,
    /// What becomes of it.
    pub action: ImportAction,
    /// Names of the fields that differ from what was here.
    pub changes: Vec<String>,
    /// Why it is skipped, and what of it is left out.
    pub notes: Vec<String>,
}

/// What becomes of one key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportedKey {
    /// Its path in the inventory.
    pub path: String,
    /// What it is called here.
    pub name: String,
    /// What becomes of it.
    pub action: ImportAction,
    /// Why it is skipped.
    pub note: Option<String>,
}

/// What became of an inventory, or would.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// Nothing was done.
    pub dry_run: bool,
    /// By hostname.
    pub servers: Vec<ImportedServer>,
    /// In the order given.
    pub keys: Vec<ImportedKey>,
}

/// The endpoint, which takes larger bodies than others.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(import_servers))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// Takes an inventory over: all that can be, or nothing when something goes wrong.
#[utoipa::path(
    post, path = "/api/servers/import", tag = "servers", request_body = ImportServers,
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 200, body = ImportReport),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn import_servers(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<ImportServers>,
) -> Result<Json<ImportReport>, Problem> {
    let default_username = body.default_username.as_deref().unwrap_or("root");
    let hosts = import::read(&body.inventory, default_username)
        .map_err(|error| Invalid::field("inventory", error.to_string()))?;
    if hosts.len() > MAX_HOSTS {
        return Err(Invalid::field("inventory", "must hold at most 20000 hosts").into());
    }
    let mut transaction = state.database.begin().await?;
    if let Some(id) = body.default_private_key_id {
        keys::get_key(&mut transaction, id).await.map_err(|error| match error {
            StoreError::NotFound(_) => Invalid::field("default_private_key_id", "names no key").into(),
            other => Problem::from(other),
        })?;
    }
    let mut report = ImportReport {
        dry_run: body.dry_run,
        servers: Vec::with_capacity(hosts.len()),
        keys: Vec::new(),
    };
    let mut of_paths: BTreeMap<String, PrivateKeyId> = BTreeMap::new();
    for key in body.keys {
        let path = key.path.clone();
        let (id, told) = import_key(&mut transaction, &state, &actor, key).await?;
        report.keys.push(told);
        if let Some(id) = id {
            of_paths.insert(path, id);
        }
    }
    let known: BTreeMap<String, Server> = servers::list_all_servers(&mut transaction)
        .await?
        .into_iter()
        .map(|server| (server.hostname.clone(), server))
        .collect();
    for host in hosts {
        let before = known.get(&host.input.hostname);
        let key = match &host.key_path {
            Some(path) => of_paths.get(path).copied(),
            None => body.default_private_key_id,
        };
        report
            .servers
            .push(import_host(&mut transaction, &actor, host, before, key).await?);
    }
    if !body.dry_run {
        transaction.commit().await.map_err(StoreError::from)?;
    }
    Ok(Json(report))
}

async fn import_host(
    connection: &mut Connection,
    actor: &Actor,
    host: ImportedHost,
    before: Option<&Server>,
    key: Option<PrivateKeyId>,
) -> Result<ImportedServer, Problem> {
    let mut told = ImportedServer {
        hostname: host.input.hostname.clone(),
        action: ImportAction::Skipped,
        changes: Vec::new(),
        notes: host.notes,
    };
    if let Some(reason) = host.skipped {
        told.notes.insert(0, reason);
        return Ok(told);
    }
    if let Some(path) = &host.key_path
        && key.is_none()
    {
        told.notes.push(format!(
            "its private key {path} could not be read; give it one afterwards"
        ));
    }
    let mut input = match before {
        Some(before) => merged(before, host.input, host.has_user, &host.left_out),
        None => host.input,
    };
    if let Some(too_many) = input.tags.get(TAGS_LIMIT..).filter(|tags| !tags.is_empty()) {
        told.notes.push(format!(
            "a server has at most {TAGS_LIMIT} tags; left out: {}",
            too_many.join(", ")
        ));
        input.tags.truncate(TAGS_LIMIT);
    }
    if let Err(invalid) = input.validate() {
        told.notes.insert(0, invalid.to_string());
        return Ok(told);
    }
    let key = key.or(before.and_then(|before| before.private_key.as_ref().map(|key| key.id)));
    let values = values(input, key);
    let Some(before) = before else {
        let server = servers::insert_server(connection, new_id(), &values).await?;
        actor
            .record(
                connection,
                actor.entry("server.create").object(server.id).after(&server),
            )
            .await?;
        told.action = ImportAction::Created;
        return Ok(told);
    };
    told.changes = differences(before, &values);
    if told.changes.is_empty() {
        told.action = ImportAction::Unchanged;
        return Ok(told);
    }
    let after = servers::update_server(connection, before.id, &values).await?;
    let entry = actor
        .entry("server.update")
        .object(before.id)
        .before(before)
        .after(&after);
    actor.record(connection, entry).await?;
    told.action = ImportAction::Changed;
    Ok(told)
}

/// The server with what the inventory says; what it does not speak of stays, but for what is left out now and was not once.
fn merged(
    before: &Server,
    new: ServerInput,
    has_user: bool,
    left_out: &BTreeMap<String, Option<Value>>,
) -> ServerInput {
    let mut tags = before.tags.clone();
    tags.extend(new.tags.into_iter().filter(|tag| !before.tags.contains(tag)));
    let mut metadata = before.metadata.clone();
    metadata.retain(|name, value| match left_out.get(name) {
        Some(Some(template)) => template != value,
        Some(None) => false,
        None => true,
    });
    metadata.extend(new.metadata);
    ServerInput {
        name: Some(before.name.clone()),
        ssh_username: if has_user {
            new.ssh_username
        } else {
            before.ssh_username.clone()
        },
        tags,
        distro: before.distro.clone(),
        architecture: before.architecture.clone(),
        status: before.status,
        metadata,
        ..new
    }
}

fn differences(before: &Server, after: &servers::ServerValues) -> Vec<String> {
    let key = before.private_key.as_ref().map(|key| key.id);
    [
        ("ssh_host", before.ssh_host != after.ssh_host),
        ("ssh_port", before.ssh_port != after.ssh_port),
        ("ssh_username", before.ssh_username != after.ssh_username),
        ("tags", before.tags != after.tags),
        ("metadata", before.metadata != after.metadata),
        ("private_key", key != after.private_key_id),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(field, _)| field.to_owned())
    .collect()
}
