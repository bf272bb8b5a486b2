//! What a look at a package's files brings up before anything runs: broken YAML, missing pieces, and tasks that a reader should know
//! of. Pure and bounded. It warns; nothing here keeps a playbook from being saved or launched.
//!
//! Tasks are read as YAML, and the commands in them as a shell reads them: a dangerous word in a comment, a message or a name is none
//! of its business. What only a run can know (a value with Jinja in it) is passed over, or noted where an empty value would hurt.

mod findings;
mod hosts;
mod includes;
mod jinja;
mod lookup;
mod package;
mod place;
mod requirements;
mod scan;
mod shell;
mod task;
mod undefined;
mod walk;

use super::yaml;
use crate::domain::{finding::Finding, playbook::PlaybookFile};
use std::collections::BTreeSet;

/// More findings than these are left out, the less serious ones first.
pub const MAX_FINDINGS: usize = 500;

/// Looks through a package.
///
/// `entries` are the playbooks to start from, relative to the package; only what they lead to is judged. Without any, everything is.
/// The answer is sorted by path and line and has at most [`MAX_FINDINGS`] findings, and then one more that says so.
pub fn review(files: &[PlaybookFile], entries: &[String]) -> Vec<Finding> {
    walk::walk(package::Package::new(files), entries)
}

/// Names of variables that the `hosts` of a playbook's own plays are made of.
pub(super) fn variables_of_hosts(files: &[PlaybookFile], entry: &str) -> BTreeSet<String> {
    let file = files.iter().find(|file| file.path == entry);
    let document = file.and_then(|file| yaml::parse_bytes(&file.content).ok()?.root);
    let plays = document.as_ref().map_or(&[][..], yaml::Node::items);
    plays.iter().flat_map(hosts::needed).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests;
