//! What was typed after `admiral ansible-playbook` and `admiral adhoc`: whether it runs anything, what, and what of it may be shown.
//!
//! Ansible reads the arguments itself, untouched. Here they are only looked at, with the rules of Python's argparse.

use secrecy::SecretString;
use serde_json::Value;
use std::ffi::OsString;

/// Stands where a value stood.
const MASK: &str = "********";

/// Options of both programs whose value is the next word, or follows `=`.
const LONG_WITH_VALUE: &[&str] = &[
    "--args",
    "--background",
    "--become-method",
    "--become-pass-file",
    "--become-password-file",
    "--become-user",
    "--conn-pass-file",
    "--connection",
    "--connection-password-file",
    "--extra-vars",
    "--forks",
    "--inventory",
    "--inventory-file",
    "--key-file",
    "--limit",
    "--module-name",
    "--module-path",
    "--playbook-dir",
    "--poll",
    "--private-key",
    "--scp-extra-args",
    "--sftp-extra-args",
    "--skip-tags",
    "--ssh-common-args",
    "--ssh-extra-args",
    "--start-at-task",
    "--tags",
    "--task-timeout",
    "--timeout",
    "--tree",
    "--user",
    "--vault-id",
    "--vault-pass-file",
    "--vault-password-file",
];
/// Options without a value.
const LONG: &[&str] = &[
    "--ask-become-pass",
    "--ask-pass",
    "--ask-vault-pass",
    "--ask-vault-password",
    "--become",
    "--check",
    "--diff",
    "--flush-cache",
    "--force-handlers",
    "--help",
    "--list-hosts",
    "--list-tags",
    "--list-tasks",
    "--one-line",
    "--step",
    "--syntax-check",
    "--verbose",
    "--version",
];
/// Letters whose value is the rest of the word, or the next one.
const SHORT_WITH_VALUE: &str = "aBceflimMPtTu";
/// Options with which nothing is run.
const RUNS_NOTHING: &[&str] = &[
    "--help",
    "--list-hosts",
    "--list-tags",
    "--list-tasks",
    "--syntax-check",
    "--version",
];
/// Parts of the names of arguments of modules that are secret as a rule.
const SECRET_NAMES: [&str; 6] = ["pass", "secret", "token", "private_key", "api_key", "credential"];

/// Which program is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// `ansible-playbook`.
    Playbook,
    /// `ansible`.
    Adhoc,
}

impl Program {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Playbook => "ansible-playbook",
            Self::Adhoc => "ansible",
        }
    }
}

/// What the arguments say.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// Something is run. What only shows something is not recorded.
    pub runs: bool,
    /// The playbooks as they were named, or the module.
    pub playbook: String,
    /// The program and its arguments, without values that may be secret.
    pub words: Vec<String>,
    /// Values that are secret by their names, as Ansible may print them.
    pub secrets: Vec<SecretString>,
}

/// Looks at the arguments of a program.
pub fn scan(program: Program, arguments: &[OsString]) -> Scanned {
    let mut scan = Scan {
        runs: true,
        named: Vec::new(),
        module: None,
        words: vec![program.name().to_owned()],
        secrets: Vec::new(),
    };
    let mut rest = arguments.iter().map(|word| word.to_string_lossy().into_owned());
    let mut options_ended = false;
    while let Some(word) = rest.next() {
        if options_ended || word == "-" || !word.starts_with('-') {
            scan.named.push(word.clone());
            scan.words.push(word);
        } else if word == "--" {
            options_ended = true;
            scan.words.push(word);
        } else if word.starts_with("--") {
            scan.long(word, &mut rest);
        } else {
            scan.short(word, &mut rest);
        }
    }
    let playbook = match program {
        Program::Playbook => scan.named.join(" "),
        Program::Adhoc => scan.module.unwrap_or_else(|| "command".to_owned()),
    };
    Scanned {
        // Without a playbook or a pattern Ansible only complains.
        runs: scan.runs && !scan.named.is_empty(),
        playbook,
        words: scan.words,
        secrets: scan.secrets,
    }
}

struct Scan {
    runs: bool,
    named: Vec<String>,
    module: Option<String>,
    words: Vec<String>,
    secrets: Vec<SecretString>,
}

impl Scan {
    fn long(&mut self, word: String, rest: &mut impl Iterator<Item = String>) {
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let name = whole_name(name);
        self.runs &= !RUNS_NOTHING.contains(&name);
        if let Some(value) = given {
            let shown = self.value(name, value.to_owned());
            self.words.push(format!("{name}={shown}"));
            return;
        }
        self.words.push(name.to_owned());
        if LONG_WITH_VALUE.contains(&name)
            && let Some(value) = rest.next()
        {
            let shown = self.value(name, value);
            self.words.push(shown);
        }
    }

    /// `-vvvi hosts`, `-ex=1`, `-Kb`.
    fn short(&mut self, word: String, rest: &mut impl Iterator<Item = String>) {
        let valued = word
            .char_indices()
            .skip(1)
            .find(|(_, letter)| SHORT_WITH_VALUE.contains(*letter));
        let (flags, letter, attached) = match valued {
            Some((at, letter)) => (&word[..at], Some(letter), &word[at + letter.len_utf8()..]),
            None => (word.as_str(), None, ""),
        };
        self.runs &= !flags.contains('h');
        let Some(letter) = letter else {
            self.words.push(word);
            return;
        };
        let name = match letter {
            'e' => "--extra-vars",
            'a' => "--args",
            'm' => "--module-name",
            _ => "",
        };
        if attached.is_empty() {
            self.words.push(word.clone());
            if let Some(value) = rest.next() {
                let shown = self.value(name, value);
                self.words.push(shown);
            }
        } else {
            let shown = self.value(name, attached.to_owned());
            self.words.push(format!("{flags}{letter}{shown}"));
        }
    }

    /// An option's value as it may be shown.
    fn value(&mut self, name: &str, value: String) -> String {
        if ["--extra-vars", "--args"].contains(&name) {
            collect_secrets(&value, &mut self.secrets);
        }
        match name {
            "--extra-vars" => mask_variables(&value),
            "--args" => mask_arguments(&value),
            "--module-name" => {
                self.module = Some(value.clone());
                value
            }
            _ => value,
        }
    }
}

/// A long option may be cut short as long as no other begins so.
fn whole_name(name: &str) -> &str {
    let known = || LONG_WITH_VALUE.iter().chain(LONG).copied();
    if known().any(|known| known == name) {
        return name;
    }
    let mut candidates = known().filter(|known| known.starts_with(name));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => only,
        // `--extra`, `--e`: whatever it is to become, no value of it is shown.
        (Some(first), Some(_)) if first == "--extra-vars" => first,
        _ => name,
    }
}

/// Extra variables with their names, and without their values.
fn mask_variables(text: &str) -> String {
    if text.starts_with('@') {
        return text.to_owned();
    }
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        return match serde_saphyr::from_str::<Value>(trimmed) {
            Ok(Value::Object(variables)) => Value::Object(
                variables
                    .into_iter()
                    .map(|(name, _)| (name, Value::from(MASK)))
                    .collect(),
            )
            .to_string(),
            _ => MASK.to_owned(),
        };
    }
    let masked: Vec<String> = tokens(text)
        .into_iter()
        .map(|token| match token.split_once('=') {
            Some((name, _)) if is_name(name) => format!("{name}={MASK}"),
            _ => MASK.to_owned(),
        })
        .collect();
    masked.join(" ")
}

/// A module's arguments, without the values of those that are secret by their name.
fn mask_arguments(text: &str) -> String {
    if let Ok(Value::Object(mut arguments)) = serde_json::from_str::<Value>(text) {
        let mut found = false;
        for (name, value) in &mut arguments {
            if is_secret_name(name) {
                *value = Value::from(MASK);
                found = true;
            }
        }
        return if found {
            Value::Object(arguments).to_string()
        } else {
            text.to_owned()
        };
    }
    let mut masked = text.to_owned();
    for token in tokens(text) {
        if let Some((name, value)) = token.split_once('=')
            && is_name(name)
            && is_secret_name(name)
            && !value.is_empty()
        {
            masked = masked.replace(token, &format!("{name}={MASK}"));
        }
    }
    masked
}

/// The values of variables or arguments whose names say that they are secret.
fn collect_secrets(text: &str, secrets: &mut Vec<SecretString>) {
    if text.trim_start().starts_with(['{', '['])
        && let Ok(given) = serde_saphyr::from_str::<Value>(text)
    {
        return collect_from(&given, false, secrets);
    }
    for token in tokens(text) {
        if let Some((name, value)) = token.split_once('=')
            && is_secret_name(name)
        {
            secrets.push(value.into());
            secrets.push(unquoted(value).into());
        }
    }
}

fn collect_from(given: &Value, is_secret: bool, secrets: &mut Vec<SecretString>) {
    match given {
        Value::Object(entries) => {
            for (name, value) in entries {
                collect_from(value, is_secret || is_secret_name(name), secrets);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_from(item, is_secret, secrets);
            }
        }
        Value::String(text) if is_secret => secrets.push(text.as_str().into()),
        Value::Number(number) if is_secret => secrets.push(number.to_string().into()),
        _ => {}
    }
}

/// A word as a shell understands it.
fn unquoted(token: &str) -> String {
    let (mut plain, mut quote, mut escaped) = (String::new(), None, false);
    for letter in token.chars() {
        match (letter, quote) {
            _ if escaped => {
                plain.push(letter);
                escaped = false;
            }
            ('\\', None | Some('"')) => escaped = true,
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            _ => plain.push(letter),
        }
    }
    plain
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Words of a text, with quotes and backslashes as they stand; a quoted space ends none.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut start, mut quote, mut escaped) = (Vec::new(), None, None, false);
    for (at, letter) in text.char_indices() {
        let is_space = letter.is_whitespace() && quote.is_none() && !escaped;
        match (is_space, start) {
            (true, Some(from)) => {
                tokens.push(&text[from..at]);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
        match (letter, quote) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            _ => {}
        }
    }
    tokens.extend(start.map(|from| &text[from..]));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_line(program: Program, line: &[&str]) -> Scanned {
        scan(program, &line.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn shown(line: &[&str]) -> String {
        scan_line(Program::Playbook, line).words.join(" ")
    }

    #[test]
    fn the_playbooks_are_found_among_the_options() {
        let scanned = scan_line(
            Program::Playbook,
            &[
                "-i", "hosts", "-vvvbl", "web*", "site.yml", "--tags=a", "more.yml", "-K",
            ],
        );
        assert!(scanned.runs);
        assert_eq!(scanned.playbook, "site.yml more.yml");
        assert_eq!(
            scanned.words.join(" "),
            "ansible-playbook -i hosts -vvvbl web* site.yml --tags=a more.yml -K"
        );
        assert_eq!(scan_line(Program::Playbook, &["--", "-odd.yml"]).playbook, "-odd.yml");
    }

    #[test]
    fn what_runs_nothing_is_told() {
        for line in [
            &["--version"][..],
            &["--help"],
            &["-h"],
            &["-vh"],
            &["site.yml", "--syntax-check"],
            &["site.yml", "--list-tasks"],
            &["site.yml", "--list-h"],
            &["--syn", "site.yml"],
            &["-i", "site.yml"],
            &[],
        ] {
            assert!(!scan_line(Program::Playbook, line).runs, "{line:?}");
        }
        for line in [&["site.yml"][..], &["-l", "-h", "site.yml"], &["-e", "h=1", "site.yml"]] {
            assert!(scan_line(Program::Playbook, line).runs, "{line:?}");
        }
    }

    #[test]
    fn the_module_is_found() {
        assert_eq!(scan_line(Program::Adhoc, &["all", "-m", "ping"]).playbook, "ping");
        assert_eq!(
            scan_line(Program::Adhoc, &["all", "-bmshell", "-a", "id"]).playbook,
            "shell"
        );
        assert_eq!(scan_line(Program::Adhoc, &["--module-n=copy", "all"]).playbook, "copy");
        assert_eq!(scan_line(Program::Adhoc, &["all", "-a", "id"]).playbook, "command");
    }

    #[test]
    fn extra_variables_keep_their_names() {
        for line in [
            &["-e", "password=hunter2 user=me", "a.yml"][..],
            &["--extra-vars", "password='hunter2 hunter2' user=\"hunter2 x\"", "a.yml"],
            &["--extra-vars=password=hunter2 user=hunter2", "a.yml"],
            &["--extra-v=password=hunter2 user=hunter2", "a.yml"],
            &["--extra", "password=hunter2 user=hunter2", "a.yml"],
            &["--ex", "password=hunter2 user=hunter2", "a.yml"],
            &["--e", "password=hunter2 user=hunter2", "a.yml"],
            &["-epassword=hunter2 user=hunter2", "a.yml"],
            &["-vbe", "password=hunter2 user=hunter2", "a.yml"],
            &["-e", r#"{"password": "hunter2", "user": {"x": ["hunter2"]}}"#, "a.yml"],
            &["-e", "{password: hunter2, user: hunter2}", "a.yml"],
        ] {
            let shown = shown(line);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("password"), "{shown}");
            assert!(shown.contains("user"), "{shown}");
            assert!(shown.ends_with("a.yml"), "{shown}");
        }
        assert_eq!(
            shown(&["-e", "@vars.yml", "a.yml"]),
            "ansible-playbook -e @vars.yml a.yml"
        );
        for odd in [
            "hunter2",
            "{hunter2",
            "[hunter2]",
            "a b=c\\ hunter2",
            "a=\"x\nhunter2\"",
        ] {
            let shown = shown(&["-e", odd, "a.yml"]);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn values_that_are_secret_by_name_are_known() {
        let secrets = |option: &str, text: &str| -> Vec<String> {
            use secrecy::ExposeSecret as _;
            let scanned = scan_line(Program::Adhoc, &["all", option, text]);
            let mut found: Vec<String> = scanned
                .secrets
                .iter()
                .map(|secret| secret.expose_secret().to_owned())
                .collect();
            found.dedup();
            found
        };
        assert_eq!(secrets("-e", "env=prod db_password=hunter2"), ["hunter2"]);
        assert_eq!(
            secrets("-a", r#"name=x password='a "b" c' state=present"#),
            [r#"'a "b" c'"#, r#"a "b" c"#]
        );
        assert_eq!(
            secrets(
                "-e",
                r#"{"env": "prod", "db": {"password": "hunter2"}, "tokens": ["x1", 12]}"#
            ),
            ["hunter2", "x1", "12"]
        );
        assert_eq!(secrets("-e", "{env: prod, api_key: hunter2}"), ["hunter2"]);
        assert!(secrets("-e", "@secrets.yml").is_empty());
    }

    #[test]
    fn secret_arguments_of_modules_are_left_out() {
        let shown = |text: &str| {
            scan_line(Program::Adhoc, &["all", "-m", "user", "-a", text])
                .words
                .join(" ")
        };
        assert_eq!(
            shown("name=x password='a b' update_password=always"),
            "ansible all -m user -a name=x password=******** update_password=********"
        );
        assert_eq!(shown("systemctl status x"), "ansible all -m user -a systemctl status x");
        assert!(!shown(r#"{"name": "x", "login_password": "hunter2"}"#).contains("hunter2"));
    }
}
