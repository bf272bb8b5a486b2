//! `destructive_command`: what takes a system or a disk with it.

use super::{Scan, commands::Reading};
use crate::{
    domain::finding::Severity,
    playbooks::{
        paths::join,
        review::shell::{
            self, Call, Word,
            mark::{self, may_be_empty},
        },
    },
};

const RULE: &str = "destructive_command";

/// Folders that a system does not live without.
const SYSTEM: [&str; 28] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/log",
    "/etc/ssh",
    "/etc/systemd",
];
/// Devices that nothing is lost with.
const HARMLESS_DEVICES: [&str; 14] = [
    "null", "zero", "full", "stdin", "stdout", "stderr", "tty", "console", "random", "urandom", "shm", "kmsg", "log",
    "fd",
];

/// Programs that change partitions unless they have one of these options.
const PARTITIONERS: [(&str, &[char], &[&str]); 5] = [
    (
        "fdisk",
        &['l', 'v', 'V', 'h', 's', 'x'],
        &["--list", "--version", "--help", "--getsz"],
    ),
    ("cfdisk", &['h', 'V'], &["--help", "--version"]),
    (
        "sfdisk",
        &['l', 'd', 'J', 's', 'V', 'v', 'F'],
        &[
            "--list",
            "--dump",
            "--json",
            "--version",
            "--verify",
            "--list-free",
            "--show-size",
        ],
    ),
    ("gdisk", &['l'], &["--list"]),
    (
        "sgdisk",
        &['p', 'i', 'v', 'b', 'V', 'P'],
        &["--print", "--info", "--verify", "--backup", "--version", "--pretend"],
    ),
];

/// What removing a path would do.
fn judge_path(text: &str, folder: Option<&str>) -> Option<(Severity, String)> {
    let shown = mark::show(text);
    if text.chars().any(may_be_empty) {
        // What is left when the variable is empty.
        let emptied: String = text.chars().filter(|c| !may_be_empty(*c)).collect();
        if emptied.is_empty() {
            return Some((
                Severity::Note,
                "the folder is a variable; make sure that it can be neither empty nor a system's folder".to_owned(),
            ));
        }
        if !emptied.starts_with('/') {
            return None;
        }
        return match system_folder(&emptied)?.as_str() {
            "/" => Some((
                Severity::Warning,
                format!("with an empty value, `{shown}` is the whole system"),
            )),
            system => Some((Severity::Note, format!("with an empty value, `{shown}` is {system}"))),
        };
    }
    if text == "~" || text.starts_with("~/") && text[1..].trim_matches(['/', '*', '.']).is_empty() {
        return Some((Severity::Warning, format!("`{shown}` is a whole home folder")));
    }
    let path = if text.starts_with('/') {
        text.to_owned()
    } else {
        let folder = folder.filter(|folder| folder.starts_with('/') && !folder.chars().any(mark::is_mark))?;
        format!("{folder}/{text}")
    };
    match system_folder(&path)?.as_str() {
        "/" => Some((Severity::Warning, format!("`{shown}` is the whole system"))),
        system => Some((
            Severity::Warning,
            format!("`{shown}` is {system}, which the system needs"),
        )),
    }
}

/// The system's folder that a path is, or holds everything of: `/etc`, `/etc/`, `/etc/*`, `/etc/.`, `/etc*`.
fn system_folder(path: &str) -> Option<String> {
    let path = path.trim_end_matches("{*,.*}");
    let mut whole = path.trim_end_matches('*');
    while let Some(shorter) = whole.strip_suffix("/.").or(whole.strip_suffix('/')) {
        whole = shorter;
    }
    let normal = format!("/{}", join("", whole));
    SYSTEM.contains(&normal.as_str()).then_some(normal)
}

/// Whether a path is that of a disk or the like.
fn is_device(path: &str) -> bool {
    path.strip_prefix("/dev/").is_some_and(|name| {
        let first = name.split('/').next().unwrap_or_default();
        !first.is_empty()
            && !HARMLESS_DEVICES.contains(&first.trim_end_matches(|c: char| c.is_ascii_digit()))
            && !["pts", "tcp", "udp", "net", "input", "pt"].contains(&first)
            && !first.starts_with("tty")
    })
}

/// Looks at one command.
pub(super) fn judge_call(call: &Call<'_>, reading: &mut Reading) {
    let folder = reading.folder.clone();
    let folder = folder.as_deref();
    if call.is(&["cd", "pushd"]) {
        let target = call.operands().next().map_or("~", |word| word.text.as_str());
        reading.folder = Some(if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("{}/{target}", folder.unwrap_or_default())
        });
    }
    for redirect in &call.command.redirects {
        if redirect.writes() && is_device(&redirect.target.text) {
            let device = mark::show(&redirect.target.text);
            reading.warn(call, RULE, format!("this writes over {device}"));
        }
    }
    match call.program {
        "rm" | "Remove-Item" | "ri" | "rd" | "rmdir" | "del" | "erase" => removal(call, folder, reading),
        "chmod" | "chown" | "chgrp" if call.has(&['R'], &["--recursive"]) => {
            for word in call.operands().skip(1) {
                let system = (!word.text.chars().any(mark::is_mark))
                    .then(|| system_folder(&word.text))
                    .flatten();
                if let Some(system) = system.filter(|system| {
                    !["/opt", "/srv", "/home", "/root", "/var/log", "/usr/local"].contains(&system.as_str())
                }) {
                    reading.warn(
                        call,
                        RULE,
                        format!("this changes the owner or the mode of everything below {system}"),
                    );
                }
            }
        }
        "find" => {
            let deletes = call.texts().any(|text| text == "-delete")
                || call
                    .arguments
                    .windows(2)
                    .any(|pair| pair[0].text.starts_with("-exec") && pair[1].text == "rm");
            let filters = call.texts().any(|text| {
                [
                    "-name", "-iname", "-path", "-mtime", "-mmin", "-atime", "-ctime", "-user", "-size", "-regex",
                    "-newer", "-empty", "-xtype",
                ]
                .contains(&text)
            });
            let start = call.operands().next().and_then(|word| judge_path(&word.text, folder));
            if let (true, false, Some((Severity::Warning, why))) = (deletes, filters, start) {
                reading.warn(call, RULE, format!("this deletes everything it finds: {why}"));
            }
        }
        "dd" => {
            for word in call.arguments {
                if let Some(target) = word.text.strip_prefix("of=").filter(|target| is_device(target)) {
                    reading.warn(call, RULE, format!("dd writes over {}", mark::show(target)));
                }
            }
        }
        "tee" | "cp" | "shred" | "blkdiscard" | "truncate" => {
            let targets: Vec<&Word> = call.operands().collect();
            let last = targets.last().filter(|word| is_device(&word.text));
            if let Some(device) = last {
                reading.warn(
                    call,
                    RULE,
                    format!("{} writes over {}", call.program, mark::show(&device.text)),
                );
            }
        }
        program if changes_disk(call, program) => {
            let message = format!("{program} changes a disk or a file system; what is on it is lost");
            reading.warn(call, RULE, message);
        }
        _ => {}
    }
}

/// Whether a program that works on disks is asked for more than to tell about them.
fn changes_disk(call: &Call<'_>, program: &str) -> bool {
    if let Some((_, letters, long)) = PARTITIONERS.iter().find(|(name, ..)| *name == program) {
        return !call.has(letters, long);
    }
    let asks = |verbs: &[&str]| {
        call.texts()
            .flat_map(str::split_whitespace)
            .any(|word| verbs.contains(&word))
    };
    match program {
        "wipefs" => call.has(&['a', 'o'], &["--all", "--offset"]),
        "parted" => asks(&["mklabel", "mktable", "mkpart", "rm", "resizepart"]),
        "cryptsetup" => asks(&["luksFormat", "erase", "luksErase", "reencrypt"]),
        "zpool" | "zfs" => call.texts().next() == Some("destroy"),
        "format" | "format.com" => call.texts().any(|text| text.len() == 2 && text.ends_with(':')),
        "lvremove" | "vgremove" | "pvremove" | "Format-Volume" | "Clear-Disk" | "Initialize-Disk" | "mke2fs"
        | "mkntfs" | "mkfs" => true,
        _ => program.starts_with("mkfs."),
    }
}

fn removal(call: &Call<'_>, folder: Option<&str>, reading: &mut Reading) {
    if call.texts().any(|text| text == "--no-preserve-root") {
        reading.warn(call, RULE, "--no-preserve-root lets rm remove the whole system");
        return;
    }
    let is_windows = call.program != "rm" || call.texts().any(|text| text.starts_with("-Recurse"));
    let is_recursive = call.has(&['r', 'R'], &["--recursive"])
        || call
            .texts()
            .any(|text| text.eq_ignore_ascii_case("-recurse") || text.eq_ignore_ascii_case("/s"));
    if !is_recursive {
        return;
    }
    for word in call.operands() {
        let text = word.text.to_ascii_lowercase();
        let drive = text.trim_end_matches(['*', '\\', '/']);
        if is_windows
            && matches!(
                drive,
                "c:" | "d:" | "c:\\windows" | "c:\\users" | "c:\\program files" | "c:\\windows\\system32"
            )
        {
            reading.warn(call, RULE, format!("this removes {}", mark::show(&word.text)));
        } else if let Some((severity, why)) = judge_path(&word.text, folder) {
            reading.remark(call, severity, RULE, format!("a recursive removal: {why}"));
        }
    }
}

/// Looks at modules that remove or format by themselves.
pub(super) fn judge_module(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    match task.short() {
        "file" | "win_file" if task.text(&["state"]) == Some("absent") => {
            let Some(node) = task.argument(&["path", "dest", "name"]) else {
                return;
            };
            let text = node.value().unwrap_or_default();
            let words = shell::from_words(&[text]);
            let text = shell::first_word(&words);
            let drive = text.to_ascii_lowercase();
            let drive = drive.trim_end_matches(['*', '\\', '/']);
            if matches!(drive, "c:" | "c:\\windows" | "c:\\users") {
                scan.warn(node, RULE, format!("this removes {}", mark::show(text)));
            } else if text.chars().any(|c| !mark::is_mark(c))
                && let Some((severity, why)) = judge_path(text, None)
            {
                scan.place.add(
                    scan.findings,
                    node,
                    severity,
                    RULE,
                    format!("this removes a folder with all that is in it: {why}"),
                );
            }
        }
        "filesystem" if task.is_true(&["force"]) => {
            if let Some(node) = task.argument(&["force"]) {
                scan.warn(
                    node,
                    RULE,
                    "with `force`, what is on the disk is lost when it holds another file system",
                );
            }
        }
        "lvol" | "lvg" if task.is_true(&["force"]) && task.text(&["state"]) == Some("absent") => {
            scan.warn(task.place, RULE, "this removes a volume with all that is on it");
        }
        "parted" if task.text(&["state"]) == Some("absent") => {
            scan.warn(task.place, RULE, "this removes a partition with all that is on it");
        }
        "win_format" | "win_initialize_disk" => {
            scan.warn(task.place, RULE, "this formats a disk; what is on it is lost");
        }
        "synchronize" if task.is_true(&["delete"]) => {
            if let Some(node) = task.argument(&["dest"])
                && let Some((Severity::Warning, why)) = node.value().and_then(|text| judge_path(text, None))
            {
                scan.warn(
                    node,
                    RULE,
                    format!("with `delete`, all that is not in the source is removed: {why}"),
                );
            }
        }
        _ => {}
    }
}
