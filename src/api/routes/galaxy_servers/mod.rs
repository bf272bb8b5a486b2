//! Servers that roles and collections are fetched from. A token that was stored is never sent again.

mod create_galaxy_server;
mod delete_galaxy_server;
mod list_galaxy_servers;
mod update_galaxy_server;

use crate::{
    api::{AppState, problem::Problem},
    domain::{galaxy_server::is_token, validation::Validator},
    vault::RowIdentity,
};
use secrecy::{ExposeSecret as _, SecretString};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// `/api/galaxy-servers`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list_galaxy_servers::list_galaxy_servers,
            create_galaxy_server::create_galaxy_server
        ))
        .routes(routes!(
            update_galaxy_server::update_galaxy_server,
            delete_galaxy_server::delete_galaxy_server
        ))
}

/// Notes what is wrong with a token.
fn check_token(validator: &mut Validator, token: Option<&SecretString>) {
    validator.check(
        token.is_none_or(|token| is_token(token.expose_secret())),
        "token",
        "must have 1 to 10000 visible ASCII characters",
    );
}

fn seal(state: &AppState, id: Uuid, token: &SecretString) -> Result<Vec<u8>, Problem> {
    state
        .vault
        .seal(token.expose_secret().as_bytes(), RowIdentity::galaxy_token(id))
        .map_err(|error| Problem::internal(&error))
}
