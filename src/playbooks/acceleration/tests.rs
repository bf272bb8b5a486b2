use super::*;
use serde_json::json;

fn files(files: &[(&str, &str)]) -> Vec<PlaybookFile> {
    files
        .iter()
        .map(|(path, content)| PlaybookFile {
            path: (*path).to_owned(),
            mode: 0o644,
            content: content.as_bytes().to_vec(),
        })
        .collect()
}

fn judge(playbook: &str) -> Vec<String> {
    obstacles(&files(&[("site/site.yml", playbook)]), "site/site.yml", &[], false)
}

#[test]
fn strategies() {
    for strategy in [
        "linear",
        "free",
        "host_pinned",
        "mitogen_free",
        "ansible.builtin.linear",
        "'{{ x }}'",
    ] {
        let playbook = format!("- hosts: all\n  strategy: {strategy}\n  tasks: []\n");
        assert_eq!(judge(&playbook), Vec::<String>::new(), "{strategy}");
    }
    for strategy in ["debug", "ansible.builtin.debug", "mine", "my.own.strategy"] {
        let found = judge(&format!(
            "- hosts: all\n- name: second\n  hosts: web\n  strategy: {strategy}\n"
        ));
        assert_eq!(
            found,
            [format!(
                "the play \"second\" has the strategy {strategy}, which Mitogen does not have"
            )]
        );
    }
}

#[test]
fn become_methods_count_where_somebody_becomes() {
    let play = |become_: &str| format!("- hosts: all\n  become_method: runas\n  {become_}\n  tasks: [ping: ]\n");
    assert_eq!(judge(&play("become: no")), Vec::<String>::new());
    for become_ in [
        "become: yes",
        "become: true",
        "become: '{{ x }}'",
        "vars: {ansible_become: true}",
    ] {
        let found = judge(&play(become_));
        assert_eq!(
            found,
            ["the play \"all\" becomes another user with runas; Mitogen can do sudo, su and doas"],
            "{become_}"
        );
    }
    // An unaccelerated play may do as it likes.
    assert_eq!(
        judge(&play("become: yes\n  strategy: ansible.builtin.free")),
        Vec::<String>::new()
    );
    let variables = json!({"ansible_become_method": "machinectl"});
    let given = [("web1".to_owned(), variables.as_object().unwrap())];
    let site = files(&[("site.yml", "- hosts: all\n")]);
    assert_eq!(obstacles(&site, "site.yml", &given, false), Vec::<String>::new());
    assert_eq!(
        obstacles(&site, "site.yml", &given, true),
        ["web1 becomes another user with machinectl; Mitogen can do sudo, su and doas"]
    );
}

#[test]
fn everything_that_a_playbook_leads_to_is_looked_into() {
    let method = "- name: deep\n  ping:\n  become: true\n  become_method: pbrun\n";
    let meta = "dependencies:\n  - role: common\n";
    for (playbook, other) in [
        (
            "- import_playbook: ../more.yml\n",
            ("more.yml", "- hosts: all\n  become: true\n  become_method: pbrun\n"),
        ),
        (
            "- hosts: all\n  roles: [web]\n",
            ("site/roles/web/tasks/main.yml", method),
        ),
        (
            "- hosts: all\n  roles: [{role: web}]\n",
            ("site/roles/web/handlers/main.yml", method),
        ),
        (
            "- hosts: all\n  roles: [my.own.web]\n",
            (
                "site/collections/ansible_collections/my/own/roles/web/tasks/x.yml",
                method,
            ),
        ),
        (
            "- hosts: all\n  tasks: [include_tasks: parts/a.yml]\n",
            ("site/parts/a.yml", method),
        ),
        (
            "- hosts: all\n  tasks: [ansible.builtin.import_tasks: {file: a.yml}]\n",
            ("site/a.yml", method),
        ),
        (
            "- hosts: all\n  tasks: [block: [include_role: {name: web}]]\n",
            ("site/roles/web/tasks/main.yml", method),
        ),
        (
            "- hosts: all\n  become: true\n",
            ("site/group_vars/all.yml", "ansible_become_method: pbrun\n"),
        ),
        (
            "- hosts: all\n  become: true\n  roles: [web]\n",
            ("site/roles/web/defaults/main.yml", "ansible_become_method: pbrun\n"),
        ),
    ] {
        let found = obstacles(
            &files(&[("site/site.yml", playbook), other]),
            "site/site.yml",
            &[],
            false,
        );
        assert_eq!(found.len(), 1, "{playbook}");
        assert!(found[0].contains("pbrun"), "{found:?}");
    }
    let chain = files(&[
        ("site.yml", "- hosts: all\n  roles: [web]\n"),
        ("roles/web/meta/main.yml", meta),
        ("roles/common/tasks/main.yml", "- include_tasks: more.yml\n"),
        ("roles/common/tasks/more.yml", method),
    ]);
    assert_eq!(obstacles(&chain, "site.yml", &[], false).len(), 1);
    // A role that the playbook does not use says nothing about it; a circle has an end.
    let others = files(&[
        (
            "site.yml",
            "- import_playbook: site.yml\n- hosts: all\n  tasks: [include_tasks: a.yml]\n",
        ),
        ("a.yml", "- include_tasks: a.yml\n"),
        ("roles/other/tasks/main.yml", method),
    ]);
    assert_eq!(obstacles(&others, "site.yml", &[], false), Vec::<String>::new());
}

#[test]
fn modules_of_the_oldest_style() {
    let library = (
        "site/library/mine.py",
        "#!/usr/bin/python\n#<<INCLUDE_ANSIBLE_MODULE_COMMON>>\nmain()\n",
    );
    let using = |task: &str| {
        obstacles(
            &files(&[
                ("site/site.yml", &format!("- hosts: all\n  tasks: [{task}]\n")),
                library,
            ]),
            "site/site.yml",
            &[],
            false,
        )
    };
    assert_eq!(using("mine: ").len(), 1);
    assert_eq!(using("ping: "), Vec::<String>::new());
}

#[test]
fn connections_through_others() {
    let found = judge("- hosts: all\n  vars: {mitogen_via: bastion}\n");
    assert!(found[0].contains("mitogen_via"), "{found:?}");
}

#[test]
fn what_is_no_playbook_is_ansibles_to_refuse() {
    for text in [
        "",
        "x: [",
        "- 1\n- hosts: all\n  tasks: 7\n  roles: {a: b}\n  strategy: [x]\n",
    ] {
        assert_eq!(judge(text), Vec::<String>::new(), "{text:?}");
    }
}
