//! Variables that a play's `hosts` needs and nobody defines.

use super::{
    findings::Findings,
    jinja,
    lookup::{self, RoleAt},
    package::Package,
    place::Place,
    walk::Walk,
};
use crate::{
    domain::finding::Severity,
    playbooks::{
        form,
        paths::{join, parent},
        yaml::Node,
    },
};
use std::collections::BTreeSet;

/// What Ansible defines itself.
const MAGIC: [&str; 8] = [
    "groups",
    "hostvars",
    "inventory_hostname",
    "inventory_dir",
    "inventory_file",
    "playbook_dir",
    "omit",
    "role_path",
];

/// Names that the form beside a playbook asks for; what is wrong with the form is noted.
pub(super) fn form_fields(package: &Package<'_>, entry: &str, findings: &mut Findings) -> BTreeSet<String> {
    let path = form::form_path(entry);
    let Some(text) = package.text(&path) else {
        return BTreeSet::new();
    };
    match form::parse(&path, text) {
        Ok(form) => form.fields.into_iter().map(|field| field.name).collect(),
        Err(wrong) => {
            for finding in wrong {
                findings.insert(finding);
            }
            BTreeSet::new()
        }
    }
}

/// The variables that a play's `hosts` cannot do without, each with where it stands.
pub(super) fn needed(play: &Node) -> Vec<(String, &Node)> {
    let mut needed = Vec::new();
    for host in play.get("hosts").map_or(&[][..], Node::items_or_self) {
        for expression in jinja::expressions(host.text().unwrap_or_default()) {
            if jinja::has_default(&expression) {
                continue;
            }
            for path in jinja::variables(&expression) {
                let name = &path[0];
                if !MAGIC.contains(&name.as_str()) && !name.starts_with("ansible_") {
                    needed.push((name.clone(), host));
                }
            }
        }
    }
    needed
}

/// Names each variable in `hosts` that neither the play nor its form defines.
pub(super) fn judge(walk: &mut Walk<'_>, play: &Node, place: &Place, given: &BTreeSet<String>) {
    let mut needed = needed(play);
    needed.retain(|(name, _)| !given.contains(name));
    if needed.is_empty() {
        return;
    }
    let Some(defined) = definitions(walk, play, place) else {
        return;
    };
    for (name, at) in needed {
        if !defined.contains(&name) {
            let message = format!(
                "neither the play nor a form defines {name}: without a value given at launch, Ansible refuses this play"
            );
            place.add(&mut walk.findings, at, Severity::Warning, "undefined_variable", message);
        }
    }
}

/// What a play defines; `None` when an expression decides which file is read.
fn definitions(walk: &mut Walk<'_>, play: &Node, place: &Place) -> Option<BTreeSet<String>> {
    let mut defined = BTreeSet::new();
    let vars = play.get("vars").map_or(&[][..], Node::pairs);
    defined.extend(vars.iter().filter_map(|(name, _)| name.text().map(str::to_owned)));
    for prompt in play.get("vars_prompt").map_or(&[][..], Node::items) {
        defined.extend(prompt.get_text("name").map(str::to_owned));
    }
    let mut files = Vec::new();
    for entry in play.get("vars_files").map_or(&[][..], Node::items_or_self) {
        for text in entry.items_or_self().iter().filter_map(Node::value) {
            if jinja::is_template(text) {
                return None;
            }
            files.push(join(parent(&place.file), text));
            files.push(join(parent(&place.file), &format!("vars/{text}")));
        }
    }
    for role in play.get("roles").map_or(&[][..], Node::items) {
        let name = role.value().or(role.get_text("role")).or(role.get_text("name"));
        if let Some(RoleAt::Folder(folder)) = name.map(|name| lookup::role(&walk.package, name, place)) {
            for part in [
                "defaults/main.yml",
                "vars/main.yml",
                "defaults/main.yaml",
                "vars/main.yaml",
            ] {
                files.push(join(&folder, part));
            }
        }
        defined.extend(
            role.pairs()
                .iter()
                .filter_map(|(name, _)| name.text().map(str::to_owned)),
        );
    }
    for path in files {
        // What is encrypted may define anything.
        if walk
            .package
            .text(&path)
            .is_some_and(|text| text.starts_with("$ANSIBLE_VAULT"))
        {
            return None;
        }
        if let Some(document) = walk.package.document(&path, &mut walk.findings) {
            defined.extend(
                document
                    .pairs()
                    .iter()
                    .filter_map(|(name, _)| name.text().map(str::to_owned)),
            );
        }
    }
    Some(defined)
}
