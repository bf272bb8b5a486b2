//! `GET /api/packages/{id}/diff`.

use super::version_of;
use crate::{
    api::{
        AppState,
        extract::{Path, Query},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        PackageId,
        package::{FileStatus, PackageVersion},
        playbook::ManifestEntry,
    },
    playbooks::versions,
    store::packages,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use similar::{Algorithm, TextDiff};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Differences are shown up to this size, in bytes, all files together.
const MAX_SHOWN: usize = 2 * 1024 * 1024;
/// Files above this size are not compared line by line, in bytes.
const MAX_COMPARED: usize = 1024 * 1024;
/// How long two files are compared for; then the difference is coarser than it need be, and still right.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long all files are compared for; those that are left then are not shown.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(5);

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
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = VersionDiff),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn diff_versions(
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    Query(query): Query<DiffVersions>,
) -> Result<Json<VersionDiff>, Problem> {
    let mut connection = state.database.acquire().await?;
    let from = version_of(&mut connection, id, query.from).await?;
    let to = version_of(&mut connection, id, query.to).await?;
    let old = packages::get_manifest(&mut connection, from.id).await?;
    let new = packages::get_manifest(&mut connection, to.id).await?;
    let changed: Vec<(Option<ManifestEntry>, Option<ManifestEntry>)> = versions::compare(&old, &new)
        .into_iter()
        .map(|(before, after)| (before.cloned(), after.cloned()))
        .collect();
    let digests: Vec<&str> = changed
        .iter()
        .flat_map(|(before, after)| [before, after])
        .flatten()
        .map(|entry| entry.digest.as_str())
        .collect();
    let contents = packages::read_contents(&mut connection, &digests, MAX_COMPARED).await?;
    drop(connection);
    let files = tokio::task::spawn_blocking(move || differences(&changed, &contents))
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(VersionDiff { from, to, files }))
}

/// How each file differs. `contents` are by digest; those that are too large are not among them.
fn differences(
    changed: &[(Option<ManifestEntry>, Option<ManifestEntry>)],
    contents: &HashMap<String, Vec<u8>>,
) -> Vec<FileDiff> {
    let text = |entry: &Option<ManifestEntry>| match entry {
        None => Text::Known(""),
        Some(entry) => contents
            .get(&entry.digest)
            .map_or(Text::TooLarge, |content| Text::of(content)),
    };
    let end = Instant::now() + PATIENCE_FOR_ALL;
    let mut room = MAX_SHOWN;
    let mut files = Vec::new();
    for (before, after) in changed {
        let Some(entry) = after.as_ref().or(before.as_ref()) else {
            continue;
        };
        let mut file = FileDiff {
            path: entry.path.clone(),
            status: match (before, after) {
                (None, _) => FileStatus::Added,
                (_, None) => FileStatus::Removed,
                _ => FileStatus::Changed,
            },
            old_mode: before.as_ref().map(|entry| entry.mode),
            new_mode: after.as_ref().map(|entry| entry.mode),
            binary: false,
            diff: String::new(),
            truncated: false,
        };
        match (text(before), text(after)) {
            (Text::Known(old), Text::Known(new)) if Instant::now() < end => {
                file.diff = difference(old, new);
                file.truncated = file.diff.len() > room;
                if file.truncated {
                    file.diff.clear();
                }
                room -= file.diff.len();
            }
            (Text::Binary, _) | (_, Text::Binary) => file.binary = true,
            _ => file.truncated = true,
        }
        files.push(file);
    }
    files
}

/// The content of a file, or of one that is not there.
enum Text<'a> {
    Known(&'a str),
    Binary,
    TooLarge,
}

impl<'a> Text<'a> {
    fn of(content: &'a [u8]) -> Self {
        match std::str::from_utf8(content) {
            Ok(text) if !text.contains('\0') => Self::Known(text),
            _ => Self::Binary,
        }
    }
}

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
    fn what_is_too_much_is_left_out_and_said_so() {
        let entry = |name: &str| {
            Some(ManifestEntry {
                path: name.to_owned(),
                mode: 0o644,
                digest: name.to_owned(),
            })
        };
        let long = "x\n".repeat(MAX_COMPARED / 2).into_bytes();
        let contents = HashMap::from([
            ("a".to_owned(), long.clone()),
            ("b".to_owned(), long),
            ("c".to_owned(), b"y\n".to_vec()),
            ("d".to_owned(), vec![0, 1]),
        ]);
        let changed = ["a", "b", "c", "d", "too large"].map(|name| (None, entry(name)));
        let files = differences(&changed, &contents);
        let told: Vec<_> = files
            .iter()
            .map(|file| (!file.diff.is_empty(), file.truncated, file.binary))
            .collect();
        assert_eq!(
            told,
            [
                (true, false, false),
                (false, true, false),
                (true, false, false),
                (false, false, true),
                (false, true, false)
            ]
        );
    }

    #[test]
    fn a_difference_is_unified() {
        assert_eq!(
            difference("a\nb\nc\n", "a\nB\nc\n"),
            "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
        assert_eq!(difference("a\n", "a\n"), "");
    }
}
