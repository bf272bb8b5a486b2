//! SSH masters (`ControlPersist`): they daemonise and outlive the run unless they are told to exit.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::FileTypeExt,
    },
    path::{Path, PathBuf},
};

use crate::process::{Launch, base_environment, find_program};

/// So many `ssh` are asked to talk to a master at a time.
const AT_ONCE: usize = 16;

/// The masters that are still to be asked, and the `ssh` processes that ask.
#[derive(Debug)]
pub(super) struct Masters {
    ssh: Option<PathBuf>,
    sockets: Vec<PathBuf>,
    asking: HashSet<i32>,
}

impl Masters {
    /// The masters whose sockets lie in the folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        let sockets: Vec<PathBuf> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
            .map(|entry| entry.path())
            .collect();
        let ssh = if sockets.is_empty() {
            None
        } else {
            find_program("ssh", &[])
        };
        Self {
            ssh,
            sockets,
            asking: HashSet::new(),
        }
    }

    /// Asks on, given the pids that ended. `true`: all have been asked.
    ///
    /// The `ssh` processes are children of the caller, who has to reap them.
    pub(super) fn ask(&mut self, ended: impl IntoIterator<Item = i32>) -> bool {
        for pid in ended {
            self.asking.remove(&pid);
        }
        let Some(ssh) = &self.ssh else { return true };
        while self.asking.len() < AT_ONCE {
            let Some(socket) = self.sockets.pop() else { break };
            match exit_request(ssh, &socket).start_unreaped() {
                Ok(identity) => {
                    self.asking.insert(identity.pid);
                }
                Err(error) => tracing::warn!(%error, "ssh could not be started to end a master"),
            }
        }
        self.asking.is_empty()
    }
}

/// `ssh -O exit`. The host is a placeholder: only the socket says which master is meant.
fn exit_request(ssh: &Path, socket: &Path) -> Launch {
    // `ControlPath` expands percent signs; ssh_config(5), TOKENS.
    let mut option = b"ControlPath=".to_vec();
    for byte in socket.as_os_str().as_bytes() {
        option.extend(std::iter::repeat_n(*byte, if *byte == b'%' { 2 } else { 1 }));
    }
    Launch {
        program: ssh.to_owned(),
        arguments: vec![
            "-F".into(),
            "/dev/null".into(),
            "-O".into(),
            "exit".into(),
            "-o".into(),
            OsString::from_vec(option),
            "master".into(),
        ],
        environment: base_environment(Path::new("/")),
        working_directory: PathBuf::from("/"),
        output: None,
        own_group: false,
        dies_with_us: true,
        control_group: None,
    }
}
