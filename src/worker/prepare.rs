//! A run folder, made ready: files, inventory, keys, variables, configuration, arguments.

use super::{PrepareError, WorkerConfig, redact::Redactor, secrets::RunSecrets};
use crate::{
    domain::{
        PrivateKeyId, ServerId,
        deployment::{Deployment, DeploymentOptions},
        playbook::{PlaybookFile, PlaybookId},
    },
    inventory::{InventoryHost, extra_vars, known_hosts, render_list},
    process::base_environment,
    runner::{RECORD_VERSION, RunFolder, RunSpec, SecretsFolder},
    store::{
        Database, deployments,
        host_keys::{self, TrustedHostKey},
        playbooks,
        run_targets::{self, RunTarget},
        runs::OwnedRun,
    },
    vault::Vault,
};
use secrecy::ExposeSecret as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

/// The callback plugin, as it is put into every run folder.
const CALLBACK_PLUGIN: &str = include_str!("../../ansible/callback_plugins/admiral_events.py");

/// What a run's inventory script is: the inventory is frozen beside it.
const INVENTORY_SCRIPT: &str =
    "#!/bin/sh\ncase \"$1\" in\n--host) echo '{}' ;;\n*) exec cat \"$(dirname \"$0\")/hosts.json\" ;;\nesac\n";

/// A run that can be started.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Its folder.
    pub(super) folder: RunFolder,
    /// Finds its secrets in what it prints.
    pub(super) redactor: Redactor,
    /// Hosts whose servers are gone.
    pub(super) missing: Vec<String>,
}

/// Everything the database knows about a run.
#[derive(Debug)]
struct Material {
    deployment: Deployment,
    files: Vec<PlaybookFile>,
    targets: Vec<RunTarget>,
    host_keys: Vec<TrustedHostKey>,
    secrets: RunSecrets,
    missing: Vec<String>,
}

/// Makes the folder of a claimed run ready. Nothing is left behind when that fails.
pub(super) async fn prepare(
    config: &WorkerConfig,
    database: &Database,
    vault: &Vault,
    run: &OwnedRun,
) -> Result<Prepared, PrepareError> {
    let material = load(database, vault, run).await?;
    let runs_folder = config.runs_folder();
    // An earlier attempt that was cut short may have left its folder: the run was never started.
    if run.folder.exists() {
        RunFolder::open(&run.folder)
            .remove()
            .map_err(io_error("remove an earlier run folder"))?;
    }
    let folder = RunFolder::create(&runs_folder, run.id).map_err(io_error("make the run folder"))?;
    match fill(config, run, &folder, &material) {
        Ok(()) => Ok(Prepared {
            folder,
            redactor: material.secrets.redactor(),
            missing: material.missing,
        }),
        Err(error) => {
            if let Err(error) = folder.remove() {
                tracing::warn!(%error, run = %run.id, "an unfinished run folder could not be removed");
            }
            Err(error)
        }
    }
}

async fn load(database: &Database, vault: &Vault, run: &OwnedRun) -> Result<Material, PrepareError> {
    let mut connection = database.acquire().await?;
    let deployment = deployments::get_deployment(&mut connection, run.deployment_id).await?;
    let frozen = deployments::get_frozen(&mut connection, run.deployment_id).await?;
    let files = playbooks::load_version_files(&mut connection, frozen.playbook_version_id).await?;
    let targets = run_targets::list_targets(&mut connection, run.deployment_id, run.slice).await?;
    let hosts = crate::store::ingest::list_hosts(&mut connection, run.deployment_id, run.slice).await?;
    let present: BTreeSet<&str> = targets.iter().map(|target| target.host.as_str()).collect();
    let missing = hosts
        .into_iter()
        .map(|(host, _)| host)
        .filter(|host| !present.contains(host.as_str()))
        .collect();
    let servers: Vec<ServerId> = targets.iter().map(|target| target.server.id).collect();
    let host_keys = host_keys::list_for_servers(&mut connection, &servers).await?;
    let keys: BTreeSet<PrivateKeyId> = targets.iter().filter_map(RunTarget::private_key_id).collect();
    let secrets = RunSecrets::open(&mut connection, vault, run.deployment_id, &keys).await?;
    Ok(Material {
        deployment,
        files,
        targets,
        host_keys,
        secrets,
        missing,
    })
}

fn fill(config: &WorkerConfig, run: &OwnedRun, folder: &RunFolder, material: &Material) -> Result<(), PrepareError> {
    let playbook: PlaybookId = material
        .deployment
        .playbook
        .parse()
        .map_err(|_| PrepareError::PlaybookPath)?;
    let secrets_folder = SecretsFolder::create(run.id).map_err(io_error("make the folder for secrets"))?;
    let made = (|| {
        write_project(folder, &material.files)?;
        write_callback_plugin(folder)?;
        make_folder(&folder.home().join("tmp"))?;
        let keys = write_keys(&secrets_folder, &material.secrets)?;
        write_inventory(folder, &material.targets, &keys)?;
        write_known_hosts(folder, material)?;
        let variables = secrets_folder.join("variables.yml");
        let text = extra_vars::render_extra_vars(&material.deployment.variables, &material.secrets.variables);
        write_file(&variables, text.expose_secret().as_bytes(), 0o600)?;
        let control_path_folder = secrets_folder.join("cp");
        let configuration = configuration(folder, &control_path_folder, &material.deployment.options);
        write_file(&folder.configuration(), configuration.as_bytes(), 0o600)?;
        let spec = RunSpec {
            version: RECORD_VERSION,
            run_id: run.id,
            program: config.ansible_playbook.clone(),
            arguments: arguments(folder, &variables, &material.deployment.options, playbook.path())?,
            environment: environment(config, folder),
            working_directory: folder.project(),
            secrets_folder: secrets_folder.clone(),
            control_path_folder,
            timeout_seconds: material.deployment.options.timeout_seconds.unsigned_abs().into(),
            grace_seconds: config.grace_seconds,
            isolation: config.isolation,
            hidden_paths: vec![config.data_directory.clone()],
        };
        folder.write_spec(&spec).map_err(PrepareError::Runner)
    })();
    if made.is_err()
        && let Err(error) = std::fs::remove_dir_all(&secrets_folder)
    {
        tracing::warn!(%error, run = %run.id, "a folder of secrets could not be removed");
    }
    made
}

fn write_project(folder: &RunFolder, files: &[PlaybookFile]) -> Result<(), PrepareError> {
    make_folder(&folder.project())?;
    for file in files {
        let path = Path::new(&file.path);
        if path.as_os_str().is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(PrepareError::PlaybookPath);
        }
        let path = folder.project().join(path);
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        let executable = file.mode & 0o100 != 0;
        write_file(&path, &file.content, if executable { 0o700 } else { 0o600 })?;
    }
    Ok(())
}

fn write_callback_plugin(folder: &RunFolder) -> Result<(), PrepareError> {
    make_folder(&folder.callback_plugins())?;
    write_file(
        &folder.callback_plugins().join("admiral_events.py"),
        CALLBACK_PLUGIN.as_bytes(),
        0o600,
    )
}

/// One file for each key, however many servers use it.
fn write_keys(secrets_folder: &Path, secrets: &RunSecrets) -> Result<BTreeMap<PrivateKeyId, PathBuf>, PrepareError> {
    let mut paths = BTreeMap::new();
    for (number, (id, key)) in secrets.keys.iter().enumerate() {
        let path = secrets_folder.join(format!("key-{}", number + 1));
        write_file(&path, key.expose_secret().as_bytes(), 0o600)?;
        paths.insert(*id, path);
    }
    Ok(paths)
}

fn write_inventory(
    folder: &RunFolder,
    targets: &[RunTarget],
    keys: &BTreeMap<PrivateKeyId, PathBuf>,
) -> Result<(), PrepareError> {
    let hosts: Vec<InventoryHost> = targets
        .iter()
        .map(|target| {
            let key = target.private_key_id().and_then(|id| keys.get(&id));
            let mut host = InventoryHost::from((&target.server, key.map(|path| path.to_string_lossy().into_owned())));
            // The row's name, even when the server was renamed since the launch.
            host.hostname.clone_from(&target.host);
            host
        })
        .collect();
    make_folder(&folder.inventory())?;
    write_file(
        &folder.inventory().join("hosts.json"),
        render_list(&hosts).to_string().as_bytes(),
        0o600,
    )?;
    write_file(&inventory_script(folder), INVENTORY_SCRIPT.as_bytes(), 0o700)
}

fn inventory_script(folder: &RunFolder) -> PathBuf {
    folder.inventory().join("admiral-run")
}

fn write_known_hosts(folder: &RunFolder, material: &Material) -> Result<(), PrepareError> {
    let mut entries: Vec<(&str, i32, &str)> = Vec::new();
    for target in &material.targets {
        for key in material
            .host_keys
            .iter()
            .filter(|key| key.server_id == target.server.id)
        {
            entries.push((&target.server.ssh_host, target.server.ssh_port, &key.public_key));
        }
    }
    write_file(&folder.known_hosts(), known_hosts::render(&entries).as_bytes(), 0o600)
}

/// The run's `ansible.cfg`. SSH gets no configuration, agent or known hosts but the run's own.
fn configuration(folder: &RunFolder, control_path_folder: &Path, options: &DeploymentOptions) -> String {
    let project = folder.project();
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
    let forks = options.forks;
    let lines = [
        "[defaults]".to_owned(),
        "callbacks_enabled = admiral_events".to_owned(),
        format!("callback_plugins = {}", folder.callback_plugins().display()),
        format!("forks = {forks}"),
        "timeout = 30".to_owned(),
        // With checking on, Ansible leaves the choice to our `StrictHostKeyChecking`.
        "host_key_checking = True".to_owned(),
        "retry_files_enabled = False".to_owned(),
        "fact_caching = memory".to_owned(),
        format!("local_tmp = {}", folder.home().join("tmp").display()),
        format!(
            "roles_path = {}:/usr/share/ansible/roles:/etc/ansible/roles",
            project.join("roles").display()
        ),
        format!(
            "collections_path = {}:/usr/share/ansible/collections",
            project.join("collections").display()
        ),
        String::new(),
        "[ssh_connection]".to_owned(),
        "pipelining = True".to_owned(),
        format!("control_path_dir = {}", control_path_folder.display()),
        format!("ssh_args = {ssh_args}"),
        String::new(),
    ];
    lines.join("\n")
}

/// Values that a user chose never stand alone, so that none can be taken for an option.
fn arguments(
    folder: &RunFolder,
    variables: &Path,
    options: &DeploymentOptions,
    playbook: &str,
) -> Result<Vec<String>, PrepareError> {
    let mut arguments = vec![
        format!("--inventory={}", inventory_script(folder).display()),
        format!("--extra-vars=@{}", variables.display()),
        format!("--forks={}", options.forks),
    ];
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
        // Ansible reads the file that `@` names, anywhere on this machine.
        if limit.split([',', ':']).any(|part| part.trim_start().starts_with('@')) {
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
fn environment(config: &WorkerConfig, folder: &RunFolder) -> BTreeMap<String, String> {
    let own = folder.home();
    // Not a home of the run's own: with `connection: local` Ansible takes `~` now from `HOME`, now from the system, and an
    // async job written below the one is not found below the other.
    let home = std::env::home_dir().unwrap_or_else(|| own.clone());
    let mut environment: BTreeMap<String, String> = base_environment(&home).into_iter().collect();
    // `ansible-connection` and its like lie beside `ansible-playbook`.
    if let Some(programs) = config.ansible_playbook.parent() {
        let path = environment.entry("PATH".to_owned()).or_default();
        *path = format!("{}:{path}", programs.display());
    }
    for (name, value) in [
        ("ANSIBLE_CONFIG", folder.configuration()),
        ("ADMIRAL_EVENTS_PATH", folder.events()),
        ("ANSIBLE_LOCAL_TEMP", own.join("tmp")),
        ("ANSIBLE_HOME", own.join(".ansible")),
    ] {
        environment.insert(name.to_owned(), value.to_string_lossy().into_owned());
    }
    environment.insert("ANSIBLE_FORCE_COLOR".to_owned(), "1".to_owned());
    environment.insert("LANG".to_owned(), "C.UTF-8".to_owned());
    environment
}

fn make_folder(path: &Path) -> Result<(), PrepareError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error("make a folder"))
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), PrepareError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(io_error("write a file of the run"))
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> PrepareError {
    move |source| PrepareError::Io { what, source }
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
            "--inventory=/run/inventory/admiral-run",
            "--extra-vars=@/secret/variables.yml",
            "--forks=50",
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
        for limit in ["@/etc/passwd", "web, @x", "a:@x"] {
            assert!(matches!(
                arguments_for(|options| options.limit = Some(limit.to_owned())),
                Err(PrepareError::Limit)
            ));
        }
    }

    #[test]
    fn a_playbook_stays_in_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(root.path());
        for path in ["../x", "/etc/x", "a/../../x", "", "./x"] {
            let file = PlaybookFile {
                path: path.to_owned(),
                mode: 0o644,
                content: Vec::new(),
            };
            let outcome = write_project(&folder, &[file]);
            assert!(matches!(outcome, Err(PrepareError::PlaybookPath)), "{path:?}");
        }
    }
}
