//! Other accounts of this machine, for tests between accounts. Only root can act as them.

use super::server::PATIENCE;
use admiral::process::Account;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// An account of every Debian that owns nothing else that matters here.
pub const OWNER: &str = "daemon";
/// Another one.
pub const STRANGER: &str = "games";

/// Whether these tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// An account by its name.
pub fn account(name: &str) -> Account {
    let account = Account::by_name(name).expect("accounts can be looked up");
    account.unwrap_or_else(|| panic!("there is no account {name}"))
}

/// The account that these tests run as.
pub fn own_account() -> Account {
    let own = Account::by_id(rustix::process::geteuid().as_raw()).expect("accounts can be looked up");
    own.expect("it has a name")
}

/// A folder that every account may enter. It has a copy of the program that every account may run, and a place for a data directory.
pub struct Grounds {
    folder: tempfile::TempDir,
    /// `data` in the folder.
    pub data: PathBuf,
}

/// The output of a command and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Grounds {
    /// The data directory is to belong to `owner`, and is not made yet.
    pub fn of(owner: &Account) -> Self {
        let folder = tempfile::Builder::new().prefix("admiral-it-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("admiral");
        // The program itself may be in a folder that only its owner can enter.
        if fs::hard_link(env!("CARGO_BIN_EXE_admiral"), &program).is_err() {
            fs::copy(env!("CARGO_BIN_EXE_admiral"), &program).unwrap();
        }
        // The owner makes the data directory in here.
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(owner.user), Some(owner.group)).unwrap();
        let data = home.join("data");
        Self { folder, data }
    }

    /// The program in it.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("admiral")
    }

    /// The folder around it all.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `admiral` as `account`, with this data directory.
    pub fn command(&self, account: &Account, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join("admiral"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", "/nonexistent")
            .env("ADMIRAL_DATA_DIR", &self.data)
            .stdin(Stdio::null());
        if account.user != rustix::process::geteuid().as_raw() {
            command.uid(account.user).gid(account.group);
        }
        command
    }

    /// Runs it to its end.
    pub fn run(&self, account: &Account, arguments: &[&str]) -> Said {
        let output = self.command(account, arguments).output().expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// A server without worker and API, which makes the installation and keeps its database running.
    pub fn serve(&self, account: &Account) -> Served {
        let log = self.folder.path().join("server.log");
        let file = fs::File::create(&log).unwrap();
        let mut command = self.command(account, &["serve", "--roles", "scheduler"]);
        let process = command
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .expect("it starts");
        let mut served = Served { process, log };
        let deadline = Instant::now() + PATIENCE;
        while !served.log().contains("started") {
            assert!(served.process.try_wait().unwrap().is_none(), "{}", served.log());
            assert!(Instant::now() < deadline, "{}", served.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }
}

/// A server that runs.
pub struct Served {
    pub process: Child,
    log: PathBuf,
}

impl Served {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Stops it, and with it its database.
    pub fn stop(mut self) {
        self.terminate();
        let status = super::server::wait_for_exit(&mut self.process);
        assert!(status.success(), "{status}: {}", self.log());
    }

    fn terminate(&self) {
        Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.terminate();
            self.process.wait().ok();
        }
    }
}

/// The attributes of a file, and a digest of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub user: u32,
    pub group: u32,
    pub mode: u32,
    modified: (i64, i64),
    content: Option<String>,
}

/// All files below `folder` and the folder itself, by path, without the contents of the paths in `leaving_out`.
pub fn look(folder: &Path, leaving_out: &[&Path]) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut ahead = vec![folder.to_owned()];
    while let Some(path) = ahead.pop() {
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        if metadata.is_dir() && !leaving_out.contains(&path.as_path()) {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let is_left_out = leaving_out.contains(&path.as_path());
        let content = (metadata.is_file() && !is_left_out).then(|| digest(&path));
        let modified = if is_left_out {
            (0, 0)
        } else {
            (metadata.mtime(), metadata.mtime_nsec())
        };
        seen.insert(
            path,
            Seen {
                user: metadata.uid(),
                group: metadata.gid(),
                mode: metadata.mode(),
                modified,
                content,
            },
        );
    }
    seen
}

fn digest(path: &Path) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(fs::read(path).unwrap()))
}
