//! A program that runs where its user stands: with their folder, environment and terminal, and a copy of what they see.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{
            ffi::OsStringExt as _,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use rustix::{
    event::{EventfdFlags, eventfd},
    fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat},
    io::write,
    process::{PidfdFlags, Signal, pidfd_open},
    termios::{OptionalActions, isatty, tcsetattr, tcsetwinsize, ttyname},
};
use tokio::{
    signal::unix::{SignalKind, signal as listen},
    sync::oneshot,
};

use super::{
    Ending, ProcessIdentity, ProcessTarget,
    relay::{Pty, Relay, Stream, Tee, Told},
    signal::{ignored, pid, signal},
    terminal::{Terminal, is_in_foreground},
};

/// Names the terminal at which GnuPG asks for passphrases.
const GPG_TERMINAL: &str = "GPG_TTY";

/// A program to be. It inherits our folder and environment.
#[derive(Debug)]
pub struct Foreground {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<OsString>,
    /// Variables that are set besides the inherited ones.
    pub environment: BTreeMap<String, OsString>,
    /// Our standard input.
    pub stdin: OwnedFd,
    /// Our standard output.
    pub stdout: OwnedFd,
    /// Our standard error.
    pub stderr: OwnedFd,
}

impl Foreground {
    /// Becomes the program. Returns only when that fails.
    pub fn replace_us(self) -> io::Error {
        self.command().exec()
    }

    /// Starts it, with a terminal of its own if our output goes to one, else with pipes. `tee` gets what it writes.
    ///
    /// Needs a Tokio runtime.
    pub fn start(self, tee: Tee) -> io::Result<RunningForeground> {
        let terminals = Terminal::open(self.stdout.as_fd()).and_then(|terminal| {
            // Where there is no room for another terminal, the program still runs.
            let (pty, pts) = pty_process::blocking::open().ok()?;
            Some((terminal, pty, pts))
        });
        let mut started = match terminals {
            Some((terminal, pty, pts)) => self.start_on_pty(terminal, pty, pts)?,
            None => self.start_on_pipes()?,
        };
        let identity = ProcessIdentity::of(started.child.id() as i32)?;
        let pidfd = pidfd_open(pid(identity.pid)?, PidfdFlags::empty())?;
        let terminal = started.pty.as_ref().map(|pty| Arc::clone(&pty.terminal));
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (teller, told) = channel();
        let teller = Teller {
            told: teller,
            wake: wake.try_clone()?,
        };
        let (end, ending) = oneshot::channel();
        if let Some(pty) = &mut started.pty {
            pty.terminal.lock().unwrap_or_else(PoisonError::into_inner).take_input();
        }
        let relay = started.relay(pidfd, told, wake, tee);
        // Only now: what our parent ignored for us, the program ignores too.
        let listening = Listening::new()?;
        thread::Builder::new().name("relay".to_owned()).spawn(move || {
            // Nobody may be there to hear it any more.
            let _ = end.send(relay.run());
        })?;
        Ok(RunningForeground {
            identity,
            terminal,
            teller,
            ending,
            listening,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(&self.environment);
        command
    }

    /// What of input and errors is a terminal becomes the program's own one; a pipe or a file stays what it is.
    fn start_on_pty(
        self,
        terminal: Terminal,
        pty: pty_process::blocking::Pty,
        pts: pty_process::blocking::Pts,
    ) -> io::Result<Started> {
        tcsetattr(&pts, OptionalActions::Now, terminal.modes())?;
        tcsetwinsize(&pty, terminal.size()?)?;
        let mut command = self.command();
        if std::env::var_os(GPG_TERMINAL).is_some() {
            // A passphrase is asked for there, and nobody else may read at that terminal.
            command.env(
                GPG_TERMINAL,
                OsString::from_vec(ttyname(&pts, Vec::new())?.into_bytes()),
            );
        }
        let mut command = pty_process::blocking::Command::from(command);
        if !isatty(&self.stdin) {
            command = command.stdin(Stdio::inherit());
        }
        let separate_errors = !isatty(&self.stderr);
        if separate_errors {
            command = command.stderr(Stdio::piped());
        }
        let mut child = command.spawn(pts).map_err(|error| match error {
            pty_process::Error::Io(error) => error,
            other @ pty_process::Error::Rustix(_) => io::Error::other(other),
        })?;
        let master = OwnedFd::from(pty);
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        let mut streams = vec![Stream {
            from: Some(master.try_clone()?),
            to: self.stdout,
        }];
        if separate_errors {
            streams.push(Stream {
                from: child.stderr.take().map(OwnedFd::from),
                to: self.stderr,
            });
        }
        let keyboard = terminal.as_fd().try_clone_to_owned()?;
        let pty = Pty {
            master,
            terminal: Arc::new(Mutex::new(terminal)),
            keyboard: Some(keyboard),
            typed: Vec::new(),
        };
        Ok(Started {
            child,
            pty: Some(pty),
            streams,
        })
    }

    fn start_on_pipes(self) -> io::Result<Started> {
        let mut command = self.command();
        command.stdin(Stdio::inherit());
        let (child, streams) = if is_same_file(&self.stdout, &self.stderr)? {
            // `2>&1`: what is written first stands first.
            let (from, both) = io::pipe()?;
            let child = command.stdout(both.try_clone()?).stderr(both).spawn()?;
            let stream = Stream {
                from: Some(from.into()),
                to: self.stdout,
            };
            (child, vec![stream])
        } else {
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
            let streams = vec![
                Stream {
                    from: child.stdout.take().map(OwnedFd::from),
                    to: self.stdout,
                },
                Stream {
                    from: child.stderr.take().map(OwnedFd::from),
                    to: self.stderr,
                },
            ];
            (child, streams)
        };
        Ok(Started {
            child,
            pty: None,
            streams,
        })
    }
}

fn is_same_file(one: &OwnedFd, other: &OwnedFd) -> io::Result<bool> {
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// A program that was just started.
struct Started {
    child: Child,
    pty: Option<Pty>,
    streams: Vec<Stream>,
}

impl Started {
    fn relay(self, pidfd: OwnedFd, told: Receiver<Told>, wake: OwnedFd, tee: Tee) -> Relay {
        Relay {
            child: self.child,
            pidfd,
            pty: self.pty,
            streams: self.streams,
            told,
            wake,
            tee,
        }
    }
}

/// Reaches the relay's thread.
#[derive(Debug)]
struct Teller {
    told: Sender<Told>,
    wake: OwnedFd,
}

impl Teller {
    fn tell(&self, what: Told) {
        // The thread may have come to its end.
        if self.told.send(what).is_ok() {
            let _ = write(&self.wake, &1_u64.to_ne_bytes());
        }
    }
}

/// A program that runs where its user stands.
#[derive(Debug)]
pub struct RunningForeground {
    identity: ProcessIdentity,
    terminal: Option<Arc<Mutex<Terminal>>>,
    teller: Teller,
    ending: oneshot::Receiver<io::Result<Ending>>,
    listening: Listening,
}

impl RunningForeground {
    /// Its process.
    pub fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    /// Passes signals on until it has ended, and returns how. The user's terminal is as it was then.
    pub async fn ended(&mut self) -> io::Result<Ending> {
        loop {
            tokio::select! {
                ending = &mut self.ending => {
                    return ending.unwrap_or_else(|_| Err(io::Error::other("the relay of its output broke off")));
                }
                heard = self.listening.next() => self.hear(heard),
            }
        }
    }

    /// Returns when somebody wants us to end. For when the program has ended already.
    pub async fn asked_to_end(&mut self) {
        loop {
            let heard = self.listening.next().await;
            if [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM].contains(&heard) {
                return;
            }
        }
    }

    fn hear(&self, heard: Signal) {
        match heard {
            Signal::WINCH => self.teller.tell(Told::Resized),
            Signal::CONT => self.teller.tell(Told::Continued),
            // The terminal has sent it to the program as well, which is in our group.
            Signal::INT | Signal::QUIT if self.terminal.is_none() && is_in_foreground() => {}
            other => self.pass_on(other),
        }
    }

    fn pass_on(&self, heard: Signal) {
        if let Err(error) = signal(&ProcessTarget::Process(self.identity), heard) {
            tracing::warn!(%error, "a signal could not be passed on");
        }
    }
}

impl Drop for RunningForeground {
    fn drop(&mut self) {
        if let Some(terminal) = &self.terminal {
            terminal.lock().unwrap_or_else(PoisonError::into_inner).restore();
        }
    }
}

/// The signals that we hear of, but for those that our parent had us ignore.
#[derive(Debug)]
struct Listening {
    signals: Vec<(Signal, tokio::signal::unix::Signal)>,
}

impl Listening {
    fn new() -> io::Result<Self> {
        let mut signals = Vec::new();
        for wanted in [
            Signal::HUP,
            Signal::INT,
            Signal::QUIT,
            Signal::TERM,
            Signal::WINCH,
            Signal::CONT,
        ] {
            if !ignored(wanted)? {
                signals.push((wanted, listen(SignalKind::from_raw(wanted.as_raw()))?));
            }
        }
        Ok(Self { signals })
    }

    /// The next one that comes.
    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (which, stream) in &mut self.signals {
                if let std::task::Poll::Ready(Some(())) = stream.poll_recv(context) {
                    return std::task::Poll::Ready(*which);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        Self {
            exit_code: status.code(),
            signal: status.signal(),
        }
    }
}
