//! What `ansible-playbook` is told: its configuration, its arguments, its environment.

use super::{PrepareError, WorkerConfig};
use crate::{
    domain::{
        deployment::{Accelerator, DeploymentOptions},
        isolation::Isolation,
        playbook::PlaybookFile,
    },
    inventory::limit,
    playbooks::configuration::{self, ConfigurationError, Merged, Ours, Terms},
    process::base_environment,
    runner::{self, RunFolder},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What a run's inventory script is: the inventory is frozen beside it.
pub(super) const INVENTORY_SCRIPT: &str =
    "#!/bin/sh\ncase \"$1\" in\n--host) echo '{}' ;;\n*) exec cat \"$(dirname \"$0\")/hosts.json\" ;;\nesac\n";

/// Connections that Mitogen opens at a time, at the least; its own default.
const MITOGEN_POOL: i32 = 32;

/// Where the inventory script lies.
pub(super) fn inventory_script(folder: &RunFolder) -> PathBuf {
    folder.inventory().join("admiral-run")
}

/// Where the run's `ansible.cfg` lies: in the place of the project's own, because relative paths in it are relative to its folder.
pub(super) fn configuration_path(folder: &RunFolder, files: &[PlaybookFile]) -> PathBuf {
    match configuration::find(files) {
        Some(_) => folder.project().join(configuration::FILE_NAME),
        None => folder.configuration(),
    }
}

/// The run's `ansible.cfg`: the project's, with ours laid over it. SSH gets no configuration, agent or known hosts but the run's own.
pub(super) fn configuration(
    folder: &RunFolder,
    control_path_folder: &Path,
    options: &DeploymentOptions,
    files: &[PlaybookFile],
    galaxy: Option<&Path>,
) -> Result<Merged, ConfigurationError> {
    let accelerated = options.accelerator == Some(Accelerator::Mitogen);
    let ssh_args = [
        "-C".to_owned(),
        "-o ControlMaster=auto".to_owned(),
        "-o ControlPersist=60s".to_owned(),
        format!("-o UserKnownHostsFile={}", folder.known_hosts().display()),
        "-o GlobalKnownHostsFile=/dev/null".to_owned(),
        "-o StrictHostKeyChecking=accept-new".to_owned(),
        "-o HashKnownHosts=no".to_owned(),
        "-o UpdateHostKeys=no".to_owned(),
        "-o IdentitiesOnly=yes".to_owned(),
        "-o IdentityAgent=none".to_owned(),
        "-F /dev/null".to_owned(),
    ]
    .join(" ");
    let ours = Ours {
        project: folder.project(),
        galaxy: galaxy.map(Path::to_owned),
        callback: Some(("admiral_events", folder.callback_plugins())),
        strategy_plugins: accelerated.then(|| folder.strategy_plugins()),
        settings: vec![
            ("defaults", "forks", options.forks.to_string()),
            // With checking on, Ansible leaves the choice to our `StrictHostKeyChecking`.
            ("defaults", "host_key_checking", "True".to_owned()),
            ("defaults", "retry_files_enabled", "False".to_owned()),
            (
                "defaults",
                "local_tmp",
                folder.home().join("tmp").to_string_lossy().into_owned(),
            ),
            (
                "ssh_connection",
                "control_path_dir",
                control_path_folder.to_string_lossy().into_owned(),
            ),
            // The path of a socket must be short, and that of the home may not be.
            (
                "persistent_connection",
                "control_path_dir",
                control_path_folder.to_string_lossy().into_owned(),
            ),
            ("ssh_connection", "ssh_args", ssh_args),
        ],
        defaults: vec![
            ("defaults", "timeout", "30".to_owned()),
            // A tag such as `eu-west` makes a group of that name, which Ansible takes but grumbles about.
            ("defaults", "force_valid_group_names", "ignore".to_owned()),
            ("ssh_connection", "pipelining", "True".to_owned()),
        ],
    };
    let terms = Terms {
        forks: Some(options.forks),
        accelerated,
        // Of no consequence to a run.
        galaxy_servers: false,
    };
    configuration::merge(files, terms, &ours)
}

/// Values that a user chose never stand alone, so that none can be taken for an option.
pub(super) fn arguments(
    folder: &RunFolder,
    variables: &Path,
    vault_ids: &[String],
    options: &DeploymentOptions,
    playbook: &str,
) -> Result<Vec<String>, PrepareError> {
    let mut arguments = vec![
        format!("--inventory={}", inventory_script(folder).display()),
        format!("--extra-vars=@{}", variables.display()),
        format!("--forks={}", options.forks),
    ];
    arguments.extend_from_slice(vault_ids);
    for (given, option) in [
        (options.check, "--check"),
        (options.diff, "--diff"),
        (options.become_, "--become"),
    ] {
        if given {
            arguments.push(option.to_owned());
        }
    }
    if let Some(limit) = &options.limit {
        // No launch accepts such a limit. This one may be older than that rule.
        if limit::may_read_file(limit) {
            return Err(PrepareError::Limit);
        }
        arguments.push(format!("--limit={limit}"));
    }
    for (option, tags) in [("--tags", &options.tags), ("--skip-tags", &options.skip_tags)] {
        if !tags.is_empty() {
            arguments.push(format!("{option}={}", tags.join(",")));
        }
    }
    if let Some(task) = &options.start_at_task {
        arguments.push(format!("--start-at-task={task}"));
    }
    if options.verbosity > 0 {
        arguments.push(format!(
            "-{}",
            "v".repeat(options.verbosity.clamp(1, 4).unsigned_abs() as usize)
        ));
    }
    arguments.push(format!("./{playbook}"));
    Ok(arguments)
}

/// The whole environment of the run: nothing of ours is inherited.
pub(super) fn environment(
    config: &WorkerConfig,
    folder: &RunFolder,
    configuration: &Path,
    control_path_folder: &Path,
    options: &DeploymentOptions,
    isolation: Isolation,
) -> BTreeMap<String, String> {
    let own = folder.home();
    // With `connection: local` Ansible takes `~` now from `HOME`, now from the system, and an async job written below the one is not
    // found below the other. An isolated run's system says what its `HOME` says; elsewhere both are those of our account.
    let home = match isolation {
        Isolation::Strict => own.clone(),
        Isolation::ControllerWritable | Isolation::None => std::env::home_dir().unwrap_or_else(|| own.clone()),
    };
    let mut environment: BTreeMap<String, String> = base_environment(&home).into_iter().collect();
    // `ansible-connection` and its like lie beside `ansible-playbook`.
    if let Some(programs) = config.ansible_playbook.parent() {
        let path = environment.entry("PATH".to_owned()).or_default();
        *path = format!("{}:{path}", programs.display());
    }
    for (name, value) in [
        ("ANSIBLE_CONFIG", configuration.to_owned()),
        ("ADMIRAL_EVENTS_PATH", folder.events()),
        // Of Ansible's own variables only those that no project may set otherwise: they come before its `ansible.cfg`.
        ("ANSIBLE_LOCAL_TEMP", own.join("tmp")),
        ("ANSIBLE_HOME", own.join(".ansible")),
    ] {
        environment.insert(name.to_owned(), value.to_string_lossy().into_owned());
    }
    if let Some(base) = runner::python_user_base(&config.ansible_playbook) {
        environment.insert("PYTHONUSERBASE".to_owned(), base.to_string_lossy().into_owned());
    }
    environment.insert("ANSIBLE_FORCE_COLOR".to_owned(), "1".to_owned());
    environment.insert("LANG".to_owned(), "C.UTF-8".to_owned());
    if options.accelerator == Some(Accelerator::Mitogen) {
        environment.insert(
            "ADMIRAL_SOCKETS_PATH".to_owned(),
            control_path_folder.to_string_lossy().into_owned(),
        );
        environment.insert(
            "MITOGEN_POOL_SIZE".to_owned(),
            options.forks.max(MITOGEN_POOL).to_string(),
        );
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments_for(change: impl FnOnce(&mut DeploymentOptions)) -> Result<Vec<String>, PrepareError> {
        let mut options = DeploymentOptions::default();
        change(&mut options);
        arguments(
            &RunFolder::open("/run"),
            Path::new("/secret/variables.yml"),
            &["--vault-id=prod@/secret/vault-0".to_owned()],
            &options,
            "-site.yml",
        )
    }

    #[test]
    fn no_value_can_be_taken_for_an_option() {
        let arguments = arguments_for(|options| {
            options.limit = Some("--check".to_owned());
            options.tags = vec!["a".to_owned(), "b".to_owned()];
            options.skip_tags = vec!["c".to_owned()];
            options.start_at_task = Some("-vvv".to_owned());
            options.verbosity = 2;
            options.diff = true;
            options.become_ = true;
        })
        .unwrap();
        let expected = [
            "--inventory=/run/work/inventory/admiral-run",
            "--extra-vars=@/secret/variables.yml",
            "--forks=50",
            "--vault-id=prod@/secret/vault-0",
            "--diff",
            "--become",
            "--limit=--check",
            "--tags=a,b",
            "--skip-tags=c",
            "--start-at-task=-vvv",
            "-vv",
            "./-site.yml",
        ];
        assert_eq!(arguments, expected);
    }

    #[test]
    fn a_limit_cannot_read_files() {
        for limit in ["@/etc/passwd", "web, @x", "a:@x", "all:h1 @x", "h1[0] @x"] {
            assert!(matches!(
                arguments_for(|options| options.limit = Some(limit.to_owned())),
                Err(PrepareError::Limit)
            ));
        }
    }
}
