//! Where Ansible's callback plugins come from, by the user's own settings: ours is added to them.
//!
//! A variable of the environment takes the place of the setting in `ansible.cfg`, so that it has to say again what stands there. The
//! file is found and read as Ansible does it (`ansible.config.manager`); asking `ansible-config` would take half a second.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Names the folders with callback plugins.
pub const CALLBACK_PLUGINS: &str = "ANSIBLE_CALLBACK_PLUGINS";
/// Has `ansible` load callback plugins at all.
pub const LOAD_CALLBACK_PLUGINS: &str = "ANSIBLE_LOAD_CALLBACK_PLUGINS";
const SYSTEM_FILE: &str = "/etc/ansible/ansible.cfg";
const SYSTEM_PLUGINS: &str = "/usr/share/ansible/plugins/callback";

/// The user's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSettings {
    /// Folders with callback plugins, colons between them.
    pub callback_plugins: OsString,
    /// Whether `ansible` loads callback plugins.
    pub loads_callbacks: bool,
}

/// Where settings come from.
pub struct Sources<'a> {
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The working directory.
    pub folder: &'a Path,
}

impl UserSettings {
    /// Of this process's own environment and working directory.
    pub fn of_this_process() -> Self {
        let folder = std::env::current_dir().unwrap_or_default();
        Self::read(&Sources {
            variable: &|name| std::env::var_os(name),
            folder: &folder,
        })
    }

    /// Reads them.
    pub fn read(sources: &Sources<'_>) -> Self {
        let file = find_file(sources);
        let settings = file
            .as_ref()
            .and_then(|path| std::fs::read(path).ok())
            .map(|text| defaults(&String::from_utf8_lossy(&text)))
            .unwrap_or_default();
        let base = file.as_deref().and_then(Path::parent).unwrap_or(sources.folder);
        let callback_plugins = if let Some(value) = (sources.variable)(CALLBACK_PLUGINS) {
            value
        } else if let Some(value) = settings.get("callback_plugins") {
            let folders: Vec<String> = value.split(':').map(|folder| resolve(sources, folder, base)).collect();
            folders.join(":").into()
        } else {
            let home = match ((sources.variable)("ANSIBLE_HOME"), settings.get("home")) {
                (Some(home), _) => resolve(sources, &home.to_string_lossy(), sources.folder),
                (None, Some(home)) => resolve(sources, unquote(home), base),
                (None, None) => resolve(sources, "~/.ansible", sources.folder),
            };
            format!("{home}/plugins/callback:{SYSTEM_PLUGINS}").into()
        };
        let loads = (sources.variable)(LOAD_CALLBACK_PLUGINS)
            .map(|value| value.to_string_lossy().into_owned())
            .or_else(|| settings.get("bin_ansible_callbacks").cloned());
        Self {
            callback_plugins,
            loads_callbacks: loads.is_some_and(|value| is_true(&value)),
        }
    }
}

/// The first of Ansible's places that holds a file that can be read.
fn find_file(sources: &Sources<'_>) -> Option<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(named) = (sources.variable)("ANSIBLE_CONFIG") {
        let path = PathBuf::from(resolve(sources, &named.to_string_lossy(), sources.folder));
        candidates.push(if path.is_dir() { path.join("ansible.cfg") } else { path });
    }
    // Anybody could have put a file into a folder that everybody may write to.
    let is_private = sources
        .folder
        .metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o002 == 0);
    if is_private {
        candidates.push(sources.folder.join("ansible.cfg"));
    }
    candidates.push(PathBuf::from(resolve(sources, "~/.ansible.cfg", sources.folder)));
    candidates.push(PathBuf::from(SYSTEM_FILE));
    candidates.into_iter().find(|path| std::fs::File::open(path).is_ok())
}

/// A path as Ansible understands it: `{{CWD}}`, `$NAME`, `~`, and relative to the file it stands in.
fn resolve(sources: &Sources<'_>, path: &str, base: &Path) -> String {
    let path = path.replace("{{CWD}}", &sources.folder.to_string_lossy());
    let path = expand_variables(sources, &path);
    let home = || {
        (sources.variable)("HOME")
            .or_else(|| std::env::home_dir().map(PathBuf::into_os_string))
            .map(|home| home.to_string_lossy().trim_end_matches('/').to_owned())
    };
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => home().map_or(path.clone(), |home| home + rest),
        // `~somebody` is for Ansible to look up.
        Some(_) => return path,
        None => path,
    };
    base.join(path).to_string_lossy().into_owned()
}

/// `$NAME` and `${NAME}`; a name that is not set stays as it stands (`os.path.expandvars`).
fn expand_variables(sources: &Sources<'_>, text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let in_braces = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let plain = &after[..after.find(|letter| !is_part(letter)).unwrap_or(after.len())];
        let (name, length) = in_braces.map_or((plain, plain.len()), |(name, _)| (name, name.len() + 2));
        match (sources.variable)(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value.to_string_lossy()),
            None => expanded.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    expanded + rest
}

/// The section `[defaults]` of an INI file as Python's `configparser` reads it, values as they stand.
fn defaults(text: &str) -> HashMap<String, String> {
    let mut settings: HashMap<String, String> = HashMap::new();
    let mut common: HashMap<String, String> = HashMap::new();
    let (mut section, mut last, mut depth) = (String::new(), None::<String>, 0);
    for line in text.lines() {
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        if content.starts_with(['#', ';']) {
            continue;
        }
        let content = without_comment(content);
        if content.is_empty() {
            continue;
        }
        let values = if section == "DEFAULT" {
            &mut common
        } else {
            &mut settings
        };
        let is_kept = section == "DEFAULT" || section == "defaults";
        if let Some(key) = last.as_ref().filter(|_| indent > depth) {
            if let Some(value) = values.get_mut(key).filter(|_| is_kept) {
                value.push('\n');
                value.push_str(content);
            }
            continue;
        }
        depth = indent;
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            name.0.clone_into(&mut section);
            last = None;
            continue;
        }
        let (key, value) = content.split_once(['=', ':']).unwrap_or((content, ""));
        let key = key.trim().to_lowercase();
        if is_kept {
            values.insert(key.clone(), value.trim().to_owned());
        }
        last = Some(key);
    }
    for (key, value) in common {
        settings.entry(key).or_insert(value);
    }
    settings
}

/// Up to a `;` after white space.
fn without_comment(line: &str) -> &str {
    let comment = line
        .match_indices(';')
        .find(|(at, _)| line[..*at].ends_with(char::is_whitespace));
    comment.map_or(line, |(at, _)| line[..at].trim_end())
}

fn unquote(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

fn is_true(text: &str) -> bool {
    ["y", "yes", "on", "1", "true", "t", "1.0"].contains(&unquote(text.trim()).to_lowercase().as_str())
}

/// `first` and `second` with a colon between them.
pub fn join(first: &OsStr, second: &OsStr) -> OsString {
    let mut joined = first.to_owned();
    joined.push(":");
    joined.push(second);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, variables: &[(&str, &str)]) -> UserSettings {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        UserSettings::read(&Sources {
            variable: &|name| variables.get(name).map(OsString::from),
            folder,
        })
    }

    fn with(text: &str) -> (tempfile::TempDir, UserSettings) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ansible.cfg"), text).unwrap();
        let settings = read(folder.path(), &[("HOME", "/home/a"), ("X", "/x")]);
        (folder, settings)
    }

    #[test]
    fn without_a_setting_the_default_stays() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let settings = read(folder.path(), &[("HOME", home)]);
        assert_eq!(
            settings.callback_plugins.to_str().unwrap(),
            format!("{home}/.ansible/plugins/callback:/usr/share/ansible/plugins/callback")
        );
        let settings = read(folder.path(), &[("HOME", home), ("ANSIBLE_HOME", "/opt/a")]);
        assert!(
            settings
                .callback_plugins
                .to_str()
                .unwrap()
                .starts_with("/opt/a/plugins/callback:")
        );
        assert!(!settings.loads_callbacks);
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let (folder, settings) = with("[defaults]\ncallback_plugins = a\nbin_ansible_callbacks = yes\n");
        assert_eq!(
            settings.callback_plugins.as_os_str(),
            folder.path().join("a").as_os_str()
        );
        assert!(settings.loads_callbacks);
        let settings = read(
            folder.path(),
            &[(CALLBACK_PLUGINS, "x:~/y"), (LOAD_CALLBACK_PLUGINS, "no")],
        );
        assert_eq!(settings.callback_plugins, "x:~/y");
        assert!(!settings.loads_callbacks);
    }

    #[test]
    fn paths_are_resolved_where_they_stand() {
        let (folder, settings) =
            with("[defaults]\n; no\ncallback_plugins: ./a:~/b:$X/c:${X}:~root/d:{{CWD}}/e:$NO/f ; comment\n");
        let base = folder.path().display();
        assert_eq!(
            settings.callback_plugins.to_str().unwrap(),
            format!("{base}/./a:/home/a/b:/x/c:/x:~root/d:{base}/e:{base}/$NO/f")
        );
    }

    #[test]
    fn only_the_first_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (named, home) = (folder.path().join("named"), folder.path().join("home"));
        std::fs::create_dir_all(&named).unwrap();
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join(".ansible.cfg"), "[defaults]\ncallback_plugins = /of-home\n").unwrap();
        std::fs::write(
            named.join("ansible.cfg"),
            "[defaults]\nforks = 3\n[other]\ncallback_plugins = /no\n",
        )
        .unwrap();
        let home = home.to_str().unwrap();
        let found = |config: &str| read(folder.path(), &[("HOME", home), ("ANSIBLE_CONFIG", config)]).callback_plugins;
        assert!(
            found("named")
                .to_str()
                .unwrap()
                .starts_with(&format!("{home}/.ansible/"))
        );
        assert_eq!(found("/no/such/file"), "/of-home");
        std::fs::write(
            folder.path().join("ansible.cfg"),
            "[defaults]\ncallback_plugins = /of-folder\n",
        )
        .unwrap();
        assert_eq!(found("/no/such/file"), "/of-folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(found("/no/such/file"), "/of-home");
    }

    #[test]
    fn the_file_is_read_as_python_does() {
        let settings = defaults(
            "# c\n[DEFAULT]\nhome = /d\n[defaults]\nA = 1\nb=x = y\n  more\n\nc : z;z ; c\n#x = 1\nempty\n[x]\na = 2\n  b = 3\n[defaults]\nd = 4\n",
        );
        assert_eq!(settings["a"], "1");
        assert_eq!(settings["b"], "x = y\nmore");
        assert_eq!(settings["c"], "z;z");
        assert_eq!(settings["d"], "4");
        assert_eq!(settings["home"], "/d");
        assert_eq!(settings["empty"], "");
    }
}
