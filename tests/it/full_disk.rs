//! Disks without room: the run folder's, in a file system of its own, and the database's.

use crate::support::{
    ansible::ansible_bins,
    app::{ADMIN, TestApp, json},
    fleet,
    mounts::in_own_mounts,
    stage::Stage,
};
use admiral::domain::deployment::{Deployment, DeploymentStatus, Reason};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;
use std::{fs, time::Duration};

/// A stage whose data directory, and with it every run folder, is a small file system.
async fn small_stage() -> Stage {
    let stage = Stage::set().await;
    let data = stage.data.path().join("data");
    fs::create_dir(&data).unwrap();
    let size = Some(c"size=6m,mode=0700");
    mount("tmpfs", &data, "tmpfs", MountFlags::empty(), size).expect("a file system of 6 MiB");
    stage
}

fn assert_warned(deployment: &Deployment, what: &str) {
    assert!(
        deployment.warnings.iter().any(|warning| warning.contains(what)),
        "{deployment:#?}"
    );
}

#[tokio::test]
async fn a_run_whose_disk_is_full_to_the_last_byte_still_says_how_it_ended() {
    if !in_own_mounts("full_disk::a_run_whose_disk_is_full_to_the_last_byte_still_says_how_it_ended") {
        return;
    }
    let stage = small_stage().await;
    let script = r"
        event playbook_on_start
        on runner_on_start web1
        cat /dev/zero > ../filler
        ! echo more > ../more && exit 3
    ";
    let (_, deployment, rows) = stage.run(script).await;
    assert_warned(&deployment, "the disk of the run folder is full");
    assert_eq!(
        (deployment.status, deployment.reason),
        (DeploymentStatus::Failed, Some(Reason::PlaybookError)),
        "{deployment:#?}"
    );
    // The exit code is known: the record of the end found its room.
    let message = deployment.message.unwrap_or_default();
    assert!(
        message.starts_with("ansible-playbook ended with exit code 3 before its recap"),
        "{message}"
    );
    assert!(rows.iter().all(|row| row.status.is_final()));
}

#[tokio::test]
async fn events_that_find_no_room_are_missed_and_the_end_is_stated() {
    if !in_own_mounts("full_disk::events_that_find_no_room_are_missed_and_the_end_is_stated") {
        return;
    }
    for bin in ansible_bins() {
        let mut stage = small_stage().await;
        stage.ansible_playbook = bin.join("ansible-playbook");
        // `raw` needs no room of its own. What Ansible prints goes elsewhere: it gives up when it cannot print.
        let playbook = r#"
- hosts: all
  gather_facts: false
  connection: local
  tasks:
    - name: Leave no room
      ansible.builtin.raw: "cat /dev/zero > {{ playbook_dir }}/../filler || true"
      run_once: true
    - name: Work without room
      ansible.builtin.raw: echo {{ 'x' * 5000 }}
    - name: Make room
      ansible.builtin.raw: rm {{ playbook_dir }}/../filler
      run_once: true
    - name: Work again
      ansible.builtin.raw: echo done
"#;
        let program = stage.data.path().join("bin/ansible-playbook");
        let script = format!(
            "#!/bin/sh\nexec {}/ansible-playbook \"$@\" > /dev/null 2>&1\n",
            bin.display()
        );
        fs::write(&program, script).unwrap();
        stage.ansible_playbook = program;
        let launched = stage.launch(playbook).await;
        let worker = stage.worker();
        let (deployment, rows) = stage.until_end(launched).await;
        worker.end().await;
        assert_eq!(
            deployment.status,
            DeploymentStatus::Completed,
            "{deployment:#?} {rows:#?}"
        );
        assert_warned(
            &deployment,
            "events could not be written: [Errno 28] No space left on device",
        );
        assert!(rows.iter().all(|row| row.ok >= 2), "the recap counts all: {rows:#?}");
        let events = fleet::all_events(&stage.test.database, launched.id).await;
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());

        // With its output on the same disk Ansible itself may give up, but not without a word, and not never.
        stage.ansible_playbook = bin.join("ansible-playbook");
        let launched = stage.launch(&playbook.replace("rm ", "sleep 3; true ")).await;
        let worker = stage.worker();
        let (deployment, rows) = stage.until_end(launched).await;
        worker.end().await;
        assert_warned(&deployment, "the disk of the run folder is full");
        assert_eq!(deployment.reason, Some(Reason::PlaybookError), "{deployment:#?}");
        assert!(rows.iter().all(|row| row.status.is_final()), "{rows:#?}");
        unmount(stage.data.path().join("data"), UnmountFlags::DETACH).unwrap();
    }
}

/// From now on the database says about a table what it says when its disk is full, while `full_disk` has a row.
async fn fill_database(connection: &mut sqlx::PgConnection, table: &str) {
    for statement in [
        "CREATE TABLE full_disk (since timestamptz)",
        "CREATE SEQUENCE refusals",
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF EXISTS (SELECT FROM public.full_disk) THEN \
                 PERFORM nextval('public.refusals'); \
                 RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; \
             END IF; RETURN NULL; END $$",
        &format!("CREATE TRIGGER no_room BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION no_room()"),
        "INSERT INTO full_disk VALUES (now())",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.expect("done");
    }
}

#[tokio::test]
async fn a_database_without_room_is_waited_for() {
    let stage = Stage::set().await;
    let gate = stage.data.path().join("gate");
    let script = format!(
        r#"
        on runner_on_start web1
        until [ -e "{}" ]; do sleep 0.05; done
        for n in $(seq 40); do on runner_on_ok web1; done; on runner_on_ok web2
        stats '"web1":{{"ok":40}},"web2":{{"ok":1}}'
        "#,
        gate.display()
    );
    let launched = stage.launch(&script).await;
    let worker = stage.worker();
    stage
        .until(launched, |deployment, _| deployment.counts.running == 1)
        .await;
    let mut connection = stage.test.database.acquire().await.expect("a connection");
    fill_database(&mut connection, "admiral.deployment_events").await;
    fs::write(&gate, "").expect("opened");
    // The run itself does not wait.
    while !stage.folder(launched).exit().exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while !sqlx::query_scalar::<_, bool>("SELECT is_called FROM refusals")
        .fetch_one(&mut *connection)
        .await
        .expect("asked")
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let waiting = fleet::deployment(&stage.test.database, launched.id).await;
    assert_eq!((waiting.status, waiting.counts.success), (DeploymentStatus::Running, 0));
    sqlx::query("DELETE FROM full_disk")
        .execute(&mut *connection)
        .await
        .expect("room");
    let (deployment, rows) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(deployment.status, DeploymentStatus::Completed, "{deployment:#?}");
    assert_eq!((rows[0].ok, rows[1].ok), (40, 1));
    assert!(
        matches!(&deployment.warnings[..], [warning] if warning.contains("the database lacked disk")),
        "{deployment:#?}"
    );
    let events = fleet::all_events(&stage.test.database, launched.id).await;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=46).collect::<Vec<_>>());
    assert_eq!(
        events.last().map(|event| event.kind.as_str()),
        Some("deployment_finished")
    );
}

#[tokio::test]
async fn a_database_without_room_is_unavailable_to_clients() {
    let app = TestApp::start().await;
    let mut connection = app.database.acquire().await.expect("a connection");
    fill_database(&mut connection, "admiral.private_keys").await;
    let make = async || app.post(ADMIN, "/api/keys/generate", json!({"name": "no room"})).await;
    let answer = make().await;
    let seconds: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds > 0);
    let (status, problem) = json(answer).await;
    assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{problem}");
    sqlx::query("DELETE FROM full_disk")
        .execute(&mut *connection)
        .await
        .expect("room");
    assert_eq!(make().await.status(), 201);
}
