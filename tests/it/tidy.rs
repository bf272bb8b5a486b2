//! Holds the source to `src/ARCHITECTURE.md`: which module may import which, and what has one owner.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Module → what it may import of ours. `src/ARCHITECTURE.md` has the same table with the reasons.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("events", &["domain"]),
    ("inventory", &["domain"]),
    ("process", &["domain"]),
    ("vault", &["domain"]),
    ("runner", &["process", "domain", "events"]),
    ("embedded", &["process", "domain"]),
    ("store", &["domain", "events", "inventory"]),
    ("ingest", &["domain", "events", "store"]),
    ("telemetry", &["domain", "store"]),
    (
        "playbooks",
        &["domain", "inventory", "process", "runner", "store", "vault"],
    ),
    ("auth", &["domain", "store"]),
    (
        "worker",
        &[
            "domain",
            "events",
            "ingest",
            "inventory",
            "playbooks",
            "process",
            "runner",
            "store",
            "telemetry",
            "vault",
        ],
    ),
    ("scheduler", &["domain", "ingest", "playbooks", "store"]),
    (
        "api",
        &[
            "auth",
            "domain",
            "events",
            "ingest",
            "inventory",
            "playbooks",
            "store",
            "telemetry",
            "vault",
        ],
    ),
    (
        "cli",
        &[
            "api",
            "auth",
            "domain",
            "embedded",
            "events",
            "ingest",
            "inventory",
            "playbooks",
            "process",
            "runner",
            "scheduler",
            "store",
            "telemetry",
            "vault",
            "worker",
        ],
    ),
    ("main", &["cli"]),
];

/// What only these modules may name.
const OWNERS: &[(&str, &[&str])] = &[
    ("sqlx::", &["store"]),
    ("axum::", &["api"]),
    ("aes_gcm::", &["vault"]),
    ("prometheus_client::", &["telemetry"]),
    ("Command::new(", &["process"]),
    ("kill_process", &["process"]),
    ("pidfd_send_signal", &["process"]),
    ("println!", &["cli"]),
    ("stdout()", &["cli"]),
    ("anyhow::", &["cli", "main"]),
];

/// Files that may name what another module owns: the keeper is started by the inventory, which is no run and has no database.
const EXCEPTIONS: &[(&str, &str)] = &[("cli/keeper.rs", "Command::new(")];

/// No disk, no network, no clock, no threads.
const PURE: &[&str] = &["domain", "events", "inventory"];
const IMPURE: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "tokio",
    "Utc::now",
];
/// `domain::clock` is where the clock comes in.
const CLOCK: &str = "domain/clock.rs";

const MAX_LINES: usize = 600;

struct Source {
    module: String,
    path: String,
    /// Without comments and without test modules.
    code: String,
    lines: usize,
}

#[test]
fn imports_only_point_down() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().map(|(module, allowed)| (*module, *allowed)).collect();
    let mut wrong = Vec::new();
    for source in sources() {
        if source.module == "lib" {
            continue;
        }
        let Some(allowed) = arrows.get(source.module.as_str()) else {
            wrong.push(format!(
                "{}: the module {:?} has no row in ARROWS",
                source.path, source.module
            ));
            continue;
        };
        for imported in imports(&source.code) {
            if imported != source.module && !allowed.contains(&imported.as_str()) {
                wrong.push(format!("{}: {} must not import {imported}", source.path, source.module));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_one_owner_is_named_nowhere_else() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, owners) in OWNERS {
            let excepted = EXCEPTIONS.contains(&(source.path.as_str(), *word));
            if source.code.contains(word) && !excepted && !owners.contains(&source.module.as_str()) {
                wrong.push(format!("{}: {word} belongs to {}", source.path, owners.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_do_no_input_or_output() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| PURE.contains(&source.module.as_str()) && source.path != CLOCK)
    {
        for word in IMPURE {
            if source.code.contains(word) {
                wrong.push(format!("{}: a pure module must not use {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn uploads_are_read_in_memory() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.starts_with("playbooks/archive"))
    {
        for word in IMPURE {
            if source.code.contains(word) {
                wrong.push(format!("{}: uploads never touch the disk: {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_have_one_subject() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.lines > MAX_LINES)
        .map(|source| source.path)
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {}", long.join(", "));
}

#[test]
fn the_table_in_architecture_md_is_this_one() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("src/ARCHITECTURE.md is there");
    for (module, allowed) in ARROWS
        .iter()
        .filter(|(module, _)| *module != "main" && *module != "cli")
    {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{module}/`")))
            .unwrap_or_else(|| panic!("src/ARCHITECTURE.md has a row for {module}"));
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let written: BTreeSet<_> = cell
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty() && *name != "—")
            .collect();
        let allowed: BTreeSet<_> = allowed.iter().copied().collect();
        assert_eq!(written, allowed, "what {module} may import");
    }
}

#[test]
fn the_reader_of_imports_sees_all_forms() {
    let code = "use crate::domain::x;\nuse crate::{store::Database, vault};\nuse crate::{\n    api::{A, b::C},\n    auth,\n};\nfn f() { crate::runner::go() }";
    let expected = ["api", "auth", "domain", "runner", "store", "vault"];
    assert_eq!(imports(code), expected.iter().map(|name| (*name).to_owned()).collect());
    let tested = "fn a() {}\n#[cfg(test)]\nmod tests {\n    use sqlx::x;\n}\n// sqlx\nfn b() {}\n";
    assert_eq!(without_tests_and_comments(tested), "fn a() {}\nfn b() {}\n");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
                let relative = path
                    .strip_prefix(root())
                    .expect("below src")
                    .to_string_lossy()
                    .into_owned();
                let module = relative
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches(".rs")
                    .to_owned();
                let text = fs::read_to_string(&path).expect("a source file");
                let code = without_tests_and_comments(&text);
                let lines = code.lines().count();
                found.push(Source {
                    module,
                    path: relative,
                    code,
                    lines,
                });
            }
        }
    }
    assert!(found.len() > 50, "the sources were found");
    found
}

/// Leaves out comment lines and what `#[cfg(test)]` stands before, by indentation: rustfmt closes an item where it opened it.
fn without_tests_and_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("//") {
            continue;
        }
        if trimmed.starts_with("#[cfg(test)]") {
            let indent = &line[..line.len() - trimmed.len()];
            for item in lines.by_ref() {
                let one_line = item.starts_with(indent)
                    && item.trim_end().ends_with(';')
                    && !item[indent.len()..].starts_with(' ');
                if one_line || item == format!("{indent}}}") {
                    break;
                }
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Our own modules that `code` names through `crate::`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(top_level_names(group)),
            None => found.extend(name(rest)),
        }
    }
    found
}

/// The first names of a `{a::{b, c}, d}` group, up to its closing brace.
fn top_level_names(group: &str) -> Vec<String> {
    let (mut depth, mut at_start, mut names) = (0_usize, true, Vec::new());
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if c.is_whitespace() => {}
            _ if at_start => {
                names.extend(name(&group[index..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_ascii_lowercase() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}
