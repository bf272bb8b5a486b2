//! The installed PostgreSQL server: which ones there are, and which one will do.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::error::EmbeddedError;
use crate::process::{base_environment, command, find_program, run_captured};

/// The oldest major version that will do.
const OLDEST: u32 = 14;
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// A folder with the server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    folder: PathBuf,
    major: u32,
}

impl Installation {
    /// The newest one, or the one that fits the cluster when there is one already.
    ///
    /// Looks in `explicit` and nowhere else when given, else where packages put them, then in `PATH`.
    pub(super) async fn find(explicit: Option<&Path>, cluster: Option<(PathBuf, u32)>) -> Result<Self, EmbeddedError> {
        let folders = explicit.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
        let mut found = Vec::new();
        for folder in folders
            .iter()
            .filter(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file()))
        {
            if let Some(major) = major_version(folder).await?.filter(|major| *major >= OLDEST) {
                found.push(Self {
                    folder: folder.clone(),
                    major,
                });
            }
        }
        choose(found, cluster, &folders)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn major(&self) -> u32 {
        self.major
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn choose(
    mut found: Vec<Installation>,
    cluster: Option<(PathBuf, u32)>,
    searched: &[PathBuf],
) -> Result<Installation, EmbeddedError> {
    // Stable: of equals, the one that was looked at first.
    found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
    if found.is_empty() {
        let searched: Vec<String> = searched.iter().map(|folder| folder.display().to_string()).collect();
        return Err(EmbeddedError::NotInstalled {
            oldest: OLDEST,
            searched: searched.join(", "),
        });
    }
    let Some((data, cluster)) = cluster else {
        return Ok(found.swap_remove(0));
    };
    if let Some(fitting) = found.iter().find(|installation| installation.major == cluster) {
        return Ok(fitting.clone());
    }
    let installed: Vec<String> = found
        .iter()
        .map(|installation| installation.major.to_string())
        .collect();
    Err(EmbeddedError::VersionMismatch {
        data,
        cluster,
        installed: installed.join(", "),
    })
}

/// Debian's folders, those of the PostgreSQL packages for Red Hat, then wherever `PATH` finds the server.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for root in ["/usr/lib/postgresql", "/usr"] {
        let versions = fs::read_dir(root)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let is_version = |path: &PathBuf| {
            root != "/usr"
                || path
                    .file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("pgsql-"))
        };
        folders.extend(
            versions
                .filter(is_version)
                .map(|version| version.join("bin"))
                .filter(|bin| bin.is_dir()),
        );
    }
    // Debian links initdb nowhere into PATH, but others do.
    if let Some(folder) = find_program("initdb", &[]).and_then(|program| program.parent().map(Path::to_owned)) {
        folders.push(folder);
    }
    if folders.is_empty() {
        folders.push(PathBuf::from("/usr/lib/postgresql/*/bin"));
        folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    }
    folders
}

async fn major_version(folder: &Path) -> Result<Option<u32>, EmbeddedError> {
    let mut asked = command(folder.join("postgres"));
    asked
        .arg("--version")
        .envs(base_environment(Path::new("/")))
        .current_dir("/");
    let answer = run_captured(asked, Duration::from_secs(30)).await?;
    Ok(parse_version(&answer.stdout_text()))
}

/// `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`, or `17beta1`.
fn parse_version(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits = version.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installations(majors: &[u32]) -> Vec<Installation> {
        majors
            .iter()
            .map(|major| Installation {
                folder: format!("/pg/{major}").into(),
                major: *major,
            })
            .collect()
    }

    #[test]
    fn versions_are_read_from_what_the_server_says() {
        for (text, expected) in [
            ("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 17beta1\n", Some(17)),
            ("postgres (PostgreSQL) 9.6.24\n", Some(9)),
            ("something else", None),
        ] {
            assert_eq!(parse_version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_newest_is_chosen_unless_the_cluster_wants_another() {
        let newest = choose(installations(&[14, 17, 15]), None, &[]).expect("one");
        assert_eq!(newest.major, 17);
        let cluster = Some((PathBuf::from("/data"), 15));
        assert_eq!(
            choose(installations(&[14, 17, 15]), cluster.clone(), &[])
                .expect("one")
                .major,
            15
        );
        let error = choose(installations(&[17, 14]), cluster, &[])
            .expect_err("none fits")
            .to_string();
        assert!(error.contains("made by PostgreSQL 15, installed is 17, 14"), "{error}");
        assert!(error.contains("postgresql-15"), "{error}");
    }

    #[test]
    fn the_package_is_named_when_nothing_is_installed() {
        let error = choose(Vec::new(), None, &["/nowhere".into()])
            .expect_err("none")
            .to_string();
        assert!(error.contains("`postgresql`") && error.contains("/nowhere"), "{error}");
    }
}
