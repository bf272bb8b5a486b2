//! The place that a program is run in: bubblewrap's arguments, and what is put between it and the program.
//!
//! ```text
//! as root:    bwrap ─► setpriv (the run's account, no capabilities) ─► unshare --user ─► env --chdir ─► prlimit ─► program
//! otherwise:  bwrap --unshare-user --chdir ──────────────────────────────────────────────────────────► prlimit ─► program
//! ```
//!
//! Inside there are process, IPC and mount namespaces of its own; the system is read-only; `/tmp`, `/var/tmp`, `/dev`, `/dev/shm`,
//! `/run`, `/proc` and the home are its own; Admiral's data is not there. `src/ARCHITECTURE.md` says why it is built like this.
//!
//! bubblewrap alone is no boundary for root: its process outside would have root's user id and the machine's mounts, and
//! `/proc/PID/root` of it would lead out. The process namespace hides it, and the account of the program has no right to it.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{account::RunAccount, limits::ResourceLimits, private_roots, programs};
use crate::process::{find_program, guarded};

/// The features of bubblewrap and of this machine's kernel, found out by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxFeatures {
    /// As root: a user namespace can be made inside.
    pub user_namespace: bool,
    /// Otherwise: bubblewrap knows `--disable-userns`.
    pub disable_userns: bool,
}

impl SandboxFeatures {
    /// Neither.
    pub const NONE: Self = Self {
        user_namespace: false,
        disable_userns: false,
    };
}

/// Bytes of the run's own `/dev/shm`.
const SHARED_MEMORY_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a folder that a run has for itself and that lies in memory.
const OWN_FOLDER_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of the folders that lie over what is hidden: they hold nothing but mount points.
const COVER_BYTES: u64 = 1024 * 1024;
/// Where Admiral's own configuration is, database password included.
const CONFIGURATION: &str = "/etc/admiral";
/// Folders below which sockets, credentials and other accounts' files lie, and which a run has for itself.
const OWN_FOLDERS: [&str; 3] = ["/run", "/tmp", "/var/tmp"];
/// Parts of the system that are never covered, even if an account has its home there.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/etc", "/dev", "/proc"];
/// Ansible's facts take its presence as the sign that systemd runs the machine. Its content is not shown.
const SYSTEMD: &str = "/run/systemd/system";

/// One folder or file that is shown inside.
#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub(super) source: PathBuf,
    pub(super) destination: PathBuf,
    pub(super) writable: bool,
}

impl Bind {
    pub(super) fn read_only(path: &Path) -> Self {
        Self {
            source: path.to_owned(),
            destination: path.to_owned(),
            writable: false,
        }
    }

    pub(super) fn writable(path: &Path) -> Self {
        Self {
            writable: true,
            ..Self::read_only(path)
        }
    }

    pub(super) fn at(self, destination: &Path) -> Self {
        Self {
            destination: destination.to_owned(),
            ..self
        }
    }
}

/// The place.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    pub(super) features: SandboxFeatures,
    pub(super) account: RunAccount,
    /// It acts as Admiral's own account, and everything that is not hidden can be changed.
    pub(super) controller_writable: bool,
    /// Folders that take the place of `/tmp` and `/var/tmp`; without one it lies in memory, and is small.
    pub(super) temporary: Vec<(PathBuf, PathBuf)>,
    /// Granted folders, to read or to write to. Hidden paths stay hidden in them.
    pub(super) granted: Vec<Bind>,
    /// Paths that are not to be seen, wherever they lie.
    pub(super) hidden: Vec<PathBuf>,
    /// The run's own files and folders, which are shown even where they lie in something that is hidden.
    pub(super) binds: Vec<Bind>,
    /// The system's `passwd` and `group` as they are inside.
    pub(super) names: Option<(PathBuf, PathBuf)>,
    pub(super) limits: ResourceLimits,
    pub(super) working_directory: PathBuf,
}

impl Sandbox {
    /// `bwrap` and its arguments, which run `program`. Errors are for people.
    pub(super) fn command(&self, program: &Path) -> Result<(PathBuf, Vec<OsString>), String> {
        let bwrap = find_program("bwrap", &[]).ok_or("bubblewrap is not installed (package bubblewrap)")?;
        let mut arguments = Arguments(Vec::new());
        // The kernel forgets what `Launch` asked for when bwrap gives up its rights, so bwrap asks again, and for the program too.
        arguments.add(["--die-with-parent", "--unshare-ipc", "--unshare-cgroup-try"]);
        if guarded("process_namespace") {
            arguments.add(["--unshare-pid"]);
        }
        self.add_rights(&mut arguments);
        self.add_mounts(&mut arguments, program);
        if !self.changes_account() {
            arguments.add(["--chdir"]);
            arguments.add([&self.working_directory]);
        }
        arguments.add(["--"]);
        self.add_steps(&mut arguments)?;
        arguments.add([program]);
        Ok((bwrap, arguments.0))
    }

    /// Whether the program gets an account of its own on the way.
    fn changes_account(&self) -> bool {
        self.account.is_other() && !self.controller_writable
    }

    fn add_rights(&self, arguments: &mut Arguments) {
        if RunAccount::own().uid == 0 {
            if self.controller_writable {
                return;
            }
            // As many as `setpriv` needs to give the rest up.
            arguments.add(["--cap-drop", "ALL"]);
            for capability in ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"] {
                arguments.add(["--cap-add", capability]);
            }
            return;
        }
        arguments.add(["--unshare-user"]);
        arguments.add(["--uid", &self.account.uid.to_string()]);
        arguments.add(["--gid", &self.account.gid.to_string()]);
        if self.features.disable_userns {
            arguments.add(["--disable-userns"]);
        }
    }

    /// Later mounts lie on top of earlier ones; sources are looked up in the real file system, so what was covered can be shown.
    ///
    /// 1. Covers over what a run has for itself, such as `/tmp` and the home.
    /// 2. What programs need, and what was granted, which may lie below these covers.
    /// 3. Covers over the paths that no run may see, wherever they lie.
    /// 4. The folders of the run itself.
    fn add_mounts(&self, arguments: &mut Arguments, program: &Path) {
        let is_writable = self.controller_writable || !guarded("read_only");
        let root = if is_writable { "--dev-bind" } else { "--ro-bind" };
        arguments.add([root, "/", "/", "--proc", "/proc"]);
        let mut granted: Vec<Bind> = programs::needed(program)
            .iter()
            .map(|path| Bind::read_only(path))
            .collect();
        granted.extend(self.granted.iter().cloned());
        let mut covers = self.own_folders(&granted);
        covers.retain(|_| guarded("own_folders"));
        for cover in &covers {
            match self.temporary.iter().find(|(folder, _)| folder == cover) {
                Some((_, own)) => {
                    arguments.add(["--bind"]);
                    arguments.add([own, cover]);
                }
                None => arguments.cover(cover, OWN_FOLDER_BYTES),
            }
        }
        if !self.controller_writable {
            let size = SHARED_MEMORY_BYTES.to_string();
            arguments.add([
                "--dev", "/dev", "--perms", "1777", "--size", &size, "--tmpfs", "/dev/shm",
            ]);
            arguments.add(["--remount-ro", "/dev"]);
            covers.push("/dev".into());
            if Path::new(SYSTEMD).is_dir() {
                arguments.add(["--dir", SYSTEMD]);
            }
            granted.extend(resolver().map(|path| Bind::read_only(&path)));
        }
        for bind in &granted {
            arguments.show(bind, &covers);
        }
        let secret = existing(
            self.hidden
                .iter()
                .cloned()
                .chain([CONFIGURATION.into()])
                .chain(private_roots::roots()),
        );
        for path in secret.into_iter().filter(|_| guarded("hidden")) {
            if path.is_dir() {
                arguments.cover(&path, COVER_BYTES);
                covers.push(path);
            } else {
                arguments.add(["--ro-bind", "/dev/null"]);
                arguments.add([path]);
            }
        }
        for bind in &self.binds {
            arguments.show(bind, &covers);
        }
        if let Some((passwd, group)) = &self.names {
            for (source, destination) in [(passwd, "/etc/passwd"), (group, "/etc/group")] {
                arguments.add(["--ro-bind"]);
                arguments.add([source.as_path(), Path::new(destination)]);
            }
        }
    }

    /// The folders that the run has for itself, so that it sees nothing of what lies there outside.
    fn own_folders(&self, granted: &[Bind]) -> Vec<PathBuf> {
        if self.controller_writable {
            return Vec::new();
        }
        let mut folders: Vec<PathBuf> = OWN_FOLDERS.iter().map(PathBuf::from).chain(homes()).collect();
        if self.changes_account() {
            // On the way to what is shown, folders that are closed to others: their cover is open, and shows nothing else.
            let shown = granted.iter().chain(&self.binds);
            let ways = shown.flat_map(|bind| bind.destination.ancestors().skip(1));
            folders.extend(ways.filter(|way| is_closed(way)).map(Path::to_owned));
        }
        let mut folders = existing(folders);
        folders.retain(|path| !path.starts_with("/dev"));
        folders.sort();
        folders.dedup_by(|below, above| below.starts_with(above));
        folders
    }

    /// What comes before the program.
    fn add_steps(&self, arguments: &mut Arguments) -> Result<(), String> {
        let find =
            |name: &str| find_program(name, &[]).ok_or_else(|| format!("{name} is not installed (package util-linux)"));
        if self.changes_account() {
            arguments.add([find("setpriv")?]);
            arguments.add(["--reuid", &self.account.uid.to_string()]);
            arguments.add(["--regid", &self.account.gid.to_string()]);
            arguments.add([
                "--clear-groups",
                "--no-new-privs",
                "--inh-caps=-all",
                "--bounding-set=-all",
                "--",
            ]);
            if self.features.user_namespace {
                arguments.add([find("unshare")?]);
                arguments.add(["--user", "--map-current-user", "--"]);
            }
            // Only the account itself may enter its folders.
            arguments.add([find("env")?]);
            arguments.add(["--chdir"]);
            arguments.add([&self.working_directory]);
        }
        arguments.add([find("prlimit")?]);
        arguments.add(limit_options(&self.limits, !self.controller_writable));
        arguments.add(["--"]);
        Ok(())
    }
}

/// For `prlimit`. The number of processes can only be limited where they are counted for themselves: in a user namespace of their own, or
/// under an account of their own.
pub(super) fn limit_options(limits: &ResourceLimits, counts_processes: bool) -> Vec<String> {
    let mut options = vec![
        "--core=0".to_owned(),
        format!("--fsize={}", limits.file_bytes),
        // For one process; what all of them use is watched. More than the limit, so that the watch is there first and can tell.
        format!("--data={}", limits.memory_bytes.saturating_mul(2)),
    ];
    if counts_processes {
        options.push(format!("--nproc={}", limits.processes));
    }
    options
}

struct Arguments(Vec<OsString>);

impl Arguments {
    /// An empty folder in place of one.
    fn cover(&mut self, folder: &Path, bytes: u64) {
        self.add(["--size", &bytes.to_string(), "--tmpfs"]);
        self.add([folder]);
    }

    fn show(&mut self, bind: &Bind, covers: &[PathBuf]) {
        let is_covered = |path: &Path| covers.iter().any(|cover| path.starts_with(cover));
        // A path that is not covered can be read as it is.
        if !bind.writable && bind.source == bind.destination && !is_covered(&bind.destination) {
            return;
        }
        if let Some(parent) = bind.destination.parent().filter(|parent| is_covered(parent)) {
            // Open to the run's account: bubblewrap by itself would close it as the source's own folder is.
            self.add(["--dir"]);
            self.add([parent]);
        }
        self.add([if bind.writable { "--bind-try" } else { "--ro-bind-try" }]);
        self.add([&bind.source, &bind.destination]);
    }

    fn add<T: Into<OsString> + Clone>(&mut self, arguments: impl IntoIterator<Item = T>) {
        self.0.extend(arguments.into_iter().map(Into::into));
    }
}

/// The homes of our own account, unless the system itself lies there.
fn homes() -> impl Iterator<Item = PathBuf> {
    let root = RunAccount::own().uid == 0;
    let system = root.then(|| PathBuf::from("/root"));
    env::home_dir().into_iter().chain(system).filter(|home| {
        home.is_absolute()
            && home.components().count() > 1
            && !SYSTEM
                .iter()
                .any(|system| home.starts_with(system) || Path::new(system).starts_with(home))
    })
}

/// The file that says how host names are resolved. `/etc/resolv.conf` is usually a link into `/run`.
fn resolver() -> Option<PathBuf> {
    fs::canonicalize("/etc/resolv.conf")
        .ok()
        .filter(|path| path.starts_with("/run"))
}

/// The paths that are there. One that is a link becomes what it leads to: nothing can be mounted on a link.
fn existing(paths: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let found = paths.into_iter().filter_map(|path| path.canonicalize().ok());
    found.filter(|path| path.parent().is_some()).collect()
}

/// Whether accounts other than the owner's and the group's cannot pass through a folder.
fn is_closed(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o001 == 0)
}
