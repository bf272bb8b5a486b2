//! Bytes between a user and a program that runs for them, on a thread of its own: nothing but the two of them is ever waited for.

use std::{
    io,
    os::fd::OwnedFd,
    process::Child,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Receiver},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, read, write},
    process::{Signal, getpgrp, kill_process_group},
    termios::{LocalModes, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetwinsize},
};

use super::{Ending, terminal::Terminal};

const CHUNK: usize = 64 * 1024;
/// What was typed is read in pieces of this size.
const TYPED_CHUNK: usize = 4096;
/// What was typed and the program does not read is held up to here.
const MAX_TYPED: usize = 64 * 1024;
/// In the background it is looked at this often whether we are in the foreground again.
const LOOK_FOR_FOREGROUND: Duration = Duration::from_millis(250);
/// What others hold open after the program's end is waited for this long without a word.
const QUIET: Duration = Duration::from_millis(100);
/// And this long altogether.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
/// How long a stop of our own group may take to come about.
const STOP_LIMIT: Duration = Duration::from_millis(200);

/// Takes a copy of every byte that the user is shown. It must not block.
pub type Tee = Box<dyn FnMut(&[u8]) + Send>;

/// What a relay is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The user's terminal has another size.
    Resized,
    /// We were stopped, and go on.
    Continued,
}

/// One way out of the program.
#[derive(Debug)]
pub(super) struct Stream {
    /// Read here; `None` at its end.
    pub(super) from: Option<OwnedFd>,
    /// Written here.
    pub(super) to: OwnedFd,
}

/// The program's own terminal, and the user's.
#[derive(Debug)]
pub(super) struct Pty {
    /// Our side of the program's. Does not block.
    pub(super) master: OwnedFd,
    /// The user's. More than one may have to give it its modes back.
    pub(super) terminal: Arc<Mutex<Terminal>>,
    /// What the user types is read here; `None` once the terminal is gone.
    pub(super) keyboard: Option<OwnedFd>,
    /// Typed, and not taken by the program yet.
    pub(super) typed: Vec<u8>,
}

impl Pty {
    fn lock(&self) -> MutexGuard<'_, Terminal> {
        self.terminal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fit(&self) {
        // A size that cannot be asked for or set stays as it was.
        let _ = self.lock().size().map(|size| tcsetwinsize(&self.master, size));
    }
}

/// Relays until the program has ended.
pub(super) struct Relay {
    pub(super) child: Child,
    /// Readable when the child has ended.
    pub(super) pidfd: OwnedFd,
    pub(super) pty: Option<Pty>,
    pub(super) streams: Vec<Stream>,
    pub(super) told: Receiver<Told>,
    /// Readable when something was told.
    pub(super) wake: OwnedFd,
    pub(super) tee: Tee,
}

/// What one look at all descriptors found.
struct Ready {
    told: bool,
    ended: bool,
    /// For each stream.
    output: Vec<bool>,
    typed: bool,
    room: bool,
}

impl Relay {
    /// Returns how the program ended, when all that it said has been passed on.
    pub(super) fn run(mut self) -> io::Result<Ending> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let ready = self.wait(self.pause(), true)?;
            if ready.told {
                self.hear();
            }
            if ready.typed {
                self.take_typed();
            }
            if ready.room {
                self.pass_typed_on();
            }
            self.pass_output_on(&ready.output, &mut chunk);
            if ready.ended {
                break;
            }
        }
        let status = self.child.wait()?;
        self.drain(&mut chunk)?;
        if let Some(pty) = &self.pty {
            pty.lock().restore();
        }
        Ok(Ending::from(status))
    }

    /// Passes on what the program said before its end, however much that is.
    fn drain(&mut self, chunk: &mut [u8]) -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < DRAIN_LIMIT && self.streams.iter().any(|stream| stream.from.is_some()) {
            let ready = self.wait(Some(QUIET), false)?;
            if !ready.output.contains(&true) {
                break;
            }
            self.pass_output_on(&ready.output, chunk);
        }
        Ok(())
    }

    /// How long to wait at most. Takes the terminal's input as soon as it is ours.
    fn pause(&self) -> Option<Duration> {
        let pty = self.pty.as_ref().filter(|pty| pty.keyboard.is_some())?;
        let mut terminal = pty.lock();
        terminal.take_input();
        (!terminal.is_raw()).then_some(LOOK_FOR_FOREGROUND)
    }

    fn wait(&self, pause: Option<Duration>, runs: bool) -> io::Result<Ready> {
        let mut waited = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let mut add = |descriptor, flags, wanted: bool| {
            wanted.then(|| {
                waited.push(PollFd::new(descriptor, flags));
                waited.len() - 1
            })
        };
        let ended = add(&self.pidfd, PollFlags::IN, runs);
        let output: Vec<Option<usize>> = self
            .streams
            .iter()
            .map(|stream| stream.from.as_ref().and_then(|from| add(from, PollFlags::IN, true)))
            .collect();
        let (mut typed, mut room) = (None, None);
        if let Some(pty) = self.pty.as_ref().filter(|_| runs) {
            let wanted = pty.typed.len() < MAX_TYPED && pty.lock().is_raw();
            typed = pty
                .keyboard
                .as_ref()
                .and_then(|keyboard| add(keyboard, PollFlags::IN, wanted));
            room = add(&pty.master, PollFlags::OUT, !pty.typed.is_empty());
        }
        let pause = pause.and_then(|pause| Timespec::try_from(pause).ok());
        match poll(&mut waited, pause.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |index: Option<usize>| index.is_some_and(|index| !waited[index].revents().is_empty());
        Ok(Ready {
            told: is_ready(Some(0)),
            ended: is_ready(ended),
            output: output.into_iter().map(is_ready).collect(),
            typed: is_ready(typed),
            room: is_ready(room),
        })
    }

    fn hear(&mut self) {
        let _ = read(&self.wake, &mut [0; 8]);
        while let Ok(told) = self.told.try_recv() {
            let Some(pty) = &self.pty else { continue };
            if told == Told::Continued {
                pty.lock().take_input();
            }
            pty.fit();
        }
    }

    fn take_typed(&mut self) {
        let mut typed = [0; TYPED_CHUNK];
        let Some(pty) = &mut self.pty else { return };
        let Some(keyboard) = &pty.keyboard else { return };
        let count = match read(keyboard, &mut typed) {
            Ok(count) if count > 0 => count,
            Err(Errno::INTR | Errno::AGAIN) => return,
            // The terminal is gone. That it hung up comes as a signal.
            _ => {
                pty.keyboard = None;
                return;
            }
        };
        let suspend = suspend_character(pty);
        for piece in typed[..count].split_inclusive(|byte| *byte == suspend) {
            let (last, before) = (piece[piece.len() - 1], &piece[..piece.len() - 1]);
            let suspends = last == suspend && suspend != 0;
            if let Some(pty) = &mut self.pty {
                pty.typed.extend_from_slice(if suspends { before } else { piece });
            }
            self.pass_typed_on();
            if suspends {
                self.suspend();
            }
        }
    }

    fn pass_typed_on(&mut self) {
        let Some(pty) = &mut self.pty else { return };
        while !pty.typed.is_empty() {
            match write(&pty.master, &pty.typed) {
                Ok(count) => drop(pty.typed.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => pty.typed.clear(),
            }
        }
    }

    fn pass_output_on(&mut self, ready: &[bool], chunk: &mut [u8]) {
        for (stream, _) in self.streams.iter_mut().zip(ready).filter(|(_, ready)| **ready) {
            let Some(from) = &stream.from else { continue };
            match read(from, &mut *chunk) {
                Ok(count) if count > 0 => {
                    // Who reads no more need not be told again; the program goes on, as it does without us.
                    let _ = write_all(&stream.to, &chunk[..count]);
                    (self.tee)(&chunk[..count]);
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                _ => stream.from = None,
            }
        }
    }

    /// Stops the program and ourselves, as the terminal would have done, until the shell wakes us.
    ///
    /// The program leads a session of its own, so that the kernel takes its process group for one that nobody could continue, and
    /// ignores the terminal's own stop signal for it.
    fn suspend(&mut self) {
        let Some(pty) = &self.pty else { return };
        let Ok(group) = tcgetpgrp(&pty.master) else { return };
        if let (Some(stream), true) = (self.streams.first(), echoes(pty)) {
            let _ = write_all(&stream.to, b"^Z");
        }
        let _ = kill_process_group(group, Signal::STOP);
        pty.lock().restore();
        while self.told.try_recv().is_ok() {}
        // All of the shell's job. Without a shell that could continue it, the kernel does not stop it.
        if kill_process_group(getpgrp(), Signal::TSTP).is_ok() {
            let began = Instant::now();
            while began.elapsed() < STOP_LIMIT && self.told.recv_timeout(STOP_LIMIT) == Ok(Told::Resized) {}
        }
        pty.lock().take_input();
        pty.fit();
        let _ = kill_process_group(group, Signal::CONT);
    }
}

/// The character that stops the program when it is typed; 0 for none.
fn suspend_character(pty: &Pty) -> u8 {
    tcgetattr(&pty.master)
        .ok()
        .filter(has_signals)
        .map_or(0, |modes| modes.special_codes[SpecialCodeIndex::VSUSP])
}

fn has_signals(modes: &Termios) -> bool {
    modes.local_modes.contains(LocalModes::ISIG)
}

fn echoes(pty: &Pty) -> bool {
    tcgetattr(&pty.master).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ECHO | LocalModes::ECHOCTL))
}

fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Somebody else may have set what we share so.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
