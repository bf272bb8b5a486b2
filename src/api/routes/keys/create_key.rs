//! `POST /api/keys`.

use super::{check_name, store_key};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{key::PrivateKey, validation::Validator},
    store::StoreError,
    vault::ssh_key::{self, KeyError},
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

/// A key to be stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// Unique; 1 to 100 characters.
    name: String,
    /// The file's content: OpenSSH or PEM.
    #[schema(value_type = String, format = Password)]
    private_key: SecretString,
    /// What the key is encrypted under.
    #[schema(value_type = Option<String>, format = Password)]
    passphrase: Option<SecretString>,
}

/// Stores a key.
#[utoipa::path(
    post, path = "/api/keys", tag = "keys", request_body = CreateKey,
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 201, body = PrivateKey),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn create_key(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateKey>,
) -> Result<(StatusCode, Json<PrivateKey>), Problem> {
    let mut validator = Validator::new();
    let name = check_name(&mut validator, &body.name).to_owned();
    let passphrase = body
        .passphrase
        .filter(|passphrase| !passphrase.expose_secret().is_empty());
    // Opening a key under a passphrase is made slow on purpose.
    let (text, phrase, comment) = (body.private_key.clone(), passphrase.clone(), name.clone());
    let inspected = tokio::task::spawn_blocking(move || ssh_key::inspect(&text, phrase.as_ref(), &comment))
        .await
        .map_err(|error| Problem::internal(&error))?;
    let parsed = match inspected {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            validator.error(field_of(&error), error.to_string());
            None
        }
    };
    validator.finish()?;
    let Some(parsed) = parsed else {
        return Err(Problem::not_found("key"));
    };
    let mut transaction = state.database.begin().await?;
    let key = store_key(
        &mut transaction,
        &state,
        &name,
        &parsed,
        &body.private_key,
        passphrase.as_ref(),
    )
    .await?;
    actor
        .record(&mut transaction, actor.entry("key.create").object(key.id).after(&key))
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(key)))
}

fn field_of(error: &KeyError) -> &'static str {
    match error {
        KeyError::PassphraseMissing | KeyError::PassphraseWrong | KeyError::PassphraseSuperfluous => "passphrase",
        _ => "private_key",
    }
}
