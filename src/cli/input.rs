//! What the person types: passwords without echo, files, `name=value` pairs.

use super::{
    failure::{Hinted, UsageError},
    output,
};
use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _},
    path::Path,
};
use zeroize::Zeroizing;

/// Nothing that is read whole may be larger: 1 MiB.
const MAX_INPUT: u64 = 1024 * 1024;

/// Reads a whole file, or stdin when it is `-`.
pub fn read_text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_INPUT + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_INPUT + 1).read_to_string(&mut text))
    };
    let length = read.with_context(|| format!("failed to read {}", path.display()))?;
    if length as u64 > MAX_INPUT {
        return Err(UsageError(format!("{} is larger than 1 MiB", path.display())).into());
    }
    Ok(text)
}

/// Reads a whole file as it is.
pub fn read_bytes(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let length = File::open(path)
        .and_then(|file| file.take(MAX_INPUT + 1).read_to_end(&mut bytes))
        .with_context(|| format!("failed to read {}", path.display()))?;
    if length as u64 > MAX_INPUT {
        return Err(UsageError(format!("{} is larger than 1 MiB", path.display())).into());
    }
    Ok(bytes)
}

/// Reads a secret from a file's first line, or all of it but the last newline when `whole`.
pub fn read_secret(path: &Path, whole: bool) -> anyhow::Result<SecretString> {
    let text = read_text(path)?;
    let secret = if whole {
        text.strip_suffix('\n').unwrap_or(&text)
    } else {
        text.lines().next().unwrap_or_default()
    };
    Ok(SecretString::from(secret.to_owned()))
}

/// Asks on the terminal, without echo.
pub fn ask_secret(prompt: &str) -> anyhow::Result<SecretString> {
    let no_terminal = || {
        Hinted::new(
            format!("cannot ask for {prompt}: there is no terminal"),
            "give it in a file instead",
        )
    };
    let terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|error| no_terminal().caused_by(error))?;
    if !terminal.is_terminal() {
        return Err(no_terminal().into());
    }
    let mut writer = &terminal;
    write!(writer, "{prompt}: ")?;
    let _silence = Silence::begin(&terminal)?;
    let mut text = Zeroizing::new(String::new());
    BufReader::new(&terminal).take(4096).read_line(&mut text)?;
    writeln!(writer)?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Asks whether to do something; only `y` and `yes` say so.
pub fn confirm(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Hinted::new(
            format!("cannot ask \"{question}\": there is no terminal"),
            "--yes does it without asking",
        )
        .into());
    }
    output::say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Asks for a new password, twice.
pub fn ask_new_password(username: &str) -> anyhow::Result<SecretString> {
    use secrecy::ExposeSecret as _;
    let first = ask_secret(&format!("new password for {username}"))?;
    let second = ask_secret("the same again")?;
    if first.expose_secret() != second.expose_secret() {
        return Err(UsageError("the two passwords differ".to_owned()).into());
    }
    Ok(first)
}

/// Turns the terminal's echo off until dropped.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// `name=value`, split at the first `=`.
pub fn name_and_value<'a>(option: &str, text: &'a str) -> Result<(&'a str, &'a str), UsageError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(UsageError(format!("{option} needs NAME=VALUE, not {text:?}"))),
    }
}

/// A JSON object from a file, or from stdin when it is `-`.
pub fn read_object(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Hinted::new(
            format!("{} holds no JSON object", path.display()),
            "variables are one JSON object, such as {\"version\": \"1.4\", \"replicas\": 2}",
        )
        .caused_by(error)
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        assert_eq!(name_and_value("--var", "a=b=c").unwrap(), ("a", "b=c"));
        assert_eq!(name_and_value("--var", "a=").unwrap(), ("a", ""));
        assert!(name_and_value("--var", "a").is_err());
        assert!(name_and_value("--var", "=a").is_err());
    }

    #[test]
    fn a_password_is_the_first_line_and_a_secret_the_whole_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(read_secret(file.path(), false).unwrap().expose_secret(), "one");
        assert_eq!(read_secret(file.path(), true).unwrap().expose_secret(), "one\ntwo");
    }

    #[test]
    fn a_list_is_no_object() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"[1]").unwrap();
        assert!(read_object(file.path()).is_err());
    }
}
