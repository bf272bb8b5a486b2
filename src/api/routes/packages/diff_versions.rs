//! `GET /api/packages/{id}/diff`.

use super::version_of;
use crate::{
    api::{
        AppState,
        extract::{Actor, Path, Query},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        PackageId, VersionId,
        package::{FileStatus, PackageVersion},
        playbook::ManifestEntry,
    },
    playbooks::versions,
    store::{Connection, packages},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use similar::{Algorithm, TextDiff};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Differences are shown up to this size, in bytes, all files together.
const MAX_SHOWN: usize = 2 * 1024 * 1024;
/// Files above this size are not compared line by line, in bytes.
const MAX_COMPARED: usize = 1024 * 1024;
/// How long two files are compared for; then the difference is coarser than it need be, and still right.
const PATIENCE: Duration = Duration::from_millis(200);

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffVersions {
    /// The old one.
    from: Uuid,
    /// The new one.
    to: Uuid,
}

/// One file that differs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileDiff {
    /// Relative to the package.
    pub path: String,
    /// What became of it.
    pub status: FileStatus,
    /// Permission bits in the old version.
    pub old_mode: Option<u32>,
    /// Permission bits in the new version.
    pub new_mode: Option<u32>,
    /// One of the two is no UTF-8 text.
    pub binary: bool,
    /// A unified difference; empty when binary, when left out, or when only the mode differs.
    pub diff: String,
    /// Left out for its size.
    pub truncated: bool,
}

/// How two versions differ.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionDiff {
    /// The old one.
    pub from: PackageVersion,
    /// The new one.
    pub to: PackageVersion,
    /// By path.
    pub files: Vec<FileDiff>,
}

/// How two versions of a package differ.
#[utoipa::path(
    get, path = "/api/packages/{id}/diff", tag = "packages", params(("id" = uuid::Uuid, Path), DiffVersions),
    responses(
        (status = 200, body = VersionDiff),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn diff_versions(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    Query(query): Query<DiffVersions>,
) -> Result<Json<VersionDiff>, Problem> {
    actor.require(Action::ReadPlaybooks)?;
    let mut connection = state.database.acquire().await?;
    let from = version_of(&mut connection, id, query.from).await?;
    let to = version_of(&mut connection, id, query.to).await?;
    let old = packages::get_manifest(&mut connection, from.id).await?;
    let new = packages::get_manifest(&mut connection, to.id).await?;
    let mut files = Vec::new();
    let mut room = MAX_SHOWN;
    for (before, after) in versions::compare(&old, &new) {
        let old = text(&mut connection, from.id, before).await?;
        let new = text(&mut connection, to.id, after).await?;
        let Some(path) = after.or(before).map(|entry| entry.path.clone()) else {
            continue;
        };
        let mut file = FileDiff {
            status: match (before, after) {
                (None, _) => FileStatus::Added,
                (_, None) => FileStatus::Removed,
                _ => FileStatus::Changed,
            },
            old_mode: before.map(|entry| entry.mode),
            new_mode: after.map(|entry| entry.mode),
            binary: false,
            diff: String::new(),
            truncated: false,
            path,
        };
        match (old, new) {
            (Ok(old), Ok(new)) if old.len().max(new.len()) <= MAX_COMPARED => {
                file.diff = difference(&old, &new);
                file.truncated = file.diff.len() > room;
                if file.truncated {
                    file.diff.clear();
                }
                room -= file.diff.len();
            }
            (Ok(_), Ok(_)) => file.truncated = true,
            _ => file.binary = true,
        }
        files.push(file);
    }
    Ok(Json(VersionDiff { from, to, files }))
}

/// The text of a file that is there, the empty one of a file that is not; the error is a file that is no text.
async fn text(
    connection: &mut Connection,
    version: VersionId,
    entry: Option<&ManifestEntry>,
) -> Result<Result<String, NoText>, Problem> {
    let Some(entry) = entry else {
        return Ok(Ok(String::new()));
    };
    let content = packages::read_file(connection, version, &entry.path).await?;
    let content = content.unwrap_or_default();
    if content.contains(&0) {
        return Ok(Err(NoText));
    }
    Ok(String::from_utf8(content).map_err(|_| NoText))
}

struct NoText;

fn difference(old: &str, new: &str) -> String {
    TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(PATIENCE)
        .diff_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_unified() {
        assert_eq!(
            difference("a\nb\nc\n", "a\nB\nc\n"),
            "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
        assert_eq!(difference("a\n", "a\n"), "");
    }
}
