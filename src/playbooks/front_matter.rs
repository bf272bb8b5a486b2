//! What a playbook tells Admiral about itself, in the comment at its beginning:
//!
//! ```yaml
//! # Rolls out the agent.
//! #
//! # admiral:
//! #   category: Web servers
//! #   accelerator: mitogen
//! ```
//!
//! The line `# admiral:` and the comment lines below it that are indented further, read as YAML. Ansible sees a comment.

use super::yaml;
use crate::domain::deployment::Accelerator;
use serde::Deserialize;

/// What the front matter may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrontMatter {
    /// What the playbook is called, instead of its first play's name.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// What it is for, instead of the comment around the front matter.
    #[serde(default)]
    pub(super) description: Option<String>,
    /// What the library groups it by.
    #[serde(default)]
    pub(super) category: Option<String>,
    /// The accelerator to use unless the launch says otherwise.
    #[serde(default)]
    pub(super) accelerator: Option<Accelerator>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    admiral: Option<FrontMatter>,
}

/// A leading comment, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parted<'a> {
    /// The comment's other lines, with their `#`.
    pub(super) comment: Vec<&'a str>,
    /// What the front matter says; the error says what is wrong with it, with the line of the file.
    pub(super) front_matter: Result<FrontMatter, String>,
}

/// Takes the front matter out of a playbook's leading comment. `lines` are its lines with their numbers in the file, from 0.
pub(super) fn part<'a>(lines: &[(usize, &'a str)]) -> Parted<'a> {
    let mut comment = Vec::new();
    // Each line stays where it is in the file, `#` and all, so that the reader's line and column are the file's.
    let mut yaml = String::new();
    let mut next_line = 0;
    let mut depth = None;
    for &(number, line) in lines {
        let text = line.trim_start().strip_prefix('#').unwrap_or_default();
        let indent = line.len() - text.trim_start().len();
        let is_blank = text.trim().is_empty();
        let belongs = match depth {
            None => text.trim() == "admiral:",
            Some(start) => is_blank || indent > start,
        };
        if !belongs {
            depth = depth.map(|_| usize::MAX);
            comment.push(line);
            continue;
        }
        depth = depth.or(Some(indent));
        yaml.extend(std::iter::repeat_n('\n', number - next_line));
        next_line = number;
        if !is_blank {
            yaml.push_str(&line.replacen('#', " ", 1));
        }
    }
    let front_matter = if depth.is_none() {
        Ok(FrontMatter::default())
    } else {
        yaml::read::<Document>(&yaml).map(|document| document.admiral.unwrap_or_default())
    };
    Parted { comment, front_matter }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<&str>, Result<FrontMatter, String>) {
        let lines: Vec<(usize, &str)> = text.lines().enumerate().collect();
        let parted = part(&lines);
        (parted.comment, parted.front_matter)
    }

    const MITOGEN: FrontMatter = FrontMatter {
        name: None,
        description: None,
        category: None,
        accelerator: Some(Accelerator::Mitogen),
    };

    #[test]
    fn it_may_stand_anywhere_in_the_comment() {
        let text = "# Rolls out\n#\n# admiral:\n#   accelerator: mitogen # fast\n# the agent.\n#   indented prose: [";
        assert_eq!(
            read(text),
            (
                vec!["# Rolls out", "#", "# the agent.", "#   indented prose: ["],
                Ok(MITOGEN)
            )
        );
        assert_eq!(read("#admiral:\n#  accelerator: 'mitogen'\n").1, Ok(MITOGEN));
        assert_eq!(
            read("# admiral:\n#   accelerator: none").1.unwrap().accelerator,
            Some(Accelerator::None)
        );
        assert_eq!(read("# admiral:\n# x").1, Ok(FrontMatter::default()));
        assert_eq!(read("").1, Ok(FrontMatter::default()));
    }

    #[test]
    fn prose_is_no_front_matter() {
        for text in [
            "# admiral: the officer",
            "# the admiral:\n#   accelerator: warp",
            "## admiral:\n##   x: y",
        ] {
            assert_eq!(read(text).1, Ok(FrontMatter::default()), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, expected) in [
            ("# x\n# admiral:\n#   accelerator: warp", ["warp", "line 3"]),
            ("# x\n#\n# admiral:\n#   speed: 9", ["speed", "line 4"]),
            ("# admiral:\n#   accelerator: [", ["line 2", ""]),
            ("# admiral:\n#   - mitogen", ["line 2", ""]),
        ] {
            let error = read(text).1.unwrap_err();
            assert!(expected.iter().all(|part| error.contains(part)), "{text:?}: {error}");
        }
    }
}
