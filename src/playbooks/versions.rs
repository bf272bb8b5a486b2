//! New versions of packages that are kept by hand: saved edits and rolled back ones. Whoever saves says which version the edit was
//! made on; when that is no longer the current one, nothing is saved and both sides keep what they have.

use super::{
    MAX_FILES, MAX_TOTAL_BYTES, find_entry_points,
    snapshot::{self, Snapshot},
};
use crate::{
    domain::{
        PackageId, VersionId,
        package::PackageVersion,
        playbook::{ManifestEntry, PlaybookFile, PlaybookOrigin},
        validation::{Invalid, Validator},
    },
    store::{
        Connection, StoreError,
        packages::{self, Author, NewVersion},
        playbooks,
    },
};
use std::collections::BTreeMap;

/// A comment is at most this long, in characters.
pub const MAX_COMMENT: usize = 2000;

/// One file of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the package.
    pub path: String,
    /// What is in it from now on; `None` takes the file away.
    pub content: Option<String>,
    /// Permission bits; 0o644, or 0o755 for a file that may be executed. `None`: as before, or 0o644.
    pub mode: Option<u32>,
}

/// What a new version is made on, and by whom.
#[derive(Debug, Clone)]
pub struct Basis {
    /// The version that the author saw.
    pub version: VersionId,
    /// For people.
    pub comment: String,
    /// Who.
    pub author: Author,
}

/// Why no version was made.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// Somebody else made one since; it is the current one.
    #[error("version {} was made by {} in the meantime", .0.number, .0.author_name)]
    Conflict(Box<PackageVersion>),
    /// There is a package of this name already; its current version.
    #[error("there is a package of this name already, in version {}", .0.number)]
    Exists(Box<PackageVersion>),
    /// The edit cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The package is kept elsewhere.
    #[error("only custom playbooks are edited here; change this one in its folder or repository")]
    NotCustom,
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Saves an edit as the current version. Must run in a transaction.
pub async fn save(
    connection: &mut Connection,
    package: PackageId,
    basis: &Basis,
    changes: &[FileChange],
) -> Result<PackageVersion, VersionError> {
    let head = lock(connection, package, basis).await?;
    let mut files = packages::load_version_files(connection, basis.version).await?;
    apply(&mut files, changes)?;
    let snapshot = Snapshot::new(files);
    if head.digest.as_deref() == Some(&snapshot.digest) {
        return Err(Invalid::field("changes", "change nothing").into());
    }
    let old = entries_to_keep(connection, package, basis.version).await?;
    add(connection, &head, basis, &snapshot, None, &old).await
}

/// Makes a version that equals an old one. Must run in a transaction.
pub async fn roll_back(
    connection: &mut Connection,
    package: PackageId,
    basis: &Basis,
    to: VersionId,
) -> Result<PackageVersion, VersionError> {
    let head = lock(connection, package, basis).await?;
    let target = packages::get_version(connection, to)
        .await
        .ok()
        .filter(|target| target.package_id == package)
        .ok_or_else(|| Invalid::field("version_id", "is no version of this package"))?;
    if head.digest.as_deref() == Some(&target.digest) {
        return Err(Invalid::field("version_id", "has the same files as the current version").into());
    }
    let snapshot = Snapshot::new(packages::load_version_files(connection, to).await?);
    let old = entries_to_keep(connection, package, basis.version).await?;
    add(connection, &head, basis, &snapshot, Some(target.number), &old).await
}

/// The package's playbooks, and those that went with their file and not by choice: they are back when it is.
async fn entries_to_keep(
    connection: &mut Connection,
    package: PackageId,
    current: VersionId,
) -> Result<Vec<String>, StoreError> {
    let mut entries = packages::get_package(connection, package).await?.entry_points;
    let present = packages::get_manifest(connection, current).await?;
    let missing = playbooks::list_missing_entry_points(connection, package).await?;
    entries.extend(
        missing
            .into_iter()
            .filter(|path| !present.iter().any(|entry| entry.path == *path)),
    );
    Ok(entries)
}

/// Says which of its files are a package's playbooks. Must run in a transaction.
pub async fn choose_entry_points(
    connection: &mut Connection,
    package: PackageId,
    chosen: &[String],
) -> Result<(), VersionError> {
    let head = packages::lock_package(connection, package).await?;
    require_custom(connection, package).await?;
    let Some(version) = head.version_id else {
        return Err(Invalid::field("entry_points", "cannot be chosen before there are files").into());
    };
    let files = packages::load_version_files(connection, version).await?;
    let mut entries = find_entry_points(&files);
    let mut validator = Validator::new();
    validator.check(!chosen.is_empty(), "entry_points", "must name at least one playbook");
    for (index, path) in chosen.iter().enumerate() {
        if !entries.iter().any(|(found, _)| found == path) {
            validator.error(format!("entry_points[{index}]"), "is no playbook of this package");
        }
    }
    validator.finish()?;
    entries.retain(|(path, _)| chosen.contains(path));
    playbooks::set_entry_points(connection, PlaybookOrigin::Custom, package, &head.name, &entries).await?;
    Ok(())
}

async fn require_custom(connection: &mut Connection, package: PackageId) -> Result<(), VersionError> {
    if packages::get_package(connection, package).await?.origin == PlaybookOrigin::Custom {
        Ok(())
    } else {
        Err(VersionError::NotCustom)
    }
}

async fn lock(
    connection: &mut Connection,
    package: PackageId,
    basis: &Basis,
) -> Result<packages::PackageHead, VersionError> {
    check_comment(&basis.comment)?;
    let head = packages::lock_package(connection, package).await?;
    require_custom(connection, package).await?;
    match head.version_id {
        Some(current) if current != basis.version => {
            let current = packages::get_version(connection, current).await?;
            Err(VersionError::Conflict(Box::new(current)))
        }
        Some(_) => Ok(head),
        None => Err(Invalid::field("base_version_id", "is no version of this package").into()),
    }
}

pub(super) fn check_comment(comment: &str) -> Result<(), Invalid> {
    if comment.chars().count() > MAX_COMMENT || comment.contains('\0') {
        return Err(Invalid::field("comment", "must be at most 2000 characters"));
    }
    Ok(())
}

/// Adds a version. Of `old_entries` stay those that it has, or all that it has when it has none of those.
pub(super) async fn add(
    connection: &mut Connection,
    head: &packages::PackageHead,
    basis: &Basis,
    snapshot: &Snapshot,
    rolled_back_to: Option<i32>,
    old_entries: &[String],
) -> Result<PackageVersion, VersionError> {
    let version = packages::add_version(
        connection,
        &NewVersion {
            package_id: head.id,
            digest: &snapshot.digest,
            manifest: &snapshot.manifest,
            files: &snapshot.files,
            comment: basis.comment.trim(),
            author: &basis.author,
            commit_id: None,
            rolled_back_to,
        },
    )
    .await?;
    let found = find_entry_points(&snapshot.files);
    let mut entries: Vec<_> = found
        .iter()
        .filter(|(path, _)| old_entries.contains(path))
        .cloned()
        .collect();
    if entries.is_empty() {
        // The playbook was renamed, or a version from before is back: better too many than none.
        entries = found;
    }
    playbooks::set_entry_points(connection, PlaybookOrigin::Custom, head.id, &head.name, &entries).await?;
    Ok(version)
}

/// Carries an edit out on a version's files.
pub fn apply(files: &mut Vec<PlaybookFile>, changes: &[FileChange]) -> Result<(), Invalid> {
    let mut validator = Validator::new();
    let mut by_path: BTreeMap<String, PlaybookFile> = std::mem::take(files)
        .into_iter()
        .map(|file| (file.path.clone(), file))
        .collect();
    validator.check(!changes.is_empty(), "changes", "must not be empty");
    for (index, change) in changes.iter().enumerate() {
        let field = |name: &str| format!("changes[{index}].{name}");
        if !snapshot::is_plain_path(&change.path) {
            validator.error(
                field("path"),
                "must be a plain path inside the package, such as roles/web/tasks/main.yml",
            );
            continue;
        }
        if change.mode.is_some_and(|mode| mode != 0o644 && mode != 0o755) {
            validator.error(field("mode"), "must be 420 (0o644) or 493 (0o755)");
        }
        let before = by_path.remove(&change.path);
        match &change.content {
            None if before.is_none() => validator.error(field("path"), "names no file of the package"),
            None => {}
            Some(content) => {
                let mode = change.mode.or(before.map(|file| file.mode)).unwrap_or(0o644);
                by_path.insert(
                    change.path.clone(),
                    PlaybookFile {
                        path: change.path.clone(),
                        mode,
                        content: content.clone().into_bytes(),
                    },
                );
            }
        }
    }
    for path in by_path.keys() {
        let folder = format!("{path}/");
        if by_path
            .range(folder.clone()..)
            .next()
            .is_some_and(|(next, _)| next.starts_with(&folder))
        {
            validator.error("changes", format!("{path} would be a file and a folder"));
        }
    }
    let total: u64 = by_path.values().map(|file| file.content.len() as u64).sum();
    validator.check(by_path.len() <= MAX_FILES, "changes", "make more than 10,000 files");
    validator.check(total <= MAX_TOTAL_BYTES, "changes", "make more than 64 MiB of files");
    validator.finish()?;
    *files = by_path.into_values().collect();
    Ok(())
}

/// How two versions differ, file by file and by path.
pub fn compare<'a>(
    from: &'a [ManifestEntry],
    to: &'a [ManifestEntry],
) -> Vec<(Option<&'a ManifestEntry>, Option<&'a ManifestEntry>)> {
    let mut paths: BTreeMap<&str, (Option<&ManifestEntry>, Option<&ManifestEntry>)> = BTreeMap::new();
    for entry in from {
        paths.entry(&entry.path).or_default().0 = Some(entry);
    }
    for entry in to {
        paths.entry(&entry.path).or_default().1 = Some(entry);
    }
    paths.into_values().filter(|(before, after)| before != after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> PlaybookFile {
        PlaybookFile {
            path: path.to_owned(),
            mode: 0o644,
            content: content.as_bytes().to_vec(),
        }
    }

    fn change(path: &str, content: Option<&str>) -> FileChange {
        FileChange {
            path: path.to_owned(),
            content: content.map(str::to_owned),
            mode: None,
        }
    }

    #[test]
    fn an_edit_changes_what_it_names() {
        let mut files = vec![file("a.yml", "1"), file("b.yml", "2"), file("run.sh", "3")];
        files[2].mode = 0o755;
        let mut script = change("run.sh", Some("4"));
        apply(
            &mut files,
            &[change("a.yml", None), change("c/d.yml", Some("5")), script.clone()],
        )
        .unwrap();
        let seen: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.mode, file.content.as_slice()))
            .collect();
        assert_eq!(
            seen,
            [
                ("b.yml", 0o644, b"2".as_slice()),
                ("c/d.yml", 0o644, b"5"),
                ("run.sh", 0o755, b"4")
            ]
        );
        script.mode = Some(0o644);
        apply(&mut files, &[script]).unwrap();
        assert_eq!(files[2].mode, 0o644);
    }

    #[test]
    fn an_edit_that_cannot_be_names_its_fault() {
        for (changes, field) in [
            (vec![], "changes"),
            (vec![change("../x", Some(""))], "changes[0].path"),
            (vec![change("/etc/x", Some(""))], "changes[0].path"),
            (vec![change("gone.yml", None)], "changes[0].path"),
            (vec![change("a.yml/x", Some(""))], "changes"),
            (vec![change(".git/config", Some(""))], "changes[0].path"),
        ] {
            let invalid = apply(&mut vec![file("a.yml", "1")], &changes).unwrap_err();
            assert_eq!(invalid.errors[0].field, field, "{changes:?}");
        }
    }
}
