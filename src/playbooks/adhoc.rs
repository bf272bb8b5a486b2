//! One module on the targets, as a playbook of one task: so it is frozen, run, watched and retried as any other.

use crate::domain::{
    playbook::{PlaybookFile, PlaybookId, PlaybookOrigin},
    validation::{Invalid, Validator},
};
use serde_json::Value;

/// The package that these playbooks are versions of. No folder and no upload can be called so, and no list shows it.
pub const PACKAGE: &str = ".adhoc";
/// The playbook in it.
pub const ENTRY_PATH: &str = "adhoc.yml";

const MAX_ARGUMENTS: usize = 64 * 1024;
/// What is no module but part of a playbook's own grammar; `ansible` refuses it as well.
const NOT_FOR_COMMANDS: [&str; 4] = ["include", "import", "meta", "add_host"];

/// The playbook of `module` with `arguments` as `ansible -a` takes them: `name=value …`, a JSON object, or the free form of modules that
/// have one. Templates in the arguments are evaluated for each host, as `ansible` does.
pub fn playbook(module: &str, arguments: &str) -> Result<PlaybookFile, Invalid> {
    let mut validator = Validator::new();
    let parts: Vec<&str> = module.split('.').collect();
    let is_name = module.len() <= 200
        && (parts.len() == 1 || parts.len() >= 3)
        && parts.iter().all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
    validator.check(
        is_name,
        "command.module",
        "must be a module's name, such as ping or ansible.builtin.command",
    );
    let short = parts.last().copied().unwrap_or_default();
    validator.check(
        !NOT_FOR_COMMANDS
            .iter()
            .any(|word| short == *word || short.starts_with(&format!("{word}_"))),
        "command.module",
        "is part of playbooks and cannot be run alone",
    );
    validator.check(
        arguments.len() <= MAX_ARGUMENTS && !arguments.contains('\0'),
        "command.arguments",
        "must be at most 65536 bytes",
    );
    validator.finish()?;
    let given = match serde_json::from_str::<Value>(arguments) {
        Ok(object @ Value::Object(_)) => object,
        _ if arguments.trim().is_empty() => Value::Null,
        _ => Value::String(arguments.to_owned()),
    };
    // JSON is YAML.
    let text = format!(
        "- name: {module}\n  hosts: all\n  gather_facts: false\n  tasks:\n    - name: {module}\n      {module}: {given}\n"
    );
    Ok(PlaybookFile {
        path: ENTRY_PATH.to_owned(),
        mode: 0o644,
        content: text.into_bytes(),
    })
}

/// The id that a command's deployment has in place of a playbook's.
pub fn id() -> Option<PlaybookId> {
    PlaybookId::new(PlaybookOrigin::BuiltIn, format!("{PACKAGE}/{ENTRY_PATH}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(module: &str, arguments: &str) -> String {
        String::from_utf8(playbook(module, arguments).unwrap().content).unwrap()
    }

    #[test]
    fn a_command_is_a_playbook_of_one_task() {
        assert!(text("ping", " ").ends_with("      ping: null\n"));
        let shell = text("ansible.builtin.shell", "echo \"a: b\" # c");
        assert!(
            shell.ends_with("      ansible.builtin.shell: \"echo \\\"a: b\\\" # c\"\n"),
            "{shell}"
        );
        assert!(text("user", r#"{"name": "x", "groups": ["a"]}"#).contains(r#"user: {"groups":["a"],"name":"x"}"#));
        assert!(id().is_some());
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for module in [
            "",
            "a b",
            "a: b",
            "ping\n",
            "a.b",
            "include_tasks",
            "ansible.builtin.import_role",
            "meta",
            "x-y",
            "{{ x }}",
        ] {
            assert_eq!(
                playbook(module, "").unwrap_err().errors[0].field,
                "command.module",
                "{module:?}"
            );
        }
        assert_eq!(playbook("ping", "\0").unwrap_err().errors[0].field, "command.arguments");
    }
}
