//! Local commands run as the account that owns the data directory.
//!
//! Every file, lock and socket that a command makes then belongs to that account, and no command ever changes the owner of anything. Root
//! becomes that account before anything is touched. Another account is told which command to type.

use super::{
    Cli, Command,
    failure::Hinted,
    installation,
    options::{GlobalOptions, is_root},
    playbooks::PlaybooksCommand,
    service_settings::ServiceSettings,
};
use crate::process::{Account, run_instead};
use std::{
    ffi::{OsStr, OsString},
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The environment variable of a command that runs as the owner. It names the account that became the owner.
pub const ACTING_FOR: &str = "ADMIRAL_ACTING_FOR";
/// The user id that stands for every id that is not known here, as in a container with its own user ids.
const UNKNOWN_ID: u32 = 65534;
/// The variables of root's environment that the owner's command keeps, besides all that begin with `ADMIRAL_` or `LC_`.
const KEPT_VARIABLES: [&str; 13] = [
    "ANSIBLE_SERVER_IDS",
    "ANSIBLE_STATUS",
    "ANSIBLE_TAGS",
    "COLORTERM",
    "COLUMNS",
    "DATABASE_URL",
    "LANG",
    "LANGUAGE",
    "LINES",
    "NO_COLOR",
    "PATH",
    "TERM",
    "TZ",
];

/// How a command uses the installation on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing: it is somewhere else, or not needed at all.
    Nothing,
    /// Works on it, and ends.
    Work,
    /// Stays, and makes it when it is missing.
    Serve,
    /// Looks at it, whatever state it is in.
    Diagnose,
}

/// Makes this process run as the owner of the data directory and with the settings of the installed service. Where that is necessary, it
/// starts this program again in its own place. Call it before anything is touched and before there are threads.
///
/// An error says why the command must not run as this account, and which command to type instead.
pub fn settle(cli: &Cli) -> anyhow::Result<()> {
    let need = need(&cli.command, &cli.global);
    if need == Need::Nothing {
        return Ok(());
    }
    let settings = settings_for(&cli.global);
    let path = match (&cli.global.data_dir, &settings) {
        (None, Some(settings)) => settings.data_directory(),
        _ => cli.global.data_directory_path()?,
    };
    let additions: Vec<(OsString, OsString)> = settings
        .iter()
        .flat_map(ServiceSettings::variables)
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    match Ownership::of(&path)? {
        Ownership::Nobodys | Ownership::Ours if additions.is_empty() => Ok(()),
        Ownership::Nobodys | Ownership::Ours => {
            let environment = std::env::vars_os().chain(additions);
            Err(failed(run_instead(&own_program()?, arguments(), environment), None))
        }
        Ownership::Unknown(user) => Err(unknown_owner(&path, user).into()),
        // `doctor` says what it can see from here, and names the account that would see more.
        Ownership::Anothers(_) if need == Need::Diagnose && !is_root() => Ok(()),
        Ownership::Anothers(owner) if need == Need::Serve || !is_root() => {
            Err(refusal(&path, &owner, need, is_root()).into())
        }
        Ownership::Anothers(owner) => {
            let environment = environment_for(&owner, &path, additions);
            let error = owner.become_and_run(&own_program()?, arguments(), environment);
            Err(failed(error, Some(&owner)))
        }
    }
}

/// Says why a file could not be read that root could read: the command ran as the owner of the data directory.
pub fn explain(error: anyhow::Error) -> anyhow::Error {
    let is_denied = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::PermissionDenied)
    });
    if !is_denied || std::env::var_os(ACTING_FOR).is_none() {
        return error;
    }
    let name = std::env::var("USER").unwrap_or_default();
    Hinted::new(
        error.to_string(),
        format!(
            "the command runs as {name}, the owner of the data directory, and reads files as that account may; make the file readable for \
             it, or pass it through standard input where `-` is taken"
        ),
    )
    .caused_by(error)
    .into()
}

/// Refuses a data directory that belongs to another account. [`settle`] does that for commands that always need one. This is for
/// commands that turn out to need one later.
pub fn check(path: &Path) -> anyhow::Result<()> {
    match Ownership::of(path)? {
        Ownership::Nobodys | Ownership::Ours => Ok(()),
        Ownership::Unknown(user) => Err(unknown_owner(path, user).into()),
        Ownership::Anothers(owner) => Err(refusal(path, &owner, Need::Work, is_root()).into()),
    }
}

/// The owner of a data directory, seen from this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// There is no such directory.
    Nobodys,
    /// The account that this process runs as.
    Ours,
    /// Another account.
    Anothers(Account),
    /// A user id that no account has.
    Unknown(u32),
}

impl Ownership {
    /// Looks at the directory; where it is a link, at what it leads to.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let owner = match path.metadata() {
            Ok(metadata) => metadata.uid(),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::Nobodys);
            }
            Err(error) => {
                return Err(Hinted::new(
                    format!("failed to look at the data directory {}", path.display()),
                    "run this as the account that owns it, or as root, or name another with --data-dir or ADMIRAL_DATA_DIR",
                )
                .caused_by(error)
                .into());
            }
        };
        if owner == rustix::process::geteuid().as_raw() {
            return Ok(Self::Ours);
        }
        let account = Account::by_id(owner)?.filter(|account| account.user != UNKNOWN_ID);
        Ok(account.map_or(Self::Unknown(owner), Self::Anothers))
    }
}

/// The command line that runs this very command as `owner`.
pub fn command_for(owner: &Account, path: &Path) -> String {
    let program = std::env::args_os().next().unwrap_or_else(|| "admiral".into());
    command_line(owner, path, &program, &arguments(), is_root())
}

fn command_line(owner: &Account, path: &Path, program: &OsStr, arguments: &[OsString], as_root: bool) -> String {
    let mut words = if as_root {
        vec![
            "runuser".to_owned(),
            "-u".to_owned(),
            owner.name.clone(),
            "--".to_owned(),
        ]
    } else {
        vec!["sudo".to_owned(), "-u".to_owned(), owner.name.clone()]
    };
    words.push(quoted(program));
    let names_it = arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        argument == "--data-dir" || argument.starts_with("--data-dir=")
    });
    if !names_it && path != installation::default_directory_of(owner) {
        words.extend(["--data-dir".to_owned(), quoted(path.as_os_str())]);
    }
    words.extend(arguments.iter().map(|argument| quoted(argument)));
    words.join(" ")
}

/// A word for a shell.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn need(command: &Command, global: &GlobalOptions) -> Need {
    match command {
        Command::Serve(_) => Need::Serve,
        Command::Doctor => Need::Diagnose,
        // Ansible runs as the account that calls it. Its recordings go to an installation of the same account, or to none.
        Command::AnsiblePlaybook(_)
        | Command::Adhoc(_)
        | Command::Recordings(_)
        | Command::Playbooks(PlaybooksCommand::Check(_))
        | Command::Install(_)
        | Command::Uninstall(_)
        | Command::ReleaseControlGroup
        | Command::Version
        | Command::Completions(_)
        | Command::Openapi
        | Command::Supervise(_)
        | Command::Keeper(_) => Need::Nothing,
        _ if global.server.is_some() => Need::Nothing,
        _ => Need::Work,
    }
}

/// The settings of the installed service, when the command works on its data directory.
fn settings_for(global: &GlobalOptions) -> Option<ServiceSettings> {
    let settings = ServiceSettings::read()?;
    let Some(named) = &global.data_dir else {
        // An ordinary account that may read them still has an installation of its own.
        let own = global.data_directory_path().ok()?;
        let is_theirs = is_root() || is_same(&own, &settings.data_directory()) || owns(&settings.data_directory());
        return is_theirs.then_some(settings);
    };
    is_same(named, &settings.data_directory()).then_some(settings)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn owns(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw())
}

fn environment_for(
    owner: &Account,
    data_directory: &Path,
    additions: Vec<(OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let is_kept = |name: &OsStr| {
        name.to_str().is_some_and(|name| {
            KEPT_VARIABLES.contains(&name) || name.starts_with("ADMIRAL_") || name.starts_with("LC_")
        })
    };
    let kept = std::env::vars_os().filter(|(name, _)| is_kept(name));
    let set = [
        ("HOME", owner.home.as_os_str()),
        ("USER", OsStr::new(&owner.name)),
        ("LOGNAME", OsStr::new(&owner.name)),
        ("SHELL", owner.shell.as_os_str()),
        ("ADMIRAL_DATA_DIR", data_directory.as_os_str()),
        (ACTING_FOR, OsStr::new("root")),
    ];
    let set = set.map(|(name, value)| (name.into(), value.to_owned()));
    kept.chain(additions).chain(set).collect()
}

fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

fn own_program() -> anyhow::Result<PathBuf> {
    use anyhow::Context as _;
    std::env::current_exe().context("failed to find this program's own file")
}

/// The error of an attempt to start this program again.
fn failed(error: std::io::Error, owner: Option<&Account>) -> anyhow::Error {
    let Some(owner) = owner else {
        return anyhow::Error::from(error)
            .context("failed to start this program again with the settings of the service");
    };
    Hinted::new(
        format!("failed to run as {}, the owner of the data directory", owner.name),
        "the account must be able to run this program: `admiral install` copies it to /usr/local/bin",
    )
    .caused_by(error)
    .into()
}

fn refusal(path: &Path, owner: &Account, need: Need, as_root: bool) -> Hinted {
    let path_shown = path.display();
    let what = format!("the data directory {path_shown} belongs to the account {}", owner.name);
    let command = command_for(owner, path);
    let hint = match (need, as_root) {
        (Need::Serve, true) => format!(
            "`systemctl start admiral` starts the installed service; to serve in this shell, type `{command}`; \
             root does not serve the installation of another account"
        ),
        _ => format!("type `{command}`, or name the running server with --server"),
    };
    Hinted::new(what, hint)
}

fn unknown_owner(path: &Path, user: u32) -> Hinted {
    Hinted::new(
        format!(
            "the data directory {} belongs to user id {user}, which no account here has",
            path.display()
        ),
        "run this where that account is known, give the directory to an account with chown, or name another with --data-dir",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn account(name: &str) -> Account {
        Account {
            name: name.to_owned(),
            user: 997,
            group: 997,
            home: "/var/lib/admiral".into(),
            shell: "/usr/sbin/nologin".into(),
        }
    }

    #[test]
    fn commands_on_a_data_directory_are_told_from_others() {
        let need = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            need(&cli.command, &cli.global)
        };
        for line in [
            "admiral servers list",
            "admiral inventory --list",
            "admiral users list",
            "admiral deploy x --all",
        ] {
            assert_eq!(need(line), Need::Work, "{line}");
        }
        for line in [
            "admiral servers list --server https://a.example",
            "admiral inventory --list --server https://a.example",
            "admiral version",
            "admiral playbooks check x.yml",
            "admiral recordings list",
            "admiral ansible-playbook x.yml",
            "admiral install",
        ] {
            assert_eq!(need(line), Need::Nothing, "{line}");
        }
        assert_eq!(need("admiral serve"), Need::Serve);
        assert_eq!(need("admiral doctor"), Need::Diagnose);
    }

    #[test]
    fn the_command_to_type_can_be_pasted() {
        let arguments: Vec<OsString> = ["servers", "add", "it's"].map(OsString::from).into();
        let line = |path: &str, as_root| {
            command_line(
                &account("admiral"),
                Path::new(path),
                OsStr::new("admiral"),
                &arguments,
                as_root,
            )
        };
        assert_eq!(
            line("/srv/a b", false),
            r"sudo -u admiral admiral --data-dir '/srv/a b' servers add 'it'\''s'"
        );
        assert!(line("/srv/a", true).starts_with("runuser -u admiral -- admiral --data-dir /srv/a servers"));
        let named: Vec<OsString> = ["--data-dir=/x", "doctor"].map(OsString::from).into();
        let line = command_line(
            &account("admiral"),
            Path::new("/x"),
            OsStr::new("admiral"),
            &named,
            false,
        );
        assert_eq!(line, "sudo -u admiral admiral --data-dir=/x doctor");
    }

    #[test]
    fn the_owner_gets_a_clean_environment() {
        let environment = environment_for(
            &account("admiral"),
            Path::new("/srv/data"),
            vec![("DATABASE_URL".into(), "postgres://db".into())],
        );
        let get = |name: &str| {
            let found = environment.iter().rev().find(|(found, _)| found == name);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(get("HOME").as_deref(), Some("/var/lib/admiral"));
        assert_eq!(get("ADMIRAL_DATA_DIR").as_deref(), Some("/srv/data"));
        assert_eq!(get("DATABASE_URL").as_deref(), Some("postgres://db"));
        // Cargo sets these for every test.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert_eq!(get("CARGO_MANIFEST_DIR"), None);
    }

    #[test]
    fn a_directory_that_is_not_there_belongs_to_nobody() {
        assert_eq!(
            Ownership::of(Path::new("/no/such/directory")).unwrap(),
            Ownership::Nobodys
        );
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ownership::of(folder.path()).unwrap(), Ownership::Ours);
        assert_eq!(Ownership::of(&folder.path().join("x")).unwrap(), Ownership::Nobodys);
    }
}
