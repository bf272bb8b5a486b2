//! A project as careful people write it brings up nothing at all.

use super::*;

const FILES: &[(&str, &str)] = &[
    ("ansible.cfg", "[defaults]\nroles_path = roles\nforks = 20\n"),
    ("README.md", "# Shop\n\nNever run `rm -rf /` or `curl x | sh`.\n"),
    (
        "requirements.yml",
        "---\nroles:\n  - name: ntp\n    src: https://example.org/ntp.git\n    version: v2.1.0\ncollections:\n  - name: community.general\n    version: 9.1.0\n  - ansible.posix:1.6.0\n",
    ),
    (
        "site.yml",
        "---\n# The whole shop.\n- import_playbook: web.yml\n- name: Databases\n  hosts: \"{{ target | default('db') }}\"\n  become: true\n  vars_files:\n    - vars/common.yml\n    - [\"vars/{{ ansible_facts.os_family }}.yml\", vars/default.yml]\n  roles:\n    - role: postgresql\n      tags: [db]\n    - ntp\n",
    ),
    (
        "web.yml",
        r#"- name: Web servers
  hosts: web:&production
  become: yes
  vars_prompt:
    - name: release
      prompt: Which release?
      private: no
  pre_tasks:
    - name: Say what this is about (and never rm -rf / by hand)
      ansible.builtin.debug:
        msg: "Release {{ release }}; `rm -rf /etc`, /etc/shadow and curl | sh are only words here"
  roles: [nginx]
  tasks:
    - name: Wait for the port
      ansible.builtin.wait_for: port=80 host={{ inventory_hostname }}
      delegate_to: localhost
    - include_tasks: "tasks/{{ ansible_facts.os_family | lower }}.yml"
    - name: Check the answer
      ansible.builtin.uri:
        url: "https://{{ inventory_hostname }}/health"
        return_content: true
      register: answer
      until: answer.status == 200
      retries: 5
  handlers:
    - name: Reload
      ansible.builtin.service: {name: nginx, state: reloaded}
"#,
    ),
    (
        "tasks/debian.yml",
        "- name: Packages\n  ansible.builtin.apt:\n    name: [curl, rsync]\n    state: present\n    update_cache: true\n",
    ),
    ("vars/common.yml", "retention_days: 30\n"),
    ("vars/default.yml", "package: postgresql\n"),
    (
        "group_vars/all.yml",
        "dns: [192.0.2.1]\ndb_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n",
    ),
    ("group_vars/web/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n"),
    ("host_vars/db1.example.org.yml", "role: primary\n"),
    (
        "roles/nginx/tasks/main.yml",
        r#"- name: Install
  ansible.builtin.package: {name: nginx, state: present}
- name: Configure
  ansible.builtin.template:
    src: nginx.conf.j2
    dest: /etc/nginx/nginx.conf
    mode: "0644"
  notify: Restart nginx
- name: Page
  ansible.builtin.copy:
    src: www/
    dest: /var/www/
- name: Old releases go
  ansible.builtin.shell: |
    set -euo pipefail
    # never: rm -rf /
    cd /var/www/releases
    ls -1t | tail -n +6 | xargs -r rm -rf --
  args:
    executable: /bin/bash
  changed_when: false
- name: The file
  ansible.builtin.get_url:
    url: https://example.org/tool.tar.gz
    dest: /opt/tool.tar.gz
    checksum: sha256:0000000000000000000000000000000000000000000000000000000000000000
- name: The source
  ansible.builtin.git:
    repo: https://example.org/tool.git
    dest: /opt/tool
    version: "{{ tool_version }}"
- name: Firewall
  community.general.ufw: {rule: allow, port: "443"}
- name: Certificate
  ansible.builtin.copy:
    content: "{{ tls_private_key }}"
    dest: /etc/ssl/private/site.key
    mode: "0600"
  no_log: true
- import_tasks: more.yml
"#,
    ),
    (
        "roles/nginx/tasks/more.yml",
        "- block:\n    - name: Health\n      ansible.builtin.command: nginx -t\n      changed_when: false\n  rescue:\n    - ansible.builtin.fail:\n        msg: nginx does not like its configuration\n",
    ),
    (
        "roles/nginx/handlers/main.yml",
        "- name: Restart nginx\n  service: name=nginx state=restarted\n",
    ),
    (
        "roles/nginx/templates/nginx.conf.j2",
        "{% for x in y %}{{ x }}{% endfor %}\n",
    ),
    ("roles/nginx/files/www/index.html", "<p>\n"),
    ("roles/nginx/defaults/main.yml", "tool_version: v1.4.2\n"),
    (
        "roles/nginx/meta/main.yml",
        "galaxy_info: {author: x}\ndependencies: []\n",
    ),
    (
        "roles/postgresql/meta/main.yml",
        "dependencies:\n  - role: common\n    when: x is defined\n",
    ),
    (
        "roles/postgresql/tasks/main.yml",
        r#"- name: User
  community.general.mysql_user:
    name: shop
    password: "{{ db_password }}"
  no_log: true
- name: Backup
  ansible.builtin.cron:
    name: backup
    minute: "0"
    job: 'pg_dump shop | gzip > "/var/backups/shop-$(date +\%F).gz" 2>/dev/null'
- name: Which version
  ansible.builtin.shell: psql --version | awk '{print $3}' | cut -d. -f1
  register: version
- own_module:
    password_file: /etc/app/password
- name: Key
  ansible.posix.authorized_key:
    user: app
    key: "{{ lookup('file', 'keys/app.pub') }}"
"#,
    ),
    ("roles/common/tasks/main.yml", "- ansible.builtin.setup:\n"),
    ("library/own_module.py", "#!/usr/bin/python\n"),
    (".github/workflows/ci.yml", "on: push\njobs: {x: ${{ y }}}\n"),
    ("molecule/default/converge.yml", "- hosts: all\n  roles: [nowhere]\n"),
    ("deploy/kubernetes.yml", "kind: Service\n---\nkind: Deployment\n"),
];

#[test]
fn it_brings_up_nothing() {
    assert_eq!(found(FILES), Vec::<String>::new());
    let entries = ["site.yml".to_owned()];
    assert_eq!(shown(&review(&package(FILES), &entries)), Vec::<String>::new());
}

#[test]
fn the_order_of_files_and_line_ends_change_nothing() {
    let crlf: Vec<(&str, String)> = FILES
        .iter()
        .rev()
        .map(|(path, text)| (*path, text.replace('\n', "\r\n")))
        .collect();
    let crlf: Vec<(&str, &str)> = crlf.iter().map(|(path, text)| (*path, text.as_str())).collect();
    assert_eq!(found(&crlf), Vec::<String>::new());
    let hit = [(
        "site.yml",
        "\u{feff}- hosts: all\r\n  tasks:\r\n    - shell: |\r\n        true\r\n        rm -rf /etc\r\n",
    )];
    assert_eq!(found(&hit), ["site.yml:5 warning destructive_command"]);
}
