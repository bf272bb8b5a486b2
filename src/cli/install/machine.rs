//! Looks at the machine before anything is done. Nothing is changed here.

use super::{Choices, Paths};
use crate::{
    embedded,
    process::{Account, command, find_program, run_captured},
};
use anyhow::Context as _;
use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

const PROGRAM_LIMIT: Duration = Duration::from_mins(1);

/// The packages that the service needs, whatever its database is.
const PACKAGES: [&str; 6] = [
    "bubblewrap",
    "ca-certificates",
    "git",
    "openssh-client",
    "python3",
    "python3-venv",
];
/// The server of the embedded PostgreSQL.
const POSTGRESQL: &str = "postgresql";

/// The state of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The system's name, and whether it is Debian or made from it.
    pub system: String,
    pub is_debian: bool,
    /// Whether systemd is in charge, and whether packages come by apt-get.
    pub has_systemd: bool,
    pub has_apt: bool,
    /// Packages that have to be installed.
    pub missing_packages: Vec<&'static str>,
    /// The version of `python3`, when it is installed.
    pub python: Option<(u32, u32)>,
    /// Whether Debian's packages run a PostgreSQL here already.
    pub has_cluster: bool,
    /// The account of the service.
    pub account: Option<Account>,
    /// The data directory.
    pub data: Folder,
    /// Of the paths that are to be made, those that are not there.
    pub missing: Vec<PathBuf>,
    /// Of the folders that root runs programs from or reads settings in, those that other accounts may write to.
    pub open_folders: Vec<PathBuf>,
    /// The contents of the files that are to be written.
    pub unit: Option<String>,
    pub settings: Option<SettingsFile>,
    pub apparmor: Option<String>,
    /// Whether the installed program is this one.
    pub binary: Binary,
    /// The name of the folder that the link to Ansible leads to, if Ansible is complete in it.
    pub ansible: Option<String>,
    /// Whether programs without an AppArmor profile must not use user namespaces.
    pub restricts_user_namespaces: bool,
    /// Whether user namespaces are switched off for everybody.
    pub forbids_user_namespaces: bool,
    pub is_enabled: bool,
    pub is_active: bool,
}

/// The data directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Folder {
    #[default]
    Missing,
    Empty {
        owner: u32,
    },
    InUse {
        owner: u32,
    },
    /// Something else than a folder is there.
    Other,
}

/// The installed program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Binary {
    #[default]
    Missing,
    Other,
    Same,
}

/// The settings of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    pub text: String,
    /// Whether accounts besides root and the service may read them.
    pub is_open: bool,
}

impl Machine {
    pub async fn look(choices: &Choices) -> anyhow::Result<Self> {
        let paths = &choices.paths;
        let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let mut needed = PACKAGES.to_vec();
        if choices.database_url.is_none() && embedded::find_programs().await.is_err() {
            needed.push(POSTGRESQL);
        }
        Ok(Self {
            system: field(&system, "PRETTY_NAME").unwrap_or_else(|| "this system".to_owned()),
            is_debian: is_debian(&system),
            has_systemd: Path::new("/run/systemd/system").is_dir(),
            has_apt: find_program("apt-get", &[]).is_some() && find_program("dpkg-query", &[]).is_some(),
            missing_packages: missing_packages(&needed).await,
            python: python_version().await,
            has_cluster: has_cluster(Path::new("/etc/postgresql")),
            account: Account::by_name(&choices.account).context("failed to look up the accounts of this machine")?,
            data: folder(&choices.data_directory)?,
            missing: missing_paths(choices),
            open_folders: [&paths.configuration, &paths.software]
                .into_iter()
                .filter(|folder| is_open(folder))
                .cloned()
                .collect(),
            unit: read(&paths.unit)?,
            settings: settings(paths)?,
            apparmor: read(&paths.apparmor)?,
            binary: binary(&paths.binary)?,
            ansible: ansible(&paths.ansible),
            restricts_user_namespaces: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1),
            forbids_user_namespaces: number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
                || number("/proc/sys/user/max_user_namespaces") == Some(0),
            is_enabled: answers(&["is-enabled", "--quiet", "admiral.service"]).await,
            is_active: answers(&["is-active", "--quiet", "admiral.service"]).await,
        })
    }
}

impl Machine {
    /// Whether one of the paths that are to be made is not there.
    pub fn lacks(&self, path: &Path) -> bool {
        self.missing.iter().any(|missing| missing == path)
    }
}

fn missing_paths(choices: &Choices) -> Vec<PathBuf> {
    let paths = &choices.paths;
    let is_missing = |path: &Path| {
        // A path that cannot be looked at is taken to exist.
        path.try_exists().is_ok_and(|there| !there)
    };
    [
        paths.configuration.clone(),
        paths.software.clone(),
        paths.no_main_cluster.clone(),
        choices.data_directory.join("tmp"),
    ]
    .into_iter()
    .filter(|path| is_missing(path))
    .collect()
}

/// Whether accounts besides root may write to a folder.
fn is_open(folder: &Path) -> bool {
    folder
        .metadata()
        .is_ok_and(|metadata| metadata.uid() != 0 || metadata.mode() & 0o022 != 0)
}

/// A field of os-release(5).
fn field(system: &str, name: &str) -> Option<String> {
    let value = system
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

fn is_debian(system: &str) -> bool {
    ["ID", "ID_LIKE"].iter().any(|name| {
        field(system, name).is_some_and(|value| value.split_whitespace().any(|id| ["debian", "ubuntu"].contains(&id)))
    })
}

async fn missing_packages(needed: &[&'static str]) -> Vec<&'static str> {
    let Some(program) = find_program("dpkg-query", &[]) else {
        return needed.to_vec();
    };
    let mut query = command(program);
    query
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(needed);
    // It fails when it does not know one of them, and lists the others all the same.
    let said = run_captured(query, PROGRAM_LIMIT)
        .await
        .map(|captured| captured.stdout_text())
        .unwrap_or_default();
    let is_installed = |package: &str| said.lines().any(|line| line == format!("{package} installed"));
    needed
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect()
}

async fn python_version() -> Option<(u32, u32)> {
    let mut python = command(find_program("python3", &["/usr/bin".into()])?);
    python.args(["-I", "-c", "import sys; print(*sys.version_info[:2])"]);
    let said = run_captured(python, PROGRAM_LIMIT).await.ok()?.stdout_text();
    let (major, minor) = said.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `/etc/postgresql/VERSION/NAME`, as `pg_lsclusters` looks for them.
fn has_cluster(configuration: &Path) -> bool {
    let versions = fs::read_dir(configuration).into_iter().flatten().flatten();
    versions
        .filter_map(|version| fs::read_dir(version.path()).ok())
        .any(|mut clusters| clusters.next().is_some())
}

fn folder(path: &Path) -> anyhow::Result<Folder> {
    let look = || -> io::Result<Folder> {
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Folder::Missing),
            found => found?,
        };
        if !metadata.is_dir() {
            return Ok(Folder::Other);
        }
        let owner = metadata.uid();
        // An account that may not look into the folder takes it to be in use.
        let is_empty =
            fs::read_dir(path).is_ok_and(|entries| !entries.flatten().any(|entry| entry.file_name() != LOST_AND_FOUND));
        Ok(if is_empty {
            Folder::Empty { owner }
        } else {
            Folder::InUse { owner }
        })
    };
    look().with_context(|| format!("failed to look at {}", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // An ordinary account that only wants to see what would be done.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Some(String::new())),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

fn settings(paths: &Paths) -> anyhow::Result<Option<SettingsFile>> {
    let Some(text) = read(&paths.settings)? else {
        return Ok(None);
    };
    let is_open = paths
        .settings
        .metadata()
        .is_ok_and(|metadata| metadata.mode() & 0o027 != 0);
    Ok(Some(SettingsFile { text, is_open }))
}

fn binary(installed: &Path) -> anyhow::Result<Binary> {
    match same_content(Path::new(OWN_PROGRAM), installed) {
        Ok(true) => Ok(Binary::Same),
        Ok(false) => Ok(Binary::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Binary::Missing),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", installed.display())),
    }
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut first, mut second) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let length = one.read(&mut first)?;
        if length == 0 {
            return Ok(true);
        }
        other.read_exact(&mut second[..length])?;
        if first[..length] != second[..length] {
            return Ok(false);
        }
    }
}

/// The file of the program that is running, even when another file has taken its name.
pub const OWN_PROGRAM: &str = "/proc/self/exe";
/// A folder that file systems have by themselves. A folder with nothing else in it counts as empty.
pub const LOST_AND_FOUND: &str = "lost+found";
/// The file that marks an environment as complete.
pub const COMPLETE: &str = ".complete";

fn ansible(link: &Path) -> Option<String> {
    let folder: PathBuf = fs::read_link(link).ok()?;
    let is_complete = link.join(COMPLETE).exists();
    is_complete.then(|| folder.file_name().map(|name| name.to_string_lossy().into_owned()))?
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

async fn answers(arguments: &[&str]) -> bool {
    let Some(program) = find_program("systemctl", &[]) else {
        return false;
    };
    let mut systemctl = command(program);
    systemctl.args(arguments);
    run_captured(systemctl, PROGRAM_LIMIT)
        .await
        .is_ok_and(|captured| captured.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_what_is_made_from_it_is_recognised() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
        assert!(is_debian(debian));
        assert_eq!(
            field(debian, "PRETTY_NAME").as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        assert!(is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(is_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\n"));
        assert!(!is_debian("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn folders_clusters_and_programs_are_looked_at() {
        let place = tempfile::tempdir().unwrap();
        let owner = place.path().metadata().unwrap().uid();
        let path = place.path().join("data");
        assert_eq!(folder(&path).unwrap(), Folder::Missing);
        fs::create_dir(&path).unwrap();
        assert_eq!(folder(&path).unwrap(), Folder::Empty { owner });
        fs::create_dir(path.join(LOST_AND_FOUND)).unwrap();
        assert_eq!(folder(&path).unwrap(), Folder::Empty { owner });
        fs::write(path.join("file"), "one").unwrap();
        assert_eq!(folder(&path).unwrap(), Folder::InUse { owner });
        assert_eq!(folder(&path.join("file")).unwrap(), Folder::Other);

        assert!(!has_cluster(&place.path().join("none")));
        fs::create_dir_all(place.path().join("postgresql/15")).unwrap();
        assert!(!has_cluster(&place.path().join("postgresql")));
        fs::create_dir_all(place.path().join("postgresql/15/main")).unwrap();
        assert!(has_cluster(&place.path().join("postgresql")));

        let own = std::env::current_exe().unwrap();
        let copy = place.path().join("copy");
        assert_eq!(binary(&copy).unwrap(), Binary::Missing);
        fs::copy(&own, &copy).unwrap();
        assert_eq!(binary(&copy).unwrap(), Binary::Same);
        fs::OpenOptions::new()
            .append(true)
            .open(&copy)
            .unwrap()
            .set_len(5)
            .unwrap();
        assert_eq!(binary(&copy).unwrap(), Binary::Other);
    }
}
