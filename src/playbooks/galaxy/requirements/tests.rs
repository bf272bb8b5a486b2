use super::*;

fn file(path: &str, content: &str) -> PlaybookFile {
    PlaybookFile {
        path: path.to_owned(),
        mode: 0o644,
        content: content.as_bytes().to_vec(),
    }
}

fn find(content: &str, others: &[&str]) -> Result<Requirements, RequirementError> {
    let mut files: Vec<PlaybookFile> = others.iter().map(|path| file(path, "x")).collect();
    files.push(file("requirements.yml", content));
    let known = ServerAccess {
        name: "ours".to_owned(),
        url: "http://galaxy.example.org/".to_owned(),
        auth_url: None,
        token: None,
    };
    Requirements::find(&files, &[known])
}

fn names(found: &Requirements) -> (Vec<&str>, Vec<&str>) {
    let file = &found.files[0];
    (
        file.roles.iter().map(String::as_str).collect(),
        file.collections.iter().map(String::as_str).collect(),
    )
}

#[test]
fn both_forms_are_read() {
    let found = find(
        "- geerlingguy.nginx\n- src: geerlingguy.ntp\n  version: 1.0.0\n- git+https://example.org/acl.git,v1\n\
         - src: https://github.com/x/ansible-role\n  name: ours\n- name: vendored\n  src: vendor/role.tar.gz\n\
         - include: more.yml\n",
        &["vendor/role.tar.gz"],
    );
    assert_eq!(found.unwrap_err().problem, "\"more.yml\" is no file of the package");
    let found = find(
        "- geerlingguy.nginx\n- src: geerlingguy.ntp\n  version: 1.0.0\n- git+https://example.org/acl.git,v1\n\
         - src: https://github.com/x/ansible-role\n  name: ours\n- name: vendored\n  src: vendor/role.tar.gz\n",
        &["vendor/role.tar.gz"],
    )
    .unwrap();
    assert_eq!(
        names(&found),
        (
            vec!["geerlingguy.nginx", "geerlingguy.ntp", "acl", "ours", "vendored"],
            vec![]
        )
    );
    assert!(found.uses("vendor/role.tar.gz") && found.uses("requirements.yml") && !found.uses("site.yml"));
    let found = find(
        "roles: [a.b]\ncollections:\n- community.general\n- community.crypto:2.0.0\n- name: acme.web\n  source: ours\n\
         - name: acme.db\n  source: http://galaxy.example.org\n- name: ./local\n  type: dir\n\
         - name: git@example.org:x/y.git#/sub/,main\n- name: acme.z\n  source: https://example.org/z.git\n  type: git\n",
        &["local/galaxy.yml"],
    )
    .unwrap();
    let expected = vec![
        "community.general",
        "community.crypto",
        "acme.web",
        "acme.db",
        "./local",
        "git@example.org:x/y.git#/sub/,main",
        "acme.z",
    ];
    assert_eq!(names(&found), (vec!["a.b"], expected));
    assert!(found.uses("local/galaxy.yml") && !found.uses("local2/x"));
}

#[test]
fn included_files_count_as_requirements() {
    let files = [
        file("roles/requirements.yml", "- include: more.yml\n"),
        file("more.yml", "- geerlingguy.ntp\n"),
    ];
    let found = Requirements::find(&files, &[]).unwrap();
    assert_eq!(names(&found), (vec!["geerlingguy.ntp"], vec![]));
    assert!(found.uses("more.yml") && !found.uses("site.yml"));
}

#[test]
fn what_is_in_the_package_is_not_fetched() {
    let content = "roles: [ours]\ncollections: [acme.web]\n";
    let both = [
        "roles/ours/tasks/main.yml",
        "collections/ansible_collections/acme/web/galaxy.yml",
    ];
    assert!(find(content, &both).unwrap().is_empty());
    assert!(!find(content, &both[..1]).unwrap().is_empty());
    for nothing in ["", "---\n", "{}\n", "roles: []\n"] {
        assert!(find(nothing, &[]).unwrap().is_empty(), "{nothing:?}");
    }
    assert!(
        Requirements::find(&[file("x/requirements.yml", "- a.b\n")], &[])
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_must_not_be_fetched_is_refused() {
    for content in [
        "- src: hg+https://example.org/x\n",
        "- src: x\n  scm: hg\n",
        "- git+file:///etc\n",
        "- git+ext::sh -c id\n",
        "- src: --upload-pack=x\n  scm: git\n",
        "- src: http://example.org/x.tar.gz\n",
        "- src: file:///etc/passwd\n",
        "- src: /etc/x.tar.gz\n",
        "- src: ../x.tar.gz\n",
        "- src: a.b\n  name: ../../x\n",
        "- src: a.b\n  role: ../../x\n",
        "- src: a.b\n  role: ../../x\n  name: x\n",
        "- src: https://example.org/..,v1\n  scm: git\n",
        "- src: a.b\n  version: -x\n",
        "- include: /etc/passwd\n",
        "collections:\n- name: https://u@-x/y\n  type: git\n",
        "collections:\n- name: git+ssh://-oProxyCommand=x/y\n",
        "collections:\n- name: http://example.org/x.tar.gz\n  type: url\n",
        "collections:\n- name: acme.web\n  source: http://elsewhere.example.org\n",
        "collections:\n- name: /tmp/x\n  type: dir\n",
        "collections:\n- name: missing.tar.gz\n  type: file\n",
        "collections:\n- name: a.b\n  type: ext\n",
        "roles: [",
    ] {
        let error = find(content, &[]).expect_err(content);
        assert_eq!(error.path, "requirements.yml");
    }
}
