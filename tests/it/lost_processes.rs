//! The processes of a run die one by one; nothing of it is left, and the deployment says what happened.

use crate::support::{
    ansible::ansible_bins,
    fleet::{self, Launched},
    stage::Stage,
};
use admiral::{
    domain::deployment::{Deployment, DeploymentStatus, HostStatus, Reason},
    process::{ProcessIdentity, ProcessTarget, Signal, signal},
    runner::Started,
    vault::RowIdentity,
};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// They leave the tree by forking twice, and the session; one keeps nothing in its environment but the run's mark, another
/// nothing at all, below a parent that keeps all.
const ESCAPES: &str = r#"
    list="$PWD/../escaped"
    ( setsid bash -c 'echo $$ >> "$0"; exec sleep 617' "$list" > /dev/null 2>&1 & )
    ( env -i PATH="$PATH" ADMIRAL_RUN_ID="$ADMIRAL_RUN_ID" setsid bash -c 'echo $$ >> "$0"; exec sleep 617' "$list" > /dev/null 2>&1 & )
    ( setsid bash -c 'env -i sleep 617 & echo $! $$ | tr " " "\n" >> "$0"; wait' "$list" > /dev/null 2>&1 & )
    until [ "$(wc -l < "$list")" = 4 ]; do sleep 0.05; done 2> /dev/null
    on runner_on_start web1
    while :; do sleep 0.05; done
"#;

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(3);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A run whose processes went all ways, with all that must be gone after it.
struct Escaped {
    started: Started,
    processes: Vec<ProcessIdentity>,
    secrets: PathBuf,
}

impl Escaped {
    async fn find(stage: &Stage, launched: Launched) -> Self {
        let folder = stage.folder(launched);
        let list = fs::read_to_string(folder.work().join("escaped")).expect("they said who they are");
        let processes: Vec<ProcessIdentity> = list
            .lines()
            .map(|pid| ProcessIdentity::of(pid.parse().expect("a pid")).expect("it lives"))
            .collect();
        assert_eq!(processes.len(), 4);
        let secrets = folder.read_spec().expect("a spec").secrets_folder;
        assert!(secrets.join("variables.yml").exists(), "there is something to remove");
        let mut started = None;
        eventually("the start is written down", || {
            started = folder.read_started().expect("readable");
            started.is_some()
        })
        .await;
        Self {
            started: started.expect("started"),
            processes,
            secrets,
        }
    }

    fn kill_supervisor(&self) {
        assert!(signal(&ProcessTarget::Process(self.started.supervisor), Signal::KILL).expect("killed"));
    }

    fn assert_gone(&self) {
        assert!(!self.started.ansible.is_alive());
        for process in &self.processes {
            assert!(!process.is_alive(), "{process:?} of {:?} is left", self.processes);
        }
        assert!(!self.secrets.exists(), "{} is left", self.secrets.display());
    }
}

fn assert_lost(deployment: &Deployment) {
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::WorkerLost))
    );
    let message = deployment.message.as_deref().unwrap_or_default();
    assert!(
        message.contains("the process that supervised the run disappeared"),
        "{message}"
    );
}

#[tokio::test]
async fn a_dead_supervisor_takes_all_that_it_watched_over_along() {
    let stage = Stage::set().await;
    let launched = stage.launch(ESCAPES).await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Running)
        .await;
    let escaped = Escaped::find(&stage, launched).await;
    escaped.kill_supervisor();
    let (deployment, _) = stage.until_end(launched).await;
    escaped.assert_gone();
    worker.end().await;
    assert_lost(&deployment);
    assert!(!stage.folder(launched).path().exists());
}

#[tokio::test]
async fn ansible_ends_with_its_supervisor_even_when_no_server_runs() {
    let stage = Stage::set().await;
    let launched = stage.launch(ESCAPES).await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Running)
        .await;
    let escaped = Escaped::find(&stage, launched).await;
    worker.abort().await;
    escaped.kill_supervisor();
    // Nobody is there to do it but the kernel.
    eventually("ansible-playbook is gone", || !escaped.started.ansible.is_alive()).await;
    let worker = stage.worker();
    let (deployment, _) = stage.until_end(launched).await;
    escaped.assert_gone();
    worker.end().await;
    assert_lost(&deployment);
}

/// A stage with the real Ansible from `bin`.
async fn real_stage(bin: PathBuf) -> Stage {
    let mut stage = Stage::set().await;
    stage.ansible_playbook = bin.join("ansible-playbook");
    stage
}

#[tokio::test]
async fn an_ansible_that_is_killed_leaves_its_last_words() {
    let stage = real_stage(ansible_bins()[0].clone()).await;
    let playbook = r"
- hosts: all
  gather_facts: false
  connection: local
  vars: { ansible_python_interpreter: /usr/bin/python3 }
  tasks:
    - name: Say the secret
      ansible.builtin.debug: { msg: 'the word is {{ word }}' }
    - name: Take very long
      ansible.builtin.command: sleep 618
";
    let launched = fleet::launch(&stage.test.database, &["web1"], playbook, |new| {
        let sealed = stage.vault.seal(
            br#"{"word":"hunter22-secret"}"#,
            RowIdentity::deployment_variables(new.id),
        );
        new.sealed_variables = Some(sealed.expect("sealed"));
    })
    .await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| {
            rows[0].current_task.as_deref() == Some("Take very long")
        })
        .await;
    let started = stage.folder(launched).read_started();
    let started = started.expect("readable").expect("started");
    signal(&ProcessTarget::Process(started.ansible), Signal::KILL).expect("killed");
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::PlaybookError)),
        "{deployment:#?}"
    );
    let message = deployment.message.unwrap_or_default();
    assert!(
        message.starts_with("ansible-playbook was killed by signal 9 before its recap: "),
        "{message}"
    );
    assert!(
        message.contains("the word is ********") && message.contains("TASK [Take very long]"),
        "{message}"
    );
    assert!(
        !message.contains("hunter22") && !message.contains('\u{1b}'),
        "{message}"
    );
    assert!(rows.iter().all(|row| row.status == HostStatus::Failed));
}

#[tokio::test]
async fn a_playbook_that_breaks_before_its_first_task_says_why_in_ansibles_words() {
    let two_actions = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {}
      ansible.builtin.command: 'true'
";
    let no_role = "
- hosts: all
  roles: [nowhere-to-be-found]
";
    for bin in ansible_bins() {
        let stage = real_stage(bin.clone()).await;
        let worker = stage.worker();
        for (playbook, sentence) in [
            (two_actions, "conflicting action statements"),
            (no_role, "the role 'nowhere-to-be-found' was not found"),
        ] {
            let launched = stage.launch(playbook).await;
            let (deployment, rows) = stage.until_end(launched).await;
            let message = deployment.message.unwrap_or_default();
            assert_eq!(
                deployment.reason,
                Some(Reason::PlaybookError),
                "{}: {message}",
                bin.display()
            );
            assert!(message.contains(sentence), "{}: {message}", bin.display());
            assert!(
                message.chars().count() < 1300 && !message.contains('\u{1b}'),
                "{message}"
            );
            assert!(rows.iter().all(|row| row.status == HostStatus::Cancelled));
        }
        worker.end().await;
    }
}
