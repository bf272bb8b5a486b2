//! What Ansible makes of an inventory, with the user's own configuration, in the folder the user stands in: its hosts and variables,
//! which of these are secret, and what `ansible.cfg` says of hosts that name nothing.

use super::failure::Hinted;
use crate::{
    playbooks::ansible,
    process::{self, Captured},
};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

/// How a file begins that `ansible-vault` has encrypted as a whole.
const VAULT_HEADER: &[u8] = b"$ANSIBLE_VAULT;";
/// Beside an inventory or the playbooks, they hold variables of groups and hosts.
const VARIABLE_FOLDERS: [&str; 2] = ["group_vars", "host_vars"];
/// Files in them that Ansible reads; and those without such an ending at all.
const READ_AS_YAML: [&str; 3] = ["yml", "yaml", "json"];
/// Folders below one another; deeper ones are not inventories.
const MAX_DEPTH: usize = 16;

/// Which inventory, and what opens its encrypted files: options of `ansible-inventory` and `ansible-vault`.
#[derive(Debug, clap::Args)]
pub struct Sources {
    /// An inventory file, folder, script or plugin configuration, as ansible-playbook takes it (repeatable)
    #[arg(short, long = "inventory", required = true, value_name = "INVENTORY")]
    inventory: Vec<String>,
    /// The vault id of encrypted files, as ansible-playbook takes it (repeatable)
    #[arg(long, value_name = "ID")]
    vault_id: Vec<String>,
    /// Holds the vault password of encrypted files, as ansible-playbook takes it (repeatable)
    #[arg(long, value_name = "FILE")]
    vault_password_file: Vec<String>,
}

/// What `ansible.cfg` and the environment say of hosts that name nothing.
#[derive(Debug, Default)]
pub struct Defaults {
    /// The user SSH signs in as.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u64>,
    /// The private key's file.
    pub key: Option<String>,
}

impl Defaults {
    /// Asks `ansible-config`.
    pub async fn read() -> anyhow::Result<Self> {
        let arguments = ["dump", "--only-changed", "--format", "json"].map(str::to_owned);
        let captured = run("ansible-config", arguments).await?;
        anyhow::ensure!(
            captured.status.success(),
            "ansible-config ended with {}",
            captured.status
        );
        let settings: Vec<Value> =
            serde_json::from_slice(&captured.stdout).context("ansible-config gave an unusable answer")?;
        let value = |name: &str| {
            &settings
                .iter()
                .find(|setting| setting["name"] == name)
                .unwrap_or(&Value::Null)["value"]
        };
        let text = |name: &str| value(name).as_str().map(str::to_owned);
        Ok(Self {
            user: text("DEFAULT_REMOTE_USER"),
            port: value("DEFAULT_REMOTE_PORT").as_u64(),
            key: text("DEFAULT_PRIVATE_KEY_FILE"),
        })
    }
}

impl Sources {
    /// What `ansible-inventory --list` prints. Variables that come from encrypted files are marked as encrypted, as single encrypted
    /// values are: it prints what is in such files as if it were no secret.
    pub async fn read(&self) -> anyhow::Result<Map<String, Value>> {
        // A file, because an inventory may be longer than what is kept of a program's output.
        let answer = tempfile::NamedTempFile::new()?;
        let output = answer.path().to_string_lossy().into_owned();
        let mut arguments = vec!["--list".to_owned(), "--output".to_owned(), output];
        arguments.extend(
            self.inventory
                .iter()
                .flat_map(|source| ["-i".to_owned(), source.clone()]),
        );
        arguments.extend(self.vault_arguments());
        let captured = run("ansible-inventory", arguments).await?;
        let encrypted = self.encrypted_files();
        if !captured.status.success() {
            let said = format!("ansible-inventory ended with {}", captured.status);
            return Err(match encrypted.first() {
                None => anyhow::anyhow!(said),
                Some(file) => Hinted::new(
                    said,
                    format!(
                        "{} is encrypted with ansible-vault: does --vault-password-file, --vault-id or \
                         ANSIBLE_VAULT_PASSWORD_FILE open it?",
                        file.display()
                    ),
                )
                .into(),
            });
        }
        let mut inventory =
            serde_json::from_slice(&fs::read(answer.path())?).context("ansible-inventory gave an unusable answer")?;
        for file in &encrypted {
            let names = self.names_in(file).await?;
            mark_as_encrypted(&mut inventory, &names);
        }
        Ok(inventory)
    }

    /// The folders that the inventory lies in: where `inventory_dir` may point to.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        self.inventory
            .iter()
            .map(Path::new)
            .filter_map(|path| std::path::absolute(path).ok())
            .filter(|path| path.exists())
            .filter_map(|path| {
                if path.is_dir() {
                    Some(path)
                } else {
                    Some(path.parent()?.to_owned())
                }
            })
            .collect()
    }

    fn vault_arguments(&self) -> impl Iterator<Item = String> {
        let ids = self.vault_id.iter().map(|id| ["--vault-id", id]);
        let files = self
            .vault_password_file
            .iter()
            .map(|file| ["--vault-password-file", file]);
        ids.chain(files).flatten().map(str::to_owned)
    }

    /// Files with variables, and the inventory's own, that are encrypted as a whole.
    fn encrypted_files(&self) -> Vec<PathBuf> {
        let mut folders = self.folders();
        // `ansible-inventory` takes the working directory for that of the playbooks.
        folders.extend(std::env::current_dir());
        let mut found = BTreeSet::new();
        for folder in folders {
            for name in VARIABLE_FOLDERS {
                collect_encrypted(&folder.join(name), 0, &mut found);
            }
        }
        for source in &self.inventory {
            collect_encrypted(Path::new(source), 0, &mut found);
        }
        found.into_iter().collect()
    }

    /// The variables that an encrypted file defines.
    async fn names_in(&self, file: &Path) -> anyhow::Result<Vec<String>> {
        let path = file.to_string_lossy().into_owned();
        let arguments = std::iter::once("view".to_owned())
            .chain(self.vault_arguments())
            .chain([path.clone()]);
        let captured = run("ansible-vault", arguments).await?;
        let content: Option<Value> = captured
            .status
            .success()
            .then(|| serde_saphyr::from_slice(&captured.stdout).ok())
            .flatten();
        let holds_variables = file.components().any(|part| {
            let name = part.as_os_str();
            VARIABLE_FOLDERS.iter().any(|folder| name == *folder)
        });
        match content {
            Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(variables)) if holds_variables => {
                Ok(variables.into_iter().map(|(name, _)| name).collect())
            }
            // A certificate, say: Ansible does not look at it.
            _ if holds_variables
                && file
                    .extension()
                    .is_some_and(|name| !READ_AS_YAML.iter().any(|read| name == *read)) =>
            {
                Ok(Vec::new())
            }
            _ => Err(Hinted::new(
                format!("cannot tell what of {path} is secret: ansible-vault encrypted it as a whole"),
                "what is encrypted is not imported; keep hosts and variables that are no secrets in files of their own",
            )
            .into()),
        }
    }
}

fn collect_encrypted(path: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        for entry in entries.filter(|_| depth < MAX_DEPTH) {
            collect_encrypted(&entry.path(), depth + 1, found);
        }
    } else if path.is_file() && is_encrypted(path) {
        found.extend(std::path::absolute(path));
    }
}

fn is_encrypted(path: &Path) -> bool {
    let mut beginning = [0; VAULT_HEADER.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok()) && beginning == VAULT_HEADER
}

fn mark_as_encrypted(inventory: &mut Map<String, Value>, names: &[String]) {
    let hosts = inventory
        .get_mut("_meta")
        .and_then(|meta| meta.get_mut("hostvars"))
        .and_then(Value::as_object_mut);
    for variables in hosts.into_iter().flat_map(|hosts| hosts.values_mut()) {
        for (_, value) in variables
            .as_object_mut()
            .into_iter()
            .flatten()
            .filter(|(name, _)| names.contains(*name))
        {
            *value = json!({"__ansible_vault": ""});
        }
    }
}

/// Runs a program of Ansible's where the user stands; it may ask them for a password.
async fn run(name: &str, arguments: impl IntoIterator<Item = String>) -> anyhow::Result<Captured> {
    let program = ansible::find_for_user(name).ok_or_else(|| {
        Hinted::new(
            format!("{name} was not found"),
            "it comes with Ansible; put it into PATH, or set ADMIRAL_ANSIBLE_BIN to its folder",
        )
    })?;
    let mut command = process::command(program);
    command.envs(std::env::vars_os()).args(arguments);
    Ok(process::run_interactive(command).await?)
}
