//! Options that every subcommand takes.

use super::{failure::Hinted, output::Format, owner::Ownership, service_settings::DATA_DIRECTORY};
use std::{
    fs::{DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Options that every subcommand takes.
#[derive(Debug, Clone, clap::Args)]
pub struct GlobalOptions {
    /// Holds the database, the key ring and the runs [default: /var/lib/admiral as root and as its owner, else ~/.local/share/admiral]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ADMIRAL_DATA_DIR",
        help_heading = "Global options"
    )]
    pub data_dir: Option<PathBuf>,
    /// Use this PostgreSQL instead of the embedded one
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub database_url: Option<String>,
    /// Speak to the running server at this address
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "ADMIRAL_SERVER",
        help_heading = "Global options"
    )]
    pub server: Option<String>,
    /// Holds the API token for --server; ADMIRAL_TOKEN may hold the token itself
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ADMIRAL_TOKEN_FILE",
        help_heading = "Global options"
    )]
    pub token_file: Option<PathBuf>,
    /// Folder with your own playbooks [default: playbooks in the data directory]
    #[arg(
        long = "playbooks",
        global = true,
        value_name = "DIR",
        env = "ADMIRAL_PLAYBOOKS",
        help_heading = "Global options"
    )]
    pub playbooks_folder: Option<PathBuf>,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Global options")]
    pub output: Format,
}

impl GlobalOptions {
    /// Where the data directory is, made or not.
    pub fn data_directory_path(&self) -> anyhow::Result<PathBuf> {
        let path = if let Some(path) = &self.data_dir {
            path.clone()
        } else {
            let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
            default_data_directory(is_root() || owns_system_directory(), variable).ok_or_else(|| {
                Hinted::new(
                    "failed to find a data directory: HOME is not set",
                    "name one with --data-dir or ADMIRAL_DATA_DIR",
                )
            })?
        };
        Ok(std::path::absolute(path)?)
    }

    /// The data directory, made where it is missing.
    ///
    /// Only its owner may read it. As root the embedded PostgreSQL runs as another user, who must be able to pass through.
    pub fn data_directory(&self) -> anyhow::Result<PathBuf> {
        let path = self.data_directory_path()?;
        if !path.is_dir() {
            let mode = if is_root() { 0o711 } else { 0o700 };
            make_directory(&path, mode).map_err(|error| {
                Hinted::new(
                    format!("failed to make the data directory {}", path.display()),
                    "name a folder you may write to with --data-dir or ADMIRAL_DATA_DIR",
                )
                .caused_by(error)
            })?;
        }
        Ok(path)
    }

    /// The folder with the operator's own playbooks.
    pub fn project_folder(&self, data_directory: &Path) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.playbooks_folder {
            return Ok(std::path::absolute(path)?);
        }
        let folder = data_directory.join("playbooks");
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Whether this process has root's powers over files.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this process runs as the service account.
fn owns_system_directory() -> bool {
    matches!(Ownership::of(Path::new(DATA_DIRECTORY)), Ok(Ownership::Ours))
}

/// The data directory when none is named: the system's for root and for the account that owns it, else one in the home directory.
pub(super) fn default_data_directory(
    is_system_wide: bool,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> Option<PathBuf> {
    if is_system_wide {
        return Some(PathBuf::from(DATA_DIRECTORY));
    }
    // The XDG base directory specification: a relative path is invalid and ignored.
    let data_home = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute());
    data_home
        .or_else(|| home().map(|home| home.join(".local/share")))
        .map(|base| base.join("admiral"))
}

fn make_directory(path: &Path, mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The umask may have taken bits away.
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_follows_xdg() {
        let with = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| PathBuf::from(value))
            }
        };
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(default_data_directory(true, with(&[])), at("/var/lib/admiral"));
        assert_eq!(
            default_data_directory(false, with(&[("HOME", "/home/a")])),
            at("/home/a/.local/share/admiral")
        );
        assert_eq!(
            default_data_directory(false, with(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")])),
            at("/x/admiral")
        );
        assert_eq!(
            default_data_directory(false, with(&[("XDG_DATA_HOME", "x"), ("HOME", "/h")])),
            at("/h/.local/share/admiral")
        );
        assert_eq!(default_data_directory(false, with(&[])), None);
    }

    #[test]
    fn the_directory_gets_exactly_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_directory(&path, 0o711).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o711);
    }
}
