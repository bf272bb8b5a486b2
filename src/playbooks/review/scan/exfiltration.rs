//! `exfiltration`: data that leaves for somewhere else.

use super::{Scan, commands::Reading, expressions::runs_command, secrets};
use crate::playbooks::{
    review::{
        jinja,
        shell::{Call, Nesting, Word, calls_of, mark},
    },
    yaml::Node,
};

const RULE: &str = "exfiltration";

/// Looks at one command.
pub(super) fn judge_call(call: &Call<'_>, reading: &mut Reading) {
    for redirect in &call.command.redirects {
        if redirect.target.text.starts_with("/dev/tcp/") || redirect.target.text.starts_with("/dev/udp/") {
            reading.warn(
                call,
                RULE,
                "this opens a connection of its own through /dev/tcp, which nothing checks",
            );
        }
    }
    let is_fed = call.position > 0
        || call
            .command
            .redirects
            .iter()
            .any(|redirect| redirect.operator.starts_with('<'));
    match call.program {
        "curl" => {
            if let Some(what) = curl_upload(call) {
                reading.warn(call, RULE, format!("curl sends {what} to another machine"));
            }
        }
        "wget" => {
            let files = call.values(None, &["--post-file", "--body-file"]);
            let data = call.values(None, &["--post-data", "--body-data"]);
            if !files.is_empty() || data.iter().any(|word| reads_data(word)) || call.arguments.iter().any(gives_away) {
                reading.warn(call, RULE, "wget sends data of this machine to another one");
            }
        }
        "nc" | "ncat" | "netcat" | "socat" | "telnet" => {
            let listens = call.has(&['l', 'z'], &["--listen"]);
            if call.program != "telnet" && call.program != "socat" && call.has(&['e', 'c'], &["--exec", "--sh-exec"])
                || call.program == "socat" && call.texts().any(|text| text.to_ascii_uppercase().starts_with("EXEC:"))
            {
                reading.warn(
                    call,
                    RULE,
                    format!("{} hands a shell or a program over to another machine", call.program),
                );
            } else if is_fed && !listens && !says_only(call) {
                reading.warn(
                    call,
                    RULE,
                    format!("{} sends its input to another machine, unencrypted", call.program),
                );
            }
        }
        "scp" | "rsync" => {
            let operands: Vec<&Word> = call.operands().collect();
            let goes_out = operands.len() > 1 && operands.last().is_some_and(|word| is_remote(&word.text));
            let comes_in = operands.iter().rev().skip(1).any(|word| is_remote(&word.text));
            if goes_out && !comes_in {
                reading.note(
                    call,
                    RULE,
                    format!(
                        "{} sends files to another machine; make sure that it is one of yours",
                        call.program
                    ),
                );
            }
        }
        "ssh" if is_fed && call.position > 0 => {
            let from_archive = call
                .sources()
                .iter()
                .any(|source| source.is(&["tar", "cat", "dd", "mysqldump", "pg_dump", "gzip", "cpio"]));
            if from_archive {
                reading.note(
                    call,
                    RULE,
                    "ssh sends data to another machine; make sure that it is one of yours",
                );
            }
        }
        _ => {}
    }
}

/// Whether what goes into a pipe is no more than a text: a question to a server.
fn says_only(call: &Call<'_>) -> bool {
    let sources = call.sources();
    let is_text = |source: &Call<'_>| {
        source.is(&["echo", "printf", "sleep", "true", "yes"]) && !source.arguments.iter().any(reads_data)
    };
    let is_text_document = call.command.redirects.iter().all(|redirect| {
        !redirect.operator.starts_with('<')
            || redirect.operator.starts_with("<<")
            || redirect.target.text == "/dev/null"
    });
    is_text_document && sources.iter().all(is_text)
}

/// What a curl command sends that is more than what is written there.
fn curl_upload(call: &Call<'_>) -> Option<&'static str> {
    let data = call.values(
        Some('d'),
        &[
            "--data",
            "--data-ascii",
            "--data-binary",
            "--data-urlencode",
            "--data-raw",
            "--json",
        ],
    );
    let value = |word: &Word| {
        let text = word.text.as_str();
        let text = text.strip_prefix("-d").unwrap_or(text);
        text.split_once('=')
            .filter(|_| text.starts_with("--"))
            .map_or(text, |(_, value)| value)
            .to_owned()
    };
    let is_raw = !call.values(None, &["--data-raw"]).is_empty();
    if !is_raw
        && data
            .iter()
            .any(|word| value(word).starts_with('@') || value(word).contains("=@"))
    {
        return Some("a file");
    }
    if data.iter().any(|word| reads_data(word)) {
        return Some("the output of a command");
    }
    if call
        .values(Some('F'), &["--form"])
        .iter()
        .any(|word| word.text.contains("=@") || word.text.contains("=<"))
    {
        return Some("a file");
    }
    let uploads = call.values(Some('T'), &["--upload-file"]);
    if !uploads.is_empty() {
        return Some("a file");
    }
    call.arguments.iter().any(gives_away).then_some("what is on this one")
}

/// Whether a word holds the output of a command that reads files or tells what a machine has.
fn reads_data(word: &Word) -> bool {
    word.nested.iter().any(|(nesting, script)| {
        let mut calls = Vec::new();
        calls_of(script, &mut calls);
        *nesting != Nesting::Group
            && calls.iter().any(|call| {
                call.is(&[
                    "cat", "base64", "tar", "env", "printenv", "set", "head", "tail", "grep", "awk", "sed", "xxd",
                    "gzip", "openssl", "ps", "find", "ls", "strings", "history",
                ]) || (call.program.is_empty() && !call.command.redirects.is_empty())
            })
    })
}

/// Whether an address or a header holds more than a request needs: what is packed up, the environment, a secret. A token that is read
/// from a file is none of these.
fn gives_away(word: &Word) -> bool {
    word.nested.iter().any(|(nesting, script)| {
        let mut calls = Vec::new();
        calls_of(script, &mut calls);
        *nesting != Nesting::Group
            && calls.iter().any(|call| {
                call.is(&[
                    "base64", "base32", "tar", "env", "printenv", "xxd", "gzip", "ps", "history",
                ]) || call
                    .texts()
                    .any(|text| text == "/etc/passwd" || secrets::secret_at(text).is_some())
            })
    })
}

fn is_remote(text: &str) -> bool {
    if text.starts_with("rsync://") || text.starts_with("scp://") {
        return true;
    }
    match text.split_once(':') {
        Some((host, _)) => {
            !host.is_empty() && !host.contains('/') && host.chars().count() > 1 || host == mark::TEMPLATE.to_string()
        }
        None => false,
    }
}

/// Looks at modules that send.
pub(super) fn judge_module(scan: &mut Scan<'_, '_>) {
    let task = scan.task;
    if !task.is(&["uri", "win_uri"]) {
        return;
    }
    if let Some(node) = task.argument(&["src"])
        && let Some(path) = node.value()
        && (task.is_true(&["remote_src"]) && path.starts_with(['/', '~']) || secrets::secret_at(path).is_some())
    {
        scan.warn(node, RULE, "a file of the server is sent to another machine");
    }
    let mut open: Vec<&Node> = ["url", "body"]
        .iter()
        .filter_map(|name| task.argument(&[name]))
        .collect();
    while let Some(node) = open.pop() {
        open.extend(node.items());
        open.extend(node.pairs().iter().map(|(_, value)| value));
        for expression in jinja::expressions(node.text().unwrap_or_default()) {
            let reads = jinja::lookups(&expression).iter().any(|lookup| {
                let is_file = ["file", "unvault"].contains(&lookup.plugin.as_str());
                is_file && lookup.texts.iter().any(|path| path.starts_with(['/', '~']))
                    || runs_command(lookup)
                    || lookup.plugin == "env" && lookup.texts.is_empty()
            });
            if reads {
                scan.warn(node, RULE, "a file of the controller is sent to another machine");
            }
        }
    }
}
