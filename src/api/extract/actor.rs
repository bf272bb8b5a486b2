//! Who acts.

use super::Client;
use crate::{
    api::{AppState, admission, problem::Problem},
    auth::policy::{Action, allows},
    domain::{
        UserId,
        audit::{AuditEntry, AuditOutcome},
        principal::Principal,
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

/// The one a request acts for, and where it came from. Only an admitted request (`api::admission`) has one.
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
    pub(in crate::api) fn new(principal: Principal, client: Client) -> Self {
        Self {
            principal,
            address: client.address_text(),
            user_agent: client.user_agent,
        }
    }

    /// Refuses with 403 unless the actor's role allows `action`. The refusal is audited on its way out.
    ///
    /// This is for rules that depend on the object. The action that every call of an endpoint needs is its `x-permission`.
    pub fn require(&self, action: Action) -> Result<(), Problem> {
        if self.may(action) {
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

    /// Refuses access to the sessions and tokens of another user, except to those who manage users.
    pub fn require_own(&self, owner: UserId) -> Result<(), Problem> {
        if self.principal.user_id == Some(owner) {
            return Ok(());
        }
        self.require(Action::ManageUsers)
    }

    /// The user whose sessions or tokens are listed: the one `asked` for, if that is allowed; otherwise everybody (`None`) for those who manage
    /// users, and the actor for all others.
    pub fn owner_to_list(&self, asked: Option<UserId>) -> Result<Option<UserId>, Problem> {
        match asked {
            Some(owner) => self.require_own(owner).map(|()| Some(owner)),
            None if self.may(Action::ManageUsers) => Ok(None),
            None => self.user_id().map(Some),
        }
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

impl FromRequestParts<AppState> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &AppState) -> Result<Self, Problem> {
        // Endpoints that are open to everybody have no actor.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(admission::unauthenticated)
    }
}
