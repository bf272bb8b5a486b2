//! A short program, run to its end.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
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
}

/// Runs a program to its end and keeps what it writes. After `timeout` its whole process group is killed.
pub async fn run_captured(mut command: Command, timeout: Duration) -> Result<Captured, ProcessError> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let started = command
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|source| ProcessError::Start {
        program: program.clone(),
        source,
    })?;
    let leader = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let whole = async { tokio::try_join!(child.wait(), read_capped(stdout), read_capped(stderr)) };
    match tokio::time::timeout(timeout, whole).await {
        Ok(Ok((status, stdout, stderr))) => Ok(Captured { status, stdout, stderr }),
        Ok(Err(source)) => Err(ProcessError::Read { program, source }),
        Err(_) => {
            // `id` is gone once Tokio has reaped the leader: from then on its pid is not ours to signal.
            if let (Some(leader), Some(_)) = (leader, child.id()) {
                let _delivered = signal(&ProcessTarget::Group(leader as i32), Signal::KILL);
            }
            let _reaped = child.wait().await;
            Err(ProcessError::TimedOut {
                program,
                limit: timeout,
            })
        }
    }
}

async fn read_capped(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return Ok(kept) };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(kept);
        }
        let room = CAPTURE_LIMIT_BYTES.saturating_sub(kept.len()).min(length);
        kept.extend_from_slice(&buffer[..room]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::command;

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
    async fn a_missing_program_is_named() {
        let error = run_captured(command("/no/such/program"), Duration::from_secs(5))
            .await
            .expect_err("missing");
        assert_eq!(error.to_string(), "start /no/such/program");
    }
}
