//! Packages of playbooks, their versions and files.

mod check_package;
mod create_package;
mod create_version;
mod delete_package;
mod diff_versions;
mod get_file;
mod get_findings;
mod get_package;
mod inspect_package;
mod list_files;
mod list_packages;
mod list_versions;
mod review_version;
mod roll_back_package;
mod update_package;
mod upload;

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    domain::{PackageId, VersionId, package::PackageVersion},
    playbooks::versions::VersionError,
    store::{
        Connection, StoreError,
        packages::{self, Author},
    },
};
use axum::http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/packages…`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_packages::list_packages))
        .routes(routes!(
            get_package::get_package,
            update_package::update_package,
            delete_package::delete_package
        ))
        .routes(routes!(list_versions::list_versions))
        .merge(create_version::router())
        .merge(upload::router())
        .routes(routes!(list_files::list_files))
        .routes(routes!(get_file::get_file))
        .routes(routes!(diff_versions::diff_versions))
        .routes(routes!(roll_back_package::roll_back_package))
        .routes(routes!(review_version::review_version))
        .routes(routes!(get_findings::get_findings))
        .merge(check_package::router())
}

/// Who makes a version, as it is kept with it.
pub(in crate::api) fn author(actor: &Actor) -> Author {
    Author {
        id: actor.principal.user_id,
        name: actor.principal.username.clone(),
    }
}

/// A version of this package, or 404.
async fn version_of(
    connection: &mut Connection,
    package: PackageId,
    version: VersionId,
) -> Result<PackageVersion, Problem> {
    let version = packages::get_version(connection, version).await?;
    if version.package_id == package {
        Ok(version)
    } else {
        Err(StoreError::NotFound("version").into())
    }
}

/// 409 with the version that was made in the meantime.
pub(in crate::api) fn version_conflict(detail: String, current: &PackageVersion) -> Problem {
    Problem::new(StatusCode::CONFLICT, "version_conflict", detail).with("current", current)
}

impl From<VersionError> for Problem {
    fn from(error: VersionError) -> Self {
        match error {
            VersionError::Conflict(current) => {
                version_conflict(VersionError::Conflict(current.clone()).to_string(), &current)
            }
            VersionError::Exists(current) => Self::new(
                StatusCode::CONFLICT,
                "package_exists",
                VersionError::Exists(current.clone()).to_string(),
            )
            .with("current", &current),
            VersionError::Invalid(invalid) => invalid.into(),
            VersionError::NotCustom => Self::conflict(error.to_string()),
            VersionError::Store(error) => error.into(),
        }
    }
}
