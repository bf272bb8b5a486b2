//! The last words of a run that broke off: what its output says when its events say nothing.

use super::fold::MAX_MESSAGE_CHARS;
use anstream::adapter::strip_str;

/// How many lines are kept.
const MAX_LINES: usize = 5;
/// How Ansible begins the sentence that it ends with: since 2.19, and before.
const ERROR_MARKS: [&str; 2] = ["[ERROR]: ", "ERROR! "];

/// The lines of an output's end that tell why it ended there: from Ansible's own last error on, or else the last ones. At most
/// 5 lines and 1000 characters, without colours and empty lines; `None` when there is nothing.
///
/// `output` may begin anywhere but in the middle of a line.
pub fn last_words(output: &str) -> Option<String> {
    let plain = strip_str(output).to_string();
    let lines: Vec<&str> = plain
        .lines()
        .map(|line| line.trim_end_matches(|end: char| end.is_whitespace() || end == '\0'))
        .filter(|line| !line.trim_start().is_empty())
        .collect();
    let error = lines
        .iter()
        .rposition(|line| ERROR_MARKS.iter().any(|mark| line.starts_with(mark)));
    let kept = match error {
        Some(at) => &lines[at..lines.len().min(at + MAX_LINES)],
        None => &lines[lines.len().saturating_sub(MAX_LINES)..],
    };
    let mut words = kept.join("\n");
    super::wire::drop_nul(&mut words);
    if words.chars().count() > MAX_MESSAGE_CHARS {
        // An error says it first; where there is none, the last word counts.
        words = if error.is_some() {
            words.chars().take(MAX_MESSAGE_CHARS - 1).chain(['…']).collect()
        } else {
            let skipped = words.chars().count() - MAX_MESSAGE_CHARS + 1;
            ['…'].into_iter().chain(words.chars().skip(skipped)).collect()
        };
    }
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_without_colours() {
        assert_eq!(last_words(""), None);
        assert_eq!(last_words("\n \n\u{1b}[0m\n"), None);
        let output = "1\n2\n\u{1b}[0;31m3\u{1b}[0m\r\n\n4\n5\n  6  \n";
        assert_eq!(last_words(output).as_deref(), Some("2\n3\n4\n5\n  6"));
    }

    #[test]
    fn ansibles_own_error_comes_before_what_follows_it() {
        let newer = "PLAY [all]\n\u{1b}[1;35m[WARNING]: old\u{1b}[0m\n\u{1b}[0;31m[ERROR]: conflicting action statements: debug, \
                     command\nOrigin: /p/site.yml:5:7\n\n3   tasks:\n4\n5     - debug:\n        ^ column 7\n\u{1b}[0m\nmore\n";
        assert_eq!(
            last_words(newer).as_deref(),
            Some(
                "[ERROR]: conflicting action statements: debug, command\nOrigin: /p/site.yml:5:7\n3   tasks:\n4\n5     - debug:"
            )
        );
        let older = "noise\nERROR! no action detected in task\n";
        assert_eq!(last_words(older).as_deref(), Some("ERROR! no action detected in task"));
    }

    #[test]
    fn the_length_is_bounded_and_what_counts_is_kept() {
        let last = last_words(&format!("{}the end", "é".repeat(2000))).expect("words");
        assert_eq!(last.chars().count(), MAX_MESSAGE_CHARS);
        assert!(last.starts_with('…') && last.ends_with("the end"));
        let error = last_words(&format!("ERROR! why{}", "é".repeat(2000))).expect("words");
        assert_eq!(error.chars().count(), MAX_MESSAGE_CHARS);
        assert!(error.starts_with("ERROR! why") && error.ends_with('…'));
    }
}
