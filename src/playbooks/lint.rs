//! `ansible-lint`, where it is installed: run on a copy, offline, and its answer read.
//!
//! A package's own settings for it are honoured as far as they choose among rules. Whatever would load code from the package
//! (`rulesdir`) is left out: a look at a package must not run it. Whatever finds a way all the same is run in seclusion.

use super::{
    ansible::{self, AnsibleTools},
    room,
    yaml::{self, Node},
};
use crate::{
    domain::{
        finding::{Finding, LintOutcome, Severity},
        playbook::PlaybookFile,
    },
    process::{self, ProcessError},
    runner::{Look, ScratchFolder, Seclusion, SeclusionError},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

const PROGRAM: &str = "ansible-lint";
const TIMEOUT: Duration = Duration::from_mins(2);
/// Further findings are left out.
const MAX_FINDINGS: usize = 300;
/// A message is cut behind this many characters.
const MAX_MESSAGE: usize = 300;
/// Where it looks for its settings.
const SETTINGS: [&str; 4] = [
    ".ansible-lint",
    ".ansible-lint.yml",
    ".ansible-lint.yaml",
    ".config/ansible-lint.yml",
];
/// What of them is passed on: all of it chooses, none of it runs.
const HONOURED: [&str; 10] = [
    "profile",
    "skip_list",
    "warn_list",
    "enable_list",
    "exclude_paths",
    "mock_modules",
    "mock_roles",
    "kinds",
    "var_naming_pattern",
    "loop_var_prefix",
];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum LintError {
    #[error("lay out the files")]
    Files(#[from] io::Error),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Seclusion(#[from] SeclusionError),
    #[error("read its answer")]
    Answer(#[from] serde_json::Error),
}

/// Runs it on these playbooks of a package.
pub(super) async fn lint(
    tools: &AnsibleTools,
    seclusion: &Seclusion,
    files: &[PlaybookFile],
    entries: &[String],
) -> (Vec<Finding>, LintOutcome) {
    let beside: Vec<PathBuf> = tools.ansible_playbook.parent().map(PathBuf::from).into_iter().collect();
    let Some(program) = process::find_program(PROGRAM, &beside) else {
        return (Vec::new(), LintOutcome::NotInstalled);
    };
    // Without a playbook it would look for some itself.
    if entries.is_empty() {
        return (Vec::new(), LintOutcome::Ran);
    }
    match run(&program, tools, seclusion, files, entries).await {
        Ok(findings) => (findings, LintOutcome::Ran),
        Err(error) => {
            let error = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ");
            tracing::warn!(%error, "ansible-lint gives no answer");
            (Vec::new(), LintOutcome::Failed)
        }
    }
}

async fn run(
    program: &Path,
    tools: &AnsibleTools,
    seclusion: &Seclusion,
    files: &[PlaybookFile],
    entries: &[String],
) -> Result<Vec<Finding>, LintError> {
    let folder = ScratchFolder::create("admiral-lint-", None)?;
    let (project, home) = (folder.path().join("project"), folder.path().join("home"));
    let (owned, layout) = (files.to_vec(), project.clone());
    tokio::task::spawn_blocking(move || ansible::lay_out(&layout, &owned))
        .await
        .unwrap_or_else(|_| Err(io::Error::other("interrupted")))?;
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(home.join("tmp"))?;
    let (settings, configuration) = (folder.path().join("lint.yml"), folder.path().join("ansible.cfg"));
    ansible::write_file(&settings, 0o600, settings_of(files).as_bytes())?;
    ansible::write_file(&configuration, 0o600, b"[defaults]\n")?;
    let mut environment = process::base_environment(&home);
    if let Some(folder) = tools.ansible_playbook.parent() {
        // It calls the Ansible that it finds first.
        let path = environment.remove("PATH").unwrap_or_default();
        environment.insert("PATH".to_owned(), format!("{}:{path}", folder.display()));
    }
    let mut command = seclusion.command(Look {
        program,
        folder: &project,
        readable: &[],
        own: &[],
        writable: &[folder.path()],
    })?;
    command
        .envs(environment)
        .env("ANSIBLE_CONFIG", &configuration)
        .env("ANSIBLE_HOME", home.join(".ansible"))
        .env("ANSIBLE_ROLES_PATH", project.join("roles"))
        .env("ANSIBLE_COLLECTIONS_PATH", project.join("collections"))
        .env("NO_COLOR", "1")
        .env("TMPDIR", home.join("tmp"))
        .args([
            "--offline",
            "--nocolor",
            "-q",
            "--format",
            "codeclimate",
            "--project-dir",
            ".",
        ])
        .arg("--config-file")
        .arg(&settings)
        .arg("--")
        .args(entries.iter().map(|entry| format!("./{entry}")));
    let captured = tokio::select! {
        captured = process::run_captured(command, TIMEOUT) => captured?,
        () = room::used_up(folder.path().to_owned(), room::MAX_SCRATCH) => {
            return Err(io::Error::other(room::SCRATCH_FULL).into());
        }
    };
    // Its status says how many rules were broken; whether it worked is told by whether it answered.
    read(&captured.stdout_text()).map_err(Into::into)
}

/// The package's own settings, without those that load code.
fn settings_of(files: &[PlaybookFile]) -> String {
    let file = SETTINGS
        .iter()
        .find_map(|path| files.iter().find(|file| file.path == *path));
    let document = file.and_then(|file| yaml::parse_bytes(&file.content).ok()?.root);
    let mut kept = Map::new();
    for (key, value) in document.as_ref().map_or(&[][..], Node::pairs) {
        if let Some(name) = key.text().filter(|name| HONOURED.contains(name)) {
            kept.insert(name.to_owned(), plain(value));
        }
    }
    // JSON is YAML.
    Value::Object(kept).to_string()
}

fn plain(node: &Node) -> Value {
    if let Some(text) = node.text() {
        return if node.is_null() { Value::Null } else { text.into() };
    }
    if node.is_sequence() {
        return node.items().iter().map(plain).collect();
    }
    let pairs = node.pairs().iter();
    Value::Object(
        pairs
            .filter_map(|(key, value)| Some((key.text()?.to_owned(), plain(value))))
            .collect(),
    )
}

/// One issue of its answer: a report in the form of Code Climate.
#[derive(Deserialize)]
struct Issue {
    check_name: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    description: String,
    location: Location,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct Location {
    path: String,
    lines: Option<Lines>,
    positions: Option<Positions>,
}

#[derive(Deserialize)]
struct Lines {
    /// A number, or a position in older versions.
    begin: Value,
}

#[derive(Deserialize)]
struct Positions {
    begin: Value,
}

fn read(answer: &str) -> Result<Vec<Finding>, serde_json::Error> {
    let issues: Vec<Issue> = serde_json::from_str(answer.trim())?;
    Ok(issues.into_iter().filter_map(finding).take(MAX_FINDINGS).collect())
}

fn finding(issue: Issue) -> Option<Finding> {
    // Whether it can be read at all is said by the review and by Ansible itself.
    if issue.check_name.starts_with("syntax-check") || issue.check_name.starts_with("load-failure") {
        return None;
    }
    let begin = match (issue.location.positions, issue.location.lines) {
        (Some(positions), _) => positions.begin,
        (None, Some(lines)) => lines.begin,
        (None, None) => Value::Null,
    };
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let mut message = issue.description;
    if let Some(content) = issue.content.filter(|content| !content.body.is_empty()) {
        message = format!(
            "{} ({})",
            message.trim_end_matches('.'),
            content.body.trim_end_matches('.')
        );
    }
    Some(Finding {
        path: issue.location.path.trim_start_matches("./").to_owned(),
        line: number(&begin).or_else(|| number(&begin["line"])),
        column: number(&begin["column"]),
        // Most of it is about style; what it thinks worse of than that is worth a warning.
        severity: match issue.severity.as_str() {
            "blocker" | "critical" => Severity::Warning,
            _ => Severity::Note,
        },
        rule: format!("lint.{}", issue.check_name),
        message: message.chars().take(MAX_MESSAGE).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_real_program_is_read() {
        // From ansible-lint 26.10.1 and, in the last one, of the form of older versions.
        let answer = r#"[
            {"type": "issue", "check_name": "fqcn[action-core]", "categories": ["formatting"], "url": "x", "severity": "major",
             "description": "Use FQCN for builtin module actions (command).", "fingerprint": "0",
             "location": {"path": "roles/web/tasks/main.yml", "positions": {"begin": {"line": 1, "column": 3}}},
             "content": {"body": "Use `ansible.builtin.command` or `ansible.legacy.command` instead."}},
            {"type": "issue", "check_name": "name[play]", "severity": "critical", "description": "All plays should be named.",
             "location": {"path": "./site.yml", "lines": {"begin": 3}}},
            {"type": "issue", "check_name": "load-failure[yaml]", "severity": "minor", "description": "Failed to load YAML file",
             "location": {"path": "bad.yml", "positions": {"begin": {"line": 2, "column": 1}}}},
            {"type": "issue", "check_name": "risky-shell-pipe", "description": "x", "location": {"path": "a.yml", "lines": {"begin": {"line": 7, "column": 2}}}}
        ]"#;
        let shown: Vec<String> = read(answer)
            .unwrap()
            .iter()
            .map(|finding| {
                let (line, column) = (finding.line.unwrap_or(0), finding.column.unwrap_or(0));
                let severity = finding.severity.as_str();
                format!(
                    "{}:{line}:{column} {severity} {} {}",
                    finding.path, finding.rule, finding.message
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "roles/web/tasks/main.yml:1:3 note lint.fqcn[action-core] Use FQCN for builtin module actions (command) (Use \
                 `ansible.builtin.command` or `ansible.legacy.command` instead)",
                "site.yml:3:0 warning lint.name[play] All plays should be named.",
                "a.yml:7:2 note lint.risky-shell-pipe x",
            ]
        );
        for broken in ["", "Traceback", "[{}]", "{}"] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn settings_choose_but_do_not_load() {
        let file = |path: &str, text: &str| PlaybookFile {
            path: path.to_owned(),
            mode: 0o644,
            content: text.as_bytes().to_vec(),
        };
        let text = "profile: basic\nrulesdir: [./rules]\nskip_list:\n  - name\nexclude_paths: [a/]\nuse_default_rules: false\n";
        assert_eq!(
            settings_of(&[file(".ansible-lint", text)]),
            r#"{"exclude_paths":["a/"],"profile":"basic","skip_list":["name"]}"#
        );
        assert_eq!(settings_of(&[file("x.yml", text)]), "{}");
        assert_eq!(settings_of(&[file(".ansible-lint", "a: [")]), "{}");
    }
}
