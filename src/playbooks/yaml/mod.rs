//! YAML as Ansible reads it: merge keys, the last of two equal keys, tags such as `!vault` passed over.
//!
//! As a tree that knows lines and columns ([`parse`]), as values with the booleans of YAML 1.1 ([`read_values`]), or as a type of our
//! own, whose faults have their places ([`read`]).

mod node;
mod reader;

pub(super) use node::{Kind, Node, Style};
pub(super) use reader::{parse, parse_bytes};

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Options};

/// Reads one document as values, as tolerantly as Ansible does; `None` when it is no YAML, or empty.
pub(super) fn read_values(text: &str) -> Option<Value> {
    Some(parse(text).ok()?.root?.to_value())
}

/// Reads one document. The error says what is wrong and in which line and column.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    // The message goes into one line of an answer.
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_playbooks_hold_is_read() {
        let text = "---\n# x\n- hosts: all\n  become: yes\n  vars: &v {a: 7, b: !unsafe '{{ x }}'}\n  more:\n    <<: *v\n    c: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162\n  name: one\n  name: two\n  when: a is defined and b\n";
        let plays: Value = read(text).unwrap();
        assert_eq!(read_values(text).as_ref(), Some(&plays));
        assert_eq!(plays[0]["become"], json!(true));
        assert_eq!(plays[0]["name"], json!("two"));
        assert_eq!(plays[0]["more"]["b"], json!("{{ x }}"));
        assert_eq!(plays[0]["more"]["c"], json!("$ANSIBLE_VAULT;1.1;AES256\n6162\n"));
        assert_eq!(plays[0]["when"], json!("a is defined and b"));
    }

    #[test]
    fn an_error_says_where() {
        let error = read::<Value>("- a: 1\n  b: [\n").unwrap_err();
        assert!(error.contains("line"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
