//! An API client with two transports: a running server over HTTP, or the same handlers in this process.

use super::{
    failure::{Hinted, UsageError},
    input,
    instance::{Instance, Needs},
    options::GlobalOptions,
    worker_options::WorkerOptions,
};
use crate::{
    api::{local::LocalApi, problem::Problem},
    domain::principal::Principal,
    store::StoreError,
};
use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::{fmt::Write as _, pin::Pin, time::Duration};

/// The bytes of an answer, as they come.
pub type Body = Pin<Box<dyn Stream<Item = anyhow::Result<Vec<u8>>> + Send>>;

/// What goes with a request.
#[derive(Debug, Clone)]
enum Content {
    None,
    Json(Value),
    File(Vec<u8>),
}

/// Speaks to the API. Call [`Client::close`] at the end.
pub struct Client {
    transport: Transport,
}

enum Transport {
    Remote {
        http: reqwest::Client,
        base: String,
        token: SecretString,
    },
    Local {
        api: LocalApi,
        instance: Box<Instance>,
    },
}

/// The API refused.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(.0))]
pub struct Refused(pub Problem);

impl Refused {
    /// Whether the same request may work later: the database is away, the server is overloaded, or a proxy waits for a server that
    /// restarts.
    pub fn is_passing(&self) -> bool {
        matches!(self.0.status, 408 | 429 | 502..=504)
    }
}

/// Whether the same request may work later: the database or the server cannot be reached at present.
pub fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let store = cause
            .downcast_ref::<StoreError>()
            .is_some_and(StoreError::is_unavailable);
        let refused = cause.downcast_ref::<Refused>().is_some_and(Refused::is_passing);
        let http = cause.downcast_ref::<reqwest::Error>();
        store || refused || http.is_some_and(|error| error.is_connect() || error.is_timeout() || error.is_body())
    })
}

impl Client {
    /// To the server that the options name, or to one in this process.
    pub async fn connect(global: &GlobalOptions) -> anyhow::Result<Self> {
        Self::connect_for(global, false).await
    }

    /// The same, for commands that check or run playbooks.
    pub async fn connect_for_playbooks(global: &GlobalOptions) -> anyhow::Result<Self> {
        Self::connect_for(global, true).await
    }

    async fn connect_for(global: &GlobalOptions, ansible: bool) -> anyhow::Result<Self> {
        let transport = if let Some(server) = &global.server {
            Transport::Remote {
                http: reqwest::Client::builder()
                    .user_agent(concat!("admiral/", env!("CARGO_PKG_VERSION")))
                    .connect_timeout(Duration::from_secs(10))
                    // A token must not follow a redirect to another host.
                    .redirect(reqwest::redirect::Policy::none())
                    .build()?,
                base: base_url(server)?,
                token: token(global)?,
            }
        } else {
            let needs = Needs {
                connections: 8,
                ansible,
                worker: if ansible {
                    WorkerOptions::from_environment()?
                } else {
                    WorkerOptions::default()
                },
                ..Needs::default()
            };
            let instance = Box::new(Instance::open(global, needs).await?);
            Transport::Local {
                api: LocalApi::new(instance.state.clone()),
                instance,
            }
        };
        Ok(Self { transport })
    }

    /// The instance in this process, when there is one.
    pub fn instance(&self) -> Option<&Instance> {
        match &self.transport {
            Transport::Local { instance, .. } => Some(instance),
            Transport::Remote { .. } => None,
        }
    }

    /// From now on acts for `principal`; only in this process, as a running server goes by the token.
    pub fn act_for(&mut self, principal: Principal) -> anyhow::Result<()> {
        match &mut self.transport {
            Transport::Local { api, .. } => {
                *api = api.clone().acting_for(principal);
                Ok(())
            }
            Transport::Remote { .. } => {
                Err(UsageError("--user works only on the server's own machine".to_owned()).into())
            }
        }
    }

    /// GET, the answer as JSON.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.json(Method::GET, path, Content::None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.json(Method::POST, path, Content::Json(body)).await
    }

    /// POST with a file as the body.
    pub async fn upload(&self, path: &str, file: Vec<u8>) -> anyhow::Result<Value> {
        self.json(Method::POST, path, Content::File(file)).await
    }

    /// PUT with plain bytes.
    pub async fn put_bytes(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<Value> {
        self.json(Method::PUT, path, Content::File(bytes)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.json(Method::PATCH, path, Content::Json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.json(Method::DELETE, path, Content::None).await.map(drop)
    }

    /// DELETE that answers with what is left.
    pub async fn delete_for_answer(&self, path: &str) -> anyhow::Result<Value> {
        self.json(Method::DELETE, path, Content::None).await
    }

    /// All pages of a list.
    pub async fn list(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        for page in 1.. {
            let page_number = page.to_string();
            let paging = [("page", page_number.as_str()), ("per_page", "500")];
            let query: Vec<_> = query.iter().chain(&paging).copied().collect();
            let mut answer = self.get(&with_query(path, &query)).await?;
            match answer["data"].take() {
                Value::Array(data) => rows.extend(data),
                _ => anyhow::bail!("the answer to {path} holds no list"),
            }
            if answer["meta"]["last_page"].as_i64().unwrap_or(1) <= page {
                break;
            }
        }
        Ok(rows)
    }

    /// GET, the answer's bytes as they come.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Body> {
        let (status, body) = self.send(Method::GET, path, Content::None).await?;
        if (200..300).contains(&status) {
            Ok(body)
        } else {
            Err(refused(status, &collect(body).await?))
        }
    }

    /// Lets go of the database; the embedded PostgreSQL stops when nobody else uses it.
    pub async fn close(self) -> anyhow::Result<()> {
        match self.transport {
            Transport::Remote { .. } => Ok(()),
            Transport::Local { api, instance } => {
                drop(api);
                instance.close().await
            }
        }
    }

    async fn json(&self, method: Method, path: &str, content: Content) -> anyhow::Result<Value> {
        let (status, body) = self.send(method, path, content).await?;
        let bytes = collect(body).await?;
        if !(200..300).contains(&status) {
            return Err(refused(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).context("the answer is no JSON; is this address an Admiral server?")
    }

    async fn send(&self, method: Method, path: &str, content: Content) -> anyhow::Result<(u16, Body)> {
        match &self.transport {
            Transport::Remote { http, base, token } => {
                let mut request = http
                    .request(method, format!("{base}{path}"))
                    .bearer_auth(token.expose_secret());
                request = match content {
                    Content::None => request,
                    Content::Json(body) => request.json(&body),
                    Content::File(file) => request.header(CONTENT_TYPE, "application/octet-stream").body(file),
                };
                let response = request.send().await.map_err(|error| {
                    Hinted::new(
                        format!("failed to reach {base}"),
                        "is `admiral serve` running there? leave --server out to work on the local data directory",
                    )
                    .caused_by(error.without_url())
                })?;
                let status = response.status().as_u16();
                let body = response.bytes_stream().map(|chunk| match chunk {
                    Ok(bytes) => Ok(bytes.to_vec()),
                    Err(error) => Err(anyhow::Error::from(error.without_url()).context("the connection was lost")),
                });
                Ok((status, Box::pin(body)))
            }
            Transport::Local { api, .. } => {
                let response = match content {
                    Content::None => api.request(method.as_str(), path, None).await,
                    Content::Json(body) => api.request(method.as_str(), path, Some(body)).await,
                    Content::File(file) => api.upload(method.as_str(), path, file).await,
                };
                let body = response.body.map(|chunk| Ok(chunk?.to_vec()));
                Ok((response.status, Box::pin(body)))
            }
        }
    }
}

/// `path?name=value&…` with everything escaped.
pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        let separator = if index == 0 { '?' } else { '&' };
        let _ = write!(text, "{separator}{name}={}", escape(value));
    }
    text
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

async fn collect(body: Body) -> anyhow::Result<Vec<u8>> {
    body.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
}

fn base_url(server: &str) -> anyhow::Result<String> {
    let url = server.trim_end_matches('/');
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url.to_owned());
    }
    Err(Hinted::new(
        format!("{server:?} is no server address"),
        "--server takes a URL such as https://admiral.example.org",
    )
    .into())
}

fn token(global: &GlobalOptions) -> anyhow::Result<SecretString> {
    if let Some(path) = &global.token_file {
        return input::read_secret(path, false);
    }
    match std::env::var("ADMIRAL_TOKEN") {
        Ok(token) if !token.is_empty() => Ok(SecretString::from(token)),
        _ => Err(Hinted::new(
            "there is no API token for --server",
            "make one with `admiral tokens add NAME` on the server or in the console, then give it by --token-file or ADMIRAL_TOKEN",
        )
        .into()),
    }
}

fn refused(status: u16, body: &[u8]) -> anyhow::Error {
    let Some(problem) = Problem::parse(body) else {
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let detail = format!("the server answered {status} without saying why");
        return Refused(Problem::new(code, "unreadable", detail)).into();
    };
    let hint = match problem.status {
        401 => Some("the token is wrong, expired or revoked; make another with `admiral tokens add NAME`"),
        403 => Some("this takes a higher role; ask an admin"),
        500 => Some("the server's log has the details; look for the request id"),
        _ => None,
    };
    let refused = Refused(problem);
    match hint {
        Some(hint) => Hinted::new(refused.to_string(), hint).caused_by(refused).into(),
        None => refused.into(),
    }
}

fn describe(problem: &Problem) -> String {
    let mut text = if problem.errors.is_empty() {
        problem.detail.clone()
    } else {
        let errors: Vec<_> = problem
            .errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.message))
            .collect();
        errors.join("\n")
    };
    if problem.status >= 500
        && let Some(request_id) = &problem.request_id
    {
        let _ = write!(text, " (request {request_id})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        assert_eq!(
            with_query("/api/servers", &[("search", "a&b c"), ("tag", "é")]),
            "/api/servers?search=a%26b%20c&tag=%C3%A9"
        );
        assert_eq!(with_query("/api/servers", &[]), "/api/servers");
    }

    #[test]
    fn a_server_is_a_url() {
        assert_eq!(base_url("https://a.example/").unwrap(), "https://a.example");
        assert!(base_url("a.example").is_err());
    }

    #[test]
    fn a_refusal_names_the_fields() {
        let body =
            br#"{"type":"about:blank","title":"Unprocessable","status":422,"detail":"x","code":"validation_failed",
            "errors":[{"field":"ssh_port","message":"must be between 1 and 65535"}]}"#;
        assert_eq!(refused(422, body).to_string(), "ssh_port must be between 1 and 65535");
        assert_eq!(
            refused(502, b"<html>").to_string(),
            "the server answered 502 without saying why"
        );
    }
}
