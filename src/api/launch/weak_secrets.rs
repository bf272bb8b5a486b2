//! Warns of secrets of a launch that cannot be masked well in what the run prints.

use super::{
    inputs::Inputs,
    request::GivenFile,
    variables::{Content, whence},
};
use crate::{ingest::redact::weakness, playbooks::vault_ids::OpenedPassword};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;

/// Adds a warning for each such variable and file.
pub(super) fn warn_of_inputs(inputs: &mut Inputs, files: &BTreeMap<String, GivenFile>) {
    let merged = &mut inputs.merged;
    for (name, variable) in &merged.variables {
        let (field, weakness) = match &variable.content {
            Content::Plain(_) => continue,
            Content::Secret(text) => ("secret_variables", weakness(text.expose_secret().as_bytes())),
            Content::File(_) => {
                let file = files.get(name);
                ("files", file.and_then(|file| weakness(file.content.expose_secret())))
            }
        };
        if let Some(weakness) = weakness {
            let whence = whence(variable);
            merged
                .warnings
                .push(format!("{field}.{name}{whence} {}", weakness.describe()));
        }
    }
}

/// A warning for each secret variable of a deployment that is launched once more.
pub(super) fn of_variables(variables: &BTreeMap<String, SecretString>) -> Vec<String> {
    let weak = variables.iter().filter_map(|(name, text)| {
        let weakness = weakness(text.expose_secret().as_bytes())?;
        Some(format!("secret_variables.{name} {}", weakness.describe()))
    });
    weak.collect()
}

/// A warning for each password of `ansible-vault`.
pub(super) fn of_vault_passwords(passwords: &[OpenedPassword]) -> Vec<String> {
    let weak = passwords.iter().filter_map(|opened| {
        let weakness = weakness(opened.password.expose_secret().as_bytes())?;
        let (id, what) = (&opened.vault_id, weakness.describe());
        Some(format!("the vault password {id:?} {what}"))
    });
    weak.collect()
}
