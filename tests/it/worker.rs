//! Deployments carried out: a real worker, a real supervisor, and a scripted stand-in for `ansible-playbook` that runs the
//! playbook as a shell script. The last test runs the real one.

use crate::support::{
    ansible::ansible_bins,
    fleet::{self, Launched},
    ssh_hosts::SshHosts,
    stage::Stage,
};
use admiral::{
    domain::clock::new_id,
    domain::deployment::{DeploymentServer, DeploymentStatus, HostStatus, Reason},
    process::{ProcessTarget, Signal, signal},
    store::{Database, deployments},
    vault::{RowIdentity, ssh_key},
};
use secrecy::ExposeSecret as _;
use std::{fs, path::Path};

fn statuses(rows: &[DeploymentServer]) -> Vec<(&str, HostStatus)> {
    rows.iter().map(|row| (row.host.as_str(), row.status)).collect()
}

#[tokio::test]
async fn a_run_goes_from_launch_to_rows() {
    let stage = Stage::set().await;
    let script = r#"
        event playbook_on_start
        on runner_on_start web1; on runner_on_start web2
        on runner_on_ok web1 ',"changed":true,"result":{"msg":"the password is hunter22-secret"}'
        on runner_on_failed web2 ',"result":{"msg":"no\nluck with hunter22-secret"}'
        on runner_on_ok added
        event something_new ',"more":[1]'
        stats '"web1":{"ok":1,"changed":1},"web2":{"failures":1},"added":{"ok":1}'
        echo "plain hunter22-secret output"; echo "$@" | tr ' ' '\n'; env; grep -c . "$PWD/../known_hosts"
        exit 2
    "#;
    let launched = fleet::launch(&stage.test.database, &["web1", "web2"], script, |new| {
        let sealed = stage.vault.seal(
            br#"{"password":"hunter22-secret"}"#,
            RowIdentity::deployment_variables(new.id),
        );
        new.sealed_variables = Some(sealed.expect("sealed"));
        new.secret_variable_names = vec!["password".to_owned()];
        new.options.check = true;
        new.options.limit = Some("web*".to_owned());
    })
    .await;
    let worker = stage.worker();
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(deployment.status, DeploymentStatus::Failed);
    assert_eq!(deployment.reason, Some(Reason::HostsFailed), "{deployment:#?}");
    assert_eq!(deployment.message.as_deref(), Some("1 of 3 hosts failed"));
    let expected = [
        ("added", HostStatus::Success),
        ("web1", HostStatus::Success),
        ("web2", HostStatus::Failed),
    ];
    assert_eq!(statuses(&rows), expected);
    assert_eq!(rows[2].error_message.as_deref(), Some("no luck with ********"));
    assert!(rows[0].server_id.is_none() && rows[1].server_id.is_some() && rows[1].changed);
    let counts = deployment.counts;
    assert_eq!(
        (
            counts.total,
            counts.success,
            counts.failed,
            counts.changed,
            counts.running
        ),
        (3, 2, 1, 1, 0)
    );

    let events = fleet::all_events(&stage.test.database, launched.id).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds.first(), Some(&"deployment_started"));
    assert_eq!(kinds.last(), Some(&"deployment_finished"));
    assert!(kinds.contains(&"something_new"));
    assert_eq!(
        events.iter().map(|event| event.position).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    assert!(events.iter().all(|event| !event.payload.get().contains("hunter22")));

    let output = stage.output(launched).await;
    assert!(output.contains("plain ******** output"), "{output}");
    assert!(
        !output.contains("hunter22") && !output.contains("postgres://"),
        "{output}"
    );
    for argument in ["--check", "--limit=web*", "--forks=50", "./play.yml"] {
        assert!(
            output.lines().any(|line| line == argument),
            "{argument} is not in {output}"
        );
    }
    assert_eq!(deployment.output_bytes, output.len() as i64);
    assert!(!stage.folder(launched).path().exists());
}

#[tokio::test]
async fn keys_are_handed_over_and_host_keys_are_learned() {
    let stage = Stage::set().await;
    let hosts = SshHosts::start();
    let (key, public) = ssh_key::generate_ed25519("test").expect("a key");
    let (_, forged) = ssh_key::generate_ed25519("").expect("a key");
    let host_key = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let shown = hosts.host_key();
    let (_, fingerprint) = ssh_key::describe_public(&host_key(&shown)).expect("a host key");
    let script = format!(
        r#"
        for key in $(grep -o '/[^"]*/key-[0-9]*' ../inventory/hosts.json | sort -u); do stat -c 'key %a' $key; ssh-keygen -y -f $key; done
        ../inventory/admiral-run --list | head -c 1; ../inventory/admiral-run --host web1
        echo "[{0}]:{3} {2}" >> ../../known_hosts
        echo "[{1}]:{3} {4}" >> ../../known_hosts
        echo "[127.1.9.9]:{3} {2}" >> ../../known_hosts
        on runner_on_ok web1; stats '"web1":{{"ok":1}},"web2":{{"ok":1}}'
        "#,
        SshHosts::address(1),
        SshHosts::address(2),
        host_key(&shown),
        hosts.port,
        host_key(&forged.public_key_line),
    );
    let launched = stage.launch(&script).await;
    for (name, number) in [("web1", 1), ("web2", 2)] {
        sqlx::query("UPDATE admiral.servers SET ssh_host = $2, ssh_port = $3 WHERE hostname = $1")
            .bind(name)
            .bind(SshHosts::address(number))
            .bind(i32::from(hosts.port))
            .execute(&mut *stage.test.database.acquire().await.expect("a connection"))
            .await
            .expect("it listens there");
    }
    let id = new_id();
    let sealed = stage
        .vault
        .seal(key.expose_secret().as_bytes(), RowIdentity::private_key(id))
        .expect("sealed");
    let mut connection = stage.test.database.acquire().await.expect("a connection");
    sqlx::query(
        "INSERT INTO admiral.private_keys (id, name, key_type, fingerprint, public_key, sealed_key) \
         VALUES ($1, 'key', 'ssh-ed25519', $2, $3, $4)",
    )
    .bind(id)
    .bind(&public.fingerprint)
    .bind(&public.public_key_line)
    .bind(sealed)
    .execute(&mut *connection)
    .await
    .expect("a key");
    sqlx::query(
        "INSERT INTO admiral.server_private_keys (server_id, private_key_id) SELECT id, $1 FROM admiral.servers",
    )
    .bind(id)
    .execute(&mut *connection)
    .await
    .expect("used by all");
    let worker = stage.worker();
    let (deployment, _) = stage.until_end(launched).await;
    worker.end().await;
    let output = stage.output(launched).await;
    assert_eq!(
        deployment.status,
        DeploymentStatus::Completed,
        "{deployment:#?} {output}"
    );
    assert_eq!(
        output.matches("key 600").count(),
        1,
        "one file for both servers: {output}"
    );
    assert!(
        output.contains(&host_key(&public.public_key_line)) && output.contains("{{}"),
        "{output}"
    );
    let known: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT s.hostname, k.fingerprint, s.last_seen_at IS NOT NULL \
         FROM admiral.host_keys k JOIN admiral.servers s ON s.id = k.server_id",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("host keys");
    assert_eq!(
        known,
        [("web1".to_owned(), fingerprint, true)],
        "what the run made up is not trusted"
    );
}

#[tokio::test]
async fn a_run_without_a_single_event_has_failed() {
    let stage = Stage::set().await;
    let (_, deployment, rows) = stage.run("echo all is well; exit 0").await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::PlaybookError))
    );
    assert!(
        deployment
            .message
            .as_deref()
            .is_some_and(|message| message.contains("callback plugin did not load"))
    );
    assert!(
        rows.iter()
            .all(|row| row.status == HostStatus::Cancelled && row.started_at.is_none())
    );
}

#[tokio::test]
async fn lines_that_cannot_be_read_do_not_stop_a_run() {
    let stage = Stage::set().await;
    let (launched, deployment, rows) = stage
        .run(
            r#"
            event unheard_of
            head -c 1200000 /dev/zero | tr '\0' x >> "$ADMIRAL_EVENTS_PATH"; echo >> "$ADMIRAL_EVENTS_PATH"
            printf 'not json\n\n[]\n{"v":1}\n' >> "$ADMIRAL_EVENTS_PATH"
            on runner_on_ok web1 ',"result":{"msg":"'$'\xff\xfe''"}'
            stats '"web1":{"ok":1},"web2":{"ok":1}'
            printf '\377\000 raw\n'
            exit 0
            "#,
        )
        .await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Completed, None),
        "{deployment:#?}"
    );
    assert_eq!(
        statuses(&rows),
        [("web1", HostStatus::Success), ("web2", HostStatus::Success)]
    );
    assert_eq!(deployment.warnings.len(), 4, "{:?}", deployment.warnings);
    assert!(
        deployment.warnings[0].contains("1200000 bytes is longer than the limit"),
        "{:?}",
        deployment.warnings
    );
    let events = fleet::all_events(&stage.test.database, launched.id).await;
    assert_eq!(events.iter().filter(|event| event.kind == "warning").count(), 4);
    assert!(events.iter().any(|event| event.kind == "unheard_of"));
    assert!(
        events
            .iter()
            .any(|event| event.payload.get().contains("\u{fffd}\u{fffd}"))
    );
}

#[tokio::test]
async fn a_line_torn_by_death_is_stated() {
    let stage = Stage::set().await;
    let (_, deployment, rows) = stage
        .run(r#"on runner_on_start web1; printf '{"v":1,"seq":2,"ev' >> "$ADMIRAL_EVENTS_PATH"; kill -KILL $$"#)
        .await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::PlaybookError))
    );
    assert!(
        deployment
            .message
            .as_deref()
            .is_some_and(|message| message.contains("signal 9")),
        "{deployment:#?}"
    );
    assert_eq!(
        statuses(&rows),
        [("web1", HostStatus::Failed), ("web2", HostStatus::Cancelled)]
    );
    assert!(
        deployment.warnings[0].contains("torn after 18 bytes"),
        "{:?}",
        deployment.warnings
    );
}

#[tokio::test]
async fn a_cancelled_run_ends_and_says_so() {
    let stage = Stage::set().await;
    let launched = stage
        .launch("on runner_on_start web1; while :; do sleep 0.05; done")
        .await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Running)
        .await;
    let mut transaction = stage.test.database.begin().await.expect("a transaction");
    deployments::request_cancel(&mut transaction, launched.id, "test", false)
        .await
        .expect("asked");
    transaction.commit().await.expect("committed");
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Cancelled, Some(Reason::CancelledByUser))
    );
    assert_eq!(
        statuses(&rows),
        [("web1", HostStatus::Cancelled), ("web2", HostStatus::Cancelled)]
    );
}

#[tokio::test]
async fn a_second_cancel_skips_the_grace() {
    let stage = Stage::set().await;
    let launched = stage
        .launch("trap '' TERM; on runner_on_start web1; while :; do sleep 0.05; done")
        .await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Running)
        .await;
    for force in [false, true] {
        let mut transaction = stage.test.database.begin().await.expect("a transaction");
        deployments::request_cancel(&mut transaction, launched.id, "test", force)
            .await
            .expect("asked");
        transaction.commit().await.expect("committed");
    }
    let (deployment, _) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(deployment.status, DeploymentStatus::Cancelled);
}

#[tokio::test]
async fn a_run_ends_at_its_timeout() {
    let stage = Stage::set().await;
    let script = "on runner_on_start web1; while :; do sleep 0.05; done";
    let launched = fleet::launch(&stage.test.database, &["web1", "web2"], script, |new| {
        new.options.timeout_seconds = 1;
    })
    .await;
    let worker = stage.worker();
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::TimedOut))
    );
    assert_eq!(
        statuses(&rows),
        [("web1", HostStatus::Failed), ("web2", HostStatus::Cancelled)]
    );
}

/// The rows without what differs between any two runs.
fn comparable(rows: Vec<DeploymentServer>) -> Vec<DeploymentServer> {
    rows.into_iter()
        .map(|row| DeploymentServer { position: 0, ..row })
        .collect()
}

fn gated(gate: &Path) -> String {
    format!(
        r#"
        event playbook_on_start
        on runner_on_start web1; on runner_on_ok web1; on runner_on_start web2
        on runner_on_failed web2 ',"result":{{"msg":"first"}}'
        echo before
        printf '{{"v":1,"seq":6,"ts":"2026-01-02T03:04:06Z",' >> "$ADMIRAL_EVENTS_PATH"
        until [ -e "{}" ]; do sleep 0.02; done
        printf '"event":"runner_on_ok","host":"web1","changed":true}}\n' >> "$ADMIRAL_EVENTS_PATH"
        SEQ=6
        stats '"web1":{{"ok":2,"changed":1}},"web2":{{"ok":1,"rescued":1}}'
        echo after
        "#,
        gate.display()
    )
}

#[tokio::test]
async fn a_run_that_lost_its_worker_ends_like_an_undisturbed_twin() {
    let stage = Stage::set().await;
    let gate = stage.data.path().join("gate");
    let launched = stage.launch(&gated(&gate)).await;
    let first = stage.worker();
    stage
        .until(launched, |_, rows| rows[1].status == HostStatus::Failed)
        .await;
    first.abort().await;
    fs::write(&gate, "").expect("opened");
    let second = stage.worker();
    let (deployment, rows) = stage.until_end(launched).await;
    second.end().await;
    let (twin, twin_deployment, twin_rows) = stage.run(&gated(&gate)).await;
    assert_eq!(deployment.status, DeploymentStatus::Completed, "{deployment:#?}");
    assert_eq!(deployment.counts, twin_deployment.counts);
    assert_eq!(comparable(rows), comparable(twin_rows));
    assert_eq!(stage.output(launched).await, stage.output(twin).await);
    let events = async |launched: Launched| {
        let events = fleet::all_events(&stage.test.database, launched.id).await;
        events
            .into_iter()
            .map(|event| (event.position, event.kind, event.payload.to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(events(launched).await, events(twin).await);
}

#[tokio::test]
async fn more_than_one_batch_takes_is_stored_whole_and_in_order() {
    let stage = Stage::set().await;
    // 25 MB of events in no time, so that the worker is several batches behind.
    let script = r#"awk 'BEGIN {
            for (n = 0; n < 1000; n++) filler = filler "x"
            for (n = 1; n <= 22000; n++)
                printf "{\"v\":1,\"seq\":%d,\"ts\":\"2026-01-02T03:04:05Z\",\"event\":\"runner_on_ok\",\"host\":\"web%d\"," \
                    "\"task_id\":\"t%d\",\"task\":\"T\",\"result\":{\"msg\":\"%s\"}}\n", n, n % 2 + 1, n / 2000, filler
        }' >> "$ADMIRAL_EVENTS_PATH"
        SEQ=22000; stats '"web1":{"ok":11000},"web2":{"ok":11000}'"#;
    let (launched, deployment, rows) = stage.run(script).await;
    assert_eq!(deployment.status, DeploymentStatus::Completed, "{deployment:#?}");
    assert_eq!((rows[0].ok, rows[1].ok), (11000, 11000));
    let mut connection = stage.test.database.acquire().await.expect("a connection");
    let (count, last, ordered): (i64, i64, bool) = sqlx::query_as(
        "SELECT count(*), max(position), bool_and(seq = number) FROM ( \
             SELECT position, (payload ->> 'seq')::bigint AS seq, \
                    count(payload ->> 'seq') OVER (ORDER BY position) AS number \
             FROM admiral.deployment_events WHERE deployment_id = $1) AS numbered",
    )
    .bind(launched.id)
    .fetch_one(&mut *connection)
    .await
    .expect("events");
    assert_eq!((count, last), (22003, 22003), "start, events, recap, end");
    assert!(ordered);
}

#[tokio::test]
async fn a_database_that_goes_away_costs_no_event() {
    let stage = Stage::set().await;
    let script = "for n in $(seq 150); do on runner_on_ok web1; echo line $n; sleep 0.01; done
        stats '\"web1\":{\"ok\":150},\"web2\":{\"ok\":1}'";
    let launched = stage.launch(script).await;
    let worker = stage.worker();
    let other = Database::connect(&stage.test.url, 1).await.expect("a connection");
    for round in 1..=3 {
        stage.until(launched, |_, rows| rows[0].ok >= round * 20).await;
        let mut connection = other.acquire().await.expect("a connection");
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&mut *connection)
        .await
        .expect("asked");
    }
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(
        (deployment.status, rows[0].ok),
        (DeploymentStatus::Completed, 150),
        "{deployment:#?}"
    );
    let events = fleet::all_events(&stage.test.database, launched.id).await;
    assert_eq!(
        events.iter().map(|event| event.position).collect::<Vec<_>>(),
        (1..=153).collect::<Vec<_>>()
    );
    let expected: Vec<String> = (1..=150).map(|number| format!("line {number}")).collect();
    assert_eq!(stage.output(launched).await.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_run_whose_supervisor_is_killed_is_lost() {
    let stage = Stage::set().await;
    let launched = stage
        .launch("on runner_on_start web1; while :; do sleep 0.05; done")
        .await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Running)
        .await;
    let started = stage
        .folder(launched)
        .read_started()
        .expect("readable")
        .expect("started");
    signal(&ProcessTarget::Process(started.supervisor), Signal::KILL).expect("killed");
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::WorkerLost))
    );
    assert_eq!(
        statuses(&rows),
        [("web1", HostStatus::Failed), ("web2", HostStatus::Cancelled)]
    );
    assert!(!started.ansible.is_alive());
}

#[tokio::test]
async fn secrets_that_do_not_open_end_a_deployment_before_it_begins() {
    let stage = Stage::set().await;
    let launched = fleet::launch(&stage.test.database, &["web1"], "exit 0", |new| {
        new.sealed_variables = Some(b"nonsense".to_vec());
    })
    .await;
    let worker = stage.worker();
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::InventoryError))
    );
    assert!(
        deployment
            .message
            .as_deref()
            .is_some_and(|message| message.contains("the secret variables"))
    );
    assert_eq!(statuses(&rows), [("web1", HostStatus::Cancelled)]);
    assert!(!stage.folder(launched).path().exists());
}

#[tokio::test]
async fn the_real_ansible_agrees() {
    let mut stage = Stage::set().await;
    stage.ansible_playbook = ansible_bins()[0].join("ansible-playbook");
    let launched = fleet::launch(
        &stage.test.database,
        &["web1", "web2", "web3"],
        r"
- hosts: web1,web2
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: '{{ ansible_playbook_python }}'
  tasks:
    - name: Say the secret
      ansible.builtin.debug:
        msg: 'the word is {{ word }} and {{ plain }}'
    - name: Fail on one
      ansible.builtin.fail:
        msg: as asked
      when: inventory_hostname == 'web2'
    - block:
        - name: Change
          ansible.builtin.command: 'true'
        - name: Fail to be rescued
          ansible.builtin.command: 'false'
      rescue:
        - name: Rescue
          ansible.builtin.debug:
            msg: rescued
",
        |new| {
            let sealed = stage.vault.seal(
                br#"{"word":"hunter22-secret"}"#,
                RowIdentity::deployment_variables(new.id),
            );
            new.sealed_variables = Some(sealed.expect("sealed"));
            new.variables.insert("plain".to_owned(), "{{ 1 + 1 }}".into());
        },
    )
    .await;
    let worker = stage.worker();
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    let output = stage.output(launched).await;
    let expected = [
        ("web1", HostStatus::Success),
        ("web2", HostStatus::Failed),
        ("web3", HostStatus::Skipped),
    ];
    assert_eq!(statuses(&rows), expected, "{deployment:#?} {output}");
    assert_eq!(
        (rows[0].ok, rows[0].changed_count, rows[0].skipped, rows[0].rescued),
        (3, 1, 1, 1),
        "{output}"
    );
    assert_eq!(rows[1].error_message.as_deref(), Some("as asked"));
    assert_eq!(deployment.message.as_deref(), Some("1 of 3 hosts failed"));
    assert!(output.contains("the word is ******** and {{ 1 + 1 }}"), "{output}");
    let events = fleet::all_events(&stage.test.database, launched.id).await;
    assert!(
        events
            .iter()
            .any(|event| event.task.as_deref() == Some("Say the secret"))
    );
    assert!(events.iter().all(|event| !event.payload.get().contains("hunter22")));
}
