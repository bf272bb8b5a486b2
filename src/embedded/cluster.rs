//! The cluster's files: made, configured, started, stopped.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use super::{
    DATABASE, PORT, ROLE, access,
    account::Account,
    binaries::Installation,
    error::EmbeddedError,
    postmaster::{Postmaster, READY_LIMIT},
    socket,
};
use crate::process::{base_environment, command, run_captured};

const PROGRAM_LIMIT: Duration = Duration::from_mins(5);

/// `<data directory>/postgres/`.
#[derive(Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
    account: Account,
}

impl Cluster {
    /// Makes the folder when missing, and sees to it that the server's user can get there.
    pub(super) fn open(data_directory: &Path, account: Account) -> Result<Self, EmbeddedError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_directory)
            .map_err(EmbeddedError::file("make", data_directory))?;
        let data_directory =
            fs::canonicalize(data_directory).map_err(EmbeddedError::file("look at", data_directory))?;
        if account.is_other {
            open_for_passing(&data_directory, &account)?;
        }
        let folder = data_directory.join("postgres");
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => account.own(&folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_owner(&folder, &account)?,
            Err(error) => return Err(EmbeddedError::file("make", folder)(error)),
        }
        Ok(Self { folder, account })
    }

    /// The one that is there, or that would be there, without making anything.
    pub(super) fn existing(data_directory: &Path) -> Result<Self, EmbeddedError> {
        let folder = data_directory.join("postgres");
        let folder = fs::canonicalize(&folder).unwrap_or(folder);
        let account = Account::for_server()?;
        Ok(Self { folder, account })
    }

    pub(super) fn start_lock(&self) -> PathBuf {
        self.folder.join("start.lock")
    }

    pub(super) fn users_lock(&self) -> PathBuf {
        self.folder.join("users.lock")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn log_folder(&self) -> PathBuf {
        self.data().join("log")
    }

    /// The cluster's folder and major version; `None` when there is no cluster yet.
    pub(super) fn major_version(&self) -> Result<Option<(PathBuf, u32)>, EmbeddedError> {
        let path = self.data().join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let invalid = || EmbeddedError::file("understand", path)(io::ErrorKind::InvalidData.into());
                Ok(Some((self.data(), text.trim().parse().map_err(|_| invalid())?)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EmbeddedError::file("read", path)(error)),
        }
    }

    /// Made under another name and renamed when complete: what a crash leaves half made is made anew.
    pub(super) async fn make_if_missing(&self, installation: &Installation) -> Result<(), EmbeddedError> {
        if self.data().exists() {
            return Ok(());
        }
        let unfinished = self.folder.join("data.unfinished");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(EmbeddedError::file("remove", unfinished)(error));
            }
            _ => {}
        }
        tracing::info!(folder = %self.data().display(), "making the embedded PostgreSQL cluster");
        let mut initdb = self.command(installation, "initdb");
        initdb
            .arg("-D")
            .arg(&unfinished)
            .args(["-U", ROLE, "--auth-local=peer", "--auth-host=reject"]);
        initdb.args([
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ]);
        run("initdb", initdb).await?;
        let including = "\n# Written anew by Admiral at every start.\ninclude_if_exists = 'admiral.conf'\n";
        let configuration = unfinished.join("postgresql.conf");
        append(&configuration, including).map_err(EmbeddedError::file("write", configuration))?;
        self.create_database(installation, &unfinished).await?;
        fs::rename(&unfinished, self.data()).map_err(EmbeddedError::file("rename", unfinished))
    }

    /// In single-user mode: needs no client program and no running server.
    async fn create_database(&self, installation: &Installation, data: &Path) -> Result<(), EmbeddedError> {
        let statements = self.folder.join("create.sql");
        self.write_file(&statements, &format!("CREATE DATABASE {DATABASE};\n"))?;
        let input = fs::File::open(&statements).map_err(EmbeddedError::file("open", &statements))?;
        let mut postgres = self.command(installation, "postgres");
        postgres
            .arg("--single")
            .arg("-D")
            .arg(data)
            .args(["-c", "exit_on_error=on", "postgres"]);
        postgres.stdin(Stdio::from(input));
        run("postgres --single", postgres).await?;
        fs::remove_file(&statements).map_err(EmbeddedError::file("remove", statements))
    }

    /// Starts the server and waits until it answers.
    pub(super) async fn start(&self, installation: &Installation) -> Result<Postmaster, EmbeddedError> {
        let socket_folder = socket::folder_for(&self.folder, self.account.user, socket::short_root());
        socket::prepare(&socket_folder, &self.account)?;
        Postmaster::clear_remains(self, &socket_folder).await?;
        self.write_file(&self.data().join("admiral.conf"), &configuration(&socket_folder))?;
        self.restrict_access()?;
        let startup_log = self.folder.join("startup.log");
        self.write_file(&startup_log, "")?;
        let mut start = self.command(installation, "pg_ctl");
        start
            .arg("start")
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(&startup_log);
        start.args(["-w", "-s", "-t", &READY_LIMIT.as_secs().to_string()]);
        // What the command line says no setting overrides, not even one that was made with `ALTER SYSTEM`. Relative to our own folder,
        // where the server starts: a shell reads these options, and paths may hold anything.
        start.args(["-o", "-c hba_file=data/pg_hba.conf -c ident_file=data/pg_ident.conf"]);
        if let Err(error) = run("pg_ctl start", start).await {
            return Err(self.explain(error, &startup_log));
        }
        let timeout = || EmbeddedError::Timeout {
            what: "start",
            log: self.log_folder(),
        };
        Postmaster::find(self)?
            .ok_or_else(timeout)?
            .until_ready(self)
            .await?
            .ok_or_else(timeout)
    }

    /// Has a server that is running already let in nobody but our account. One that an older Admiral started lets in every account that
    /// reaches its socket; it reads the files again when told to.
    pub(super) async fn restrict_running(&self, installation: &Installation) -> Result<(), EmbeddedError> {
        if !self.restrict_access()? {
            return Ok(());
        }
        tracing::info!(
            "the embedded PostgreSQL now lets in only the account {}",
            self.account.client
        );
        let mut reload = self.command(installation, "pg_ctl");
        reload.arg("reload").arg("-D").arg(self.data()).arg("-s");
        run("pg_ctl reload", reload).await
    }

    /// Writes who may connect as whom, and returns whether that was written differently before.
    fn restrict_access(&self) -> Result<bool, EmbeddedError> {
        let mut changed = false;
        for (name, text) in [
            ("pg_ident.conf", access::identities(&self.account.client)),
            ("pg_hba.conf", access::rules().to_owned()),
        ] {
            let path = self.data().join(name);
            if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                self.write_file(&path, &text)?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Stops the server and waits until it is gone. That it does not run is fine.
    pub(super) async fn stop(&self, installation: &Installation) -> Result<(), EmbeddedError> {
        if Postmaster::find(self)?.is_none() {
            return Ok(());
        }
        let mut stop = self.command(installation, "pg_ctl");
        stop.arg("stop").arg("-D").arg(self.data());
        stop.args(["-w", "-s", "-m", "fast", "-t", &READY_LIMIT.as_secs().to_string()]);
        match run("pg_ctl stop", stop).await {
            Err(error) if Postmaster::find(self)?.is_some() => Err(error),
            _ if Postmaster::until_nobody_is_left(self).await => Ok(()),
            _ => Err(EmbeddedError::Timeout {
                what: "stop",
                log: self.log_folder(),
            }),
        }
    }

    /// What the server itself said is worth more than what `pg_ctl` says of it.
    fn explain(&self, error: EmbeddedError, startup_log: &Path) -> EmbeddedError {
        let EmbeddedError::Program { program, output } = error else {
            return error;
        };
        let logs = fs::read_dir(self.log_folder())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let newest = logs.max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok());
        let said: Vec<String> = [Some(startup_log.to_owned()), newest]
            .iter()
            .flatten()
            .map(|log| tail(log))
            .collect();
        let log = self.log_folder();
        EmbeddedError::Program {
            program,
            output: format!("{output}\n{}\n(more in {})", said.join("\n"), log.display()),
        }
    }

    fn command(&self, installation: &Installation, program: &str) -> Command {
        let mut command = command(installation.program(program));
        command.envs(base_environment(&self.folder)).current_dir(&self.folder);
        if self.account.is_other {
            command.uid(self.account.user).gid(self.account.group);
        }
        command
    }

    /// Replaces a file. The folder belongs to the server's user, so nothing that lies there is opened or followed.
    fn write_file(&self, path: &Path, text: &str) -> Result<(), EmbeddedError> {
        let temporary = path.with_extension("new");
        let write = || -> io::Result<()> {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(text.as_bytes())?;
            if self.account.is_other {
                std::os::unix::fs::fchown(&file, Some(self.account.user), Some(self.account.group))?;
            }
            fs::rename(&temporary, path)
        };
        write().map_err(EmbeddedError::file("write", path))
    }
}

/// What is there already keeps its owner.
fn check_owner(path: &Path, account: &Account) -> Result<(), EmbeddedError> {
    let metadata = fs::symlink_metadata(path).map_err(EmbeddedError::file("look at", path))?;
    if metadata.uid() == account.user {
        return Ok(());
    }
    Err(EmbeddedError::Foreign {
        path: path.to_owned(),
        owner: metadata.uid(),
        account: account.name.clone(),
    })
}

/// A data directory of our own is ours to open; what lies above it is not, and one of another account is not either.
fn open_for_passing(data_directory: &Path, account: &Account) -> Result<(), EmbeddedError> {
    for directory in data_directory.ancestors().skip(1) {
        if !account.may_traverse(directory)? {
            return Err(EmbeddedError::NotTraversable {
                directory: directory.to_owned(),
                user: account.name.clone(),
            });
        }
    }
    if account.may_traverse(data_directory)? {
        return Ok(());
    }
    let metadata = fs::metadata(data_directory).map_err(EmbeddedError::file("look at", data_directory))?;
    if metadata.uid() == rustix::process::geteuid().as_raw() {
        fs::set_permissions(data_directory, Permissions::from_mode(metadata.mode() & 0o7777 | 0o001))
            .map_err(EmbeddedError::file("change the mode of", data_directory))?;
        if account.may_traverse(data_directory)? {
            return Ok(());
        }
    }
    Err(EmbeddedError::NotTraversable {
        directory: data_directory.to_owned(),
        user: account.name.clone(),
    })
}

fn configuration(socket_folder: &Path) -> String {
    let socket_folder = socket_folder
        .to_string_lossy()
        .replace('\'', "''")
        .replace('\\', "\\\\");
    format!(
        "listen_addresses = ''\n\
         port = {PORT}\n\
         unix_socket_directories = '\"{}\"'\n\
         unix_socket_permissions = 0700\n\
         max_connections = 100\n\
         shared_buffers = 128MB\n\
         fsync = on\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         logging_collector = on\n\
         log_directory = 'log'\n\
         log_filename = 'postgresql-%a.log'\n\
         log_file_mode = 0600\n\
         log_rotation_age = 1d\n\
         log_rotation_size = 0\n\
         log_truncate_on_rotation = on\n",
        socket_folder.replace('"', "\"\"")
    )
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}

async fn run(program: &'static str, command: Command) -> Result<(), EmbeddedError> {
    let captured = run_captured(command, PROGRAM_LIMIT).await?;
    if captured.status.success() {
        return Ok(());
    }
    let output = format!("{}\n{}", captured.stdout_text().trim(), captured.stderr_text().trim());
    Err(EmbeddedError::Program {
        program,
        output: output.trim().to_owned(),
    })
}
