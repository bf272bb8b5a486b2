//! Somebody's shell: a folder, a home and a `PATH` with Ansible, where `admiral ansible-playbook` takes the place of
//! `ansible-playbook`, with or without a terminal.

use super::server::{AdmiralServer, PATIENCE};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A user's shell.
pub struct Shell {
    /// The working directory; `home/` and `state/` lie in it.
    pub folder: TempDir,
    ansible: PathBuf,
    server: Option<(String, String)>,
}

impl Shell {
    /// One that knows the server and its admin's token.
    pub fn with(server: &AdmiralServer, ansible: &Path) -> Self {
        Self {
            server: Some((server.url.clone(), server.token().to_owned())),
            ..Self::alone(ansible)
        }
    }

    /// One that knows of no server.
    pub fn alone(ansible: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        let shell = Self {
            folder,
            ansible: ansible.to_owned(),
            server: None,
        };
        shell.write(
            "hosts",
            &(1..=4).fold(String::new(), |hosts, number| {
                // Nothing listens on port 1. An async job is looked for where it is written, whatever `~` is.
                let folder = shell.folder.path().display();
                hosts
                    + &format!(
                        "h{number} ansible_host=127.0.0.1 ansible_port=1 ansible_async_dir={folder}/async \
                         ansible_python_interpreter='{{{{ ansible_playbook_python }}}}'\n"
                    )
            }),
        );
        shell
    }

    /// Writes a file into its folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Writes a program into the first folder of its `PATH`.
    pub fn write_program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(&format!("bin/{name}"), script);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    }

    /// What `words` would start: `ansible-playbook …`, or `admiral ansible-playbook …`.
    pub fn command(&self, words: &[&str]) -> Command {
        let program = match words[0] {
            "admiral" => PathBuf::from(env!("CARGO_BIN_EXE_admiral")),
            name if name.starts_with("ansible") && !self.folder.path().join("bin").join(name).exists() => {
                self.ansible.join(name)
            }
            name if name.starts_with("ansible") => self.folder.path().join("bin").join(name),
            other => PathBuf::from(other),
        };
        let mut command = Command::new(program);
        let own = self.folder.path();
        command
            .args(&words[1..])
            .current_dir(own)
            .env_clear()
            .env("HOME", own.join("home"))
            .env("XDG_STATE_HOME", own.join("state"))
            .env("ADMIRAL_DATA_DIR", own.join("no-data"))
            .env(
                "PATH",
                format!(
                    "{}:{}:/usr/local/bin:/usr/bin:/bin",
                    own.join("bin").display(),
                    self.ansible.display()
                ),
            )
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("ANSIBLE_INVENTORY", "hosts")
            // Hosts answer in the same order each time.
            .env("ANSIBLE_FORKS", "1")
            .stdin(Stdio::null());
        if let Some((url, token)) = &self.server {
            command.env("ADMIRAL_SERVER", url).env("ADMIRAL_TOKEN", token);
        }
        command
    }

    /// Runs it without a terminal.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("it starts")
    }

    /// Runs it in a terminal of its own.
    pub fn sit_down(&self, words: &[&str]) -> Typist {
        Typist::sit_down(self.command(words))
    }

    /// Waits until a file is there.
    pub fn wait_for(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.folder.path().join(name).exists() {
            assert!(Instant::now() < deadline, "no {name}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The folders of recordings that are not stored yet.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(self.folder.path().join("state/admiral/recordings"))
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path())
            .collect();
        found.sort();
        found
    }
}

/// The deployments that were recorded, the oldest first.
pub async fn recorded(server: &AdmiralServer) -> Vec<Value> {
    let mut deployments = server.get("/api/deployments?per_page=100").await["data"]
        .as_array()
        .expect("a list")
        .clone();
    deployments.retain(|deployment| deployment["kind"] == "recorded");
    deployments.reverse();
    deployments
}

/// Somebody at a terminal of 132 by 43 characters.
pub struct Typist {
    child: Child,
    keyboard: pty_process::blocking::Pty,
    screen: Arc<Mutex<Vec<u8>>>,
    reading: Option<thread::JoinHandle<()>>,
    read_up_to: usize,
}

impl Typist {
    fn sit_down(mut command: Command) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a terminal");
        pty.resize(pty_process::Size::new(43, 132)).expect("a size");
        command.stdin(Stdio::inherit());
        // What the command says of its input would come before the terminal.
        let child = pty_process::blocking::Command::from(command)
            .stdin(std::fs::File::from(
                std::os::fd::AsFd::as_fd(&pts)
                    .try_clone_to_owned()
                    .expect("a descriptor"),
            ))
            .spawn(pts)
            .expect("it starts");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let mut reader = std::fs::File::from(
            std::os::fd::AsFd::as_fd(&pty)
                .try_clone_to_owned()
                .expect("a descriptor"),
        );
        let shown = Arc::clone(&screen);
        let reading = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count) = reader.read(&mut chunk) {
                if count == 0 {
                    break;
                }
                shown.lock().expect("not poisoned").extend_from_slice(&chunk[..count]);
            }
        });
        Self {
            child,
            keyboard: pty,
            screen,
            reading: Some(reading),
            read_up_to: 0,
        }
    }

    /// Waits until the terminal shows a text after the one waited for before.
    pub fn read(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen.lock().expect("not poisoned").clone();
            let found = memchr::memmem::find(&screen[self.read_up_to..], text.as_bytes());
            if let Some(at) = found {
                self.read_up_to += at + text.len();
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no {text:?} in {}",
                String::from_utf8_lossy(&screen)
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types.
    pub fn write(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Makes the window of the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.keyboard
            .resize(pty_process::Size::new(rows, columns))
            .expect("a size");
    }

    /// Waits for the end: what a shell would call its exit code, and all that the terminal showed.
    pub fn wait(mut self) -> (i32, String) {
        let status = super::server::wait_for_exit(&mut self.child);
        let reading = self.reading.take().expect("only waited for once");
        reading.join().expect("no panic");
        let screen = self.screen.lock().expect("not poisoned").clone();
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        (code.expect("an end"), String::from_utf8_lossy(&screen).into_owned())
    }
}
