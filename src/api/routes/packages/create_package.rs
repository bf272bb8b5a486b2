//! `POST /api/packages`.

use super::{
    author,
    upload::{self, UploadedFile},
};
use crate::{
    api::{
        AppState,
        extract::{Actor, Query, RawBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        finding::Finding,
        package::{Package, PackageVersion},
    },
    playbooks::{
        archive, review,
        upload::{Upload, Uploaded},
    },
    store::{StoreError, packages},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What is known about the file, and what becomes of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CreatePackageQuery {
    /// What the package is called: 1 to 100 letters, digits, `.`, `_` and `-`. Made of the file's name when left out.
    name: Option<String>,
    /// What the file is called; the end of its name tells what it is.
    #[serde(default)]
    #[param(required)]
    file_name: String,
    /// For people; at most 2000 characters.
    #[serde(default)]
    comment: String,
    /// The files that are its playbooks. May be left out when there is only one, and for a new version of a package whose playbooks
    /// it still has.
    #[serde(default)]
    entry: Vec<String>,
    /// Makes a new version of the package of this name: its current version.
    base_version_id: Option<Uuid>,
}

/// An uploaded package.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageUpload {
    /// The package.
    pub package: Package,
    /// Its current version.
    pub version: PackageVersion,
    /// What a review of its playbooks brought up.
    pub findings: Vec<Finding>,
}

/// Uploads a package, or a new version of one.
#[utoipa::path(
    post, path = "/api/packages", tag = "packages", params(CreatePackageQuery),
    request_body(content = UploadedFile, content_type = "application/octet-stream"),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, description = "The files are those of the current version: no version was added", body = PackageUpload),
        (status = 201, body = PackageUpload),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`package_exists`: the name is taken. `version_conflict`: there is a newer version than `base_version_id`. `current` is the current version; nothing was kept", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than 64 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`file` says why it cannot be read, `entry` names the playbooks to choose from", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_package(
    actor: Actor,
    State(state): State<AppState>,
    Query(query): Query<CreatePackageQuery>,
    body: RawBody,
) -> Result<(StatusCode, Json<PackageUpload>), Problem> {
    let snapshot = upload::read(&query.file_name, body).await?;
    let name = query.name.unwrap_or_else(|| archive::suggest_name(&query.file_name));
    let mut transaction = state.database.begin().await?;
    let Uploaded {
        package,
        version,
        is_new,
        entries,
    } = crate::playbooks::upload::upload(
        &mut transaction,
        &Upload {
            name: &name,
            snapshot: &snapshot,
            entries: &query.entry,
            base: query.base_version_id,
            comment: &query.comment,
            author: author(&actor),
        },
    )
    .await?;
    let package = packages::get_package(&mut transaction, package).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("package.upload").object(package.id).after(&package),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    let findings = tokio::task::spawn_blocking(move || review(&snapshot.files, &entries))
        .await
        .map_err(|error| Problem::internal(&error))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((
        status,
        Json(PackageUpload {
            package,
            version,
            findings,
        }),
    ))
}
