//! The files that are installed, as text.

use super::Choices;
use std::path::Path;

/// The first words of each of our files, so that a file that somebody else wrote is not replaced.
pub const MARK: &str = "# Written by `admiral install`";

/// The unit of the service.
pub fn unit(choices: &Choices, restricts_user_namespaces: bool) -> String {
    let data = choices.data_directory.display().to_string();
    // systemd itself makes the folders below /var/lib, with the right owner.
    let state = match below_state_folder(&choices.data_directory) {
        Some(name) => format!("StateDirectory={name} {name}/tmp\nStateDirectoryMode=0700"),
        None => format!("ReadWritePaths={data}"),
    };
    let apparmor = if restricts_user_namespaces {
        "# Allows user namespaces, which this system forbids by default.\nAppArmorProfile=-admiral\n"
    } else {
        ""
    };
    include_str!("admiral.service")
        .replace("@APPARMOR@\n", apparmor)
        .replace("@STATE@", &state)
        .replace("@ACCOUNT@", &choices.account)
        .replace("@SETTINGS@", &choices.paths.settings.display().to_string())
        .replace("@BINARY@", &choices.paths.binary.display().to_string())
        .replace("@DATA@", &data)
}

/// The settings of a new service.
pub fn settings(choices: &Choices) -> String {
    let database = match &choices.database_url {
        Some(url) => format!("DATABASE_URL={}", quoted(url)),
        None => "#DATABASE_URL=postgres://admiral:PASSWORD@db.example.org/admiral".to_owned(),
    };
    include_str!("settings.env")
        .replace("@DATABASE@", &database)
        .replace("@DATA@", &choices.data_directory.display().to_string())
        .replace("@LISTEN@", &choices.listen.to_string())
        .replace("@ANSIBLE@", &choices.paths.ansible.display().to_string())
}

/// The AppArmor profile.
pub fn apparmor_profile() -> &'static str {
    include_str!("admiral.apparmor")
}

/// The setting that Debian's PostgreSQL packages read before they make a cluster.
pub fn no_main_cluster() -> String {
    format!(
        "{MARK}: its database is in its own data directory, and no cluster on port 5432 is needed.\ncreate_main_cluster = false\n"
    )
}

/// The name below /var/lib, when the folder is right there.
fn below_state_folder(folder: &Path) -> Option<&str> {
    let name = folder.strip_prefix("/var/lib").ok()?.to_str()?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// A value as systemd and [`ServiceSettings`](crate::cli::service_settings::ServiceSettings) read it back.
fn quoted(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+?&~".contains(&byte);
    if value.bytes().all(is_plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::service_settings::ServiceSettings;

    fn choices() -> Choices {
        Choices::default_for_tests()
    }

    #[test]
    fn the_unit_is_complete_and_keeps_what_runs_need() {
        let text = unit(&choices(), false);
        assert!(!text.contains('@') || text.matches('@').count() == 8, "{text}");
        let assigned: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('=').map(|(name, _)| name))
            .collect();
        for needed in [
            "User",
            "StateDirectory",
            "Delegate",
            "DelegateSubgroup",
            "LimitNOFILE",
            "TasksMax",
            "RequiresMountsFor",
            "RestartSec",
            "StartLimitIntervalSec",
            "KillMode",
            "NoNewPrivileges",
        ] {
            assert!(assigned.contains(&needed), "{needed}: {text}");
        }
        // Each of these would break runs, their isolation or their secrets; the unit says why.
        for harmful in [
            "PrivateTmp",
            "RestrictNamespaces",
            "ProtectKernelTunables",
            "ProtectKernelLogs",
            "ProtectHostname",
            "ProtectProc",
            "ProcSubset",
            "ProtectControlGroups",
            "MemoryDenyWriteExecute",
            "RestrictSUIDSGID",
            "RemoveIPC",
            "DynamicUser",
            "PrivateUsers",
            "PrivateIPC",
            "AppArmorProfile",
        ] {
            assert!(!assigned.contains(&harmful), "{harmful}: {text}");
        }
        for call in ["@mount", "@privileged", "@process", "@sandbox", "unshare", "pivot_root"] {
            let filters: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with("SystemCallFilter="))
                .collect();
            assert!(filters.iter().all(|line| !line.contains(call)), "{filters:?}");
        }
        assert!(text.starts_with(MARK));
        assert!(unit(&choices(), true).contains("\nAppArmorProfile=-admiral\n"));
    }

    #[test]
    fn a_data_directory_elsewhere_is_made_writable() {
        let mut elsewhere = choices();
        elsewhere.data_directory = "/srv/admiral".into();
        let text = unit(&elsewhere, false);
        assert!(text.contains("\nReadWritePaths=/srv/admiral\n") && !text.contains("StateDirectory"));
        assert!(text.contains("BindPaths=-/srv/admiral/tmp:/tmp"));
        assert_eq!(below_state_folder(Path::new("/var/lib/admiral")), Some("admiral"));
        assert_eq!(below_state_folder(Path::new("/var/lib/a/b")), None);
        assert_eq!(below_state_folder(Path::new("/var/lib")), None);
    }

    #[test]
    fn settings_are_read_back_as_they_were_chosen() {
        let mut external = choices();
        for url in [
            "postgres://admiral:p%40ss@db.example.org:5433/admiral?sslmode=require",
            "postgres://admiral:a#b\"c\\d e@db/x",
        ] {
            external.database_url = Some(url.to_owned());
            let settings = ServiceSettings::parse(&settings(&external));
            assert_eq!(settings.get("DATABASE_URL"), Some(url));
        }
        let settings = ServiceSettings::parse(&settings(&choices()));
        assert_eq!(settings.get("DATABASE_URL"), None);
        assert_eq!(settings.get("ADMIRAL_LISTEN"), Some("127.0.0.1:8080"));
        assert_eq!(settings.get("ADMIRAL_DATA_DIR"), Some("/var/lib/admiral"));
        assert_eq!(settings.get("ADMIRAL_ANSIBLE_BIN"), Some("/opt/admiral/ansible/bin"));
    }
}
