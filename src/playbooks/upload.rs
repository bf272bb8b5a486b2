//! Uploaded packages: which of their playbooks are meant, and how they become versions.

use super::{
    find_entry_points,
    snapshot::Snapshot,
    versions::{self, Basis, VersionError},
};
use crate::{
    domain::{
        PackageId, VersionId,
        package::{PackageVersion, is_package_name},
        playbook::{Outline, PlaybookOrigin},
        validation::Invalid,
    },
    store::{
        Connection,
        packages::{self, Author},
        playbooks,
    },
};

/// Playbooks that are named in a message, at most.
const NAMED: usize = 20;

/// What somebody uploads.
#[derive(Debug)]
pub struct Upload<'a> {
    /// What the package is called.
    pub name: &'a str,
    /// Its files.
    pub snapshot: &'a Snapshot,
    /// Which of them are its playbooks. Empty: those that the package has now, or the only one that there is.
    pub entries: &'a [String],
    /// The version that this one follows on; `None` for a new package.
    pub base: Option<VersionId>,
    /// For people.
    pub comment: &'a str,
    /// Who.
    pub author: Author,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The package.
    pub package: PackageId,
    /// Its current version.
    pub version: PackageVersion,
    /// Whether that is a new one: the files may be those that were there already.
    pub is_new: bool,
    /// Its playbooks, relative to the package.
    pub entries: Vec<String>,
}

/// Makes a package, or a new version of one. Must run in a transaction, which must be rolled back after an error.
pub async fn upload(connection: &mut Connection, upload: &Upload<'_>) -> Result<Uploaded, VersionError> {
    versions::check_comment(upload.comment)?;
    if !is_package_name(upload.name) {
        return Err(Invalid::field(
            "name",
            "must have 1 to 100 letters, digits, \".\", \"_\" and \"-\", and begin with a letter or a digit",
        )
        .into());
    }
    let found = find_entry_points(&upload.snapshot.files);
    let head = packages::upsert_package(connection, PlaybookOrigin::Custom, upload.name, &upload.author).await?;
    let mut old_entries = Vec::new();
    if let Some(current) = head.version_id {
        if upload.base != Some(current) {
            let current = Box::new(packages::get_version(connection, current).await?);
            return Err(match upload.base {
                None => VersionError::Exists(current),
                Some(_) => VersionError::Conflict(current),
            });
        }
        old_entries = packages::get_package(connection, head.id).await?.entry_points;
    } else if upload.base.is_some() {
        return Err(Invalid::field("base_version_id", "is no version of this package").into());
    }
    let entries = choose(&found, upload.entries, &old_entries)?;
    if let Some(current) = head.version_id
        && head.digest.as_deref() == Some(&upload.snapshot.digest)
    {
        let chosen: Vec<_> = found.into_iter().filter(|(path, _)| entries.contains(path)).collect();
        playbooks::set_entry_points(connection, PlaybookOrigin::Custom, head.id, &head.name, &chosen).await?;
        return Ok(Uploaded {
            package: head.id,
            version: packages::get_version(connection, current).await?,
            is_new: false,
            entries,
        });
    }
    let basis = Basis {
        version: upload.base.unwrap_or_default(),
        comment: upload.comment.to_owned(),
        author: upload.author.clone(),
    };
    let version = versions::add(connection, &head, &basis, upload.snapshot, None, &entries).await?;
    Ok(Uploaded {
        package: head.id,
        version,
        is_new: true,
        entries,
    })
}

/// Which playbooks a package gets: the wanted ones, else those of before that are still there, else the only one.
fn choose(found: &[(String, Outline)], wanted: &[String], old: &[String]) -> Result<Vec<String>, Invalid> {
    let is_found = |path: &&String| found.iter().any(|(candidate, _)| candidate == *path);
    let candidates = || {
        let mut names: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).take(NAMED).collect();
        if found.len() > NAMED {
            names.push("…");
        }
        names.join(", ")
    };
    if found.is_empty() {
        return Err(Invalid::field(
            "file",
            "holds no playbook: no .yml or .yaml file with a list of plays, at most two folders deep",
        ));
    }
    if let Some(unknown) = wanted.iter().find(|path| !is_found(path)) {
        return Err(Invalid::field(
            "entry",
            format!("names {unknown:?}, which is none of its playbooks: {}", candidates()),
        ));
    }
    if !wanted.is_empty() {
        return Ok(wanted.to_vec());
    }
    let kept: Vec<String> = old.iter().filter(is_found).cloned().collect();
    match found {
        _ if !kept.is_empty() => Ok(kept),
        [(only, _)] => Ok(vec![only.clone()]),
        _ => Err(Invalid::field(
            "entry",
            format!("is needed, as there are several playbooks: {}", candidates()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playbooks_are_chosen_or_only_one() {
        let found = |paths: &[&str]| -> Vec<(String, Outline)> {
            paths
                .iter()
                .map(|path| ((*path).to_owned(), Outline::default()))
                .collect()
        };
        let names = |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
        let two = found(&["a.yml", "b.yml"]);
        assert_eq!(choose(&found(&["a.yml"]), &[], &[]), Ok(names(&["a.yml"])));
        assert_eq!(choose(&two, &names(&["b.yml"]), &[]), Ok(names(&["b.yml"])));
        assert_eq!(choose(&two, &[], &names(&["b.yml", "gone.yml"])), Ok(names(&["b.yml"])));
        assert_eq!(
            choose(&two, &names(&["a.yml"]), &names(&["b.yml"])),
            Ok(names(&["a.yml"]))
        );
        for (found, wanted, field, message) in [
            (found(&[]), names(&[]), "file", "holds no playbook"),
            (two.clone(), names(&[]), "entry", "a.yml, b.yml"),
            (two.clone(), names(&["c.yml"]), "entry", "\"c.yml\""),
        ] {
            let invalid = choose(&found, &wanted, &names(&["gone.yml"])).unwrap_err();
            assert_eq!(invalid.errors[0].field, field);
            assert!(invalid.errors[0].message.contains(message), "{invalid}");
        }
    }
}
