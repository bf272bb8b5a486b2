//! `admiral ansible-playbook` and `admiral adhoc`: the user sees what they would see without it, and Admiral sees it too.

use crate::{
    parity,
    support::{
        ansible::ansible_bins,
        server::{AdmiralServer, PATIENCE, text},
        shell::{Shell, recorded},
    },
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Instant,
};

fn newest() -> PathBuf {
    ansible_bins().remove(0)
}

fn oldest() -> PathBuf {
    ansible_bins().pop().expect("at least one")
}

const HELLO: &str = "- name: Greets\n  hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n    \
    - name: Says hello\n      debug: { msg: hello }\n    - name: Changes\n      command: echo x\n    \
    - name: Fails somewhere\n      fail: { msg: no }\n      when: inventory_hostname == 'h2'\n";

/// Waits in the middle until the file `go` is there, and makes the file `here` before.
const WAITS: &str = "- hosts: h1\n  connection: local\n  gather_facts: false\n  tasks:\n    - name: Before\n      debug: { msg: before }\n    \
    - name: Waits\n      shell: touch here; while [ -e here -a ! -e go ]; do sleep 0.1; done\n      args: { chdir: '{{ playbook_dir }}' }\n    \
    - name: After\n      command: echo after\n";

/// Says at the end that it was there.
const LOUD: &str = "from ansible.plugins.callback import CallbackBase\nclass CallbackModule(CallbackBase):\n    \
    CALLBACK_VERSION = 2.0\n    CALLBACK_TYPE = 'notification'\n    CALLBACK_NAME = 'NAME'\n    CALLBACK_NEEDS_ENABLED = WANTED\n    \
    def v2_playbook_on_stats(self, stats):\n        self._display.display('NAME was here')\n";

/// The same but for how long things took.
fn without_times(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).into_owned();
    let is_time = |line: &&str| {
        ["\"delta\"", "\"start\"", "\"end\""]
            .iter()
            .any(|name| line.contains(name))
    };
    text.split_inclusive('\n').filter(|line| !is_time(line)).collect()
}

fn assert_same(plain: &Output, recorded: &Output) {
    assert_eq!(without_times(&plain.stdout), without_times(&recorded.stdout));
    assert_eq!(without_times(&plain.stderr), without_times(&recorded.stderr));
    assert_eq!(plain.status.code(), recorded.status.code());
}

async fn last_recorded(server: &AdmiralServer) -> Value {
    recorded(server).await.pop().expect("a recording")
}

async fn until_recorded(server: &AdmiralServer, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = recorded(server).await.into_iter().find(&wanted) {
            return found;
        }
        assert!(Instant::now() < deadline, "{:?}", recorded(server).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn rows_equal_the_recap(ansible: &Path, cases: &[&str]) {
    let server = AdmiralServer::start_with(ansible).await;
    let shell = Shell::with(&server, ansible);
    let playbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playbooks/parity");
    let mut wrong = Vec::new();
    for (case, comes_through) in parity::CASES.iter().filter(|(case, _)| cases.contains(case)) {
        let playbook = playbooks.join(format!("{case}.yml"));
        let output = shell.run(&["admiral", "ansible-playbook", playbook.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let deployment = last_recorded(&server).await;
        let id = text(&deployment, "id");
        assert_eq!(deployment["name"], format!("{case}.yml"), "{deployment}");
        assert_eq!(server.output(&id).await, told, "{case}");
        let (_, differences) = parity::compare(case, *comes_through, &deployment, &server.rows(&id).await, &told);
        wrong.extend(differences);
        assert!(shell.recordings().is_empty(), "{case}: {:?}", shell.recordings());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_equal_the_recap_of_the_newest_ansible() {
    let cases: Vec<&str> = parity::CASES.iter().map(|(case, _)| *case).collect();
    rows_equal_the_recap(&newest(), &cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_equal_the_recap_of_the_oldest_ansible() {
    rows_equal_the_recap(&oldest(), &["rescued", "includes", "serial", "unreachable", "add_host"]).await;
}

/// With pipes the two streams stay apart, byte by byte what they were; so do exit codes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_carry_what_they_carried() {
    for ansible in ansible_bins() {
        let server = AdmiralServer::start_with(&ansible).await;
        let shell = Shell::with(&server, &ansible);
        shell.write("hello.yml", HELLO);
        shell.write("broken.yml", "- hosts: all\n  tasks: {\n");
        let lines: [&[&str]; 5] = [
            &["ansible-playbook", "hello.yml"],
            &["ansible-playbook", "hello.yml", "-l", "h1", "-v", "-D"],
            &["ansible-playbook", "broken.yml"],
            &["ansible-playbook", "missing.yml"],
            &["ansible-playbook", "hello.yml", "--no-such-option"],
        ];
        for line in lines {
            let plain = shell.run(line);
            let recorded = shell.run(&[&["admiral"], line].concat());
            assert_same(&plain, &recorded);
        }
        let named: Vec<(Value, Value)> = recorded(&server)
            .await
            .iter()
            .map(|deployment| (deployment["name"].clone(), deployment["reason"].clone()))
            .collect();
        let failed = |name: &str, reason: &str| (json!(name), json!(reason));
        assert_eq!(named[0], failed("hello.yml", "hosts_failed"));
        assert_eq!(named[1], (json!("hello.yml"), Value::Null));
        assert_eq!(named[2], failed("broken.yml", "playbook_error"));
        // What shows something and runs nothing is Ansible's alone.
        for line in [
            &["ansible-playbook", "--version"][..],
            &["ansible-playbook", "--help"],
            &["ansible-playbook", "hello.yml", "--list-tasks"],
        ] {
            assert_same(&shell.run(line), &shell.run(&[&["admiral"], line].concat()));
        }
        assert_eq!(recorded(&server).await.len(), named.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_what_it_showed() {
    for ansible in ansible_bins() {
        let server = AdmiralServer::start_with(&ansible).await;
        let shell = Shell::with(&server, &ansible);
        shell.write("hello.yml", HELLO);
        let (code, plain) = shell.sit_down(&["ansible-playbook", "hello.yml"]).wait();
        let (same_code, shown) = shell.sit_down(&["admiral", "ansible-playbook", "hello.yml"]).wait();
        assert_eq!((code, &plain), (same_code, &shown));
        assert!(shown.contains('\u{1b}'), "colours: {shown}");
        // 132 columns: the stars go to the end of the line.
        assert!(
            shown.lines().any(|line| line.trim_end().chars().count() > 120),
            "{shown}"
        );
        let deployment = last_recorded(&server).await;
        assert_eq!(server.output(&text(&deployment, "id")).await, shown);
    }
    // A window that is made smaller is smaller for the program in it.
    let shell = Shell::alone(&newest());
    shell.write_program(
        "ansible-playbook",
        "#!/bin/sh\ntrap 'stty size; exit 0' WINCH\nstty size\nwhile :; do sleep 0.1; done\n",
    );
    let mut user = shell.sit_down(&["admiral", "ansible-playbook", "x.yml"]);
    user.read("43 132");
    user.resize(20, 80);
    user.read("20 80");
    user.wait();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_typed_at_a_prompt_is_recorded_nowhere() {
    const SECRET: &str = "canary-of-the-prompt";
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write(
        "ask.yml",
        "- hosts: h1\n  connection: local\n  gather_facts: false\n  vars_prompt:\n    - { name: word, prompt: The word, private: true }\n    \
         - { name: nick, prompt: Your name, private: false }\n  tasks:\n    - debug: { msg: '{{ nick }} said {{ word | length }} letters' }\n    \
         - wait_for: { path: '{{ playbook_dir }}/go', timeout: 300 }\n",
    );
    let ask = |words: &[&str]| {
        let mut user = shell.sit_down(words);
        user.read("BECOME password: ");
        user.write(&format!("{SECRET}\n"));
        user.read("The word: ");
        user.write(&format!("{SECRET}\n"));
        user.read("Your name: ");
        user.write("ann\n");
        user.read(&format!("ann said {} letters", SECRET.len()));
        user
    };
    let user = ask(&["admiral", "ansible-playbook", "ask.yml", "--ask-become-pass"]);
    let spools = shell.recordings();
    assert_eq!(spools.len(), 1);
    for entry in std::fs::read_dir(&spools[0]).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        assert!(
            memchr::memmem::find(&content, SECRET.as_bytes()).is_none(),
            "{}",
            path.display()
        );
    }
    shell.write("go", "");
    let (code, shown) = user.wait();
    let (plain_code, plain) = ask(&["ansible-playbook", "ask.yml", "--ask-become-pass"]).wait();
    assert_eq!((code, &shown), (plain_code, &plain));
    let deployment = last_recorded(&server).await;
    let id = text(&deployment, "id");
    assert_eq!(deployment["status"], "completed");
    let stored = format!("{deployment}{:?}{}", server.events(&id).await, server.output(&id).await);
    assert!(!stored.contains(SECRET), "{stored}");
    assert!(!server.log().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_c_and_control_z_mean_what_they_meant() {
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write("waits.yml", WAITS);
    let interrupted = |words: &[&str]| {
        let mut user = shell.sit_down(words);
        shell.wait_for("here");
        std::fs::remove_file(shell.folder.path().join("here")).unwrap();
        user.write("\u{3}");
        user.wait().0
    };
    let plain = interrupted(&["ansible-playbook", "waits.yml"]);
    assert_eq!(interrupted(&["admiral", "ansible-playbook", "waits.yml"]), plain);
    let deployment = last_recorded(&server).await;
    assert_eq!(
        (deployment["status"].as_str(), deployment["reason"].as_str()),
        (Some("cancelled"), Some("cancelled_by_user"))
    );

    // In a shell with jobs: stopped, put back, and on to the end.
    let mut user = shell.sit_down(&["/bin/bash", "--norc", "-i"]);
    let admiral = env!("CARGO_BIN_EXE_admiral");
    user.write(&format!(
        "PS1='ready''> '; stty -a > before\n{admiral} ansible-playbook waits.yml\n"
    ));
    user.read("TASK [Waits]");
    user.write("\u{1a}");
    user.read("Stopped");
    user.read("ready> ");
    user.write("stty -a > between; jobs\n");
    user.read("Stopped");
    user.write("fg\n");
    user.read("ansible-playbook waits.yml");
    shell.write("go", "");
    user.read("PLAY RECAP");
    user.read("ready> ");
    user.write("echo code $?; stty -a > after; exit\n");
    user.read("code 0");
    user.wait();
    let modes = |name: &str| std::fs::read_to_string(shell.folder.path().join(name)).expect("stty wrote it");
    assert_eq!(modes("before"), modes("between"));
    assert_eq!(modes("before"), modes("after"));
    assert_eq!(last_recorded(&server).await["status"], "completed");
}

/// Whatever stands in the place of Ansible: its exit code or signal is told, and signals reach it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_are_told_as_a_shell_tells_them() {
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    for (script, code) in [
        ("exit 0", 0),
        ("exit 4", 4),
        ("exit 250", 250),
        ("kill -KILL $$", 137),
        ("echo waiting; trap 'exit 7' TERM; while :; do sleep 0.1; done", 7),
        ("echo waiting; while :; do sleep 0.1; done", 143),
    ] {
        shell.write_program("ansible-playbook", &format!("#!/bin/sh\n{script}\n"));
        let words = ["admiral", "ansible-playbook", "x.yml"];
        let is_signalled = script.contains("waiting");
        let mut user = shell.sit_down(&words);
        if is_signalled {
            user.read("waiting");
            terminate(user.pid(), "-TERM");
        }
        assert_eq!(user.wait().0, code, "{script}");
        if !is_signalled {
            assert_eq!(shell.run(&words).status.code(), Some(code), "{script}");
        }
    }
}

fn terminate(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_users_own_configuration_stays_in_force() {
    for ansible in ansible_bins() {
        let server = AdmiralServer::start_with(&ansible).await;
        let shell = Shell::with(&server, &ansible);
        for (name, needs) in [("loud", "False"), ("louder", "True"), ("silent", "True")] {
            let plugin = LOUD.replace("NAME", name).replace("WANTED", needs);
            shell.write(&format!("own/callbacks/{name}.py"), &plugin);
        }
        shell.write(
            "ansible.cfg",
            "[defaults]\ncallback_plugins = own/callbacks\ncallbacks_enabled = louder\nforks = 3\n",
        );
        // Ansible within Ansible has the user's settings and not ours.
        shell.write(
            "nested.yml",
            "- hosts: h1\n  connection: local\n  gather_facts: false\n  tasks:\n    - command: ansible-playbook hello.yml\n      \
             register: nested\n      failed_when: false\n    - debug: { var: nested.stdout_lines }\n    - shell: env | grep -E 'ANSIBLE_CALL|ANSIBLE_LOAD|ADMIRAL_EVENTS' || true\n      \
             register: variables\n    - debug: { var: variables.stdout_lines }\n",
        );
        shell.write("hello.yml", HELLO);
        let plain = shell.run(&["ansible-playbook", "nested.yml"]);
        let recorded = shell.run(&["admiral", "ansible-playbook", "nested.yml"]);
        assert_same(&plain, &recorded);
        let told = String::from_utf8_lossy(&recorded.stdout);
        assert!(
            told.contains("loud was here") && told.contains("louder was here"),
            "{told}"
        );
        assert!(!told.contains("silent was here"), "{told}");
        assert!(told.contains("\"variables.stdout_lines\": []"), "{told}");
        let deployment = last_recorded(&server).await;
        assert_eq!(deployment["counts"]["success"], 1, "{deployment}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ad_hoc_commands_look_as_they_did() {
    for ansible in ansible_bins() {
        let server = AdmiralServer::start_with(&ansible).await;
        let shell = Shell::with(&server, &ansible);
        // None of them is heard, unless the user wants them.
        for (name, needs) in [("loud", "False"), ("louder", "True")] {
            let plugin = LOUD.replace("NAME", name).replace("WANTED", needs);
            shell.write(&format!("own/callbacks/{name}.py"), &plugin);
        }
        let configuration =
            "[defaults]\nstdout_callback = default\ncallback_plugins = own/callbacks\ncallbacks_enabled = louder\n";
        shell.write("ansible.cfg", configuration);
        let lines: [&[&str]; 4] = [
            &["all", "-c", "local", "-m", "ping"],
            &["h1", "-c", "local", "-m", "ping", "-o"],
            &["all", "-m", "fail", "-a", "msg=no"],
            &["all", "-m", "ping", "-o"],
        ];
        for line in lines {
            let plain = shell.run(&[&["ansible"], line].concat());
            let recorded = shell.run(&[&["admiral", "adhoc"], line].concat());
            assert_same(&plain, &recorded);
            assert!(!String::from_utf8_lossy(&recorded.stdout).contains("was here"));
        }
        let deployments = recorded(&server).await;
        let told: Vec<_> = deployments
            .iter()
            .map(|deployment| {
                (
                    deployment["playbook"].as_str().unwrap(),
                    deployment["counts"]["success"].as_i64().unwrap(),
                    deployment["counts"]["failed"].as_i64().unwrap(),
                    deployment["counts"]["unreachable"].as_i64().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("ping", 4, 0, 0),
                ("ping", 1, 0, 0),
                ("fail", 0, 4, 0),
                ("ping", 0, 0, 4)
            ]
        );
        assert_eq!(deployments[0]["command"]["words"][0], "ansible");
        shell.write("ansible.cfg", &format!("{configuration}bin_ansible_callbacks = yes\n"));
        let line = ["h1", "-c", "local", "-m", "ping"];
        let recorded = shell.run(&[&["admiral", "adhoc"], &line[..]].concat());
        assert_same(&shell.run(&[&["ansible"], &line[..]].concat()), &recorded);
        assert_eq!(String::from_utf8_lossy(&recorded.stdout).matches("was here").count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_watch_it_and_servers_are_linked() {
    let server = AdmiralServer::start().await;
    server.add_local_servers(&["h1"]).await;
    let shell = Shell::with(&server, &newest());
    shell.write("waits.yml", WAITS);
    let secret = "canary-of-the-command-line";
    let given = format!("password={secret}");
    let mut child = shell
        .command(&["admiral", "ansible-playbook", "waits.yml", "-e", &given])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let live = until_recorded(&server, |deployment| deployment["counts"]["running"] == 1).await;
    let id = text(&live, "id");
    assert_eq!(live["status"], "running");
    assert_eq!(live["target"], json!({"kind": "recorded"}));
    assert_eq!(live["version"], Value::Null);
    assert_eq!(
        live["command"]["words"],
        json!(["ansible-playbook", "waits.yml", "-e", "password=********"])
    );
    assert_eq!(
        live["command"]["folder"],
        shell.folder.path().canonicalize().unwrap().to_str().unwrap()
    );
    let rows = server.rows(&id).await;
    assert_eq!(rows[0]["host"], "h1");
    assert!(!rows[0]["server_id"].is_null(), "{rows:?}");
    // The server is not taken: what is launched on it begins at once.
    let playbook = server.add_playbook("quick", HELLO);
    let launched = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let launched = server.wait_for_end(&text(&launched, "id")).await;
    assert_eq!(launched["status"], "completed", "{launched}");
    shell.write("go", "");
    assert!(child.wait().unwrap().success());
    assert_eq!(server.wait_for_end(&id).await["status"], "completed");
    let stored = format!(
        "{}{:?}",
        server.get(&format!("/api/deployments/{id}")).await,
        server.events(&id).await
    );
    assert!(!stored.contains(secret), "{stored}");
    let (status, problem) = server
        .request(
            reqwest::Method::POST,
            &format!("/api/deployments/{id}/retry"),
            Some(&json!({})),
        )
        .await;
    assert_eq!(status, 409, "{problem}");
    assert!(text(&problem, "detail").contains("recorded in a shell"), "{problem}");
    for arguments in [
        &["deployments", "show", "1"][..],
        &["deployments", "list"],
        &["deployments", "log", "1"],
    ] {
        let shown = server.command().args(arguments).output().unwrap();
        assert!(
            shown.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&shown.stderr)
        );
        if arguments[1] != "log" {
            assert!(
                String::from_utf8_lossy(&shown.stdout).contains("recorded"),
                "{arguments:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_cancelled_from_elsewhere() {
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write("waits.yml", WAITS);
    let mut user = shell.sit_down(&["admiral", "ansible-playbook", "waits.yml"]);
    shell.wait_for("here");
    let live = until_recorded(&server, |deployment| deployment["counts"]["running"] == 1).await;
    let id = text(&live, "id");
    server.post(&format!("/api/deployments/{id}/cancel"), json!({})).await;
    user.read("asked to cancel this run");
    let (code, _) = user.wait();
    assert_eq!(code, 99);
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "cancelled", "{deployment}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_sent_later_and_once() {
    let mut server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write("hello.yml", HELLO);
    server.kill();
    let plain = shell.run(&["ansible-playbook", "hello.yml"]);
    let away = shell.run(&["admiral", "ansible-playbook", "hello.yml"]);
    assert_eq!(plain.stdout, away.stdout);
    assert_eq!(plain.status.code(), away.status.code());
    let told = String::from_utf8_lossy(&away.stderr).into_owned();
    assert_eq!(told.matches("admiral:").count(), 1, "{told}");
    let spools = shell.recordings();
    assert_eq!(spools.len(), 1);
    let kept = shell.folder.path().join("kept");
    let copied = Command::new("cp").arg("-r").arg(&spools[0]).arg(&kept).status();
    assert!(copied.unwrap().success());
    let listed = shell.run(&["admiral", "recordings", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("waits to be uploaded"));
    server.start_again(&[]).await;
    assert!(recorded(&server).await.is_empty());
    for _ in 0..2 {
        let uploaded = shell.run(&["admiral", "recordings", "upload"]);
        assert!(
            uploaded.status.success(),
            "{}",
            String::from_utf8_lossy(&uploaded.stderr)
        );
        assert!(shell.recordings().is_empty());
        let deployments = recorded(&server).await;
        assert_eq!(deployments.len(), 1);
        let id = text(&deployments[0], "id");
        assert_eq!(deployments[0]["reason"], "hosts_failed");
        assert_eq!(
            deployments[0]["finished_at"].as_str().map(|at| &at[..10]),
            deployments[0]["started_at"].as_str().map(|at| &at[..10])
        );
        assert_eq!(server.output(&id).await.as_bytes(), plain.stdout);
        let (_, wrong) = parity::compare(
            "hello",
            false,
            &deployments[0],
            &server.rows(&id).await,
            &server.output(&id).await,
        );
        assert!(wrong.is_empty(), "{wrong:?}");
        // The same files once more: nothing is doubled.
        std::fs::rename(&kept, &spools[0]).ok();
    }
    assert!(shell.recordings().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_misses_nothing() {
    let mut server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write("waits.yml", WAITS);
    let child = shell
        .command(&["admiral", "ansible-playbook", "waits.yml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let live = until_recorded(&server, |deployment| deployment["counts"]["running"] == 1).await;
    server.kill();
    server.start_again(&[]).await;
    shell.write("go", "");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    // Whether it was back in time or not.
    shell.run(&["admiral", "recordings", "upload"]);
    let id = text(&live, "id");
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
    assert_eq!(server.output(&id).await.as_bytes(), output.stdout);
    assert_eq!(recorded(&server).await.len(), 1);
    let (_, wrong) = parity::compare(
        "waits",
        true,
        &deployment,
        &server.rows(&id).await,
        &server.output(&id).await,
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_that_is_killed_leaves_nothing_hanging() {
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write("waits.yml", WAITS);
    // With pipes Ansible goes on, as it does when a reader goes away; its events are uploaded.
    let mut child = shell
        .command(&["admiral", "ansible-playbook", "waits.yml"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let live = until_recorded(&server, |deployment| deployment["counts"]["running"] == 1).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let goes_on = shell.run(&["admiral", "recordings", "upload"]);
    assert!(String::from_utf8_lossy(&goes_on.stderr).contains("still goes on"));
    shell.write("go", "");
    let deadline = Instant::now() + PATIENCE;
    while !shell.recordings().is_empty() {
        assert!(Instant::now() < deadline);
        shell.run(&["admiral", "recordings", "upload"]);
    }
    let deployment = server.wait_for_end(&text(&live, "id")).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");

    // With a terminal it is hung up.
    std::fs::remove_file(shell.folder.path().join("go")).unwrap();
    let mut user = shell.sit_down(&["admiral", "ansible-playbook", "waits.yml"]);
    user.read("TASK [Waits]");
    terminate(user.pid(), "-KILL");
    assert_eq!(user.wait().0, 137);
    let deadline = Instant::now() + PATIENCE;
    while !shell.recordings().is_empty() {
        assert!(Instant::now() < deadline);
        shell.run(&["admiral", "recordings", "upload"]);
    }
    let deployment = last_recorded(&server).await;
    assert_eq!(
        (deployment["status"].as_str(), deployment["reason"].as_str()),
        (Some("failed"), Some("worker_lost")),
        "{deployment}"
    );
}

/// Without a server the recording goes into the database of the data directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_ones_own_will_do() {
    let server = AdmiralServer::start().await;
    let shell = Shell::alone(&newest());
    shell.write("hello.yml", HELLO);
    let output = shell
        .command(&["admiral", "ansible-playbook", "hello.yml"])
        .env("ADMIRAL_DATA_DIR", &server.data)
        .env("DATABASE_URL", &server.database.url)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("admiral:").count(), 0);
    let deployment = last_recorded(&server).await;
    assert_eq!(deployment["reason"], "hosts_failed");
    assert_eq!(deployment["created_by"]["username"], "local");
}

/// `2>&1`: what was written first stands first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_streams_into_one_file_keep_their_order() {
    let shell = Shell::alone(&newest());
    shell.write_program(
        "ansible-playbook",
        "#!/bin/sh\ni=0\nwhile [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done\n",
    );
    let admiral = env!("CARGO_BIN_EXE_admiral");
    for redirection in ["> FILE 2>&1", "2>&1 | cat > FILE"] {
        let merged = |program: &str, name: &str| {
            let line = format!("{program} x.yml {}", redirection.replace("FILE", name));
            assert!(shell.run(&["sh", "-c", &line]).status.success());
            std::fs::read_to_string(shell.folder.path().join(name)).unwrap()
        };
        let plain = merged("ansible-playbook", "plain");
        // Its own word about where the recording is comes last.
        let recorded = merged(&format!("{admiral} ansible-playbook"), "recorded");
        assert_eq!(plain.lines().count(), 400);
        assert!(recorded.starts_with(&plain), "{recorded}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_the_one_that_the_shell_would_start() {
    let shell = Shell::alone(&newest());
    shell.write_program("ansible-playbook", "#!/bin/sh\necho the other\n");
    let program = shell.folder.path().join("bin/ansible-playbook");
    let own = shell.write("venv/ansible-playbook", "");
    std::fs::copy(&program, &own).unwrap();
    std::fs::write(&own, "#!/bin/sh\necho \"asks at $GPG_TTY, is at $(tty)\"\n").unwrap();
    // What asks for passphrases does so at the program's own terminal, not at ours.
    let line = format!(
        "GPG_TTY=$(tty) PATH=venv:$PATH exec {} ansible-playbook x.yml",
        env!("CARGO_BIN_EXE_admiral")
    );
    let (_, shown) = shell.sit_down(&["sh", "-c", &line]).wait();
    let told = shown.lines().next().unwrap();
    let (asks, is) = told
        .strip_prefix("asks at ")
        .expect(told)
        .split_once(", is at ")
        .expect(told);
    assert_eq!(asks, is);
    assert!(asks.starts_with("/dev/pts/"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_the_command_line_are_not_in_the_recorded_output() {
    const SECRET: &str = "canary of the log";
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &newest());
    shell.write(
        "tell.yml",
        "- hosts: h1\n  connection: local\n  gather_facts: false\n  tasks:\n    - debug: { msg: '{{ word }} {{ db_password }}' }\n",
    );
    let given = format!("word=harmless db_password='{SECRET}'");
    let output = shell.run(&["admiral", "ansible-playbook", "tell.yml", "-e", &given]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains(SECRET), "{told}");
    let deployment = last_recorded(&server).await;
    let log = server.output(&text(&deployment, "id")).await;
    assert_eq!(log, told.replace(SECRET, "********"));
}
