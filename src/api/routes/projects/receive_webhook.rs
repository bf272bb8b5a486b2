//! `POST /api/webhooks/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Client, Path, receive},
        problem::Problem,
    },
    auth::webhooks::{self, Refusal, WhenRepeated},
    domain::{PackageId, project::WebhookKind},
    playbooks::git::{Push, Reference},
    store::{
        StoreError, audit,
        projects::{self, StoredProject},
        webhooks::remember_delivery,
    },
    vault::RowIdentity,
};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
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
/// signed. A sender who cannot sign is not told whether there is such a project. A delivery that was received before causes no second sync.
#[utoipa::path(
    post, path = "/api/webhooks/{id}", tag = "projects", security(()),
    params(
        ("id" = String, Path, description = "The project's id"),
        ("webhook-id" = Option<String>, Header, description = "`generic`, and `gitlab` with a signing token: names the delivery, as in the Standard Webhooks specification"),
        ("webhook-timestamp" = Option<String>, Header, description = "When it was sent, in seconds since 1970; at most five minutes away from the server's clock"),
        ("webhook-signature" = Option<String>, Header, description = "`v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64"),
        ("X-Admiral-Signature" = Option<String>, Header, description = "`generic`, without the three above: `sha256=` and the HMAC-SHA256 of the body in hexadecimal; each body counts once"),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "`github`: as GitHub signs"),
        ("X-Gitlab-Token" = Option<String>, Header, description = "`gitlab`: the secret, unless that is a signing token (`whsec_…`)"),
    ),
    request_body(content = Object, description = "What the host sends, at most 1 MiB; `ref` tells the branch or tag"),
    responses(
        (status = 202, body = WebhookAnswer),
        (status = 401, description = "The signature is wrong or missing, or there is no such project; `stale_webhook`: it is signed for another time", body = Problem),
        (status = 408, description = "The body came too slowly", body = Problem),
        (status = 409, description = "`repeated_webhook`: the same body was received before, and it is signed without an id and a time", body = Problem),
        (status = 413, description = "Larger than 1 MiB", body = Problem),
        (status = 429, description = "Too many bytes are being received from this address", body = Problem),
    )
)]
pub(super) async fn receive_webhook(
    State(state): State<AppState>,
    client: Client,
    id: Result<Path<PackageId>, Problem>,
    request: Request,
) -> Result<(StatusCode, Json<WebhookAnswer>), Problem> {
    let headers = request.headers().clone();
    let body = receive(request).await?;
    let project = match id {
        Ok(Path(id)) => match projects::get_project(&mut *state.database.acquire().await?, id).await {
            Ok(project) => Some(project),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
        Err(_) => None,
    };
    let (kind, secret) = secret_of(&state, project.as_ref())?;
    let now = state.clock.now();
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let (delivery, project) = match (webhooks::check(kind, secret.as_ref(), header, &body, now), project) {
        (Ok(delivery), Some(project)) => (delivery, project),
        (Err(Refusal::Stale { seconds }), Some(_)) => {
            let detail = format!("{}; check the clocks of both machines", Refusal::Stale { seconds });
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "stale_webhook", detail));
        }
        _ => {
            tracing::warn!(address = client.address_text(), "a webhook was refused");
            let detail = Refusal::NotGenuine.to_string();
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "invalid_signature", detail));
        }
    };
    let mut transaction = state.database.begin().await?;
    let accepted = if remember_delivery(&mut transaction, project.id, &delivery.identity, now).await? {
        let push = Push::read(&json_of(&headers, &body), event_of(&headers));
        let reference = Reference::parse(&project.settings.reference).unwrap_or(Reference::Default);
        push.concerns(&reference)
    } else if delivery.when_repeated == WhenRepeated::Refuse {
        return Err(repeated());
    } else {
        Err("this delivery was received before")
    };
    if accepted.is_ok() {
        projects::request_sync(&mut transaction, project.id).await?;
        let entry = client.entry("webhook", "project.request_sync").object(project.id);
        audit::record(&mut transaction, &entry).await?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    let answer = WebhookAnswer {
        accepted: accepted.is_ok(),
        detail: accepted.err().unwrap_or("the project is synced soon"),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

fn repeated() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "repeated_webhook",
        "a webhook with this body was received before; to send the same body again, sign it with a webhook-id and a webhook-timestamp",
    )
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
