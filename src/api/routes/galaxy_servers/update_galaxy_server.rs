//! `PATCH /api/galaxy-servers/{id}`.

use super::{check_token, seal};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path, present},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        galaxy_server::{GalaxyServer, validate},
        validation::Validator,
    },
    store::{StoreError, galaxy_servers},
};
use axum::{Json, extract::State};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Changes to a server; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::option_option,
    reason = "null takes a value away, a field that is not there leaves it"
)]
pub struct UpdateGalaxyServer {
    /// Unique; 1 to 100 letters, digits, `_` and `-`.
    name: Option<String>,
    /// Where it is: `https://…` or `http://…`.
    url: Option<String>,
    /// Where it gets tokens from (Keycloak); null: nowhere.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    auth_url: Option<Option<String>>,
    /// What it asks for; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<Option<SecretString>>,
    /// Servers are asked from the lowest to the highest, 0 to 10000.
    position: Option<i32>,
}

/// Changes a server. A token goes to the address it was given for: with another `url` or `auth_url` it has to be given again.
#[utoipa::path(
    patch, path = "/api/galaxy-servers/{id}", tag = "galaxy-servers", request_body = UpdateGalaxyServer,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeSettings))),
    responses(
        (status = 200, body = GalaxyServer),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_galaxy_server(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<UpdateGalaxyServer>,
) -> Result<Json<GalaxyServer>, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = galaxy_servers::get_galaxy_server(&mut transaction, id).await?;
    let after = GalaxyServer {
        id,
        name: body.name.unwrap_or_else(|| before.name.clone()),
        url: body.url.unwrap_or_else(|| before.url.clone()),
        auth_url: body.auth_url.unwrap_or_else(|| before.auth_url.clone()),
        has_token: before.has_token,
        position: body.position.unwrap_or(before.position),
    };
    let mut validator = Validator::new();
    validate(
        &mut validator,
        &after.name,
        &after.url,
        after.auth_url.as_deref(),
        after.position,
    );
    check_token(&mut validator, body.token.as_ref().and_then(Option::as_ref));
    let moves = after.url != before.url || after.auth_url != before.auth_url;
    validator.check(
        !(moves && before.has_token && body.token.is_none()),
        "token",
        "must be given again, or taken away, when the address changes: it would be sent there",
    );
    validator.finish()?;
    let sealed = body
        .token
        .map(|token| token.map(|token| seal(&state, id, &token)).transpose())
        .transpose()?;
    let token = sealed.as_ref().map(Option::as_deref);
    let after = galaxy_servers::update_galaxy_server(&mut transaction, &after, token).await?;
    actor
        .record(
            &mut transaction,
            actor
                .entry("galaxy_server.update")
                .object(id)
                .before(&before)
                .after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
