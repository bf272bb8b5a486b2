//! `POST /api/webhooks/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Client, Path},
        problem::Problem,
    },
    auth::webhooks,
    domain::{PackageId, project::WebhookKind},
    playbooks::git::{Push, Reference},
    store::{
        StoreError, audit,
        projects::{self, StoredProject},
    },
    vault::RowIdentity,
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What becomes of a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookAnswer {
    /// Whether a sync was asked for.
    accepted: bool,
    /// Why, for whoever looks at the sender's list of deliveries.
    detail: &'static str,
}

/// Takes a webhook of a git host, and has the project synced soon when it tells of a push that matters. It needs no session: it is
/// signed. Whoever cannot sign is not told whether there is such a project.
#[utoipa::path(
    post, path = "/api/webhooks/{id}", tag = "projects", security(()),
    params(
        ("id" = String, Path, description = "The project's id"),
        ("X-Admiral-Signature" = Option<String>, Header, description = "`generic`: `sha256=` and the HMAC-SHA256 of the body in hexadecimal"),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "`github`: as GitHub signs"),
        ("X-Gitlab-Token" = Option<String>, Header, description = "`gitlab`: the secret"),
    ),
    request_body(content = Object, description = "What the host sends, at most 1 MiB; `ref` tells the branch or tag"),
    responses(
        (status = 202, body = WebhookAnswer),
        (status = 401, description = "The signature is wrong or missing, or there is no such project", body = Problem),
        (status = 413, description = "Larger than 1 MiB", body = Problem),
    )
)]
pub(super) async fn receive_webhook(
    State(state): State<AppState>,
    client: Client,
    id: Result<Path<PackageId>, Problem>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<WebhookAnswer>), Problem> {
    let body = body.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            "payload_too_large",
            "the body cannot be read, or is larger than 1 MiB",
        )
    })?;
    let project = match id {
        Ok(Path(id)) => match projects::get_project(&mut *state.database.acquire().await?, id).await {
            Ok(project) => Some(project),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
        Err(_) => None,
    };
    let (kind, secret) = secret_of(&state, project.as_ref())?;
    let presented = headers
        .get(webhooks::header_name(kind))
        .map(axum::http::HeaderValue::as_bytes);
    let is_genuine = webhooks::is_genuine(kind, secret.as_ref(), presented, &body);
    let (true, Some(project)) = (is_genuine, project) else {
        tracing::warn!(address = client.address_text(), "a webhook was refused");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "invalid_signature",
            "there is no such webhook, or its signature is wrong or missing",
        ));
    };
    let push = Push::read(&json_of(&headers, &body), event_of(&headers));
    let reference = Reference::parse(&project.settings.reference).unwrap_or(Reference::Default);
    if let Err(detail) = push.concerns(&reference) {
        return Ok((
            StatusCode::ACCEPTED,
            Json(WebhookAnswer {
                accepted: false,
                detail,
            }),
        ));
    }
    let mut transaction = state.database.begin().await?;
    projects::request_sync(&mut transaction, project.id).await?;
    audit::record(
        &mut transaction,
        &client.entry("webhook", "project.request_sync").object(project.id),
    )
    .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    let answer = WebhookAnswer {
        accepted: true,
        detail: "the project is synced soon",
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// How the project's webhooks are checked. Without a project that takes any, as if it took some of which nobody knows the secret.
fn secret_of(
    state: &AppState,
    project: Option<&StoredProject>,
) -> Result<(WebhookKind, Option<SecretString>), Problem> {
    let Some(project) = project else {
        return Ok((WebhookKind::Generic, None));
    };
    let settings = &project.settings;
    let (Some(kind), Some(sealed)) = (settings.webhook_kind, &settings.sealed_webhook_secret) else {
        return Ok((WebhookKind::Generic, None));
    };
    let secret = state
        .vault
        .open_text(sealed, RowIdentity::webhook_secret(project.id))
        .map_err(|error| Problem::internal(&error))?;
    Ok((kind, Some(secret)))
}

/// GitHub and GitLab say what happened in a header.
fn event_of(headers: &HeaderMap) -> Option<&str> {
    ["x-github-event", "x-gitlab-event"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
}

/// The body, or what is in it when it is sent as a form, as GitHub does unless told otherwise.
fn json_of(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Form {
        payload: String,
    }
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    match serde_html_form::from_bytes::<Form>(body) {
        Ok(form) if is_form => form.payload.into_bytes(),
        _ => body.to_vec(),
    }
}
