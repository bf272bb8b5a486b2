//! The INI files of Ansible: Python's `configparser` with `;` for comments at the end of a line and without interpolation.

use std::{collections::BTreeSet, fmt::Write as _};

/// A section whose keys hold in every other one.
const DEFAULT_SECTION: &str = "DEFAULT";

/// Why a configuration cannot be read: as Ansible sees it, it is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ansible.cfg, line {line}: {problem}")]
pub struct ConfigurationError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// Sections and their keys, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ini {
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    name: String,
    /// Key and value; a value of several lines has line breaks in it.
    entries: Vec<(String, String)>,
}

impl Ini {
    /// Reads a file.
    pub(super) fn parse(text: &[u8]) -> Result<Self, ConfigurationError> {
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let line = text[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
                return Err(refuse(line, "it is not UTF-8"));
            }
        };
        let mut parser = Parser::default();
        for (index, line) in text.split('\n').enumerate() {
            parser.line(index + 1, line)?;
        }
        Ok(parser.finish())
    }

    /// The value of a key.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let section = self.sections.iter().find(|candidate| candidate.name == section)?;
        let (_, value) = section.entries.iter().find(|(name, _)| name == key)?;
        Some(value)
    }

    /// Section, key and value of all settings.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.sections.iter().flat_map(|section| {
            let entries = section.entries.iter();
            entries.map(|(key, value)| (section.name.as_str(), key.as_str(), value.as_str()))
        })
    }

    /// Gives a key a value, in the place of an earlier one.
    pub(super) fn set(&mut self, section: &str, key: &str, value: impl Into<String>) {
        let value = value.into();
        if !self.sections.iter().any(|candidate| candidate.name == section) {
            self.sections.push(Section {
                name: section.to_owned(),
                entries: Vec::new(),
            });
        }
        let Some(section) = self.sections.iter_mut().find(|candidate| candidate.name == section) else {
            return;
        };
        let entries = &mut section.entries;
        match entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key.to_owned(), value)),
        }
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, section: &str, key: &str) -> Option<String> {
        let section = self.sections.iter_mut().find(|candidate| candidate.name == section)?;
        let index = section.entries.iter().position(|(name, _)| name == key)?;
        Some(section.entries.remove(index).1)
    }

    /// The text that reads the same.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "[{}]", section.name);
            for (key, value) in &section.entries {
                // No blank after the `=`: a `;` that follows a blank begins a comment.
                let _ = writeln!(text, "{key}={}", value.replace('\n', "\n\t"));
            }
            text.push('\n');
        }
        text
    }
}

#[derive(Default)]
struct Parser {
    ini: Ini,
    /// The keys of [`DEFAULT_SECTION`].
    defaults: Vec<(String, Vec<String>)>,
    current: Option<Current>,
    /// Keys and their lines, of the current section.
    entries: Vec<(String, Vec<String>)>,
    seen: BTreeSet<String>,
    /// Whether a line that is indented further goes on with the value before.
    in_value: bool,
    indent: usize,
}

#[derive(PartialEq, Eq)]
enum Current {
    Default,
    Section(String),
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), ConfigurationError> {
        let is_comment = line.trim_start().starts_with(['#', ';']);
        let end = if is_comment { Some(0) } else { comment_start(line) };
        let value = line[..end.unwrap_or(line.len())].trim();
        if value.is_empty() {
            // A blank line may be part of a value; one with a comment is not.
            if end.is_none()
                && self.in_value
                && let Some((_, lines)) = self.entries.last_mut()
            {
                lines.push(String::new());
            }
            return Ok(());
        }
        let indent = line.chars().take_while(|character| character.is_whitespace()).count();
        if self.in_value && indent > self.indent {
            if let Some((_, lines)) = self.entries.last_mut() {
                lines.push(value.to_owned());
            }
            return Ok(());
        }
        self.indent = indent;
        if let Some(name) = header(value) {
            return self.section(number, name);
        }
        if self.current.is_none() {
            return Err(refuse(number, "a setting stands before the first [section]"));
        }
        self.setting(number, value)
    }

    fn section(&mut self, number: usize, name: &str) -> Result<(), ConfigurationError> {
        self.close();
        self.in_value = false;
        if name == DEFAULT_SECTION {
            self.current = Some(Current::Default);
            self.entries = std::mem::take(&mut self.defaults);
            return Ok(());
        }
        if !self.seen.insert(name.to_owned()) {
            return Err(refuse(number, format!("the section [{name}] is there twice")));
        }
        self.current = Some(Current::Section(name.to_owned()));
        Ok(())
    }

    fn setting(&mut self, number: usize, text: &str) -> Result<(), ConfigurationError> {
        let Some((key, value)) = text.split_once(['=', ':']) else {
            return Err(refuse(
                number,
                format!("{text:?} is neither a [section] nor a setting of the form key = value"),
            ));
        };
        let key = key.trim_end().to_lowercase();
        if key.is_empty() {
            return Err(refuse(number, "a value has no key"));
        }
        if self.entries.iter().any(|(known, _)| *known == key) {
            return Err(refuse(number, format!("{key:?} is there twice in the same section")));
        }
        self.entries.push((key, vec![value.trim().to_owned()]));
        self.in_value = true;
        Ok(())
    }

    /// Takes over the section that was read so far.
    fn close(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        match self.current.take() {
            None => {}
            Some(Current::Default) => self.defaults = entries,
            Some(Current::Section(name)) => self.ini.sections.push(Section {
                name,
                entries: entries.into_iter().map(join).collect(),
            }),
        }
    }

    fn finish(mut self) -> Ini {
        self.close();
        for (key, value) in self.defaults.into_iter().map(join) {
            for section in &mut self.ini.sections {
                if !section.entries.iter().any(|(known, _)| *known == key) {
                    section.entries.push((key.clone(), value.clone()));
                }
            }
        }
        self.ini
    }
}

fn join((key, lines): (String, Vec<String>)) -> (String, String) {
    (key, lines.join("\n").trim_end().to_owned())
}

/// Where a comment at the end of a line begins: a `;` after a blank.
fn comment_start(line: &str) -> Option<usize> {
    line.match_indices(';')
        .map(|(index, _)| index)
        .find(|index| line[..*index].chars().next_back().is_none_or(char::is_whitespace))
}

/// The name in `[name]`; what follows the last bracket is passed over.
fn header(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.rfind(']')?;
    (end > 0).then(|| &inner[..end])
}

fn refuse(line: usize, problem: impl Into<String>) -> ConfigurationError {
    ConfigurationError {
        line,
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Ini {
        Ini::parse(text.as_bytes()).expect("it is read")
    }

    #[test]
    fn what_configparser_takes_is_read() {
        let ini = parse(
            "# a comment\n; another\n[defaults]\r\nForks = 7 ; few\nroles_path: ./a:./b\nurl = http://x/;y # z\nempty =\n\
             several = one\n  two\n\n  three ; x\n  # no part of it\n  four\n[ssh_connection] ; more\nssh_args=;x\npercent = 100%\n",
        );
        for (section, key, value) in [
            ("defaults", "forks", "7"),
            ("defaults", "roles_path", "./a:./b"),
            ("defaults", "url", "http://x/;y # z"),
            ("defaults", "empty", ""),
            ("defaults", "several", "one\ntwo\n\nthree\nfour"),
            ("ssh_connection", "ssh_args", ";x"),
            ("ssh_connection", "percent", "100%"),
        ] {
            assert_eq!(ini.get(section, key), Some(value), "{key}");
        }
        assert_eq!(ini.get("defaults", "Forks"), None);
        assert_eq!(parse(&ini.render()), ini);
    }

    #[test]
    fn the_default_section_holds_in_all_others() {
        let ini = parse("[DEFAULT]\na = 1\nb = 2\n[defaults]\na = 3\n[x]\n");
        assert_eq!(
            (ini.get("defaults", "a"), ini.get("defaults", "b")),
            (Some("3"), Some("2"))
        );
        assert_eq!((ini.get("x", "a"), ini.get("y", "a")), (Some("1"), None));
    }

    #[test]
    fn what_configparser_refuses_is_refused_with_its_line() {
        for (text, line) in [
            ("forks = 1\n", 1),
            ("\n[defaults]\nforks\n", 3),
            ("[defaults]\nforks = 1\nforks = 2\n", 3),
            ("[a]\n[b]\n\n[a]\n", 4),
            ("[defaults]\n= 1\n", 2),
            ("[]\n", 1),
        ] {
            let error = Ini::parse(text.as_bytes()).expect_err(text);
            assert_eq!(error.line, line, "{text:?}: {error}");
        }
        let error = Ini::parse(b"[defaults]\na = \xff\n").expect_err("not UTF-8");
        assert_eq!(error.to_string(), "ansible.cfg, line 2: it is not UTF-8");
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_the_same(text in "(\\[[a-c]{1,2}\\]\n|[a-d]{1,2} ?[=:] ?[a-z;# =\\[\\]]{0,8}\n|[ \t]{1,3}[a-z;#]{0,5}\n){0,12}") {
            if let Ok(ini) = Ini::parse(text.as_bytes()) {
                prop_assert_eq!(parse(&ini.render()), ini);
            }
        }
    }
}
