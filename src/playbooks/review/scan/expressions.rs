//! Expressions that read or run something on the controller.

use super::{Scan, secrets};
use crate::{
    domain::finding::Severity,
    playbooks::{
        review::{
            findings::Findings,
            jinja,
            place::Place,
            shell::{self, Dialect},
        },
        yaml::Node,
    },
};

const CONTROLLER: &str = "templated_controller_command";

/// Looks at every expression below a node.
pub(in crate::playbooks::review) fn templates(node: &Node, place: &Place, findings: &mut Findings) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        open.extend(node.items());
        open.extend(node.pairs().iter().map(|(_, value)| value));
        let Some(text) = node.text().filter(|text| jinja::is_template(text)) else {
            continue;
        };
        // `!unsafe` is never evaluated.
        if node.tag.as_deref() == Some("!unsafe") {
            continue;
        }
        for expression in jinja::expressions(text) {
            for lookup in jinja::lookups(&expression) {
                judge_lookup(&lookup, node, place, findings);
            }
        }
    }
}

/// Whether a lookup runs a command on the controller.
pub(super) fn runs_command(lookup: &jinja::Lookup) -> bool {
    ["pipe", "lines"].contains(&lookup.plugin.as_str())
}

/// `with_X` is a loop over what the lookup X finds.
fn judge_loop(task: &Node, place: &Place, findings: &mut Findings) {
    for (key, value) in task.pairs() {
        let Some(plugin) = key.text().and_then(|key| key.strip_prefix("with_")) else {
            continue;
        };
        let texts: Vec<&str> = value.items_or_self().iter().filter_map(Node::value).collect();
        let lookup = jinja::Lookup {
            plugin: plugin.rsplit('.').next().unwrap_or_default().to_owned(),
            has_variables: texts.iter().any(|text| jinja::is_template(text)),
            texts: texts.into_iter().map(str::to_owned).collect(),
        };
        judge_lookup(&lookup, value, place, findings);
    }
}

fn judge_lookup(lookup: &jinja::Lookup, node: &Node, place: &Place, findings: &mut Findings) {
    if let Some((path, what)) = secrets::of_lookup(lookup) {
        let message = format!("the lookup reads {what} of the controller ({path})");
        place.add(findings, node, Severity::Warning, "reads_secrets", message);
    }
    if runs_command(lookup) {
        let (severity, message) = if lookup.has_variables {
            let message = "the lookup runs a command on the controller that is put together from variables: whoever sets them runs what \
                           they like";
            (Severity::Warning, message)
        } else {
            (Severity::Note, "the lookup runs a command on the controller")
        };
        place.add(findings, node, severity, CONTROLLER, message);
    }
}

/// Looks at a task: its expressions, and whether it hands them to a shell on the controller.
pub(super) fn judge(scan: &mut Scan<'_, '_>) {
    templates(scan.task.node, scan.place, scan.findings);
    judge_loop(scan.task.node, scan.place, scan.findings);
    let task = scan.task;
    if !scan.is_local || !task.is(&["shell", "raw"]) {
        return;
    }
    let Some(node) = task.free_or(&["cmd"]) else { return };
    let text = node.value().unwrap_or_default();
    let expressions = jinja::expressions(text);
    let unquoted = expressions.iter().any(|expression| {
        let is_quoted = expression.windows(2).any(|pair| {
            pair[0] == jinja::Token::Symbol('|') && matches!(&pair[1], jinja::Token::Name(name) if name == "quote")
        });
        !is_quoted && !jinja::variables(expression).is_empty()
    });
    let starts_something = !shell::parse(text, Dialect::Posix).pipelines.is_empty();
    if unquoted && starts_something {
        scan.note(
            node,
            CONTROLLER,
            "variables become part of a shell's command on the controller; the filter `quote` keeps them words",
        );
    }
}
