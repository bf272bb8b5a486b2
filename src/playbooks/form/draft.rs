//! A form drafted from what the playbook itself says: what it asks for, what its roles take, what its plays set.
//!
//! Only what a play asks for (`vars_prompt`) binds: without a terminal Ansible would go on with the text `None`. All else are
//! suggestions, sent only when somebody answers.

use crate::{
    domain::{
        form::{FieldOrigin, FieldType, Form, FormField, MAX_FIELDS},
        playbook::PlaybookFile,
        secret_name::is_secret_name,
    },
    inventory::variable_names,
    playbooks::yaml,
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// As many files are read for one draft, playbooks and descriptions of roles together.
const MAX_FILES: usize = 100;
/// Longer files are passed over.
const MAX_BYTES: usize = 1 << 20;
const MAX_LABEL: usize = 200;
const MAX_HELP: usize = 4000;

/// A variable that a play asks for at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The variable.
    pub name: String,
    /// What is typed is not shown; Ansible's default.
    pub private: bool,
    /// The play goes on without an answer.
    pub has_default: bool,
    /// Why no launch can answer it, if none can.
    pub unanswerable: Option<String>,
}

/// A form from what the playbook at `entry` and its roles say. It has no faults.
pub fn draft(files: &[PlaybookFile], entry: &str) -> Form {
    let mut reader = Reader::new(files);
    let plays = reader.plays(entry);
    let mut drafted = Drafted::default();
    for prompt in plays.iter().flat_map(|play| list(play, "vars_prompt")) {
        if let Some(prompt) = prompt.as_object() {
            drafted.add(prompt_field(prompt));
        }
    }
    let folder = entry.rsplit_once('/').map_or("", |(folder, _)| folder);
    for role in plays.iter().flat_map(roles) {
        for (name, option) in reader.argument_specs(folder, &role) {
            drafted.add(argument_field(&name, &option));
        }
    }
    for play in &plays {
        for (name, value) in play.get("vars").and_then(Value::as_object).into_iter().flatten() {
            drafted.add(variable_field(name, value));
        }
    }
    drafted.form
}

/// What the plays of the playbook at `entry` ask for, each variable once.
pub fn prompts(files: &[PlaybookFile], entry: &str) -> Vec<Prompt> {
    let mut found: Vec<Prompt> = Vec::new();
    for play in Reader::new(files).plays(entry) {
        for prompt in list(&play, "vars_prompt").filter_map(Value::as_object) {
            let Some(name) = prompt.get("name").and_then(Value::as_str) else {
                continue;
            };
            let private = is_private(prompt);
            let has_default = prompt.get("default").is_some_and(|default| !default.is_null());
            if let Some(known) = found.iter_mut().find(|known| known.name == name) {
                known.private |= private;
                known.has_default &= has_default;
            } else {
                found.push(Prompt {
                    name: name.to_owned(),
                    private,
                    has_default,
                    unanswerable: variable_names::refuse_in_deployment(name),
                });
            }
        }
    }
    found
}

#[derive(Default)]
struct Drafted {
    form: Form,
    names: BTreeSet<String>,
}

impl Drafted {
    /// Adds a field whose name is free, without what would be a fault.
    fn add(&mut self, field: Option<FormField>) {
        let Some(mut field) = field else { return };
        let is_settable = variable_names::refuse_in_deployment(&field.name).is_none();
        if !is_settable || self.names.contains(&field.name) || self.form.fields.len() >= MAX_FIELDS {
            return;
        }
        let faults = |field: &FormField| {
            let form = Form {
                fields: vec![field.clone()],
            };
            form.faults()
        };
        if faults(&field).iter().any(|fault| fault.key == "default") {
            field.default = None;
        }
        if faults(&field).is_empty() {
            self.names.insert(field.name.clone());
            self.form.fields.push(field);
        }
    }
}

fn prompt_field(prompt: &Map<String, Value>) -> Option<FormField> {
    let name = prompt.get("name")?.as_str()?;
    let field_type = if is_private(prompt) {
        FieldType::Secret
    } else {
        FieldType::Text
    };
    let mut field = FormField::new(name, field_type, FieldOrigin::VarsPrompt);
    if let Some(label) = prompt.get("prompt").and_then(Value::as_str).and_then(label) {
        field.label = label;
    }
    let default = prompt.get("default").filter(|default| !default.is_null());
    field.required = default.is_none();
    // What is typed is text, and so is what stands for it.
    field.default = default.and_then(plain).and_then(|value| match value {
        Value::Bool(value) => Some(Value::from(if value { "True" } else { "False" })),
        Value::Number(number) => Some(Value::from(number.to_string())),
        other => other.is_string().then_some(other),
    });
    let mut notes = Vec::new();
    if let Some(default) = default
        && (field.field_type == FieldType::Secret || plain(default).is_none())
    {
        notes.push("Without an answer the playbook's own default holds.".to_owned());
    }
    if let Some(method) = prompt.get("encrypt").and_then(Value::as_str) {
        notes.push(format!(
            "At a terminal Ansible would hash what is typed with {method}; here it is taken as it is, so give the hash."
        ));
    }
    if prompt.get("confirm").is_some_and(is_true) {
        notes.push("At a terminal it would have to be typed twice.".to_owned());
    }
    field.help = (!notes.is_empty()).then(|| cut(&notes.join(" "), MAX_HELP));
    Some(field)
}

fn is_private(prompt: &Map<String, Value>) -> bool {
    prompt.get("private").is_none_or(is_true)
}

/// As Ansible understands it, which also takes texts.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            ["y", "yes", "true", "on", "1", "t"].contains(&text.as_str())
        }
        _ => false,
    }
}

/// A field for an option of a role: see "Role argument validation" in Ansible's documentation of roles.
fn argument_field(name: &str, option: &Map<String, Value>) -> Option<FormField> {
    let choices: Vec<String> = option
        .get("choices")
        .and_then(Value::as_array)
        .map(|choices| choices.iter().filter_map(as_text).collect())
        .unwrap_or_default();
    let kind = option.get("type").and_then(Value::as_str).unwrap_or("str");
    let field_type = match kind {
        _ if option.get("no_log").is_some_and(is_true) => FieldType::Secret,
        "bool" => FieldType::Boolean,
        "list" if !choices.is_empty() => FieldType::MultiChoice,
        "str" | "int" | "float" if !choices.is_empty() => FieldType::Choice,
        "int" | "float" => FieldType::Number,
        "str" | "path" | "raw" if is_secret_name(name) => FieldType::Secret,
        "str" | "path" | "raw" | "bytes" | "bits" | "jsonarg" | "json" => FieldType::Text,
        // Lists and dictionaries of anything are no field.
        _ => return None,
    };
    let mut field = FormField::new(name, field_type, FieldOrigin::ArgumentSpecs);
    field.required = option.get("required").is_some_and(is_true);
    field.help = description(option.get("description"));
    let default = option.get("default").and_then(plain);
    field.default = match field_type {
        FieldType::Text | FieldType::Choice => default.as_ref().and_then(as_text).map(Value::from),
        FieldType::Boolean => default
            .as_ref()
            .filter(|value| !value.is_null())
            .map(|value| is_true(value).into()),
        _ => default,
    };
    if matches!(field_type, FieldType::Choice | FieldType::MultiChoice) {
        field.choices = choices;
    }
    Some(field)
}

fn description(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(lines) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).map(str::trim).collect();
            lines.join("\n")
        }
        _ => return None,
    };
    (!text.is_empty()).then(|| cut(&text, MAX_HELP))
}

fn variable_field(name: &str, value: &Value) -> Option<FormField> {
    let is_sealed = value.as_str().is_some_and(|text| text.starts_with("$ANSIBLE_VAULT"));
    let field_type = match value {
        Value::Bool(_) => FieldType::Boolean,
        Value::Number(_) => FieldType::Number,
        Value::String(_) if is_sealed || is_secret_name(name) => FieldType::Secret,
        Value::String(_) => FieldType::Text,
        _ => return None,
    };
    let mut field = FormField::new(name, field_type, FieldOrigin::Vars);
    field.default = plain(value);
    Some(field)
}

/// The value, unless there is a template in it: answers are never templates.
fn plain(value: &Value) -> Option<Value> {
    let text = value.to_string();
    let is_template = ["{{", "{%", "{#"].iter().any(|open| text.contains(open));
    (!is_template).then(|| value.clone())
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn label(text: &str) -> Option<String> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim().trim_end_matches(':').trim_end();
    (!line.is_empty()).then(|| cut(line, MAX_LABEL))
}

fn cut(text: &str, limit: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(limit).collect()
}

fn list<'a>(play: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    play.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Roles that a play names, in `roles` or at the top of its tasks.
fn roles(play: &Map<String, Value>) -> Vec<String> {
    let named = list(play, "roles").filter_map(|role| match role {
        Value::String(name) => Some(name.as_str()),
        Value::Object(role) => role.get("role").or_else(|| role.get("name")).and_then(Value::as_str),
        _ => None,
    });
    let words = [
        "import_role",
        "include_role",
        "ansible.builtin.import_role",
        "ansible.builtin.include_role",
    ];
    let included = ["pre_tasks", "tasks", "post_tasks"]
        .into_iter()
        .flat_map(|section| list(play, section))
        .filter_map(move |task| words.iter().find_map(|word| task.get(word)?.get("name")?.as_str()));
    named.chain(included).map(str::to_owned).collect()
}

struct Reader<'a> {
    files: &'a [PlaybookFile],
    seen: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    fn new(files: &'a [PlaybookFile]) -> Self {
        Self {
            files,
            seen: BTreeSet::new(),
        }
    }

    /// The text of a file that was not read yet.
    fn text(&mut self, path: &str) -> Option<&'a str> {
        if self.seen.len() >= MAX_FILES || !self.seen.insert(path.to_owned()) {
            return None;
        }
        let file = self.files.iter().find(|file| file.path == path)?;
        (file.content.len() <= MAX_BYTES).then_some(())?;
        std::str::from_utf8(&file.content).ok()
    }

    /// The plays of a playbook and of those it imports, in order. What cannot be read has none.
    fn plays(&mut self, path: &str) -> Vec<Map<String, Value>> {
        let Some(Value::Array(items)) = self.text(path).and_then(yaml::read_values) else {
            return Vec::new();
        };
        let mut plays = Vec::new();
        for item in items {
            let Value::Object(item) = item else { continue };
            let import = ["import_playbook", "ansible.builtin.import_playbook"]
                .iter()
                .find_map(|word| item.get(*word)?.as_str());
            match import {
                Some(import) => {
                    if let Some(path) = beside(path, import) {
                        plays.extend(self.plays(&path));
                    }
                }
                None => plays.push(item),
            }
        }
        plays
    }

    /// The options of a role's main entry point.
    fn argument_specs(&mut self, folder: &str, role: &str) -> Vec<(String, Map<String, Value>)> {
        let mut roots = vec![String::new()];
        if !folder.is_empty() {
            roots.insert(0, format!("{folder}/"));
        }
        for root in roots {
            for file in ["argument_specs.yml", "argument_specs.yaml", "main.yml", "main.yaml"] {
                let Some(text) = self.text(&format!("{root}roles/{role}/meta/{file}")) else {
                    continue;
                };
                let Some(Value::Object(meta)) = yaml::read_values(text) else {
                    continue;
                };
                let options = meta
                    .get("argument_specs")
                    .and_then(|specs| specs.get("main")?.get("options"));
                if let Some(Value::Object(options)) = options {
                    let options = options
                        .iter()
                        .filter_map(|(name, option)| Some((name.clone(), option.as_object()?.clone())));
                    return options.collect();
                }
            }
        }
        Vec::new()
    }
}

/// The path of `name` beside the file at `path`; `None` when it leads out of the package.
fn beside(path: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    (!name.starts_with('/')).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn files(texts: &[(&str, &str)]) -> Vec<PlaybookFile> {
        texts
            .iter()
            .map(|(path, text)| PlaybookFile {
                path: (*path).to_owned(),
                mode: 0o644,
                content: text.as_bytes().to_vec(),
            })
            .collect()
    }

    fn told(form: &Form) -> Vec<Value> {
        let fields = form.fields.iter();
        fields
            .map(|field| {
                json!([
                    field.name,
                    field.field_type,
                    field.label,
                    field.required,
                    field.default,
                    field.origin
                ])
            })
            .collect()
    }

    #[test]
    fn prompts_become_fields() {
        let text = "- hosts: all\n  vars_prompt:\n    - {name: user, prompt: 'User name? ', private: no}\n    - name: pin\n    - {name: port, prompt: 'Port:', private: false, default: 8080}\n    - {name: token, default: x, encrypt: sha512_crypt, confirm: yes}\n    - {name: home, private: no, default: '{{ x }}'}\n    - {name: ansible_user, private: no}\n    - {name: user, prompt: again}\n";
        let files = files(&[("site.yml", text)]);
        let form = draft(&files, "site.yml");
        assert_eq!(
            told(&form),
            [
                json!(["user", "text", "User name?", true, null, "vars_prompt"]),
                json!(["pin", "secret", "pin", true, null, "vars_prompt"]),
                json!(["port", "text", "Port", false, "8080", "vars_prompt"]),
                json!(["token", "secret", "token", false, null, "vars_prompt"]),
                json!(["home", "text", "home", false, null, "vars_prompt"]),
            ]
        );
        let help = form.field("token").unwrap().help.clone().unwrap();
        assert!(
            help.contains("sha512_crypt") && help.contains("twice") && help.contains("default"),
            "{help}"
        );
        let prompts = prompts(&files, "site.yml");
        let names: Vec<_> = prompts
            .iter()
            .map(|p| (p.name.as_str(), p.private, p.has_default))
            .collect();
        assert_eq!(
            names,
            [
                ("user", true, false),
                ("pin", true, false),
                ("port", false, true),
                ("token", true, true),
                ("home", false, true),
                ("ansible_user", false, false),
            ]
        );
        assert!(prompts[5].unanswerable.is_some());
    }

    #[test]
    fn roles_and_variables_are_suggestions() {
        let site = "- import_playbook: plays/web.yml\n- import_playbook: ../x.yml\n- import_playbook: site.yml\n";
        let web = "- hosts: web\n  roles: [nginx, {role: app}, gone]\n  vars:\n    version: '1.10'\n    replicas: 2\n    debug: no\n    path: '{{ home }}/x'\n    list: [1]\n    db_password: x\n    sealed: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      61\n    port: 1\n    ansible_connection: local\n  tasks:\n    - include_role: {name: late}\n";
        let specs = "argument_specs:\n  main:\n    options:\n      port: {type: int, default: 80, description: [One., Two.]}\n      mode: {type: str, choices: [fast, slow], required: true, default: fast}\n      parts: {type: list, choices: [a, b]}\n      anything: {type: dict}\n      key: {type: str, no_log: true, default: x}\n      tls: {type: bool, default: 'yes'}\n";
        let files = files(&[
            ("site.yml", site),
            ("plays/web.yml", web),
            ("roles/nginx/meta/argument_specs.yml", specs),
            (
                "roles/app/meta/main.yml",
                "galaxy_info: {}\nargument_specs: {main: {options: {name: {}}}}\n",
            ),
            (
                "roles/late/meta/argument_specs.yaml",
                "argument_specs: {main: {options: {late: {}}}}\n",
            ),
        ]);
        let form = draft(&files, "site.yml");
        assert_eq!(
            told(&form),
            [
                json!(["key", "secret", "key", false, null, "argument_specs"]),
                json!(["mode", "choice", "mode", true, "fast", "argument_specs"]),
                json!(["parts", "multi_choice", "parts", false, null, "argument_specs"]),
                json!(["port", "number", "port", false, 80, "argument_specs"]),
                json!(["tls", "boolean", "tls", false, true, "argument_specs"]),
                json!(["name", "text", "name", false, null, "argument_specs"]),
                json!(["late", "text", "late", false, null, "argument_specs"]),
                json!(["db_password", "secret", "db_password", false, null, "vars"]),
                json!(["debug", "boolean", "debug", false, false, "vars"]),
                json!(["path", "text", "path", false, null, "vars"]),
                json!(["replicas", "number", "replicas", false, 2, "vars"]),
                json!(["sealed", "secret", "sealed", false, null, "vars"]),
                json!(["version", "text", "version", false, "1.10", "vars"]),
            ]
        );
        assert_eq!(form.field("port").unwrap().help.as_deref(), Some("One.\nTwo."));
        assert_eq!(form.faults(), []);
    }

    #[test]
    fn a_draft_is_bounded() {
        let many = (0..1000).map(|n| format!("    v{n}: 1")).collect::<Vec<_>>().join("\n");
        let files = files(&[("a.yml", &format!("- hosts: all\n  vars:\n{many}")), ("b.yml", "- [")]);
        assert_eq!(draft(&files, "a.yml").fields.len(), MAX_FIELDS);
        assert_eq!(draft(&files, "b.yml").fields, []);
        assert_eq!(draft(&files, "c.yml").fields, []);
    }
}
