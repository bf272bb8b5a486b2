//! `POST /api/projects`.

use super::{Secret, Wanted, find};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
        routes::packages::author,
    },
    auth::policy::Action,
    domain::{
        PackageId,
        package::is_package_name,
        playbook::PlaybookOrigin,
        project::{Project, WebhookKind},
        validation::{FieldError, Validator},
    },
    store::{
        Connection, StoreError,
        packages::{self, Author},
        projects,
    },
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// A git project to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// Its playbooks will be `project/NAME/…`; letters, digits, `.`, `_` and `-`, at most 100. It stays as it is.
    name: String,
    /// `https://HOST/PATH`, `ssh://USER@HOST/PATH` or `USER@HOST:PATH`.
    url: String,
    /// Branch, tag or whole commit id; empty for the repository's default branch.
    #[serde(default)]
    reference: String,
    /// What an `ssh` address is read with.
    private_key_id: Option<uuid::Uuid>,
    /// The user name that goes with the token; empty for one that the large hosts take.
    #[serde(default)]
    username: String,
    /// What an `https` address is read with; never sent again.
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<SecretString>,
    /// Whether the files of submodules are taken too.
    #[serde(default)]
    submodules: bool,
    /// Whether each launch begins with a sync.
    #[serde(default)]
    sync_before_launch: bool,
    /// Seconds between syncs by schedule; 60 to 2592000.
    sync_interval_seconds: Option<i32>,
    /// How webhooks prove where they come from.
    webhook_kind: Option<WebhookKind>,
    /// What they prove it with; never sent again.
    #[schema(value_type = Option<String>, format = Password)]
    webhook_secret: Option<SecretString>,
}

/// Adds a git project and has it synced soon.
#[utoipa::path(
    post, path = "/api/projects", tag = "projects", request_body = CreateProject,
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 201, body = Project),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn create_project(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateProject>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    let mut validator = Validator::new();
    validator.check(
        is_package_name(&body.name),
        "name",
        "must have 1 to 100 letters, digits, \".\", \"_\" or \"-\", and begin with a letter or a digit",
    );
    let wanted = Wanted {
        url: body.url,
        reference: body.reference,
        private_key_id: body.private_key_id,
        username: body.username,
        token: Secret::of(Some(body.token), None),
        submodules: body.submodules,
        sync_before_launch: body.sync_before_launch,
        sync_interval_seconds: body.sync_interval_seconds,
        webhook_kind: body.webhook_kind,
        webhook_secret: Secret::of(Some(body.webhook_secret), None),
    };
    let url = wanted.check(&mut validator);
    // What lies in the watched folder now has its name.
    state.refresh_library().await?;
    let mut transaction = state.database.begin().await?;
    wanted.check_key(&mut transaction, &mut validator).await?;
    validator.finish()?;
    let Some(url) = url else {
        return Err(Problem::not_found("address"));
    };
    let id = take_name(&mut transaction, &body.name, &author(&actor)).await?;
    let settings = wanted.sealed(&state, id, &url)?;
    projects::insert_project(&mut transaction, id, &settings).await?;
    projects::request_sync(&mut transaction, id).await?;
    let project = find(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("project.create").object(id).after(&project),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(project)))
}

/// The package of this name: a new one, or that of a folder which is gone, whose history goes on.
async fn take_name(connection: &mut Connection, name: &str, by: &Author) -> Result<PackageId, Problem> {
    let taken = |message: &str| {
        let mut problem = Problem::conflict(message);
        problem.errors.push(FieldError {
            field: "name".to_owned(),
            message: "is already taken".to_owned(),
        });
        problem
    };
    let head = packages::upsert_package(connection, PlaybookOrigin::Project, name, by).await?;
    if packages::is_git(connection, head.id).await? {
        return Err(taken("there is a git project of this name already"));
    }
    let package = packages::get_package(connection, head.id).await?;
    if package.current_version.is_some() && package.missing_since.is_none() {
        return Err(taken(
            "a folder of this name lies in the watched folder; take it away first, or choose another name",
        ));
    }
    if projects::is_name_of_other_playbooks(connection, head.id, name).await? {
        return Err(taken(
            "a folder of this name in the watched folder holds playbooks; choose another name",
        ));
    }
    Ok(head.id)
}
