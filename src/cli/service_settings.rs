//! The settings of the installed service, which also apply to local commands on its data directory.
//!
//! `admiral install` keeps them in a file that systemd reads for the service. Without it, `admiral servers list` on a machine whose
//! service uses an external database would look for an embedded one.

use super::output;
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Where the settings are.
pub const SETTINGS_FILE: &str = "/etc/admiral/env";
/// Where the installed service keeps its data, unless its settings say otherwise.
pub const DATA_DIRECTORY: &str = "/var/lib/admiral";

/// Variables of the environment, in the order in which they stand in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceSettings(Vec<(String, String)>);

impl ServiceSettings {
    /// Reads the settings; `None` when no service is installed, or this account must not read its settings.
    ///
    /// A file that accounts besides root may change is ignored: it would decide which database root's commands use.
    pub fn read() -> Option<Self> {
        Self::read_from(Path::new(SETTINGS_FILE), 0)
    }

    fn read_from(path: &Path, owner: u32) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        if !metadata.is_file() || metadata.uid() != owner || metadata.mode() & 0o022 != 0 {
            let shown = path.display();
            output::say(&format!(
                "warning: {shown} is ignored, because accounts besides root may change it"
            ));
            return None;
        }
        match fs::read_to_string(path) {
            Ok(text) => Some(Self::parse(&text)),
            Err(error) => {
                if error.kind() != ErrorKind::PermissionDenied {
                    output::say(&format!("warning: failed to read {}: {error}", path.display()));
                }
                None
            }
        }
    }

    /// Reads the text as systemd reads an `EnvironmentFile=`: comments begin with `#` or `;`, and values may be in quotes. Lines that are
    /// not assignments are ignored.
    pub fn parse(text: &str) -> Self {
        let assignments = text.lines().filter_map(|line| {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                return None;
            }
            let (name, value) = line.split_once('=')?;
            let name = name.trim_end();
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_name.then(|| (name.to_owned(), unquote(value.trim())))
        });
        Self(assignments.collect())
    }

    /// The value of a variable; of several, the last one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The data directory of the service.
    pub fn data_directory(&self) -> PathBuf {
        PathBuf::from(self.get("ADMIRAL_DATA_DIR").unwrap_or(DATA_DIRECTORY))
    }

    /// All variables.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn unquote(value: &str) -> String {
    let quote = value.chars().next().filter(|first| ['"', '\''].contains(first));
    let mut text = String::new();
    let mut characters = value.chars().skip(usize::from(quote.is_some()));
    while let Some(character) = characters.next() {
        match character {
            '\\' if quote != Some('\'') => text.extend(characters.next()),
            _ if Some(character) == quote => break,
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn settings_are_read_as_systemd_reads_them() {
        let settings = ServiceSettings::parse(
            "# a comment\n; another\n\nDATABASE_URL=postgres://a:b%23c@db/x?y=z\nADMIRAL_DATA_DIR = \"/srv/my \\\"data\\\"\" # rest\n\
             SINGLE='as \\ it is'\nnot an assignment\n=nothing\nADMIRAL_LISTEN=1\nADMIRAL_LISTEN=2\nEMPTY=\n#ADMIRAL_LOG=debug\n",
        );
        let expected = [
            ("DATABASE_URL", Some("postgres://a:b%23c@db/x?y=z")),
            ("ADMIRAL_DATA_DIR", Some("/srv/my \"data\"")),
            ("SINGLE", Some("as \\ it is")),
            ("ADMIRAL_LISTEN", Some("2")),
            ("EMPTY", Some("")),
            ("ADMIRAL_LOG", None),
        ];
        for (name, value) in expected {
            assert_eq!(settings.get(name), value, "{name}");
        }
        assert_eq!(settings.data_directory(), Path::new("/srv/my \"data\""));
        assert_eq!(ServiceSettings::default().data_directory(), Path::new(DATA_DIRECTORY));
    }

    #[test]
    fn a_file_that_others_may_change_says_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "A=b\n").unwrap();
        let own = file.path().metadata().unwrap().uid();
        let read = |mode, owner| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            ServiceSettings::read_from(file.path(), owner)
        };
        assert!(read(0o640, own).is_some());
        assert!(read(0o660, own).is_none());
        assert!(read(0o602, own).is_none());
        assert!(read(0o640, own + 1).is_none());
        assert!(ServiceSettings::read_from(Path::new("/no/such/file"), own).is_none());
    }
}
