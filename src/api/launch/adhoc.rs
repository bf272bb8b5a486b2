//! A command in place of a playbook.

use super::FrozenPlaybook;
use crate::{
    api::{AppState, extract::Actor, problem::Problem, routes::packages::author},
    domain::{deployment::CommandLine, playbook::PlaybookOrigin},
    playbooks::{Snapshot, adhoc, outline},
    store::{
        StoreError,
        packages::{self, NewVersion},
    },
};

/// The name of a command's deployment is cut after so many characters.
const MAX_NAME: usize = 100;

/// Freezes a module and its arguments as the playbook that carries them out.
pub(super) async fn freeze(
    state: &AppState,
    actor: &Actor,
    module: &str,
    arguments: &str,
) -> Result<FrozenPlaybook, Problem> {
    let file = adhoc::playbook(module, arguments)?;
    let text = String::from_utf8_lossy(&file.content).into_owned();
    let snapshot = Snapshot::new(vec![file]);
    let author = author(actor);
    let mut transaction = state.database.begin().await?;
    let head = packages::upsert_package(&mut transaction, PlaybookOrigin::BuiltIn, adhoc::PACKAGE, &author).await?;
    let known = packages::find_version(&mut transaction, head.id, &snapshot.digest).await?;
    let version = if let Some(version) = known {
        version
    } else {
        let new = NewVersion {
            package_id: head.id,
            digest: &snapshot.digest,
            manifest: &snapshot.manifest,
            files: &snapshot.files,
            comment: "",
            author: &author,
            commit_id: None,
            rolled_back_to: None,
        };
        packages::add_version(&mut transaction, &new).await?.id
    };
    transaction.commit().await.map_err(StoreError::from)?;
    let mut outline = outline(adhoc::ENTRY_PATH, text.as_bytes()).unwrap_or_default();
    outline.name = format!("{module} {arguments}")
        .trim()
        .chars()
        .take(MAX_NAME)
        .map(visible)
        .collect();
    Ok(FrozenPlaybook {
        version,
        package: head.id,
        outline,
        entry_path: adhoc::ENTRY_PATH.to_owned(),
        files: snapshot.files,
        is_reviewed: true,
        command: Some(CommandLine::Module {
            module: module.to_owned(),
            arguments: arguments.to_owned(),
        }),
    })
}

fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}
