//! Errors as `application/problem+json` (RFC 9457).

use crate::{
    auth::AuthError,
    domain::{
        audit::AuditEntry,
        validation::{FieldError, Invalid},
    },
    store::StoreError,
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Seconds after which what is unavailable may be there again.
pub(super) const RETRY_AFTER: u64 = 2;

/// The body of every error answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// What happened, for programs: stable.
    pub code: String,
    /// Finds this request in the log. Filled in on the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What this `code` carries besides, by name: beside the others in the body (RFC 9457's extension members). [`Problem::parse`]
    /// reads them again.
    #[serde(skip)]
    pub members: BTreeMap<String, Value>,
    /// Written into the audit log on the way out.
    #[serde(skip)]
    pub audit: Option<Box<AuditEntry>>,
    /// Seconds for the header `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem with a stable `code` and a `detail` for people.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            problem_type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            request_id: None,
            errors: Vec::new(),
            members: BTreeMap::new(),
            audit: None,
            retry_after: None,
        }
    }

    /// The same problem, with `value` in its body as `name`. A name of a member that every problem has is passed over.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // Fails only on maps whose keys are no text; no answer has one.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Reads the body of an error answer; `None` when it is none of ours.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut problem: Self = serde_json::from_slice(body).ok()?;
        let all: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
        let own = problem.own_members();
        problem.members = all
            .into_iter()
            .filter(|(name, _)| !own.contains_key(name) && name != "errors" && name != "request_id")
            .collect();
        Some(problem)
    }

    /// What every problem has.
    fn own_members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(own)) => own,
            _ => Map::new(),
        }
    }

    fn body(&self) -> Map<String, Value> {
        let mut body = self.own_members();
        for (name, value) in &self.members {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        body
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} not found"))
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 503, with `Retry-After`.
    pub fn unavailable(detail: &str) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        problem.retry_after = Some(RETRY_AFTER);
        problem
    }

    /// 409 that names the field whose value is taken, where `constraint` (`<table>_<column>_key`) is one that people run into.
    fn taken(constraint: &str) -> Self {
        let field = match constraint {
            "servers_hostname_key" => "hostname",
            "private_keys_name_key"
            | "environments_name_key"
            | "presets_playbook_id_name_key"
            | "galaxy_servers_name_key" => "name",
            "users_username_key" => "username",
            "vault_passwords_package_id_vault_id_key" => "vault_id",
            _ => return Self::conflict(format!("{constraint} is already taken")),
        };
        let mut problem = Self::conflict(format!("this {field} is already taken"));
        problem.errors.push(FieldError {
            field: field.to_owned(),
            message: "is already taken".to_owned(),
        });
        problem
    }

    /// 500; `error` goes to the log, never to the client.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = %chain, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong inside Admiral; the log has the details",
        )
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            invalid.to_string(),
        );
        problem.errors = invalid.errors;
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Taken { constraint } => Self::taken(constraint),
            StoreError::InUse { .. } | StoreError::WrongState(_) => Self::conflict(error.to_string()),
            _ if error.refuses_text() => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "validation_failed",
                "a text of the request holds a NUL character, which cannot be stored or searched for",
            ),
            _ if error.is_unavailable() => {
                // That it is away is in the log once, and not for every request.
                tracing::debug!(%error, "a request could not reach the database");
                if error.is_exhausted() {
                    Self::unavailable("all connections to the database are in use; try again shortly")
                } else {
                    Self::unavailable("the database is unavailable; try again shortly")
                }
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::InvalidCredentials => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", error.to_string())
            }
            AuthError::InvalidLink => Self::new(StatusCode::UNAUTHORIZED, "invalid_link", error.to_string()),
            AuthError::TooManyAttempts { retry_after_seconds } => {
                let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", error.to_string());
                problem.retry_after = Some(retry_after_seconds);
                problem
            }
            AuthError::Store(error) => error.into(),
            AuthError::Random(_) | AuthError::Hash(_) | AuthError::Interrupted(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Problem {
    /// The middleware finds the problem again among the response's extensions, to add the request's id and to audit refusals.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_its_own_stand_beside_the_others_and_are_read_again() {
        let problem = Problem::new(StatusCode::CONFLICT, "version_conflict", "somebody was quicker")
            .with("current", serde_json::json!({"number": 3}))
            .with("status", "overwritten");
        let body = serde_json::to_vec(&problem.body()).unwrap();
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["current"]["number"], 3);
        assert_eq!(value["status"], 409);
        let read = Problem::parse(&body).unwrap();
        assert_eq!(read.code, "version_conflict");
        assert_eq!(read.members.keys().collect::<Vec<_>>(), ["current"]);
        assert!(Problem::parse(b"<html>").is_none());
    }
}
