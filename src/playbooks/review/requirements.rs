//! `requirements.yml`: what a package expects from Galaxy or git, and what of it is not pinned.

use super::{
    findings::Findings,
    jinja,
    package::{Package, is_yaml},
};
use crate::{domain::finding::Severity, playbooks::yaml::Node};

/// Versions that name a branch, and so something else tomorrow.
const BRANCHES: [&str; 8] = [
    "head", "main", "master", "devel", "develop", "trunk", "latest", "stable",
];

/// Whether this names a branch by a usual name.
pub(super) fn is_branch(version: &str) -> bool {
    let version = version.trim();
    let name = version.rsplit('/').next().unwrap_or(version);
    BRANCHES.contains(&name.to_lowercase().as_str())
}

/// Reads every requirements file of the package.
pub(super) fn read(package: &mut Package<'_>, findings: &mut Findings) {
    let paths: Vec<String> = package
        .paths()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            is_yaml(path) && name.starts_with("requirements.") && !path.contains("ansible_collections/")
        })
        .map(str::to_owned)
        .collect();
    for path in paths {
        let Some(document) = package.document(&path, findings) else {
            continue;
        };
        // A list is the older form, and one of roles.
        for role in document
            .items()
            .iter()
            .chain(document.get("roles").map_or(&[][..], Node::items))
        {
            read_role(package, role, &path, findings);
        }
        for collection in document.get("collections").map_or(&[][..], Node::items) {
            read_collection(package, collection, &path, findings);
        }
    }
}

fn read_role(package: &mut Package<'_>, role: &Node, path: &str, findings: &mut Findings) {
    let (source, name, version) = match role.value() {
        Some(text) => {
            let mut parts = text.split(',').map(str::trim);
            (parts.next().unwrap_or_default(), None, parts.next())
        }
        None => (
            role.get_text("src").or(role.get_text("name")).unwrap_or_default(),
            role.get_text("name"),
            role.get_text("version"),
        ),
    };
    if source.is_empty() {
        return;
    }
    let base = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let base = base
        .split(".tar.gz")
        .next()
        .unwrap_or_default()
        .trim_end_matches(".git");
    package.required_roles.insert(name.unwrap_or(base).to_owned());
    let is_archive = source.contains(".tar.gz") || source.contains(".tgz");
    if !is_archive {
        judge(
            role,
            &format!("the role {base}"),
            version,
            is_address(source),
            path,
            findings,
        );
    }
}

fn read_collection(package: &mut Package<'_>, collection: &Node, path: &str, findings: &mut Findings) {
    let (name, version) = match collection.value() {
        Some(text) => match text.split_once(':') {
            Some((name, version)) if !is_address(text) => (name, Some(version)),
            _ => (
                text.split(',').next().unwrap_or_default(),
                text.split_once(',').map(|(_, version)| version),
            ),
        },
        None => (
            collection
                .get_text("name")
                .or(collection.get_text("source"))
                .unwrap_or_default(),
            collection.get_text("version"),
        ),
    };
    let kind = collection.get_text("type").unwrap_or_default();
    if matches!(kind, "file" | "dir" | "subdirs" | "url") || name.is_empty() {
        package.requires_unnamed = true;
        return;
    }
    let is_git = kind == "git" || is_address(name);
    if is_git {
        package.requires_unnamed = true;
    } else {
        package.required_collections.insert(name.to_owned());
    }
    let shown = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    judge(
        collection,
        &format!("the collection {shown}"),
        version,
        is_git,
        path,
        findings,
    );
}

fn judge(at: &Node, what: &str, version: Option<&str>, is_git: bool, path: &str, findings: &mut Findings) {
    let version = version
        .map(str::trim)
        .filter(|version| !version.is_empty() && *version != "*");
    let message = match version {
        None if is_git => {
            format!("{what} comes from git without a version: what is installed changes when its repository does")
        }
        None => format!("{what} has no version: what is installed changes with every release"),
        Some(version) if is_git && is_branch(version) && !jinja::is_template(version) => {
            format!("{what} is taken from the branch {version}: what is installed changes when that does")
        }
        Some(_) => return,
    };
    let severity = if is_git { Severity::Warning } else { Severity::Note };
    findings.add(path, at.line, at.column, severity, "unpinned", message);
}

fn is_address(source: &str) -> bool {
    source.contains("://")
        || source.starts_with("git@")
        || source.starts_with("git+")
        || source.strip_suffix(".git").is_some()
}
