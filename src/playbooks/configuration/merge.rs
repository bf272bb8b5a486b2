//! The project's configuration, with ours laid over it.

use super::{
    ConfigurationError, find,
    ini::Ini,
    owned::{OWNED, Rule, TERMINAL, refuse_value},
};
use crate::{
    domain::{deployment::OverriddenSetting, playbook::PlaybookFile, vault_password::DEFAULT_VAULT_ID},
    playbooks::vault_ids::OwnPasswords,
};
use std::path::{Path, PathBuf};

/// What a deployment says itself, by which the project's settings are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Hosts at a time; `None` where it does not matter.
    pub forks: Option<i32>,
    /// Its strategies are Mitogen's.
    pub accelerated: bool,
    /// Admiral has Galaxy servers of its own.
    pub galaxy_servers: bool,
}

/// What Admiral sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ours {
    /// The folder with the package's files.
    pub project: PathBuf,
    /// The folder with the roles and collections that `ansible-galaxy` fetched.
    pub galaxy: Option<PathBuf>,
    /// Name and folder of a callback plugin.
    pub callback: Option<(&'static str, PathBuf)>,
    /// A folder of strategy plugins that comes before all others.
    pub strategy_plugins: Option<PathBuf>,
    /// Section, key and value of settings that hold in any case.
    pub settings: Vec<(&'static str, &'static str, String)>,
    /// The same of settings that hold unless the project says otherwise.
    pub defaults: Vec<(&'static str, &'static str, String)>,
}

/// A configuration to run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The text of the file.
    pub text: String,
    /// What the project says that does not hold.
    pub overridden: Vec<OverriddenSetting>,
    /// The passwords of `ansible-vault` that files of the package give.
    pub own_passwords: OwnPasswords,
}

/// Lays ours over the configuration among `files`, if there is one.
pub fn merge(files: &[PlaybookFile], terms: Terms, ours: &Ours) -> Result<Merged, ConfigurationError> {
    let theirs = match find(files) {
        Some(file) => Ini::parse(&file.content)?,
        None => Ini::default(),
    };
    let mut merging = Merging {
        ini: theirs,
        files,
        overridden: Vec::new(),
        own_passwords: OwnPasswords::default(),
    };
    merging.take_out_owned();
    merging.judge_values(terms);
    merging.judge_password_files();
    merging.join_lists(ours);
    for (section, key, value) in &ours.defaults {
        if merging.ini.get(section, key).is_none() && !(*key == "pipelining" && merging.has_pipelining()) {
            merging.ini.set(section, key, value.as_str());
        }
    }
    for (section, key, value) in &ours.settings {
        merging.ini.set(section, key, value.as_str());
    }
    Ok(Merged {
        text: merging.ini.render(),
        overridden: merging.overridden,
        own_passwords: merging.own_passwords,
    })
}

struct Merging<'a> {
    ini: Ini,
    files: &'a [PlaybookFile],
    overridden: Vec<OverriddenSetting>,
    own_passwords: OwnPasswords,
}

impl Merging<'_> {
    fn take_out_owned(&mut self) {
        for (section, key, rule, reason) in OWNED {
            let Some(value) = self.ini.remove(section, key) else {
                continue;
            };
            let says_the_same = match rule {
                Rule::Ours => value.is_empty(),
                Rule::OursIs(ours) => is_true(&value) == *ours,
            };
            if !says_the_same {
                self.override_setting(section, key, value, reason);
            }
        }
    }

    fn judge_values(&mut self, terms: Terms) {
        for key in ["strategy", "transport"] {
            let value = self.ini.get("defaults", key).map(|value| unquote(value).to_owned());
            if let Some(value) = value
                && let Some(reason) = refuse_value("defaults", key, &value, terms.accelerated)
            {
                self.ini.remove("defaults", key);
                self.override_setting("defaults", key, value, reason);
            }
        }
        if terms.galaxy_servers {
            self.take_out_galaxy_servers();
        }
        if let Some(forks) = terms.forks
            && let Some(value) = self.ini.get("defaults", "forks").map(str::to_owned)
            && unquote(&value).parse() != Ok(forks)
        {
            self.override_setting("defaults", "forks", value, &format!("the deployment asks for {forks}"));
        }
    }

    fn take_out_galaxy_servers(&mut self) {
        const REASON: &str = "the Galaxy servers of Admiral's settings are asked";
        for key in ["server", "server_list", "ignore_certs"] {
            if let Some(value) = self.ini.remove("galaxy", key) {
                self.override_setting("galaxy", key, value, REASON);
            }
        }
        let servers: Vec<(String, String)> = self
            .ini
            .entries()
            .filter(|(section, ..)| section.starts_with("galaxy_server."))
            .map(|(section, key, _)| (section.to_owned(), key.to_owned()))
            .collect();
        for (section, key) in servers {
            let value = self.ini.remove(&section, &key);
            // The other ones are how to reach it, and secrets.
            if key == "url" {
                self.override_setting(&section, &key, value.unwrap_or_default(), REASON);
            }
        }
    }

    /// Passwords come from Admiral, unless the file that holds one is in the package.
    fn judge_password_files(&mut self) {
        for (section, key) in [
            ("defaults", "vault_password_file"),
            ("defaults", "become_password_file"),
        ] {
            let Some(value) = self.ini.get(section, key).map(str::to_owned) else {
                continue;
            };
            if self.is_in_package(&value) {
                self.own_passwords.any |= key == "vault_password_file";
                continue;
            }
            self.ini.remove(section, key);
            if !value.is_empty() {
                self.override_setting(section, key, value, "it names no file of the package");
            }
        }
        let Some(list) = self.ini.remove("defaults", "vault_identity_list") else {
            return;
        };
        let (mut kept, mut dropped, mut asks) = (Vec::new(), Vec::new(), true);
        for item in list
            .split(',')
            .map(|item| unquote(item.trim()))
            .filter(|item| !item.is_empty())
        {
            let (label, source) = item.split_once('@').unwrap_or((DEFAULT_VAULT_ID, item));
            if self.is_in_package(source) {
                kept.push(item);
                self.own_passwords.ids.push(label.to_owned());
            } else {
                dropped.push(item);
                asks &= source == "prompt";
            }
        }
        if !kept.is_empty() {
            self.ini.set("defaults", "vault_identity_list", kept.join(","));
        }
        if !dropped.is_empty() {
            let reason = if asks {
                TERMINAL
            } else {
                "it names no file of the package"
            };
            self.override_setting("defaults", "vault_identity_list", dropped.join(","), reason);
        }
    }

    fn join_lists(&mut self, ours: &Ours) {
        // Older spellings, which newer versions no longer know.
        for (old, new) in [
            ("callback_whitelist", "callbacks_enabled"),
            ("collections_paths", "collections_path"),
        ] {
            if let Some(value) = self.ini.remove("defaults", old)
                && self.ini.get("defaults", new).is_none()
            {
                self.ini.set("defaults", new, value);
            }
        }
        if let Some((name, folder)) = &ours.callback {
            self.join("callbacks_enabled", ",", &[], &[(*name).to_owned()]);
            // Ours first: one of the same name in the project would take its place.
            let standard = "/usr/share/ansible/plugins/callback";
            self.join("callback_plugins", ":", &[show(folder)], &[standard.to_owned()]);
        }
        if let Some(folder) = &ours.strategy_plugins {
            self.join("strategy_plugins", ":", &[show(folder)], &[]);
        }
        let galaxy = ours.galaxy.as_deref();
        let below = |name: &str| {
            let mut folders = vec![show(&ours.project.join(name))];
            folders.extend(galaxy.map(|folder| show(&folder.join(name))));
            folders.push(format!("/usr/share/ansible/{name}"));
            folders
        };
        let mut roles = below("roles");
        roles.push("/etc/ansible/roles".to_owned());
        self.join("roles_path", ":", &[], &roles);
        self.join("collections_path", ":", &[], &below("collections"));
        if let Some(enabled) = self.ini.get("inventory", "enable_plugins").map(str::to_owned) {
            let known = |name: &str| {
                enabled
                    .split(',')
                    .map(|plugin| unquote(plugin.trim()).trim_start_matches("ansible.builtin."))
                    .any(|plugin| plugin == name)
            };
            // A run's inventory is a script, that of a syntax check a list of hosts.
            let missing: Vec<&str> = ["host_list", "script"]
                .into_iter()
                .filter(|name| !known(name))
                .collect();
            if !missing.is_empty() {
                let all = format!("{},{enabled}", missing.join(","));
                self.ini.set("inventory", "enable_plugins", all);
            }
        }
    }

    /// Puts `before` and `after` around what the project says in `[defaults]`.
    fn join(&mut self, key: &str, separator: &str, before: &[String], after: &[String]) {
        let theirs = self.ini.get("defaults", key).filter(|value| !value.is_empty());
        let parts: Vec<&str> = before
            .iter()
            .map(String::as_str)
            .chain(theirs)
            .chain(after.iter().map(String::as_str))
            .collect();
        let joined = parts.join(separator);
        self.ini.set("defaults", key, joined);
    }

    fn has_pipelining(&self) -> bool {
        ["defaults", "connection", "ssh_connection"]
            .iter()
            .any(|section| self.ini.get(section, "pipelining").is_some())
    }

    fn is_in_package(&self, path: &str) -> bool {
        file_of(self.files, path).is_some()
    }

    fn override_setting(&mut self, section: &str, key: &str, value: String, reason: &str) {
        self.overridden.push(OverriddenSetting {
            section: section.to_owned(),
            key: key.to_owned(),
            value,
            reason: reason.to_owned(),
        });
    }
}

/// The file of the package that a setting names.
pub fn file_of<'a>(files: &'a [PlaybookFile], path: &str) -> Option<&'a PlaybookFile> {
    let path = unquote(path);
    let path = path.strip_prefix("{{CWD}}/").unwrap_or(path);
    // Ansible puts the home and variables of the environment in.
    if path.starts_with(['/', '~']) || path.contains('$') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    files.iter().find(|file| file.path == path)
}

fn show(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// As Ansible reads a boolean.
fn is_true(value: &str) -> bool {
    ["y", "yes", "on", "1", "true", "t", "1.0"].contains(&unquote(value).trim().to_lowercase().as_str())
}

/// As Ansible takes quotes off a value.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests;
