use super::*;
use crate::{
    cli::install::{files, machine::SettingsFile},
    process::Account,
};

fn account(user: u32) -> Account {
    Account {
        name: "admiral".to_owned(),
        user,
        group: user,
        home: "/var/lib/admiral".into(),
        shell: "/usr/sbin/nologin".into(),
    }
}

/// A Debian as it comes.
fn fresh() -> Machine {
    let paths = crate::cli::install::Paths::default();
    Machine {
        system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        is_debian: true,
        has_systemd: true,
        has_apt: true,
        missing_packages: vec!["bubblewrap", "postgresql"],
        python: Some((3, 11)),
        missing: vec![
            paths.configuration,
            paths.software,
            paths.no_main_cluster,
            "/var/lib/admiral/tmp".into(),
        ],
        ..Machine::default()
    }
}

/// The same with everything in place.
fn installed() -> Machine {
    let choices = Choices::default_for_tests();
    Machine {
        missing_packages: Vec::new(),
        missing: Vec::new(),
        account: Some(account(997)),
        data: Folder::InUse { owner: 997 },
        unit: Some(files::unit(&choices, false)),
        settings: Some(SettingsFile {
            text: files::settings(&choices),
            is_open: false,
        }),
        binary: Binary::Same,
        ansible: Some(ansible_folder((3, 11))),
        is_enabled: true,
        is_active: true,
        ..fresh()
    }
}

fn plan(choices: &Choices, machine: &Machine) -> Plan {
    Plan::make(choices, machine, None).unwrap()
}

fn words(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::describe).collect()
}

#[test]
fn a_fresh_machine_gets_everything_in_an_order_that_works() {
    let words = words(&plan(&Choices::default_for_tests(), &fresh()));
    let expected = [
        "make the folder /etc/admiral ",
        "write a setting that keeps the PostgreSQL packages from starting a server",
        "install with apt-get: bubblewrap, postgresql",
        "make the system account admiral",
        "make the folder /var/lib/admiral (the account's, mode 700)",
        "make the folder /var/lib/admiral/tmp",
        "make the folder /opt/admiral",
        "install the pinned ansible-core",
        "copy this program to /usr/local/bin/admiral",
        "write the settings to /etc/admiral/env (mode 640)",
        "write the unit of the service",
        "have systemd read its units again",
        "have the service start with the machine",
        "start the service",
    ];
    assert_eq!(words.len(), expected.len(), "{words:#?}");
    for (word, expected) in words.iter().zip(expected) {
        assert!(word.starts_with(expected), "{word}");
    }
}

#[test]
fn a_second_time_there_is_nothing_to_do() {
    let again = plan(&Choices::default_for_tests(), &installed());
    assert_eq!(again, Plan::default());
    let stopped = Machine {
        is_active: false,
        ..installed()
    };
    assert_eq!(plan(&Choices::default_for_tests(), &stopped).steps, [Step::Start]);
    let mut choices = Choices::default_for_tests();
    choices.start = false;
    assert_eq!(plan(&choices, &stopped).steps, []);
}

#[test]
fn an_empty_folder_of_root_is_taken_over() {
    let machine = Machine {
        data: Folder::Empty { owner: 0 },
        ..fresh()
    };
    let steps = plan(&Choices::default_for_tests(), &machine).steps;
    let taken = Step::TakeOver("/var/lib/admiral".into());
    assert!(steps.contains(&taken), "{steps:?}");
    assert!(
        !steps
            .iter()
            .any(|step| step.describe().starts_with("make the folder /var/lib/admiral ("))
    );
}

#[test]
fn an_interrupted_upgrade_is_completed() {
    let choices = Choices::default_for_tests();
    let mut earlier = Manifest::new("admiral", std::path::Path::new("/var/lib/admiral"));
    earlier.needs_restart = true;
    let again = Plan::make(&choices, &installed(), Some(&earlier)).unwrap();
    assert_eq!(again.steps, [Step::ReadUnits, Step::Restart]);
    earlier.needs_restart = false;
    let again = Plan::make(&choices, &installed(), Some(&earlier)).unwrap();
    assert_eq!(again.steps, []);
}

#[test]
fn folders_and_groups_that_others_share_are_refused() {
    let choices = Choices::default_for_tests();
    let mut open = installed();
    open.open_folders = vec!["/opt/admiral".into()];
    let error = Plan::make(&choices, &open, None).unwrap_err();
    let said = crate::cli::failure::render(&error.into());
    assert!(
        said.contains("chown root: /opt/admiral; chmod go-w /opt/admiral"),
        "{said}"
    );
    let mut shared = installed();
    shared.account.as_mut().unwrap().group = 65534;
    let error = Plan::make(&choices, &shared, None).unwrap_err();
    let said = crate::cli::failure::render(&error.into());
    assert!(said.contains("usermod --gid admiral admiral"), "{said}");
}

#[test]
fn an_upgrade_replaces_what_changed_and_restarts() {
    let choices = Choices::default_for_tests();
    let older = Machine {
        binary: Binary::Other,
        ansible: Some("ansible-00000000".to_owned()),
        unit: Some(format!("{}\nan older one", files::MARK)),
        ..installed()
    };
    let steps = plan(&choices, &older).steps;
    assert!(matches!(steps[0], Step::Ansible { .. }), "{steps:?}");
    assert!(matches!(steps[1], Step::Binary { replaces: true, .. }), "{steps:?}");
    assert_eq!(steps.last(), Some(&Step::Restart));
    let quiet = Choices {
        start: false,
        ..Choices::default_for_tests()
    };
    let later = plan(&quiet, &older);
    assert!(!later.steps.contains(&Step::Restart));
    assert!(
        later.notes[0].contains("systemctl restart admiral"),
        "{:?}",
        later.notes
    );
}

#[test]
fn settings_are_never_replaced_and_what_differs_is_told() {
    let mut choices = Choices::default_for_tests();
    choices.database_url = Some("postgres://db/admiral".to_owned());
    choices.asked_database_url.clone_from(&choices.database_url);
    choices.asked_listen = Some("0.0.0.0:80".parse().unwrap());
    let mut machine = installed();
    machine.settings.as_mut().unwrap().is_open = true;
    let plan = plan(&choices, &machine);
    assert_eq!(plan.steps, []);
    for told in ["set DATABASE_URL in it", "set ADMIRAL_LISTEN in it", "chmod 640"] {
        assert!(
            plan.notes.iter().any(|note| note.contains(told)),
            "{told}: {:?}",
            plan.notes
        );
    }
    // They may hold a password.
    let shown: Vec<_> = self::plan(&choices, &fresh()).steps;
    let texts: Vec<&str> = shown.iter().filter_map(Step::text).collect();
    assert!(texts.iter().all(|text| !text.contains("postgres://db")), "{texts:?}");
}

#[test]
fn user_namespaces_are_allowed_where_they_are_restricted() {
    let machine = Machine {
        restricts_user_namespaces: true,
        ..installed()
    };
    let words = words(&plan(&Choices::default_for_tests(), &machine));
    assert!(words[0].contains("an AppArmor profile"), "{words:?}");
    assert!(words[1].contains("have AppArmor read"), "{words:?}");
    let forbidden = Machine {
        forbids_user_namespaces: true,
        ..installed()
    };
    let notes = plan(&Choices::default_for_tests(), &forbidden).notes;
    assert!(notes[0].contains("user namespaces are switched off"), "{notes:?}");
}

#[test]
fn other_systems_and_what_others_made_are_refused() {
    let choices = Choices::default_for_tests();
    let refusal = |machine: Machine| {
        let error = Plan::make(&choices, &machine, None).unwrap_err();
        crate::cli::failure::render(&error.into())
    };
    let without = |change: fn(&mut Machine)| {
        let mut machine = fresh();
        change(&mut machine);
        refusal(machine)
    };
    for (said, expected) in [
        (without(|machine| machine.is_debian = false), "it is not Debian"),
        (without(|machine| machine.has_apt = false), "it has no apt-get"),
        (
            without(|machine| machine.has_systemd = false),
            "systemd is not its init system",
        ),
    ] {
        assert!(said.contains(expected) && said.contains("hint: by hand"), "{said}");
    }
    let old = without(|machine| machine.python = Some((3, 9)));
    assert!(old.contains("has Python 3.9"), "{old}");
    let unit = without(|machine| machine.unit = Some("[Unit]\n".to_owned()));
    assert!(
        unit.contains("admiral.service is there already") && unit.contains("mv "),
        "{unit}"
    );
    for data in [Folder::InUse { owner: 0 }, Folder::Empty { owner: 12 }] {
        let mut machine = fresh();
        machine.data = data;
        let said = refusal(machine);
        assert!(
            said.contains("belongs to user id") && said.contains("chown -R admiral:"),
            "{said}"
        );
    }
    let mut machine = installed();
    machine.data = Folder::InUse { owner: 0 };
    assert!(refusal(machine).contains("belongs to user id 0"));
    assert!(without(|machine| machine.data = Folder::Other).contains("is not a folder"));
    assert!(without(|machine| machine.account = Some(account(0))).contains("is root"));
}

#[test]
fn an_installation_is_not_moved() {
    let earlier = Manifest::new("admiral", std::path::Path::new("/var/lib/admiral"));
    let refusal = |change: fn(&mut Choices)| {
        let mut choices = Choices::default_for_tests();
        change(&mut choices);
        Plan::make(&choices, &installed(), Some(&earlier))
            .unwrap_err()
            .to_string()
    };
    assert!(refusal(|choices| choices.account = "other".to_owned()).contains("--account admiral, not other"));
    assert!(refusal(|choices| choices.data_directory = "/srv/a".into()).contains("--data-dir /var/lib/admiral"));
    Plan::make(&Choices::default_for_tests(), &installed(), Some(&earlier)).unwrap();
}
