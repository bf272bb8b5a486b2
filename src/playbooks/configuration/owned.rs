//! The settings that are Admiral's own, and why.

const KEYS: &str = "servers have their keys from Admiral";
const HOST_KEYS: &str = "Admiral checks the servers' host keys and keeps those it trusts";
const SSH: &str = "Admiral gives ssh its arguments: keys, host keys and connections are the run's own";
const CONNECTIONS: &str = "every run has a folder of its own for its connections";
const FOLDERS: &str = "every run has folders of its own";
const OUTPUT: &str = "Admiral keeps the output of a run";
/// Where Ansible would ask.
pub(super) const TERMINAL: &str = "a run has no terminal to ask on";

/// What becomes of a setting of the project's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It does not hold.
    Ours,
    /// It does not hold, and need not be named when it says the same.
    OursIs(bool),
}

/// Section, key, rule and reason.
pub(super) const OWNED: &[(&str, &str, Rule, &str)] = &[
    (
        "defaults",
        "inventory",
        Rule::Ours,
        "the deployment's servers are the inventory",
    ),
    ("defaults", "private_key_file", Rule::Ours, KEYS),
    ("defaults", "connection_password_file", Rule::Ours, KEYS),
    ("ssh_connection", "pkcs11_provider", Rule::Ours, KEYS),
    ("connection", "ssh_agent", Rule::Ours, KEYS),
    ("paramiko_connection", "private_key_file", Rule::Ours, KEYS),
    ("paramiko_connection", "look_for_keys", Rule::Ours, KEYS),
    ("libssh_connection", "private_key_file", Rule::Ours, KEYS),
    ("libssh_connection", "look_for_keys", Rule::Ours, KEYS),
    ("defaults", "host_key_checking", Rule::OursIs(true), HOST_KEYS),
    ("ssh_connection", "host_key_checking", Rule::OursIs(true), HOST_KEYS),
    (
        "paramiko_connection",
        "host_key_checking",
        Rule::OursIs(true),
        HOST_KEYS,
    ),
    (
        "paramiko_connection",
        "host_key_auto_add",
        Rule::OursIs(false),
        HOST_KEYS,
    ),
    ("paramiko_connection", "record_host_keys", Rule::Ours, HOST_KEYS),
    ("paramiko_connection", "proxy_command", Rule::Ours, HOST_KEYS),
    ("libssh_connection", "host_key_checking", Rule::OursIs(true), HOST_KEYS),
    ("libssh_connection", "host_key_auto_add", Rule::OursIs(false), HOST_KEYS),
    ("libssh_connection", "proxy_command", Rule::Ours, HOST_KEYS),
    ("libssh_connection", "config_file", Rule::Ours, HOST_KEYS),
    ("netconf_connection", "ssh_config", Rule::Ours, HOST_KEYS),
    ("ssh_connection", "ssh_args", Rule::Ours, SSH),
    ("ssh_connection", "ssh_common_args", Rule::Ours, SSH),
    ("ssh_connection", "ssh_extra_args", Rule::Ours, SSH),
    ("ssh_connection", "sftp_extra_args", Rule::Ours, SSH),
    ("ssh_connection", "scp_extra_args", Rule::Ours, SSH),
    ("ssh_connection", "ssh_executable", Rule::Ours, SSH),
    ("ssh_connection", "sftp_executable", Rule::Ours, SSH),
    ("ssh_connection", "scp_executable", Rule::Ours, SSH),
    ("ssh_connection", "control_path", Rule::Ours, CONNECTIONS),
    ("ssh_connection", "control_path_dir", Rule::Ours, CONNECTIONS),
    ("persistent_connection", "control_path_dir", Rule::Ours, CONNECTIONS),
    ("defaults", "home", Rule::Ours, FOLDERS),
    ("defaults", "local_tmp", Rule::Ours, FOLDERS),
    ("galaxy", "cache_dir", Rule::Ours, FOLDERS),
    (
        "galaxy",
        "token_path",
        Rule::Ours,
        "Galaxy servers have their tokens from Admiral, or from the project's galaxy_server sections",
    ),
    ("defaults", "log_path", Rule::Ours, OUTPUT),
    ("defaults", "nocolor", Rule::OursIs(false), OUTPUT),
    ("defaults", "force_color", Rule::OursIs(true), OUTPUT),
    (
        "defaults",
        "retry_files_enabled",
        Rule::OursIs(false),
        "a deployment is retried in Admiral",
    ),
    (
        "defaults",
        "retry_files_save_path",
        Rule::Ours,
        "a deployment is retried in Admiral",
    ),
    ("defaults", "ask_pass", Rule::OursIs(false), TERMINAL),
    ("defaults", "ask_vault_pass", Rule::OursIs(false), TERMINAL),
    ("privilege_escalation", "become_ask_pass", Rule::OursIs(false), TERMINAL),
    ("defaults", "enable_task_debugger", Rule::OursIs(false), TERMINAL),
];

/// Why a value of these settings does not hold although others do.
pub(super) fn refuse_value(section: &str, key: &str, value: &str, accelerated: bool) -> Option<&'static str> {
    let plain = value
        .trim_start_matches("ansible.builtin.")
        .trim_start_matches("ansible.legacy.");
    match (section, key) {
        ("defaults", "strategy") if plain == "debug" => Some(TERMINAL),
        ("defaults", "strategy") if plain.starts_with("mitogen") && !accelerated => {
            Some("Mitogen is an accelerator of the deployment: launch with --accelerator mitogen")
        }
        ("defaults", "transport") if plain.contains("paramiko") => Some(HOST_KEYS),
        _ => None,
    }
}
