//! The API without a network: how the command line on the server's own machine uses it.

use super::{AppState, problem::Problem, router};
use crate::domain::principal::Principal;
use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::stream::{BoxStream, StreamExt as _};
use serde_json::Value;
use tower::ServiceExt as _;

/// Answers requests in this process, through the same router, with the powers of an admin.
#[derive(Clone)]
pub struct LocalApi {
    router: Router,
    principal: Principal,
}

/// An answer.
pub struct LocalResponse {
    /// The HTTP status.
    pub status: u16,
    /// The kind of body, such as `application/json` or `text/event-stream`.
    pub content_type: Option<String>,
    /// The body as it comes.
    pub body: BoxStream<'static, Result<Bytes, LocalError>>,
}

/// The body broke off.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The body broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The body is not what was expected.
    #[error("failed to read the answer")]
    Unreadable(#[from] serde_json::Error),
}

impl LocalApi {
    /// In the audit log it appears as `local`.
    pub fn new(state: AppState) -> Self {
        Self {
            router: router(state),
            principal: Principal::local_command("local"),
        }
    }

    /// In the audit log it appears as `username`.
    #[must_use]
    pub fn named(mut self, username: impl Into<String>) -> Self {
        self.principal = Principal::local_command(username);
        self
    }

    /// Acts for `principal`: whoever can read the key ring may act for any user.
    #[must_use]
    pub fn acting_for(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// Sends a request; `body` goes as JSON.
    pub async fn request(&self, method: &str, path_and_query: &str, body: Option<Value>) -> LocalResponse {
        match body {
            Some(body) => {
                let body = Body::from(body.to_string());
                self.send(method, path_and_query, Some("application/json"), body).await
            }
            None => self.send(method, path_and_query, None, Body::empty()).await,
        }
    }

    /// Sends a file.
    pub async fn upload(&self, method: &str, path_and_query: &str, file: Vec<u8>) -> LocalResponse {
        let kind = Some("application/octet-stream");
        self.send(method, path_and_query, kind, Body::from(file)).await
    }

    async fn send(&self, method: &str, path_and_query: &str, kind: Option<&str>, body: Body) -> LocalResponse {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        let mut request = Request::builder()
            .method(method)
            .uri(path_and_query)
            .extension(self.principal.clone());
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        match request.body(body) {
            Ok(request) => match self.router.clone().oneshot(request).await {
                Ok(response) => response.into(),
                Err(never) => match never {},
            },
            Err(_) => Problem::new(StatusCode::BAD_REQUEST, "malformed_path", "the path cannot be read")
                .into_response()
                .into(),
        }
    }
}

impl From<Response> for LocalResponse {
    fn from(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let content_type = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let body = body
            .into_data_stream()
            .map(|part| part.map_err(|error| LocalError::Broken(error.to_string())))
            .boxed();
        Self {
            status: parts.status.as_u16(),
            content_type,
            body,
        }
    }
}

impl LocalResponse {
    /// The whole body. Not for streams without an end.
    pub async fn bytes(mut self) -> Result<Vec<u8>, LocalError> {
        let mut all = Vec::new();
        while let Some(part) = self.body.next().await {
            all.extend_from_slice(&part?);
        }
        Ok(all)
    }

    /// The whole body as JSON.
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, LocalError> {
        Ok(serde_json::from_slice(&self.bytes().await?)?)
    }
}
