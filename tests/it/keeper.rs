//! The keeper against real processes: key files go when the process they were made for goes, however it ends.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

use crate::support::{
    accounts::{Grounds, own_account},
    mounts::in_own_mounts,
    server::PATIENCE,
};
use admiral::process::ProcessIdentity;
use rustix::mount::{MountFlags, mount};
use std::io::Read;

struct Kept {
    _base: TempDir,
    folder: PathBuf,
    keeper: Child,
    _output: ChildStdout,
}

/// Starts a keeper that has said it is ready.
fn keep(caller: ProcessIdentity) -> Kept {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("inv-test");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(folder.join("key"), "secret").unwrap();
    let (keeper, output) = keep_in(&folder, caller);
    Kept {
        _base: base,
        folder,
        keeper,
        _output: output,
    }
}

fn keep_in(folder: &Path, caller: ProcessIdentity) -> (Child, ChildStdout) {
    let mut keeper = Command::new(env!("CARGO_BIN_EXE_admiral"))
        .arg("keeper")
        .arg(folder)
        .args([caller.pid.to_string(), caller.start_ticks.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = keeper.stdout.take().unwrap();
    let mut ready = [0; 6];
    output.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    (keeper, output)
}

/// When a keeper and its process are killed, only a server can remove their folder. The server looks for such folders when it starts, and
/// from time to time. `doctor` names them.
#[tokio::test]
async fn a_server_sweeps_what_a_killed_keeper_left() {
    if !in_own_mounts("keeper::a_server_sweeps_what_a_killed_keeper_left") {
        return;
    }
    // The machine's own is not used: its servers sweep as well.
    mount("tmpfs", "/dev/shm", "tmpfs", MountFlags::empty(), None).expect("a /dev/shm of our own");
    let base = Path::new("/dev/shm").join(format!("admiral-{}", rustix::process::geteuid().as_raw()));
    fs::DirBuilder::new().mode(0o700).create(&base).unwrap();
    let abandon = |name: &str| {
        let (mut child, caller) = sleeper();
        let folder = base.join(name);
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        fs::write(
            folder.join("caller"),
            format!("{} {}\n", caller.pid, caller.start_ticks),
        )
        .unwrap();
        fs::write(folder.join("key"), "secret").unwrap();
        let mut keeper = keep_in(&folder, caller).0;
        keeper.kill().unwrap();
        keeper.wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(folder.join("key").exists(), "nobody was there to remove it");
        folder
    };
    let own = own_account();
    let grounds = Grounds::of(&own);
    let before = abandon("inv-before");
    let doctor = grounds.run(&own, &["doctor"]);
    assert!(
        doctor
            .stdout
            .contains("opened SSH keys were left behind in /dev/shm/admiral-"),
        "{doctor:?}"
    );
    assert!(before.exists(), "doctor removes nothing");
    let server = grounds.serve(&own);
    wait_until_gone(&before);
    let meanwhile = abandon("inv-meanwhile");
    wait_until_gone(&meanwhile);
    assert!(!grounds.run(&own, &["doctor"]).stdout.contains("left behind"));
    server.stop();
}

fn sleeper() -> (Child, ProcessIdentity) {
    let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let caller = ProcessIdentity::of(i32::try_from(child.id()).unwrap()).unwrap();
    (child, caller)
}

fn wait_until_gone(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while path.exists() {
        assert!(Instant::now() < deadline, "{} is still there", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(pid: u32, name: &str) {
    assert!(
        Command::new("kill")
            .args([name, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn however_the_process_ends_its_keys_go() {
    for name in ["-KILL", "-TERM"] {
        let (mut child, caller) = sleeper();
        let mut kept = keep(caller);
        assert!(kept.folder.join("key").exists());
        signal(child.id(), name);
        wait_until_gone(&kept.folder);
        assert!(kept.keeper.wait().unwrap().success());
        child.wait().unwrap();
    }
}

#[test]
fn a_keeper_that_is_told_to_end_takes_the_keys_along() {
    let (mut child, caller) = sleeper();
    for name in ["-TERM", "-INT", "-HUP"] {
        let mut kept = keep(caller);
        signal(kept.keeper.id(), name);
        wait_until_gone(&kept.folder);
        assert!(kept.keeper.wait().unwrap().success());
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_keeper_has_a_session_of_its_own() {
    let (mut child, caller) = sleeper();
    let mut kept = keep(caller);
    let pid = kept.keeper.id();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(3)
        .unwrap()
        .to_owned();
    assert_eq!(session, pid.to_string());
    assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until_gone(&kept.folder);
    kept.keeper.wait().unwrap();
}
