//! Repositories, and the hosts that serve them: the tests' own `sshd`, and a TLS server around `git http-backend`.

use super::{ssh_hosts::SshHosts, ssh_hosts::free_port};
use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A playbook that any Ansible takes.
pub const PLAYBOOK: &str =
    "- name: Hello\n  hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n";

/// A bare repository, and a work tree that pushes to it.
pub struct TestRepository {
    folder: TempDir,
    name: String,
}

impl TestRepository {
    /// An empty one whose default branch is `main`.
    pub fn new(name: &str) -> Self {
        Self::in_format(name, "sha1")
    }

    /// With object ids of this kind: `sha1` or `sha256`.
    pub fn in_format(name: &str, format: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("admiral-repo-")
            .tempdir()
            .expect("a folder");
        let repository = Self {
            folder,
            name: name.to_owned(),
        };
        let format = format!("--object-format={format}");
        run(
            repository.folder.path(),
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                &format,
                &format!("{name}.git"),
            ],
        );
        run(
            repository.folder.path(),
            &["init", "--quiet", "--initial-branch=main", &format, "work"],
        );
        let bare = repository.bare().to_string_lossy().into_owned();
        repository.git(&["remote", "add", "origin", &bare]);
        repository
    }

    /// The folder of repositories, as a server of them takes it.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The bare repository.
    pub fn bare(&self) -> PathBuf {
        self.folder.path().join(format!("{}.git", self.name))
    }

    /// The work tree.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs git in the work tree; what it answers.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(&self.work(), arguments)
    }

    /// Runs git in the bare repository.
    pub fn git_bare(&self, arguments: &[&str]) -> String {
        run(&self.bare(), arguments)
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Commits all that is in the work tree and pushes the branch it is on; the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.head()
    }

    /// The commit that the work tree is at.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Points `main` at a commit of a tree that no checkout would make: lines as `git mktree` reads them.
    pub fn push_tree(&self, lines: &str) -> String {
        let tree = feed(&self.bare(), &["mktree", "--missing"], lines.as_bytes());
        let commit = self.git_bare(&["commit-tree", &tree, "-m", "crafted"]);
        self.git_bare(&["update-ref", "refs/heads/main", &commit]);
        commit
    }

    /// Stores a content; its id.
    pub fn blob(&self, content: &[u8]) -> String {
        feed(&self.bare(), &["hash-object", "-w", "--stdin"], content)
    }

    /// Its address at the tests' `sshd`.
    pub fn ssh_url(&self, hosts: &SshHosts) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", hosts.user, hosts.port, self.bare().display())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Tester")
        .env("GIT_AUTHOR_EMAIL", "tester@example.org")
        .env("GIT_COMMITTER_NAME", "Tester")
        .env("GIT_COMMITTER_EMAIL", "tester@example.org")
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = git(folder, arguments)
        .stdin(Stdio::null())
        .output()
        .expect("git is installed");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn feed(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = git(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git is installed");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A pair of keys in files, made by `ssh-keygen`.
pub struct KeyPair {
    folder: TempDir,
}

impl KeyPair {
    /// An ed25519 pair under a passphrase, or without one when that is empty.
    pub fn new(passphrase: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-C", "deploy", "-N", passphrase, "-f"])
            .arg(folder.path().join("key"))
            .stdin(Stdio::null())
            .status()
            .expect("ssh-keygen is installed");
        assert!(status.success());
        Self { folder }
    }

    /// The private half.
    pub fn private(&self) -> String {
        fs::read_to_string(self.folder.path().join("key")).expect("a key")
    }

    /// The public half.
    pub fn public(&self) -> String {
        fs::read_to_string(self.folder.path().join("key.pub")).expect("a key")
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A TLS server around `git http-backend`; stopped on drop.
pub struct HttpsHost {
    folder: TempDir,
    process: Child,
    /// The port on loopback.
    pub port: u16,
}

impl HttpsHost {
    /// Serves the repositories below `root`, and asks for this user and password when they are not empty.
    pub fn start(root: &Path, username: &str, password: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("admiral-https-")
            .tempdir()
            .expect("a folder");
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ])
            .args([
                "-addext",
                "subjectAltName=IP:127.0.0.1,IP:127.0.0.2,DNS:localhost",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status()
            .expect("openssl is installed");
        assert!(made.success());
        let port = free_port();
        let process = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/git_https.py"))
            .args([port.to_string().as_str(), &root.to_string_lossy(), username, password])
            .arg(&certificate)
            .arg(&key)
            .arg(folder.path().join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("errors")).expect("a file"))
            .spawn()
            .expect("python3 is installed");
        let host = Self { folder, process, port };
        let deadline = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let errors = fs::read_to_string(host.folder.path().join("errors")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server did not start: {errors}");
            std::thread::sleep(Duration::from_millis(20));
        }
        host
    }

    /// The address of a repository.
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/{path}", self.port)
    }

    /// The file that says whom to trust.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// One line for each request: address it came to, method, path, and the credentials that came with it.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for HttpsHost {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
