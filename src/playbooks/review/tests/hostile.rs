use super::*;
use proptest::prelude::*;

fn entry(content: Vec<u8>) -> Vec<Finding> {
    let files = [PlaybookFile {
        path: "site.yml".to_owned(),
        mode: 0o644,
        content,
    }];
    review(&files, &["site.yml".to_owned()])
}

#[test]
fn aliases_do_not_multiply_without_end() {
    let mut text = "- &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let items = vec![format!("*a{before}"); 9].join(", ");
        text = format!("{text}- &a{level} [{items}]\n");
    }
    let findings = entry(text.into_bytes());
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.contains("aliases"), "{findings:?}");
    let merged = "a: &a {b: 1}\nc: &c {<<: *a}\n".to_owned() + &"x: {<<: [*a, *c]}\n".repeat(1000);
    let _findings = entry(merged.into_bytes());
}

#[test]
fn depth_is_an_error_and_no_overflow() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        (0..1000)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect::<Vec<_>>()
            .concat(),
        // Each alias adds the depth of what it stands for.
        (1..90).fold("- &a0 [[[[[[[[[[x]]]]]]]]]]\n".to_owned(), |text, level| {
            text + &format!("- &a{level} [[[[[[[[[[*a{}]]]]]]]]]]\n", level - 1)
        }),
    ] {
        let findings = entry(text.into_bytes());
        assert_eq!(findings[0].rule, "yaml", "{findings:?}");
    }
}

#[test]
fn blocks_within_blocks_and_files_within_files() {
    let nested = (0..40).fold("- hosts: all\n  tasks:\n".to_owned(), |text, depth| {
        text + &format!("{}- block:\n", "  ".repeat(depth + 2))
    });
    let nested = format!("{nested}{}- shell: rm -rf /etc\n", "  ".repeat(42));
    assert_eq!(
        shown(&entry(nested.into_bytes())),
        ["site.yml:43 warning destructive_command"]
    );
    let mut files = package(&[("site.yml", "- hosts: all\n  tasks: [include_tasks: 0.yml]\n")]);
    for number in 0..3000 {
        let text = format!("- include_tasks: {}.yml\n", number + 1);
        files.extend(package(&[(&format!("{number}.yml"), &text)]));
    }
    files.extend(package(&[("3000.yml", "- shell: rm -rf /etc\n")]));
    assert_eq!(
        shown(&review(&files, &["site.yml".to_owned()])),
        ["3000.yml:1 warning destructive_command"]
    );
}

#[test]
fn large_files_are_read_and_larger_ones_named() {
    let task = "    - name: a task like many others\n      ansible.builtin.shell: systemctl status {{ item }} | grep -q running\n";
    let mut text = "- hosts: all\n  tasks:\n".to_owned();
    while text.len() + task.len() < 1024 * 1024 - 100 {
        text.push_str(task);
    }
    text.push_str("    - shell: rm -rf /etc\n");
    let findings = entry(text.clone().into_bytes());
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].line, Some(text.lines().count() as u32));
    text.push_str(&" ".repeat(1024));
    assert_eq!(shown(&entry(text.into_bytes())), ["site.yml note not_reviewed"]);
}

#[test]
fn there_are_not_more_findings_than_a_reader_can_take() {
    let mut text = "- hosts: all\n  tasks:\n".to_owned();
    for _ in 0..700 {
        text.push_str("    - apt: {name: x, state: latest}\n");
    }
    text.push_str("    - shell: rm -rf /etc\n    - import_role: {name: gone}\n");
    let findings = entry(text.into_bytes());
    assert_eq!(findings.len(), MAX_FINDINGS + 1);
    let last = &findings[MAX_FINDINGS];
    assert_eq!(
        (last.rule.as_str(), last.message.as_str()),
        ("left_out", "202 more findings are left out")
    );
    assert!(findings.iter().any(|finding| finding.rule == "destructive_command"));
    assert!(findings.iter().any(|finding| finding.rule == "missing_role"));
    assert!(findings[..MAX_FINDINGS].is_sorted());
}

#[test]
fn scripts_of_any_length() {
    for script in [
        "a | ".repeat(50_000),
        "rm -rf /etc; ".repeat(20_000),
        "cat <<E\n".repeat(20_000),
        "$(".repeat(20_000),
        "bash -c '".repeat(10_000),
        "{{ ".repeat(50_000),
        "\\".repeat(100_001),
    ] {
        let text = format!(
            "- hosts: all\n  tasks:\n    - shell: |\n        {}\n",
            script.replace('\n', "\n        ")
        );
        let _findings = entry(text.into_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _findings = entry(content);
    }

    #[test]
    fn any_yaml_like_text(parts in proptest::collection::vec(prop_oneof![
        Just("- hosts: all\n".to_owned()), Just("  tasks:\n".to_owned()), Just("    - ".to_owned()), Just("shell: ".to_owned()),
        Just("block:\n".to_owned()), Just("      ".to_owned()), Just("|\n".to_owned()), Just("{{ x }}".to_owned()), Just("&a ".to_owned()),
        Just("*a".to_owned()), Just("<<: ".to_owned()), Just("\n".to_owned()), Just("rm -rf /".to_owned()), Just("!vault ".to_owned()),
        Just("include_tasks: ".to_owned()), Just("roles: [".to_owned()), Just("]".to_owned()), Just("\"".to_owned()), Just("'".to_owned()),
        ".{0,12}",
    ], 0..30)) {
        let _findings = entry(parts.concat().into_bytes());
    }

    #[test]
    fn any_script(script in "[ a-z'\"\\\\$(){}<>|&;#`\n/*~{}%-]{0,120}") {
        let _found = in_shell(&script);
    }

    #[test]
    fn any_task(key in "[a-z._]{1,20}", value in "\\PC{0,60}", free in "\\PC{0,80}") {
        let text = format!(
            "- hosts: all\n  tasks:\n    - {key}: {}\n    - {key}: {{src: {}, path: {}, state: absent}}\n",
            serde_json::to_string(&free).unwrap(), serde_json::to_string(&value).unwrap(), serde_json::to_string(&value).unwrap()
        );
        let _findings = entry(text.into_bytes());
    }
}

#[test]
fn names_are_not_looked_for_without_end() {
    let others: Vec<(String, String)> = (0..6)
        .map(|number| {
            (
                format!("more/{number}.yml"),
                format!("a{number}: \"{}\"\n", "x".repeat(900_000)),
            )
        })
        .collect();
    let mut files = vec![("site.yml", "- hosts: all\n  tasks:\n    - debug: {msg: '{{ x }}'}\n")];
    let undefined = |files: &[(&str, &str)]| {
        let findings = review(&package(files), &["site.yml".to_owned()]);
        findings
            .iter()
            .filter(|finding| finding.rule == "undefined_variable")
            .count()
    };
    assert_eq!(undefined(&files), 1);
    files.extend(others.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    assert_eq!(undefined(&files), 0);
}
