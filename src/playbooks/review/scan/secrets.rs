//! `reads_secrets`: a system's passwords, private keys, credentials.

use super::{Scan, commands::Reading};
use crate::playbooks::review::{
    jinja,
    shell::{Call, mark},
};

const RULE: &str = "reads_secrets";

/// Programs that give out what is in the files they are named.
const READERS: [&str; 45] = [
    "cat",
    "tac",
    "nl",
    "less",
    "more",
    "head",
    "tail",
    "cp",
    "mv",
    "install",
    "scp",
    "rsync",
    "sftp",
    "tar",
    "zip",
    "7z",
    "gzip",
    "cpio",
    "base64",
    "base32",
    "xxd",
    "od",
    "hexdump",
    "strings",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "awk",
    "gawk",
    "sed",
    "cut",
    "sort",
    "uniq",
    "tr",
    "diff",
    "paste",
    "rev",
    "dd",
    "tee",
    "mail",
    "nc",
    "unshadow",
    "john",
    "Get-Content",
];

/// What a path leads to, when that is a secret.
pub(super) fn secret_at(path: &str) -> Option<&'static str> {
    let path = path.trim_matches(['"', '\'']);
    // What an expression leads to may well be somebody's home.
    let below_expression = below_expression(path).map(|rest| format!("~{rest}"));
    let is_known = below_expression.is_none();
    let path = below_expression.as_deref().unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or_default();
    let below_home = |rest: &str| {
        [format!("~/{rest}"), format!("/root/{rest}")]
            .iter()
            .any(|full| path.starts_with(full.as_str()))
            || (path.starts_with("/home/") && path.contains(&format!("/{rest}")))
    };
    let is_public = name.to_ascii_lowercase().ends_with(".pub");
    if matches!(
        path,
        "/etc/shadow" | "/etc/shadow-" | "/etc/gshadow" | "/etc/gshadow-" | "/etc/master.passwd"
    ) {
        return Some("the password hashes of all users");
    }
    if path.starts_with("/etc/ssh/ssh_host_") && name.contains("_key") && !is_public {
        return Some("the server's own SSH keys");
    }
    if below_home(".ssh") {
        let is_harmless = is_public
            || [
                "authorized_keys",
                "authorized_keys2",
                "known_hosts",
                "config",
                "rc",
                "environment",
            ]
            .contains(&name);
        return (!is_harmless).then_some("SSH private keys");
    }
    if is_public || path.contains("keyring") || path.contains("gpg") && !below_home(".gnupg") {
        return None;
    }
    for (rest, what) in [
        (".aws/credentials", "cloud credentials"),
        (".azure/", "cloud credentials"),
        (".config/gcloud/", "cloud credentials"),
        (".gnupg", "GnuPG's private keys"),
        (".pgpass", "database passwords"),
        (".my.cnf", "database passwords"),
        (".netrc", "passwords"),
        (".git-credentials", "git credentials"),
        (".docker/config.json", "registry credentials"),
        (".vault-token", "a token"),
        (".bash_history", "what was typed, often passwords"),
    ] {
        if below_home(rest) {
            return Some(what);
        }
    }
    let is_absolute = is_known && path.starts_with(['/', '~']);
    if path.starts_with("/proc/") && name == "environ" {
        return Some("the environment of a process");
    }
    if is_absolute && matches!(name, "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519") {
        return Some("an SSH private key");
    }
    let lower = name.to_ascii_lowercase();
    let is_packages = ["/apt", "/yum", "/rpm", "/trusted"]
        .iter()
        .any(|part| path.contains(part));
    let ending = lower.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_key = ending == "key" && !is_packages;
    let is_pem = ending == "pem" && (lower.contains("key") || path.contains("/private/"));
    (is_absolute && (is_key || is_pem)).then_some("a private key")
}

/// What follows the expression that a path begins with, unless that is a place within the package.
fn below_expression(path: &str) -> Option<&str> {
    let rest = if let Some(rest) = path.strip_prefix(mark::TEMPLATE) {
        rest
    } else {
        let (expression, rest) = path.strip_prefix("{{")?.split_once("}}")?;
        let is_ours = ["playbook_dir", "role_path", "inventory_dir"].contains(&expression.trim());
        (!is_ours).then_some(rest)?
    };
    rest.starts_with('/').then_some(rest)
}

/// Looks at one command.
pub(super) fn judge_call(call: &Call<'_>, reading: &mut Reading) {
    for redirect in &call.command.redirects {
        if redirect.operator == "<"
            && let Some(what) = secret_at(&redirect.target.text)
        {
            say(call, reading, &redirect.target.text, what);
            return;
        }
    }
    if call.is(&["getent"]) && call.texts().any(|text| matches!(text, "shadow" | "gshadow")) {
        say(call, reading, "getent", "the password hashes of all users");
        return;
    }
    if !call.is(&READERS) {
        return;
    }
    if call.is(&["install"]) && call.has(&['d'], &["--directory"]) {
        return;
    }
    let words: Vec<&str> = call.operands().map(|word| word.text.as_str()).collect();
    // Where a command puts something is not read.
    let is_copy = call.is(&["cp", "mv", "install", "scp", "rsync"]) && words.len() > 1;
    let read = if is_copy {
        &words[..words.len() - 1]
    } else if call.is(&["tee"]) {
        &[]
    } else {
        &words[..]
    };
    for text in read {
        let path = text.strip_prefix("if=").unwrap_or(text);
        if let Some(what) = secret_at(path) {
            say(call, reading, path, what);
            return;
        }
    }
}

fn say(call: &Call<'_>, reading: &mut Reading, path: &str, what: &str) {
    reading.warn(
        call,
        RULE,
        format!("{} reads {what} ({})", call.program, mark::show(path)),
    );
}

/// Looks at modules that read files.
pub(super) fn judge_module(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    let node = match task.short() {
        "slurp" | "fetch" => task.argument(&["src", "path"]),
        "copy" | "synchronize" | "unarchive" => task.argument(&["src"]),
        "archive" => task.argument(&["path"]),
        _ => None,
    };
    let Some(node) = node else { return };
    for item in node.items_or_self() {
        let Some(path) = item.value() else { continue };
        if let Some(what) = secret_at(path) {
            scan.warn(item, RULE, format!("{} reads {what} ({path})", task.short()));
        }
    }
}

/// What a lookup reads, when that is a secret.
pub(super) fn of_lookup(lookup: &jinja::Lookup) -> Option<(&str, &'static str)> {
    let reads =
        ["file", "unvault", "fileglob", "csvfile", "ini", "template", "slurp"].contains(&lookup.plugin.as_str());
    let found = lookup
        .texts
        .iter()
        .find_map(|path| Some((path.as_str(), secret_at(path)?)));
    found.filter(|_| reads)
}
