//! `admiral install` and `admiral uninstall`: Admiral as a service of a Debian or Ubuntu machine, under an account of its own.
//!
//! `machine` looks at the machine, `plan` decides from that alone which steps are needed, and `carry_out` takes them after they were
//! shown. The manifest records everything that was made, so that `admiral uninstall` removes nothing else.

mod carry_out;
pub mod files;
mod machine;
pub mod manifest;
mod plan;
pub mod uninstall;

use self::{carry_out::Workman, machine::Machine, manifest::Manifest, plan::Plan};
use super::{
    failure::{Hinted, UsageError},
    input,
    options::{GlobalOptions, is_root},
    output,
    service_settings::{DATA_DIRECTORY, SETTINGS_FILE, ServiceSettings},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Component, PathBuf},
};

const DEFAULT_ACCOUNT: &str = "admiral";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Options of `admiral install`. The global options `--data-dir` and `--database-url` say where the data are.
#[derive(Debug, Clone, clap::Args)]
pub struct InstallOptions {
    /// The account that the service runs as; made when it is missing [default: admiral]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Address and port that the service listens on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Do not start the service now; it starts with the machine
    #[arg(long)]
    no_start: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// The choices that options or an earlier `admiral install` made.
#[derive(Debug, Clone)]
pub struct Choices {
    /// The account of the service.
    pub account: String,
    /// The folder of its data.
    pub data_directory: PathBuf,
    /// The external PostgreSQL; without it the service has one of its own.
    pub database_url: Option<String>,
    /// The address that it listens on.
    pub listen: SocketAddr,
    /// The database that an option names, even if the settings name another.
    pub asked_database_url: Option<String>,
    /// The address that an option names, even if the settings name another.
    pub asked_listen: Option<SocketAddr>,
    /// Whether to start it.
    pub start: bool,
    /// The places of everything else.
    pub paths: Paths,
}

/// The places of everything that is installed.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Settings and the manifest.
    pub configuration: PathBuf,
    /// The settings of the service.
    pub settings: PathBuf,
    /// The list of everything that was made.
    pub manifest: PathBuf,
    /// This program.
    pub binary: PathBuf,
    /// The unit of the service.
    pub unit: PathBuf,
    /// The folder for other software.
    pub software: PathBuf,
    /// A link to the Ansible in use.
    pub ansible: PathBuf,
    /// The AppArmor profile.
    pub apparmor: PathBuf,
    /// A setting of Debian's PostgreSQL packages.
    pub no_main_cluster: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            configuration: "/etc/admiral".into(),
            settings: SETTINGS_FILE.into(),
            manifest: "/etc/admiral/installed.json".into(),
            binary: "/usr/local/bin/admiral".into(),
            unit: "/etc/systemd/system/admiral.service".into(),
            software: "/opt/admiral".into(),
            ansible: "/opt/admiral/ansible".into(),
            apparmor: "/etc/apparmor.d/admiral".into(),
            no_main_cluster: "/etc/postgresql-common/createcluster.d/admiral.conf".into(),
        }
    }
}

impl Choices {
    /// Takes each choice from the options, else from an earlier call, else from the defaults.
    fn of(
        global: &GlobalOptions,
        options: &InstallOptions,
        earlier: Option<&Manifest>,
        settings: Option<&ServiceSettings>,
    ) -> Self {
        let paths = Paths::default();
        Self {
            account: options
                .account
                .clone()
                .or_else(|| earlier.map(|manifest| manifest.account.clone()))
                .unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()),
            data_directory: global
                .data_dir
                .clone()
                .or_else(|| earlier.map(|manifest| manifest.data_directory.clone()))
                .unwrap_or_else(|| DATA_DIRECTORY.into()),
            database_url: settings
                .and_then(|settings| settings.get("DATABASE_URL").map(str::to_owned))
                .or_else(|| global.database_url.clone()),
            listen: options.listen.unwrap_or(DEFAULT_LISTEN),
            asked_database_url: global.database_url.clone(),
            asked_listen: options.listen,
            start: !options.no_start,
            paths,
        }
    }

    #[cfg(test)]
    fn default_for_tests() -> Self {
        Self {
            account: DEFAULT_ACCOUNT.to_owned(),
            data_directory: DATA_DIRECTORY.into(),
            database_url: None,
            listen: DEFAULT_LISTEN,
            asked_database_url: None,
            asked_listen: None,
            start: true,
            paths: Paths::default(),
        }
    }
}

/// Installs Admiral as a service, or brings an installed one up to date.
pub async fn run(global: &GlobalOptions, options: InstallOptions) -> anyhow::Result<()> {
    let earlier = Manifest::read(&Paths::default().manifest)?;
    let choices = Choices::of(global, &options, earlier.as_ref(), ServiceSettings::read().as_ref());
    check(&choices)?;
    let machine = Machine::look(&choices).await?;
    let plan = Plan::make(&choices, &machine, earlier.as_ref())?;
    show(&plan)?;
    if options.dry_run {
        return Ok(());
    }
    if plan.steps.is_empty() {
        return Ok(());
    }
    if !is_root() {
        return Err(Hinted::new(
            "only root can install a service",
            "type `sudo` in front of it; --dry-run shows what it would do",
        )
        .into());
    }
    if !options.yes && !input::confirm("do this?")? {
        output::say("nothing was done");
        return Ok(());
    }
    Workman::new(&choices, earlier, machine.is_active)
        .carry_out(&plan.steps)
        .await?;
    said_at_the_end(&choices)
}

fn show(plan: &Plan) -> anyhow::Result<()> {
    for note in &plan.notes {
        output::line(&format!("note: {note}"))?;
    }
    if plan.steps.is_empty() {
        output::line("Everything is installed and up to date; nothing has to be done.")?;
        return Ok(());
    }
    output::line("This is to be done:")?;
    for (number, step) in plan.steps.iter().enumerate() {
        output::line(&format!("  {:>2}. {}", number + 1, step.describe()))?;
        if let Some(text) = step.text() {
            for line in text.lines() {
                output::line(format!("      | {line}").trim_end())?;
            }
        }
    }
    Ok(())
}

fn said_at_the_end(choices: &Choices) -> anyhow::Result<()> {
    let listen = ServiceSettings::read()
        .and_then(|settings| settings.get("ADMIRAL_LISTEN").map(str::to_owned))
        .unwrap_or_else(|| choices.listen.to_string());
    output::line("")?;
    if choices.start {
        output::line(&format!("Admiral is running and listens on http://{listen}"))?;
    } else {
        output::line("Admiral is installed; `systemctl start admiral` starts it")?;
    }
    output::line("  the first account:  sudo admiral users add NAME --role admin --password")?;
    output::line("  its state:          systemctl status admiral; sudo admiral doctor")?;
    output::line("  its log:            journalctl -u admiral")?;
    output::line(&format!(
        "  its settings:       {}; systemctl restart admiral",
        choices.paths.settings.display()
    ))?;
    Ok(())
}

/// Refuses choices that cannot work on any machine.
fn check(choices: &Choices) -> Result<(), UsageError> {
    let account = &choices.account;
    let is_name = account.len() <= 32
        && account.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && account
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte));
    if !is_name || account == "root" {
        return Err(UsageError(format!(
            "--account {account:?} cannot be the service's account: a name has up to 32 lower-case letters, digits, `_` and `-`, begins \
             with a letter or `_`, and is not root"
        )));
    }
    let data = &choices.data_directory;
    let text = data.to_str().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.+".contains(&byte);
    let leads_up = data.components().any(|component| component == Component::ParentDir);
    if !data.is_absolute() || !text.bytes().all(is_plain) || data.components().count() < 3 || leads_up {
        return Err(UsageError(format!(
            "--data-dir {} cannot hold the service's data: it has to be an absolute path below the root's folders, such as \
             {DATA_DIRECTORY}, of letters, digits and `/-_.+`, without `..`",
            data.display()
        )));
    }
    if ["/home", "/root", "/run", "/tmp", "/var/tmp", "/dev", "/proc", "/sys"]
        .iter()
        .any(|hidden| data.starts_with(hidden))
    {
        return Err(UsageError(format!(
            "--data-dir {} cannot hold the service's data: the service sees nothing of /home, /root and the temporary folders, and they do \
             not keep what is in them; {DATA_DIRECTORY} or a folder below /srv would do",
            data.display()
        )));
    }
    // Root runs programs from these folders, and the account must not be able to replace them.
    for own in [&choices.paths.configuration, &choices.paths.software] {
        if data.starts_with(own) || own.starts_with(data) {
            return Err(UsageError(format!(
                "--data-dir {} cannot hold the service's data: {} is for settings and programs that only root may change; \
                 {DATA_DIRECTORY} or a folder below /srv would do",
                data.display(),
                own.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused() {
        let with = |account: &str, data: &str| {
            let mut choices = Choices::default_for_tests();
            choices.account = account.to_owned();
            choices.data_directory = data.into();
            check(&choices).map_err(|error| error.0)
        };
        with("admiral", "/var/lib/admiral").unwrap();
        with("_svc-2", "/srv/admiral.d/data").unwrap();
        for account in ["root", "", "Admiral", "9admiral", "a b", "a;b", &"a".repeat(33)] {
            let refused = with(account, "/var/lib/admiral").unwrap_err();
            assert!(refused.contains("--account"), "{refused}");
        }
        for data in [
            "data",
            "/",
            "/srv",
            "/srv/a b",
            "/srv/a%b",
            "/srv/../root/a",
            "/opt/admiral",
            "/opt/admiral/data",
            "/etc/admiral",
            "/home/a/data",
            "/tmp/a",
            "/root/x",
        ] {
            let refused = with("admiral", data).unwrap_err();
            assert!(refused.contains("--data-dir"), "{refused}");
        }
    }
}
