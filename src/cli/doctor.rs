//! `admiral doctor`: what this machine has, what is missing, and how to fix it.
//!
//! It changes nothing: it makes no file, starts no database, migrates nothing and removes nothing.

mod storage;

use super::{
    failure,
    instance::key_ring_path,
    key_files,
    options::{GlobalOptions, is_root},
    output::{self, Format},
    owner::{self, Ownership},
    worker_options::{ISOLATION_HINT, isolation_is_off},
};
use crate::{
    api::assets,
    embedded::{self, EmbeddedError},
    playbooks::{
        ansible,
        mitogen::{self, MitogenError},
    },
    process,
    runner::IsolationMode,
    store::{Database, vault_keys},
    vault::{KeyRing, Vault},
};
use rustix::fs::Access;
use serde::Serialize;
use serde_json::Value;
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// The newest ansible-core that Admiral is tested with.
const NEWEST_ANSIBLE: (u32, u32) = (2, 19);
const GIB: u64 = 1024 * 1024 * 1024;

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
    /// More for people, one line each.
    #[serde(skip)]
    lines: Vec<String>,
    /// More for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, detail: String, mend: Option<String>) -> Self {
        Self {
            check,
            verdict,
            detail,
            mend,
            lines: Vec::new(),
            data: None,
        }
    }

    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, detail.into(), None)
    }

    fn warn(check: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, detail.into(), Some(mend.into()))
    }

    fn fail(check: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, detail.into(), Some(mend.into()))
    }

    /// Says more: `lines` to people, `data` to programs.
    fn with(self, lines: Vec<String>, data: Value) -> Self {
        Self {
            lines,
            data: Some(data),
            ..self
        }
    }
}

/// Checks everything and changes nothing; exit code 1 when something has to be fixed.
pub async fn run(global: &GlobalOptions) -> anyhow::Result<ExitCode> {
    let data_directory = global.data_directory_path()?;
    let mut findings = vec![check_data_directory(&data_directory, global.database_url.is_none())];
    if matches!(Ownership::of(&data_directory), Ok(Ownership::Ours | Ownership::Nobodys)) {
        findings.extend(check_database(global, &data_directory).await);
    }
    findings.extend(check_ansible().await);
    findings.push(check_ssh().await);
    findings.push(check_git().await);
    findings.push(check_space(&data_directory));
    findings.push(check_isolation().await);
    findings.extend(check_key_files());
    findings.push(check_console());
    match global.output {
        Format::Json => output::json(&findings)?,
        Format::Table => output::line(&render(&findings, output::colours()))?,
    }
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn render(findings: &[Finding], colours: bool) -> String {
    let widest = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for finding in findings {
        let (word, colour) = match finding.verdict {
            Verdict::Ok => ("ok  ", 32),
            Verdict::Warn => ("warn", 33),
            Verdict::Fail => ("fail", 31),
        };
        let word = if colours {
            format!("\u{1b}[{colour}m{word}\u{1b}[0m")
        } else {
            word.to_owned()
        };
        lines.push(format!("{word}  {:widest$}  {}", finding.check, finding.detail));
        lines.extend(finding.lines.iter().map(|line| format!("      {:widest$}  {line}", "")));
        if let Some(mend) = &finding.mend {
            lines.push(format!("      {:widest$}  → {mend}", ""));
        }
    }
    lines.join("\n")
}

fn check_data_directory(path: &Path, embedded: bool) -> Finding {
    const CHECK: &str = "data directory";
    let shown = path.display();
    match Ownership::of(path) {
        Ok(Ownership::Ours) => {}
        Ok(Ownership::Nobodys) => {
            return Finding::warn(CHECK, format!("{shown} is not there yet"), "`admiral serve` makes it");
        }
        Ok(Ownership::Anothers(owner)) => {
            return Finding::fail(
                CHECK,
                format!(
                    "{shown} belongs to the account {}, so little can be said from here",
                    owner.name
                ),
                format!("type `{}`", owner::command_for(&owner, path)),
            );
        }
        Ok(Ownership::Unknown(user)) => {
            return Finding::fail(
                CHECK,
                format!("{shown} belongs to user id {user}, which no account here has"),
                "give it to an account with chown, or name another with --data-dir",
            );
        }
        Err(error) => return Finding::fail(CHECK, chain(error), "run as its owner, or name another with --data-dir"),
    }
    let mode = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => metadata.permissions().mode() & 0o777,
        Ok(_) => {
            return Finding::fail(
                CHECK,
                format!("{shown} is not a directory"),
                "name another with --data-dir",
            );
        }
        Err(error) => return Finding::fail(CHECK, chain(error), "name another with --data-dir"),
    };
    if mode & 0o066 != 0 {
        return Finding::fail(
            CHECK,
            format!("{shown} can be read or changed by others (mode {mode:o})"),
            format!("chmod go-rw {shown}"),
        );
    }
    // The kernel is asked, and no file is made to find out: this command changes nothing.
    if let Err(error) = rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK) {
        return Finding::fail(
            CHECK,
            format!("{shown} cannot be written to: {error}"),
            "see how it is mounted and which mode it has, or name another with --data-dir",
        );
    }
    if embedded && is_root() {
        // PostgreSQL runs as a user of its own and passes through every folder on the way.
        let closed = path.ancestors().find(|folder| {
            folder
                .metadata()
                .is_ok_and(|found| found.permissions().mode() & 0o001 == 0)
        });
        if let Some(folder) = closed {
            let folder = folder.display();
            return Finding::fail(
                CHECK,
                format!("PostgreSQL's user cannot pass through {folder}"),
                format!("chmod o+x {folder}"),
            );
        }
    }
    Finding::ok(CHECK, format!("{shown} (mode {mode:o})"))
}

/// The place of the database. It is found without starting it.
enum Place {
    External(String),
    Embedded(String),
    /// There is an embedded one, which is not running.
    Stopped,
    /// There is none yet.
    Missing,
}

impl Place {
    fn of(global: &GlobalOptions, data_directory: &Path) -> Result<Self, EmbeddedError> {
        if let Some(url) = &global.database_url {
            return Ok(Self::External(url.clone()));
        }
        if !embedded::has_cluster(data_directory) {
            return Ok(Self::Missing);
        }
        Ok(embedded::running_url(data_directory)?.map_or(Self::Stopped, Self::Embedded))
    }
}

/// The database is only read, and an embedded one only when it is running: this command starts nothing.
async fn check_database(global: &GlobalOptions, data_directory: &Path) -> Vec<Finding> {
    const CHECK: &str = "PostgreSQL";
    let ring = key_ring_path(data_directory);
    let (url, whose, mend) = match Place::of(global, data_directory) {
        Ok(Place::External(url)) => (
            url,
            "the one that DATABASE_URL names",
            "is the address right, and does PostgreSQL answer there?",
        ),
        Ok(Place::Embedded(url)) => (url, "embedded", "its log is in the data directory's postgres folder"),
        Ok(Place::Stopped) => {
            let programs = check_programs("the embedded database is stopped; `admiral serve` starts it").await;
            return vec![programs, check_key_ring(&ring, None).await];
        }
        Ok(Place::Missing) => {
            return vec![
                check_programs("no database yet").await,
                check_key_ring(&ring, None).await,
            ];
        }
        Err(error) => {
            let finding = Finding::fail(CHECK, chain(error), "run as the owner of the data directory");
            return vec![finding, check_key_ring(&ring, None).await];
        }
    };
    let database = match Database::connect_read_only(&url).await {
        Ok(database) => database,
        Err(error) => {
            return vec![
                Finding::fail(CHECK, chain(error), mend),
                check_key_ring(&ring, None).await,
            ];
        }
    };
    let reached = match database.server_version().await {
        Ok(version) => Finding::ok(CHECK, format!("{version}, {whose}")),
        Err(error) => Finding::fail(CHECK, chain(error), "PostgreSQL's own log says more"),
    };
    let mut findings = vec![reached, check_key_ring(&ring, Some(&database)).await];
    findings.extend(storage::check(&database).await);
    database.close().await;
    findings
}

async fn check_programs(state: &str) -> Finding {
    match embedded::find_programs().await {
        Ok(folder) => Finding::ok("PostgreSQL", format!("programs in {}, {state}", folder.display())),
        Err(error) => Finding::fail(
            "PostgreSQL",
            chain(error),
            "on Debian and Ubuntu install the package postgresql, or set DATABASE_URL",
        ),
    }
}

async fn check_key_ring(path: &Path, database: Option<&Database>) -> Finding {
    const CHECK: &str = "key ring";
    let shown = path.display();
    let known = match database {
        Some(database) => match database.acquire().await {
            // A database that was never migrated has no such table, and no secrets either.
            Ok(mut connection) => vault_keys::list_vault_keys(&mut connection).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    match path.try_exists() {
        Ok(true) => {}
        Err(error) => {
            return Finding::fail(
                CHECK,
                format!("{shown} cannot be looked at: {error}"),
                "run as its owner",
            );
        }
        Ok(false) if known.is_empty() => {
            return Finding::warn(CHECK, format!("{shown} is not there yet"), "`admiral serve` makes it");
        }
        Ok(false) => {
            return Finding::fail(
                CHECK,
                format!("{shown} is missing, and the database holds secrets sealed with it"),
                "restore it from a backup, or copy it (mode 600) from the machine where Admiral was started first",
            );
        }
    }
    let vault = match KeyRing::load(path) {
        Ok(ring) => Vault::new(ring),
        Err(error) => {
            return Finding::fail(
                CHECK,
                chain(error),
                format!("chmod 600 {shown}, or restore it from a backup"),
            );
        }
    };
    for key in &known {
        if let Err(error) = vault.verify_check_value(&key.key_id, &key.check_value) {
            return Finding::fail(
                CHECK,
                chain(error),
                "restore the key ring that belongs to this database",
            );
        }
    }
    let keys = vault.key_ids().count();
    let plural = if keys == 1 { "key" } else { "keys" };
    let checked = if known.is_empty() {
        ""
    } else {
        ", opens what the database holds"
    };
    Finding::ok(CHECK, format!("{shown}, {keys} {plural}{checked}"))
}

async fn check_ansible() -> Vec<Finding> {
    const CHECK: &str = "Ansible";
    match ansible::discover(None).await {
        Ok(tools) => {
            let detail = format!("ansible-core {} at {}", tools.version, tools.ansible_playbook.display());
            let found = if is_newer(&tools.version, NEWEST_ANSIBLE) {
                Finding::warn(CHECK, detail, "newer than Admiral is tested with (2.16 to 2.19)")
            } else {
                Finding::ok(CHECK, detail)
            };
            vec![found, check_accelerator(&tools.ansible_playbook).await]
        }
        Err(error) => vec![Finding::fail(
            CHECK,
            chain(error),
            "install ansible-core 2.16 to 2.19, or set ADMIRAL_ANSIBLE_BIN to the folder with ansible-playbook",
        )],
    }
}

/// Nothing needs it: runs without are slower, that is all.
async fn check_accelerator(ansible_playbook: &Path) -> Finding {
    const CHECK: &str = "accelerator";
    match mitogen::find(ansible_playbook).await {
        Ok(found) => Finding::ok(
            CHECK,
            format!("Mitogen {} in {}", found.version, found.python.display()),
        ),
        Err(error @ MitogenError::Missing { .. }) => Finding::warn(
            CHECK,
            "Mitogen is not installed: deployments cannot use the accelerator mitogen",
            chain(error),
        ),
        Err(error) => Finding::warn(
            CHECK,
            chain(error),
            "deployments cannot use the accelerator mitogen until that is mended",
        ),
    }
}

fn is_newer(version: &str, than: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) > than,
        _ => false,
    }
}

async fn check_ssh() -> Finding {
    const CHECK: &str = "ssh";
    let Some(program) = process::find_program("ssh", &[]) else {
        return Finding::fail(
            CHECK,
            "ssh was not found",
            "on Debian and Ubuntu install the package openssh-client",
        );
    };
    let mut command = process::command(&program);
    command.arg("-V");
    match process::run_captured(command, Duration::from_secs(10)).await {
        Ok(captured) => Finding::ok(CHECK, captured.stderr_text().trim()),
        Err(error) => Finding::fail(CHECK, chain(error), format!("{} must run", program.display())),
    }
}

/// Only git projects need it.
async fn check_git() -> Finding {
    const CHECK: &str = "git";
    const MEND: &str = "on Debian and Ubuntu install the package git";
    let Some(program) = process::find_program("git", &[]) else {
        return Finding::warn(CHECK, "git was not found: git projects cannot be synced", MEND);
    };
    let mut command = process::command(&program);
    command.arg("--version");
    match process::run_captured(command, Duration::from_secs(10)).await {
        Ok(captured) if captured.status.success() => Finding::ok(CHECK, captured.stdout_text().trim()),
        Ok(captured) => Finding::warn(CHECK, captured.stderr_text().trim(), MEND),
        Err(error) => Finding::warn(CHECK, chain(error), format!("{} must run", program.display())),
    }
}

fn check_space(data_directory: &Path) -> Finding {
    const CHECK: &str = "free space";
    let there: PathBuf = data_directory
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"))
        .to_owned();
    match rustix::fs::statvfs(&there) {
        Ok(space) => {
            let free = space.f_bavail * space.f_frsize;
            let detail = format!("{:.1} GiB at {}", free as f64 / GIB as f64, there.display());
            if free < GIB / 4 {
                Finding::fail(CHECK, detail, "make room: runs and the database need some")
            } else if free < 2 * GIB {
                Finding::warn(CHECK, detail, "make room soon")
            } else {
                Finding::ok(CHECK, detail)
            }
        }
        Err(error) => Finding::warn(
            CHECK,
            format!("{}: {error}", there.display()),
            "see whether the disk is healthy",
        ),
    }
}

async fn check_isolation() -> Finding {
    const CHECK: &str = "isolation";
    match IsolationMode::detect().await {
        IsolationMode::Strict(_) => Finding::ok(CHECK, "runs are isolated from this machine by bubblewrap"),
        IsolationMode::None | IsolationMode::Unavailable { .. } if isolation_is_off() => Finding::warn(
            CHECK,
            "isolation is off by choice (ADMIRAL_ISOLATION=none), and would not work here: every playbook can read Admiral's keys",
            ISOLATION_HINT,
        ),
        IsolationMode::None => Finding::fail(CHECK, "isolation is off", ISOLATION_HINT),
        IsolationMode::Unavailable { reason } => Finding::fail(
            CHECK,
            format!("runs cannot be isolated, so only built-in playbooks are run: {reason}"),
            ISOLATION_HINT,
        ),
    }
}

/// No finding unless keys were left behind.
fn check_key_files() -> Option<Finding> {
    let abandoned = key_files::find_abandoned();
    let first = abandoned.first()?;
    let shown = match abandoned.len() {
        1 => first.display().to_string(),
        more => format!("{} and {} more", first.display(), more - 1),
    };
    Some(Finding::warn(
        "key files",
        format!("opened SSH keys were left behind in {shown}: the process that looked after them was killed"),
        "a running `admiral serve` removes them within moments, and so does the next `admiral inventory`",
    ))
}

fn check_console() -> Finding {
    if assets::console_is_built() {
        Finding::ok("console", "part of this build")
    } else {
        Finding::warn("console", "not part of this build", "`make build` builds both")
    }
}

/// An error and its causes in one line.
fn chain(error: impl Into<anyhow::Error>) -> String {
    let error = error.into();
    failure::render(&error)
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.trim_start_matches("error: "))
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_how_to_mend_it() {
        let findings = [
            Finding::ok("ssh", "OpenSSH"),
            Finding::fail("key ring", "it is lost", "restore it"),
        ];
        assert_eq!(
            render(&findings, false),
            "ok    ssh       OpenSSH\nfail  key ring  it is lost\n                → restore it"
        );
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_newer("2.20.1", NEWEST_ANSIBLE));
        assert!(is_newer("3.0.0", NEWEST_ANSIBLE));
        assert!(!is_newer("2.19.14", NEWEST_ANSIBLE));
        assert!(!is_newer("2.9.1", NEWEST_ANSIBLE));
        assert!(!is_newer("devel", NEWEST_ANSIBLE));
    }

    #[test]
    fn a_directory_open_to_others_fails() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(check_data_directory(folder.path(), false).verdict, Verdict::Fail);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(check_data_directory(folder.path(), false).verdict, Verdict::Ok);
    }
}
