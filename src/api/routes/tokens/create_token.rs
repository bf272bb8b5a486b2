//! `POST /api/tokens`.

use crate::{
    api::{
        AppState, admission,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::{
        policy::{Action, is_within},
        standing::{self, Standing},
        tokens::{self, TokenSpec},
    },
    domain::{
        principal::Via,
        user::{ApiToken, Role},
        validation::Validator,
    },
    store::StoreError,
};
use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// 1 to 100 characters.
    name: String,
    /// 1 to 3650; the token never expires when left out. A token that is made with another token never outlives that one.
    expires_in_days: Option<i64>,
    /// The highest role that the token may act with. It defaults to your own role, and cannot exceed it.
    role: Option<Role>,
}

/// A token, shown this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// For `Authorization: Bearer …`. Secret.
    pub token: String,
    /// What is listed of it.
    pub api_token: ApiToken,
}

/// Makes a token that acts for you, with your role or a lower one. It loses rights whenever your role does, and it is revoked together
/// with the token that it was made with.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", request_body = CreateToken,
    extensions(("x-permission" = json!(Action::OwnTokens))),
    responses((status = 201, body = CreatedToken), (status = 422, description = "A field is wrong", body = Problem))
)]
pub(super) async fn create_token(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let user_id = actor.user_id()?;
    let now = state.clock.now();
    let mut transaction = state.database.begin().await?;
    // A concurrent reset or revocation waits for this transaction, and then revokes the new token as well.
    let maker = standing::hold(&mut transaction, &actor.principal, now)
        .await?
        .ok_or_else(admission::unauthenticated)?;
    let made_with = match actor.principal.via {
        Via::Token(id) => Some(id),
        Via::Session(_) | Via::LocalCommand => None,
    };
    // The expiry of a session does not limit the tokens that are made in it.
    let latest = made_with.and(maker.expires_at);
    let name = body.name.trim();
    let (role, expires_at) = checked(&body, name, maker, latest, now)?;
    let spec = TokenSpec {
        user_id,
        name,
        role,
        expires_at,
        made_with,
    };
    let (token, api_token) = tokens::create(&mut transaction, spec, now).await?;
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

/// The role and the expiry of the new token, within those of its maker.
fn checked(
    body: &CreateToken,
    name: &str,
    maker: Standing,
    latest: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(Role, Option<DateTime<Utc>>), Problem> {
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
    let role = body.role.unwrap_or(maker.role);
    if !is_within(role, maker.role) {
        let message = format!("must not exceed your own role here, which is {}", maker.role);
        validator.error("role", message);
    }
    let wanted = body
        .expires_in_days
        .and_then(TimeDelta::try_days)
        .and_then(|days| now.checked_add_signed(days))
        // The database keeps microseconds. Without this a token could not be made for as long as its maker lives.
        .map(|end| end.trunc_subsecs(6));
    if let (Some(wanted), Some(latest)) = (wanted, latest)
        && wanted > latest
    {
        let message = match (latest - now).num_days() {
            0 => "must be left out: the token that you are using expires within a day, and the new one expires with it"
                .to_owned(),
            days => format!("must be at most {days}: the token that you are using expires then"),
        };
        validator.error("expires_in_days", message);
    }
    validator.finish()?;
    Ok((role, wanted.or(latest)))
}
