//! Which variables a person may set, on a server or for a deployment.
//!
//! Many of Ansible's own variables decide what runs *on the controller* (`ansible_connection`, `ansible_ssh_common_args`,
//! `ansible_ssh_executable`, …), so the right to edit a server would be the right to run commands beside the master key.
//! Hence a list of those that are let through, not of those that are not.

use serde_json::Value;

/// Ansible variables that metadata may set: they act on the managed machine only.
pub const ALLOWED_ON_SERVERS: [&str; 12] = [
    "ansible_become",
    "ansible_become_method",
    "ansible_become_user",
    "ansible_pipelining",
    "ansible_python_interpreter",
    "ansible_remote_tmp",
    "ansible_shell_type",
    "ansible_ssh_pipelining",
    "ansible_ssh_retries",
    "ansible_ssh_timeout",
    "ansible_system_umask",
    "ansible_timeout",
];

/// Ansible variables that a deployment may set. Fewer: extra variables also hold for tasks delegated to the controller.
pub const ALLOWED_IN_DEPLOYMENTS: [&str; 5] = [
    "ansible_become",
    "ansible_become_method",
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_become_user",
];

/// Variables that hold a password, and are kept as secrets only.
pub const PASSWORDS: [&str; 2] = ["ansible_become_pass", "ansible_become_password"];

/// Variables that the inventory sets itself.
pub const MANAGED: [&str; 10] = [
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_ssh_private_key_file",
    "server_id",
    "server_uuid",
    "server_name",
    "tags",
    "distro",
    "architecture",
];

/// Ansible's magic variables: it sets them itself. (Words of plays such as `port` or `name` only draw a warning from it.)
const RESERVED: [&str; 12] = [
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_path",
];

const PYTHON_KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

const NAME_LIMIT: usize = 128;
const KEY_LIMIT: usize = 256;
/// How deep lists and objects may nest.
pub const DEPTH_LIMIT: usize = 16;

/// Says what is wrong with a metadata key, if anything.
pub fn refuse_on_server(name: &str) -> Option<String> {
    if MANAGED.contains(&name) {
        return Some("is set from the server's own fields".to_owned());
    }
    refuse(name, &ALLOWED_ON_SERVERS)
}

/// Says what is wrong with the name of a deployment's variable, if anything.
pub fn refuse_in_deployment(name: &str) -> Option<String> {
    refuse(name, &ALLOWED_IN_DEPLOYMENTS)
}

fn refuse(name: &str, allowed: &[&str]) -> Option<String> {
    let mut characters = name.chars();
    let starts = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some("is not a variable name: letters, digits and `_`, not starting with a digit".to_owned());
    }
    if name.len() > NAME_LIMIT {
        return Some(format!("must be at most {NAME_LIMIT} characters long"));
    }
    if PYTHON_KEYWORDS.contains(&name) {
        return Some("is a word of Python and can not name a variable".to_owned());
    }
    if RESERVED.contains(&name) {
        return Some("is set by Ansible itself".to_owned());
    }
    // Mitogen's variables choose programs on the controller just as Ansible's do.
    let internal = ["ansible_", "_ansible", "__ansible", "mitogen_"]
        .iter()
        .any(|start| name.starts_with(start));
    if internal && !allowed.contains(&name) {
        return Some(format!(
            "is reserved; of Ansible's own variables these can be set: {}",
            allowed.join(", ")
        ));
    }
    None
}

/// Says what is wrong with a key inside a value, if anything. Keys can not be marked unsafe as strings can.
pub fn refuse_nested_key(key: &str) -> Option<&'static str> {
    if key.starts_with("__ansible") || key.starts_with("_ansible") {
        // Ansible's JSON reader gives these a meaning: `{"__ansible_vault": …}` is decrypted.
        return Some("is a key that Ansible reserves");
    }
    if ["{{", "{%", "{#"].iter().any(|open| key.contains(open)) {
        return Some("must not hold a template");
    }
    if key.len() > KEY_LIMIT || key.chars().any(char::is_control) {
        return Some("must be at most 256 bytes long and without control characters");
    }
    None
}

/// Calls `report` with the path and the reason for everything that is wrong inside `value`.
pub(super) fn check_value(path: &str, value: &Value, depth: usize, report: &mut impl FnMut(String, String)) {
    if depth > DEPTH_LIMIT {
        report(
            path.to_owned(),
            format!("must not nest deeper than {DEPTH_LIMIT} levels"),
        );
        return;
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_value(&format!("{path}[{index}]"), item, depth + 1, report);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                let inner = format!("{path}.{key}");
                match refuse_nested_key(key) {
                    Some(reason) => report(inner, reason.to_owned()),
                    None => check_value(&inner, item, depth + 1, report),
                }
            }
        }
        Value::String(text) if text.contains('\0') => {
            report(path.to_owned(), "must not hold a NUL character".to_owned());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_the_controller_is_refused() {
        for name in [
            "ansible_connection",
            "ansible_ssh_common_args",
            "ansible_ssh_extra_args",
            "ansible_ssh_executable",
            "ansible_shell_executable",
            "ansible_host",
            "ansible_ssh_private_key_file",
            "ansible_become_exe",
            "mitogen_via",
            "mitogen_docker_path",
            "_ansible_x",
            "__ansible_vault",
            "ansible_",
            "hostvars",
            "omit",
            "1st",
            "a-b",
            "",
            "a b",
            "größe",
            "class",
            "server_id",
        ] {
            assert!(refuse_on_server(name).is_some(), "{name}");
        }
        for name in [
            "region",
            "_private",
            "A1",
            "ansible_become",
            "ansible_python_interpreter",
            "ansiblex",
        ] {
            assert_eq!(refuse_on_server(name), None, "{name}");
        }
        assert!(refuse_in_deployment("ansible_python_interpreter").is_some());
        assert_eq!(refuse_in_deployment("ansible_become_password"), None);
        assert_eq!(refuse_in_deployment("server_id"), None);
        assert!(PASSWORDS.iter().all(|name| ALLOWED_IN_DEPLOYMENTS.contains(name)));
    }
}
