//! A task: which module with which arguments, in whichever of the ways it is written.

use super::jinja;
use crate::playbooks::yaml::{Kind, Node, Style};
use std::borrow::Cow;

/// What a task, a block or a handler may have besides its module.
const KEYWORDS: [&str; 46] = [
    "action",
    "any_errors_fatal",
    "args",
    "async",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "changed_when",
    "check_mode",
    "collections",
    "connection",
    "debugger",
    "delay",
    "delegate_facts",
    "delegate_to",
    "diff",
    "environment",
    "failed_when",
    "ignore_errors",
    "ignore_unreachable",
    "listen",
    "local_action",
    "loop",
    "loop_control",
    "module_defaults",
    "name",
    "no_log",
    "notify",
    "poll",
    "port",
    "register",
    "remote_user",
    "retries",
    "run_once",
    "tags",
    "throttle",
    "timeout",
    "until",
    "vars",
    "when",
    "block",
    "rescue",
    "always",
    "sudo",
];

/// Modules whose text is a command and not a list of `key=value`.
const COMMANDS: [&str; 8] = [
    "command",
    "shell",
    "raw",
    "script",
    "win_command",
    "win_shell",
    "psexec",
    "telnet",
];
/// What such a text may hold besides the command.
const COMMAND_OPTIONS: [&str; 8] = [
    "chdir",
    "creates",
    "removes",
    "executable",
    "warn",
    "stdin",
    "strip_empty_ends",
    "cmd",
];

/// A task that runs a module.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// The whole task.
    pub node: &'a Node,
    /// The module as it is written.
    pub module: String,
    /// Where it is written.
    pub place: &'a Node,
    /// The text that is neither list nor mapping: a command, a file.
    pub free: Option<Cow<'a, Node>>,
    /// Whether it is a `local_action`.
    pub is_local: bool,
    arguments: Vec<(String, Cow<'a, Node>)>,
}

impl<'a> Task<'a> {
    /// Reads a task; `None` when it names no module.
    pub fn of(node: &'a Node) -> Option<Self> {
        for keyword in ["action", "local_action"] {
            if let Some((place, value)) = node.pairs().iter().find(|(key, _)| key.text() == Some(keyword)) {
                return Self::of_action(node, place, value, keyword == "local_action");
            }
        }
        let (place, value) = node.pairs().iter().find(|(key, _)| {
            key.text()
                .is_some_and(|key| !KEYWORDS.contains(&key) && !key.starts_with("with_"))
        })?;
        let mut task = Self::new(node, place.text()?.to_owned(), place);
        task.take(value);
        task.take_args();
        Some(task)
    }

    fn of_action(node: &'a Node, place: &'a Node, value: &'a Node, is_local: bool) -> Option<Self> {
        let mut task;
        if let Some(text) = value.text() {
            let (module, rest) = text
                .trim_start()
                .split_once(char::is_whitespace)
                .unwrap_or((text.trim(), ""));
            task = Self::new(node, module.to_owned(), place);
            task.take_text(rest, value);
        } else {
            task = Self::new(
                node,
                value.get_text("module")?.split_whitespace().next()?.to_owned(),
                place,
            );
            if let Some((_, rest)) = value.get_text("module")?.trim().split_once(char::is_whitespace) {
                task.take_text(rest, value);
            }
            task.take(value);
            task.arguments.retain(|(name, _)| name != "module");
        }
        task.is_local = is_local;
        task.take_args();
        Some(task)
    }

    fn new(node: &'a Node, module: String, place: &'a Node) -> Self {
        Self {
            node,
            module,
            place,
            free: None,
            is_local: false,
            arguments: Vec::new(),
        }
    }

    /// The module's name without its collection.
    pub fn short(&self) -> &str {
        self.module.rsplit('.').next().unwrap_or_default()
    }

    /// Whether it runs one of these modules, of whichever collection.
    pub fn is(&self, modules: &[&str]) -> bool {
        modules.contains(&self.short())
    }

    /// All arguments by name.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.arguments.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// The argument with one of these names.
    pub fn argument(&self, names: &[&str]) -> Option<&Node> {
        self.arguments()
            .filter(|(name, _)| names.contains(name))
            .last()
            .map(|(_, value)| value)
    }

    /// The text of that argument.
    pub fn text(&self, names: &[&str]) -> Option<&str> {
        self.argument(names)?.value()
    }

    /// Whether that argument is a boolean and true; false also when that is only known at run time.
    pub fn is_true(&self, names: &[&str]) -> bool {
        self.argument(names).and_then(Node::truth) == Some(true)
    }

    /// Whether that argument is a boolean and false.
    pub fn is_false(&self, names: &[&str]) -> bool {
        self.argument(names).and_then(Node::truth) == Some(false)
    }

    /// The free text, or the argument with one of these names: `include_tasks: x.yml` and `include_tasks: {file: x.yml}`.
    pub fn free_or(&self, names: &[&str]) -> Option<&Node> {
        self.free.as_deref().or_else(|| self.argument(names))
    }

    fn take(&mut self, value: &'a Node) {
        match &value.kind {
            Kind::Mapping(pairs) => {
                for (key, value) in pairs {
                    if let Some(key) = key.text() {
                        self.arguments.push((key.to_owned(), Cow::Borrowed(value)));
                    }
                }
            }
            Kind::Scalar { text, .. } if !value.is_null() => {
                if self.is(&COMMANDS) && options_of(text, &COMMAND_OPTIONS).is_empty() {
                    self.free = Some(Cow::Borrowed(value));
                } else {
                    self.take_text(text, value);
                }
            }
            _ => {}
        }
    }

    /// `key=value …`, or a command with some of those.
    fn take_text(&mut self, text: &str, at: &Node) {
        let is_command = self.is(&COMMANDS);
        let found = options_of(text, if is_command { &COMMAND_OPTIONS } else { &[] });
        let mut rest = String::new();
        let mut end = 0;
        for option in found {
            rest.push_str(&text[end..option.start]);
            end = option.end;
            self.arguments.push((option.name, Cow::Owned(piece(option.value, at))));
        }
        rest.push_str(&text[end..]);
        if !rest.trim().is_empty() {
            self.free = Some(Cow::Owned(piece(rest, at)));
        }
    }

    fn take_args(&mut self) {
        if let Some(args) = self.node.get("args") {
            self.take(args);
        }
    }
}

/// A text that stands somewhere in another one.
fn piece(text: String, at: &Node) -> Node {
    let style = match at.kind {
        Kind::Scalar {
            style: Style::Literal, ..
        } => Style::Literal,
        _ => Style::Quoted,
    };
    Node {
        kind: Kind::Scalar { text, style },
        tag: None,
        line: at.line,
        column: at.column,
    }
}

struct TextOption {
    name: String,
    value: String,
    start: usize,
    end: usize,
}

/// The words of the form `name=value`, of these names, or of all when there are none.
fn options_of(text: &str, names: &[&str]) -> Vec<TextOption> {
    let mut found = Vec::new();
    if !text.contains('=') {
        return found;
    }
    for (start, end) in words_of(text) {
        let Some((name, value)) = text[start..end].split_once('=') else {
            continue;
        };
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && (names.is_empty() || names.contains(&name)) {
            found.push(TextOption {
                name: name.to_owned(),
                value: unquote(value).to_owned(),
                start,
                end,
            });
        }
    }
    found
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if value.len() >= 2
            && let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

/// Where the words of a text begin and end; quotes and expressions keep words together.
fn words_of(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut start, mut quote, mut at) = (None, None, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'{' && matches!(bytes.get(at + 1), Some(b'{' | b'%' | b'#')) {
            start.get_or_insert(at);
            at = jinja::end_of_template(text, at);
            continue;
        }
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte.is_ascii_whitespace() => found.extend(start.take().map(|start| (start, at))),
            None => {
                start.get_or_insert(at);
                if byte == b'"' || byte == b'\'' {
                    quote = Some(byte);
                }
            }
        }
        at += 1;
    }
    found.extend(start.map(|start| (start, bytes.len())));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbooks::yaml;

    /// Module, free text and arguments of a task.
    fn read(text: &str) -> String {
        let document = yaml::parse(text).unwrap().root.unwrap();
        let Some(task) = Task::of(&document) else {
            return "none".to_owned();
        };
        let mut shown = task.module.clone();
        if let Some(free) = &task.free {
            shown = format!("{shown} [{}]", free.text().unwrap().trim());
        }
        for (name, value) in task.arguments() {
            shown = format!("{shown} {name}={}", value.text().unwrap_or("…"));
        }
        shown
    }

    #[test]
    fn all_ways_to_write_a_task() {
        for (text, expected) in [
            ("name: x\nshell: a | b\nwhen: c\n", "shell [a | b]"),
            (
                "shell: a=1 b chdir=/tmp creates='x y'\n",
                "shell [a=1 b] chdir=/tmp creates=x y",
            ),
            (
                "ansible.builtin.command:\n  cmd: a b\n",
                "ansible.builtin.command cmd=a b",
            ),
            ("command: a\nargs: {chdir: /}\n", "command [a] chdir=/"),
            ("command: a\nargs: chdir=/\n", "command [a] chdir=/"),
            ("file: path=/a state=absent", "file path=/a state=absent"),
            (
                "file: path='/a b' mode=\"{{ a if b == 'c d' else d }}\"",
                "file path=/a b mode={{ a if b == 'c d' else d }}",
            ),
            ("action: shell rm x", "shell [rm x]"),
            ("action: file path=/a", "file path=/a"),
            ("action: {module: file, path: /a}", "file path=/a"),
            ("local_action:\n  module: shell\n  cmd: x\n", "shell cmd=x"),
            ("local_action: command a", "command [a]"),
            ("action: ping", "ping"),
            (
                "include_tasks: a.yml\nloop: [1]\nwith_items: []\n",
                "include_tasks [a.yml]",
            ),
            ("ping:\n", "ping"),
            ("name: x\nwhen: y\n", "none"),
            ("a.b.c: {d: [1]}\n", "a.b.c d=…"),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
