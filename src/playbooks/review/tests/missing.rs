use super::*;

const NONE: &[&str] = &[];

#[test]
fn broken_yaml_is_named_with_its_place() {
    let findings = review(&package(&[("site.yml", "- hosts: all\n  tasks:\n    - x: [\n")]), &[]);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].rule, "yaml");
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(findings[0].line.is_some() && findings[0].column.is_some());
    for (path, text, expected) in [
        ("group_vars/all", "a: b: c\n", "group_vars/all:1 error yaml"),
        ("host_vars/x.yml", "a: {{ b }}\n", "host_vars/x.yml:1 error yaml"),
        (
            "roles/r/tasks/main.yml",
            "- a: 'x\n",
            "roles/r/tasks/main.yml:1 error yaml",
        ),
        (
            "roles/r/defaults/main.yml",
            "a:\n\tb: 1\n",
            "roles/r/defaults/main.yml:2 error yaml",
        ),
        (
            "roles/r/meta/main.yml",
            "a: 1\n---\nb: 1\n",
            "roles/r/meta/main.yml:2 error yaml",
        ),
        ("requirements.yml", "a: @b\n", "requirements.yml:1 error yaml"),
        (
            "group_vars/all.yml",
            "a: 1\nb: 2\na: 3\n",
            "group_vars/all.yml:3 warning duplicate_key",
        ),
    ] {
        let files = [("site.yml", "- hosts: all\n  roles: []\n"), (path, text)];
        assert_eq!(found(&files), [expected], "{path}");
    }
    // What Ansible does not read is not judged, nor what it encrypted.
    for (path, text) in [
        ("deploy/service.yml", "a: 1\n---\nb: 1\n"),
        ("templates/x.yml", "a: {{ b }}\n"),
        ("roles/r/templates/x.yml", "a: {{ b }}\n"),
        ("roles/r/files/x.yml", "a: {{ b }}\n"),
        (".github/workflows/x.yml", "a: {{ b }}\n"),
        ("group_vars/README.md", "a: b: c"),
        ("group_vars/all.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n"),
        ("group_vars/all.json", "{\n\t\"a\": 1\n}\n"),
    ] {
        let files = [("site.yml", "- hosts: all\n  roles: []\n"), (path, text)];
        assert_eq!(found(&files), NONE, "{path}");
    }
    let files = [PlaybookFile {
        path: "site.yml".to_owned(),
        mode: 0o644,
        content: b"- hosts: all\n  name: \xff\n".to_vec(),
    }];
    let entries = ["site.yml".to_owned()];
    assert_eq!(shown(&review(&files, &entries)), ["site.yml:2 error yaml"]);
}

#[test]
fn what_is_no_playbook() {
    for (text, expected) in [
        ("hosts: all\n", "site.yml:1 error playbook"),
        ("- hosts: all\n- tasks: []\n", "site.yml:2 error playbook"),
        ("- hosts: all\n- x\n", "site.yml:2 error playbook"),
        ("- hosts: all\n  tasks:\n    - x\n", "site.yml:3 error playbook"),
    ] {
        let entries = ["site.yml".to_owned()];
        assert_eq!(
            shown(&review(&package(&[("site.yml", text)]), &entries)),
            [expected],
            "{text}"
        );
    }
    assert_eq!(shown(&review(&[], &["x.yml".to_owned()])), ["x.yml error missing_file"]);
}

#[test]
fn roles() {
    let missing = "- hosts: all\n  roles:\n    - web\n";
    assert_eq!(found(&[("site.yml", missing)]), ["site.yml:3 error missing_role"]);
    for (text, line, severity) in [
        ("- hosts: all\n  roles:\n    - role: web\n", 3, "error"),
        ("- hosts: all\n  roles:\n    - {name: web}\n", 3, "error"),
        (
            "- hosts: all\n  tasks:\n    - import_role:\n        name: web\n",
            4,
            "error",
        ),
        (
            "- hosts: all\n  tasks:\n    - ansible.builtin.include_role: {name: web}\n",
            3,
            "warning",
        ),
        ("- hosts: all\n  tasks:\n    - include_role: name=web\n", 3, "warning"),
    ] {
        let expected = format!("site.yml:{line} {severity} missing_role");
        assert_eq!(found(&[("site.yml", text)]), [expected], "{text}");
        let present = [("site.yml", text), ("roles/web/tasks/main.yml", "- ping:\n")];
        assert_eq!(found(&present), NONE, "{text}");
    }
    for (path, text) in [
        ("roles/web/tasks/main.yml", ""),
        ("roles/web/templates/x", ""),
        ("web/tasks/main.yml", ""),
        ("requirements.yml", "- name: web\n  src: https://x/y.tar.gz\n"),
        ("requirements.yml", "roles: [{src: 'https://x/web.git', version: v1}]\n"),
        ("roles/requirements.yml", "roles: [{name: web, version: '1'}]\n"),
    ] {
        assert_eq!(found(&[("site.yml", missing), (path, text)]), NONE, "{path}: {text}");
    }
    let configured = [
        ("site.yml", missing),
        ("ansible.cfg", "[defaults]\nroles_path = vendor:shared/roles\n"),
        ("shared/roles/web/tasks/main.yml", "- ping:\n"),
    ];
    assert_eq!(found(&configured), NONE);
    assert_eq!(
        found(&[
            ("site.yml", missing),
            ("ansible.cfg", "[other]\nroles_path = ~/roles\n")
        ]),
        ["site.yml:3 error missing_role"]
    );
    assert_eq!(
        found(&[
            ("site.yml", missing),
            ("ansible.cfg", "[defaults]\nroles_path=~/roles\n")
        ]),
        NONE
    );
    assert_eq!(found(&[("site.yml", "- hosts: all\n  roles: ['{{ x }}']\n")]), NONE);
    let below = [
        ("playbooks/site.yml", missing),
        ("playbooks/roles/web/tasks/main.yml", "- ping:\n"),
    ];
    assert_eq!(found(&below), NONE);
}

#[test]
fn roles_of_roles() {
    let files = [
        ("site.yml", "- hosts: all\n  roles: [web]\n"),
        (
            "roles/web/meta/main.yml",
            "dependencies:\n  - role: common\n  - nowhere\n",
        ),
        (
            "roles/common/tasks/main.yml",
            "- include_role:\n    name: lost\n- shell: rm -rf /etc\n",
        ),
        ("roles/common/handlers/main.yml", "- name: x\n  shell: rm -rf /etc\n"),
        ("roles/unused/tasks/main.yml", "- shell: rm -rf /etc\n"),
    ];
    let expected = [
        "roles/common/handlers/main.yml:2 warning destructive_command",
        "roles/common/tasks/main.yml:2 warning missing_role",
        "roles/common/tasks/main.yml:3 warning destructive_command",
        "roles/web/meta/main.yml:3 error missing_role",
    ];
    assert_eq!(shown(&review(&package(&files), &["site.yml".to_owned()])), expected);
    assert_eq!(
        found(&files).len(),
        expected.len() + 1,
        "without entries everything is looked at"
    );
}

#[test]
fn collections() {
    for (task, expected) in [
        (
            "community.general.ufw: {rule: allow}",
            vec!["site.yml:4 note missing_collection"],
        ),
        ("ansible.builtin.ping: ", vec![]),
        ("ansible.legacy.ping: ", vec![]),
        ("my.own.thing: ", vec![]),
        ("needed.one.thing: ", vec![]),
        ("mine: ", vec![]),
        ("include_role: {name: my.own.there}", vec![]),
        (
            "include_role: {name: my.own.nowhere}",
            vec!["site.yml:4 warning missing_role"],
        ),
        (
            "include_role: {name: other.one.role}",
            vec!["site.yml:4 note missing_collection"],
        ),
    ] {
        let text = format!("- hosts: all\n  tasks:\n    - name: x\n      {task}\n    - name: y\n      {task}\n");
        let files = [
            ("site.yml", text.as_str()),
            ("collections/ansible_collections/my/own/plugins/modules/thing.py", ""),
            (
                "collections/ansible_collections/my/own/roles/there/tasks/main.yml",
                "- ping:\n",
            ),
            (
                "collections/requirements.yml",
                "collections:\n  - name: needed.one\n    version: '1'\n",
            ),
            ("library/mine.py", ""),
        ];
        let mut found = found(&files);
        found.retain(|line| !line.contains(":6 "));
        assert_eq!(found, expected, "{task}");
    }
    let play = "- hosts: all\n  collections:\n    - community.docker\n    - ansible.builtin\n";
    assert_eq!(found(&[("site.yml", play)]), ["site.yml:3 note missing_collection"]);
    let by_address = "collections:\n  - name: https://x/y.git\n    type: git\n    version: v1\n";
    assert_eq!(found(&[("site.yml", play), ("requirements.yml", by_address)]), NONE);
    let short = "- hosts: all\n  collections: [my.own]\n  roles: [there]\n";
    let files = [
        ("site.yml", short),
        (
            "collections/ansible_collections/my/own/roles/there/tasks/main.yml",
            "- ping:\n",
        ),
    ];
    assert_eq!(found(&files), NONE);
}

#[test]
fn requirements_are_pinned() {
    let text = "roles:\n  - src: https://x/a.git\n  - name: b\n    src: git@x:b.git\n    version: main\n  - geerlingguy.java\n\
                collections:\n  - a.b\n  - a.c:1.0\n  - name: a.d\n    version: '>=1'\n  - {name: a.e, version: '*'}\n";
    assert_eq!(
        found(&[("requirements.yml", text)]),
        [
            "requirements.yml:2 warning unpinned",
            "requirements.yml:3 warning unpinned",
            "requirements.yml:6 note unpinned",
            "requirements.yml:8 note unpinned",
            "requirements.yml:12 note unpinned",
        ]
    );
}

#[test]
fn files() {
    for (play, expected) in [
        ("- import_playbook: other.yml\n", Some("site.yml:1 error missing_file")),
        ("- ansible.builtin.import_playbook: there.yml\n", None),
        ("- import_playbook: '{{ x }}.yml'\n", None),
        ("- import_playbook: a.b.c\n", None),
        (
            "- hosts: all\n  vars_files:\n    - no.yml\n",
            Some("site.yml:3 error missing_file"),
        ),
        ("- hosts: all\n  vars_files:\n    - there.yml\n", None),
        ("- hosts: all\n  vars_files:\n    - [no.yml, there.yml]\n", None),
        (
            "- hosts: all\n  vars_files:\n    - [no.yml, neither.yml]\n",
            Some("site.yml:3 error missing_file"),
        ),
        ("- hosts: all\n  vars_files:\n    - ['{{ x }}.yml', no.yml]\n", None),
        ("- hosts: all\n  vars_files: /etc/x.yml\n", None),
        (
            "- hosts: all\n  tasks:\n    - include_tasks: no.yml\n",
            Some("site.yml:3 warning missing_file"),
        ),
        (
            "- hosts: all\n  tasks:\n    - import_tasks:\n        file: no.yml\n",
            Some("site.yml:4 error missing_file"),
        ),
        ("- hosts: all\n  tasks:\n    - include_tasks: tasks/there.yml\n", None),
        (
            "- hosts: all\n  tasks:\n    - include_tasks: '{{ x }}'\n",
            Some("site.yml:3 note not_reviewed"),
        ),
        (
            "- hosts: all\n  tasks:\n    - template: src=no.j2 dest=/x\n",
            Some("site.yml:3 warning missing_file"),
        ),
        ("- hosts: all\n  tasks:\n    - template: src=there.j2 dest=/x\n", None),
        (
            "- hosts: all\n  tasks:\n    - template: src=templates/there.j2 dest=/x\n",
            None,
        ),
        (
            "- hosts: all\n  tasks:\n    - template: src=./templates/there.j2 dest=/x\n",
            None,
        ),
        (
            "- hosts: all\n  tasks:\n    - copy: src=no dest=/x\n",
            Some("site.yml:3 warning missing_file"),
        ),
        ("- hosts: all\n  tasks:\n    - copy: src=there dest=/x\n", None),
        ("- hosts: all\n  tasks:\n    - copy: src=there/ dest=/x\n", None),
        ("- hosts: all\n  tasks:\n    - copy: src=/no dest=/x\n", None),
        (
            "- hosts: all\n  tasks:\n    - copy: src=no dest=/x remote_src=yes\n",
            None,
        ),
        ("- hosts: all\n  tasks:\n    - copy: src={{ x }} dest=/x\n", None),
        ("- hosts: all\n  tasks:\n    - copy: {content: x, dest: /x}\n", None),
        (
            "- hosts: all\n  tasks:\n    - script: no.sh --x\n",
            Some("site.yml:3 warning missing_file"),
        ),
        ("- hosts: all\n  tasks:\n    - script: run.sh --x\n", None),
        (
            "- hosts: all\n  tasks:\n    - unarchive: src=no.tgz dest=/x\n",
            Some("site.yml:3 warning missing_file"),
        ),
        (
            "- hosts: all\n  tasks:\n    - include_vars: no.yml\n",
            Some("site.yml:3 warning missing_file"),
        ),
        ("- hosts: all\n  tasks:\n    - include_vars: there.yml\n", None),
        ("- hosts: all\n  tasks:\n    - include_vars: {dir: vars}\n", None),
    ] {
        let files = [
            ("site.yml", play),
            ("there.yml", "- hosts: all\n"),
            ("tasks/there.yml", "- ping:\n"),
            ("vars/there.yml", "a: 1\n"),
            ("templates/there.j2", ""),
            ("files/there/x", ""),
            ("files/run.sh", ""),
        ];
        assert_eq!(found(&files[..]), expected.into_iter().collect::<Vec<_>>(), "{play}");
    }
}

#[test]
fn files_of_roles() {
    let tasks = "- template: src=a.j2 dest=/x\n- copy: src=sub/b dest=/x\n- include_tasks: c.yml\n- include_tasks: sub/d.yml\n- script: e.sh\n";
    let all = [
        ("site.yml", "- hosts: all\n  roles: [web]\n"),
        ("roles/web/tasks/main.yml", tasks),
        ("roles/web/templates/a.j2", ""),
        ("roles/web/files/sub/b", ""),
        ("roles/web/tasks/c.yml", "- ping:\n"),
        (
            "roles/web/tasks/sub/d.yml",
            "- include_tasks: e.yml\n- include_tasks: sub/e.yml\n- copy: src=sub/b dest=/y\n",
        ),
        ("roles/web/tasks/sub/e.yml", ""),
        ("files/e.sh", ""),
    ];
    assert_eq!(found(&all), NONE);
    assert_eq!(
        found(&all[..2]),
        [
            "roles/web/tasks/main.yml:1 warning missing_file",
            "roles/web/tasks/main.yml:2 warning missing_file",
            "roles/web/tasks/main.yml:3 warning missing_file",
            "roles/web/tasks/main.yml:4 warning missing_file",
            "roles/web/tasks/main.yml:5 warning missing_file",
        ]
    );
    // A role finds the files of the role that it is a dependency of.
    let shared = [
        ("site.yml", "- hosts: all\n  roles: [web]\n"),
        ("roles/web/meta/main.yml", "dependencies: [base]\n"),
        ("roles/web/templates/a.j2", ""),
        (
            "roles/base/tasks/main.yml",
            "- template: {src: a.j2, dest: /x}\n- template: {src: b.j2, dest: /x}\n",
        ),
        ("roles/other/templates/b.j2", ""),
    ];
    assert_eq!(found(&shared), ["roles/base/tasks/main.yml:2 warning missing_file"]);
    let from = [
        (
            "site.yml",
            "- hosts: all\n  tasks:\n    - include_role:\n        name: web\n        tasks_from: x\n    - include_role: {name: web, tasks_from: y.yml}\n",
        ),
        ("roles/web/tasks/y.yml", "- ping:\n"),
    ];
    assert_eq!(found(&from), ["site.yml:5 warning missing_file"]);
}

#[test]
fn names_with_spaces_and_a_package_that_is_a_role() {
    let files = [
        ("all.yml", "- import_playbook: the site.yml\n"),
        (
            "the site.yml",
            "- hosts: all\n  tasks:\n    - include_tasks: tasks/some more.yml\n    - script: '\"files/a b.sh\" --x'\n",
        ),
        ("tasks/some more.yml", "- shell: rm -rf /etc\n"),
        ("files/a b.sh", ""),
    ];
    assert_eq!(found(&files), ["tasks/some more.yml:1 warning destructive_command"]);
    let files = [
        ("meta/main.yml", "dependencies: []\n"),
        (
            "tasks/main.yml",
            "- template: {src: a.j2, dest: /x}\n- include_tasks: more.yml\n",
        ),
        ("tasks/more.yml", "- shell: rm -rf /etc\n"),
        ("templates/a.j2", ""),
        ("tests/test.yml", "- hosts: all\n  roles: [me]\n"),
    ];
    assert_eq!(found(&files), ["tasks/more.yml:1 warning destructive_command"]);
    let may_fail = "- hosts: all\n  tasks:\n    - copy: src=no dest=/x\n      ignore_errors: true\n";
    assert_eq!(found(&[("site.yml", may_fail)]), NONE);
}

#[test]
fn included_files_are_scanned_once_each() {
    let files = [
        (
            "site.yml",
            "- import_playbook: sub/more.yml\n- import_playbook: sub/more.yml\n",
        ),
        (
            "sub/more.yml",
            "- hosts: all\n  tasks:\n    - include_tasks: a.yml\n    - include_tasks: 'b-{{ x }}.yml'\n",
        ),
        ("sub/a.yml", "- include_tasks: a.yml\n- shell: rm -rf /etc\n"),
        ("sub/b-1.yml", "- shell: rm -rf /etc\n"),
        ("sub/notes.yml", "a: 1\n---\nb\n"),
    ];
    let expected = [
        "sub/a.yml:2 warning destructive_command",
        "sub/b-1.yml:1 warning destructive_command",
    ];
    assert_eq!(shown(&review(&package(&files), &["site.yml".to_owned()])), expected);
}

#[test]
fn what_an_expression_may_name_is_looked_into_or_named() {
    let site = "- hosts: all\n  tasks:\n    - include_tasks: '{{ playbook_dir }}/more.yml'\n    - include_tasks: '{{ x }}'\n    \
                - include_tasks: sealed.yml\n- import_playbook: '{{ y }}.yml'\n";
    let files = [
        ("site.yml", site),
        ("more.yml", "- shell: rm -rf /etc\n"),
        ("sealed.yml", "$ANSIBLE_VAULT;1.1;AES256\n61\n"),
        ("other.yml", "- hosts: all\n  tasks:\n    - shell: rm -rf /usr\n"),
    ];
    let expected = [
        "more.yml:1 warning destructive_command",
        "other.yml:3 warning destructive_command",
        "sealed.yml note not_reviewed",
        "site.yml:4 note not_reviewed",
    ];
    assert_eq!(shown(&review(&package(&files), &["site.yml".to_owned()])), expected);
}

#[test]
fn variables_that_hosts_need() {
    const HIT: &[&str] = &["site.yml:1 warning undefined_variable"];
    for (play, expected) in [
        ("- hosts: '{{ target }}'\n", HIT),
        ("- hosts: ['{{ target }}', web]\n", HIT),
        ("- hosts: \"{{ target | default('all') }}\"\n", NONE),
        ("- hosts: \"{{ groups['web'] }}\"\n", NONE),
        ("- hosts: '{{ target }}'\n  vars: {target: web}\n", NONE),
        ("- hosts: '{{ target }}'\n  vars_prompt: [{name: target}]\n", NONE),
        ("- hosts: '{{ fromfile }}'\n  vars_files: [vars.yml]\n", NONE),
        ("- hosts: '{{ other }}'\n  vars_files: [vars.yml]\n", HIT),
        ("- hosts: '{{ target }}'\n  vars_files: ['{{ x }}.yml']\n", NONE),
        ("- hosts: target\n", NONE),
    ] {
        assert_eq!(
            found(&[("site.yml", play), ("vars.yml", "fromfile: x\n")]),
            expected,
            "{play}"
        );
    }
    let play = ("site.yml", "- hosts: '{{ target }}'\n");
    assert_eq!(
        found(&[play, ("site.form.yml", "fields:\n  - name: target\n    type: text\n")]),
        NONE
    );
    assert_eq!(
        found(&[play, ("site.form.yml", "fields:\n  - name: other\n    type: text\n")]),
        ["site.form.yml note unused_field", HIT[0]]
    );
    let imported = [
        ("all.yml", "- import_playbook: site.yml\n  vars: {target: web}\n"),
        play,
    ];
    assert_eq!(shown(&review(&package(&imported), &["all.yml".to_owned()])), NONE);
}

#[test]
fn variables_that_nothing_defines() {
    let site = "- hosts: all\n  vars: {a: 1}\n  vars_prompt: [{name: asked}]\n  roles: [web]\n  tasks:\n    - debug:\n        msg: \"{{ a }} {{ asked }} \
                {{ answer }} {{ x }} {{ y | default(1) }} {{ ansible_host }} {{ item.z }} {{ inventory_hostname }}\"\n    - command: id\n      \
                register: result\n      when: switch and result.rc == 0\n    - set_fact: made=1\n    - debug: var=made\n    - debug:\n        \
                msg: '{{ made }}{{ option }}{{ from_group }}{{ own_fact }}'\n      when: maybe is defined and maybe\n    - debug:\n        msg: !unsafe '{{ never }}'\n";
    let files = [
        ("site.yml", site),
        (
            "site.form.yml",
            "fields:\n  - {name: answer, type: text}\n  - {name: useless, type: text}\n",
        ),
        ("group_vars/all.yml", "from_group: 1\n"),
        ("library/facts.py", "EXIT = {'own_fact': 1}\n"),
        ("README.md", "x is the thing\n"),
        ("roles/web/defaults/main.yml", "port: 80\n"),
        (
            "roles/web/meta/argument_specs.yml",
            "argument_specs: {main: {options: {option: {type: str}}}}\n",
        ),
        ("roles/web/tasks/main.yml", "- template: {src: a.j2, dest: /x}\n"),
        (
            "roles/web/templates/a.j2",
            "{# {{ no }} #}\n{% for host in hosts_of %}{{ host }}:{{ port }}{% endfor %}\n{% set local = 1 %}{{ local }}\n",
        ),
    ];
    let findings = review(&package(&files), &["site.yml".to_owned()]);
    let told: Vec<String> = findings
        .iter()
        .map(|finding| format!("{}:{} {}", finding.path, finding.line.unwrap_or(0), finding.message))
        .collect();
    let missing = |name: &str| {
        format!("nothing in the package gives {name} a value: a server, an environment or the launch has to")
    };
    assert_eq!(
        told,
        [
            format!("roles/web/templates/a.j2:2 {}", missing("hosts_of")),
            "site.form.yml:0 the form asks for useless, which nothing in the package uses".to_owned(),
            format!("site.yml:7 {}", missing("x")),
            format!("site.yml:10 {}", missing("switch")),
        ]
    );
    // What comes from elsewhere may define anything.
    let with_roles = [
        &files[..],
        &[(
            "roles/requirements.yml",
            "- src: https://example.org/x.git\n  version: v1\n  name: x\n",
        )],
    ]
    .concat();
    let findings = review(&package(&with_roles), &["site.yml".to_owned()]);
    assert!(findings.iter().all(|finding| finding.rule != "undefined_variable"));
}
