//! Starting a process that is not waited for here.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::{
    io::Errno,
    process::{Signal, getpid, getppid, set_parent_process_death_signal},
};

use super::{ProcessIdentity, open_files::restore_in_child};

/// A process to be. Its environment is exactly the given one and its standard input is closed.
#[derive(Debug)]
pub struct Launch {
    /// The program, found without the help of any `PATH`.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub working_directory: PathBuf,
    /// Takes standard output and standard error; without it both are thrown away.
    pub output: Option<File>,
    /// Whether it leads a process group of its own.
    pub own_group: bool,
    /// Whether the kernel kills it when we die, however we die. What it started itself in the meantime is not killed.
    ///
    /// The kernel means the *thread* that started it: set this only where that one lives as long as the process.
    pub dies_with_us: bool,
    /// The `cgroup.procs` of the control group that it is to be in, opened for writing; cgroups(7).
    pub control_group: Option<File>,
}

impl Launch {
    /// Starts it for a [`Subreaper`](super::Subreaper), which has to reap it.
    ///
    /// Call from the task that reaps, so that nobody reaps the child before its identity was read.
    pub fn start_unreaped(self) -> io::Result<ProcessIdentity> {
        let child = self.spawn()?;
        ProcessIdentity::of(child.id() as i32)
    }

    /// Starts it to go on without us. A thread waits for its end, so that it never stays a zombie.
    pub fn start_detached(self) -> io::Result<ProcessIdentity> {
        let mut child = self.spawn()?;
        let identity = ProcessIdentity::of(child.id() as i32);
        let waiting = thread::Builder::new()
            .name("reap".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || child.wait());
        if let Err(error) = waiting {
            tracing::warn!(%error, "no thread to wait for a child: it will stay a zombie when it ends");
        }
        identity
    }

    fn spawn(self) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.working_directory);
        command.stdin(Stdio::null());
        if let Some(output) = self.output {
            command.stdout(output.try_clone()?).stderr(output);
        } else {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        if self.own_group {
            command.process_group(0);
        }
        restore_in_child(&mut command);
        if self.dies_with_us {
            die_with_parent(&mut command);
        }
        if let Some(group) = self.control_group {
            enter(&mut command, group);
        }
        command.spawn()
    }
}

/// Has the child enter a control group before it becomes another program.
fn enter(command: &mut Command, group: File) {
    let ask = move || {
        // 0 is the process that writes.
        rustix::io::write(&group, b"0")?;
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec only async-signal-safe calls are allowed: `ask` makes one system call and allocates nothing"
    )]
    // SAFETY: see the reason above.
    unsafe {
        command.pre_exec(ask);
    }
}

/// Lets the kernel kill the child when the calling thread ends (prctl(2), `PR_SET_PDEATHSIG`).
fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let ask = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Who died before it was asked is never heard of.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from(Errno::CHILD))
        }
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec only async-signal-safe calls are allowed: `ask` makes two system calls and \
                  allocates nothing"
    )]
    // SAFETY: see the reason above.
    unsafe {
        command.pre_exec(ask);
    }
}
