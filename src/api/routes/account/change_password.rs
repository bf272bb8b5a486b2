//! `POST /api/account/password`.

use crate::{
    api::{
        AppState, admission,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::{
        passwords,
        policy::Action,
        revocation::{self, Revoked, Tokens},
        standing,
    },
    domain::{
        UserId,
        audit::AuditOutcome,
        principal::Via,
        validation::{Invalid, Validator},
    },
    store::{StoreError, sessions, users},
};
use axum::{Json, extract::State, http::StatusCode};
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user without a password may choose one for this long after signing in by a link.
const FRESH: TimeDelta = TimeDelta::minutes(15);

/// A new password for your own account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The current password. A user who has none leaves this out, and must have signed in by a link within the last 15 minutes.
    #[schema(value_type = Option<String>, format = Password)]
    current_password: Option<SecretString>,
    /// 12 to 1024 characters.
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
    /// Whether API tokens keep working; otherwise they are revoked.
    #[serde(default)]
    keep_tokens: bool,
}

/// The sessions and tokens that the new password has ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct PasswordChanged {
    /// Other sessions that were ended.
    pub sessions_ended: u64,
    /// API tokens that were revoked.
    pub tokens_revoked: u64,
}

/// Changes your own password. All your other sessions end, unused sign-in links stop working, and your API tokens are revoked unless
/// `keep_tokens` is set. The session or token that makes the request stays valid.
#[utoipa::path(
    post, path = "/api/account/password", tag = "session", request_body = ChangePassword,
    extensions(("x-permission" = json!(Action::OwnPassword))),
    responses(
        (status = 200, body = PasswordChanged),
        (status = 403, description = "`fresh_sign_in_required`: there is no password yet, and the sign-in is too long ago", body = Problem),
        (status = 409, description = "The password was changed by another request at the same time", body = Problem),
        (status = 422, description = "A field is wrong; `current_password` is not the current one", body = Problem),
        (status = 429, description = "Too many attempts", body = Problem),
    )
)]
pub(super) async fn change_password(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<ChangePassword>,
) -> Result<Json<PasswordChanged>, Problem> {
    let user_id = actor.user_id()?;
    let now = state.clock.now();
    let mut validator = Validator::new();
    passwords::check_new(&mut validator, "new_password", &body.new_password);
    validator.finish()?;
    let stored = users::get_password_hash(&mut *state.database.acquire().await?, user_id).await?;
    // An empty field is not an attempt to guess.
    let current = body
        .current_password
        .filter(|current| !current.expose_secret().is_empty());
    match (&stored, current) {
        (None, _) => check_fresh(&state, &actor).await?,
        (Some(_), None) => return Err(Invalid::field("current_password", "is required").into()),
        (Some(stored), Some(current)) => {
            if current.expose_secret() == body.new_password.expose_secret() {
                return Err(Invalid::field("new_password", "must differ from the current password").into());
            }
            check_current(&state, &actor, user_id, current, stored).await?;
        }
    }
    let new = passwords::hash(body.new_password).await?;
    let mut transaction = state.database.begin().await?;
    if !users::replace_password(&mut transaction, user_id, stored.as_deref(), &new).await? {
        return Err(Problem::conflict(
            "the password was changed by another request at the same time",
        ));
    }
    // The session may have been revoked in the meantime.
    standing::check(&mut transaction, &actor.principal, now)
        .await?
        .ok_or_else(admission::unauthenticated)?;
    let tokens = if body.keep_tokens { Tokens::Keep } else { Tokens::Revoke };
    let revoked = revocation::revoke(&mut transaction, user_id, tokens, Some(&actor.principal), now).await?;
    let entry = actor.entry("user.change_password").object(user_id).after(&revoked);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    let Revoked {
        sessions_ended,
        tokens_revoked,
    } = revoked;
    Ok(Json(PasswordChanged {
        sessions_ended,
        tokens_revoked,
    }))
}

/// Checks the current password: a stolen session must not be enough to take the account over.
async fn check_current(
    state: &AppState,
    actor: &Actor,
    user_id: UserId,
    current: SecretString,
    stored: &str,
) -> Result<(), Problem> {
    if current.expose_secret().len() > 4 * passwords::LONGEST {
        return Err(Invalid::field("current_password", "is too long").into());
    }
    state.sign_in_limiter.attempt_own_password(user_id, state.clock.now())?;
    if passwords::verify(current, Some(stored.to_owned())).await? {
        state.sign_in_limiter.succeeded_own_password(user_id);
        return Ok(());
    }
    let mut problem = Problem::from(Invalid::field("current_password", "is not your current password"));
    let entry = actor.entry("user.change_password").object(user_id);
    problem.audit = Some(Box::new(entry.outcome(AuditOutcome::Failure)));
    Err(problem)
}

/// Takes a sign-in by link a moment ago in place of a current password.
async fn check_fresh(state: &AppState, actor: &Actor) -> Result<(), Problem> {
    let now = state.clock.now();
    if let Via::Session(id) = actor.principal.via {
        let session = sessions::find_session_by_id(&mut *state.database.acquire().await?, id, now).await?;
        if session.is_some_and(|session| now - session.created_at < FRESH) {
            return Ok(());
        }
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "fresh_sign_in_required",
        "you have no password yet; sign in with a new link, then choose one within 15 minutes",
    ))
}
