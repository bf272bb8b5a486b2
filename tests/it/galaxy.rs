//! Roles and collections that a project asks for in its `requirements.yml`.

use crate::support::{
    ansible::ansible_bins,
    git_hosts::{HttpsHost, TestRepository},
    processes,
    server::{AdmiralServer, text},
    ssh_hosts::{SshHosts, free_port},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A Galaxy server with one collection, in as many words of its API (version 3) as `ansible-galaxy` asks for.
const GALAXY: &str = r"
import hashlib, http.server, json, sys
port, token, artifact = int(sys.argv[1]), sys.argv[2], open(sys.argv[3], 'rb').read()
base = 'http://127.0.0.1:%d' % port
collection = '/api/v3/collections/acme/tools/'
version = {
    'version': '1.0.0', 'href': collection + 'versions/1.0.0/', 'namespace': {'name': 'acme'}, 'collection': {'name': 'tools'},
    'download_url': base + '/download/acme-tools-1.0.0.tar.gz', 'metadata': {'dependencies': {}}, 'signatures': [],
    'artifact': {'filename': 'acme-tools-1.0.0.tar.gz', 'sha256': hashlib.sha256(artifact).hexdigest(), 'size': len(artifact)},
}
answers = {
    '/api/': {'available_versions': {'v3': 'v3/'}, 'current_version': 'v3'},
    collection: {'name': 'tools', 'namespace': 'acme', 'highest_version': {'version': '1.0.0'}, 'created_at': '', 'updated_at': ''},
    collection + 'versions/': {'meta': {'count': 1}, 'links': {'next': None}, 'data': [version]},
    collection + 'versions/1.0.0/': version,
}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split('?')[0]
        if path.startswith('/download/'):
            return self.answer(200, artifact)
        if self.headers.get('Authorization') != 'Token ' + token:
            return self.answer(401, json.dumps({'code': 'unauthorized', 'message': 'no'}).encode())
        found = answers.get(path if path.endswith('/') else path + '/')
        self.answer(200 if found else 404, json.dumps(found or {}).encode())
    def answer(self, status, body):
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler).serve_forever()
";

struct GalaxyProcess(Child);

impl Drop for GalaxyProcess {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A server, its port, and the token that it asks for: another one in each test, which the others must not find.
fn start_galaxy(folder: &Path) -> (GalaxyProcess, u16, String) {
    let script = folder.join("galaxy.py");
    fs::write(&script, GALAXY).unwrap();
    let port = free_port();
    let token = format!("galaxy-token-2b7f91-{port}");
    let process = Command::new("python3")
        .arg(script)
        .args([&port.to_string(), &token])
        .arg(artifact())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let galaxy = GalaxyProcess(process);
    let deadline = Instant::now() + Duration::from_mins(1);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "the Galaxy server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    (galaxy, port, token)
}

/// A collection with a module, a filter and a role.
fn artifact() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/playbooks/corpus/galaxy-requirements/vendor/acme-tools-1.0.0.tar.gz")
}

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Uses a collection and a role; tries to write to where they lie, and to read what is beside.
const PLAYBOOK: &str = r#"
- hosts: all
  connection: local
  gather_facts: false
  vars:
    kept: "{{ lookup('ansible.builtin.config', 'DEFAULT_ROLES_PATH') | select('search', '/galaxy/') | first | dirname }}"
  roles: [packed]
  tasks:
    - acme.tools.dice: { sides: 6 }
      register: thrown
    - ansible.builtin.debug: { msg: "thrown {{ thrown.value }}" }
    - ansible.builtin.copy: { content: x, dest: "{{ kept }}/roles/planted" }
      ignore_errors: true
    - ansible.builtin.find: { paths: "{{ kept | dirname | dirname }}", file_type: any, hidden: true }
      register: beside
    - ansible.builtin.debug: { msg: "beside: {{ beside.files | map(attribute='path') | map('basename') | sort | join(' ') }}." }
"#;

fn write_project(folder: &Path) {
    write(folder, "site.yml", PLAYBOOK);
    fs::create_dir_all(folder.join("vendor")).unwrap();
    fs::copy(artifact(), folder.join("vendor/acme-tools-1.0.0.tar.gz")).unwrap();
    write(
        folder,
        "collections/requirements.yml",
        "collections:\n  - name: vendor/acme-tools-1.0.0.tar.gz\n    type: file\n",
    );
    write(
        folder,
        "roles/requirements.yml",
        "- name: packed\n  src: vendor/packed.tar.gz\n",
    );
    pack_role(folder, "dependencies: []\n", 0);
}

/// Puts `vendor/packed.tar.gz` into a project: a role with this at the end of its `meta/main.yml`, and a file of so many zeros.
fn pack_role(folder: &Path, meta: &str, zeros: u64) {
    let role = tempfile::tempdir().unwrap();
    write(
        role.path(),
        "packed/meta/main.yml",
        &format!("galaxy_info: {{ author: a, description: d, license: MIT }}\n{meta}"),
    );
    write(
        role.path(),
        "packed/tasks/main.yml",
        "- ansible.builtin.debug: { msg: from the packed role }\n",
    );
    fs::create_dir_all(folder.join("vendor")).unwrap();
    write(role.path(), "packed/files/zeros", "");
    let file = fs::File::options()
        .write(true)
        .open(role.path().join("packed/files/zeros"))
        .unwrap();
    file.set_len(zeros).unwrap();
    let packed = Command::new("tar")
        .arg("czSf")
        .arg(folder.join("vendor/packed.tar.gz"))
        .arg("-C")
        .arg(role.path())
        .arg("packed")
        .status()
        .unwrap();
    assert!(packed.success());
}

async fn requirements_of_the_package_are_installed_once(bin: &Path) {
    let server = AdmiralServer::start_with(bin).await;
    write_project(&server.folder.path().join("playbooks/shop"));
    server.add_local_servers(&["h1"]).await;
    let body = json!({"playbook": "project/shop/site.yml", "all": true, "options": {"allow_overlap": true}});
    let (first, second) = tokio::join!(
        server.post("/api/deployments", body.clone()),
        server.post("/api/deployments", body.clone()),
    );
    for deployment in [first, second] {
        let id = text(&deployment, "id");
        let deployment = server.wait_for_end(&id).await;
        let output = server.output(&id).await;
        assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
        for expected in ["from the packed role", "thrown "] {
            assert!(output.contains(expected), "{expected}: {output}");
        }
        assert_eq!(deployment["isolation"], "strict");
        assert!(output.contains("beside: galaxy runs."), "{output}");
        assert_eq!(
            server.log().matches("roles and collections were fetched").count(),
            1,
            "{}",
            server.log()
        );
        let kept = fs::read_dir(server.data.join("galaxy")).unwrap().flatten();
        let kept: Vec<PathBuf> = kept
            .map(|entry| entry.path())
            .filter(|path| path.join("used").exists())
            .collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert!(!kept[0].join("roles/planted").exists());
        assert!(!kept[0].join("project").exists() && !kept[0].join("home").exists());
    }
    // Without requirements nothing is looked at.
    let plain = server.add_playbook(
        "plain",
        "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks: []\n",
    );
    let deployment = server
        .post("/api/deployments", json!({"playbook": plain, "all": true}))
        .await;
    assert_eq!(
        server.wait_for_end(&text(&deployment, "id")).await["status"],
        "completed"
    );
    assert_eq!(server.log().matches("roles and collections were fetched").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_are_installed_once_by_the_newest_ansible() {
    requirements_of_the_package_are_installed_once(&ansible_bins()[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_are_installed_once_by_the_oldest_ansible() {
    requirements_of_the_package_are_installed_once(ansible_bins().last().unwrap()).await;
}

async fn refused(server: &AdmiralServer, body: &Value) -> String {
    let (status, problem) = server.request(Method::POST, "/api/deployments", Some(body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["field"], "playbook", "{problem}");
    text(&problem["errors"][0], "message")
}

async fn a_server_of_ones_own_is_asked(bin: &Path) {
    let server = AdmiralServer::start_with(bin).await;
    let folder = server.folder.path().join("playbooks/hub");
    write(
        &folder,
        "site.yml",
        "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n    - acme.tools.dice: { sides: 6 }\n",
    );
    write(
        &folder,
        "requirements.yml",
        "collections:\n  - name: acme.tools\n    version: '>=1.0.0'\n",
    );
    server.add_local_servers(&["h1"]).await;
    let body = json!({"playbook": "project/hub/site.yml", "all": true});

    let nowhere = json!({"name": "nowhere", "url": "http://127.0.0.1:1/"});
    let nowhere = server.post("/api/galaxy-servers", nowhere).await;
    let told = refused(&server, &body).await;
    for expected in [
        "requirements.yml asks for the collection acme.tools",
        "http://127.0.0.1:1 refuses connections",
    ] {
        assert!(told.contains(expected), "{told}");
    }

    let scratch = tempfile::tempdir().unwrap();
    let (_galaxy, port, token) = start_galaxy(scratch.path());
    let path = format!("/api/galaxy-servers/{}", text(&nowhere, "id"));
    let url = json!({"url": format!("http://127.0.0.1:{port}/"), "name": "hub", "token": "a-wrong-token"});
    let (status, changed) = server.request(Method::PATCH, &path, Some(&url)).await;
    assert_eq!(
        (status, &changed["has_token"]),
        (StatusCode::OK, &json!(true)),
        "{changed}"
    );
    let told = refused(&server, &body).await;
    assert!(
        told.contains(&format!("http://127.0.0.1:{port} did not accept the token")),
        "{told}"
    );

    let mut command = server.command();
    let updated = command
        .args(["galaxy-servers", "update", "hub", "--galaxy-token-env", "HUB_TOKEN"])
        .env("HUB_TOKEN", &token)
        .output()
        .unwrap();
    assert!(updated.status.success(), "{}", String::from_utf8_lossy(&updated.stderr));
    let launching = server.post("/api/deployments", body.clone());
    let watching = async {
        let mut seen = Vec::new();
        for _ in 0..40 {
            seen.extend(
                processes::mentioning(&token)
                    .into_values()
                    .map(|process| process.command),
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        seen
    };
    let (deployment, seen) = tokio::join!(launching, watching);
    let seen: Vec<String> = seen
        .into_iter()
        .filter(|command| !command.contains("galaxy.py"))
        .collect();
    assert!(seen.is_empty(), "the token is in the process table: {seen:?}");
    let id = text(&deployment, "id");
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(
        deployment["status"],
        "completed",
        "{deployment}\n{}",
        server.output(&id).await
    );
    // The servers are Admiral's, the signatures that are demanded the project's.
    write(&folder, "ours.gpg", "");
    for (keyring, reason) in [
        ("ours.gpg", "signature"),
        ("/etc/passwd", "[galaxy] gpg_keyring must name a file of the package"),
    ] {
        let demand = format!("[galaxy]\ngpg_keyring = {keyring}\nrequired_valid_signature_count = +1\n");
        write(&folder, "ansible.cfg", &demand);
        let told = refused(&server, &body).await;
        assert!(told.to_lowercase().contains(reason), "{told}");
    }
    for place in [
        server.log(),
        server.get("/api/audit").await.to_string(),
        server.get("/api/galaxy-servers").await.to_string(),
    ] {
        assert!(!place.contains(&token) && !place.contains("a-wrong-token"), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_ones_own_is_asked_by_the_newest_ansible() {
    a_server_of_ones_own_is_asked(&ansible_bins()[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_ones_own_is_asked_by_the_oldest_ansible() {
    a_server_of_ones_own_is_asked(ansible_bins().last().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_fetched_is_named_and_nothing_is_launched() {
    let server = AdmiralServer::start().await;
    let folder = server.folder.path().join("playbooks/away");
    write(&folder, "site.yml", "- hosts: all\n  tasks: []\n");
    server.add_local_servers(&["h1"]).await;
    let body = json!({"playbook": "project/away/site.yml", "all": true});
    // The project's own server is asked while Admiral has none.
    write(
        &folder,
        "ansible.cfg",
        "[galaxy]\nserver_list = own\n[galaxy_server.own]\nurl = http://127.0.0.1:1/own/\ntoken = of-the-project\n",
    );
    for (requirements, expected) in [
        (
            "- geerlingguy.nginx\n",
            vec!["the role geerlingguy.nginx", "http://127.0.0.1:1 refuses"],
        ),
        (
            "- name: gitted\n  src: https://127.0.0.1:1/x.git\n  scm: git\n",
            vec!["the role gitted", "https://127.0.0.1:1 refuses"],
        ),
        (
            "collections:\n- name: https://127.0.0.1:1/y.git\n  type: git\n",
            vec!["the collection https://127.0.0.1:1/y.git"],
        ),
        (
            "- src: git+file:///etc\n",
            vec!["an address of a git repository must not name files"],
        ),
        ("- src: ../../x.tar.gz\n", vec!["leads out of the package"]),
    ] {
        write(&folder, "requirements.yml", requirements);
        let told = refused(&server, &body).await;
        for expected in expected {
            assert!(told.contains(expected), "{requirements}: {told}");
        }
    }
    assert_eq!(server.get("/api/deployments").await["meta"]["total"], 0);
    let left = fs::read_dir(server.data.join("galaxy")).unwrap().flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name != "locks" && name != "ssh")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_roles_need_is_fetched_and_held_to_the_rules() {
    let repository = TestRepository::new("needed");
    repository.write("meta/main.yml", "dependencies: []\n");
    repository.write(
        "tasks/main.yml",
        "- ansible.builtin.debug: { msg: from the needed role }\n",
    );
    repository.commit("One");
    let host = HttpsHost::start(repository.root(), "", "");
    let mut server = AdmiralServer::start().await;
    server.kill();
    let authorities = server.data.join("authorities.pem");
    fs::copy(host.certificate(), &authorities).unwrap();
    let authorities = authorities.to_string_lossy().into_owned();
    server.start_again(&[("ADMIRAL_GIT_CA_FILE", &authorities)]).await;
    server.add_local_servers(&["h1"]).await;
    let folder = server.folder.path().join("playbooks/needs");
    write(
        &folder,
        "site.yml",
        "- hosts: all\n  connection: local\n  gather_facts: false\n  roles: [packed]\n",
    );
    write(
        &folder,
        "requirements.yml",
        "- name: packed\n  src: vendor/packed.tar.gz\n",
    );
    let body = json!({"playbook": "project/needs/site.yml", "all": true});
    for (dependency, reason) in [
        (
            "{ src: 'http://127.0.0.1:1/x.tar.gz', name: x.y }",
            "the role packed: http://127.0.0.1:1/x.tar.gz: only https is downloaded from",
        ),
        (
            "{ name: ../home/.config/git, src: 'https://127.0.0.1:1/x.tar.gz' }",
            "cannot be the name of a role",
        ),
        (
            "{ name: x.y, src: 'https://127.0.0.1:1/x.tar.gz' }",
            "a role that requirements.yml names asks for the role x.y",
        ),
    ] {
        pack_role(&folder, &format!("dependencies: [{dependency}]\n"), 0);
        let told = refused(&server, &body).await;
        assert!(told.contains(reason), "{dependency}: {told}");
    }
    let needed = format!(
        "dependencies: [{{ name: acme.needed, src: 'git+{}' }}]\n",
        host.url("needed.git")
    );
    pack_role(&folder, &needed, 0);
    let id = text(&server.post("/api/deployments", body.clone()).await, "id");
    let deployment = server.wait_for_end(&id).await;
    let output = server.output(&id).await;
    assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
    for expected in ["from the needed role", "from the packed role"] {
        assert!(output.contains(expected), "{expected}: {output}");
    }

    // A few kilobytes that unpack to more than a disk should have to take.
    pack_role(&folder, "dependencies: []\n", 1100 << 20);
    let told = refused(&server, &body).await;
    assert_eq!(told, "what requirements.yml asks for takes more than 1 GiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_on_the_projects_own_host_are_read_with_its_key() {
    let hosts = SshHosts::start();
    let server = AdmiralServer::start().await;
    let (key, public_key) = server.generate_key("deploy").await;
    hosts.authorize(&public_key);
    let role = TestRepository::new("private");
    role.write("meta/main.yml", "dependencies: []\n");
    role.write(
        "tasks/main.yml",
        "- ansible.builtin.debug: { msg: from the private role }\n",
    );
    role.commit("One");
    let playbook = "- hosts: all\n  connection: local\n  gather_facts: false\n  roles: [private]\n";
    let requirements = format!("- name: private\n  src: git+{}\n", role.ssh_url(&hosts));
    let site = TestRepository::new("site");
    site.write("site.yml", playbook);
    site.write("requirements.yml", &requirements);
    site.commit("One");
    server.add_local_servers(&["h1"]).await;
    let project = json!({"name": "site", "url": site.ssh_url(&hosts), "private_key_id": key});
    let project = server.post("/api/projects", project).await;
    let sync = format!("/api/projects/{}/sync", text(&project, "id"));
    let (status, synced) = server.request(Method::POST, &sync, None).await;
    assert_eq!((status, &synced["error"]), (StatusCode::OK, &Value::Null), "{synced}");

    // Nobody else has it.
    let other = server.folder.path().join("playbooks/other");
    write(&other, "site.yml", playbook);
    write(&other, "requirements.yml", &requirements);
    let told = refused(&server, &json!({"playbook": "project/other/site.yml", "all": true})).await;
    assert!(told.contains("Permission denied"), "{told}");

    let body = json!({"playbook": "project/site/site.yml", "all": true});
    let id = text(&server.post("/api/deployments", body).await, "id");
    let deployment = server.wait_for_end(&id).await;
    let output = server.output(&id).await;
    assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
    assert!(output.contains("from the private role"), "{output}");
}
