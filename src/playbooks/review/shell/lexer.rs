//! Reads a script. Never fails: what no shell would take is read as far as it goes.

use super::{Command, Dialect, Nesting, Pipeline, Redirect, Script, Word, mark};
use crate::playbooks::review::jinja;

/// Scripts within scripts; deeper ones are passed over.
const MAX_NESTING: usize = 16;

/// Reads a text.
pub(in crate::playbooks::review) fn parse(text: &str, dialect: Dialect) -> Script {
    let mut lexer = Lexer {
        chars: without_templates(text),
        at: 0,
        line: 0,
        dialect,
        depth: 0,
    };
    lexer.script(Until::End)
}

/// The characters, with one mark for each expression. Statements and comments of Jinja vanish, except for their line ends.
pub(super) fn without_templates(text: &str) -> Vec<char> {
    let mut chars = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let opening = ["{{", "{%", "{#"].iter().position(|open| rest.starts_with(open));
        // `${#x}` is a length and no comment.
        let opening = opening.filter(|kind| *kind != 2 || !text[..at].ends_with('$'));
        if let Some(kind) = opening {
            let end = jinja::end_of_template(text, at);
            if kind == 0 {
                chars.push(mark::TEMPLATE);
            }
            chars.extend(text[at..end].chars().filter(|c| *c == '\n' && kind != 0));
            at = end;
            continue;
        }
        let Some(c) = rest.chars().next() else { break };
        at += c.len_utf8();
        match c {
            '\r' if text[at..].starts_with('\n') => {}
            // A text that was read once already keeps its marks; any other character of theirs is rare and means nothing.
            c => chars.push(c),
        }
    }
    chars
}

/// What ends a script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    Parenthesis,
    Backtick,
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    dialect: Dialect,
    depth: usize,
}

/// What is being put together.
#[derive(Default)]
struct Draft {
    script: Script,
    pipeline: Pipeline,
    command: Command,
    word: Option<Word>,
    /// The line that the word begins in.
    word_line: usize,
    /// Delimiters of here-documents whose text begins in the next line.
    documents: Vec<String>,
}

impl Draft {
    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            if self.command.words.is_empty() && self.command.redirects.is_empty() {
                self.command.line = self.word_line;
            }
            self.command.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let command = std::mem::take(&mut self.command);
        if !command.words.is_empty() || !command.redirects.is_empty() {
            self.pipeline.commands.push(command);
        }
    }

    fn end_pipeline(&mut self) {
        self.end_command();
        let pipeline = std::mem::take(&mut self.pipeline);
        if !pipeline.commands.is_empty() {
            self.script.pipelines.push(pipeline);
        }
    }

    /// The word that is being read; a new one begins in `line`.
    fn word(&mut self, line: usize) -> &mut Word {
        if self.word.is_none() {
            self.word_line = line;
        }
        self.word.get_or_insert_default()
    }
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let is_it = self.peek(0) == Some(wanted);
        if is_it {
            self.next();
        }
        is_it
    }

    fn script(&mut self, until: Until) -> Script {
        let is_shell = self.dialect != Dialect::Words;
        let mut draft = Draft::default();
        while let Some(c) = self.next() {
            let line = self.line;
            match c {
                '\n' if is_shell => {
                    draft.end_pipeline();
                    for delimiter in std::mem::take(&mut draft.documents) {
                        self.here_document(&delimiter, &mut draft.script);
                    }
                }
                c if c.is_whitespace() => draft.end_word(),
                '\'' => self.single_quoted(draft.word(line)),
                '"' => self.double_quoted(draft.word(line)),
                '\\' if self.dialect != Dialect::Power => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => draft.word(line).text.push(escaped),
                },
                '$' => self.dollar(draft.word(line)),
                '`' if self.dialect == Dialect::Power => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => draft.word(line).text.push(escaped),
                },
                '`' if until == Until::Backtick && is_shell => break,
                '`' if is_shell => self.nested(draft.word(line), Nesting::Output, Until::Backtick),
                '#' if is_shell && draft.word.is_none() => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                ';' if is_shell => draft.end_pipeline(),
                '&' if is_shell => self.ampersand(&mut draft),
                '|' if is_shell => {
                    if self.next_if('|') {
                        draft.end_pipeline();
                    } else {
                        self.next_if('&');
                        draft.end_command();
                        // A pipe goes on in the next line.
                        while self.peek(0).is_some_and(char::is_whitespace) {
                            self.next();
                        }
                    }
                }
                '<' | '>' if is_shell && self.peek(0) == Some('(') => {
                    self.next();
                    let nesting = if c == '<' { Nesting::Source } else { Nesting::Sink };
                    self.nested(draft.word(line), nesting, Until::Parenthesis);
                }
                '<' | '>' if is_shell => self.redirect(c, &mut draft),
                '(' if is_shell => self.nested(draft.word(line), Nesting::Group, Until::Parenthesis),
                ')' if is_shell => {
                    draft.end_pipeline();
                    if until == Until::Parenthesis {
                        break;
                    }
                }
                c => draft.word(line).text.push(c),
            }
        }
        draft.end_pipeline();
        draft.script
    }

    fn ampersand(&mut self, draft: &mut Draft) {
        if self.next_if('>') {
            self.redirect('&', draft);
        } else if self.dialect == Dialect::Power && self.peek(0) != Some('&') {
            // The call operator.
            draft.end_word();
        } else {
            self.next_if('&');
            draft.end_pipeline();
        }
    }

    fn nested(&mut self, word: &mut Word, nesting: Nesting, until: Until) {
        self.depth += 1;
        let script = if self.depth > MAX_NESTING {
            self.skip(until);
            Script::default()
        } else {
            self.script(until)
        };
        self.depth -= 1;
        if nesting == Nesting::Output {
            word.text.push(mark::OUTPUT);
        }
        word.nested.push((nesting, script));
    }

    fn skip(&mut self, until: Until) {
        let close = if until == Until::Backtick { '`' } else { ')' };
        while self.next().is_some_and(|c| c != close) {}
    }

    fn single_quoted(&mut self, word: &mut Word) {
        while let Some(c) = self.next() {
            if c == '\'' {
                break;
            }
            word.text.push(c);
        }
    }

    fn double_quoted(&mut self, word: &mut Word) {
        let is_shell = self.dialect != Dialect::Words;
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' if self.dialect != Dialect::Power => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => {
                        if !matches!(escaped, '"' | '\\' | '$' | '`') {
                            word.text.push('\\');
                        }
                        word.text.push(escaped);
                    }
                },
                '$' => self.dollar(word),
                '`' if self.dialect == Dialect::Power => word.text.extend(self.next()),
                '`' if is_shell => self.nested(word, Nesting::Output, Until::Backtick),
                c => word.text.push(c),
            }
        }
    }

    /// Behind a `$`.
    fn dollar(&mut self, word: &mut Word) {
        match self.peek(0) {
            Some('(') if self.dialect == Dialect::Words => word.text.push('$'),
            Some('(') if self.peek(1) == Some('(') => self.arithmetic(word),
            Some('(') => {
                self.next();
                self.nested(word, Nesting::Output, Until::Parenthesis);
            }
            Some('{') => {
                self.next();
                let mut inner = String::new();
                let mut open = 1;
                while let Some(c) = self.next() {
                    match c {
                        '{' => open += 1,
                        '}' => open -= 1,
                        _ => {}
                    }
                    if open == 0 {
                        break;
                    }
                    inner.push(c);
                }
                word.text.push(if inner == "HOME" {
                    '~'
                } else if inner.contains('?') || inner.contains(":-") || inner.contains(":=") || inner.starts_with('#')
                {
                    mark::GUARDED
                } else {
                    mark::VARIABLE
                });
            }
            Some('\'') => {
                self.next();
                self.single_quoted(word);
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let mut name = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.next();
                }
                word.text.push(if name == "HOME" { '~' } else { mark::VARIABLE });
            }
            // The number of a process or of arguments, a status.
            Some('$' | '#' | '?' | '!' | '-') => {
                self.next();
                word.text.push(mark::GUARDED);
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '@' | '*') => {
                self.next();
                word.text.push(mark::VARIABLE);
            }
            _ => word.text.push('$'),
        }
    }

    fn arithmetic(&mut self, word: &mut Word) {
        let mut open = 0;
        while let Some(c) = self.next() {
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
        }
        word.text.push(mark::GUARDED);
    }

    /// Behind `<`, `>` or `&>`.
    fn redirect(&mut self, first: char, draft: &mut Draft) {
        // The number of a stream belongs to the operator.
        let is_number = |word: &Word| word.nested.is_empty() && word.text.chars().all(|c| c.is_ascii_digit());
        if draft.word.as_ref().is_some_and(is_number) {
            draft.word = None;
        }
        let line = self.line;
        draft.end_word();
        let mut operator = if first == '&' {
            "&>".to_owned()
        } else {
            first.to_string()
        };
        while let Some(c) = self.peek(0).filter(|c| matches!(c, '<' | '>' | '&' | '|')) {
            if operator.len() >= 3 || (c == '|' && operator != ">") {
                break;
            }
            self.next();
            operator.push(c);
        }
        let strips_tabs = operator == "<<" && self.next_if('-');
        while self.peek(0).is_some_and(|c| c == ' ' || c == '\t') {
            self.next();
        }
        if draft.command.words.is_empty() && draft.command.redirects.is_empty() {
            draft.command.line = line;
        }
        let target = self.redirect_target();
        if operator == "<<" {
            // Its text is taken up at the end of the line; `-` in front of the delimiter says that tabs do not count.
            let delimiter = format!("{}{}", if strips_tabs { "-" } else { "=" }, target.text);
            draft.documents.push(delimiter);
            draft.command.redirects.push(Redirect {
                operator,
                target: Word::default(),
            });
            return;
        }
        let operator = if operator == ">|" { ">".to_owned() } else { operator };
        draft.command.redirects.push(Redirect { operator, target });
    }

    fn redirect_target(&mut self) -> Word {
        let mut word = Word::default();
        while let Some(c) = self.peek(0) {
            match c {
                c if c.is_whitespace() || matches!(c, ';' | '|' | ')' | '&' | '`') => break,
                '<' | '>' if self.peek(1) == Some('(') && word.text.is_empty() => {
                    self.next();
                    self.next();
                    let nesting = if c == '<' { Nesting::Source } else { Nesting::Sink };
                    self.nested(&mut word, nesting, Until::Parenthesis);
                }
                '<' | '>' | '(' => break,
                _ => {
                    self.next();
                    match c {
                        '\'' => self.single_quoted(&mut word),
                        '"' => self.double_quoted(&mut word),
                        '$' => self.dollar(&mut word),
                        '\\' if self.dialect != Dialect::Power => word.text.extend(self.next()),
                        c => word.text.push(c),
                    }
                }
            }
        }
        word
    }

    /// Takes the lines up to the delimiter as the text of the first here-document that has none yet.
    fn here_document(&mut self, delimiter: &str, script: &mut Script) {
        let (strips_tabs, delimiter) = (delimiter.starts_with('-'), &delimiter[1..]);
        let mut text = String::new();
        while self.peek(0).is_some() {
            let mut line = String::new();
            while let Some(c) = self.next() {
                if c == '\n' {
                    break;
                }
                line.push(c);
            }
            let shown = if strips_tabs {
                line.trim_start_matches('\t')
            } else {
                &line
            };
            if shown == delimiter {
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
        // The document belongs to a command of the line that has just ended.
        let mut open = script
            .pipelines
            .iter_mut()
            .rev()
            .take(8)
            .flat_map(|pipeline| &mut pipeline.commands)
            .flat_map(|command| &mut command.redirects);
        if let Some(redirect) = open.find(|redirect| redirect.operator == "<<" && redirect.target.text.is_empty()) {
            redirect.target.text = text;
        }
    }
}

#[cfg(test)]
#[path = "lexer_tests.rs"]
mod tests;
