//! What presets and environments have in common: named variables, some of them secret.

use super::{problem::Problem, sealed};
use crate::{
    domain::validation::Validator,
    inventory::{extra_vars, variable_names::PASSWORDS},
    vault::{RowIdentity, Vault},
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const MAX_DESCRIPTION: usize = 10_000;
/// Most secret variables of one set.
const MAX_SECRETS: usize = 200;

/// Variables that are kept under a name, opened.
#[derive(Debug, Default)]
pub(super) struct VariableSet {
    /// Those that may be shown.
    pub(super) variables: Map<String, Value>,
    /// Those that may not.
    pub(super) secret_variables: BTreeMap<String, SecretString>,
}

impl VariableSet {
    /// The set with changes: `variables` replaces them all; a secret is set, or taken away by null, and else stays.
    pub(super) fn change(
        mut self,
        variables: Option<Map<String, Value>>,
        secret_variables: BTreeMap<String, Option<SecretString>>,
    ) -> Self {
        if let Some(variables) = variables {
            self.variables = variables;
        }
        for (name, value) in secret_variables {
            match value {
                Some(value) => _ = self.secret_variables.insert(name, value),
                None => _ = self.secret_variables.remove(&name),
            }
        }
        self
    }

    /// Notes what no launch would take.
    pub(super) fn check(&self, validator: &mut Validator) {
        let judged = [
            extra_vars::validate_variables(&self.variables),
            extra_vars::validate_secret_variables(&self.secret_variables),
        ];
        for error in judged
            .into_iter()
            .filter_map(Result::err)
            .flat_map(|invalid| invalid.errors)
        {
            validator.error(error.field, error.message);
        }
        validator.check(
            self.secret_variables.len() <= MAX_SECRETS,
            "secret_variables",
            "must be at most 200",
        );
        for name in PASSWORDS.iter().filter(|name| self.variables.contains_key(**name)) {
            validator.error(
                format!("variables.{name}"),
                "is a password, and must be among the secret variables",
            );
        }
        for name in self
            .secret_variables
            .keys()
            .filter(|name| self.variables.contains_key(*name))
        {
            validator.error(format!("secret_variables.{name}"), "is among the variables as well");
        }
    }

    /// The secret ones for a row, and their names.
    pub(super) fn seal(&self, vault: &Vault, row: RowIdentity) -> Result<(Option<Vec<u8>>, Vec<String>), Problem> {
        let names = self.secret_variables.keys().cloned().collect();
        Ok((sealed::seal_variables(vault, &self.secret_variables, row)?, names))
    }
}

/// Refuses a change that was made on what is no longer there: it would take somebody else's back.
pub(super) fn require_unchanged(base: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Problem> {
    match base {
        Some(base) if base != now => Err(Problem::conflict(
            "somebody else changed it in the meantime, and nothing was saved: look at what it is now",
        )),
        _ => Ok(()),
    }
}

/// The name without blanks around it; notes what is wrong with it.
pub(super) fn check_name<'a>(validator: &mut Validator, name: &'a str) -> &'a str {
    let name = name.trim();
    let fits = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    validator.check(
        fits,
        "name",
        "must have between 1 and 100 characters and no control characters",
    );
    name
}

/// The description, or nothing when it is blank; notes what is wrong with it.
pub(super) fn check_description(validator: &mut Validator, description: Option<String>) -> Option<String> {
    let description = description.filter(|text| !text.trim().is_empty())?;
    let fits = description.chars().count() <= MAX_DESCRIPTION && !description.contains('\0');
    validator.check(fits, "description", "must be at most 10000 characters");
    Some(description)
}
