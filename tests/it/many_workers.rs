//! Three workers on one database, as processes of their own: every run once, slices at the same time, cancel and retry for all.

use crate::support::{
    fleet,
    gate::Gate,
    processes,
    server::{AdmiralServer, text},
    workers::WorkerProcess,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _};

struct Fleet {
    workers: Vec<WorkerProcess>,
    server: AdmiralServer,
    servers: Vec<String>,
}

impl Fleet {
    /// A server that works too, two more workers, and `hosts` servers that playbooks reach by `connection: local`.
    async fn start(hosts: usize) -> Self {
        let server = AdmiralServer::start().await;
        let workers = vec![
            WorkerProcess::start(&server, "worker1").await,
            WorkerProcess::start(&server, "worker2").await,
        ];
        let (key, _) = server.generate_key("fleet").await;
        let mut servers = Vec::new();
        for number in 0..hosts {
            let name = format!("host{number:02}");
            servers.push(server.add_server(&name, "127.0.0.1", 22, "root", &key, &[]).await);
        }
        Self {
            workers,
            server,
            servers,
        }
    }

    async fn launch(&self, playbook: &str, servers: &[String], options: Value) -> String {
        let body = json!({ "playbook": playbook, "server_ids": servers, "options": options });
        text(&self.server.post("/api/deployments", body).await, "id")
    }

    async fn runs(&self, id: &str) -> Vec<Value> {
        let runs = self.server.get(&format!("/api/deployments/{id}/runs")).await;
        runs["data"].as_array().expect("a list").clone()
    }

    /// Which processes' data directories hold supervisors.
    fn busy(&self) -> usize {
        let data = self.workers.iter().map(|worker| &worker.data);
        data.chain([&self.server.data])
            .filter(|data| !processes::supervisors(data).is_empty())
            .count()
    }
}

fn play(tasks: &str) -> String {
    format!("- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n{tasks}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_is_carried_out_once() {
    let fleet = Fleet::start(9).await;
    let playbook = fleet
        .server
        .add_playbook("once", &play("    - command: sleep 1\n    - debug: msg=done\n"));
    let mut ids = Vec::new();
    for server in &fleet.servers {
        ids.push(fleet.launch(&playbook, std::slice::from_ref(server), json!({})).await);
    }
    let mut names = BTreeSet::new();
    for id in &ids {
        let deployment = fleet.server.wait_for_end(id).await;
        assert_eq!(deployment["status"], "completed", "{deployment}");
        let events = fleet
            .server
            .get(&format!("/api/deployments/{id}/events?kind=playbook_on_start"))
            .await;
        assert_eq!(events["data"].as_array().map(Vec::len), Some(1), "{id} began once");
        let mut connection = fleet.server.database.database.acquire().await.expect("a connection");
        let folder: String = sqlx::query_scalar("SELECT run_folder FROM admiral.runs WHERE deployment_id = $1::uuid")
            .bind(id)
            .fetch_one(&mut *connection)
            .await
            .expect("a run");
        names.insert(folder.rsplit_once("/runs/").expect("a run folder").0.to_owned());
    }
    assert_eq!(names.len(), 3, "all three workers had some: {names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_are_carried_out_at_once_and_retried_together() {
    let fleet = Fleet::start(7).await;
    let meeting = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(meeting.path(), std::fs::Permissions::from_mode(0o777)).expect("the folder is ours");
    // Each slice waits for the two others: one after the other they would never end.
    let tasks = format!(
        "    - file: path={0}/{{{{ inventory_hostname }}}} state=touch\n      changed_when: false\n\
         \x20   - command: find {0} -type f\n      register: found\n      until: found.stdout_lines | length == 7\n\
         \x20     retries: 600\n      delay: 0.2\n      changed_when: false\n\
         \x20   - fail: msg=no\n      when: inventory_hostname in ['host01', 'host05'] and fail | default(true)\n",
        meeting.path().display()
    );
    let playbook = fleet.server.add_playbook("meet", &play(&tasks));
    let id = fleet
        .launch(
            &playbook,
            &fleet.servers,
            json!({ "slices": 3, "writable_paths": [meeting.path()] }),
        )
        .await;
    let deployment = fleet.server.wait_for_end(&id).await;
    assert_eq!(
        (&deployment["status"], &deployment["reason"]),
        (&json!("failed"), &json!("hosts_failed"))
    );
    assert_eq!(deployment["counts"]["success"], 5, "{deployment}");
    let runs = fleet.runs(&id).await;
    assert_eq!(
        runs.iter().map(|run| run["slice"].as_i64()).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2)]
    );
    assert!(runs.iter().all(|run| run["status"] == "finished"));
    let outcomes: Vec<_> = runs.iter().map(|run| text(run, "outcome")).collect();
    assert_eq!(
        outcomes,
        ["completed", "failed", "failed"],
        "host01 is in slice 2, host05 in slice 3"
    );
    let events = fleet::all_events(&fleet.server.database.database, id.parse().expect("an id")).await;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert!(
        positions.iter().copied().eq(1..=positions.len() as i64),
        "{positions:?}"
    );

    let again = fleet
        .server
        .post(&format!("/api/deployments/{id}/retry"), json!({}))
        .await;
    assert_eq!(again["counts"]["total"], 2, "{again}");
    assert_eq!(
        fleet.runs(&text(&again, "id")).await.len(),
        2,
        "no slice without a server"
    );
    let ended = fleet.server.wait_for_end(&text(&again, "id")).await;
    assert_eq!(ended["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_all_slices_on_all_workers() {
    let fleet = Fleet::start(6).await;
    let playbook = fleet.server.add_playbook("long", &play("    - command: sleep 600\n"));
    let id = fleet.launch(&playbook, &fleet.servers, json!({ "slices": 3 })).await;
    fleet
        .server
        .wait_for(&id, |deployment| deployment["counts"]["running"] == 6)
        .await;
    assert_eq!(fleet.busy(), 3, "each worker has a slice");
    fleet
        .server
        .post(&format!("/api/deployments/{id}/cancel"), json!({ "force": true }))
        .await;
    let ended = fleet.server.wait_for_end(&id).await;
    assert_eq!(
        (&ended["status"], &ended["reason"]),
        (&json!("cancelled"), &json!("cancelled_by_user"))
    );
    assert_eq!(ended["counts"]["cancelled"], 6);
    assert_eq!(fleet.busy(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_waits_for_the_one_at_work_on_its_servers_and_says_so() {
    let fleet = Fleet::start(3).await;
    let playbook = fleet.server.add_playbook(
        "gate",
        &play("    - wait_for: host=127.0.0.1 port={{ gate }} timeout=300\n"),
    );
    let [mut one, mut two, mut three] = [Gate::new(), Gate::new(), Gate::new()];
    let launch = async |servers: &[String], gate: &Gate, options: Value| {
        let body = json!({ "playbook": playbook, "server_ids": servers, "options": options, "variables": { "gate": gate.port() } });
        fleet.server.post("/api/deployments", body).await
    };
    let first = launch(&fleet.servers[..2], &one, json!({})).await;
    let first_id = text(&first, "id");
    fleet
        .server
        .wait_for(&first_id, |deployment| deployment["status"] == "running")
        .await;
    let second = text(&launch(&fleet.servers[1..], &two, json!({})).await, "id");
    let waiting = fleet
        .server
        .wait_for(&second, |deployment| deployment["waiting_for"] != json!([]))
        .await;
    assert_eq!(waiting["status"], "pending");
    assert_eq!(
        waiting["waiting_for"],
        json!([{ "id": first_id, "number": first["number"], "name": first["name"] }])
    );
    let overlapping = text(
        &launch(&fleet.servers[..1], &three, json!({ "allow_overlap": true })).await,
        "id",
    );
    fleet
        .server
        .wait_for(&overlapping, |deployment| deployment["status"] == "running")
        .await;
    one.open();
    fleet.server.wait_for_end(&first_id).await;
    let begun = fleet
        .server
        .wait_for(&second, |deployment| deployment["status"] == "running")
        .await;
    assert_eq!(begun["waiting_for"], json!([]));
    for (gate, id) in [(&mut two, second), (&mut three, overlapping)] {
        gate.open();
        assert_eq!(fleet.server.wait_for_end(&id).await["status"], "completed");
    }
}
