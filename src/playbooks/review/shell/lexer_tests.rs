use super::*;

/// Commands as `name arg | name arg`, one pipeline a line.
fn render(script: &Script) -> String {
    let command = |command: &Command| {
        let mut parts: Vec<String> = command
            .words
            .iter()
            .map(|word| {
                let nested = word
                    .nested
                    .iter()
                    .map(|(nesting, script)| format!("«{nesting:?} {}»", render(script)))
                    .collect::<Vec<_>>()
                    .concat();
                format!("{}{nested}", mark::show(&word.text))
            })
            .collect();
        parts.extend(
            command
                .redirects
                .iter()
                .map(|redirect| format!("{}{}", redirect.operator, mark::show(&redirect.target.text).trim())),
        );
        parts.join("·")
    };
    let pipeline = |pipeline: &Pipeline| pipeline.commands.iter().map(command).collect::<Vec<_>>().join(" | ");
    script.pipelines.iter().map(pipeline).collect::<Vec<_>>().join(" ; ")
}

fn posix(text: &str) -> String {
    render(&parse(text, Dialect::Posix))
}

#[test]
fn words_and_quotes() {
    for (text, expected) in [
        ("rm -rf '/a b' \"c $d\" e\\ f", "rm·-rf·/a b·c $…·e f"),
        ("a'b'\"c\"", "abc"),
        ("a ''", "a·"),
        ("a # b | c\nd", "a ; d"),
        ("a#b", "a#b"),
        ("echo \"# not a comment\"", "echo·# not a comment"),
        ("a \\\n b", "a·b"),
        ("a 'b\nc' d", "a·b c·d"),
        ("a 'open", "a·open"),
        ("$HOME/x ${HOME}/y ${x:?} $1 $$", "~/x·~/y·$…·$…·$…"),
        ("a\r\nb\r\n", "a ; b"),
    ] {
        assert_eq!(posix(text), expected, "{text:?}");
    }
}

#[test]
fn lists_and_pipes() {
    for (text, expected) in [
        ("a && b || c; d & e", "a ; b ; c ; d ; e"),
        ("a | b |& c", "a | b | c"),
        ("a |\n b", "a ; b"),
        ("(a; b) | c", "«Group a ; b» | c"),
        ("case x in y) a;; esac", "case·x·in·y ; a ; esac"),
        ("a=$(b `c`) d", "a=$(…)«Output b·$(…)«Output c»»·d"),
        ("a \"$(b \"c d\")\"", "a·$(…)«Output b·c d»"),
        ("a <(b) >(c)", "a·«Source b»·«Sink c»"),
        ("a $((1 + (2))) b", "a·$…·b"),
    ] {
        let expected = if text == "a |\n b" { "a | b" } else { expected };
        assert_eq!(posix(text), expected, "{text:?}");
    }
}

#[test]
fn redirects() {
    for (text, expected) in [
        ("a > b 2>&1 < c", "a·>b·>&1·<c"),
        ("a 2>/dev/null >>b", "a·>/dev/null·>>b"),
        ("a &> b", "a·&>b"),
        ("a2>b", "a2·>b"),
        ("> b", ">b"),
        ("a <<< 'b c'", "a·<<<b c"),
        ("a <<EOF | b\nx; y\nEOF\nc", "a·<<x; y | b ; c"),
        ("a <<-'E F'\n\tx\n\tE F\nc", "a·<<x ; c"),
        ("a <<EOF", "a·<<"),
        ("a >|b", "a·>b"),
    ] {
        assert_eq!(posix(text), expected, "{text:?}");
    }
}

#[test]
fn templates_are_one_character() {
    for (text, expected) in [
        ("a {{ b | c }} d", "a·{{…}}·d"),
        ("a '{{ b }}'/c", "a·{{…}}/c"),
        ("a {{ '}}' }}", "a·{{…}}"),
        ("{% if x %}a{% endif %} b", "a·b"),
        ("a {# rm #} b", "a·b"),
        ("a ${#b}", "a·$…"),
        ("a {{ b", "a·{{…}}"),
        ("a {b,c}", "a·{b,c}"),
    ] {
        assert_eq!(posix(text), expected, "{text:?}");
    }
}

#[test]
fn other_dialects() {
    let render_as = |text, dialect| render(&parse(text, dialect));
    assert_eq!(
        render_as("a | b > c; d `e` 'f g' \\\"", Dialect::Words),
        "a·|·b·>·c;·d·`e`·f g·\""
    );
    assert_eq!(
        render_as("& 'C:\\a b' C:\\x\\ `\n | iex", Dialect::Power),
        "C:\\a b·C:\\x\\ | iex"
    );
}

#[test]
fn lines_are_counted() {
    let script = parse("a\n\nb | \\\n c\n# x\nd <<E\n1\nE\ne $(\nf\n)\n", Dialect::Posix);
    let lines: Vec<(String, usize)> = script
        .all_pipelines()
        .iter()
        .flat_map(|pipeline| &pipeline.commands)
        .map(|command| (command.words[0].text.clone(), command.line))
        .collect();
    for expected in [("a", 0), ("b", 2), ("c", 3), ("d", 5), ("e", 8), ("f", 9)] {
        assert!(
            lines.contains(&(expected.0.to_owned(), expected.1)),
            "{expected:?} in {lines:?}"
        );
    }
}

#[test]
fn whatever_is_nested_ends() {
    for text in [
        "$(".repeat(50_000),
        "`".repeat(10_001),
        "(".repeat(50_000),
        "<(".repeat(9999),
        "\"$(".repeat(5000),
    ] {
        let _script = parse(&text, Dialect::Posix);
    }
}
