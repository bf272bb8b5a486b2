//! Variables on the command line: plain ones, secret ones, files.

use super::{
    client::Refused,
    failure::{Hinted, UsageError},
    input,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// How variables are given.
#[derive(Debug, clap::Args)]
pub struct VariableOptions {
    /// An extra variable, as text (repeatable)
    #[arg(long = "var", value_name = "NAME=VALUE", help_heading = "Variables")]
    variables: Vec<String>,
    /// A file with one JSON object of extra variables; `-` reads stdin
    #[arg(long = "vars-file", value_name = "FILE", help_heading = "Variables")]
    variable_files: Vec<PathBuf>,
    /// A secret variable: from a file, or with NAME alone from ADMIRAL_SECRET_NAME or a prompt (repeatable)
    #[arg(long = "secret-var", value_name = "NAME=@FILE|NAME", help_heading = "Variables")]
    secret_variables: Vec<String>,
}

impl VariableOptions {
    /// The plain ones; the later of two of the same name wins.
    pub fn read(&self) -> anyhow::Result<Map<String, Value>> {
        let mut variables = Map::new();
        for file in &self.variable_files {
            variables.extend(input::read_object(file)?);
        }
        for pair in &self.variables {
            let (name, value) = input::name_and_value("--var", pair)?;
            variables.insert(name.to_owned(), json!(value));
        }
        Ok(variables)
    }

    /// The secret ones; those that nobody wrote down are asked for.
    pub fn read_secrets(&self) -> anyhow::Result<Map<String, Value>> {
        let mut secrets = Map::new();
        for option in &self.secret_variables {
            let (name, secret) = match option.split_once('=') {
                Some((name, value)) => match value.strip_prefix('@') {
                    Some(file) => (name, input::read_secret(Path::new(file), true)?),
                    None => {
                        return Err(UsageError(format!(
                            "--secret-var {name}=… would show the secret to every user of this machine; give {name}=@FILE, or {name} alone"
                        ))
                        .into());
                    }
                },
                None => match std::env::var(format!("ADMIRAL_SECRET_{option}")) {
                    Ok(secret) => (option.as_str(), secret.into()),
                    Err(_) => (option.as_str(), input::ask_secret(&format!("value of {option}"))?),
                },
            };
            secrets.insert(name.to_owned(), json!(secret.expose_secret()));
        }
        Ok(secrets)
    }
}

/// Files as values of variables: `NAME=PATH`.
pub fn read_files(options: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut files = Map::new();
    for option in options {
        let (name, path) = input::name_and_value("--file", option)?;
        let path = Path::new(path);
        let file_name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| UsageError(format!("--file {name}=… needs the path of a file")))?;
        let content = input::read_bytes(path)?;
        files.insert(
            name.to_owned(),
            json!({"name": file_name, "content_base64": STANDARD.encode(&*content)}),
        );
    }
    Ok(files)
}

/// Says how to give what a launch was refused for.
pub fn hint_at_answers(error: anyhow::Error) -> anyhow::Error {
    let Some(Refused(problem)) = error.downcast_ref::<Refused>() else {
        return error;
    };
    let given = |place: &str| problem.errors.iter().any(|error| error.field.starts_with(place));
    let ways: Vec<&str> = [
        ("variables.", "--var NAME=VALUE"),
        ("secret_variables.", "--secret-var NAME=@FILE"),
        ("files.", "--file NAME=PATH"),
    ]
    .into_iter()
    .filter(|(place, _)| given(place))
    .map(|(_, way)| way)
    .collect();
    if ways.is_empty() {
        return error;
    }
    let hint = format!(
        "give values with {}; nothing is asked for while it runs",
        ways.join(", ")
    );
    Hinted::new(error.to_string(), hint).caused_by(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused() {
        let options = VariableOptions {
            variables: Vec::new(),
            variable_files: Vec::new(),
            secret_variables: vec!["password=hunter2".to_owned()],
        };
        let error = options.read_secrets().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(super::super::failure::exit_code(&error), 2);
    }

    #[test]
    fn a_file_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.pem");
        std::fs::write(&path, b"\xff\x00").unwrap();
        let files = read_files(&[format!("certificate={}", path.display())]).unwrap();
        assert_eq!(
            Value::Object(files),
            json!({"certificate": {"name": "server.pem", "content_base64": "/wA="}})
        );
        assert!(read_files(&["x=..".to_owned()]).is_err());
        assert!(read_files(&["x".to_owned()]).is_err());
    }
}
