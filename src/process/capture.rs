//! A short program, run to its end.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use super::{ProcessTarget, Signal, signal};

/// More than this of each stream is read and thrown away.
const CAPTURE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// What a program that ended had to say.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, at most 4 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, at most 4 MiB.
    pub stderr: Vec<u8>,
}

impl Captured {
    /// Standard output as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its end or its output could not be read.
    #[error("read the answer of {program}")]
    Read {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It took too long and was killed.
    #[error("wait for {program}: it was killed after {} seconds", limit.as_secs_f32())]
    TimedOut {
        /// The program.
        program: String,
        /// The time it was given.
        limit: Duration,
    },
    /// It wrote more than it may and was killed.
    #[error("read the answer of {program}: it was killed after {limit} bytes")]
    TooMuchOutput {
        /// The program.
        program: String,
        /// Bytes that it may write.
        limit: usize,
    },
    /// It was told to stop before its end, and killed.
    #[error("wait for {program}: it was stopped")]
    Stopped {
        /// The program.
        program: String,
    },
}

/// What a program is allowed.
#[derive(Debug, Clone, Copy)]
pub struct CaptureLimits {
    /// The time it is given.
    pub timeout: Duration,
    /// Bytes of standard output; more end it.
    pub stdout_bytes: usize,
}

/// Runs a program to its end and keeps what it writes. After `timeout` its whole process group is killed.
pub async fn run_captured(command: Command, timeout: Duration) -> Result<Captured, ProcessError> {
    let started = Started::start(command)?;
    started
        .finish(timeout, Keep::UpTo(CAPTURE_LIMIT_BYTES), std::future::pending())
        .await
}

/// The same, for a program that is not trusted to know its bounds: it is ended, with all that it started, when it writes more than
/// is allowed, or when `stop` is done.
pub async fn run_limited(
    command: Command,
    limits: CaptureLimits,
    stop: impl Future<Output = ()>,
) -> Result<Captured, ProcessError> {
    let started = Started::start(command)?;
    started
        .finish(limits.timeout, Keep::All(limits.stdout_bytes), stop)
        .await
}

/// Runs a program for somebody at a terminal to its end, however long they take, and keeps its standard output. It stays in our
/// process group and has our input and standard error: it may ask, and Ctrl-C ends it and us.
pub async fn run_interactive(mut command: Command) -> Result<Captured, ProcessError> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let started = command
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let child = match started {
        Ok(child) => child,
        Err(source) => return Err(ProcessError::Start { program, source }),
    };
    let ended = child.wait_with_output().await;
    let output = ended.map_err(|source| ProcessError::Read { program, source })?;
    Ok(Captured {
        status: output.status,
        stdout: output.stdout,
        stderr: output.stderr,
    })
}

/// How much of standard output is kept.
#[derive(Clone, Copy)]
enum Keep {
    /// The rest is read and thrown away.
    UpTo(usize),
    /// More is an error.
    All(usize),
}

/// A child in a process group of its own. Dropped before its end, as when nobody waits any more, it takes its group along.
struct Started {
    child: Child,
    program: String,
}

impl Started {
    fn start(mut command: Command) -> Result<Self, ProcessError> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let started = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(child) => Ok(Self { child, program }),
            Err(source) => Err(ProcessError::Start { program, source }),
        }
    }

    async fn finish(
        mut self,
        timeout: Duration,
        keep: Keep,
        stop: impl Future<Output = ()>,
    ) -> Result<Captured, ProcessError> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let program = self.program.clone();
        let ended = {
            let read = |source| ProcessError::Read {
                program: program.clone(),
                source,
            };
            let whole = async {
                tokio::try_join!(
                    async { self.child.wait().await.map_err(read) },
                    read_capped(stdout, keep, &program),
                    read_capped(stderr, Keep::UpTo(CAPTURE_LIMIT_BYTES), &program),
                )
            };
            tokio::select! {
                ended = tokio::time::timeout(timeout, whole) => ended.unwrap_or_else(|_| Err(ProcessError::TimedOut {
                    program: program.clone(),
                    limit: timeout,
                })),
                () = stop => Err(ProcessError::Stopped { program: program.clone() }),
            }
        };
        match ended {
            Ok((status, stdout, stderr)) => Ok(Captured { status, stdout, stderr }),
            Err(error) => {
                self.kill_group();
                let _reaped = self.child.wait().await;
                Err(error)
            }
        }
    }

    fn kill_group(&self) {
        // `id` is gone once Tokio has reaped the leader: from then on its pid is not ours to signal.
        if let Some(leader) = self.child.id() {
            let _delivered = signal(&ProcessTarget::Group(leader as i32), Signal::KILL);
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.kill_group();
    }
}

async fn read_capped(
    stream: Option<impl AsyncRead + Unpin>,
    keep: Keep,
    program: &str,
) -> Result<Vec<u8>, ProcessError> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return Ok(kept) };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = stream.read(&mut buffer).await.map_err(|source| ProcessError::Read {
            program: program.to_owned(),
            source,
        })?;
        if length == 0 {
            return Ok(kept);
        }
        let room = match keep {
            Keep::UpTo(limit) => limit.saturating_sub(kept.len()).min(length),
            Keep::All(limit) if kept.len() + length > limit => {
                return Err(ProcessError::TooMuchOutput {
                    program: program.to_owned(),
                    limit,
                });
            }
            Keep::All(_) => length,
        };
        kept.extend_from_slice(&buffer[..room]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{ProcessIdentity, command};

    fn shell(script: &str) -> Command {
        let mut shell = command("/bin/sh");
        shell.args(["-c", script]);
        shell
    }

    #[tokio::test]
    async fn both_streams_and_the_status_are_kept() {
        let captured = run_captured(shell("echo out; echo err >&2; cat; exit 3"), Duration::from_mins(1))
            .await
            .expect("it ran");
        assert_eq!(captured.stdout_text(), "out\n");
        assert_eq!(captured.stderr_text(), "err\n");
        assert_eq!(captured.status.code(), Some(3));
    }

    #[tokio::test]
    async fn nothing_of_the_own_environment_is_passed_on() {
        let captured = run_captured(command("/usr/bin/env"), Duration::from_mins(1))
            .await
            .expect("it ran");
        assert_eq!(captured.stdout_text(), "");
    }

    #[tokio::test]
    async fn too_long_a_run_is_ended() {
        let error = run_captured(shell("sleep 600 & wait"), Duration::from_millis(50))
            .await
            .expect_err("killed");
        assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    }

    #[tokio::test]
    async fn what_goes_beyond_its_bounds_is_ended() {
        let limits = CaptureLimits {
            timeout: Duration::from_mins(1),
            stdout_bytes: 1000,
        };
        let few = run_limited(shell("echo few"), limits, std::future::pending())
            .await
            .expect("it ran");
        assert_eq!(few.stdout_text(), "few\n");
        let error = run_limited(shell("yes & wait"), limits, std::future::pending())
            .await
            .expect_err("too much");
        assert!(
            matches!(error, ProcessError::TooMuchOutput { limit: 1000, .. }),
            "{error}"
        );
        let error = run_limited(shell("sleep 600 & wait"), limits, async {})
            .await
            .expect_err("stopped");
        assert!(matches!(error, ProcessError::Stopped { .. }), "{error}");
    }

    #[tokio::test]
    async fn who_no_longer_waits_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > '{}'; wait", told.display());
        let running = tokio::spawn(run_captured(shell(&script), Duration::from_mins(1)));
        let pid: i32 = loop {
            let text = std::fs::read_to_string(&told).unwrap_or_default();
            if text.ends_with('\n') {
                break text.trim().parse().expect("a pid");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let grandchild = ProcessIdentity::of(pid).expect("it lives");
        running.abort();
        let _ = running.await;
        while grandchild.is_alive() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = run_captured(command("/no/such/program"), Duration::from_secs(5))
            .await
            .expect_err("missing");
        assert_eq!(error.to_string(), "start /no/such/program");
    }
}
