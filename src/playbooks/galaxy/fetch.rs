//! Running `ansible-galaxy`.

use super::{
    GalaxyError, ServerAccess,
    cache::{Slot, UNFINISHED},
    failures, io_error,
    requirements::{RequirementError, Requirements},
};
use crate::{
    domain::playbook::PlaybookFile,
    playbooks::{ansible::lay_out, configuration},
    process,
    runner::{Isolation, PassingSecrets},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    env,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// How long the roles or the collections of one file may take.
const LIMIT: Duration = Duration::from_mins(10);
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
/// Settings of a project's `[galaxy]` that hold.
const OF_PROJECT: [&str; 3] = ["server", "server_list", "ignore_certs"];

/// Which servers are asked, and how.
#[derive(Debug)]
pub(super) struct ServerSettings {
    servers: Vec<ServerAccess>,
    /// Section, key and value, of the project's own.
    project: Vec<(String, String, String)>,
    /// What another digest follows from: no secrets of Admiral's.
    pub(super) digested: String,
}

/// Admiral's servers, or without any those of the project.
pub(super) fn server_settings(files: &[PlaybookFile], servers: &[ServerAccess]) -> Result<ServerSettings, GalaxyError> {
    let mut project = Vec::new();
    if servers.is_empty() {
        let refuse = |problem: String| RequirementError {
            path: configuration::FILE_NAME.to_owned(),
            problem,
        };
        project = configuration::galaxy_settings(files).map_err(|error| refuse(error.to_string()))?;
        project.retain(|(section, key, _)| section != "galaxy" || OF_PROJECT.contains(&key.as_str()));
        for (section, key, value) in &project {
            let is_address = matches!(key.as_str(), "server" | "url" | "auth_url");
            if is_address && !value.starts_with("https://") && !value.starts_with("http://") {
                return Err(refuse(format!("[{section}] {key} must begin with https:// or http://")).into());
            }
        }
    }
    let asked: Vec<_> = servers
        .iter()
        .map(|server| (&server.name, &server.url, &server.auth_url))
        .collect();
    let digested = format!("{project:?}{asked:?}");
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
    pub(super) isolation: Isolation,
    /// The folder that slots lie in.
    pub(super) galaxy_folder: PathBuf,
    pub(super) files: Vec<PlaybookFile>,
    pub(super) requirements: Requirements,
    pub(super) settings: ServerSettings,
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
}

impl Fetch {
    /// Fetches everything and fills the slot; nothing is left of an attempt that fails.
    pub(super) async fn run(&self, slot: &Slot) -> Result<(), GalaxyError> {
        let temporary = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.galaxy_folder)
            .map_err(io_error("make a folder for roles and collections"))?;
        // Paths in messages and arguments are absolute whatever the data directory was given as.
        let whole = temporary
            .path()
            .canonicalize()
            .map_err(io_error("find the folder for roles and collections"))?;
        let secrets = PassingSecrets::create().map_err(io_error("make the folder for secrets"))?;
        let place = Place {
            project: whole.join("project"),
            home: whole.join("home"),
            configuration: secrets.path().join("ansible.cfg"),
            known_hosts: self.galaxy_folder.join("ssh/known_hosts"),
            whole,
        };
        self.prepare(&place, &secrets)?;
        for file in &self.requirements.files {
            for (kind, names) in [("role", &file.roles), ("collection", &file.collections)] {
                if names.is_empty() {
                    continue;
                }
                let captured = process::run_captured(self.command(&place, kind, &file.path), LIMIT).await?;
                if captured.status.success() {
                    continue;
                }
                let said = format!("{}\n{}", captured.stderr_text(), captured.stdout_text());
                let said = self.without_secrets(&said, &place);
                return Err(GalaxyError::NotFetched(failures::describe(
                    kind, &file.path, names, &said,
                )));
            }
        }
        tracing::info!(folder = %slot.folder().display(), "roles and collections were fetched");
        fs::remove_dir_all(&place.project)
            .and_then(|()| fs::remove_dir_all(&place.home))
            .and_then(|()| slot.fill(&place.whole))
            .map_err(io_error("keep the roles and collections"))
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
            add(&format!("{key}={}", one_line(value)));
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

    fn command(&self, place: &Place, kind: &str, file: &str) -> tokio::process::Command {
        let target = place.whole.join(format!("{kind}s"));
        let mut arguments = vec![kind.to_owned(), "install".to_owned()];
        arguments.extend(["-r".to_owned(), format!("./{file}")]);
        arguments.extend(["-p".to_owned(), target.to_string_lossy().into_owned()]);
        let mut command = match (self.isolation, process::find_program("bwrap", &[])) {
            // What is fetched says where it is put: it may write nowhere else.
            (Isolation::Bwrap, Some(bwrap)) => {
                let mut command = process::command(bwrap);
                command.args([
                    "--ro-bind",
                    "/",
                    "/",
                    "--dev",
                    "/dev",
                    "--cap-drop",
                    "ALL",
                    "--die-with-parent",
                ]);
                let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
                for writable in [place.whole.clone(), folder(&place.known_hosts)] {
                    command.arg("--bind").arg(&writable).arg(&writable);
                }
                // Below /dev as a rule, which is a new one.
                let secrets = folder(&place.configuration);
                command.arg("--ro-bind").arg(&secrets).arg(&secrets);
                command
                    .arg("--chdir")
                    .arg(&place.project)
                    .arg("--")
                    .arg(&self.ansible_galaxy);
                command
            }
            _ => process::command(&self.ansible_galaxy),
        };
        let ssh = format!(
            "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o 'UserKnownHostsFile=\"{}\" ~/.ssh/known_hosts'",
            place.known_hosts.display()
        );
        command
            .args(arguments)
            .current_dir(&place.project)
            .envs(process::base_environment(&place.home))
            .envs(PASSED_ON.iter().filter_map(|name| Some((*name, env::var_os(name)?))))
            .env("ANSIBLE_CONFIG", &place.configuration)
            .env("ANSIBLE_HOME", place.home.join(".ansible"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("TMPDIR", place.home.join("tmp"))
            .env("GIT_ALLOW_PROTOCOL", "https:ssh")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", ssh);
        command
    }

    fn without_secrets(&self, said: &str, place: &Place) -> String {
        let mut said = said
            .replace(&format!("{}/", place.project.display()), "")
            .replace(&format!("{}/", place.whole.display()), "");
        for token in self.settings.servers.iter().filter_map(|server| server.token.as_ref()) {
            said = said.replace(token.expose_secret(), "********");
        }
        said
    }
}
