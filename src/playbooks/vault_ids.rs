//! Which passwords of `ansible-vault` a package needs. Pure.
//!
//! A header is `$ANSIBLE_VAULT;1.1;AES256`, or `$ANSIBLE_VAULT;1.2;AES256;ID` (Ansible's documentation of the format). An id only
//! says which password is tried first: unless told otherwise, Ansible then tries all others.

use crate::domain::{playbook::PlaybookFile, vault_password::DEFAULT_VAULT_ID};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};

const HEADER: &[u8] = b"$ANSIBLE_VAULT;";
/// Texts that may hold encrypted values beside plain ones.
const TEXTS: [&str; 3] = ["yml", "yaml", "json"];
/// Folders whose files hold variables whatever they are called: hosts are called `web1.example.com`.
const OF_VARIABLES: [&str; 2] = ["host_vars", "group_vars"];
/// Folders of a role or a collection whose files no run reads.
const NOT_READ: [&str; 2] = ["tests", "molecule"];

/// An opened password, as it is handed over.
#[derive(Debug, Clone)]
pub struct OpenedPassword {
    /// The vault id that it opens.
    pub vault_id: String,
    /// The password.
    pub password: SecretString,
}

/// Passwords that the project's own `ansible.cfg` names, in files of the package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnPasswords {
    /// There is a `vault_password_file`, which is tried on everything.
    pub any: bool,
    /// Vault ids that `vault_identity_list` names.
    pub ids: Vec<String>,
}

/// A stored password, before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPassword<'a> {
    /// The vault id that it opens.
    pub vault_id: &'a str,
    /// Whether it is for this package only, and not for all.
    pub of_package: bool,
}

/// Content that no password is there for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", describe(.0))]
pub struct MissingPasswords(
    /// Vault ids, each with one of the files that need it.
    pub Vec<(String, String)>,
);

/// Which of the stored passwords are handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// As indices.
    pub chosen: Vec<usize>,
    /// What no password is there for.
    pub missing: Option<MissingPasswords>,
}

impl Choice {
    /// What was chosen, unless something is missing.
    pub fn complete(self) -> Result<Vec<usize>, MissingPasswords> {
        self.missing.map_or(Ok(self.chosen), Err)
    }
}

/// The vault ids among a package's files, each with the first file that uses it.
pub fn used(files: &[PlaybookFile]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in files.iter().filter(|file| is_read(&file.path)) {
        let content = &file.content;
        if content.starts_with(HEADER) {
            note(&mut found, content, file);
        } else if may_hold_values(&file.path) {
            let mut from = 0;
            while let Some(at) = memchr::memmem::find(&content[from..], HEADER) {
                let at = from + at;
                if is_tagged(&content[..at]) {
                    note(&mut found, &content[at..], file);
                }
                from = at + HEADER.len();
            }
        }
    }
    found
}

/// Chooses among the stored passwords those that are handed over: those of the package itself, and those for all packages whose
/// vault id is used; of one vault id the package's own.
///
/// Content without an id of its own needs the password `default`, or any of the package's own.
pub fn choose(used: &BTreeMap<String, String>, own: &OwnPasswords, stored: &[StoredPassword<'_>]) -> Choice {
    let of_package: BTreeSet<&str> = stored
        .iter()
        .filter(|password| password.of_package)
        .map(|password| password.vault_id)
        .collect();
    let chosen: Vec<usize> = stored
        .iter()
        .enumerate()
        .filter(|(_, password)| {
            password.of_package || used.contains_key(password.vault_id) && !of_package.contains(password.vault_id)
        })
        .map(|(index, _)| index)
        .collect();
    let is_served = |id: &str| {
        own.any
            || own.ids.iter().any(|served| served == id)
            || chosen.iter().any(|index| stored[*index].vault_id == id)
            || id == DEFAULT_VAULT_ID && (!of_package.is_empty() || !own.ids.is_empty())
    };
    let missing: Vec<(String, String)> = used
        .iter()
        .filter(|(id, _)| !is_served(id))
        .map(|(id, path)| (id.clone(), path.clone()))
        .collect();
    Choice {
        chosen,
        missing: (!missing.is_empty()).then_some(MissingPasswords(missing)),
    }
}

fn describe(missing: &[(String, String)]) -> String {
    let parts: Vec<String> = missing
        .iter()
        .map(|(id, path)| {
            format!("{path} is encrypted with the vault id {id:?}, whose password is not stored: add it with `admiral vault-passwords add {id}`")
        })
        .collect();
    parts.join("; ")
}

fn note(found: &mut BTreeMap<String, String>, from_header: &[u8], file: &PlaybookFile) {
    if let Some(id) = vault_id(from_header) {
        found.entry(id).or_insert_with(|| file.path.clone());
    }
}

/// The id in a header; `None` when what follows is none, as in a text about vaults.
fn vault_id(from_header: &[u8]) -> Option<String> {
    let line = from_header
        .split(|byte| matches!(byte, b'\n' | b'\r' | b'"' | b'\'' | b'\\'))
        .next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut parts = line.trim_end().split(';').skip(1);
    let (version, cipher, id) = (parts.next()?, parts.next()?, parts.next());
    if cipher != "AES256" {
        return None;
    }
    match (version, id) {
        ("1.2", Some(id)) if !id.trim().is_empty() => Some(id.trim().to_owned()),
        _ => Some(DEFAULT_VAULT_ID.to_owned()),
    }
}

/// Whether what comes before a header says that a value is encrypted: `!vault |` and `!vault "` in YAML, `"__ansible_vault": "` in JSON.
fn is_tagged(before: &[u8]) -> bool {
    let before = without(before, b"|>+-0123456789\"'");
    before.ends_with(b"!vault")
        || before.ends_with(b"!vault-encrypted")
        || before.ends_with(b":") && without(before, b":\"'").ends_with(b"__ansible_vault")
}

/// The text without these bytes, and without blanks, at its end.
fn without<'a>(text: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    let is_kept = |byte: &u8| !byte.is_ascii_whitespace() && !bytes.contains(byte);
    &text[..text.iter().rposition(is_kept).map_or(0, |end| end + 1)]
}

fn is_read(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_test = |part: &str| NOT_READ.contains(&part);
    let of_role = parts.windows(3).any(|parts| parts[0] == "roles" && is_test(parts[2]));
    let of_collection = parts
        .windows(4)
        .any(|parts| parts[0] == "ansible_collections" && is_test(parts[3]));
    !of_role && !of_collection
}

fn may_hold_values(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if folder.split('/').any(|part| OF_VARIABLES.contains(&part)) {
        return true;
    }
    match name.rsplit_once('.') {
        Some((_, extension)) => TEXTS.contains(&extension),
        None => true,
    }
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

    fn stored(vault_id: &str, of_package: bool) -> StoredPassword<'_> {
        StoredPassword { vault_id, of_package }
    }

    #[test]
    fn ids_are_found_in_files_and_values() {
        let files = [
            file("group_vars/all", "$ANSIBLE_VAULT;1.1;AES256\n6162\n"),
            file("files/key.pem", "$ANSIBLE_VAULT;1.2;AES256;keys\r\n6162\n"),
            file(
                "site.yml",
                "a: !vault |\n  $ANSIBLE_VAULT;1.2;AES256;prod\n  61\nb: !vault |-2\n    $ANSIBLE_VAULT;1.1;AES256\n",
            ),
            file("vars.json", "a: !vault \"$ANSIBLE_VAULT;1.2;AES256;quoted\\n6162\"\n"),
            file(
                "README.md",
                "Write `x: !vault |\n  $ANSIBLE_VAULT;1.2;AES256;readme\n`\n",
            ),
            file(
                "notes.yml",
                "# $ANSIBLE_VAULT;1.2;AES256;comment\ntext: |\n  $ANSIBLE_VAULT;1.2;AES256;text\n",
            ),
            file(
                "collections/ansible_collections/a/b/tests/x",
                "$ANSIBLE_VAULT;1.2;AES256;tests\n",
            ),
            file("tests/site.yml", "$ANSIBLE_VAULT;1.2;AES256;site\n61\n"),
            file(
                "host_vars/web1.example.com",
                "a: !vault |\n  $ANSIBLE_VAULT;1.2;AES256;host\n  61\n",
            ),
            file("roles/web/molecule/x", "$ANSIBLE_VAULT;1.2;AES256;molecule\n"),
            file("roles/web/vars/test/x", "$ANSIBLE_VAULT;1.2;AES256;test\n61\n"),
            file(
                "vars/more.json",
                "{\"a\": {\"__ansible_vault\" : \"$ANSIBLE_VAULT;1.2;AES256;json\\n6162\\n\"}, \"b\": \"$ANSIBLE_VAULT;1.2;AES256;no\"}",
            ),
        ];
        let found: Vec<(String, String)> = used(&files).into_iter().collect();
        let expected = [
            ("default", "group_vars/all"),
            ("host", "host_vars/web1.example.com"),
            ("json", "vars/more.json"),
            ("keys", "files/key.pem"),
            ("prod", "site.yml"),
            ("quoted", "vars.json"),
            ("site", "tests/site.yml"),
            ("test", "roles/web/vars/test/x"),
        ];
        assert_eq!(found, expected.map(|(id, path)| (id.to_owned(), path.to_owned())));
    }

    #[test]
    fn the_packages_own_password_comes_before_one_for_all() {
        let used = BTreeMap::from([("prod".to_owned(), "a".to_owned())]);
        let all = [
            stored("prod", true),
            stored("prod", false),
            stored("dev", false),
            stored("extra", true),
        ];
        assert_eq!(choose(&used, &OwnPasswords::default(), &all).complete(), Ok(vec![0, 3]));
        assert_eq!(
            choose(&used, &OwnPasswords::default(), &all[1..3]).complete(),
            Ok(vec![0])
        );
        assert_eq!(
            choose(&BTreeMap::new(), &OwnPasswords::default(), &all[1..3]).complete(),
            Ok(Vec::new())
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let used = BTreeMap::from([
            ("default".to_owned(), "a.yml".to_owned()),
            ("prod".to_owned(), "b.yml".to_owned()),
        ]);
        let own = |any, ids: &[&str]| OwnPasswords {
            any,
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let missing = |own: &OwnPasswords, stored: &[StoredPassword<'_>]| {
            choose(&used, own, stored)
                .missing
                .map(|missing| missing.0.into_iter().map(|(id, _)| id).collect::<Vec<_>>())
        };
        let both = Some(vec!["default".to_owned(), "prod".to_owned()]);
        let prod = Some(vec!["prod".to_owned()]);
        assert_eq!(missing(&own(false, &[]), &[]), both);
        assert_eq!(missing(&own(false, &[]), &[stored("other", false)]), both);
        assert_eq!(missing(&own(false, &[]), &[stored("default", false)]), prod);
        assert_eq!(
            missing(&own(false, &[]), &[stored("other", true)]),
            prod,
            "any opens what names none"
        );
        assert_eq!(missing(&own(false, &["prod"]), &[]), None);
        assert_eq!(missing(&own(true, &[]), &[]), None);
        let error = choose(&used, &own(false, &["x"]), &[]).complete().unwrap_err();
        assert!(
            error.to_string().contains("`admiral vault-passwords add prod`"),
            "{error}"
        );
    }
}
