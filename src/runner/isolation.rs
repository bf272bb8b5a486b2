//! What stands between a run and the machine it runs on, and whether that works here.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    account::RunAccount,
    folder::RunFolder,
    limits::ResourceLimits,
    record::RunSpec,
    sandbox::{Bind, Sandbox, SandboxFeatures, limit_options},
};
use crate::{
    domain::isolation::{Isolation, WorkerIsolation},
    process::{Captured, base_environment, command, find_program, guarded, run_captured},
};

/// What this process puts between code of others and the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IsolationMode {
    /// Everything is isolated.
    Strict(SandboxFeatures),
    /// Isolation is required and does not work here: nothing of others is run.
    Unavailable {
        /// Why, for people.
        reason: String,
    },
    /// An admin chose to do without.
    None,
}

impl IsolationMode {
    /// What a worker with this mode offers.
    pub fn offer(&self) -> WorkerIsolation {
        match self {
            Self::Strict(_) => WorkerIsolation::Strict,
            Self::Unavailable { .. } => WorkerIsolation::Unavailable,
            Self::None => WorkerIsolation::None,
        }
    }

    /// Strict where it works.
    pub async fn detect() -> Self {
        match detect().await {
            Ok(features) => Self::Strict(features),
            Err(reason) => Self::Unavailable { reason },
        }
    }
}

/// How long trying may take.
const LIMIT: Duration = Duration::from_secs(20);
/// What the trial runs: it must not see `$1`, and must have the user id `$2`.
const TRIAL: &str = r#"test ! -e "$1" && test "$(id -u)" = "$2""#;

/// Finds out by trying whether programs can be isolated on this machine, and with what. bubblewrap may be installed and yet forbidden, as in
/// many containers.
///
/// Errors: why not, for people.
pub async fn detect() -> Result<SandboxFeatures, String> {
    let bwrap = find_program("bwrap", &[]).ok_or("bubblewrap is not installed (package bubblewrap)")?;
    let mut help = command(&bwrap);
    help.arg("--help").envs(base_environment(Path::new("/")));
    let help = run_captured(help, LIMIT).await.map_err(|error| error.to_string())?;
    let known = SandboxFeatures {
        user_namespace: true,
        disable_userns: help.stdout_text().contains("--disable-userns"),
    };
    match attempt(known).await {
        Ok(()) => Ok(known),
        // These features are only a second wall, so they may be missing. The error that counts is the first one.
        Err(error) => match attempt(SandboxFeatures::NONE).await {
            Ok(()) => Ok(SandboxFeatures::NONE),
            Err(_) => Err(error),
        },
    }
}

async fn attempt(features: SandboxFeatures) -> Result<(), String> {
    let account = RunAccount::for_looking();
    if RunAccount::own().uid == 0 && !account.is_other() {
        return Err("there is no other account for runs".to_owned());
    }
    let hidden = tempfile::tempdir().map_err(|error| format!("failed to make a folder: {error}"))?;
    let marker = hidden.path().join("marker");
    fs::write(&marker, "").map_err(|error| format!("failed to write a file: {error}"))?;
    let sandbox = Sandbox {
        features,
        account,
        controller_writable: false,
        temporary: Vec::new(),
        granted: Vec::new(),
        hidden: vec![hidden.path().to_owned()],
        binds: Vec::new(),
        names: None,
        limits: ResourceLimits::default(),
        working_directory: "/".into(),
    };
    let (program, arguments) = sandbox.command(Path::new("/bin/sh"))?;
    let mut trial = command(program);
    trial
        .envs(base_environment(Path::new("/")))
        .args(arguments)
        .args(["-c", TRIAL, "sh"])
        .arg(&marker)
        .arg(account.uid.to_string());
    match run_captured(trial, LIMIT).await {
        Ok(captured) if captured.status.success() => Ok(()),
        Ok(captured) => Err(format!("bubblewrap does not work here: {}", reason(&captured))),
        Err(error) => Err(format!("bubblewrap does not work here: {error}")),
    }
}

fn reason(captured: &Captured) -> String {
    let said = captured.stderr_text();
    match said.lines().last().map(str::trim) {
        Some(line) if !line.is_empty() => line.to_owned(),
        _ => format!("the trial ended with {}", captured.status),
    }
}

/// Writes the system's `passwd` and `group` as the account sees them, and says where.
pub(super) fn write_names(folder: &Path, account: RunAccount, home: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let (passwd, group) = (folder.join("passwd"), folder.join("group"));
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    write_readable(&passwd, &account.passwd(&read("/etc/passwd"), &home.to_string_lossy()))?;
    write_readable(&group, &account.group(&read("/etc/group")))?;
    Ok((passwd, group))
}

/// Readable by everybody inside, whatever the umask is. In one step, because a program may be starting with the earlier file.
fn write_readable(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

/// The program and the arguments that carry out a spec in its sandbox. Errors are for people.
pub(super) fn wrap(spec: &RunSpec, folder: &RunFolder) -> Result<(PathBuf, Vec<OsString>), String> {
    let (program, mut arguments) = if spec.isolation == Isolation::None {
        let prlimit = find_program("prlimit", &[]).ok_or("prlimit is not installed (package util-linux)")?;
        let mut arguments: Vec<OsString> = limit_options(&spec.limits, false).into_iter().map(Into::into).collect();
        arguments.extend(["--".into(), spec.program.clone().into()]);
        (prlimit, arguments)
    } else {
        sandbox(spec, folder)?.command(&spec.program)?
    };
    arguments.extend(spec.arguments.iter().map(OsString::from));
    Ok((program, arguments))
}

fn sandbox(spec: &RunSpec, folder: &RunFolder) -> Result<Sandbox, String> {
    let controller_writable = spec.isolation == Isolation::ControllerWritable;
    let named = |what: &Path, error: io::Error| format!("{}: {error}", what.display());
    let names = if controller_writable {
        None
    } else {
        let written = write_names(folder.path(), spec.account, &folder.home());
        Some(written.map_err(|error| named(folder.path(), error))?)
    };
    let granted = spec.writable_paths.iter().map(|path| Bind::writable(path));
    let mut binds: Vec<Bind> = spec.readable_paths.iter().map(|path| Bind::read_only(path)).collect();
    if !guarded("control_folder") {
        binds.push(Bind::writable(folder.path()));
    }
    binds.extend([
        Bind::writable(&folder.work()),
        Bind::writable(&folder.events()),
        Bind::writable(&folder.known_hosts()),
        Bind::read_only(&spec.secrets_folder),
        // Sockets lie on the disk, so that they do not fill the memory that the keys of all runs are in.
        Bind::writable(&folder.sockets()).at(&spec.control_path_folder),
    ]);
    Ok(Sandbox {
        features: spec.features,
        account: spec.account,
        controller_writable,
        temporary: vec![
            ("/tmp".into(), folder.temporary()),
            ("/var/tmp".into(), folder.var_temporary()),
        ],
        granted: granted.collect(),
        hidden: spec.hidden_paths.clone(),
        binds,
        names,
        limits: spec.limits,
        working_directory: spec.working_directory.clone(),
    })
}
