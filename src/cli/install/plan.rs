//! Decides from the state of the machine which steps are needed.

use super::{
    Choices, files,
    machine::{Binary, Folder, Machine},
    manifest::Manifest,
};
use crate::cli::{failure::Hinted, service_settings::ServiceSettings};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The oldest Python that the pinned ansible-core runs on.
const OLDEST_PYTHON: (u32, u32) = (3, 11);
/// root's group, and nogroup of Debian, which many accounts share.
const SHARED_GROUPS: [u32; 2] = [0, 65534];
/// The pinned ansible-core with all that it needs, each with its hashes.
pub const REQUIREMENTS: &str = include_str!("../../../ansible/requirements.txt");

/// The steps to take by hand where `admiral install` does not work.
const BY_HAND: &str = "by hand: make an account without a shell (admiral), a folder of its own for the data (/var/lib/admiral, mode 700), \
    install the PostgreSQL server programs or set DATABASE_URL, OpenSSH's client, bubblewrap, git, and ansible-core 2.16 to 2.19, and have \
    your init system run `admiral serve` as that account; docs/install.md shows each step";

/// The steps to take, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Things to know besides.
    pub notes: Vec<String>,
}

/// The owner of a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// root, and root's group.
    Root,
    /// root, and the group of the service's account.
    RootForAccount,
    /// The service's account.
    Account,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Folder {
        path: PathBuf,
        owner: Owner,
        mode: u32,
    },
    /// An empty folder of root's, such as one that a disk is mounted on, becomes the account's.
    TakeOver(PathBuf),
    File {
        path: PathBuf,
        what: &'static str,
        text: String,
        owner: Owner,
        mode: u32,
    },
    Packages(Vec<&'static str>),
    Account {
        name: String,
        home: PathBuf,
    },
    Ansible {
        folder: PathBuf,
        link: PathBuf,
    },
    Binary {
        path: PathBuf,
        replaces: bool,
    },
    LoadProfile(PathBuf),
    ReadUnits,
    Enable,
    Start,
    Restart,
}

impl Step {
    /// Says in words what the step does.
    pub fn describe(&self) -> String {
        match self {
            Self::Folder { path, owner, mode } => {
                let whose = match owner {
                    Owner::Root | Owner::RootForAccount => "root's",
                    Owner::Account => "the account's",
                };
                format!("make the folder {} ({whose}, mode {mode:o})", path.display())
            }
            Self::TakeOver(path) => format!("give the empty folder {} to the account (mode 700)", path.display()),
            Self::File { path, what, mode, .. } => format!("write {what} to {} (mode {mode:o}):", path.display()),
            Self::Packages(names) => format!("install with apt-get: {}", names.join(", ")),
            Self::Account { name, home } => {
                format!(
                    "make the system account {name}, without a shell and a password, at home in {}",
                    home.display()
                )
            }
            Self::Ansible { folder, link } => format!(
                "install the pinned ansible-core with pip in {}, and link {} to it",
                folder.display(),
                link.display()
            ),
            Self::Binary { path, replaces: false } => format!("copy this program to {}", path.display()),
            Self::Binary { path, replaces: true } => format!("replace {} by this program", path.display()),
            Self::LoadProfile(path) => format!("have AppArmor read {}", path.display()),
            Self::ReadUnits => "have systemd read its units again".to_owned(),
            Self::Enable => "have the service start with the machine".to_owned(),
            Self::Start => "start the service".to_owned(),
            Self::Restart => "restart the service; runs go on".to_owned(),
        }
    }

    /// Whether a service that is running has to be restarted to use what the step makes.
    pub fn changes_the_service(&self) -> bool {
        matches!(
            self,
            Self::Binary { .. } | Self::Ansible { .. } | Self::File { .. } | Self::LoadProfile(_)
        )
    }

    /// The text that is written, shown line by line. The settings may hold a password, so theirs is not.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::File {
                text,
                owner: Owner::Root,
                ..
            } => Some(text),
            Self::File { .. } => {
                Some("(the data directory, the address, the Ansible, and the database if it is an external one)")
            }
            _ => None,
        }
    }
}

impl Plan {
    /// An error says why the installation is not possible, and what to do about it.
    pub fn make(choices: &Choices, machine: &Machine, earlier: Option<&Manifest>) -> Result<Self, Hinted> {
        refuse_other_systems(machine)?;
        refuse_other_choices(choices, earlier)?;
        refuse_what_others_made(choices, machine)?;
        let mut plan = Self::default();
        plan.note_settings(choices, machine);
        plan.prepare(choices, machine);
        plan.software(choices, machine);
        plan.service(choices, machine, earlier.is_some_and(|earlier| earlier.needs_restart));
        Ok(plan)
    }

    fn note_settings(&mut self, choices: &Choices, machine: &Machine) {
        let path = choices.paths.settings.display();
        if let Some(file) = &machine.settings {
            let settings = ServiceSettings::parse(&file.text);
            let is_other = |name: &str, asked: Option<&str>| asked.is_some() && settings.get(name) != asked;
            if is_other("DATABASE_URL", choices.asked_database_url.as_deref()) {
                self.notes.push(format!(
                    "{path} is kept as it is: set DATABASE_URL in it to use the given database"
                ));
            }
            let listen = choices.asked_listen.map(|address| address.to_string());
            if is_other("ADMIRAL_LISTEN", listen.as_deref()) {
                self.notes.push(format!(
                    "{path} is kept as it is: set ADMIRAL_LISTEN in it to listen elsewhere"
                ));
            }
            if file.is_open {
                self.notes
                    .push(format!("{path} may be read by every account: chmod 640 {path}"));
            }
        }
        if machine.forbids_user_namespaces {
            self.notes.push(
                "user namespaces are switched off on this machine, so runs cannot be isolated: see the sysctl settings \
                 kernel.unprivileged_userns_clone and user.max_user_namespaces"
                    .to_owned(),
            );
        }
        if let Some(account) = machine.account.as_ref().filter(|account| account.user >= 1000) {
            self.notes.push(format!(
                "{} is not a system account: when somebody who is signed in with it signs out, systemd-logind removes the opened keys of \
                 runs that go on, unless RemoveIPC=no is set in /etc/systemd/logind.conf",
                account.name
            ));
        }
    }

    /// Steps that everything else needs.
    fn prepare(&mut self, choices: &Choices, machine: &Machine) {
        let paths = &choices.paths;
        self.folder_if_missing(machine, &paths.configuration, Owner::Root, 0o755);
        let needs_server = machine.missing_packages.contains(&"postgresql");
        if needs_server && !machine.has_cluster && machine.lacks(&paths.no_main_cluster) {
            self.steps.push(Step::File {
                path: paths.no_main_cluster.clone(),
                what: "a setting that keeps the PostgreSQL packages from starting a server of their own",
                text: files::no_main_cluster(),
                owner: Owner::Root,
                mode: 0o644,
            });
        }
        if !machine.missing_packages.is_empty() {
            self.steps.push(Step::Packages(machine.missing_packages.clone()));
        }
        if machine.account.is_none() {
            self.steps.push(Step::Account {
                name: choices.account.clone(),
                home: choices.data_directory.clone(),
            });
        }
        let data = &choices.data_directory;
        match machine.data {
            Folder::Missing => self.steps.push(Step::Folder {
                path: data.clone(),
                owner: Owner::Account,
                mode: 0o700,
            }),
            Folder::Empty { owner: 0 } => self.steps.push(Step::TakeOver(data.clone())),
            _ => {}
        }
        self.folder_if_missing(machine, &data.join("tmp"), Owner::Account, 0o700);
    }

    fn software(&mut self, choices: &Choices, machine: &Machine) {
        let paths = &choices.paths;
        self.folder_if_missing(machine, &paths.software, Owner::Root, 0o755);
        let wanted = ansible_folder(machine.python.unwrap_or(OLDEST_PYTHON));
        if machine.ansible.as_deref() != Some(&wanted) {
            self.steps.push(Step::Ansible {
                folder: paths.software.join(wanted),
                link: paths.ansible.clone(),
            });
        }
        if machine.binary != Binary::Same {
            self.steps.push(Step::Binary {
                path: paths.binary.clone(),
                replaces: machine.binary == Binary::Other,
            });
        }
    }

    fn service(&mut self, choices: &Choices, machine: &Machine, needs_restart: bool) {
        let paths = &choices.paths;
        if machine.settings.is_none() {
            self.steps.push(Step::File {
                path: paths.settings.clone(),
                what: "the settings",
                text: files::settings(choices),
                owner: Owner::RootForAccount,
                mode: 0o640,
            });
        }
        if machine.restricts_user_namespaces && machine.apparmor.as_deref() != Some(files::apparmor_profile()) {
            self.steps.push(Step::File {
                path: paths.apparmor.clone(),
                what: "an AppArmor profile that lets the service use user namespaces",
                text: files::apparmor_profile().to_owned(),
                owner: Owner::Root,
                mode: 0o644,
            });
            self.steps.push(Step::LoadProfile(paths.apparmor.clone()));
        }
        let unit = files::unit(choices, machine.restricts_user_namespaces);
        if machine.unit.as_deref() != Some(&unit) {
            self.steps.push(Step::File {
                path: paths.unit.clone(),
                what: "the unit of the service",
                text: unit,
                owner: Owner::Root,
                mode: 0o644,
            });
            self.steps.push(Step::ReadUnits);
        }
        // Systemd may not have read the unit when an earlier call was interrupted.
        if needs_restart && !self.steps.contains(&Step::ReadUnits) {
            self.steps.push(Step::ReadUnits);
        }
        let is_changed = needs_restart || self.steps.iter().any(Step::changes_the_service);
        if !machine.is_enabled {
            self.steps.push(Step::Enable);
        }
        match (choices.start, machine.is_active) {
            (true, false) => self.steps.push(Step::Start),
            (true, true) if is_changed => self.steps.push(Step::Restart),
            (false, true) if is_changed => self.notes.push(
                "the service goes on with the files that it was started with; `systemctl restart admiral` makes it use the new ones"
                    .to_owned(),
            ),
            _ => {}
        }
    }

    fn folder_if_missing(&mut self, machine: &Machine, path: &Path, owner: Owner, mode: u32) {
        if machine.lacks(path) {
            self.steps.push(Step::Folder {
                path: path.to_owned(),
                owner,
                mode,
            });
        }
    }
}

/// Each set of requirements has a folder of its own, because runs that go on keep the one that they were started with.
pub fn ansible_folder(python: (u32, u32)) -> String {
    let digest = Sha256::digest(format!("{python:?}\n{REQUIREMENTS}"));
    format!("ansible-{}", hex::encode(&digest[..4]))
}

fn refuse_other_systems(machine: &Machine) -> Result<(), Hinted> {
    let system = &machine.system;
    let missing = [
        (machine.is_debian, "it is not Debian, Ubuntu or made from them"),
        (machine.has_apt, "it has no apt-get"),
        (machine.has_systemd, "systemd is not its init system"),
    ];
    if let Some((_, reason)) = missing.iter().find(|(there, _)| !there) {
        return Err(Hinted::new(
            format!("Admiral cannot be installed as a service on {system}: {reason}"),
            BY_HAND,
        ));
    }
    if let Some((major, minor)) = machine.python.filter(|found| *found < OLDEST_PYTHON) {
        return Err(Hinted::new(
            format!("{system} has Python {major}.{minor}, and the pinned ansible-core needs 3.11 or later"),
            "use Debian 12, Ubuntu 24.04 or a later release; or install by hand with an older ansible-core, as docs/install.md shows",
        ));
    }
    Ok(())
}

/// An installation is brought up to date, not moved.
fn refuse_other_choices(choices: &Choices, earlier: Option<&Manifest>) -> Result<(), Hinted> {
    let Some(earlier) = earlier else { return Ok(()) };
    let differs = |option: &str, found: &str, chosen: &str| {
        let hint = format!(
            "leave {option} out to bring it up to date; another choice is possible after `admiral uninstall --purge {}`, which removes the \
             data",
            earlier.data_directory.display()
        );
        Hinted::new(
            format!("Admiral is installed with {option} {found}, not {chosen}"),
            hint,
        )
    };
    if earlier.account != choices.account {
        return Err(differs("--account", &earlier.account, &choices.account));
    }
    if earlier.data_directory != choices.data_directory {
        let (found, chosen) = (&earlier.data_directory, &choices.data_directory);
        return Err(differs(
            "--data-dir",
            &found.display().to_string(),
            &chosen.display().to_string(),
        ));
    }
    Ok(())
}

fn refuse_what_others_made(choices: &Choices, machine: &Machine) -> Result<(), Hinted> {
    let paths = &choices.paths;
    if machine.account.as_ref().is_some_and(|account| account.user == 0) {
        let hint = "choose another name with --account";
        return Err(Hinted::new(format!("the account {} is root", choices.account), hint));
    }
    // Many packages put their accounts into this group, and the settings are readable for the group of the account.
    if let Some(account) = machine
        .account
        .as_ref()
        .filter(|account| SHARED_GROUPS.contains(&account.group))
    {
        let name = &account.name;
        return Err(Hinted::new(
            format!(
                "the account {name} has no group of its own: its primary group is group id {}",
                account.group
            ),
            format!("give it one: groupadd --system {name}; usermod --gid {name} {name}"),
        ));
    }
    if let Some(folder) = machine.open_folders.first() {
        let folder = folder.display();
        return Err(Hinted::new(
            format!(
                "accounts besides root may write to {folder}, and root would run programs or read settings from there"
            ),
            format!("chown root: {folder}; chmod go-w {folder}"),
        ));
    }
    for (path, text) in [(&paths.unit, &machine.unit), (&paths.apparmor, &machine.apparmor)] {
        if text
            .as_ref()
            .is_some_and(|text| !text.is_empty() && !text.starts_with(files::MARK))
        {
            let path = path.display();
            return Err(Hinted::new(
                format!("{path} is there already, and `admiral install` did not write it"),
                format!("move it away: mv {path} {path}.old"),
            ));
        }
    }
    let data = choices.data_directory.display();
    let own = machine.account.as_ref().map(|account| account.user);
    match machine.data {
        Folder::Other => Err(Hinted::new(
            format!("{data} is not a folder"),
            "move it away, or choose another with --data-dir",
        )),
        Folder::Empty { owner: 0 } => Ok(()),
        Folder::InUse { owner } | Folder::Empty { owner } if Some(owner) != own => {
            let account = &choices.account;
            Err(Hinted::new(
                format!("{data} is there already and belongs to user id {owner}, not to the account {account}"),
                format!(
                    "if it is an installation that is to become the service's: stop its server, make the account with `useradd --system \
                     --user-group --home-dir {data} --shell /usr/sbin/nologin {account}`, give it the data with `chown -R {account}: \
                     {data}; chmod 700 {data}`, and try again; else choose another with --data-dir"
                ),
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
