//! Commands as a shell reads them: quotes, pipes, lists, substitutions, comments, here-documents.
//!
//! What only a run knows stands in a word as one character of [`mark`]: an expression of Jinja, a variable, a command's output.

mod call;
mod lexer;

pub(super) use call::{Call, calls_of, for_each_call};
pub(super) use lexer::parse;

/// Stand-ins within words.
pub(super) mod mark {
    /// An expression of Jinja.
    pub const TEMPLATE: char = '\u{e000}';
    /// A shell's variable.
    pub const VARIABLE: char = '\u{e001}';
    /// A shell's variable that cannot be empty: `${x:?}`, `${x:-y}`.
    pub const GUARDED: char = '\u{e002}';
    /// The output of a command.
    pub const OUTPUT: char = '\u{e003}';

    /// Whether the character may stand for nothing.
    pub fn may_be_empty(c: char) -> bool {
        matches!(c, TEMPLATE | VARIABLE | OUTPUT)
    }

    /// Whether the character stands for something.
    pub fn is_mark(c: char) -> bool {
        may_be_empty(c) || c == GUARDED
    }

    /// A word as people read it, cut to a length that fits a message.
    pub fn show(text: &str) -> String {
        let mut shown = String::new();
        for c in text.chars().take(60) {
            match c {
                TEMPLATE => shown.push_str("{{…}}"),
                VARIABLE | GUARDED => shown.push_str("$…"),
                OUTPUT => shown.push_str("$(…)"),
                c if c.is_control() => shown.push(' '),
                c => shown.push(c),
            }
        }
        if text.chars().nth(60).is_some() {
            shown.push('…');
        }
        shown
    }
}

/// Whose rules a text follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A POSIX shell, or bash.
    Posix,
    /// PowerShell: a backslash is a backslash.
    Power,
    /// No shell at all, only words and quotes: what `command` takes.
    Words,
}

/// What a shell would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// In order of appearance.
    pub pipelines: Vec<Pipeline>,
}

/// Commands whose output goes into the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pipeline {
    /// At least one.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// The line of the text that it begins in, from 0.
    pub line: usize,
    /// Its name and arguments.
    pub words: Vec<Word>,
    /// Where its input comes from and its output goes.
    pub redirects: Vec<Redirect>,
}

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes.
    pub text: String,
    /// Scripts that are run for it.
    pub nested: Vec<(Nesting, Script)>,
}

/// How a script is part of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nesting {
    /// `$(…)` or backticks: its output becomes text of the word.
    Output,
    /// `<(…)`: the word names a file with its output.
    Source,
    /// `>(…)`: what is written to the word is its input.
    Sink,
    /// `(…)`: the command is this script.
    Group,
}

/// Where a command's input comes from, or its output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    /// `<`, `>`, `>>`, `<<` (the target is the document itself), `<<<`, `>&`, `&>`.
    pub operator: String,
    /// The file.
    pub target: Word,
}

impl Redirect {
    /// Whether it writes into its target.
    pub fn writes(&self) -> bool {
        self.operator.contains('>') && self.operator != ">&"
    }
}

impl Script {
    /// Every pipeline, those within words and groups included.
    pub fn all_pipelines(&self) -> Vec<&Pipeline> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(script) = open.pop() {
            for pipeline in &script.pipelines {
                found.push(pipeline);
                for command in &pipeline.commands {
                    let words = command
                        .words
                        .iter()
                        .chain(command.redirects.iter().map(|redirect| &redirect.target));
                    open.extend(words.flat_map(|word| word.nested.iter().map(|(_, script)| script)));
                }
            }
        }
        found
    }
}

/// A command of these words.
pub(super) fn from_words(words: &[&str]) -> Script {
    let words = words
        .iter()
        .map(|text| Word {
            text: lexer::without_templates(text).into_iter().collect(),
            nested: Vec::new(),
        })
        .collect();
    let command = Command {
        words,
        ..Command::default()
    };
    Script {
        pipelines: vec![Pipeline {
            commands: vec![command],
        }],
    }
}

/// The first word of a script; empty when there is none.
pub(super) fn first_word(script: &Script) -> &str {
    let command = script.pipelines.first().and_then(|pipeline| pipeline.commands.first());
    command
        .and_then(|command| command.words.first())
        .map_or("", |word| word.text.as_str())
}
