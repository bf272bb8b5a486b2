//! Takes the planned steps one after the other, and records everything that it makes.

use super::{
    Choices,
    machine::{COMPLETE, OWN_PROGRAM},
    manifest::{Before, Manifest},
    plan::{Owner, REQUIREMENTS, Step},
};
use crate::{
    cli::{failure::Hinted, output},
    process::{Account, Captured, command, find_program, run_captured},
};
use anyhow::Context as _;
use rustix::{
    fs::{Mode, OFlags, mkdirat, openat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longer than any package or environment takes to be installed over a slow line.
const PROGRAM_LIMIT: Duration = Duration::from_mins(30);
/// How long this command waits for the service. The service itself waits longer for a database that is late.
const READY_LIMIT: Duration = Duration::from_mins(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Lines of the service's log that are shown when it does not start.
const LOG_LINES: &str = "20";

/// Takes the steps of a plan.
pub struct Workman<'a> {
    choices: &'a Choices,
    manifest: Manifest,
    /// Whether the service is running with the files that are about to be replaced.
    is_active: bool,
}

impl<'a> Workman<'a> {
    pub fn new(choices: &'a Choices, earlier: Option<Manifest>, is_active: bool) -> Self {
        let manifest = earlier.unwrap_or_else(|| Manifest::new(&choices.account, &choices.data_directory));
        Self {
            choices,
            manifest,
            is_active,
        }
    }

    /// The first step that fails ends it. The steps before it are recorded and are not taken again the next time.
    pub async fn carry_out(mut self, steps: &[Step]) -> anyhow::Result<()> {
        // The service must be able to read the installed files, whatever umask root has.
        rustix::process::umask(Mode::from_raw_mode(0o022));
        let configuration = &self.choices.paths.configuration;
        if !configuration.is_dir() {
            fs::create_dir(configuration).with_context(|| format!("failed to make {}", configuration.display()))?;
            self.manifest.folders.insert(configuration.clone());
        }
        self.write_down()?;
        for (number, step) in steps.iter().enumerate() {
            let said = step.describe();
            let progress = format!("[{}/{}] {}", number + 1, steps.len(), said.trim_end_matches(':'));
            output::line(&progress)?;
            self.note(step);
            self.write_down()?;
            self.act(step)
                .await
                .with_context(|| format!("failed to {}", said.trim_end_matches(':')))?;
            if matches!(step, Step::Start | Step::Restart) {
                self.manifest.needs_restart = false;
                self.write_down()?;
            }
        }
        Ok(())
    }

    fn write_down(&self) -> anyhow::Result<()> {
        self.manifest.write(&self.choices.paths.manifest)
    }

    /// Adds the things that the step is about to make to the manifest.
    fn note(&mut self, step: &Step) {
        let manifest = &mut self.manifest;
        manifest.needs_restart |= self.is_active && step.changes_the_service();
        match step {
            Step::Folder { path, .. } if *path == self.choices.data_directory => {
                manifest.data_directory_was = Before::Missing;
            }
            // An interrupted installation may have left a folder that was missing before.
            Step::TakeOver(_) if manifest.data_directory_was == Before::InUse => {
                manifest.data_directory_was = Before::Empty;
            }
            // It goes with the data.
            Step::Folder { path, .. } if path.starts_with(&self.choices.data_directory) => {}
            Step::Folder { path, .. } => {
                manifest.folders.insert(path.clone());
            }
            Step::File { path, .. } | Step::Binary { path, .. } => {
                manifest.files.insert(path.clone());
            }
            Step::Packages(names) => manifest.packages.extend(names.iter().map(|name| (*name).to_owned())),
            Step::Account { .. } => manifest.made_account = true,
            Step::Ansible { folder, link } => {
                manifest.trees.insert(folder.clone());
                manifest.files.insert(link.clone());
            }
            Step::TakeOver(_) | Step::LoadProfile(_) | Step::ReadUnits | Step::Enable | Step::Start | Step::Restart => {
            }
        }
    }

    async fn act(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Folder { path, owner, mode } => self.make_folder(path, *owner, *mode),
            Step::TakeOver(path) => {
                let folder = fs::File::open(path)?;
                let metadata = folder.metadata()?;
                anyhow::ensure!(
                    metadata.is_dir() && metadata.uid() == 0,
                    "{} is not a folder of root any more",
                    path.display()
                );
                self.give(&folder, Owner::Account)?;
                Ok(folder.set_permissions(fs::Permissions::from_mode(0o700))?)
            }
            Step::File {
                path,
                text,
                owner,
                mode,
                ..
            } => self.write_file(path, text, *owner, *mode),
            Step::Packages(names) => install_packages(names).await,
            Step::Account { name, home } => make_account(name, home).await,
            Step::Ansible { folder, link } => self.install_ansible(folder, link).await,
            Step::Binary { path, .. } => copy_program(path),
            Step::LoadProfile(path) => run("apparmor_parser", ["--replace".as_ref(), path.as_os_str()]).await,
            Step::ReadUnits => systemctl(&["daemon-reload"]).await,
            Step::Enable => systemctl(&["enable", "--quiet", "admiral.service"]).await,
            Step::Start => start("start").await,
            Step::Restart => start("restart").await,
        }
    }

    fn account(&self) -> anyhow::Result<Account> {
        let name = &self.choices.account;
        Account::by_name(name)?.with_context(|| format!("there is no account {name}"))
    }

    fn give(&self, file: &fs::File, owner: Owner) -> anyhow::Result<()> {
        match owner {
            Owner::Root => {}
            Owner::RootForAccount => fchown(file, Some(0), Some(self.account()?.group))?,
            Owner::Account => {
                let account = self.account()?;
                fchown(file, Some(account.user), Some(account.group))?;
            }
        }
        Ok(())
    }

    /// The account may write to the data directory, where one of the folders is made. A link that it puts there is not followed, and
    /// nothing that belongs to others is given to it.
    fn make_folder(&self, path: &Path, owner: Owner, mode: u32) -> anyhow::Result<()> {
        let (parent, name) = path.parent().zip(path.file_name()).context("the folder has no name")?;
        fs::create_dir_all(parent)?;
        let folder = make_folder_in(&fs::File::open(parent)?, name)?;
        let user = folder.metadata()?.uid();
        let is_accounts = || self.account().is_ok_and(|account| account.user == user);
        anyhow::ensure!(
            user == 0 || is_accounts(),
            "{} is there already and belongs to user id {user}",
            path.display()
        );
        folder.set_permissions(fs::Permissions::from_mode(mode))?;
        self.give(&folder, owner)
    }

    /// Nobody ever sees half of the file, or may read it before its owner and mode are right.
    fn write_file(&self, path: &Path, text: &str, owner: Owner, mode: u32) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let temporary = path.with_extension("admiral-new");
        remove_if_there(&temporary)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        self.give(&file, owner)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        Ok(fs::rename(&temporary, path)?)
    }

    /// The environment is made under its final name, because its programs contain its path. The link changes when it is complete.
    async fn install_ansible(&mut self, folder: &Path, link: &Path) -> anyhow::Result<()> {
        if !folder.join(COMPLETE).exists() {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
            let requirements = self.choices.paths.software.join("requirements.txt");
            self.write_file(&requirements, REQUIREMENTS, Owner::Root, 0o644)?;
            let venv = ["-I", "-m", "venv"].map(OsStr::new);
            run("python3", venv.into_iter().chain([folder.as_os_str()])).await?;
            // Isolated (-I): no folder but Python's own is searched for modules.
            let pip = [
                "-I",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "--require-hashes",
                "--requirement",
            ];
            let arguments = pip.iter().map(OsStr::new).chain([requirements.as_os_str()]);
            run(folder.join("bin/python"), arguments).await?;
            fs::remove_file(requirements)?;
            fs::write(folder.join(COMPLETE), "")?;
        }
        let before = fs::read_link(link).ok();
        let temporary = link.with_extension("new");
        remove_if_there(&temporary)?;
        symlink(folder.file_name().context("an environment has a name")?, &temporary)?;
        fs::rename(&temporary, link)?;
        self.remove_older(folder, before.as_deref())
    }

    /// Runs that go on may still use the environment that was linked until now. Nobody uses the older ones any more.
    fn remove_older(&mut self, current: &Path, before: Option<&Path>) -> anyhow::Result<()> {
        let is_kept = |tree: &Path| tree == current || tree.file_name() == before.map(Path::as_os_str);
        let older: Vec<PathBuf> = self
            .manifest
            .trees
            .iter()
            .filter(|tree| !is_kept(tree))
            .cloned()
            .collect();
        for tree in older {
            if tree.exists() {
                fs::remove_dir_all(&tree)?;
            }
            self.manifest.trees.remove(&tree);
        }
        self.write_down()
    }
}

/// Makes a folder, or opens the one that is there. A link is an error.
fn make_folder_in(parent: &fs::File, name: &OsStr) -> io::Result<fs::File> {
    match mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?.into())
}

pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn install_packages(names: &[&str]) -> anyhow::Result<()> {
    // When the lists cannot be updated, the packages may be available all the same.
    if let Err(error) = run("apt-get", ["update", "--quiet=2"]).await {
        output::say(&format!("  the lists of packages could not be updated: {error:#}"));
    }
    let options = [
        "install",
        "--yes",
        "--quiet=2",
        "--no-install-recommends",
        "--option=DPkg::Lock::Timeout=300",
    ];
    run("apt-get", options.iter().chain(names)).await
}

async fn make_account(name: &str, home: &Path) -> anyhow::Result<()> {
    let options = [
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell=/usr/sbin/nologin",
        "--comment=Admiral",
        "--home-dir",
    ];
    let arguments = options
        .iter()
        .map(OsStr::new)
        .chain([home.as_os_str(), OsStr::new(name)]);
    run("useradd", arguments).await
}

/// A program that is running cannot be written to. A new file takes its place, and running processes keep the old one.
fn copy_program(path: &Path) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    remove_if_there(&temporary)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(OWN_PROGRAM, &temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
    fs::File::open(&temporary)?.sync_all()?;
    Ok(fs::rename(&temporary, path)?)
}

/// Starts or restarts the service, and waits until it is ready.
async fn start(verb: &str) -> anyhow::Result<()> {
    // systemctl does not wait here: while the service waited for its database, it would wait without a word.
    systemctl(&["reset-failed", "admiral.service"]).await.ok();
    systemctl(&[verb, "--no-block", "admiral.service"]).await?;
    let deadline = Instant::now() + READY_LIMIT;
    let mut attempts = String::new();
    loop {
        let state = ServiceState::ask().await?;
        if state.active == "active" && state.job.is_empty() {
            return Ok(());
        }
        let restarts = state.restarts.clone();
        let gave_up = state.active == "failed" || (!attempts.is_empty() && attempts != restarts);
        if gave_up || Instant::now() > deadline {
            let what = if state.status.is_empty() || gave_up {
                format!("the service does not start ({})", state.active)
            } else {
                format!("the service is not ready yet, and goes on trying: {}", state.status)
            };
            let log = systemd_log().await;
            let hint = format!("the end of its log:\n{log}\n`journalctl -u admiral` shows all of it");
            return Err(Hinted::new(what, hint).into());
        }
        attempts = restarts;
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// The state of the service, as systemd tells it.
#[derive(Debug, Default)]
struct ServiceState {
    active: String,
    status: String,
    restarts: String,
    job: String,
}

impl ServiceState {
    async fn ask() -> anyhow::Result<Self> {
        let asked = [
            "show",
            "admiral.service",
            "--property=ActiveState,StatusText,NRestarts,Job",
        ];
        let said = captured("systemctl", asked).await?.stdout_text();
        let field = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().to_owned()
        };
        Ok(Self {
            active: field("ActiveState"),
            status: field("StatusText"),
            restarts: field("NRestarts"),
            job: field("Job"),
        })
    }
}

async fn systemd_log() -> String {
    let asked = [
        "--unit=admiral.service",
        "--lines",
        LOG_LINES,
        "--output=cat",
        "--no-pager",
    ];
    let said = captured("journalctl", asked).await;
    said.map(|captured| captured.stdout_text().trim_end().to_owned())
        .unwrap_or_default()
}

pub async fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    run("systemctl", arguments).await
}

/// Runs one of the system's programs as an administrator would: with this environment, which may hold the address of a proxy. It does not
/// run in the present folder, which may be one that other accounts write to.
pub async fn run<Argument: AsRef<OsStr>>(
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = Argument>,
) -> anyhow::Result<()> {
    let program = program.as_ref();
    let captured = captured(program, arguments).await?;
    if captured.status.success() {
        return Ok(());
    }
    let said = format!("{}\n{}", captured.stdout_text(), captured.stderr_text());
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = &said[said.len().saturating_sub(15)..];
    anyhow::bail!(
        "{} failed ({}):\n{}",
        program.display(),
        captured.status,
        end.join("\n")
    )
}

async fn captured<Argument: AsRef<OsStr>>(
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = Argument>,
) -> anyhow::Result<Captured> {
    let program = program.as_ref();
    let found = find_program(&program.to_string_lossy(), &["/usr/sbin".into(), "/sbin".into()])
        .with_context(|| format!("{} is not installed", program.display()))?;
    let mut command = command(found);
    command
        .args(arguments)
        .current_dir("/")
        .envs(std::env::vars_os())
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_SUSPEND", "1");
    Ok(run_captured(command, PROGRAM_LIMIT).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_folder_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let parent = fs::File::open(place.path()).unwrap();
        let made = make_folder_in(&parent, OsStr::new("tmp")).unwrap();
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o700);
        let again = make_folder_in(&parent, OsStr::new("tmp")).unwrap();
        assert_eq!(again.metadata().unwrap().ino(), made.metadata().unwrap().ino());
        symlink("/etc", place.path().join("link")).unwrap();
        symlink("/no/such/folder", place.path().join("dangling")).unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        for name in ["link", "dangling", "file"] {
            assert!(make_folder_in(&parent, OsStr::new(name)).is_err(), "{name}");
        }
    }
}
