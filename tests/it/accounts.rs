//! Commands and accounts: no installation ever changes its owner, `doctor` changes nothing at all, and only `serve` makes an installation.

use crate::support::accounts::{Grounds, OWNER, STRANGER, Said, account, is_root, look, own_account};
use admiral::process::Account;
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

/// Every file below `folder` belongs to `owner`, and nobody else.
fn assert_all_belong_to(owner: &Account, folder: &Path) {
    for (path, seen) in look(folder, &[]) {
        assert_eq!((seen.user, seen.group), (owner.user, owner.group), "{}", path.display());
    }
}

#[test]
fn root_acts_as_the_owner_and_strangers_are_told_what_to_type() {
    if !is_root() {
        // Nobody else can act as another account.
        return;
    }
    let (root, owner, stranger) = (own_account(), account(OWNER), account(STRANGER));
    let grounds = Grounds::of(&owner);
    let server = grounds.serve(&owner);
    assert_all_belong_to(&owner, &grounds.data);

    // First with the server running, then without it: each command then starts and stops the database itself.
    let mut running = Some(server);
    for _ in 0..2 {
        let said = grounds.run(&root, &["users", "add", "--role", "admin", "alice"]);
        assert!(said.code == Some(0) || said.stderr.contains("taken"), "{said:?}");
        let listed = grounds.run(&root, &["users", "list", "--output", "json"]);
        assert!(listed.code == Some(0) && listed.stdout.contains("alice"), "{listed:?}");
        let doctor = grounds.run(&root, &["doctor"]);
        assert!(doctor.stdout.contains("ok    data directory"), "{doctor:?}");
        assert_all_belong_to(&owner, &grounds.data);
        if let Some(server) = running.take() {
            server.stop();
        }
    }
    grounds.serve(&owner).stop();
    assert_all_belong_to(&owner, &grounds.data);

    // The owner cannot read root's own files, and the error says why.
    let secret = grounds.path().join("of-root");
    fs::write(&secret, "secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let secret = secret.to_str().unwrap();
    let refused = grounds.run(&root, &["users", "set", "alice", "--password-file", secret]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("the command runs as daemon, the owner of the data directory"),
        "{refused:?}"
    );

    // Root does not serve the installation of another account.
    let refused = grounds.run(&root, &["serve", "--roles", "scheduler"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for word in [
        "belongs to the account daemon",
        "runuser -u daemon -- ",
        " serve --roles scheduler",
    ] {
        assert!(refused.stderr.contains(word), "{word}: {refused:?}");
    }
    // A stranger cannot even look, and is told which command would work.
    for arguments in [&["users", "list"][..], &["serve"], &["inventory", "--list"]] {
        let refused = grounds.run(&stranger, arguments);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let command = format!(
            "sudo -u daemon {}/admiral --data-dir {}",
            grounds.path().display(),
            grounds.data.display()
        );
        for word in ["belongs to the account daemon", &command] {
            assert!(refused.stderr.contains(word), "{word}: {refused:?}");
        }
    }
    let doctor = grounds.run(&stranger, &["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(
        doctor.stdout.contains("belongs to the account daemon") && doctor.stdout.contains("sudo -u daemon"),
        "{doctor:?}"
    );
    assert_all_belong_to(&owner, &grounds.data);

    // A directory whose owner is unknown here is left alone.
    std::os::unix::fs::chown(&grounds.data, Some(4_000_000), None).unwrap();
    let refused = grounds.run(&root, &["users", "list"]);
    assert!(
        refused
            .stderr
            .contains("belongs to user id 4000000, which no account here has"),
        "{refused:?}"
    );
    assert_eq!(grounds.data.metadata().unwrap().uid(), 4_000_000);
}

/// Runs `doctor` as each of `accounts`. Nothing may be different afterwards.
fn assert_doctor_changes_nothing(
    grounds: &Grounds,
    accounts: &[&Account],
    state: &str,
    leaving_out: &[&Path],
) -> Vec<Said> {
    let shared = Path::new("/dev/shm").join(format!("admiral-{}", accounts[0].user));
    let (log, program) = (grounds.path().join("server.log"), grounds.program());
    let leave_out = [leaving_out, &[&log, &program]].concat();
    let mut all = Vec::new();
    for account in accounts {
        let before = (look(grounds.path(), &leave_out), shared.exists());
        for format in ["table", "json"] {
            all.push(grounds.run(account, &["doctor", "--output", format]));
        }
        let after = (look(grounds.path(), &leave_out), shared.exists());
        for (path, seen) in &before.0 {
            assert_eq!(
                after.0.get(path),
                Some(seen),
                "{state}, as {}: {}",
                account.name,
                path.display()
            );
        }
        let made: Vec<_> = after.0.keys().filter(|path| !before.0.contains_key(*path)).collect();
        assert!(made.is_empty(), "{state}, as {}: {made:?} were made", account.name);
        assert!(
            before.1 || !after.1,
            "{state}, as {}: {} was made",
            account.name,
            shared.display()
        );
    }
    all
}

fn assert_finding(said: &[Said], what: &str) {
    assert!(
        said.iter().step_by(2).any(|said| said.stdout.contains(what)),
        "{what}: {said:#?}"
    );
}

/// Runs `doctor` in every state of a data directory, as each of `accounts`.
fn doctor_looks_on(owner: &Account, accounts: &[&Account]) {
    let grounds = Grounds::of(owner);
    let said = assert_doctor_changes_nothing(&grounds, accounts, "no data directory", &[]);
    assert_finding(&said, "is not there yet");

    fs::create_dir(&grounds.data).unwrap();
    fs::set_permissions(&grounds.data, fs::Permissions::from_mode(0o711)).unwrap();
    std::os::unix::fs::chown(&grounds.data, Some(owner.user), Some(owner.group)).unwrap();
    let said = assert_doctor_changes_nothing(&grounds, accounts, "a fresh directory", &[]);
    assert_finding(&said, "no database yet");

    let server = grounds.serve(owner);
    let cluster = grounds.data.join("postgres/data");
    // A running PostgreSQL changes its own files.
    let said = assert_doctor_changes_nothing(&grounds, accounts, "running", &[&cluster]);
    assert_finding(&said, ", embedded");
    assert_finding(&said, "opens what the database holds");
    assert_finding(&said, "events and output are kept for 90 days");
    server.stop();
    let said = assert_doctor_changes_nothing(&grounds, accounts, "stopped", &[]);
    assert_finding(&said, "the embedded database is stopped");

    // Broken: a damaged key ring, a database without its files, and a pid file of a server that is gone.
    fs::write(grounds.data.join("key-ring.json"), "{").unwrap();
    fs::remove_dir_all(cluster.join("base")).unwrap();
    fs::write(cluster.join("postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
    let said = assert_doctor_changes_nothing(&grounds, accounts, "broken", &[]);
    assert_finding(&said, "fail  key ring");
    assert!(said.iter().all(|said| said.code == Some(1)), "{said:#?}");
}

#[test]
fn doctor_changes_nothing_of_its_own_account() {
    let own = own_account();
    doctor_looks_on(&own, &[&own]);
}

#[test]
fn doctor_changes_nothing_of_another_account() {
    if is_root() {
        let (owner, stranger) = (account(OWNER), account(STRANGER));
        doctor_looks_on(&owner, &[&owner, &own_account(), &stranger]);
    }
}

#[test]
fn only_serve_makes_an_installation() {
    let own = own_account();
    let grounds = Grounds::of(&own);
    let program = grounds.program();
    let before = look(grounds.path(), &[&program]);
    let external = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    for line in [
        "servers list",
        "servers add web1 --ssh-host 192.0.2.1 --ssh-user a",
        "keys list",
        "keys generate ops",
        "playbooks list",
        "deployments list",
        "deploy builtin/ping.yml --all",
        "environments list",
        "presets list",
        "projects list",
        "users list",
        "users add alice",
        "tokens list",
        "settings",
        "workers",
        "drain",
        "galaxy-servers list",
        "vault-passwords list",
        "inventory --list",
        "inventory --list --with-keys",
        "inventory --host web1",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let said = grounds.run(&own, &arguments);
        assert_eq!(said.code, Some(1), "{line}: {said:?}");
        let path = grounds.data.display();
        for what in [
            format!("there is no installation of Admiral in {path}"),
            "`admiral serve` makes one".to_owned(),
        ] {
            assert!(said.stderr.contains(&what), "{line}: {said:?}");
        }
        let output = grounds
            .command(&own, &arguments)
            .env(external.0, external.1)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("there is no key ring in"), "{line}: {said}");
        assert_eq!(look(grounds.path(), &[&program]), before, "{line}");
    }
}
