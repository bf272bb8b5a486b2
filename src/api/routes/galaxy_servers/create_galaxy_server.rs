//! `POST /api/galaxy-servers`.

use super::{check_token, seal};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        clock::new_id,
        galaxy_server::{GalaxyServer, MAX_POSITION, validate},
        validation::Validator,
    },
    store::{StoreError, galaxy_servers},
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// A server to be asked for roles and collections.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGalaxyServer {
    /// Unique; 1 to 100 letters, digits, `_` and `-`.
    name: String,
    /// Where it is: `https://…` or `http://…`.
    url: String,
    /// Where it gets tokens from (Keycloak), if anywhere.
    auth_url: Option<String>,
    /// What it asks for.
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<SecretString>,
    /// Servers are asked from the lowest to the highest, 0 to 10000; after all others when left out.
    position: Option<i32>,
}

/// Adds a server. As soon as there is one, only those that were added are asked.
#[utoipa::path(
    post, path = "/api/galaxy-servers", tag = "galaxy-servers", request_body = CreateGalaxyServer,
    extensions(("x-permission" = json!(Action::ChangeSettings))),
    responses(
        (status = 201, body = GalaxyServer),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_galaxy_server(
    actor: Actor,
    State(state): State<AppState>,
    JsonBody(body): JsonBody<CreateGalaxyServer>,
) -> Result<(StatusCode, Json<GalaxyServer>), Problem> {
    let mut transaction = state.database.begin().await?;
    let position = if let Some(position) = body.position {
        position
    } else {
        let last = galaxy_servers::list_galaxy_servers(&mut transaction).await?;
        last.last().map_or(0, |server| (server.position + 1).min(MAX_POSITION))
    };
    let mut validator = Validator::new();
    validate(
        &mut validator,
        &body.name,
        &body.url,
        body.auth_url.as_deref(),
        position,
    );
    check_token(&mut validator, body.token.as_ref());
    validator.finish()?;
    let server = GalaxyServer {
        id: new_id(),
        name: body.name,
        url: body.url,
        auth_url: body.auth_url,
        has_token: body.token.is_some(),
        position,
    };
    let sealed = body.token.map(|token| seal(&state, server.id, &token)).transpose()?;
    let stored = galaxy_servers::insert_galaxy_server(&mut transaction, &server, sealed.as_deref()).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("galaxy_server.create").object(stored.id).after(&stored),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(stored)))
}
