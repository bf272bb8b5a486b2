//! Admits requests to endpoints. The decision is made in one place for all endpoints, from the head of a request, before its body is read.
//!
//! Each endpoint declares its rule in its description (`utoipa::path`): `x-permission` names the [`Action`] that the caller's role must
//! allow, and `security(())` opens the endpoint to everybody. An endpoint that declares neither is closed.

use super::{
    AppState, answer_memory,
    body_memory::{Holder, Metered},
    extract::{Actor, Client, session_cookie},
    origin,
    problem::Problem,
};
use crate::{
    auth::{self, policy::Action, standing},
    domain::{
        audit::AuditOutcome,
        principal::{Principal, Via},
    },
};
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use secrecy::SecretString;
use std::{collections::HashMap, sync::Arc};
use utoipa::openapi::{OpenApi, path::Operation, security::SecurityRequirement};

/// The extension of an operation in the OpenAPI document that names the action which the caller's role must allow.
const PERMISSION: &str = "x-permission";

/// The rule of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Everybody,
    Permitted(Action),
}

#[derive(Clone)]
struct Admission {
    state: AppState,
    /// By method and route template.
    rules: Arc<HashMap<(Method, String), Access>>,
}

/// Puts admission in front of all endpoints of `router`, which `document` describes.
pub(super) fn before(router: Router<AppState>, document: &OpenApi, state: &AppState) -> Router<AppState> {
    let admission = Admission {
        state: state.clone(),
        rules: Arc::new(rules(document)),
    };
    router.route_layer(from_fn_with_state(admission, admit))
}

fn rules(document: &OpenApi) -> HashMap<(Method, String), Access> {
    let mut rules = HashMap::new();
    for (path, item) in &document.paths.paths {
        for (method, operation) in [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ] {
            if let Some(access) = operation.as_ref().and_then(access) {
                rules.insert((method, path.clone()), access);
            }
        }
    }
    rules
}

/// The rule that an operation declares; `None` when it declares none.
fn access(operation: &Operation) -> Option<Access> {
    let permission = operation.extensions.as_ref().and_then(|all| all.get(PERMISSION));
    if let Some(permission) = permission {
        let action = permission.as_str()?.parse().ok()?;
        return Some(Access::Permitted(action));
    }
    let security = operation.security.as_ref()?;
    (*security == [SecurityRequirement::default()]).then_some(Access::Everybody)
}

async fn admit(State(admission): State<Admission>, request: Request, next: Next) -> Result<Response, Problem> {
    let state = &admission.state;
    let (mut parts, body) = request.into_parts();
    let is_safe = parts.method.is_safe();
    let client = Client::of(&parts, &state.config.trusted_proxies);
    let holder = match admission.access(&parts) {
        None => {
            tracing::error!(path = %parts.uri.path(), "this endpoint declares no x-permission and is not open to everybody, so it is closed");
            return Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something went wrong inside Admiral; the log has the details",
            ));
        }
        Some(Access::Everybody) => client.address.map(Holder::network),
        Some(Access::Permitted(action)) => {
            let principal = authenticate(&parts, state).await?;
            let holder = match principal.via {
                // Its body is in our own memory already.
                Via::LocalCommand => None,
                Via::Session(_) | Via::Token(_) => principal.user_id.map(Holder::User),
            };
            let actor = Actor::new(principal, client);
            tracing::Span::current().record("actor", actor.principal.username.as_str());
            refuse_foreign_page(&actor, &parts, state)?;
            actor.require(action)?;
            parts.extensions.insert(actor);
            holder
        }
    };
    let Some(holder) = holder else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let reservation = state.body_memory.open(holder);
    let body = Body::new(Metered::new(body, Arc::clone(&reservation)));
    let response = next.run(Request::from_parts(parts, body)).await;
    // The body may have been in memory until now.
    drop(reservation);
    // The answer to a change is given in any case, because the change has been made.
    if is_safe {
        answer_memory::count(&state.answer_memory, holder, response)
    } else {
        Ok(response)
    }
}

impl Admission {
    fn access(&self, parts: &Parts) -> Option<Access> {
        let path = parts.extensions.get::<MatchedPath>()?.as_str().to_owned();
        let method = match parts.method {
            // The handler of GET answers it.
            Method::HEAD => Method::GET,
            _ => parts.method.clone(),
        };
        let access = *self.rules.get(&(method, path))?;
        if access == Access::Permitted(Action::ReadMetrics) && self.state.config.public_metrics {
            return Some(Access::Everybody);
        }
        Some(access)
    }
}

/// 401.
pub(super) fn unauthenticated() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "sign in, or send a token that works",
    )
}

/// Refuses changes that a page of another site has made with the browser's cookie.
fn refuse_foreign_page(actor: &Actor, parts: &Parts, state: &AppState) -> Result<(), Problem> {
    let is_session = matches!(actor.principal.via, Via::Session(_));
    if !is_session || parts.method.is_safe() || origin::is_own(&parts.headers, &parts.uri, &state.config) {
        return Ok(());
    }
    let mut problem = origin::mismatch();
    let entry = actor
        .entry("session.foreign_origin")
        .object(format!("{} {}", parts.method, parts.uri.path()));
    problem.audit = Some(Box::new(entry.outcome(AuditOutcome::Denied)));
    Err(problem)
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
        let token = auth::tokens::authenticate(&mut connection, &token, now)
            .await?
            .ok_or_else(unauthenticated)?;
        return Ok(standing::principal(token.user, token.role, Via::Token(token.id)));
    }
    let token = session_cookie(&parts.headers).ok_or_else(unauthenticated)?;
    let mut connection = state.database.acquire().await?;
    let session = auth::sessions::authenticate(&mut connection, &token, now)
        .await?
        .ok_or_else(unauthenticated)?;
    let role = session.user.role;
    Ok(standing::principal(session.user, role, Via::Session(session.id)))
}
