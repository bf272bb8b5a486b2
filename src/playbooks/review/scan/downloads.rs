//! `pipe_to_shell`, `unpinned`, `unverified_tls`, `unverified_package`: code that comes from elsewhere.

use super::{Scan, commands::Reading};
use crate::playbooks::{
    review::{
        jinja,
        requirements::is_branch,
        shell::{self, Call, Nesting, Script, Word, calls_of, mark},
    },
    yaml::Node,
};

const PIPE: &str = "pipe_to_shell";
const UNPINNED: &str = "unpinned";
const TLS: &str = "unverified_tls";
const PACKAGE: &str = "unverified_package";

/// Whether a script compares what it has downloaded with what it should be.
pub(super) fn verifies(script: &Script) -> bool {
    let mut found = false;
    shell::for_each_call(script, &mut |call| {
        found |= call.is(&[
            "sha256sum",
            "sha512sum",
            "sha1sum",
            "shasum",
            "md5sum",
            "cosign",
            "minisign",
            "Get-FileHash",
        ]) || call.is(&["gpg", "gpgv", "openssl"])
            && call.texts().any(|text| matches!(text, "--verify" | "-verify" | "dgst"))
            || call.program == "gpgv";
    });
    found
}

fn is_download(call: &Call<'_>) -> bool {
    call.is(&[
        "curl",
        "wget",
        "fetch",
        "aria2c",
        "lynx",
        "iwr",
        "irm",
        "Invoke-WebRequest",
        "Invoke-RestMethod",
    ]) || call.texts().any(|text| text.contains("DownloadString"))
        || call.program.contains("DownloadString")
}

/// Whether the program runs what it reads from its input.
fn runs_input(call: &Call<'_>) -> bool {
    if call.is_shell() {
        let takes_input = call.has(&['s'], &[])
            || call
                .operands()
                .all(|word| word.text == "-" || word.text == "/dev/stdin");
        return takes_input && !call.has(&['c'], &["--command"]);
    }
    if call.is(&["iex", "Invoke-Expression"]) {
        return true;
    }
    let name = call.program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let is_interpreter = matches!(
        name,
        "python" | "perl" | "ruby" | "node" | "php" | "pwsh" | "powershell" | "lua"
    );
    is_interpreter
        && !call.has(&['c', 'm', 'e', 'n', 'p', 'r'], &["--version", "--eval"])
        && call.operands().next().is_none_or(|word| word.text == "-")
}

fn downloads_within(word: &Word, wanted: Nesting) -> bool {
    word.nested.iter().any(|(nesting, script)| {
        let mut calls = Vec::new();
        calls_of(script, &mut calls);
        *nesting == wanted && calls.iter().any(is_download)
    })
}

fn base_name(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Looks at one command.
pub(super) fn judge_call(call: &Call<'_>, reading: &mut Reading) {
    judge_run(call, reading);
    judge_tls(call, reading);
    let sends = call
        .texts()
        .any(|text| text.starts_with("--post-") || text.starts_with("--body-"));
    if call.is(&["curl", "wget"]) && !sends {
        let mut files: Vec<&str> = if call.program == "curl" {
            call.values(Some('o'), &["--output"])
        } else {
            call.values(Some('O'), &["--output-document"])
        }
        .iter()
        .map(|word| base_name(word.text.rsplit('=').next().unwrap_or_default()))
        .collect();
        let is_plain_file = |name: &&str| !name.is_empty() && *name != "-" && *name != "null";
        let to_name = if call.program == "curl" {
            call.has(&['O'], &["--remote-name", "--remote-name-all"])
        } else {
            files.is_empty() && !call.has(&['q'], &["--spider"])
                || files.is_empty()
                    && !call
                        .texts()
                        .any(|text| text == "--spider" || text.starts_with("-qO") || text.starts_with("-O"))
        };
        if to_name {
            files.extend(
                call.operands()
                    .filter(|word| word.text.contains("://"))
                    .map(|word| base_name(&word.text)),
            );
        }
        files.extend(
            call.command
                .redirects
                .iter()
                .filter(|redirect| redirect.operator == ">")
                .map(|redirect| base_name(&redirect.target.text)),
        );
        files.retain(is_plain_file);
        if !files.is_empty() && !reading.verifies {
            reading.note(
                call,
                UNPINNED,
                format!("{} downloads a file without comparing a checksum", call.program),
            );
        }
        reading.downloaded.extend(files.iter().map(|name| (*name).to_owned()));
    }
    if call.is(&["git"]) && call.texts().any(|text| text == "clone") {
        let branch = call.values(Some('b'), &["--branch"]);
        let is_pinned = branch
            .iter()
            .any(|word| !is_branch(word.text.rsplit('=').next().unwrap_or_default()));
        if !is_pinned && !call.texts().any(|text| text.starts_with("--revision")) {
            reading.note(
                call,
                UNPINNED,
                "git clone takes whatever the branch holds on that day; name a tag or a commit",
            );
        }
    }
}

fn judge_run(call: &Call<'_>, reading: &mut Reading) {
    let sources = call.sources();
    if runs_input(call) && sources.iter().any(is_download) {
        reading.warn(
            call,
            PIPE,
            format!("what is downloaded is run by {} without a look at it", call.program),
        );
        return;
    }
    let runs_words = call.is(&["eval", "iex", "Invoke-Expression"])
        || call.is_shell() && call.has(&['c'], &["--command"])
        || call.program.starts_with(mark::OUTPUT);
    let runs_files = call.is(&["source", "."]) || call.is_shell() || call.program.starts_with("python");
    let first_word = call
        .command
        .words
        .iter()
        .filter(|word| word.text.starts_with(mark::OUTPUT));
    let is_nested = call.arguments.iter().any(|word| {
        runs_words && downloads_within(word, Nesting::Output) || runs_files && downloads_within(word, Nesting::Source)
    }) || call.program.starts_with(mark::OUTPUT)
        && first_word.take(1).any(|word| downloads_within(word, Nesting::Output));
    // `iex (iwr …)` and `iex ((New-Object Net.WebClient).DownloadString('…'))`.
    let is_power = call.is(&["iex", "Invoke-Expression"])
        && call
            .arguments
            .iter()
            .any(|word| downloads_within(word, Nesting::Group) || word.text.contains("DownloadString"));
    if is_nested || is_power {
        reading.warn(call, PIPE, "what is downloaded is run without a look at it");
        return;
    }
    let target = if call.is_shell() || call.is(&["source", "."]) || call.program.starts_with("python") {
        call.operands().next().map(|word| word.text.as_str())
    } else {
        call.command
            .words
            .iter()
            .map(|word| word.text.as_str())
            .find(|text| text.contains('/') && base_name(text) == call.program)
    };
    let is_downloaded = target.is_some_and(|target| reading.downloaded.iter().any(|name| name == base_name(target)));
    if is_downloaded && !reading.verifies {
        reading.warn(call, PIPE, "a file is downloaded and run without a look at it");
    }
}

fn judge_tls(call: &Call<'_>, reading: &mut Reading) {
    let off = match call.program {
        "curl" => call.has(&['k'], &["--insecure"]),
        "wget" => call.texts().any(|text| text == "--no-check-certificate"),
        "git" => call
            .texts()
            .any(|text| text.eq_ignore_ascii_case("http.sslverify=false")),
        _ => false,
    };
    let by_variable = call.command.words.iter().any(|word| {
        matches!(
            word.text.as_str(),
            "GIT_SSL_NO_VERIFY=1" | "GIT_SSL_NO_VERIFY=true" | "NODE_TLS_REJECT_UNAUTHORIZED=0" | "PYTHONHTTPSVERIFY=0"
        )
    });
    if off || by_variable {
        reading.warn(
            call,
            TLS,
            format!(
                "{} talks to whoever answers: certificates are not checked",
                call.program
            ),
        );
    }
    let installs_unsigned = match call.program {
        "apt-get" | "apt" => call
            .texts()
            .any(|text| text == "--allow-unauthenticated" || text == "--force-yes"),
        "yum" | "dnf" => call.texts().any(|text| text == "--nogpgcheck"),
        "rpm" => call.texts().any(|text| text == "--nosignature"),
        _ => false,
    };
    if installs_unsigned {
        reading.warn(
            call,
            PACKAGE,
            format!("{} installs packages whose signatures are not checked", call.program),
        );
    }
}

/// Looks at modules that fetch or install.
pub(super) fn judge_module(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    for (names, value) in [
        (&["validate_certs", "verify_ssl", "tls_verify", "sslverify"][..], false),
        (
            &["ignore_certificate_errors", "insecure", "skip_certificate_validation"][..],
            true,
        ),
    ] {
        if let Some(node) = task.argument(names).filter(|node| node.truth() == Some(value)) {
            scan.warn(
                node,
                TLS,
                format!(
                    "{} talks to whoever answers: certificates are not checked",
                    task.short()
                ),
            );
        }
    }
    for (names, value) in [
        (&["disable_gpg_check", "allow_unauthenticated", "trusted"][..], true),
        (&["gpgcheck"][..], false),
    ] {
        let is_installer = task.is(&[
            "apt",
            "yum",
            "dnf",
            "dnf5",
            "yum_repository",
            "package",
            "zypper",
            "apt_repository",
            "deb822_repository",
            "zypper_repository",
        ]);
        if let Some(node) = task
            .argument(names)
            .filter(|node| is_installer && node.truth() == Some(value))
        {
            scan.warn(node, PACKAGE, "packages are installed whose signatures are not checked");
        }
    }
    match task.short() {
        "git" | "hg" | "subversion" => repository(scan),
        "get_url" | "win_get_url" => get_url(scan),
        "unarchive" => {
            if let Some(node) = task.argument(&["src"])
                && node.value().is_some_and(|text| text.contains("://"))
            {
                scan.warn(
                    node,
                    UNPINNED,
                    "unarchive cannot compare a checksum: download with get_url and `checksum` first",
                );
            }
        }
        "pip" | "npm" | "gem" | "apt" | "yum" | "dnf" | "dnf5" | "package" | "zypper" | "apk" | "pacman"
        | "homebrew" | "bundler" | "cpanm" | "composer" | "win_chocolatey" | "snap" | "yarn" | "pkgng" => {
            if let Some(node) = task.argument(&["state"]).filter(|node| node.value() == Some("latest")) {
                scan.note(
                    node,
                    UNPINNED,
                    format!("{}: `latest` installs something else with every release", task.short()),
                );
            }
            package_from_elsewhere(scan);
        }
        "docker_container"
        | "docker_image"
        | "podman_container"
        | "podman_image"
        | "docker_image_pull"
        | "docker_swarm_service" => image(scan),
        _ => {}
    }
}

/// Packages that are named by an address rather than by a name and a version.
fn package_from_elsewhere(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    for node in ["name", "pkg", "deb", "package"]
        .iter()
        .filter_map(|name| task.argument(&[name]))
    {
        for item in node.items_or_self() {
            let Some(text) = item.value().filter(|text| !jinja::is_template(text)) else {
                continue;
            };
            if text.starts_with("git+") {
                let version = text.rsplit('/').next().and_then(|last| last.split_once('@'));
                if version.is_none_or(|(_, version)| is_branch(version)) {
                    scan.warn(
                        item,
                        UNPINNED,
                        format!(
                            "{} takes whatever the repository holds on that day; name a tag or a commit behind @",
                            task.short()
                        ),
                    );
                }
            } else if text.starts_with("http://") || text.starts_with("https://") {
                scan.warn(
                    item,
                    UNPINNED,
                    format!(
                        "{} installs what is downloaded from there, which may be something else tomorrow",
                        task.short()
                    ),
                );
            }
        }
    }
}

fn repository(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    let names = if task.short() == "git" {
        &["version"][..]
    } else {
        &["revision", "rev", "version"][..]
    };
    match task.argument(names) {
        None => scan.warn(
            task.place,
            UNPINNED,
            format!(
                "{} takes whatever the repository holds on that day; name a tag or a commit",
                task.short()
            ),
        ),
        Some(node) => {
            let text = node.value().unwrap_or("HEAD");
            if !jinja::is_template(text) && is_branch(text) {
                scan.warn(
                    node,
                    UNPINNED,
                    format!("{text} is a branch: what is taken changes when it does; name a tag or a commit"),
                );
            }
        }
    }
}

fn get_url(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    let is_local = task.text(&["url"]).is_some_and(|url| url.starts_with("file:"));
    let has_checksum = task
        .argument(&["checksum", "sha256sum"])
        .is_some_and(|node| !node.is_null());
    if !is_local && !has_checksum {
        scan.warn(
            task.place,
            UNPINNED,
            format!(
                "{} without `checksum`: what is downloaded may be something else tomorrow",
                task.short()
            ),
        );
    }
}

fn image(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    let node = task.argument(if task.short().ends_with("image") || task.short().ends_with("pull") {
        &["name"]
    } else {
        &["image"]
    });
    let Some(node) = node else { return };
    let Some(text) = node.value() else { return };
    // A pulled image only; one that is built here has no other name.
    let is_built = task.argument(&["build", "load_path"]).is_some()
        || task.text(&["source"]).is_some_and(|source| source != "pull");
    let has_tag = task
        .argument(&["tag"])
        .and_then(Node::value)
        .is_some_and(|tag| tag != "latest");
    let last = text.rsplit('/').next().unwrap_or_default();
    let is_loose = !text.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    let is_absent = task.text(&["state"]) == Some("absent");
    if is_loose && !has_tag && !is_built && !is_absent && !jinja::is_template(text) {
        scan.note(
            node,
            UNPINNED,
            format!("the image {text} has no fixed tag: what runs changes with every release"),
        );
    }
}
