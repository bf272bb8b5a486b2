//! Where submodules come from: `.gitmodules`, of which only paths and addresses count.

use super::{
    GitError,
    session::{ANSWER_BYTES, Session},
    tree::{Kind, Listed},
};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// A longer `.gitmodules` is not read: 1 MiB.
const MAX_FILE: u64 = 1024 * 1024;

/// Addresses by path, as the commit's `.gitmodules` has them. The file is read by git as a file of settings, from the object, and none
/// of its settings comes into force: what else it says (`update`, `branch`, …) is not looked at.
pub(super) async fn read(
    session: &Session,
    repository: &Path,
    listed: &[Listed],
) -> Result<HashMap<String, String>, GitError> {
    let file = listed
        .iter()
        .find(|entry| entry.path == ".gitmodules" && matches!(entry.kind, Kind::File { .. }) && entry.size <= MAX_FILE);
    let Some(file) = file else {
        return Ok(HashMap::new());
    };
    let arguments = ["config", "--no-includes", "--blob", &file.object, "--null", "--list"];
    let answer = session.ask(repository, &arguments, None, ANSWER_BYTES).await?;
    Ok(parse(&answer.stdout_text()))
}

/// `submodule.NAME.path`, a line break and the value; NUL between them. The last one counts, as in git.
fn parse(settings: &str) -> HashMap<String, String> {
    let mut modules: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for setting in settings.split('\0') {
        let Some((key, value)) = setting.split_once('\n') else {
            continue;
        };
        let Some((name, field)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        let module = modules.entry(name).or_default();
        match field {
            "path" => module.0 = Some(value),
            "url" => module.1 = Some(value),
            _ => {}
        }
    }
    modules
        .into_values()
        .filter_map(|(path, url)| Some((path?.trim_end_matches('/').to_owned(), url?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_and_addresses_count() {
        let found = parse(
            "submodule.a.b.path\nroles/a/\0submodule.a.b.url\n../a.git\0submodule.a.b.update\n!touch /tmp/x\0\
             submodule.half.path\nx\0core.sshcommand\nid\0submodule.two.url\none\0submodule.two.url\n-u\0submodule.two.path\ntwo\0",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found["roles/a"], "../a.git");
        assert_eq!(found["two"], "-u");
    }
}
