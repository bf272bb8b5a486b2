//! `PATCH /api/projects/{id}`.

use super::{Secret, Wanted, find, shown};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path, present},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        PackageId,
        project::{Project, WebhookKind},
        validation::Validator,
    },
    playbooks::git::GitUrl,
    store::{StoreError, packages, projects},
};
use axum::{Json, extract::State};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes to a git project; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::option_option,
    reason = "null takes a value away, a field that is not there leaves it"
)]
pub struct UpdateProject {
    /// `https://HOST/PATH`, `ssh://USER@HOST/PATH` or `USER@HOST:PATH`. On another host the token is needed again.
    url: Option<String>,
    /// Branch, tag or whole commit id; empty for the repository's default branch.
    reference: Option<String>,
    /// What an `ssh` address is read with; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<uuid::Uuid>)]
    private_key_id: Option<Option<uuid::Uuid>>,
    /// The user name that goes with the token.
    username: Option<String>,
    /// What an `https` address is read with; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<Option<SecretString>>,
    /// Whether the files of submodules are taken too.
    submodules: Option<bool>,
    /// Whether each launch begins with a sync.
    sync_before_launch: Option<bool>,
    /// Seconds between syncs by schedule, 60 to 2592000; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>)]
    sync_interval_seconds: Option<Option<i32>>,
    /// How webhooks prove where they come from; null: none is taken.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<WebhookKind>)]
    webhook_kind: Option<Option<WebhookKind>>,
    /// What they prove it with; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Password)]
    webhook_secret: Option<Option<SecretString>>,
    /// Trusts the host's key anew at the next sync, whatever it is.
    #[serde(default)]
    forget_host_keys: bool,
}

/// Changes a git project, and has it synced soon where that makes a difference.
#[utoipa::path(
    patch, path = "/api/projects/{id}", tag = "projects", request_body = UpdateProject, params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = Project),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such project", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn update_project(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PackageId>,
    JsonBody(body): JsonBody<UpdateProject>,
) -> Result<Json<Project>, Problem> {
    let mut transaction = state.database.begin().await?;
    // Of two that change it at once, one after the other.
    let before = projects::get_project(&mut transaction, id).await?;
    packages::lock_package(&mut transaction, id).await?;
    let old = projects::get_project(&mut transaction, id).await?.settings;
    let keeps_token = body.token.is_none();
    let wanted = Wanted {
        url: body.url.unwrap_or_else(|| old.url.clone()),
        reference: body.reference.unwrap_or_else(|| old.reference.clone()),
        private_key_id: body.private_key_id.unwrap_or(old.private_key_id),
        username: body.username.unwrap_or_else(|| old.username.clone()),
        token: Secret::of(body.token, old.sealed_token.clone()),
        submodules: body.submodules.unwrap_or(old.submodules),
        sync_before_launch: body.sync_before_launch.unwrap_or(old.sync_before_launch),
        sync_interval_seconds: body.sync_interval_seconds.unwrap_or(old.sync_interval_seconds),
        webhook_kind: body.webhook_kind.unwrap_or(old.webhook_kind),
        webhook_secret: Secret::of(body.webhook_secret, old.sealed_webhook_secret.clone()),
    };
    let mut validator = Validator::new();
    let url = wanted.check(&mut validator);
    wanted.check_key(&mut transaction, &mut validator).await?;
    if let (Some(url), Ok(old_url)) = (&url, GitUrl::parse(&old.url)) {
        // Or whoever may change the address could have the token sent to a host of their own.
        validator.check(
            !keeps_token || !wanted.token.is_some() || url.shares_credentials_with(&old_url),
            "token",
            "is needed again: the address leads to another host than the stored token was given for (null takes it away)",
        );
    }
    validator.finish()?;
    let Some(url) = url else {
        return Err(Problem::not_found("address"));
    };
    let settings = wanted.sealed(&state, id, &url)?;
    projects::update_project(&mut transaction, id, &settings, body.forget_host_keys).await?;
    let read_as = |settings: &projects::ProjectSettings| {
        (
            settings.url.clone(),
            settings.reference.clone(),
            settings.private_key_id,
            settings.username.clone(),
            settings.sealed_token.clone(),
            settings.submodules,
        )
    };
    if body.forget_host_keys || read_as(&settings) != read_as(&old) {
        projects::request_sync(&mut transaction, id).await?;
    }
    let project = find(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor
                .entry("project.update")
                .object(id)
                .before(&shown(before))
                .after(&project),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(project))
}
