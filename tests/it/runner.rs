//! Supervision, against a scripted stand-in for `ansible-playbook`: whatever it does, nothing of it is left.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use admiral::{
    domain::{clock::new_id, isolation::Isolation},
    process::{ProcessIdentity, ProcessTarget, Signal, Watch, descendants, processes_mentioning, signal},
    runner::{
        Exit, ExitReason, IsolationMode, RUN_ID_VARIABLE, ResourceLimits, RunAccount, RunFolder, RunSpec, SPEC_VERSION,
        SandboxFeatures, SecretsFolder, cancel, end_abandoned, spawn_supervisor,
    },
};

const ADMIRAL: &str = env!("CARGO_BIN_EXE_admiral");

/// The stand-in; its first argument says what it does.
const STAND_IN: &str = r#"#!/bin/bash
event() { printf '{"v":1,"event":"%s"}\n' "$1" >> "$EVENTS"; }
# A relative in a session of its own that does not hear SIGTERM, below a parent that is gone.
relative() { ( "$@" setsid bash -c 'trap "" TERM HUP INT; echo up >> "$0/relatives"; while :; do sleep 600; done' "$WORK" & ) }
event playbook_on_start
echo "to standard output"
echo "to standard error" >&2
case "$1" in
    finish) exit "$2" ;;
    stall) event stalled; while :; do sleep 600; done ;;
    polite) trap 'event interrupted; exit 99' TERM; event stalled; while :; do sleep 0.05; done ;;
    stubborn) trap "" TERM; relative; relative env -i; event stalled; while :; do sleep 600; done ;;
    leave) relative; relative env -i; until [ "$(wc -l < "$WORK/relatives")" = 2 ]; do sleep 0.05; done 2>/dev/null; exit 0 ;;
    torn) printf '{"v":1,"eve' >> "$EVENTS"; kill -KILL $$ ;;
    environment) env; if read -r line; then echo "stdin: $line"; else echo "stdin: closed"; fi ;;
    touch) shift; for path; do touch "$path" && echo "could write $path"; [ -s "$path" ] && echo "could read $path"; done; true ;;
esac
"#;

struct Run {
    root: tempfile::TempDir,
    folder: RunFolder,
    spec: RunSpec,
}

impl Run {
    fn new(arguments: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let run_id = new_id();
        let folder = RunFolder::create(&root.path().join("runs"), run_id).expect("a run folder");
        for path in [folder.temporary(), folder.var_temporary(), folder.sockets()] {
            fs::create_dir(path).expect("made");
        }
        let program = root.path().join("bin/ansible-playbook");
        fs::create_dir(root.path().join("bin")).expect("made");
        fs::write(&program, STAND_IN).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("made executable");
        let secrets_folder = SecretsFolder::create(run_id).expect("a folder for secrets");
        fs::write(secrets_folder.join("key"), "a secret").expect("written");
        fs::create_dir(secrets_folder.join("cp")).expect("made");
        let environment = BTreeMap::from([
            ("EVENTS".to_owned(), folder.events().to_string_lossy().into_owned()),
            ("WORK".to_owned(), folder.work().to_string_lossy().into_owned()),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ]);
        let spec = RunSpec {
            version: SPEC_VERSION,
            run_id,
            program,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment,
            working_directory: folder.work(),
            control_path_folder: secrets_folder.join("cp"),
            secrets_folder,
            timeout_seconds: 0,
            grace_seconds: 600,
            isolation: Isolation::None,
            features: SandboxFeatures::NONE,
            account: RunAccount::own(),
            limits: ResourceLimits::default(),
            hidden_paths: Vec::new(),
            readable_paths: Vec::new(),
            writable_paths: Vec::new(),
        };
        Self { root, folder, spec }
    }

    /// The same, isolated.
    async fn isolated(arguments: &[&str]) -> Self {
        let mut run = Self::new(arguments);
        let IsolationMode::Strict(features) = IsolationMode::detect().await else {
            panic!(
                "isolation works where tests are run: {:?}",
                IsolationMode::detect().await
            );
        };
        run.spec.isolation = Isolation::Strict;
        run.spec.features = features;
        run.spec.account = RunAccount::for_run(run.spec.run_id);
        run.spec.hidden_paths = vec![run.root.path().join("runs")];
        run.folder.give_to(run.spec.account).expect("given");
        SecretsFolder::give_to(&run.spec.secrets_folder, run.spec.account).expect("given");
        run
    }

    fn start(&self) -> ProcessIdentity {
        self.folder.write_spec(&self.spec).expect("written");
        spawn_supervisor(Path::new(ADMIRAL), &self.folder).expect("a supervisor")
    }

    fn events(&self) -> String {
        fs::read_to_string(self.folder.events()).unwrap_or_default()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.output()).unwrap_or_default()
    }

    fn until_stalled(&self) {
        eventually("the stand-in stalls", || self.events().contains("stalled"));
    }

    fn until_relatives(&self) {
        let path = self.folder.work().join("relatives");
        eventually("both relatives are up", || {
            fs::read_to_string(&path).is_ok_and(|text| text.lines().count() == 2)
        });
    }

    /// Waits for the end and checks what holds after every one.
    async fn end(&self, supervisor: ProcessIdentity) -> Exit {
        let watch = Watch::new(supervisor).expect("watched");
        let ended = tokio::time::timeout(Duration::from_mins(1), watch.exited()).await;
        let log = fs::read_to_string(self.folder.supervisor_log()).unwrap_or_default();
        ended.unwrap_or_else(|_| panic!("the supervisor ends; its log: {log}"));
        self.assert_nothing_left(supervisor);
        self.folder
            .read_exit()
            .expect("a record")
            .unwrap_or_else(|| panic!("exit.json is there; the log: {log}"))
    }

    fn assert_nothing_left(&self, supervisor: ProcessIdentity) {
        assert_eq!(
            processes_mentioning(self.folder.path()),
            [],
            "by what their environment names"
        );
        assert_eq!(descendants(supervisor.pid), [], "by ancestry");
        assert!(!self.spec.secrets_folder.exists(), "no secrets");
        assert!(!self.spec.control_path_folder.exists(), "no control sockets");
        let started = self.folder.read_started().expect("a record or none");
        assert!(started.is_none_or(|started| !started.ansible.is_alive()));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Only has something to do when a test failed.
        for identity in processes_mentioning(self.folder.path()) {
            let _ = signal(&ProcessTarget::Process(identity), Signal::KILL);
        }
        let _ = fs::remove_dir_all(&self.spec.secrets_folder);
    }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn mode(path: PathBuf) -> u32 {
    path.metadata().expect("it exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_run_that_ends_by_itself_leaves_its_records() {
    let run = Run::new(&["finish", "2"]);
    let supervisor = run.start();
    let exit = run.end(supervisor).await;
    assert_eq!(
        (exit.reason, exit.exit_code, exit.signal, exit.message),
        (ExitReason::Finished, Some(2), None, None)
    );
    let started = run
        .folder
        .read_started()
        .expect("a record")
        .expect("started.json is there");
    assert_eq!(started.supervisor, supervisor);
    assert!(started.started_at <= exit.finished_at);
    assert_eq!(run.output(), "to standard output\nto standard error\n");
    assert_eq!(run.events(), "{\"v\":1,\"event\":\"playbook_on_start\"}\n");
    for file in [
        run.folder.output(),
        run.folder.started(),
        run.folder.exit(),
        run.folder.supervisor_log(),
    ] {
        assert_eq!(mode(file), 0o600);
    }
}

#[tokio::test]
async fn relatives_that_are_left_are_ended() {
    let run = Run::new(&["leave"]);
    let exit = run.end(run.start()).await;
    assert_eq!((exit.reason, exit.exit_code), (ExitReason::Finished, Some(0)));
    run.until_relatives();
}

#[tokio::test]
async fn a_run_that_dies_in_the_middle_of_a_line_is_over() {
    let run = Run::new(&["torn"]);
    let exit = run.end(run.start()).await;
    assert_eq!(
        (exit.reason, exit.exit_code, exit.signal),
        (ExitReason::Finished, None, Some(9))
    );
    assert!(run.events().ends_with("{\"v\":1,\"eve"));
}

#[tokio::test]
async fn a_cancelled_run_gets_its_time_to_stop() {
    let run = Run::new(&["polite"]);
    let supervisor = run.start();
    run.until_stalled();
    assert!(cancel(&supervisor, false).expect("signalled"));
    let exit = run.end(supervisor).await;
    assert_eq!((exit.reason, exit.exit_code), (ExitReason::Cancelled, Some(99)));
    assert!(run.events().contains("interrupted"));
    assert!(!cancel(&supervisor, false).expect("nobody there"), "it is over");
}

#[tokio::test]
async fn a_run_that_does_not_stop_is_killed_after_the_grace_with_all_its_relatives() {
    let mut run = Run::new(&["stubborn"]);
    run.spec.grace_seconds = 1;
    let supervisor = run.start();
    run.until_stalled();
    run.until_relatives();
    assert!(
        processes_mentioning(run.folder.path()).len() >= 3,
        "there is something to end"
    );
    assert!(cancel(&supervisor, false).expect("signalled"));
    let exit = run.end(supervisor).await;
    assert_eq!(
        (exit.reason, exit.exit_code, exit.signal),
        (ExitReason::Cancelled, None, Some(9))
    );
}

#[tokio::test]
async fn force_does_not_wait_for_the_grace() {
    for at_once in [true, false] {
        let run = Run::new(&["stubborn"]);
        let supervisor = run.start();
        run.until_stalled();
        run.until_relatives();
        if !at_once {
            assert!(cancel(&supervisor, false).expect("signalled"));
        }
        assert!(cancel(&supervisor, true).expect("signalled"));
        let exit = run.end(supervisor).await;
        assert_eq!(
            (exit.reason, exit.signal),
            (ExitReason::Cancelled, Some(9)),
            "{at_once}"
        );
    }
}

/// A worker that takes a run over cannot know whether the one before it asked already.
#[tokio::test]
async fn asking_again_does_not_shorten_the_grace() {
    let run = Run::new(&["polite"]);
    let supervisor = run.start();
    run.until_stalled();
    for _ in 0..3 {
        cancel(&supervisor, false).expect("signalled or over");
    }
    let exit = run.end(supervisor).await;
    assert_eq!((exit.reason, exit.exit_code), (ExitReason::Cancelled, Some(99)));
}

#[tokio::test]
async fn a_cancel_right_after_the_start_is_heard() {
    for force in [false, true] {
        let run = Run::new(&["stall"]);
        let supervisor = run.start();
        assert!(cancel(&supervisor, force).expect("signalled"));
        let exit = run.end(supervisor).await;
        assert_eq!(exit.reason, ExitReason::Cancelled);
    }
}

#[tokio::test]
async fn a_run_ends_at_its_time_limit() {
    let mut run = Run::new(&["stubborn"]);
    (run.spec.timeout_seconds, run.spec.grace_seconds) = (1, 1);
    let exit = run.end(run.start()).await;
    assert_eq!((exit.reason, exit.signal), (ExitReason::TimedOut, Some(9)));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let mut run = Run::new(&["finish", "0"]);
    run.spec.program = run.root.path().join("no-such-program");
    let exit = run.end(run.start()).await;
    assert_eq!((exit.reason, exit.exit_code), (ExitReason::SpawnFailed, None));
    let message = exit.message.expect("a message");
    assert!(message.contains("no-such-program"), "{message}");
    assert_eq!(run.folder.read_started().expect("no record"), None);

    let run = Run::new(&["finish", "0"]);
    fs::write(run.folder.spec(), "{").expect("written");
    let supervisor = spawn_supervisor(Path::new(ADMIRAL), &run.folder).expect("a supervisor");
    let exit = run.end(supervisor).await;
    assert_eq!(exit.reason, ExitReason::SpawnFailed);
    assert!(exit.message.expect("a message").contains("spec.json"));
}

/// Starts the supervisor with more in its environment than [`spawn_supervisor`] would leave there.
fn supervise_with(run: &Run, variables: &[(&str, &str)]) -> std::process::Child {
    run.folder.write_spec(&run.spec).expect("written");
    let mut command = Command::new(ADMIRAL);
    command
        .arg("supervise")
        .arg(run.folder.path())
        .envs(variables.iter().copied());
    command
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("a supervisor")
}

#[tokio::test]
async fn the_environment_is_the_given_one_and_standard_input_is_closed() {
    let run = Run::new(&["environment"]);
    let mut child = supervise_with(&run, &[("CANARY", "canary-value"), ("DATABASE_URL", "canary-value")]);
    let exit = run
        .end(ProcessIdentity::of(child.id() as i32).expect("it is there"))
        .await;
    child.wait().expect("reaped");
    assert_eq!(exit.exit_code, Some(0));
    let output = run.output();
    assert!(output.contains("stdin: closed"), "{output}");
    assert!(!output.contains("canary-value"), "{output}");
    let names: Vec<&str> = output
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    let by_bash = ["PWD", "OLDPWD", "SHLVL", "_"];
    let given: Vec<&str> = names.into_iter().filter(|name| !by_bash.contains(name)).collect();
    assert_eq!(given.len(), run.spec.environment.len() + 1, "{given:?}");
    assert!(
        given
            .iter()
            .all(|name| run.spec.environment.contains_key(*name) || *name == RUN_ID_VARIABLE),
        "{given:?}"
    );
    assert!(output.contains(&format!("{RUN_ID_VARIABLE}={}\n", run.spec.run_id)));
}

#[tokio::test]
async fn ssh_masters_are_told_to_exit() {
    let run = Run::new(&["finish", "0"]);
    let programs = run.root.path().join("programs");
    let asked = run.root.path().join("asked");
    fs::create_dir(&programs).expect("made");
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\n", asked.display());
    fs::write(programs.join("ssh"), script).expect("written");
    fs::set_permissions(programs.join("ssh"), fs::Permissions::from_mode(0o700)).expect("made executable");
    let sockets: Vec<PathBuf> = (0..40)
        .map(|number| run.spec.control_path_folder.join(format!("{number}%h")))
        .collect();
    let _listeners: Vec<UnixListener> = sockets
        .iter()
        .map(|socket| UnixListener::bind(socket).expect("bound"))
        .collect();

    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut child = supervise_with(&run, &[("PATH", &path)]);
    let exit = run
        .end(ProcessIdentity::of(child.id() as i32).expect("it is there"))
        .await;
    child.wait().expect("reaped");
    assert_eq!(exit.reason, ExitReason::Finished);
    let asked = fs::read_to_string(asked).expect("somebody was asked");
    for socket in sockets {
        let socket = socket.to_string_lossy().replace('%', "%%");
        let expected = format!("-F /dev/null -O exit -o ControlPath={socket} master");
        assert!(asked.lines().any(|line| line == expected), "{expected} in {asked}");
    }
}

#[tokio::test]
async fn a_master_that_does_not_answer_holds_nothing_up() {
    let run = Run::new(&["finish", "0"]);
    let _silent = UnixListener::bind(run.spec.control_path_folder.join("silent")).expect("bound");
    let exit = run.end(run.start()).await;
    assert_eq!((exit.reason, exit.message), (ExitReason::Finished, None));
}

#[tokio::test]
async fn what_a_killed_supervisor_left_is_ended_by_the_next_worker() {
    let run = Run::new(&["stubborn"]);
    let supervisor = run.start();
    run.until_stalled();
    run.until_relatives();
    assert!(
        end_abandoned(&run.folder).await.expect("looked at").is_empty(),
        "a living supervisor is left alone"
    );
    assert!(supervisor.is_alive());
    assert!(run.spec.secrets_folder.exists());
    let family = descendants(supervisor.pid);
    signal(&ProcessTarget::Process(supervisor), Signal::KILL).expect("killed");
    Watch::new(supervisor).expect("watched").exited().await;
    assert!(end_abandoned(&run.folder).await.expect("ended").is_empty());
    run.assert_nothing_left(supervisor);
    assert!(
        family.len() >= 3 && family.iter().all(|relative| !relative.is_alive()),
        "{family:?}"
    );
    assert_eq!(run.folder.read_exit().expect("no record"), None);
}

#[tokio::test]
async fn an_isolated_run_sees_only_what_it_may_and_writes_only_to_its_own() {
    let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let visible = outside.path().join("visible");
    fs::write(&visible, "no secret").expect("written");
    let other_secrets = SecretsFolder::create(new_id()).expect("another run's folder");
    fs::write(other_secrets.join("key"), "a secret").expect("written");
    let mut run = Run::isolated(&["touch"]).await;
    let granted = outside.path().join("granted");
    fs::create_dir(&granted).expect("made");
    fs::set_permissions(&granted, fs::Permissions::from_mode(0o777)).expect("opened");
    run.spec.writable_paths = vec![granted.clone()];
    let ring = run.root.path().join("runs/master.key");
    fs::write(&ring, "a secret").expect("written");
    let inside = |path: &Path| path.to_string_lossy().into_owned();
    run.spec.arguments.extend([
        inside(&ring),
        inside(&visible),
        inside(&granted.join("file")),
        inside(&run.folder.spec()),
        inside(&run.folder.work().join("own")),
        inside(&run.spec.secrets_folder.join("key")),
        inside(&other_secrets.join("key")),
        format!("/proc/{}/root{}", std::process::id(), inside(&ring)),
        format!("/proc/1/root{}", inside(&ring)),
        "/etc/written-from-a-run".to_owned(),
        "/usr/bin/written-from-a-run".to_owned(),
        "/tmp/own".to_owned(),
    ]);
    let exit = run.end(run.start()).await;
    let output = run.output();
    assert_eq!(
        (exit.reason, exit.exit_code),
        (ExitReason::Finished, Some(0)),
        "{output}"
    );
    let could: Vec<&str> = output.lines().filter(|line| line.starts_with("could")).collect();
    let expected = [
        format!("could read {}", visible.display()),
        format!("could write {}", granted.join("file").display()),
        format!("could write {}", run.folder.work().join("own").display()),
        format!("could read {}", run.spec.secrets_folder.join("key").display()),
        "could write /tmp/own".to_owned(),
    ];
    assert_eq!(could, expected, "{output}");
    assert!(granted.join("file").exists());
    assert!(!Path::new("/tmp/own").exists());
    fs::remove_dir_all(other_secrets).expect("removed");
}

#[tokio::test]
async fn an_isolated_run_is_ended_like_any_other() {
    let run = Run::isolated(&["polite"]).await;
    let supervisor = run.start();
    run.until_stalled();
    assert!(cancel(&supervisor, false).expect("signalled"));
    let exit = run.end(supervisor).await;
    assert_eq!(
        (exit.reason, exit.exit_code),
        (ExitReason::Cancelled, Some(99)),
        "it had its time to stop"
    );

    let mut run = Run::isolated(&["stubborn"]).await;
    run.spec.grace_seconds = 1;
    let supervisor = run.start();
    run.until_stalled();
    run.until_relatives();
    assert!(cancel(&supervisor, false).expect("signalled"));
    assert_eq!(run.end(supervisor).await.reason, ExitReason::Cancelled);
}

/// Even what cleared its environment and left the tree is in the run's process namespace, and that ends with its first process.
#[tokio::test]
async fn an_isolated_run_ends_with_its_supervisor() {
    let run = Run::isolated(&["stubborn"]).await;
    let supervisor = run.start();
    run.until_stalled();
    run.until_relatives();
    let family = descendants(supervisor.pid);
    assert!(family.len() >= 4, "{family:?}");
    signal(&ProcessTarget::Process(supervisor), Signal::KILL).expect("killed");
    eventually("the kernel has ended them all", || {
        family.iter().all(|process| !process.is_alive())
    });
    end_abandoned(&run.folder).await.expect("looked at");
    run.assert_nothing_left(supervisor);
}
