//! `missing_no_log`: secrets that a task's output may show.

use super::Scan;
use crate::{
    domain::secret_name::is_secret_name,
    playbooks::{
        review::{jinja, place::Hiding},
        yaml::Node,
    },
};

const RULE: &str = "missing_no_log";

/// Arguments that are named like secrets and hold none.
const HARMLESS: [&str; 12] = [
    "update_password",
    "generate_ssh_key",
    "no_password",
    "ask_password",
    "random_password",
    "reset_password",
    "remove_password",
    "ignore_tokens",
    "no_secret",
    "force_basic_auth",
    "validate_token",
    "use_token",
];

/// The variable of an expression that holds a secret.
fn secret_variable(expression: &[jinja::Token]) -> Option<String> {
    jinja::variables(expression).into_iter().find_map(|path| {
        let last = path.last()?;
        // What a task registers has these; they are no secrets.
        let is_about = [
            "rc", "changed", "failed", "exists", "stat", "skipped", "path", "name", "id",
        ]
        .contains(&last.as_str());
        let is_secret = path.iter().any(|part| is_secret_name(part));
        (is_secret && !is_about).then(|| path.join("."))
    })
}

fn secret_in(text: &str) -> Option<String> {
    jinja::expressions(text).iter().find_map(|expression| {
        // `{% if password is defined %}` shows nothing, `x | length` next to nothing.
        let only_asks = expression.iter().any(|token| matches!(token, jinja::Token::Name(name) if ["length", "defined", "bool", "hash", "sha256", "md5"].contains(&name.as_str())))
            || matches!(expression.first(), Some(jinja::Token::Name(name)) if ["if", "elif", "for", "endif", "endfor", "else"].contains(&name.as_str()));
        secret_variable(expression).filter(|_| !only_asks)
    })
}

/// The first secret variable anywhere in a node, and where.
fn secret_below(node: &Node) -> Option<(&Node, String)> {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if let Some(name) = node.text().and_then(secret_in) {
            return Some((node, name));
        }
        open.extend(node.items().iter().rev());
        open.extend(node.pairs().iter().rev().map(|(_, value)| value));
    }
    None
}

/// Looks at one task.
pub(super) fn judge(scan: &mut Scan<'_, '_>) {
    if scan.place.hiding == Hiding::On {
        return;
    }
    let task = scan.task;
    let ending = match scan.place.hiding {
        Hiding::Off => "and `no_log` is off",
        _ => "without `no_log`",
    };
    let text = |names: &[&str]| task.argument(names).and_then(secret_below);
    let found = match task.short() {
        "command" | "shell" | "raw" | "script" | "win_shell" | "win_command" | "win_powershell" | "expect" => {
            let script = task.free_or(&["cmd", "script", "command"]).and_then(secret_below);
            script
                .or_else(|| text(&["argv"]))
                .or_else(|| text(&["stdin", "responses", "parameters"]))
        }
        "debug" => {
            let by_name = task.argument(&["var"]).and_then(|node| {
                let expression = jinja::tokens(node.text()?);
                Some((node, secret_variable(&expression)?))
            });
            by_name.or_else(|| text(&["msg"]))
        }
        "set_fact" => fact(scan),
        "copy" => text(&["content"]),
        "lineinfile" => text(&["line"]),
        "blockinfile" => text(&["block", "content"]),
        "replace" => text(&["replace"]),
        "uri" | "win_uri" => text(&["headers"])
            .or_else(|| text(&["body"]))
            .or_else(|| text(&["url"])),
        "git" | "get_url" => text(&["repo", "url"]).or_else(|| text(&["headers"])),
        _ => None,
    };
    if let Some((node, name)) = found {
        let message = format!("the value of {name} can be read in this task's output: it is used {ending}");
        scan.warn(node, RULE, message);
        return;
    }
    let is_structure = [
        "include_role",
        "import_role",
        "include_tasks",
        "import_tasks",
        "include_vars",
        "set_fact",
        "debug",
        "assert",
        "fail",
        "template",
    ];
    if task.is(&is_structure) {
        return;
    }
    let argument = task.arguments().find(|(name, value)| {
        let is_given = value.value().is_some_and(|text| {
            let is_left_out = jinja::is_template(text) && text.trim_matches(['{', '}', ' ']) == "omit";
            !text.is_empty() && value.truth().is_none() && !is_left_out && text != "*" && text != "!"
        });
        is_given && !HARMLESS.contains(name) && is_secret_name(name)
    });
    if let Some((name, value)) = argument {
        let message = format!(
            "{}: `{name}` is a secret, and the task may show it: it is given {ending}",
            task.short()
        );
        scan.warn(value, RULE, message);
    }
}

/// A fact that is a secret by its name or by what it is made of.
fn fact<'a>(scan: &Scan<'a, '_>) -> Option<(&'a Node, String)> {
    scan.task.arguments().find_map(|(name, value)| {
        let is_value = value.value().is_some_and(|text| !text.is_empty()) && value.truth().is_none();
        if name != "cacheable" && is_secret_name(name) && is_value {
            return Some((value, name.to_owned()));
        }
        secret_below(value)
    })
}
