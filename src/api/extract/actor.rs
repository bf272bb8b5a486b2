//! Who acts.

use super::Client;
use crate::{
    api::{AppState, origin, problem::Problem},
    auth::{
        self,
        policy::{Action, allows},
    },
    domain::{
        UserId,
        audit::{AuditEntry, AuditOutcome},
        principal::{Principal, Via},
        user::User,
    },
    store::{Connection, StoreError, audit},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use secrecy::SecretString;

/// The cookie that holds a session's token.
pub const SESSION_COOKIE: &str = "admiral_session";

/// The one a request acts for, and where it came from. A handler that takes it refuses anonymous requests with 401, and changes
/// that a foreign page sent with the browser's cookie with 403.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub principal: Principal,
    /// From where.
    pub address: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
}

impl Actor {
    /// Refuses with 403 unless the actor's role allows `action`. The refusal is audited on its way out.
    pub fn require(&self, action: Action) -> Result<(), Problem> {
        if allows(self.principal.role, action) {
            return Ok(());
        }
        let said = format!("the role {} does not allow {}", self.principal.role, action.as_str());
        Err(self.denied(action, said))
    }

    /// 403 for a reason other than the role. It is audited on its way out.
    pub fn denied(&self, action: Action, why: impl Into<String>) -> Problem {
        let mut problem = Problem::new(StatusCode::FORBIDDEN, "forbidden", why);
        problem.audit = Some(Box::new(self.entry(action.as_str()).outcome(AuditOutcome::Denied)));
        problem
    }

    /// Whether the actor's role allows `action`, where an answer depends on it.
    pub fn may(&self, action: Action) -> bool {
        allows(self.principal.role, action)
    }

    /// The user, where something needs to belong to one: the command line on the server's own machine has none.
    pub fn user_id(&self) -> Result<UserId, Problem> {
        self.principal.user_id.ok_or_else(|| {
            Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "this needs a user; the local command line acts for none",
            )
        })
    }

    /// An audit entry for `action` (`<object>.<verb>`) by this actor: add `object`, `before`, `after`, then [`Actor::record`] it.
    pub fn entry(&self, action: &str) -> AuditEntry {
        AuditEntry {
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            ..AuditEntry::by(&self.principal, action)
        }
    }

    /// Writes `entry` into the audit log, in the transaction of the change that it tells of.
    pub async fn record(&self, connection: &mut Connection, entry: AuditEntry) -> Result<(), StoreError> {
        audit::record(connection, &entry).await
    }
}

/// The session's token in the request's cookies.
pub fn session_cookie(headers: &HeaderMap) -> Option<SecretString> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == SESSION_COOKIE && !value.is_empty())
        .map(|(_, value)| SecretString::from(value))
}

fn unauthenticated() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "sign in, or send a token that works",
    )
}

fn principal(user: User, via: Via) -> Principal {
    Principal {
        user_id: Some(user.id),
        username: user.username,
        role: user.role,
        via,
    }
}

impl FromRequestParts<AppState> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let client = Client::of(parts, &state.config.trusted_proxies);
        let principal = authenticate(parts, state).await?;
        let actor = Self {
            principal,
            address: client.address_text(),
            user_agent: client.user_agent,
        };
        tracing::Span::current().record("actor", actor.principal.username.as_str());
        if actor.principal.via == Via::Session
            && !parts.method.is_safe()
            && !origin::is_own(&parts.headers, &parts.uri, &state.config)
        {
            let mut problem = origin::mismatch();
            let entry = actor
                .entry("session.foreign_origin")
                .object(format!("{} {}", parts.method, parts.uri.path()));
            problem.audit = Some(Box::new(entry.outcome(AuditOutcome::Denied)));
            return Err(problem);
        }
        Ok(actor)
    }
}

async fn authenticate(parts: &Parts, state: &AppState) -> Result<Principal, Problem> {
    // Put there by `LocalApi` alone: nothing that comes over the network can carry it.
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return Ok(principal.clone());
    }
    let now = state.clock.now();
    if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
        // A token that does not work is refused, whatever cookie comes with it.
        let token = authorization
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| SecretString::from(token.trim()))
            .ok_or_else(unauthenticated)?;
        let mut connection = state.database.acquire().await?;
        let user = auth::tokens::authenticate(&mut connection, &token, now)
            .await?
            .ok_or_else(unauthenticated)?;
        return Ok(principal(user, Via::Token));
    }
    let token = session_cookie(&parts.headers).ok_or_else(unauthenticated)?;
    let mut connection = state.database.acquire().await?;
    let session = auth::sessions::authenticate(&mut connection, &token, now)
        .await?
        .ok_or_else(unauthenticated)?;
    Ok(principal(session.user, Via::Session))
}
