//! A run folder, made ready: files, inventory, keys, variables, configuration, arguments.

use super::{
    PrepareError, WorkerConfig,
    command::{INVENTORY_SCRIPT, arguments, configuration, configuration_path, environment, inventory_script},
    secrets::RunSecrets,
};
use crate::{
    domain::{
        PackageId, PrivateKeyId, ServerId,
        deployment::{Accelerator, Deployment, DeploymentOptions},
        isolation::{Controller, Isolation},
        playbook::PlaybookFile,
    },
    ingest::redact::Redactor,
    inventory::{InventoryHost, extra_vars, known_hosts, render_list},
    playbooks::{
        ansible::vault_id_argument,
        configuration,
        galaxy::{Galaxy, has_requirements, open_servers},
        git::GitSource,
        mitogen,
    },
    runner::{IsolationMode, RunAccount, RunFolder, RunSpec, SPEC_VERSION, SandboxFeatures, SecretsFolder},
    store::{
        Database, deployments,
        host_keys::{self, TrustedHostKey},
        packages,
        run_targets::{self, RunTarget},
        runs::OwnedRun,
    },
    vault::Vault,
};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{DirBuilder, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
};

/// The callback plugin, as it is put into every run folder.
const CALLBACK_PLUGIN: &str = include_str!("../../ansible/callback_plugins/admiral_events.py");

/// The strategies of an accelerated run: one file, which does as its name says.
const MITOGEN_STRATEGY: &str = include_str!("../../ansible/strategy_plugins/mitogen_strategy.py");
const MITOGEN_STRATEGIES: [&str; 7] = [
    "linear",
    "free",
    "host_pinned",
    "mitogen",
    "mitogen_linear",
    "mitogen_free",
    "mitogen_host_pinned",
];

/// A run that can be started.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Its folder.
    pub(super) folder: RunFolder,
    /// Finds its secrets in what it prints.
    pub(super) redactor: Redactor,
    /// Hosts whose servers are gone.
    pub(super) missing: Vec<String>,
    /// What stands between it and the machine.
    pub(super) isolation: Isolation,
}

/// Everything the database knows about a run.
#[derive(Debug)]
struct Material {
    deployment: Deployment,
    package: PackageId,
    isolation: Isolation,
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
    galaxy: &Galaxy,
    run: &OwnedRun,
) -> Result<Prepared, PrepareError> {
    let material = load(config, database, vault, run).await?;
    if material.deployment.options.accelerator == Some(Accelerator::Mitogen) {
        // Whoever launched it may have another Ansible than this machine.
        mitogen::find(&config.ansible_playbook).await?;
    }
    let fetched = fetch(database, vault, galaxy, material.package, &material.files).await?;
    let runs_folder = config.runs_folder();
    // An earlier attempt that was cut short may have left its folder: the run was never started.
    if run.folder.exists() {
        RunFolder::open(&run.folder)
            .remove()
            .map_err(io_error("remove an earlier run folder"))?;
    }
    let folder = RunFolder::create(&runs_folder, run.id).map_err(io_error("make the run folder"))?;
    match fill(config, run, &folder, &material, fetched.as_deref()) {
        Ok(()) => Ok(Prepared {
            folder,
            redactor: material
                .secrets
                .redactor(material.targets.iter().map(|target| target.host.clone())),
            missing: material.missing,
            isolation: material.isolation,
        }),
        Err(error) => {
            if let Err(error) = folder.remove() {
                tracing::warn!(%error, run = %run.id, "an unfinished run folder could not be removed");
            }
            Err(error)
        }
    }
}

async fn load(
    config: &WorkerConfig,
    database: &Database,
    vault: &Vault,
    run: &OwnedRun,
) -> Result<Material, PrepareError> {
    let mut connection = database.acquire().await?;
    let deployment = deployments::get_deployment(&mut connection, run.deployment_id).await?;
    let frozen = deployments::get_frozen(&mut connection, run.deployment_id).await?;
    let version = frozen.playbook_version_id.ok_or(PrepareError::PlaybookPath)?;
    let package = packages::get_version(&mut connection, version).await?.package_id;
    let is_builtin = packages::ships_with_admiral(&mut connection, package).await?;
    let isolation = isolation(config, &deployment.options, is_builtin)?;
    let files = packages::load_version_files(&mut connection, version).await?;
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
    let mut secrets = RunSecrets::open(&mut connection, vault, run.deployment_id, &keys, &files).await?;
    if let Some(missing) = secrets.missing_passwords.take() {
        return Err(missing.into());
    }
    Ok(Material {
        deployment,
        package,
        isolation,
        files,
        targets,
        host_keys,
        secrets,
        missing,
    })
}

/// What is put between the run and the machine.
fn isolation(config: &WorkerConfig, options: &DeploymentOptions, is_builtin: bool) -> Result<Isolation, PrepareError> {
    match &config.isolation {
        IsolationMode::Strict(_) if options.controller == Controller::Writable => Ok(Isolation::ControllerWritable),
        IsolationMode::Strict(_) => Ok(Isolation::Strict),
        IsolationMode::Unavailable { reason } if !is_builtin => Err(PrepareError::Isolation(reason.clone())),
        IsolationMode::Unavailable { .. } | IsolationMode::None => Ok(Isolation::None),
    }
}

/// The folders of the machine that the run may write to, as they are without links.
fn writable_paths(config: &WorkerConfig, options: &DeploymentOptions) -> Result<Vec<PathBuf>, PrepareError> {
    let judge = |path: &String| {
        let refuse = |problem| PrepareError::WritablePath {
            path: path.clone(),
            problem,
        };
        let real = Path::new(path)
            .canonicalize()
            .map_err(|_| refuse("there is no such folder on the machine of the worker"))?;
        let overlaps = |other: &Path| real.starts_with(other) || other.starts_with(&real);
        if !real.is_dir() {
            Err(refuse("it is no folder"))
        } else if overlaps(&config.data_directory) {
            Err(refuse("Admiral's own data is in it"))
        } else if ["/proc", "/sys", "/dev", "/run"]
            .iter()
            .any(|system| overlaps(Path::new(system)))
        {
            Err(refuse("it belongs to the system"))
        } else {
            Ok(real)
        }
    };
    options.writable_paths.iter().map(judge).collect()
}

/// The roles and collections that the package asks for. As a rule the launch has had them fetched, but maybe on another machine.
async fn fetch(
    database: &Database,
    vault: &Vault,
    galaxy: &Galaxy,
    package: PackageId,
    files: &[PlaybookFile],
) -> Result<Option<PathBuf>, PrepareError> {
    if !has_requirements(files) {
        return Ok(None);
    }
    let servers = open_servers(&mut *database.acquire().await?, vault).await?;
    let git = GitSource {
        database,
        vault,
        package,
    };
    Ok(galaxy.provide(files, &servers, git).await?)
}

fn fill(
    config: &WorkerConfig,
    run: &OwnedRun,
    folder: &RunFolder,
    material: &Material,
    fetched: Option<&Path>,
) -> Result<(), PrepareError> {
    let secrets_folder = SecretsFolder::create(run.id).map_err(io_error("make the folder for secrets"))?;
    let made = (|| {
        write_project(folder, &material.files)?;
        write_plugins(folder, material.deployment.options.accelerator)?;
        make_folder(&folder.home().join("tmp"))?;
        for temporary in [folder.temporary(), folder.var_temporary()] {
            make_folder(&temporary)?;
            set_mode(&temporary, 0o1777)?;
        }
        make_folder(&folder.sockets())?;
        let keys = write_keys(&secrets_folder, &material.secrets)?;
        write_inventory(folder, &material.targets, &keys)?;
        write_known_hosts(folder, material)?;
        let values = write_files(&secrets_folder, material)?;
        let variables = secrets_folder.join("variables.yml");
        let text = extra_vars::render_extra_vars(&values, &material.secrets.variables);
        write_file(&variables, text.expose_secret().as_bytes(), 0o600)?;
        let vault_ids = write_vault_passwords(&secrets_folder, &material.secrets)?;
        let control_path_folder = secrets_folder.join("cp");
        make_folder(&control_path_folder)?;
        let options = &material.deployment.options;
        let merged = configuration(folder, &control_path_folder, options, &material.files, fetched)?;
        let configuration = configuration_path(folder, &material.files);
        write_file(&configuration, merged.text.as_bytes(), 0o600)?;
        if configuration.starts_with(folder.project()) {
            set_mode(&configuration, 0o644)?;
        }
        let (features, account) = match (&config.isolation, material.isolation) {
            (IsolationMode::Strict(features), Isolation::Strict) => (*features, RunAccount::for_run(run.id)),
            (IsolationMode::Strict(features), _) => (*features, RunAccount::own()),
            _ => (SandboxFeatures::NONE, RunAccount::own()),
        };
        let spec = RunSpec {
            version: SPEC_VERSION,
            run_id: run.id,
            program: config.ansible_playbook.clone(),
            arguments: arguments(folder, &variables, &vault_ids, options, &material.deployment.entry_path)?,
            environment: environment(
                config,
                folder,
                &configuration,
                &control_path_folder,
                options,
                material.isolation,
            ),
            working_directory: folder.project(),
            secrets_folder: secrets_folder.clone(),
            control_path_folder,
            timeout_seconds: options.timeout_seconds.unsigned_abs().into(),
            grace_seconds: config.grace_seconds,
            isolation: material.isolation,
            features,
            account,
            limits: config.limits,
            hidden_paths: vec![config.data_directory.clone()],
            readable_paths: fetched.map(Path::to_owned).into_iter().collect(),
            writable_paths: writable_paths(config, options)?,
        };
        folder
            .give_to(account)
            .and_then(|()| SecretsFolder::give_to(&secrets_folder, account))
            .map_err(io_error("give the run's files to its account"))?;
        folder.write_spec(&spec).map_err(PrepareError::Runner)
    })();
    if made.is_err()
        && let Err(error) = SecretsFolder::remove(&secrets_folder)
    {
        tracing::warn!(%error, run = %run.id, "a folder of secrets could not be removed");
    }
    made
}

/// The arguments that tell where the passwords are.
fn write_vault_passwords(secrets_folder: &Path, secrets: &RunSecrets) -> Result<Vec<String>, PrepareError> {
    let mut arguments = Vec::new();
    for (number, opened) in secrets.vault_passwords.iter().enumerate() {
        let path = secrets_folder.join(format!("vault-{number}"));
        write_file(&path, opened.password.expose_secret().as_bytes(), 0o600)?;
        arguments.push(vault_id_argument(&opened.vault_id, &path));
    }
    Ok(arguments)
}

/// With the modes that a checkout has, because tasks can see them (`mode: preserve`): what keeps others out is the run folder's own.
fn write_project(folder: &RunFolder, files: &[PlaybookFile]) -> Result<(), PrepareError> {
    make_folder(&folder.project())?;
    let mut parents = BTreeSet::new();
    // The run's own configuration takes the place of the project's.
    for file in files.iter().filter(|file| file.path != configuration::FILE_NAME) {
        let path = Path::new(&file.path);
        if path.as_os_str().is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(PrepareError::PlaybookPath);
        }
        let within = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        parents.extend(within.map(|parent| folder.project().join(parent)));
        let path = folder.project().join(path);
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        let executable = file.mode & 0o100 != 0;
        write_file(&path, &file.content, 0o600)?;
        set_mode(&path, if executable { 0o755 } else { 0o644 })?;
    }
    parents.iter().try_for_each(|parent| set_mode(parent, 0o755))
}

fn write_plugins(folder: &RunFolder, accelerator: Option<Accelerator>) -> Result<(), PrepareError> {
    make_folder(&folder.callback_plugins())?;
    write_file(
        &folder.callback_plugins().join("admiral_events.py"),
        CALLBACK_PLUGIN.as_bytes(),
        0o600,
    )?;
    if accelerator == Some(Accelerator::Mitogen) {
        make_folder(&folder.strategy_plugins())?;
        for name in MITOGEN_STRATEGIES {
            let path = folder.strategy_plugins().join(format!("{name}.py"));
            write_file(&path, MITOGEN_STRATEGY.as_bytes(), 0o600)?;
        }
    }
    Ok(())
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

/// Writes the files among the variables. Returns the variables with the paths: they lie below the folder of secrets, and go with it.
fn write_files(secrets_folder: &Path, material: &Material) -> Result<Map<String, Value>, PrepareError> {
    let mut values = material.deployment.variables.clone();
    for (variable, file) in &material.secrets.files {
        let folder = secrets_folder.join("files").join(variable);
        make_folder(&folder)?;
        let path = folder.join(&file.name);
        write_file(&path, file.content.expose_secret(), 0o600)?;
        values.insert(variable.clone(), path.to_string_lossy().into_owned().into());
    }
    Ok(values)
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
    let list =
        serde_json::to_vec(&render_list(&hosts)).map_err(|error| io_error("write the inventory")(error.into()))?;
    write_file(&folder.inventory().join("hosts.json"), &list, 0o600)?;
    write_file(&inventory_script(folder), INVENTORY_SCRIPT.as_bytes(), 0o700)
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
    folder
        .write_known_hosts(&known_hosts::render(&entries))
        .map_err(io_error("write the known host keys"))
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

/// Whatever the umask.
fn set_mode(path: &Path, mode: u32) -> Result<(), PrepareError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_error("set the mode of a file of the run"))
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> PrepareError {
    move |source| PrepareError::Io { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_modes_of_a_checkout() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(root.path());
        let file = |path: &str, mode| PlaybookFile {
            path: path.to_owned(),
            mode,
            content: Vec::new(),
        };
        write_project(&folder, &[file("a/b/run", 0o755), file("site.yml", 0o644)]).unwrap();
        let mode = |path: &str| {
            std::fs::metadata(folder.project().join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!([mode("a"), mode("a/b"), mode("a/b/run")], [0o755; 3]);
        assert_eq!([mode("."), mode("site.yml")], [0o700, 0o644]);
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
