//! `POST /api/tokens`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::{policy::Action, tokens},
    domain::{user::ApiToken, validation::Validator},
    store::StoreError,
};
use axum::{Json, extract::State, http::StatusCode};
use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// 1 to 100 characters.
    name: String,
    /// 1 to 3650; never when not said.
    expires_in_days: Option<i64>,
}

/// A token, shown this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// For `Authorization: Bearer …`. Secret.
    pub token: String,
    /// What is listed of it.
    pub api_token: ApiToken,
}

/// Makes a token with one's own powers.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", request_body = CreateToken,
    responses((status = 201, body = CreatedToken), (status = 422, description = "A field is wrong", body = Problem))
)]
pub(super) async fn create_token(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    actor.require(Action::OwnTokens)?;
    let name = body.name.trim();
    let mut validator = Validator::new();
    validator.check(
        (1..=100).contains(&name.chars().count()),
        "name",
        "must have between 1 and 100 characters",
    );
    validator.check(
        body.expires_in_days.is_none_or(|days| (1..=3650).contains(&days)),
        "expires_in_days",
        "must be between 1 and 3650",
    );
    validator.finish()?;
    let now = state.clock.now();
    let expires_at = body.expires_in_days.map(|days| now + TimeDelta::days(days));
    let mut transaction = state.database.begin().await?;
    let (token, api_token) = tokens::create(&mut transaction, actor.user_id()?, name, now, expires_at).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("token.create").object(api_token.id).after(&api_token),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedToken {
            token: token.expose_secret().to_owned(),
            api_token,
        }),
    ))
}
