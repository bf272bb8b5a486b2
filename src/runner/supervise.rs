//! The supervisor: a process of its own around one `ansible-playbook`. [`dispatch`](super::dispatch) decides, this acts.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    signal::unix::{Signal as Stream, SignalKind, signal as listen},
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    cgroup::RunGroup,
    dispatch::{Dispatcher, Effect, Input, Outcome},
    folder::{RunFolder, open_append},
    isolation::wrap,
    limits::Reached,
    masters::Masters,
    record::{Exit, ExitReason, RECORD_VERSION, RUN_ID_VARIABLE, RunSpec, RunnerError, Started},
    secrets,
    usage::Usage,
};
use crate::{
    domain::{
        clock::{Clock, SystemClock},
        isolation::Isolation,
    },
    process::{
        Ending, Launch, ProcessIdentity, ProcessTarget, Signal, Subreaper, boot_id, descendants, find_program,
        group_members, guarded, leave_terminal, signal,
    },
};

/// SSH masters answer at once or not at all.
const MASTERS_LIMIT: Duration = Duration::from_secs(5);
/// After so long a process that does not die hangs in the kernel, or is not ours to kill.
const KILL_LIMIT: Duration = Duration::from_secs(30);
const KILL_INTERVAL: Duration = Duration::from_millis(20);
/// The room for the record of the end is reserved; should it be refused all the same, the disk may yet be freed.
const RECORD_LIMIT: Duration = Duration::from_mins(1);
const RECORD_INTERVAL: Duration = Duration::from_secs(1);
/// What the run uses is looked at this often.
const USAGE_INTERVAL: Duration = Duration::from_millis(500);
/// New processes found in one round of killing are killed in the same round, but not without end.
const SCANS_PER_ROUND: usize = 10;

/// Runs what the folder's spec says, to the end: the body of `admiral supervise RUN_DIR`.
///
/// Must be the only thing its process does: it leaves the session, becomes child subreaper and reaps every child.
/// SIGTERM cancels with grace, however often it comes; SIGUSR1 at once. `Ok` means that `exit.json` was written.
pub async fn supervise(run_folder: PathBuf) -> Result<(), RunnerError> {
    let step = |what| move |source| RunnerError::Supervise { what, source };
    // First of all: whoever cancels waits for these.
    let mut inbox = Inbox::listen().map_err(step("listen for signals"))?;
    leave_terminal().map_err(step("leave the terminal"))?;
    let subreaper = Subreaper::install().map_err(step("become child subreaper"))?;
    let folder = RunFolder::open(run_folder);
    let spec = match folder.read_spec() {
        Ok(spec) => spec,
        Err(error) => {
            let message = Some(describe(&error));
            let outcome = Outcome {
                reason: ExitReason::SpawnFailed,
                ending: None,
                message,
            };
            return finish(&folder, outcome).await;
        }
    };
    if let Err(error) = folder.reserve_exit() {
        tracing::warn!(
            error = describe(&error),
            "no room could be reserved for the record of the end"
        );
    }
    if spec.secrets_folder.is_dir()
        && let Err(error) = secrets::take_ownership(&spec.secrets_folder)
    {
        tracing::warn!(%error, "the secrets could not be marked as in use");
    }
    // Lets signals that are waiting already come in.
    tokio::task::yield_now().await;
    inbox.queue_waiting();
    inbox.queue.push_back(Input::Ready);

    let mut shell = Shell {
        group: RunGroup::create(spec.run_id, &spec.limits).map(Arc::new),
        folder,
        spec,
        subreaper,
        main: None,
        masters: None,
        give_up: None,
        inbox,
    };
    let mut dispatcher = Dispatcher::new();
    loop {
        let input = shell.next().await.map_err(step("reap"))?;
        tracing::debug!(?input, "supervise");
        match dispatcher.handle(input) {
            Effect::Nothing => {}
            Effect::Spawn => shell.spawn(),
            Effect::AskToStop => shell.ask_to_stop(),
            Effect::KillAll => shell.kill_all(),
            Effect::CloseMasters => shell.close_masters(),
            Effect::Finish(outcome) => {
                if let Some(group) = &shell.group {
                    group.remove();
                }
                return finish(&shell.folder, outcome).await;
            }
        }
    }
}

/// Everything that can happen, by signal or by clock.
struct Inbox {
    terminate: Stream,
    interrupt: Stream,
    force: Stream,
    child: Stream,
    /// Held so that a hang-up does not end the supervisor.
    _hangup: Stream,
    queue: VecDeque<Input>,
    /// Told of by the thread that looks at what the run uses.
    reached: Option<mpsc::Receiver<Reached>>,
    time_limit: Option<Instant>,
    grace: Option<Instant>,
    masters_limit: Option<Instant>,
    kill_again: Option<Instant>,
}

enum Woken {
    By(Input),
    AtLimit(Reached),
    ToReap,
    ToKill,
}

impl Inbox {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            _hangup: listen(SignalKind::hangup())?,
            child: listen(SignalKind::child())?,
            force: listen(SignalKind::user_defined1())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            queue: VecDeque::new(),
            reached: None,
            time_limit: None,
            grace: None,
            masters_limit: None,
            kill_again: None,
        })
    }

    /// Puts requests that have arrived before the start into the queue.
    fn queue_waiting(&mut self) {
        use futures_util::FutureExt;
        if self.force.recv().now_or_never().is_some() {
            self.queue.push_back(Input::Force);
        }
        if self.terminate.recv().now_or_never().is_some() || self.interrupt.recv().now_or_never().is_some() {
            self.queue.push_back(Input::Terminate);
        }
    }

    async fn wait(&mut self) -> Woken {
        tokio::select! {
            _ = self.force.recv() => Woken::By(Input::Force),
            _ = self.terminate.recv() => Woken::By(Input::Terminate),
            _ = self.interrupt.recv() => Woken::By(Input::Terminate),
            _ = self.child.recv() => Woken::ToReap,
            reached = told(&mut self.reached) => Woken::AtLimit(reached),
            () = at(self.time_limit) => {
                self.time_limit = None;
                Woken::By(Input::TimeLimit)
            }
            () = at(self.grace) => {
                self.grace = None;
                Woken::By(Input::GraceOver)
            }
            () = at(self.masters_limit) => {
                self.masters_limit = None;
                Woken::By(Input::MastersClosed)
            }
            () = at(self.kill_again) => Woken::ToKill,
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Waits for ever when nothing is or will be told.
async fn told(reached: &mut Option<mpsc::Receiver<Reached>>) -> Reached {
    if let Some(receiver) = reached
        && let Some(limit) = receiver.recv().await
    {
        return limit;
    }
    *reached = None;
    std::future::pending().await
}

struct Shell {
    /// The run's control group, where there can be one.
    group: Option<Arc<RunGroup>>,
    folder: RunFolder,
    spec: RunSpec,
    subreaper: Subreaper,
    /// The main process, while it is not reaped: only so long may its group be signalled.
    main: Option<ProcessIdentity>,
    masters: Option<Masters>,
    give_up: Option<Instant>,
    inbox: Inbox,
}

impl Shell {
    async fn next(&mut self) -> io::Result<Input> {
        loop {
            if let Some(input) = self.inbox.queue.pop_front() {
                return Ok(input);
            }
            match self.inbox.wait().await {
                Woken::By(input) => return Ok(input),
                Woken::AtLimit(reached) => return Ok(Input::LimitReached(reached.message(&self.spec.limits))),
                Woken::ToReap => self.reap()?,
                Woken::ToKill => self.kill_round()?,
            }
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        let reaped = self.subreaper.reap()?;
        for (pid, ending) in &reaped.ended {
            if self.main.is_some_and(|main| main.pid == *pid) {
                self.main = None;
                // The kernel may have ended it before anybody looked.
                if let Some(reached) = self.group.as_ref().and_then(|group| group.reached()) {
                    let message = reached.message(&self.spec.limits);
                    self.inbox.queue.push_back(Input::LimitReached(message));
                }
                self.inbox.queue.push_back(Input::MainEnded(*ending));
            }
        }
        if let Some(masters) = &mut self.masters
            && masters.ask(reaped.ended.iter().map(|(pid, _)| *pid))
        {
            self.masters = None;
            self.inbox.masters_limit = None;
            self.inbox.queue.push_back(Input::MastersClosed);
        }
        if self.give_up.is_some() && !reaped.any_left {
            self.inbox.kill_again = None;
            self.inbox.queue.push_back(Input::Emptied);
        }
        Ok(())
    }

    fn spawn(&mut self) {
        match self.start() {
            Ok(main) => {
                tracing::info!(
                    pid = main.pid,
                    isolation = self.spec.isolation.as_str(),
                    "the run's program was started"
                );
                self.main = Some(main);
                self.inbox.queue.push_back(Input::Spawned);
                self.watch_usage();
                if self.spec.timeout_seconds > 0 {
                    let limit = Duration::from_secs(self.spec.timeout_seconds);
                    self.inbox.time_limit = Instant::now().checked_add(limit);
                }
                if let Err(error) = self.record_start(main) {
                    tracing::error!(error = describe(&error), "the start could not be written down");
                }
            }
            Err(message) => self.inbox.queue.push_back(Input::SpawnFailed(message)),
        }
    }

    /// Errors are for people: they end up in `exit.json`.
    fn start(&self) -> Result<ProcessIdentity, String> {
        let spec = &self.spec;
        let named = |what: &str, error: io::Error| format!("{what}: {error}");
        if find_program(&spec.program.to_string_lossy(), &[]).is_none() {
            return Err(format!("{} is no executable file", spec.program.display()));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&spec.control_path_folder)
            .map_err(|error| named(&spec.control_path_folder.to_string_lossy(), error))?;
        let output = open_append(&self.folder.output()).map_err(|error| named("output.log", error))?;
        let (program, arguments) = wrap(spec, &self.folder)?;
        let entrance = self.group.as_ref().map(|group| group.entrance()).transpose();
        let launch = Launch {
            program,
            arguments,
            environment: marked(spec),
            // An isolated run has its own on the way in; ours may be closed to it.
            working_directory: match spec.isolation {
                Isolation::None => spec.working_directory.clone(),
                Isolation::Strict | Isolation::ControllerWritable => "/".into(),
            },
            output: Some(output),
            own_group: true,
            dies_with_us: true,
            control_group: entrance.map_err(|error| named("cgroup.procs", error))?,
        };
        launch
            .start_unreaped()
            .map_err(|error| named(&spec.program.to_string_lossy(), error))
    }

    /// On a thread of its own: measuring the run's folders takes as long as the run makes it take.
    fn watch_usage(&mut self) {
        if !guarded("limits") {
            return;
        }
        let (sender, receiver) = mpsc::channel(1);
        self.inbox.reached = Some(receiver);
        let (group, limits) = (self.group.clone(), self.spec.limits);
        let mut usage = Usage::new(self.folder.clone(), limits, group.is_some());
        let own = std::process::id() as i32;
        let watching = thread::Builder::new().name("usage".to_owned()).spawn(move || {
            while !sender.is_closed() {
                thread::sleep(USAGE_INTERVAL);
                if let Some(group) = &group {
                    group.hold(&limits);
                }
                let enforced = group.as_ref().and_then(|group| group.reached());
                if let Some(reached) = enforced.or_else(|| usage.look(own)) {
                    let _over = sender.blocking_send(reached);
                    return;
                }
            }
        });
        if let Err(error) = watching {
            tracing::warn!(%error, "what the run uses is not watched");
        }
    }

    fn record_start(&self, ansible: ProcessIdentity) -> Result<(), RunnerError> {
        let unknown = |source| RunnerError::Supervise {
            what: "read /proc",
            source,
        };
        self.folder.write_started(&Started {
            version: RECORD_VERSION,
            supervisor: ProcessIdentity::own().map_err(unknown)?,
            ansible,
            boot_id: boot_id().map_err(unknown)?,
            started_at: SystemClock.now(),
        })
    }

    fn ask_to_stop(&mut self) {
        tracing::info!(grace_seconds = self.spec.grace_seconds, "the run is asked to stop");
        self.inbox.time_limit = None;
        self.inbox.grace = Instant::now().checked_add(Duration::from_secs(self.spec.grace_seconds));
        let Some(main) = self.main else { return };
        let group = ProcessTarget::Group(main.pid);
        let targets: Vec<ProcessTarget> = match self.spec.isolation {
            Isolation::None => vec![group],
            // Around the program bwrap only waits, and would die of the signal: then the program's time to stop, and
            // its exit code, were lost.
            Isolation::Strict | Isolation::ControllerWritable => group_members(main.pid)
                .into_iter()
                .filter(|member| *member != main)
                .map(ProcessTarget::Process)
                .collect(),
        };
        let targets = if targets.is_empty() { vec![group] } else { targets };
        for target in targets {
            if let Err(error) = signal(&target, Signal::TERM) {
                tracing::warn!(%error, ?target, "the run could not be asked to stop");
            }
        }
    }

    fn kill_all(&mut self) {
        let now = Instant::now();
        self.inbox.grace = None;
        self.inbox.time_limit = None;
        self.inbox.masters_limit = None;
        self.masters = None;
        self.give_up = Some(now + KILL_LIMIT);
        self.inbox.kill_again = Some(now);
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Kills every descendant that `/proc` shows, and looks again for those that were just being born.
    fn kill_round(&mut self) -> io::Result<()> {
        let own = ProcessIdentity::own()?;
        for _ in 0..SCANS_PER_ROUND {
            let found = descendants(own.pid);
            if found.is_empty() {
                break;
            }
            for identity in found {
                if let Err(error) = signal(&ProcessTarget::Process(identity), Signal::KILL) {
                    tracing::debug!(pid = identity.pid, %error, "a descendant cannot be killed");
                }
            }
        }
        let now = Instant::now();
        self.inbox.kill_again = Some(now + KILL_INTERVAL);
        self.reap()?;
        if self.inbox.queue.is_empty() && self.give_up.is_some_and(|limit| now > limit) {
            tracing::error!("some descendants cannot be ended");
            let left = descendants(own.pid).iter().map(|identity| identity.pid).collect();
            self.inbox.queue.push_back(Input::GaveUp(left));
        }
        Ok(())
    }

    fn close_masters(&mut self) {
        self.inbox.time_limit = None;
        self.inbox.grace = None;
        self.inbox.kill_again = None;
        self.give_up = None;
        let mut masters = Masters::in_folder(&self.spec.control_path_folder);
        if masters.ask([]) {
            self.inbox.queue.push_back(Input::MastersClosed);
        } else {
            self.masters = Some(masters);
            self.inbox.masters_limit = Some(Instant::now() + MASTERS_LIMIT);
        }
    }
}

/// The environment of the run, with its mark.
fn marked(spec: &RunSpec) -> BTreeMap<String, String> {
    let mut environment = spec.environment.clone();
    environment.insert(RUN_ID_VARIABLE.to_owned(), spec.run_id.to_string());
    environment
}

/// Secrets go before `exit.json` is written: who sees the one need not look for the other.
async fn finish(folder: &RunFolder, mut outcome: Outcome) -> Result<(), RunnerError> {
    if let Err(error) = folder.remove_secrets() {
        let left = format!("secrets could not be removed: {error}");
        outcome.message = Some(
            outcome
                .message
                .map_or(left.clone(), |message| format!("{message}; {left}")),
        );
    }
    let Ending { exit_code, signal } = outcome.ending.unwrap_or(Ending {
        exit_code: None,
        signal: None,
    });
    tracing::info!(reason = ?outcome.reason, exit_code, signal, message = outcome.message, "the run is over");
    let exit = Exit {
        version: RECORD_VERSION,
        reason: outcome.reason,
        exit_code,
        signal,
        message: outcome.message,
        finished_at: SystemClock.now(),
    };
    let deadline = Instant::now() + RECORD_LIMIT;
    loop {
        match folder.write_exit(&exit) {
            Err(error) if Instant::now() < deadline => {
                tracing::warn!(error = describe(&error), "the end could not be written down yet");
                sleep_until(Instant::now() + RECORD_INTERVAL).await;
            }
            written => return written,
        }
    }
}

/// An error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
