//! Forms: what a person fills in before a playbook is launched. Pure.

mod answers;
mod definition;

pub use answers::{Given, Judgement, judge};
pub use definition::Fault;

use super::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use utoipa::ToSchema;

/// Most fields of one form.
pub const MAX_FIELDS: usize = 200;
/// Most bytes of a file that is an answer.
pub const MAX_FILE_BYTES: usize = 256 * 1024;

text_enum! {
    /// What a field takes.
    FieldType {
        /// A text.
        Text = "text",
        /// An integer or a fraction.
        Number = "number",
        /// Yes or no.
        Boolean = "boolean",
        /// One of several texts.
        Choice = "choice",
        /// Some of several texts.
        MultiChoice = "multi_choice",
        /// A text that is kept sealed and never shown.
        Secret = "secret",
        /// The hostname of a server, or several of them as a list.
        Server = "server",
        /// A file: the variable is its path while the run goes on.
        File = "file",
    }
}

text_enum! {
    /// Where a field comes from.
    FieldOrigin {
        /// From the form's own file.
        Form = "form",
        /// The playbook asks for it.
        VarsPrompt = "vars_prompt",
        /// A role's description of its arguments.
        ArgumentSpecs = "argument_specs",
        /// A variable of a play.
        Vars = "vars",
    }
}

text_enum! {
    /// What a playbook's form was read from.
    FormSource {
        /// A file beside the playbook.
        File = "file",
        /// The playbook itself.
        Draft = "draft",
    }
}

/// What a person fills in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// In the order in which they are shown.
    pub fields: Vec<FormField>,
}

/// One thing to fill in: one variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// The variable's name.
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// What it is called; the name where nothing else is said.
    pub label: String,
    /// A sentence or two below it.
    pub help: Option<String>,
    /// While it is shown, it must be answered or have a default.
    pub required: bool,
    /// What it is unless somebody says otherwise.
    pub default: Option<Value>,
    /// The texts that can be chosen.
    pub choices: Vec<String>,
    /// A regular expression that the whole text must match.
    pub pattern: Option<String>,
    /// The least number, the fewest characters or the fewest choices.
    #[schema(value_type = Option<f64>)]
    pub min: Option<Number>,
    /// The greatest number, the most characters or the most choices.
    #[schema(value_type = Option<f64>)]
    pub max: Option<Number>,
    /// It is there only while another field has a certain value.
    pub shown_when: Option<ShownWhen>,
    /// Where it comes from.
    pub origin: FieldOrigin,
}

/// A condition on another field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownWhen {
    /// The other field's name.
    pub field: String,
    /// Its value; of several choices, one that is among them.
    pub equals: Value,
}

impl FormField {
    /// A field that takes anything of its type and needs no answer; its label is its name.
    pub fn new(name: impl Into<String>, field_type: FieldType, origin: FieldOrigin) -> Self {
        let name = name.into();
        Self {
            label: name.clone(),
            name,
            field_type,
            help: None,
            required: false,
            default: None,
            choices: Vec::new(),
            pattern: None,
            min: None,
            max: None,
            shown_when: None,
            origin,
        }
    }
}

impl Form {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&FormField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What is wrong with the form itself, in the order of its fields.
    pub fn faults(&self) -> Vec<Fault> {
        definition::faults(self)
    }
}

/// Whether a text can name a variable: letters, digits and `_`, not starting with a digit, at most 128 of them.
pub fn is_variable_name(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && name.len() <= 128 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What a file that is an answer may be called: one plain part of a path.
pub fn is_file_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\'])
        && !name.contains(char::is_control)
        // The path is the value of a variable, where a template would be text but look like one.
        && !["{{", "{%", "{#"].iter().any(|open| name.contains(open))
}

#[cfg(test)]
mod laws;
