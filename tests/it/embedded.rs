//! The private PostgreSQL: made, shared, found again, stopped.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use admiral::{
    embedded::{EmbeddedError, EmbeddedPostgres},
    process::{ProcessIdentity, ProcessTarget, Signal, Watch, signal},
    store::Database,
};

/// A data directory where any user may pass, and the end of whatever a failed test leaves running in it.
struct DataDirectory(tempfile::TempDir);

impl DataDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Every process that works in the cluster.
    fn servers(&self) -> Vec<ProcessIdentity> {
        let data = self.path().join("postgres/data");
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data))
            .filter_map(|pid| ProcessIdentity::of(pid).ok())
            .collect()
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        for server in self.servers() {
            let _ = signal(&ProcessTarget::Process(server), Signal::KILL);
        }
    }
}

async fn answers(url: &str) {
    let database = Database::connect(url, 1).await.expect("PostgreSQL answers");
    database.migrate().await.expect("migrations apply");
    database.close().await;
}

fn socket_of(url: &str) -> PathBuf {
    let (_, host) = url.split_once("?host=").expect("a socket folder");
    let (host, _) = host.split_once('&').expect("more options");
    PathBuf::from(host.replace("%2F", "/")).join(".s.PGSQL.5432")
}

#[tokio::test]
async fn a_cluster_is_made_shared_found_again_and_stopped_by_the_last_user() {
    let directory = DataDirectory::new();
    let first = EmbeddedPostgres::start(directory.path()).await.expect("a fresh start");
    let url = first.url();
    answers(&url).await;
    let socket = socket_of(&url);
    assert!(socket.exists());
    let folder = socket.parent().expect("a folder").metadata().expect("it exists");
    assert_eq!(
        folder.permissions().mode() & 0o777,
        0o700,
        "others cannot get to the socket"
    );
    assert_ne!(folder.uid(), 0, "PostgreSQL does not run as root");

    let second = EmbeddedPostgres::start(directory.path()).await.expect("shared");
    assert_eq!((second.server_pid(), second.url()), (first.server_pid(), url.clone()));
    assert!(!first.stop().await.expect("stopped"), "the second one still uses it");
    answers(&url).await;

    // An Admiral that is killed gives back its lock and stops nothing.
    let pid = second.server_pid();
    drop(second);
    answers(&url).await;
    let third = EmbeddedPostgres::start(directory.path()).await.expect("taken over");
    assert_eq!(third.server_pid(), pid);
    assert!(third.stop().await.expect("stopped"), "it was the last one");
    assert_eq!(directory.servers(), [], "no process is left");
    assert!(!socket.exists(), "no socket is left");

    // PostgreSQL itself is killed, as when the machine goes down; then its pid is given to another program.
    let fourth = EmbeddedPostgres::start(directory.path()).await.expect("started again");
    let postmaster = ProcessIdentity::of(fourth.server_pid()).expect("it runs");
    drop(fourth);
    for server in directory.servers() {
        signal(&ProcessTarget::Process(server), Signal::KILL).expect("killed");
        Watch::new(server).expect("watched").exited().await;
    }
    Watch::new(postmaster).expect("watched").exited().await;
    let pid_file = directory.path().join("postgres/data/postmaster.pid");
    let text = fs::read_to_string(&pid_file).expect("left behind");
    let stranger = std::process::id().to_string();
    fs::write(&pid_file, text.replacen(&postmaster.pid.to_string(), &stranger, 1)).expect("written");
    let fifth = EmbeddedPostgres::start(directory.path())
        .await
        .expect("started after the crash");
    answers(&fifth.url()).await;
    assert!(fifth.stop().await.expect("stopped"));

    fs::write(directory.path().join("postgres/data/PG_VERSION"), "13\n").expect("written");
    let error = EmbeddedPostgres::start(directory.path())
        .await
        .expect_err("made by another version");
    assert!(
        matches!(error, EmbeddedError::VersionMismatch { cluster: 13, .. }),
        "{error}"
    );
}

/// Opens every folder on the way to the socket, and the socket, to all accounts.
fn open_to_everybody(directory: &DataDirectory, socket: &Path) {
    let folder = socket.parent().expect("a folder");
    for path in [directory.path(), &directory.path().join("postgres"), folder] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours to open");
    }
    fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).expect("it is ours to open");
}

/// The answer of PostgreSQL to another account that connects as `role`.
fn ask_as(user: u32, programs: &Path, socket: &Path, role: &str) -> Result<String, String> {
    let output = Command::new(programs.join("psql"))
        .args(["-X", "-A", "-t", "-h"])
        .arg(socket.parent().expect("a folder"))
        .args(["-U", role, "-d", "admiral", "-c", "SELECT session_user"])
        .env_clear()
        .current_dir("/")
        .uid(user)
        .gid(user)
        .output()
        .expect("psql is installed with the server");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn account(name: &str) -> u32 {
    let account = admiral::process::Account::by_name(name).expect("asked");
    account.unwrap_or_else(|| panic!("no account {name}")).user
}

#[tokio::test]
async fn no_other_account_may_connect_even_when_it_reaches_the_socket() {
    let directory = DataDirectory::new();
    let first = EmbeddedPostgres::start(directory.path()).await.expect("a fresh start");
    let socket = socket_of(&first.url());
    let programs = first.binaries().to_owned();
    if account("root") != fs::metadata("/proc/self").expect("/proc").uid() {
        // Only root can ask in the name of others. The files are the same for every account.
        let map = fs::read_to_string(directory.path().join("postgres/data/pg_ident.conf")).expect("written");
        let own = admiral::process::Account::by_id(fs::metadata("/proc/self").expect("/proc").uid());
        let own = own.expect("asked").expect("we have a name").name;
        assert!(map.contains(&format!("admiral \"{own}\" admiral")), "{map}");
        assert!(first.stop().await.expect("stopped"));
        return;
    }
    open_to_everybody(&directory, &socket);
    let nobody = account("nobody");
    let assert_closed = || {
        for (user, role) in [
            (nobody, "admiral"),
            (nobody, "postgres"),
            (account("postgres"), "admiral"),
            (account("postgres"), "postgres"),
        ] {
            let error = ask_as(user, &programs, &socket, role).expect_err("a stranger");
            assert!(
                error.contains("Peer authentication failed"),
                "{user} as {role} was not refused by PostgreSQL itself: {error}"
            );
        }
        assert_eq!(ask_as(0, &programs, &socket, "admiral"), Ok("admiral".to_owned()));
    };
    assert_closed();

    // A server that an older Admiral started lets everybody in. An Admiral that takes it over changes that.
    let data = directory.path().join("postgres/data");
    let trusting = "local all all trust\n";
    fs::write(data.join("pg_hba.conf"), trusting).expect("written");
    signal(
        &ProcessTarget::Process(ProcessIdentity::of(first.server_pid()).expect("it runs")),
        Signal::HUP,
    )
    .expect("told to read it");
    until("the stranger is let in", || {
        ask_as(nobody, &programs, &socket, "admiral") == Ok("admiral".to_owned())
    });
    let pid = first.server_pid();
    drop(first);
    let second = EmbeddedPostgres::start(directory.path()).await.expect("taken over");
    assert_eq!(second.server_pid(), pid);
    until("the stranger is refused", || {
        ask_as(nobody, &programs, &socket, "admiral").is_err()
    });
    assert_closed();

    // The same when it was stopped meanwhile, and somebody made it read other files, as a superuser can.
    assert!(second.stop().await.expect("stopped"));
    fs::write(data.join("pg_hba.conf"), trusting).expect("written");
    let elsewhere = directory.path().join("trusting.conf");
    fs::write(&elsewhere, trusting).expect("written");
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o644)).expect("opened");
    let setting = format!("hba_file = '{}'\n", elsewhere.display());
    fs::write(data.join("postgresql.auto.conf"), setting).expect("written");
    fs::remove_file(data.join("pg_ident.conf")).expect("removed");
    let folder = socket.parent().expect("a folder");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("closed again");
    let third = EmbeddedPostgres::start(directory.path()).await.expect("started again");
    open_to_everybody(&directory, &socket);
    assert_closed();
    answers(&third.url()).await;
    assert!(third.stop().await.expect("stopped"));
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_cluster_of_another_account_is_left_alone() {
    if fs::metadata("/proc/self").expect("/proc").uid() != 0 {
        // An ordinary account cannot change the files of another one.
        return;
    }
    let directory = DataDirectory::new();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("opened for passing");
    let folder = directory.path().join("postgres");
    fs::create_dir(&folder).expect("a folder");
    let nobody = account("nobody");
    std::os::unix::fs::chown(&folder, Some(nobody), None).expect("given away");
    let error = EmbeddedPostgres::start(directory.path())
        .await
        .expect_err("it is another account's");
    assert!(
        matches!(error, EmbeddedError::Foreign { owner, .. } if owner == nobody),
        "{error}"
    );
    assert_eq!(folder.metadata().expect("it is there").uid(), nobody);
}

#[tokio::test]
async fn two_that_start_at_once_share_one_server_and_a_long_path_is_no_trouble() {
    let directory = DataDirectory::new();
    let long = directory
        .path()
        .join(format!("{}'{}", "x".repeat(50), "y ü".repeat(15)));
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("opened for passing");
    let (first, second) = tokio::join!(EmbeddedPostgres::start(&long), EmbeddedPostgres::start(&long));
    let (first, second) = (first.expect("started"), second.expect("started"));
    assert_eq!(first.server_pid(), second.server_pid());
    answers(&first.url()).await;
    let socket = socket_of(&first.url());
    assert!(
        !socket.starts_with(&long) && socket.as_os_str().len() <= 107,
        "{}",
        socket.display()
    );
    let stopped = (
        first.stop().await.expect("stopped"),
        second.stop().await.expect("stopped"),
    );
    assert_eq!(stopped, (false, true));
    fs::remove_dir(socket.parent().expect("a folder")).expect("nothing is left in it");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let directory = DataDirectory::new();
    let empty = directory.path().join("no-binaries");
    let data = directory.path().join("data");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("opened for passing");
    let error = EmbeddedPostgres::start_with(&data, Some(&empty))
        .await
        .expect_err("no binaries")
        .to_string();
    assert!(error.contains("Debian package `postgresql`"), "{error}");
    assert!(error.contains("no-binaries"), "{error}");

    if fs::metadata("/proc/self").expect("/proc").uid() == 0 {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).expect("closed");
        let error = EmbeddedPostgres::start(&data).await.expect_err("no way to the data");
        let EmbeddedError::NotTraversable { directory: named, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(named, directory.path());
    }
}
