//! Variables that tasks and templates use and nothing in the package gives a value: a server, an environment or the launch must.
//!
//! Names are compared over the whole package, wherever it gives them a value, so that what is named here is hardly ever wrong; a name
//! that is defined for one play and missed in another is not found.

use super::{
    jinja::{self, Token},
    package::{Package, is_yaml},
    walk::Walk,
};
use crate::{
    domain::finding::{Finding, Severity},
    playbooks::{
        form,
        yaml::{self, Node},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
};

/// What Ansible and Jinja define, beside all that begins with one of [`PREFIXES`].
const KNOWN: [&str; 31] = [
    "environment",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "item",
    "loop",
    "namespace",
    "omit",
    "packages",
    "parent_role_names",
    "parent_role_paths",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
    "self",
    "services",
    "vars",
    "caller",
    "kwargs",
    "varargs",
    "undef",
    "template_path",
    "template_host",
    "discovered_interpreter_python",
];
const PREFIXES: [&str; 5] = ["ansible_", "getent_", "facter_", "ohai_", "molecule_"];
/// Words of Jinja's statements.
const STATEMENTS: [&str; 24] = [
    "elif",
    "endfor",
    "endset",
    "endmacro",
    "endcall",
    "endwith",
    "endfilter",
    "block",
    "endblock",
    "filter",
    "do",
    "include",
    "ignore",
    "missing",
    "extends",
    "continue",
    "break",
    "recursive",
    "scoped",
    "without",
    "context",
    "import",
    "as",
    "required",
];
/// Prose, whose words define nothing.
const PROSE: [&str; 5] = [".md", ".rst", ".txt", ".adoc", "LICENSE"];
/// Keys of tasks whose values are expressions without braces.
const BARE: [&str; 6] = ["when", "failed_when", "changed_when", "until", "that", "var"];
/// Keys whose values become names.
const NAMING: [&str; 4] = ["register", "loop_var", "index_var", "name"];
/// Larger files are not looked into, in bytes.
const MAX_FILE: usize = 256 * 1024;
/// No more than this is read of what the review has not read already, in bytes.
const MAX_TOTAL: usize = 4 * 1024 * 1024;
/// As many names are kept in mind.
const MAX_USED: usize = 10_000;
/// As many are named.
const MAX_NAMED: usize = 50;

/// Where a variable is used first.
type Uses = BTreeMap<String, (String, u32, u32)>;

#[derive(Default)]
struct Survey {
    defined: HashSet<String>,
    /// Somewhere it is asked whether there is a value, or one is given instead.
    optional: HashSet<String>,
    used: Uses,
}

/// Notes them. `asked` are the names that forms ask for.
pub(super) fn judge(walk: &mut Walk<'_>, asked: &BTreeSet<String>) {
    // What comes from elsewhere, or is encrypted, may define anything.
    let package = &walk.package;
    if package.has_roles_outside || !package.required_roles.is_empty() || has_sealed_files(package) {
        return;
    }
    let mut survey = Survey::default();
    let (mut others, mut room) = (Vec::new(), MAX_TOTAL);
    for path in package.paths() {
        if let Some(document) = package.known_document(path) {
            survey.document(path, &document, true);
            continue;
        }
        let Some(text) = package.text(path) else { continue };
        let is_read = is_yaml(path) || (is_template_file(path) && text.len() <= MAX_FILE);
        if !is_read {
            others.push((path, text));
            continue;
        }
        if text.len() > room {
            return;
        }
        room -= text.len();
        if !is_yaml(path) {
            survey.template(path, text);
        } else if let Some(document) = yaml::parse(text).ok().and_then(|document| document.root) {
            // Nothing led here: it may define, and what it uses is nobody's concern.
            survey.document(path, &document, false);
        }
    }
    let Survey {
        defined,
        optional,
        mut used,
    } = survey;
    used.retain(|name, _| {
        !defined.contains(name)
            && !optional.contains(name)
            && !asked.contains(name)
            && !KNOWN.contains(&name.as_str())
            && !STATEMENTS.contains(&name.as_str())
            && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    });
    // Modules and inventories define in ways of their own.
    for (path, text) in others {
        let is_prose = PROSE.iter().any(|ending| path.ends_with(ending));
        if !is_prose && !is_template_file(path) && text.len() <= MAX_FILE {
            for word in words(text) {
                used.remove(word);
            }
        }
    }
    for (name, (path, line, column)) in used.into_iter().take(MAX_NAMED) {
        let message =
            format!("nothing in the package gives {name} a value: a server, an environment or the launch has to");
        walk.findings
            .add(&path, line, column, Severity::Note, "undefined_variable", message);
    }
}

/// Notes fields of a form that nothing uses.
pub(super) fn judge_form(walk: &mut Walk<'_>, entry: &str, fields: &BTreeSet<String>) {
    let form = form::form_path(entry);
    let package = &walk.package;
    let mut unused = fields.clone();
    for path in package.paths().filter(|path| *path != form) {
        if unused.is_empty() || package.is_sealed(path) {
            return;
        }
        for word in package.text(path).into_iter().flat_map(words) {
            unused.remove(word);
        }
    }
    for name in unused {
        walk.findings.insert(Finding {
            path: form.clone(),
            line: None,
            column: None,
            severity: Severity::Note,
            rule: "unused_field".to_owned(),
            message: format!("the form asks for {name}, which nothing in the package uses"),
        });
    }
}

fn has_sealed_files(package: &Package<'_>) -> bool {
    package.paths().any(|path| package.is_sealed(path))
}

fn is_template_file(path: &str) -> bool {
    let has_ending = Path::new(path).extension().is_some_and(|ending| ending == "j2");
    has_ending || path.split('/').any(|part| part == "templates")
}

/// Whether what looks like an expression may be meant for somebody else.
fn writes_templates(text: &str) -> bool {
    text.contains("endraw")
}

/// Words that could be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

impl Survey {
    fn document(&mut self, path: &str, document: &Node, is_used: bool) {
        let mut open = vec![(document, false)];
        while let Some((node, is_bare)) = open.pop() {
            open.extend(node.items().iter().map(|item| (item, is_bare)));
            for (key, value) in node.pairs() {
                let name = key.text().unwrap_or_default();
                self.defined.insert(name.to_owned());
                if NAMING.contains(&name) {
                    self.defined.extend(value.text().map(|text| text.trim().to_owned()));
                }
                open.push((key, false));
                // What a play's `hosts` needs is judged where the play is.
                if name != "hosts" || value.is_mapping() {
                    open.push((value, BARE.contains(&name)));
                }
            }
            let Some(text) = node.text().filter(|text| node.tag.is_none() && !writes_templates(text)) else {
                continue;
            };
            // `set_fact: a=1`
            let given = text.split_whitespace().filter_map(|word| word.split_once('='));
            self.defined.extend(given.map(|(name, _)| name.to_owned()));
            let mut expressions = jinja::expressions(text);
            if is_bare && !jinja::is_template(text) {
                expressions.push(jinja::tokens(text));
            }
            for expression in &expressions {
                self.expression(expression, is_used.then_some((path, node.line, node.column)));
            }
        }
    }

    fn template(&mut self, path: &str, text: &str) {
        // It may say that other marks than braces enclose its expressions.
        if text.starts_with("#jinja2:") || writes_templates(text) {
            return;
        }
        // A statement may span lines; where it begins is near enough.
        for (index, line) in text.lines().enumerate() {
            for expression in jinja::expressions(line) {
                self.expression(&expression, Some((path, index as u32 + 1, 1)));
            }
        }
        // What such a statement defines.
        for expression in jinja::expressions(text) {
            self.expression(&expression, None);
        }
    }

    /// Takes note of what an expression or a statement uses and defines.
    fn expression(&mut self, tokens: &[Token], at: Option<(&str, u32, u32)>) {
        let is_statement = |word: &str| matches!(tokens.first(), Some(Token::Name(name)) if name == word);
        let names = || {
            tokens.iter().filter_map(|token| match token {
                Token::Name(name) => Some(name.clone()),
                _ => None,
            })
        };
        let defines_all = [
            "macro", "call", "with", "import", "from", "block", "filter", "include", "extends",
        ];
        if defines_all.iter().any(|word| is_statement(word)) {
            self.defined.extend(names());
            return;
        }
        if is_statement("for") {
            self.defined.extend(names().skip(1).take_while(|name| name != "in"));
        } else if is_statement("set") {
            self.defined.extend(names().skip(1).take(1));
        }
        // `lookup('template', 'x.j2', template_vars=dict(who=item))`
        for pair in tokens.windows(2) {
            if let [Token::Name(name), Token::Symbol('=')] = pair {
                self.defined.insert(name.clone());
            }
        }
        let asks = jinja::has_default(tokens) || names().any(|name| name == "defined" || name == "undefined");
        for path in jinja::variables(tokens) {
            let Some(name) = path.into_iter().next() else { continue };
            if asks {
                self.optional.insert(name);
            } else if let Some((file, line, column)) = at
                && self.used.len() < MAX_USED
            {
                self.used.entry(name).or_insert_with(|| (file.to_owned(), line, column));
            }
        }
    }
}
