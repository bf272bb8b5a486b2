//! The cluster's files: made, configured, started, stopped.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Read as _, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, open, openat, renameat, unlinkat},
    io::Errno,
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

    /// The cluster that is there or would be there. Nothing is made.
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
        let input = open_itself(&statements).map_err(EmbeddedError::file("open", &statements))?;
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
        // No setting overrides the command line, not even one that was made with `ALTER SYSTEM`. The paths are relative to our own folder,
        // where the server starts: a shell reads these options, and an absolute path may contain any character.
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

    /// Makes a server that is running already let in only our account. A server that an older Admiral started lets in every account that
    /// reaches its socket. It reads the files again when it is told to.
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

    /// Writes the files that say who may connect, and returns whether they were different before.
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

    /// Replaces a file. The folder belongs to the server's account, so nothing that lies there is opened or followed. As root that goes
    /// for the folder itself too: a link in its place would make root write elsewhere, and give the file away there.
    fn write_file(&self, path: &Path, text: &str) -> Result<(), EmbeddedError> {
        let write = || -> io::Result<()> {
            let temporary = path.with_extension("new");
            let names = path.file_name().zip(temporary.file_name());
            let ((name, temporary), folder) = names.zip(path.parent()).ok_or(io::ErrorKind::InvalidInput)?;
            let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            flags.set(OFlags::NOFOLLOW, self.account.is_other);
            let folder = open(folder, flags, Mode::empty())?;
            match unlinkat(&folder, temporary, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mut file = fs::File::from(openat(&folder, temporary, flags, Mode::RUSR | Mode::WUSR)?);
            file.write_all(text.as_bytes())?;
            if self.account.is_other {
                std::os::unix::fs::fchown(&file, Some(self.account.user), Some(self.account.group))?;
            }
            Ok(renameat(&folder, temporary, &folder, name)?)
        };
        write().map_err(EmbeddedError::file("write", path))
    }
}

/// A folder that is there already keeps its owner.
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
    let mut text = Vec::new();
    // A log that cannot be read is shown as far as it was read.
    let _read = open_itself(path).and_then(|mut log| log.read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// Opens a file in a folder of the server's account to read it. A link is an error: root would read what it leads to.
fn open_itself(path: &Path) -> io::Result<fs::File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_follows_no_link_of_the_servers_account() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let metadata = folder.path().metadata().expect("it is there");
        let cluster = Cluster {
            folder: folder.path().to_owned(),
            account: Account {
                name: "server".to_owned(),
                user: metadata.uid(),
                group: metadata.gid(),
                is_other: true,
                client: "root".to_owned(),
            },
        };
        fs::create_dir(cluster.data()).expect("a folder");
        let path = cluster.data().join("pg_hba.conf");
        let target = elsewhere.path().join("target");
        fs::write(&target, "kept").expect("written");
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        assert!(open_itself(&path).is_err());
        cluster.write_file(&path, "new").expect("a link to a file is replaced");
        assert_eq!(fs::read_to_string(&target).expect("read"), "kept");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert!(open_itself(&path).is_ok());

        fs::rename(cluster.data(), folder.path().join("moved")).expect("moved");
        std::os::unix::fs::symlink(elsewhere.path(), cluster.data()).expect("a link");
        cluster
            .write_file(&path, "new")
            .expect_err("a link in the place of the folder");
        assert!(!elsewhere.path().join("pg_hba.conf").exists());
    }
}
