//! What a playbook tells at a glance: its name and description, and what its plays name.
//!
//! Whether a file is a list of plays is told by its text: a library must list files that are no YAML at all, with what is wrong with
//! them. Whether a playbook is correct is for Ansible to say.

use super::{
    front_matter::{self, FrontMatter, Parted},
    yaml::{self, Node},
};
use crate::domain::playbook::Outline;
use std::{borrow::Cow, collections::HashSet};

/// Names of one kind that are listed at most.
const MAX_LISTED: usize = 200;

/// Larger playbooks are not read, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Reads the outline of the playbook at `path`; `None` when the content is not a list of plays. Of a larger one than is read,
/// `content` need not be more than its beginning.
pub fn outline(path: &str, content: &[u8]) -> Option<Outline> {
    let text = String::from_utf8_lossy(content);
    let mut outline = of_text(path, &text)?;
    if matches!(text, Cow::Owned(_)) {
        // It is not UTF-8, and where is said.
        outline.error = yaml::parse_bytes(content).err().map(|wrong| wrong.to_string());
    }
    if content.len() > MAX_BYTES {
        outline.error = Some("it is larger than 1 MiB, which is not read".to_owned());
    }
    replace_nul(&mut outline);
    Some(outline)
}

/// No text of PostgreSQL's holds NUL, and YAML can.
fn replace_nul(outline: &mut Outline) {
    let Outline {
        name,
        description,
        category,
        accelerator: _,
        hosts,
        variables,
        tags,
        roles,
        error,
    } = outline;
    let texts = [description, category, error].into_iter().flatten().chain([name]);
    for text in texts.chain([hosts, variables, tags, roles].into_iter().flatten()) {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
}

fn of_text(path: &str, text: &str) -> Option<Outline> {
    // Editors for Windows like to begin with a byte order mark, and Ansible passes it over.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let name = recognise(text)?;
    let Parted { comment, front_matter } = front_matter::part(&leading_comment(text));
    let (front_matter, mut error) = match front_matter {
        Ok(front_matter) => (front_matter, None),
        Err(error) => {
            let error = format!("the front matter `# admiral:` cannot be read: {error}");
            (FrontMatter::default(), Some(error))
        }
    };
    let mut plays = Plays::default();
    match yaml::parse(text) {
        Ok(document) => plays.read(document.root.as_ref().map_or(&[][..], Node::items)),
        // Where Ansible may see it otherwise, it says so itself at launch.
        Err(wrong) if wrong.disputed => {}
        Err(wrong) => error = error.or(Some(wrong.to_string())),
    }
    Some(Outline {
        name: front_matter
            .name
            .or(plays.name)
            .or(name)
            .unwrap_or_else(|| stem(path).to_owned()),
        description: front_matter.description.or_else(|| describe(&comment)),
        category: front_matter.category,
        accelerator: front_matter.accelerator,
        hosts: plays.hosts.names,
        variables: plays.variables.names,
        tags: plays.tags.names,
        roles: plays.roles.names,
        error,
    })
}

/// Whether a text is a list of plays.
pub(super) fn is_playbook(text: &str) -> bool {
    recognise(text).is_some()
}

/// The first play's name, as far as the text tells, when it is a list of plays.
#[expect(clippy::option_option, reason = "a playbook need not have a name")]
fn recognise(text: &str) -> Option<Option<String>> {
    let mut list_indent: Option<usize> = None;
    let mut key_indent = 0;
    let mut items = 0;
    let mut is_playbook = false;
    let mut name = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        if content.is_empty() || content.starts_with('#') || content.starts_with("---") || content.starts_with('%') {
            continue;
        }
        let item = content
            .strip_prefix('-')
            .filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let key = match (list_indent, item) {
            // The first thing in the file has to be an item of a list.
            (None, None) => return None,
            (Some(list), Some(rest)) if indent == list => begin_item(indent, rest, &mut key_indent),
            (None, Some(rest)) => {
                list_indent = Some(indent);
                begin_item(indent, rest, &mut key_indent)
            }
            (Some(list), _) if indent > list => {
                if key_indent == 0 {
                    key_indent = indent;
                }
                if indent != key_indent {
                    continue;
                }
                content
            }
            _ => continue,
        };
        if item.is_some() && Some(indent) == list_indent {
            items += 1;
        }
        let Some((key, value)) = key.split_once(':') else {
            continue;
        };
        match key.trim().trim_matches(['"', '\'']) {
            "hosts" | "import_playbook" | "ansible.builtin.import_playbook" => is_playbook = true,
            "name" if items == 1 => name = plain_value(value),
            _ => {}
        }
    }
    is_playbook.then_some(name)
}

/// Names in order of appearance, each once.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    known: HashSet<String>,
}

impl Names {
    fn add(&mut self, name: &str) {
        if !name.is_empty() && self.names.len() < MAX_LISTED && self.known.insert(name.to_owned()) {
            self.names.push(name.to_owned());
        }
    }
}

/// What plays name.
#[derive(Default)]
struct Plays {
    name: Option<String>,
    hosts: Names,
    variables: Names,
    tags: Names,
    roles: Names,
}

impl Plays {
    fn read(&mut self, plays: &[Node]) {
        self.name = plays.first().and_then(|play| play.get_text("name")).map(str::to_owned);
        for play in plays {
            for host in play.get("hosts").map_or(&[][..], Node::items_or_self) {
                self.hosts.add(host.text().unwrap_or_default());
            }
            // Variables have either form.
            for vars in play.get("vars").map_or(&[][..], |vars| {
                if vars.is_mapping() {
                    std::slice::from_ref(vars)
                } else {
                    vars.items()
                }
            }) {
                for (name, _) in vars.pairs() {
                    self.variables.add(name.text().unwrap_or_default());
                }
            }
            for prompt in play.get("vars_prompt").map_or(&[][..], Node::items) {
                self.variables.add(prompt.get_text("name").unwrap_or_default());
            }
            self.tags(play);
            for role in play.get("roles").map_or(&[][..], Node::items) {
                let name = role.value().or(role.get_text("role")).or(role.get_text("name"));
                self.role(name.unwrap_or_default());
                self.tags(role);
            }
            for tasks in ["pre_tasks", "tasks", "post_tasks", "handlers"] {
                self.tasks(play.get(tasks).map_or(&[][..], Node::items));
            }
        }
    }

    fn tasks(&mut self, tasks: &[Node]) {
        for task in tasks {
            self.tags(task);
            for (key, value) in task.pairs() {
                match key.text().unwrap_or_default() {
                    "block" | "rescue" | "always" => self.tasks(value.items()),
                    "import_role" | "include_role" | "ansible.builtin.import_role" | "ansible.builtin.include_role" => {
                        let short = || {
                            let mut words = value.text()?.split_whitespace();
                            words.find_map(|word| word.strip_prefix("name="))
                        };
                        self.role(value.get_text("name").or_else(short).unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
    }

    /// A role whose name is no expression.
    fn role(&mut self, name: &str) {
        if !name.contains("{{") {
            self.roles.add(name);
        }
    }

    fn tags(&mut self, of: &Node) {
        for tag in of.get("tags").map_or(&[][..], Node::items_or_self) {
            for tag in tag.text().unwrap_or_default().split(',') {
                self.tags.add(tag.trim());
            }
        }
    }
}

fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// The rest of an item's first line; its keys stand in the column where that begins (unknown yet when it is empty).
fn begin_item<'a>(indent: usize, rest: &'a str, key_indent: &mut usize) -> &'a str {
    let content = rest.trim_start_matches(' ');
    *key_indent = if content.is_empty() {
        0
    } else {
        indent + 1 + (rest.len() - content.len())
    };
    content
}

fn plain_value(value: &str) -> Option<String> {
    let value = value.trim();
    let text = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next().unwrap_or_default(),
        '|' | '>' | '#' | '&' | '*' => "",
        _ => value.split(" #").next().unwrap_or_default().trim_end(),
    };
    (!text.is_empty()).then(|| text.to_owned())
}

/// The lines of the comment before the first play, with their numbers in the file, from 0.
fn leading_comment(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match line.trim() {
            comment if is_for_tools(comment) => {}
            comment if comment.starts_with('#') => lines.push((number, line)),
            "---" => {}
            "" if lines.is_empty() => {}
            _ => break,
        }
    }
    lines
}

fn is_for_tools(comment: &str) -> bool {
    let marks = ["!", "-*-", "vim:", "SPDX-", "code: language"];
    let text = comment.trim_start_matches('#').trim_start();
    comment.starts_with('#') && marks.iter().any(|mark| text.starts_with(mark))
}

fn describe(comment: &[&str]) -> Option<String> {
    let lines: Vec<&str> = comment
        .iter()
        .map(|line| line.trim().trim_start_matches('#').trim())
        .collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_plays_are_told_from_everything_else() {
        for playbook in [
            "- hosts: all\n",
            "---\n# x\n- name: a\n  hosts: all\n  tasks:\n    - ping:\n",
            "  - name: a\n    hosts: web\n",
            "-\n  hosts: all\n",
            "- import_playbook: other.yml\n",
            "- name: b\n  ansible.builtin.import_playbook: other.yml\n",
            "%YAML 1.1\n---\n- 'hosts': all\n",
            "-   gather_facts: false\n    hosts: all\n",
            "\u{feff}---\r\n- hosts: all\r\n",
        ] {
            assert!(outline("x.yml", playbook.as_bytes()).is_some(), "{playbook:?}");
        }
        for other in [
            "",
            "---\n",
            "hosts: all\n",
            "- name: task\n  ansible.builtin.debug:\n    hosts: all\n",
            "all:\n  hosts:\n    a:\n",
            "- debug:\n    msg: hosts\n",
            "- name: x\n  vars:\n    - hosts: y\n",
            "text\n- hosts: all\n",
        ] {
            assert_eq!(outline("x.yml", other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn name_and_description() {
        let text = "#!/usr/bin/env ansible-playbook\n---\n# Rolls out\n# the agent.\n\n# not this\n- hosts: all\n  name: \"Agent: roll-out\" # x\n- name: second\n  hosts: b\n";
        let outline = outline("x.yml", text.as_bytes()).unwrap();
        assert_eq!(outline.name, "Agent: roll-out");
        assert_eq!(outline.description.as_deref(), Some("Rolls out\nthe agent."));
    }

    #[test]
    fn front_matter_is_no_description() {
        let text = "---\n# Rolls out.\n#\n# admiral:\n#   accelerator: mitogen\n- hosts: all\n";
        let outline = outline("x.yml", text.as_bytes()).unwrap();
        assert_eq!(outline.description.as_deref(), Some("Rolls out."));
        assert!(outline.accelerator.is_some());
    }

    #[test]
    fn a_plain_name_ends_at_a_comment() {
        let outline = outline("x.yml", b"- hosts: all\n  name: a #1 b # comment\n").unwrap();
        assert_eq!(outline.name, "a");
        assert_eq!(
            super::outline("web/x.yml", b"- hosts: all\n").unwrap(),
            Outline {
                name: "x".to_owned(),
                hosts: vec!["all".to_owned()],
                ..Outline::default()
            }
        );
    }

    #[test]
    fn what_plays_name_is_listed_once_and_in_order() {
        let text = "- hosts: [web, db]\n  tags: a, b\n  vars: {port: 80, name: x}\n  vars_prompt:\n    - name: release\n    - name: port\n  \
                    roles:\n    - nginx\n    - {role: php, tags: [c]}\n    - '{{ x }}'\n  tasks:\n    - import_role: name=tls\n      tags: a\n    \
                    - block:\n        - include_role: {name: 'x-{{ y }}'}\n          tags: [d]\n        - ansible.builtin.include_role: {name: nginx}\n      \
                    rescue:\n        - debug:\n          tags: e\n- hosts: db\n  name: second\n  roles: [postgresql]\n";
        let outline = outline("site.yml", text.as_bytes()).unwrap();
        assert_eq!(outline.error, None);
        assert_eq!(outline.name, "site");
        assert_eq!(outline.hosts, ["web", "db"]);
        assert_eq!(outline.variables, ["port", "name", "release"]);
        assert_eq!(outline.tags, ["a", "b", "c", "d", "e"]);
        assert_eq!(outline.roles, ["nginx", "php", "tls", "postgresql"]);
        let many = (0..1000)
            .map(|number| format!("- hosts: h{number}\n"))
            .collect::<Vec<_>>()
            .concat();
        assert_eq!(
            super::outline("x.yml", many.as_bytes()).unwrap().hosts.len(),
            MAX_LISTED
        );
    }

    #[test]
    fn a_broken_file_is_listed_with_what_is_wrong() {
        let broken = outline(
            "x.yml",
            b"- hosts: all\n  name: Roll-out\n  tasks:\n    - debug: msg={{ x }}: y\n    - x: [\n",
        )
        .unwrap();
        assert_eq!(broken.name, "Roll-out");
        let error = broken.error.unwrap();
        assert!(error.starts_with("line 4, column "), "{error}");
        // Ansible reads this one.
        let loose = outline("x.yml", b"- hosts: all\n  tasks:\n    - shell: \"a\n    b\"\n").unwrap();
        assert_eq!(loose.error, None);
        let both = outline("x.yml", b"# admiral:\n#   speed: 9\n- hosts: [\n")
            .unwrap()
            .error
            .unwrap();
        assert!(both.contains("front matter"), "{both}");
    }

    #[test]
    fn a_file_that_is_not_read_is_listed_with_the_reason() {
        let latin = outline("x.yml", b"# Caf\xe9\n- hosts: all\n  name: One\n").unwrap();
        assert_eq!(latin.name, "One");
        assert_eq!(latin.error.as_deref(), Some("line 1, column 6: this is not UTF-8"));
        let long = format!("- hosts: all\n# {}\n", "x".repeat(MAX_BYTES));
        let error = outline("x.yml", &long.as_bytes()[..=MAX_BYTES]).unwrap().error.unwrap();
        assert!(error.contains("larger than 1 MiB"), "{error}");
    }

    #[test]
    fn no_text_holds_nul() {
        let text = "- hosts: \"w\\0eb\"\n  name: \"x\\0y\"\n  tags: \"t\\0\"\n";
        let outline = outline("x.yml", text.as_bytes()).unwrap();
        assert_eq!(
            (outline.name.as_str(), outline.hosts[0].as_str()),
            ("x\u{fffd}y", "w\u{fffd}eb")
        );
        assert!(!serde_json::to_string(&outline).unwrap().contains("\\u0000"));
        let commented = super::outline("x.yml", b"# a\0b\n- hosts: all\n").unwrap();
        assert_eq!(commented.description.as_deref(), Some("a\u{fffd}b"));
    }
}
