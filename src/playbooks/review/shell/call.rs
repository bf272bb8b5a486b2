//! The programs that a script starts, without what only stands in front of them.

use super::{Command, Dialect, Nesting, Pipeline, Script, Word, lexer};

/// Scripts within arguments within scripts.
const MAX_LEVELS: usize = 4;
/// Commands of a pipeline that are looked back at.
const MAX_SOURCES: usize = 32;

/// One program with its arguments.
#[derive(Debug, Clone, Copy)]
pub(in crate::playbooks::review) struct Call<'a> {
    /// Its name without a folder.
    pub program: &'a str,
    /// What follows the name.
    pub arguments: &'a [Word],
    /// The whole command, with redirects.
    pub command: &'a Command,
    /// The pipeline that it is part of.
    pub pipeline: &'a Pipeline,
    /// Its place in there.
    pub position: usize,
    /// The line of the outermost text, from 0.
    pub line: usize,
}

const SHELLS: [&str; 8] = ["sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "busybox"];

impl<'a> Call<'a> {
    /// What a command starts; `None` when it starts nothing that has a name.
    pub fn of(pipeline: &'a Pipeline, position: usize, line: Option<usize>) -> Option<Self> {
        let command = pipeline.commands.get(position)?;
        let (program, arguments) = match strip(&command.words) {
            // `> file` starts nothing, and still does something.
            None if !command.redirects.is_empty() => ("", &[][..]),
            stripped => stripped?,
        };
        Some(Self {
            program,
            arguments,
            command,
            pipeline,
            position,
            line: line.unwrap_or(command.line),
        })
    }

    /// Whether it is one of these programs.
    pub fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.program)
    }

    /// Whether it is a shell.
    pub fn is_shell(&self) -> bool {
        self.is(&SHELLS)
    }

    /// The texts of its arguments.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> {
        self.arguments.iter().map(|word| word.text.as_str())
    }

    /// Arguments that are no options. What follows `--` never is one.
    pub fn operands(&self) -> impl Iterator<Item = &'a Word> {
        let mut only_operands = false;
        self.arguments.iter().filter(move |word| {
            if only_operands || !word.text.starts_with('-') || word.text == "-" {
                return true;
            }
            only_operands |= word.text == "--";
            false
        })
    }

    /// Whether it has one of these options, long (`--force`) or one letter (`f`, also among others as in `-rf`).
    pub fn has(&self, letters: &[char], long: &[&str]) -> bool {
        self.texts().take_while(|text| *text != "--").any(|text| {
            if text.starts_with("--") {
                let name = text.split('=').next().unwrap_or_default();
                return long.contains(&name);
            }
            text.starts_with('-') && text[1..].chars().any(|c| letters.contains(&c))
        })
    }

    /// The values of an option, given as the next word, behind `=`, or behind the letter.
    pub fn values(&self, letter: Option<char>, long: &[&str]) -> Vec<&'a Word> {
        let mut found = Vec::new();
        for (at, word) in self.arguments.iter().enumerate() {
            let text = word.text.as_str();
            let by_letter = letter
                .is_some_and(|letter| !text.starts_with("--") && text.starts_with('-') && text[1..].ends_with(letter));
            if by_letter || long.contains(&text) {
                found.extend(self.arguments.get(at + 1));
            } else if long
                .iter()
                .any(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
                || letter.is_some_and(|letter| text.starts_with('-') && text[1..].starts_with(letter))
            {
                found.push(word);
            }
        }
        found
    }

    /// Calls whose output it reads: those before it in its pipeline, groups taken apart.
    pub fn sources(&self) -> Vec<Call<'a>> {
        let mut found = Vec::new();
        for position in self.position.saturating_sub(MAX_SOURCES)..self.position {
            collect(self.pipeline, position, &mut found);
        }
        found
    }
}

fn collect<'a>(pipeline: &'a Pipeline, position: usize, found: &mut Vec<Call<'a>>) {
    found.extend(Call::of(pipeline, position, None));
    for word in &pipeline.commands[position].words {
        for (nesting, script) in &word.nested {
            if *nesting == Nesting::Group {
                calls_of(script, found);
            }
        }
    }
}

/// All calls of a script, those in groups included, those in substitutions not.
pub(in crate::playbooks::review) fn calls_of<'a>(script: &'a Script, found: &mut Vec<Call<'a>>) {
    for pipeline in &script.pipelines {
        for position in 0..pipeline.commands.len() {
            collect(pipeline, position, found);
        }
    }
}

/// Shows every call of a script to `visit`: those in substitutions and groups, and those in a script that is another program's
/// argument (`sh -c '…'`, `ssh host '…'`, `bash <<EOF`) too.
pub(in crate::playbooks::review) fn for_each_call(script: &Script, visit: &mut dyn FnMut(&Call<'_>)) {
    visit_script(script, None, 0, visit);
}

fn visit_script(script: &Script, line: Option<usize>, level: usize, visit: &mut dyn FnMut(&Call<'_>)) {
    for pipeline in script.all_pipelines() {
        for position in 0..pipeline.commands.len() {
            let Some(call) = Call::of(pipeline, position, line) else {
                continue;
            };
            visit(&call);
            if level < MAX_LEVELS
                && let Some(text) = inner_script(&call)
            {
                visit_script(&lexer::parse(&text, Dialect::Posix), Some(call.line), level + 1, visit);
            }
        }
    }
}

/// The script that a program is handed as text.
fn inner_script(call: &Call<'_>) -> Option<String> {
    if call.is_shell() || call.is(&["su"]) {
        if let Some(script) = call.values(Some('c'), &["--command"]).first() {
            return Some(script.text.clone());
        }
        let document = call
            .command
            .redirects
            .iter()
            .find(|redirect| redirect.operator.starts_with("<<"));
        return document.map(|redirect| redirect.target.text.clone());
    }
    if call.is(&["eval"]) {
        return Some(call.texts().collect::<Vec<_>>().join(" "));
    }
    if call.is(&["ssh"]) {
        // The host is the first operand, but options may have values: what holds a space is the command.
        return call.texts().find(|text| text.contains(' ')).map(str::to_owned);
    }
    None
}

/// Words without what stands in front of a program's name: assignments, keywords, `sudo` and the like.
fn strip(mut words: &[Word]) -> Option<(&str, &[Word])> {
    loop {
        let (first, rest) = words.split_first()?;
        let name = first.text.as_str();
        if is_assignment(name)
            || [
                "if", "then", "else", "elif", "while", "until", "do", "!", "{", "}", "time",
            ]
            .contains(&name)
            || (name.is_empty() && first.nested.iter().any(|(nesting, _)| *nesting == Nesting::Group))
        {
            words = rest;
            continue;
        }
        let program = name.rsplit('/').next().unwrap_or_default();
        // Options that take the next word as their value.
        let with_value: &str = match program {
            "sudo" => "ugpCDhRrTtU",
            "doas" => "uC",
            "env" => "uCS",
            "nice" => "n",
            "ionice" => "cnp",
            "timeout" => "ks",
            "xargs" => "aEdIiLlnPs",
            "stdbuf" => "ioe",
            "runuser" => "ugG",
            "nohup" | "exec" | "command" | "builtin" | "setsid" | "busybox" | "chroot" => "",
            _ => return Some((program, rest)),
        };
        if program == "command" && rest.first().is_some_and(|word| word.text == "-v" || word.text == "-V") {
            return None;
        }
        let mut at = 0;
        while let Some(word) = rest.get(at) {
            let text = word.text.as_str();
            if text == "--" {
                at += 1;
                break;
            }
            if text.len() > 1 && text.starts_with('-') {
                let takes_next =
                    !text.starts_with("--") && text.chars().next_back().is_some_and(|c| with_value.contains(c));
                at += if takes_next { 2 } else { 1 };
            } else if program == "env" && is_assignment(text) {
                at += 1;
            } else {
                break;
            }
        }
        // A duration, a folder.
        if matches!(program, "timeout" | "chroot") {
            at += 1;
        }
        words = rest.get(at..)?;
        if words.is_empty() {
            return Some((program, rest));
        }
    }
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_call(&lexer::parse(text, Dialect::Posix), &mut |call| {
            let mut words = vec![call.program];
            words.extend(call.texts());
            found.push(words.join(" "));
        });
        found.sort();
        found
    }

    #[test]
    fn what_stands_in_front_is_passed_over() {
        for (text, expected) in [
            ("sudo -u root -E rm -rf x", vec!["rm -rf x"]),
            ("A=1 B=2 env -i C=3 /usr/bin/rm x", vec!["rm x"]),
            ("if ! test -e x; then rm x; fi", vec!["fi", "rm x", "test -e x"]),
            ("nohup nice -n 10 timeout -k 5 60 rm x &", vec!["rm x"]),
            ("find . | xargs -n 1 rm -f", vec!["find .", "rm -f"]),
            ("sudo -i", vec!["sudo -i"]),
            ("command -v rm", vec![]),
            ("A=1", vec![]),
            ("(rm x)", vec!["rm x"]),
        ] {
            assert_eq!(calls(text), expected, "{text}");
        }
    }

    #[test]
    fn scripts_in_arguments_are_read() {
        for (text, expected) in [
            ("bash -c 'a b; c'", "a b"),
            ("bash -ec 'a b; c'", "a b"),
            ("sudo su - app -c \"a b\"", "a b"),
            ("eval \"a b\"", "a b"),
            ("ssh -p 22 host 'a b | c'", "a b"),
            ("bash <<EOF\na b\nEOF\n", "a b"),
            ("x $(a b)", "a b"),
        ] {
            assert!(calls(text).contains(&expected.to_owned()), "{text}: {:?}", calls(text));
        }
        assert_eq!(calls("cat <<EOF > x\nrm -rf /\nEOF\n"), ["cat"]);
        assert_eq!(calls("echo 'rm -rf /'"), ["echo rm -rf /"]);
    }
}
