//! Running `ansible-galaxy`.

use super::{
    GalaxyError, ServerAccess,
    cache::{Slot, UNFINISHED},
    dependencies, failures, io_error,
    requirements::{RequirementError, Requirements},
};
use crate::{
    domain::playbook::PlaybookFile,
    playbooks::{
        ansible::lay_out,
        configuration,
        git::{self, GitAccess},
        room,
    },
    process::{self, CaptureLimits, ProcessError},
    runner::{Look, PassingSecrets, ScratchFolder, Seclusion, SeclusionError, remove_tree, take_back_tree},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long the roles or the collections of one file may take.
const LIMIT: Duration = Duration::from_mins(10);
/// What is unpacked takes no more room than this: 1 GiB.
const MAX_DISK: u64 = 1024 * 1024 * 1024;
/// What `ansible-galaxy` may say: 8 MiB.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Roles of one file, with all that they need in turn.
const MAX_ROLES: usize = 500;
/// How long one request to a Galaxy server may take, in seconds.
const REQUEST_SECONDS: u32 = 30;
/// What of our own environment is passed on besides the usual: the way to the servers.
const PASSED_ON: [&str; 8] = [
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Of our own environment, what names the authorities that vouch for servers.
const AUTHORITIES: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "ADMIRAL_GIT_CA_FILE"];
/// Settings of a project's `[galaxy]` that say which servers are asked.
const OF_SERVERS: [&str; 3] = ["server", "server_list", "ignore_certs"];
/// Those that say which signatures are demanded, whoever is asked.
const OF_SIGNATURES: [&str; 4] = [
    "disable_gpg_verify",
    KEYRING,
    "ignore_signature_status_codes",
    "required_valid_signature_count",
];
const KEYRING: &str = "gpg_keyring";

/// Which servers are asked, and how.
#[derive(Debug)]
pub(super) struct ServerSettings {
    servers: Vec<ServerAccess>,
    /// Section, key and value, of the project's own.
    project: Vec<(String, String, String)>,
    /// What another digest follows from: no secrets of Admiral's.
    pub(super) digested: String,
}

/// Admiral's servers, or without any those of the project. In either case with the signatures that the project demands.
pub(super) fn server_settings(files: &[PlaybookFile], servers: &[ServerAccess]) -> Result<ServerSettings, GalaxyError> {
    let refuse = |problem: String| RequirementError {
        path: configuration::FILE_NAME.to_owned(),
        problem,
    };
    let mut project = configuration::galaxy_settings(files).map_err(|error| refuse(error.to_string()))?;
    project.retain(|(section, key, _)| {
        let is_of_servers = section != "galaxy" || OF_SERVERS.contains(&key.as_str());
        servers.is_empty() && is_of_servers || section == "galaxy" && OF_SIGNATURES.contains(&key.as_str())
    });
    let mut keyring = None;
    for (section, key, value) in &mut project {
        let is_address = matches!(key.as_str(), "server" | "url" | "auth_url");
        if is_address && !value.starts_with("https://") && !value.starts_with("http://") {
            return Err(refuse(format!("[{section}] {key} must begin with https:// or http://")).into());
        }
        if key == KEYRING {
            let file = configuration::file_of(files, value);
            let file = file.ok_or_else(|| refuse(format!("[{section}] {key} must name a file of the package")))?;
            value.clone_from(&file.path);
            keyring = Some(hex::encode(Sha256::digest(&file.content)));
        }
    }
    let asked: Vec<_> = servers
        .iter()
        .map(|server| (&server.name, &server.url, &server.auth_url))
        .collect();
    let digested = format!("{project:?}{asked:?}{}", keyring.unwrap_or_default());
    Ok(ServerSettings {
        servers: servers.to_vec(),
        project,
        digested,
    })
}

/// What is to be fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) ansible_galaxy: PathBuf,
    pub(super) seclusion: Seclusion,
    /// The folder that slots lie in.
    pub(super) galaxy_folder: PathBuf,
    pub(super) files: Vec<PlaybookFile>,
    pub(super) requirements: Requirements,
    pub(super) settings: ServerSettings,
    /// For repositories on the package's own host.
    pub(super) git: Option<GitAccess>,
}

/// The folders of one fetching.
struct Place {
    /// Becomes the slot.
    whole: PathBuf,
    /// Removed before: the package's files, and what `ansible-galaxy` takes for its home.
    project: PathBuf,
    home: PathBuf,
    configuration: PathBuf,
    known_hosts: PathBuf,
    /// What has `git` do as it should.
    git: Vec<(&'static str, OsString)>,
}

/// What one call fetches.
struct Wanted<'a> {
    /// `role` or `collection`.
    kind: &'static str,
    /// Paths are relative to it.
    folder: &'a Path,
    /// A file of requirements.
    file: PathBuf,
    /// What it names.
    names: &'a [String],
    /// Who asks for it, for people.
    asked_by: &'a str,
}

impl Fetch {
    /// Fetches everything and fills the slot; nothing is left of an attempt that fails.
    pub(super) async fn run(&self, slot: &Slot) -> Result<(), GalaxyError> {
        let temporary = ScratchFolder::create(UNFINISHED, Some(&self.galaxy_folder))
            .map_err(io_error("make a folder for roles and collections"))?;
        let whole = temporary.path().to_owned();
        let secrets = PassingSecrets::create().map_err(io_error("make the folder for secrets"))?;
        let known_hosts = self.galaxy_folder.join("ssh/known_hosts");
        let place = Place {
            project: whole.join("project"),
            home: whole.join("home"),
            configuration: secrets.path().join("ansible.cfg"),
            git: git::environment(self.git.as_ref(), &secrets, &known_hosts)
                .map_err(io_error("write down the credentials of the git project"))?,
            known_hosts,
            whole,
        };
        self.prepare(&place, &secrets)?;
        for file in &self.requirements.files {
            if !file.roles.is_empty() {
                self.roles(&place, &secrets, &file.path, &file.roles).await?;
            }
            if !file.collections.is_empty() {
                let wanted = Wanted {
                    kind: "collection",
                    folder: &place.project,
                    file: place.project.join(&file.path),
                    names: &file.collections,
                    asked_by: &file.path,
                };
                self.install(&place, &wanted, Instant::now() + LIMIT).await?;
            }
        }
        tracing::info!(folder = %slot.folder().display(), "roles and collections were fetched");
        remove_tree(&place.project)
            .and_then(|()| remove_tree(&place.home))
            .and_then(|()| take_back_tree(&place.whole))
            .and_then(|()| slot.fill(&place.whole))
            .map_err(io_error("keep the roles and collections"))
    }

    /// The roles of one file, then what those need, and so on.
    async fn roles(
        &self,
        place: &Place,
        secrets: &PassingSecrets,
        path: &str,
        roles: &[String],
    ) -> Result<(), GalaxyError> {
        let deadline = Instant::now() + LIMIT;
        let mut known: BTreeSet<String> = roles.iter().cloned().collect();
        let (mut file, mut names, mut asked_by) = (place.project.join(path), roles.to_vec(), path.to_owned());
        let mut folder = &place.project;
        let mut round = 0;
        while !names.is_empty() {
            round += 1;
            let wanted = Wanted {
                kind: "role",
                folder,
                file,
                names: &names,
                asked_by: &asked_by,
            };
            self.install(place, &wanted, deadline).await?;
            let mut needed = Vec::new();
            for role in &names {
                needed.extend(dependencies::of(
                    &place.whole.join("roles"),
                    role,
                    &self.settings.servers,
                )?);
            }
            needed.retain(|dependency| known.insert(dependency.name.clone()));
            if known.len() > MAX_ROLES {
                return Err(GalaxyError::NotFetched(format!(
                    "{path} asks for roles that need more than {MAX_ROLES} roles in all"
                )));
            }
            names = needed.iter().map(|dependency| dependency.name.clone()).collect();
            let list: Value = needed.into_iter().map(|dependency| dependency.requirement).collect();
            // JSON is YAML. Not in a folder that what was fetched may have written to: a link could lie there.
            file = secrets
                .write(&format!("dependencies-{round}.yml"), &list.to_string().into())
                .map_err(io_error("write down what roles depend on"))?;
            // The package's files are not for others to name.
            folder = &place.home;
            asked_by = format!("a role that {path} names");
        }
        Ok(())
    }

    async fn install(&self, place: &Place, wanted: &Wanted<'_>, deadline: Instant) -> Result<(), GalaxyError> {
        let limits = CaptureLimits {
            timeout: deadline.saturating_duration_since(Instant::now()),
            stdout_bytes: ANSWER_BYTES,
        };
        let used_up = room::used_up(place.whole.clone(), MAX_DISK);
        let too_large = || {
            let asked_by = wanted.asked_by;
            GalaxyError::NotFetched(format!("what {asked_by} asks for takes more than 1 GiB"))
        };
        let captured = match process::run_limited(self.command(place, wanted)?, limits, used_up).await {
            Err(ProcessError::Stopped { .. }) => return Err(too_large()),
            captured => captured?,
        };
        // The last look may have been before the end.
        let whole = place.whole.clone();
        let used = tokio::task::spawn_blocking(move || room::size(&whole)).await;
        if used.unwrap_or(0) > MAX_DISK {
            return Err(too_large());
        }
        if captured.status.success() {
            return Ok(());
        }
        let said = format!("{}\n{}", captured.stderr_text(), captured.stdout_text());
        let said = self.without_secrets(&said, place);
        let told = failures::describe(wanted.kind, wanted.asked_by, wanted.names, &said);
        Err(GalaxyError::NotFetched(told))
    }

    fn prepare(&self, place: &Place, secrets: &PassingSecrets) -> Result<(), GalaxyError> {
        lay_out(&place.project, &self.files).map_err(io_error("lay out the package's files"))?;
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(true);
        for folder in ["home/tmp", "roles", "collections"] {
            builder
                .create(place.whole.join(folder))
                .map_err(io_error("make a folder for roles and collections"))?;
        }
        if let Some(folder) = place.known_hosts.parent() {
            builder
                .create(folder)
                .map_err(io_error("make the folder for host keys"))?;
        }
        secrets
            .write("ansible.cfg", &self.configuration(place))
            .map(drop)
            .map_err(io_error("write the configuration of ansible-galaxy"))
    }

    fn configuration(&self, place: &Place) -> SecretString {
        let mut text = Zeroizing::new(String::new());
        let mut add = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        add("[defaults]");
        add(&format!("roles_path={}", place.whole.join("roles").display()));
        add(&format!(
            "collections_path={}",
            place.whole.join("collections").display()
        ));
        add("collections_scan_sys_path=False");
        add(&format!("local_tmp={}", place.home.join("tmp").display()));
        add("[galaxy]");
        add(&format!("server_timeout={REQUEST_SECONDS}"));
        add("display_progress=False");
        add(&format!("cache_dir={}", place.home.display()));
        add(&format!("token_path={}", place.home.join("token").display()));
        if !self.settings.servers.is_empty() {
            let names: Vec<&str> = self
                .settings
                .servers
                .iter()
                .map(|server| server.name.as_str())
                .collect();
            add(&format!("server_list={}", names.join(",")));
        }
        let one_line = |value: &str| value.replace('\n', "\n\t");
        for (_, key, value) in self.settings.project.iter().filter(|(section, ..)| section == "galaxy") {
            if key == KEYRING {
                add(&format!("{key}={}", place.project.join(value).display()));
            } else {
                add(&format!("{key}={}", one_line(value)));
            }
        }
        let mut current = "";
        for (section, key, value) in self.settings.project.iter().filter(|(section, ..)| section != "galaxy") {
            if section != current {
                add(&format!("[{section}]"));
                current = section;
            }
            add(&format!("{key}={}", one_line(value)));
        }
        for server in &self.settings.servers {
            add(&format!("[galaxy_server.{}]", server.name));
            add(&format!("url={}", server.url));
            if let Some(url) = &server.auth_url {
                add(&format!("auth_url={url}"));
            }
            if let Some(token) = &server.token {
                let line = Zeroizing::new(format!("token={}", token.expose_secret()));
                add(&line);
            }
        }
        SecretString::from(text.as_str())
    }

    /// What is fetched says where it is put: it may write nowhere else.
    fn command(&self, place: &Place, wanted: &Wanted<'_>) -> Result<tokio::process::Command, SeclusionError> {
        let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        let (secrets, known_hosts) = (folder(&place.configuration), folder(&place.known_hosts));
        // Wherever they lie: the data directory is as good a place as another.
        let authorities: Vec<PathBuf> = AUTHORITIES
            .iter()
            .filter_map(|name| env::var_os(name).filter(|path| !path.is_empty()))
            .map(PathBuf::from)
            .collect();
        let readable: Vec<&Path> = authorities.iter().map(PathBuf::as_path).collect();
        let mut command = self.seclusion.command(Look {
            program: &self.ansible_galaxy,
            folder: wanted.folder,
            readable: &readable,
            own: &[&secrets],
            writable: &[&place.whole, &known_hosts],
        })?;
        command.args([wanted.kind, "install"]);
        command.arg("-r").arg(&wanted.file);
        command.arg("-p").arg(place.whole.join(format!("{}s", wanted.kind)));
        if wanted.kind == "role" {
            // They are judged first.
            command.arg("--no-deps");
        }
        command
            .envs(process::base_environment(&place.home))
            .envs(PASSED_ON.iter().filter_map(|name| Some((*name, env::var_os(name)?))))
            .env("ANSIBLE_CONFIG", &place.configuration)
            .env("ANSIBLE_HOME", place.home.join(".ansible"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("TMPDIR", place.home.join("tmp"))
            .env("PYTHONNOUSERSITE", "1")
            .envs(place.git.iter().map(|(name, value)| (*name, value)));
        Ok(command)
    }

    fn without_secrets(&self, said: &str, place: &Place) -> String {
        let mut said = said
            .replace(&format!("{}/", place.project.display()), "")
            .replace(&format!("{}/", place.whole.display()), "");
        let tokens = self.settings.servers.iter().filter_map(|server| server.token.as_ref());
        for token in tokens.chain(self.git.as_ref().and_then(GitAccess::token)) {
            said = said.replace(token.expose_secret(), "********");
        }
        said
    }
}
