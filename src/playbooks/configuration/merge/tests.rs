use super::*;

fn files(configuration: &str, others: &[&str]) -> Vec<PlaybookFile> {
    let file = |path: &str, content: &str| PlaybookFile {
        path: path.to_owned(),
        mode: 0o644,
        content: content.as_bytes().to_vec(),
    };
    let mut files: Vec<PlaybookFile> = others.iter().map(|path| file(path, "x")).collect();
    files.push(file("ansible.cfg", configuration));
    files
}

fn ours() -> Ours {
    Ours {
        project: "/run/project".into(),
        callback: Some(("admiral_events", "/run/callbacks".into())),
        settings: vec![("ssh_connection", "ssh_args", "-C".to_owned())],
        defaults: vec![
            ("defaults", "timeout", "30".to_owned()),
            ("ssh_connection", "pipelining", "True".to_owned()),
        ],
        ..Ours::default()
    }
}

fn merged(configuration: &str, others: &[&str]) -> Merged {
    let terms = Terms {
        forks: Some(50),
        accelerated: false,
        galaxy_servers: false,
    };
    merge(&files(configuration, others), terms, &ours()).expect("it is read")
}

fn overridden(merged: &Merged) -> Vec<(&str, &str, &str)> {
    merged
        .overridden
        .iter()
        .map(|setting| (setting.section.as_str(), setting.key.as_str(), setting.value.as_str()))
        .collect()
}

#[test]
fn without_a_configuration_there_is_ours() {
    let merged = merge(&[], Terms::default(), &ours()).expect("nothing to read");
    let ini = Ini::parse(merged.text.as_bytes()).expect("it is read");
    assert_eq!(ini.get("defaults", "callbacks_enabled"), Some("admiral_events"));
    assert_eq!(
        ini.get("defaults", "roles_path"),
        Some("/run/project/roles:/usr/share/ansible/roles:/etc/ansible/roles")
    );
    assert_eq!(ini.get("ssh_connection", "pipelining"), Some("True"));
    assert_eq!(merged.overridden, []);
}

#[test]
fn what_is_ours_is_taken_out_and_named() {
    let merged = merged(
        "[defaults]\ninventory = hosts.ini\nprivate_key_file = ~/.ssh/id\nhost_key_checking = False\nforks = 5\n\
         retry_files_enabled = no\nask_pass = yes\nnocolor = 0\nlog_path =\nstrategy = mitogen_linear\ntransport = paramiko\n\
         [privilege_escalation]\nbecome = True\nbecome_ask_pass = True\n\
         [ssh_connection]\nssh_args = -o ProxyJump=bastion\ncontrol_path = %(directory)s/%%h\npipelining = False\n",
        &[],
    );
    assert_eq!(
        overridden(&merged),
        [
            ("defaults", "inventory", "hosts.ini"),
            ("defaults", "private_key_file", "~/.ssh/id"),
            ("defaults", "host_key_checking", "False"),
            ("ssh_connection", "ssh_args", "-o ProxyJump=bastion"),
            ("ssh_connection", "control_path", "%(directory)s/%%h"),
            ("defaults", "ask_pass", "yes"),
            ("privilege_escalation", "become_ask_pass", "True"),
            ("defaults", "strategy", "mitogen_linear"),
            ("defaults", "transport", "paramiko"),
            ("defaults", "forks", "5"),
        ]
    );
    let ini = Ini::parse(merged.text.as_bytes()).expect("it is read");
    assert_eq!(ini.get("ssh_connection", "ssh_args"), Some("-C"));
    assert_eq!(ini.get("ssh_connection", "pipelining"), Some("False"));
    assert_eq!(ini.get("privilege_escalation", "become"), Some("True"));
    for (section, key) in [
        ("defaults", "inventory"),
        ("defaults", "strategy"),
        ("ssh_connection", "control_path"),
    ] {
        assert_eq!(ini.get(section, key), None);
    }
}

#[test]
fn lists_are_joined_and_what_is_theirs_holds() {
    let merged = merged(
        "[defaults]\nroles_path = ./my-roles\ncollections_paths = ./cc\ncallback_whitelist = timer, profile_tasks\n\
         callback_plugins = ./plugins/callback\nstdout_callback = mine\ntimeout = 5\nforks = 50\nfact_caching = jsonfile\n\
         pipelining = no\n[inventory]\nenable_plugins = yaml, ini, script\n",
        &[],
    );
    let ini = Ini::parse(merged.text.as_bytes()).expect("it is read");
    for (section, key, value) in [
        (
            "defaults",
            "roles_path",
            "./my-roles:/run/project/roles:/usr/share/ansible/roles:/etc/ansible/roles",
        ),
        (
            "defaults",
            "collections_path",
            "./cc:/run/project/collections:/usr/share/ansible/collections",
        ),
        ("defaults", "callbacks_enabled", "timer, profile_tasks,admiral_events"),
        (
            "defaults",
            "callback_plugins",
            "/run/callbacks:./plugins/callback:/usr/share/ansible/plugins/callback",
        ),
        ("defaults", "stdout_callback", "mine"),
        ("defaults", "timeout", "5"),
        ("defaults", "fact_caching", "jsonfile"),
        ("inventory", "enable_plugins", "host_list,yaml, ini, script"),
    ] {
        assert_eq!(ini.get(section, key), Some(value), "{key}");
    }
    assert_eq!(ini.get("ssh_connection", "pipelining"), None);
    assert_eq!(merged.overridden, []);
}

#[test]
fn password_files_hold_when_they_are_in_the_package() {
    let merged = merged(
        "[defaults]\nvault_password_file = ./secret/../.vault-pass\nbecome_password_file = /etc/become\n\
         vault_identity_list = dev@.vault/dev, prod@prompt, stage@~/.stage\n",
        &[".vault-pass", ".vault/dev"],
    );
    assert_eq!(
        overridden(&merged),
        [
            ("defaults", "become_password_file", "/etc/become"),
            ("defaults", "vault_identity_list", "prod@prompt,stage@~/.stage"),
        ]
    );
    assert_eq!(
        (merged.own_passwords.any, merged.own_passwords.ids.as_slice()),
        (true, ["dev".to_owned()].as_slice())
    );
    let ini = Ini::parse(merged.text.as_bytes()).expect("it is read");
    assert_eq!(ini.get("defaults", "vault_identity_list"), Some("dev@.vault/dev"));
    assert_eq!(
        ini.get("defaults", "vault_password_file"),
        Some("./secret/../.vault-pass")
    );
}

#[test]
fn a_password_file_elsewhere_does_not_hold() {
    for path in ["../.vault-pass", "/srv/.vault-pass", "$HOME/.vault-pass", "missing"] {
        let merged = merged(&format!("[defaults]\nvault_password_file = {path}\n"), &[".vault-pass"]);
        assert_eq!(overridden(&merged), [("defaults", "vault_password_file", path)]);
        assert_eq!(merged.own_passwords, OwnPasswords::default());
    }
}

#[test]
fn accelerated_strategies_come_first() {
    let ours = Ours {
        strategy_plugins: Some("/run/strategies".into()),
        ..ours()
    };
    let terms = Terms {
        forks: None,
        accelerated: true,
        galaxy_servers: true,
    };
    let files = files(
        "[defaults]\nstrategy = mitogen_free\nstrategy_plugins = ./strategies\nforks = 3\n",
        &[],
    );
    let merged = merge(&files, terms, &ours).expect("it is read");
    let ini = Ini::parse(merged.text.as_bytes()).expect("it is read");
    assert_eq!(
        ini.get("defaults", "strategy_plugins"),
        Some("/run/strategies:./strategies")
    );
    assert_eq!(ini.get("defaults", "strategy"), Some("mitogen_free"));
    assert_eq!(merged.overridden, []);
}

#[test]
fn galaxy_servers_of_admirals_take_the_place_of_the_projects() {
    let files = files(
        "[galaxy]\nserver_list = own\nignore_certs = True\ngpg_keyring = ./ours.gpg\ntoken_path = ~/token\n\
         [galaxy_server.own]\nurl = https://galaxy.example.org/\ntoken = a-secret\n",
        &["ours.gpg"],
    );
    let keys = |galaxy_servers| {
        let terms = Terms {
            galaxy_servers,
            ..Terms::default()
        };
        let merged = merge(&files, terms, &Ours::default()).expect("it is read");
        assert!(merged.text.contains("gpg_keyring=./ours.gpg"), "{}", merged.text);
        overridden(&merged)
            .into_iter()
            .map(|(section, key, value)| format!("{section} {key} {value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(false), ["galaxy token_path ~/token"]);
    assert_eq!(
        keys(true),
        [
            "galaxy token_path ~/token",
            "galaxy server_list own",
            "galaxy ignore_certs True",
            "galaxy_server.own url https://galaxy.example.org/"
        ]
    );
}
