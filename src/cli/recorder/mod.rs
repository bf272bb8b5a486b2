//! `admiral ansible-playbook` and `admiral adhoc`: Ansible as it is, where its user stands, and recorded.
//!
//! Ansible comes first: it is started before anything of Admiral's is opened, it writes its events to a file, its output goes straight
//! to the user, and none of them ever waits for the recording.

pub mod arguments;
pub mod destination;
mod log;
pub mod settings;
pub mod spool;
pub mod upload;

pub use arguments::Program;

use super::{Cli, client::Client, failure::Hinted, options::GlobalOptions, output};
use crate::{
    domain::clock::{Clock as _, SystemClock, new_id},
    playbooks::ansible,
    process::{Foreground, ProcessIdentity, ProcessTarget, Signal, signal},
};
use anyhow::Context as _;
use arguments::Scanned;
use clap::CommandFactory as _;
use destination::destination;
use log::log_to;
use secrecy::SecretString;
use settings::{CALLBACK_PLUGINS, LOAD_CALLBACK_PLUGINS, UserSettings};
use spool::{Begun, Held, Spool};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use upload::{Upload, UploadError, send_left};

/// How long sending what is left may hold up the user's prompt.
const LAST_LIMIT: Duration = Duration::from_secs(3);
/// The same where a database has to be started first.
const LAST_LOCAL_LIMIT: Duration = Duration::from_secs(8);
/// How long a database that was opened here may take to be closed after that.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// What a shell adds to the number of the signal that ended a program.
const SIGNAL_CODE: i32 = 128;

/// Arguments that are not Admiral's.
#[derive(Debug, Clone, clap::Args)]
pub struct Untouched {
    /// Arguments of Ansible
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// What is typed after a subcommand of this module's is not for clap to read: `--help` and `--output` are Ansible's there.
pub fn leave_untouched(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    let command = Cli::command();
    let takes_value = |word: &str| {
        command.get_arguments().any(|argument| {
            argument.get_action().takes_values() && argument.get_long().is_some_and(|long| word == format!("--{long}"))
        })
    };
    let mut at = 1;
    while let Some(word) = words.get(at).map(|word| word.to_string_lossy().into_owned()) {
        if word == "ansible-playbook" || word == "adhoc" {
            words.insert(at + 1, "--".into());
            break;
        }
        if !word.starts_with('-') || word == "--" {
            break;
        }
        at += if takes_value(&word) { 2 } else { 1 };
    }
    words
}

/// Runs the program to its end, and exits as it does.
pub async fn run(global: &GlobalOptions, program: Program, untouched: Untouched) -> anyhow::Result<ExitCode> {
    let arguments = untouched.arguments;
    let path = ansible::find_for_user(program.name()).ok_or_else(|| {
        Hinted::new(
            format!("{} was not found", program.name()),
            "install ansible-core, or put the folder it is in into PATH",
        )
    })?;
    let scanned = arguments::scan(program, &arguments);
    let mut foreground = Foreground {
        program: path.clone(),
        arguments,
        environment: BTreeMap::new(),
        stdin: io::stdin().as_fd().try_clone_to_owned()?,
        stdout: io::stdout().as_fd().try_clone_to_owned()?,
        stderr: io::stderr().as_fd().try_clone_to_owned()?,
    };
    let failed = || format!("failed to run {}", path.display());
    if !scanned.runs {
        return Err(foreground.replace_us()).with_context(failed);
    }
    let trouble = Trouble::default();
    let recording = match Recording::begin(global, program, scanned) {
        Ok((recording, environment)) => {
            foreground.environment = environment;
            Some(recording)
        }
        Err(error) => {
            trouble.note(format!("this run is not recorded: {error}"));
            None
        }
    };
    let tee = match &recording {
        Some(recording) => log_to(&recording.spool, &recording.secrets, trouble.clone()),
        None => Box::new(|_: &[u8]| {}),
    };
    let started = foreground.start(tee);
    let mut running = match (started, &recording) {
        (Ok(running), _) => running,
        (Err(error), recording) => {
            if let Some(recording) = recording {
                let _ = recording.spool.remove();
            }
            return Err(error).with_context(failed);
        }
    };
    let (ended, given_up) = (CancellationToken::new(), CancellationToken::new());
    let sending = recording.as_ref().map(|recording| {
        trouble.note_failure(recording.spool.note_process(running.identity()));
        let task = send_in_background(
            global.clone(),
            recording.spool.clone(),
            running.identity(),
            ended.clone(),
            given_up.clone(),
        );
        tokio::spawn(task)
    });
    let ending = running.ended().await;
    if let (Some(recording), Ok(ending)) = (&recording, &ending) {
        trouble.note_failure(recording.spool.note_end(*ending, SystemClock.now()));
    }
    ended.cancel();
    if let (Some(mut sending), Some(recording)) = (sending, recording) {
        let limit = if global.server.is_some() {
            LAST_LIMIT
        } else {
            LAST_LOCAL_LIMIT
        };
        let outcome = tokio::select! {
            outcome = &mut sending => outcome.unwrap_or_else(|error| Outcome::Kept(error.to_string())),
            () = tokio::time::sleep(limit) => Outcome::Kept("there was no time to send all of it".to_owned()),
            () = running.asked_to_end() => Outcome::Kept("sending it was interrupted".to_owned()),
        };
        if !sending.is_finished() {
            given_up.cancel();
            let _ = tokio::time::timeout(CLOSE_LIMIT, &mut sending).await;
            sending.abort();
        }
        conclude(recording, outcome, &trouble);
    }
    trouble.say();
    let ending = ending.with_context(failed)?;
    let code = ending.exit_code.or(ending.signal.map(|signal| SIGNAL_CODE + signal));
    Ok(ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1)))
}

/// A run that is being recorded.
struct Recording {
    spool: Spool,
    /// What was given on the command line and is not written down.
    secrets: Vec<SecretString>,
    _held: Held,
}

impl Recording {
    /// Makes its folder, and says what is to be set for Ansible.
    fn begin(
        global: &GlobalOptions,
        program: Program,
        scanned: Scanned,
    ) -> io::Result<(Self, BTreeMap<String, OsString>)> {
        let plugins = spool::plugin_folder()?;
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .unwrap_or_else(|| rustix::process::geteuid().as_raw().to_string());
        let begun = Begun {
            id: new_id(),
            kind: program,
            playbook: scanned.playbook,
            words: scanned.words,
            folder: std::env::current_dir()?.to_string_lossy().into_owned(),
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            user,
            started_at: SystemClock.now(),
            destination: destination(global),
        };
        let (spool, held) = Spool::create(&begun)?;
        let environment = environment(program, &UserSettings::of_this_process(), &plugins, &spool);
        let recording = Self {
            spool,
            secrets: scanned.secrets,
            _held: held,
        };
        Ok((recording, environment))
    }
}

/// What has Ansible load our plugin beside the user's own ones, and nothing else differ. The plugin gives all of it back.
fn environment(program: Program, user: &UserSettings, plugins: &OsStr, spool: &Spool) -> BTreeMap<String, OsString> {
    let mut environment = BTreeMap::new();
    if program == Program::Playbook || user.loads_callbacks {
        let folders = settings::join(&user.callback_plugins, plugins);
        environment.insert(CALLBACK_PLUGINS.to_owned(), folders);
    } else {
        // `ansible` loads no callback plugin unless told to, and then also those that its user never sees there.
        for (name, value) in [
            (CALLBACK_PLUGINS, plugins),
            (LOAD_CALLBACK_PLUGINS, OsStr::new("1")),
            ("ANSIBLE_CALLBACKS_ENABLED", OsStr::new("admiral_events")),
            // As without callback plugins; `--one-line` comes before it.
            ("ANSIBLE_STDOUT_CALLBACK", OsStr::new("minimal")),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
    }
    let former: BTreeMap<&String, Option<String>> = environment
        .keys()
        .map(|name| {
            let value = std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
            (name, value)
        })
        .collect();
    let former = serde_json::to_string(&former).unwrap_or_default();
    environment.insert("ADMIRAL_EVENTS_RESTORE".to_owned(), former.into());
    environment.insert("ADMIRAL_EVENTS_PATH".to_owned(), spool.events().into_os_string());
    environment
}

/// What became of sending.
enum Outcome {
    /// All of it is stored.
    Stored,
    /// It stays here, and is sent later.
    Kept(String),
    /// The server does not want it.
    Refused(String),
    /// There is nobody to send it to, and why.
    NoDestination(&'static str),
}

/// Sends the recording while it grows, and earlier ones that are left.
async fn send_in_background(
    global: GlobalOptions,
    spool: Spool,
    ansible: ProcessIdentity,
    ended: CancellationToken,
    given_up: CancellationToken,
) -> Outcome {
    let Some(destination) = destination(&global) else {
        return Outcome::NoDestination("neither --server nor a data directory says where that is");
    };
    let mut pause = FIRST_RETRY;
    let cancelled = Arc::new(Mutex::new(false));
    loop {
        let was_over = ended.is_cancelled();
        let sent = async {
            let client = destination::connect(&global).await?;
            let sending = send(&client, &spool, &destination, ansible, &cancelled, &ended);
            let sent = given_up.run_until_cancelled(sending).await;
            if let Err(error) = client.close().await {
                tracing::debug!(%error, "the connection could not be closed");
            }
            sent.unwrap_or_else(|| Err(UploadError::Passing(anyhow::anyhow!("sending it was given up"))))
        };
        match sent.await {
            Ok(()) => return Outcome::Stored,
            Err(UploadError::NoDestination(reason)) => return Outcome::NoDestination(reason),
            Err(UploadError::Refused(reason)) => return Outcome::Refused(reason),
            Err(error) if was_over || given_up.is_cancelled() => return Outcome::Kept(error.to_string()),
            Err(UploadError::Passing(error)) => tracing::debug!(%error, "the recording could not be sent yet"),
        }
        ended.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(LONGEST_RETRY);
    }
}

async fn send(
    client: &Client,
    spool: &Spool,
    destination: &str,
    ansible: ProcessIdentity,
    cancelled: &Arc<Mutex<bool>>,
    ended: &CancellationToken,
) -> Result<(), UploadError> {
    let mut upload = Upload::new(client, spool).on_cancel(|by| {
        // Once, however often the server was lost and found again.
        if !std::mem::replace(&mut *cancelled.lock().unwrap_or_else(PoisonError::into_inner), true) {
            interrupt(ansible, by);
        }
    });
    upload.begin().await?;
    let following = upload.follow(ended);
    tokio::pin!(following);
    tokio::select! {
        result = &mut following => result,
        () = send_earlier(client, destination) => following.await,
    }
}

/// Somebody cancelled the deployment: Ansible is interrupted, as by Ctrl-C.
fn interrupt(ansible: ProcessIdentity, by: Option<&str>) {
    let by = by.unwrap_or("somebody");
    let said = format!("admiral: {by} asked to cancel this run; Ansible is interrupted");
    // The terminal may be one that takes lines as they are.
    if io::stderr().is_terminal() {
        output::say(&format!("\r\n{said}\r"));
    } else {
        output::say(&said);
    }
    if let Err(error) = signal(&ProcessTarget::Process(ansible), Signal::INT) {
        tracing::warn!(%error, "Ansible could not be interrupted");
    }
}

/// Recordings for the same destination that nobody could send when they were made.
async fn send_earlier(client: &Client, destination: &str) {
    Spool::sweep();
    for spool in Spool::list().unwrap_or_default() {
        if spool.refusal().is_some() || !spool.is_for(destination) {
            continue;
        }
        match send_left(client, &spool).await {
            Ok(_) => {}
            Err(UploadError::Refused(reason)) => {
                let _ = spool.note_refusal(&reason);
            }
            Err(error) => tracing::debug!(%error, "an earlier recording could not be sent"),
        }
    }
}

fn conclude(recording: Recording, outcome: Outcome, trouble: &Trouble) {
    let later = "it is sent by the next run, or by `admiral recordings upload`";
    match outcome {
        Outcome::Stored => trouble.note_failure(recording.spool.remove()),
        Outcome::Kept(reason) => trouble.note(format!("this run is not in Admiral yet ({reason}); {later}")),
        Outcome::Refused(reason) => {
            trouble.note_failure(recording.spool.note_refusal(&reason));
            trouble.note(format!(
                "Admiral does not take the recording of this run ({reason}); it is kept in {}, and `admiral recordings upload {}` \
                 offers it again",
                recording.spool.path().display(),
                recording.spool.name()
            ));
        }
        Outcome::NoDestination(reason) => trouble.note(format!(
            "this run is not in Admiral yet: {reason}; with ADMIRAL_SERVER set, `admiral recordings upload {}` sends it",
            recording.spool.name()
        )),
    }
}

/// What went wrong with the recording: told in one line, after everything of Ansible's.
#[derive(Debug, Clone, Default)]
struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// The first one counts.
    fn note(&self, what: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(what);
    }

    fn note_failure(&self, result: io::Result<()>) {
        if let Err(error) = result {
            self.note(format!("the recording of this run is not whole: {error}"));
        }
    }

    fn say(&self) {
        if let Some(what) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            output::say(&format!("admiral: {}", output::printable(&what)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn parse(line: &[&str]) -> (GlobalOptions, Vec<OsString>) {
        let words = leave_untouched(
            std::iter::once("admiral")
                .chain(line.iter().copied())
                .map(OsString::from),
        );
        let cli = Cli::try_parse_from(words).unwrap();
        match cli.command {
            super::super::Command::AnsiblePlaybook(untouched) | super::super::Command::Adhoc(untouched) => {
                (cli.global, untouched.arguments)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_arguments_are_ansibles() {
        for line in [
            &["--help"][..],
            &["--version"],
            &["-h"],
            &["--output", "json", "--server=x"],
            &["--", "-x.yml", "--"],
            &["help"],
            &["-i", "hosts", "site.yml", "-e", "a=b", "-vvv", "--tags", "x"],
            &[],
        ] {
            for command in ["ansible-playbook", "adhoc"] {
                let (global, arguments) = parse(&[&[command], line].concat());
                assert_eq!(arguments, line, "{command}");
                assert_eq!(global.server, None);
            }
        }
    }

    #[test]
    fn options_before_the_subcommand_are_ours() {
        let (global, arguments) = parse(&["--server", "http://a", "--data-dir=/x", "adhoc", "all", "--server"]);
        assert_eq!(global.server.as_deref(), Some("http://a"));
        assert_eq!(arguments, ["all", "--server"]);
    }

    #[test]
    fn other_subcommands_are_read_as_ever() {
        let words = ["admiral", "servers", "list", "--search", "adhoc", "--output", "json"];
        assert_eq!(leave_untouched(words.iter().map(OsString::from)), words);
    }
}
