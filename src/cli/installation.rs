//! Finds out whether there is an installation in a data directory, and where an account has its own by default.
//!
//! Only `admiral serve` makes an installation. With a mistyped `--data-dir` every other command says that there is none, instead of
//! working on a new and empty one.

use super::{
    failure::Hinted,
    instance::key_ring_path,
    options::{GlobalOptions, default_data_directory},
    owner::{self, Ownership},
    service_settings::DATA_DIRECTORY,
};
use crate::{embedded, process::Account};
use std::path::{Path, PathBuf};

/// Makes sure that the data directory holds an installation, on the database that the options name.
pub fn require(global: &GlobalOptions, data_directory: &Path) -> anyhow::Result<()> {
    let has_key_ring = key_ring_path(data_directory).exists();
    let has_cluster = embedded::has_cluster(data_directory);
    let shown = data_directory.display();
    let missing = match (global.database_url.is_some(), has_cluster, has_key_ring) {
        (false, true, _) | (true, _, true) => return Ok(()),
        (false, false, true) => Hinted::new(
            format!("the installation in {shown} has no database of its own"),
            "it uses an external PostgreSQL: set DATABASE_URL to the value that its server has",
        ),
        (true, _, false) => Hinted::new(
            format!("there is no key ring in {shown}, so there is no installation of Admiral"),
            where_else(
                data_directory,
                "copy the key ring (mode 600) of the database's other processes there, or start `admiral serve` once",
            ),
        ),
        (false, false, false) => Hinted::new(
            format!("there is no installation of Admiral in {shown}"),
            where_else(data_directory, "`admiral serve` makes one"),
        ),
    };
    Err(missing.into())
}

/// The data directory that an account uses when nobody names another.
pub fn default_directory_of(account: &Account) -> PathBuf {
    let owns_system_directory = Path::new(DATA_DIRECTORY)
        .metadata()
        .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == account.user);
    let home = |name: &str| (name == "HOME").then(|| account.home.clone());
    default_data_directory(account.user == 0 || owns_system_directory, home).unwrap_or_else(|| DATA_DIRECTORY.into())
}

/// A hint that names the other installation that might be meant.
fn where_else(data_directory: &Path, otherwise: &str) -> String {
    let usual = Path::new(DATA_DIRECTORY);
    if data_directory == usual {
        return otherwise.to_owned();
    }
    match Ownership::of(usual) {
        Ok(Ownership::Anothers(account)) => format!(
            "is the path right? the one in {} belongs to the account {}: type `{}`; {otherwise}",
            usual.display(),
            account.name,
            owner::command_for(&account, usual)
        ),
        _ => format!("is the path right? {otherwise}; --server names a running server"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(data_dir: &Path, database_url: Option<&str>) -> GlobalOptions {
        GlobalOptions {
            data_dir: Some(data_dir.to_owned()),
            database_url: database_url.map(str::to_owned),
            server: None,
            token_file: None,
            playbooks_folder: None,
            output: crate::cli::output::Format::Table,
        }
    }

    #[test]
    fn an_installation_has_a_database_and_with_an_external_one_a_key_ring() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let refusal = |url: Option<&str>| require(&options(path, url), path).unwrap_err().to_string();
        let external = Some("postgres://db/admiral");
        assert!(refusal(None).contains("there is no installation of Admiral in"));
        assert!(refusal(external).contains("there is no key ring in"));
        std::fs::write(key_ring_path(path), "{}").unwrap();
        assert!(refusal(None).contains("has no database of its own"));
        require(&options(path, external), path).unwrap();
        std::fs::create_dir_all(path.join("postgres/data")).unwrap();
        std::fs::write(path.join("postgres/data/PG_VERSION"), "15\n").unwrap();
        require(&options(path, None), path).unwrap();
    }

    #[test]
    fn each_account_has_a_directory_of_its_own() {
        let account = |user, home: &str| Account {
            name: "a".to_owned(),
            user,
            group: user,
            home: home.into(),
            shell: "/bin/sh".into(),
        };
        assert_eq!(default_directory_of(&account(0, "/root")), Path::new(DATA_DIRECTORY));
        let own = default_directory_of(&account(4_000_000, "/home/a"));
        assert_eq!(own, Path::new("/home/a/.local/share/admiral"));
    }
}
