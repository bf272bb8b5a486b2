//! Real SSH hosts: one `sshd` on a high port of loopback answers on every 127.x.y.z address.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A running `sshd`; stopped and removed on drop.
pub struct SshHosts {
    folder: TempDir,
    daemon: Child,
    /// The port it listens on, on every loopback address.
    pub port: u16,
    /// The user it lets in.
    pub user: String,
}

impl SshHosts {
    /// Starts one that lets nobody in until [`SshHosts::authorize`] is called.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("admiral-sshd-")
            .tempdir()
            .expect("a temporary folder can be made");
        let port = free_port();
        let path = folder.path();
        keygen(&path.join("host_key"));
        std::fs::write(path.join("authorized_keys"), "").expect("the folder is writable");
        std::fs::create_dir_all("/run/sshd").ok();
        let configuration = format!(
            "ListenAddress 0.0.0.0:{port}\nHostKey {0}/host_key\nPidFile none\nAuthorizedKeysFile {0}/authorized_keys\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 500\nMaxSessions 500\n\
             Subsystem sftp internal-sftp\nLogLevel ERROR\n",
            path.display()
        );
        std::fs::write(path.join("sshd_config"), configuration).expect("the folder is writable");
        let daemon = Self::spawn(path);
        let hosts = Self {
            folder,
            daemon,
            port,
            user: whoami(),
        };
        hosts.wait_until_it_answers();
        hosts
    }

    fn spawn(path: &Path) -> Child {
        Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(path.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(path.join("log")).expect("the folder is writable"))
            .spawn()
            .expect("sshd is installed (Debian package openssh-server)")
    }

    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < deadline, "sshd did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets the holder of `public_key` in.
    pub fn authorize(&self, public_key: &str) {
        let path = self.folder.path().join("authorized_keys");
        let mut keys = std::fs::read_to_string(&path).expect("the file is there");
        keys.push_str(public_key.trim());
        keys.push('\n');
        std::fs::write(path, keys).expect("the folder is writable");
    }

    /// The public half of the hosts' key, as a line.
    pub fn host_key(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("host_key.pub")).expect("the key is there")
    }

    /// Gives the hosts a new host key, as if they had been exchanged for others.
    pub fn replace_host_key(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
        let key = self.folder.path().join("host_key");
        std::fs::remove_file(&key).expect("the host key is there");
        keygen(&key);
        self.daemon = Self::spawn(self.folder.path());
        self.wait_until_it_answers();
    }

    /// The address of the `n`th host.
    pub fn address(n: usize) -> String {
        Ipv4Addr::new(127, 1, (n / 250) as u8, (n % 250 + 1) as u8).to_string()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for SshHosts {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| socket.local_addr())
        .expect("a port is free")
        .port()
}

/// The user the tests run as.
pub fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn keygen(path: &PathBuf) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .expect("ssh-keygen is installed (Debian package openssh-client)");
    assert!(status.success());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("the key is ours");
}
