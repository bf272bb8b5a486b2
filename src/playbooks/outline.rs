//! What a file's text tells at a glance: whether it is a list of plays, the first play's name, the leading comment.
//!
//! Deliberately no YAML parser for the plays: a library must list files that it cannot make sense of otherwise, and whether a
//! playbook is correct is for Ansible to say.

use super::front_matter::{self, FrontMatter, Parted};
use crate::domain::playbook::Outline;

/// Reads the outline of the playbook at `path`; `None` when the text is not a list of plays.
pub fn outline(path: &str, text: &str) -> Option<Outline> {
    // Editors for Windows like to begin with a byte order mark, and Ansible passes it over.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut list_indent: Option<usize> = None;
    let mut key_indent = 0;
    let mut items = 0;
    let mut is_playbook = false;
    let mut name = None;
    for line in text.lines() {
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
    is_playbook.then(|| {
        let Parted { comment, front_matter } = front_matter::part(&leading_comment(text));
        let (front_matter, error) = match front_matter {
            Ok(front_matter) => (front_matter, None),
            Err(error) => {
                let error = format!("the front matter `# admiral:` cannot be read: {error}");
                (FrontMatter::default(), Some(error))
            }
        };
        Outline {
            name: front_matter.name.or(name).unwrap_or_else(|| stem(path).to_owned()),
            description: front_matter.description.or_else(|| describe(&comment)),
            category: front_matter.category,
            accelerator: front_matter.accelerator,
            error,
            ..Outline::default()
        }
    })
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
            assert!(outline("x.yml", playbook).is_some(), "{playbook:?}");
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
            assert_eq!(outline("x.yml", other), None, "{other:?}");
        }
    }

    #[test]
    fn name_and_description() {
        let text = "#!/usr/bin/env ansible-playbook\n---\n# Rolls out\n# the agent.\n\n# not this\n- hosts: all\n  name: \"Agent: roll-out\" # x\n- name: second\n  hosts: b\n";
        let outline = outline("x.yml", text).unwrap();
        assert_eq!(outline.name, "Agent: roll-out");
        assert_eq!(outline.description.as_deref(), Some("Rolls out\nthe agent."));
    }

    #[test]
    fn front_matter_is_no_description() {
        let text = "---\n# Rolls out.\n#\n# admiral:\n#   accelerator: mitogen\n- hosts: all\n";
        let outline = outline("x.yml", text).unwrap();
        assert_eq!(outline.description.as_deref(), Some("Rolls out."));
        assert!(outline.accelerator.is_some());
    }

    #[test]
    fn a_plain_name_ends_at_a_comment() {
        let outline = outline("x.yml", "- hosts: all\n  name: a #1 b # comment\n").unwrap();
        assert_eq!(outline.name, "a");
        assert_eq!(
            super::outline("web/x.yml", "- hosts: all\n").unwrap(),
            Outline {
                name: "x".to_owned(),
                ..Outline::default()
            }
        );
    }
}
