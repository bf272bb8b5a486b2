//! `GET /api/playbooks/form`.

use crate::{
    api::{AppState, extract::Query, problem::Problem},
    auth::policy::Action,
    domain::{
        finding::Finding,
        form::{Form, FormSource},
        playbook::PlaybookId,
    },
    playbooks::form::effective,
    store::{packages, playbooks},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which playbook's form is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlaybookFormQuery {
    /// The playbook's id: `project/site.yml`.
    id: String,
    /// A version of its package; the current one when left out.
    version_id: Option<uuid::Uuid>,
}

/// A playbook's form.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlaybookForm {
    /// What it was read from. Of a draft only what the playbook itself asks for binds.
    pub source: FormSource,
    /// Where its file is, or would be, relative to the package.
    pub path: String,
    /// Null when the file has faults.
    pub form: Option<Form>,
    /// The file's faults.
    pub errors: Vec<Finding>,
    /// The file's text, or what would be in it.
    pub yaml: String,
}

/// What there is to fill in before a playbook is launched.
#[utoipa::path(
    get, path = "/api/playbooks/form", tag = "playbooks", params(PlaybookFormQuery),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = PlaybookForm),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_playbook_form(
    State(state): State<AppState>,
    Query(query): Query<PlaybookFormQuery>,
) -> Result<Json<PlaybookForm>, Problem> {
    let id: PlaybookId = query.id.parse().map_err(|_| Problem::not_found("playbook"))?;
    state.refresh_library().await?;
    let mut connection = state.database.acquire().await?;
    let playbook = playbooks::get_playbook(&mut connection, &id).await?;
    let version = match query.version_id {
        Some(version) => {
            let version = packages::get_version(&mut connection, version).await?;
            (version.package_id == playbook.package_id).then_some(version.id)
        }
        None => playbook.version,
    };
    let version = version.ok_or_else(|| Problem::not_found("version"))?;
    let files = packages::load_version_files(&mut connection, version).await?;
    drop(connection);
    let form = effective(&files, &playbook.entry_path);
    Ok(Json(PlaybookForm {
        source: form.source,
        path: form.path,
        form: form.form,
        errors: form.errors,
        yaml: form.yaml,
    }))
}
