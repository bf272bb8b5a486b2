//! A Debian for one test, booted with its own systemd in a container (systemd-nspawn), and thrown away afterwards.

use super::server::PATIENCE;
use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::{Pid, Signal, kill_process},
};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The machine's disk for `/var/lib/admiral`.
const DATA_BYTES: u64 = 700 << 20;

/// A machine. Its mounts are seen in the test's own mount namespace only: use it in a test that begins with
/// [`in_own_mounts`](super::mounts::in_own_mounts).
pub struct Machine {
    folder: tempfile::TempDir,
    container: Option<Child>,
    /// Its first process, as this machine numbers it.
    first: i32,
}

/// The output and the exit code of a command on the machine.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Standard output of a command that has to work.
    pub fn text(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }
}

impl Machine {
    /// A fresh one, not booted yet. Its own files are kept beside the tree that all machines share.
    pub fn set_up() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/machine-tree");
        let made = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(made.status.success(), "scripts/machine-tree failed");
        let tree = String::from_utf8(made.stdout).unwrap();
        let folder = tempfile::Builder::new().prefix("admiral-machine-").tempdir().unwrap();
        for name in ["upper", "work", "root", "data"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            tree.trim(),
            folder.path().join("upper").display(),
            folder.path().join("work").display()
        );
        let options = std::ffi::CString::new(options).unwrap();
        let machine = Self {
            folder,
            container: None,
            first: 0,
        };
        mount(
            "overlay",
            machine.root(),
            "overlay",
            MountFlags::empty(),
            Some(&*options),
        )
        .expect("an overlay");
        let image = machine.folder.path().join("data.img");
        fs::File::create(&image).unwrap().set_len(DATA_BYTES).unwrap();
        must(Command::new("mkfs.ext4").arg("-q").arg(&image));
        must(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(machine.data()),
        );
        machine
    }

    /// Its files.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The folder that it has at `/var/lib/admiral`.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Switches it on and waits until its basic services have started. It does not wait for a service that itself waits for something.
    pub fn boot(&mut self) {
        let console = fs::File::create(self.folder.path().join("console")).unwrap();
        let container = Command::new("systemd-nspawn")
            .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"])
            .args([
                "--resolv-conf=off",
                "--timezone=off",
                "--link-journal=no",
                "--console=pipe",
            ])
            .arg(format!("--machine=admiral-test-{}", std::process::id()))
            .arg("--directory")
            .arg(self.root())
            .arg(format!("--bind={}:/var/lib/admiral", self.data().display()))
            // Debian's default, whatever this machine uses.
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .expect("systemd-nspawn is installed (Debian package systemd-container)");
        let nspawn = container.id();
        self.container = Some(container);
        self.until("it has a first process", |machine| {
            let path = format!("/proc/{nspawn}/task/{nspawn}/children");
            let children = fs::read_to_string(path).unwrap_or_default();
            let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
            machine.first = first.unwrap_or(0);
            machine.first != 0 && machine.try_run(["systemctl", "list-jobs"]).code == Some(0)
        });
        self.until("it has booted", |machine| {
            machine
                .try_run(["systemctl", "is-active", "--quiet", "basic.target"])
                .code
                == Some(0)
        });
    }

    /// Shuts it down in order.
    pub fn shut_down(&mut self) {
        self.run(["systemctl", "poweroff"]);
        let mut container = self.container.take().expect("it is on");
        super::server::wait_for_exit(&mut container);
    }

    /// Runs a command as root.
    pub fn try_run<Word: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = Word>) -> Answer {
        Answer::of(
            self.command(words)
                .output()
                .expect("nsenter is installed (Debian package util-linux)"),
        )
    }

    /// Runs a command as root that has to work, and returns its output.
    pub fn run<Word: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = Word>) -> String {
        self.try_run(words).text()
    }

    /// Runs a script for a shell, as root, that has to work.
    pub fn shell(&self, script: &str) -> String {
        self.run(["sh", "-euc", script])
    }

    /// The command, not started yet.
    pub fn command<Word: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = Word>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.first.to_string(), "-m", "-u", "-i", "-n", "-p", "-C", "--"])
            .args(["/usr/bin/env", "-i", "HOME=/root", "LANG=C.UTF-8"])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// A property of a unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        let value = self.run(["systemctl", "show", unit, "--value", "--property", name]);
        value.trim_end().to_owned()
    }

    /// Waits until the condition holds.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let log = fs::read_to_string(self.folder.path().join("console")).unwrap_or_default();
            let ended = match &mut self.container {
                Some(container) => container.try_wait().unwrap(),
                None => None,
            };
            assert!(ended.is_none(), "the machine ended before {what}: {log}");
            if Instant::now() > deadline {
                let journal = self.try_run(["journalctl", "--no-pager", "--lines=60", "--output=short-precise"]);
                panic!("waited in vain until {what}: {log}\n{}", journal.stdout);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut container) = self.container.take() {
            // All processes of the machine end with its first one. They would outlive systemd-nspawn, which then ends by itself.
            let first = Pid::from_raw(self.first).filter(|pid| !pid.is_init());
            if first.is_none_or(|first| kill_process(first, Signal::KILL).is_err()) {
                container.kill().ok();
            }
            container.wait().ok();
        }
        for folder in [self.root(), self.data()] {
            unmount(&folder, UnmountFlags::DETACH).ok();
        }
    }
}

fn must(command: &mut Command) {
    let output = command.output().expect("it is installed");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
