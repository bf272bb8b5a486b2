use super::*;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::fmt::Write as _;

fn redactor(secrets: &[&str]) -> Redactor {
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    Redactor::new(secrets.iter().map(|secret| secret.expose_secret().as_bytes()))
}

fn redacted(secrets: &[&str], text: &str) -> String {
    redactor(secrets).redact_text(text).unwrap_or_else(|| text.to_owned())
}

/// Output that came in these pieces, as it is handed out.
fn streamed(redactor: &Redactor, pieces: &[&[u8]]) -> String {
    let (mut held, mut out, mut taken) = (HeldOutput::default(), Vec::new(), 0);
    for piece in pieces {
        taken += held.feed(redactor, piece, &mut out);
    }
    taken += held.finish(redactor, &mut out);
    assert_eq!(taken, pieces.iter().map(|piece| piece.len()).sum::<usize>());
    String::from_utf8_lossy(&out).into_owned()
}

/// A key as `ssh-keygen` makes them: lines of 70 characters.
fn key(seed: u64, lines: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = fastrand::Rng::with_seed(seed);
    let mut line = |length| {
        (0..length)
            .map(|_| char::from(ALPHABET[random.usize(..64)]))
            .collect::<String>()
    };
    let body: Vec<String> = (0..lines).map(|_| line(70)).collect();
    let last = line(24);
    format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n{last}=\n-----END OPENSSH PRIVATE KEY-----\n",
        body.join("\n")
    )
}

#[test]
fn secrets_leave_events_and_their_structure_stays() {
    let redactor = redactor(&["runner_on_ok", "hunter22", "12345", "abc"]).with_hosts(["hunter22".to_owned()]);
    let line = r#"{"event":"runner_on_ok","host":"hunter22","result":{"msg":"it is hunter22","pin":12345,"hunter22":"abc","n":123456}}"#;
    let redacted: Value = serde_json::from_str(&redactor.redact_line(line).unwrap()).unwrap();
    let expected = json!({
        "event": "runner_on_ok", "host": "hunter22",
        "result": {"msg": "it is ********", "pin": "********", "********": "abc", "n": 123_456},
    });
    assert_eq!(redacted, expected);
    assert_eq!(
        redactor.redact_line(r#"{"event":"x","result":{"msg":"nothing"}}"#),
        None
    );
    let added = r#"{"event":"playbook_on_stats","hosts":["hunter22","x-hunter22"],"stats":{"hunter22":{},"x-hunter22":{"ok":1}}}"#;
    let redacted: Value = serde_json::from_str(&redactor.redact_line(added).unwrap()).unwrap();
    let expected = json!({
        "event": "playbook_on_stats", "hosts": ["hunter22", "x-********"],
        "stats": {"hunter22": {}, "x-********": {"ok": 1}},
    });
    assert_eq!(redacted, expected);
}

#[test]
fn a_list_is_read_as_one_text() {
    let secret = "first half\nsecond 1\nxyz";
    let line = json!({"event": "e", "result": {"stdout_lines": ["a first half", "second 1", "xyz b", 7], "rc": 0}});
    let redacted: Value = serde_json::from_str(&redactor(&[secret]).redact_line(&line.to_string()).unwrap()).unwrap();
    assert_eq!(
        redacted["result"]["stdout_lines"],
        json!(["a ********", "********", "******** b", 7])
    );
}

#[test]
fn lines_and_pieces_of_a_key_are_secrets() {
    let key = key(1, 40);
    let lines: Vec<&str> = key.lines().collect();
    let redactor = redactor(&[&key]);
    let found = |text: &str| redactor.redact_text(text).unwrap_or_else(|| text.to_owned());
    assert_eq!(found(&format!("a {} b", lines[7])), "a ******** b");
    assert_eq!(found(&format!("a {} b", lines[41])), "a ******** b");
    assert_eq!(found(&format!("a {} b", &lines[20][13..29])), "a ******** b");
    assert_eq!(
        found(&format!("a {} b", &lines[20][13..28])),
        format!("a {} b", &lines[20][13..28]),
        "too short to tell"
    );
    assert_eq!(found(&STANDARD.encode(lines[9])), "********==");
    assert_eq!(found(&hex::encode(lines[9])), REPLACEMENT);
    assert_eq!(found(&format!("x\n{key}y\n")), "x\n********\ny\n");
    assert_eq!(
        found("-----BEGIN OPENSSH PRIVATE KEY-----\nxyz\n"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nxyz\n"
    );
}

#[test]
fn what_is_public_stays() {
    let key = key(2, 5);
    let public = format!(
        "ssh-ed25519 AAAAC3Nza{} me@example.org",
        &key.lines().nth(3).unwrap()[20..60]
    );
    let spared = redactor(&[&key]).sparing([public.clone()]);
    assert_eq!(
        redactor(&[&key]).redact_text(&public).unwrap(),
        "ssh-ed25519 AAAAC3Nza******** me@example.org"
    );
    assert_eq!(spared.redact_text(&public), None);
    assert!(spared.redact_text(&key).is_some());
    assert_eq!(
        spared.redact_text(key.lines().nth(3).unwrap()).as_deref(),
        Some(REPLACEMENT)
    );
}

#[test]
fn a_secret_that_was_cut_off_is_not_legible() {
    let redactor = redactor(&["correct-horse-battery-staple", "pässword"]);
    let found = |text: &str| redactor.redact_text(text).unwrap_or_else(|| text.to_owned());
    assert_eq!(
        found("x correct-horse-b…[truncated 12 bytes]"),
        "x ********…[truncated 12 bytes]"
    );
    assert_eq!(found("x correct-horse-b and so on"), "x correct-horse-b and so on");
    assert_eq!(found("päss…[truncated 4 bytes]"), "********…[truncated 4 bytes]");
    assert_eq!(found("a p…[truncated 4 bytes]"), "a p…[truncated 4 bytes]");
    let line = r#"{"event":"e","result":{"msg":"it is p\u00e4sswo\u2026[truncated 99 bytes]"},"truncated":true}"#;
    let redacted: Value = serde_json::from_str(&redactor.redact_line(line).unwrap()).unwrap();
    assert_eq!(redacted["result"]["msg"], "it is ********…[truncated 99 bytes]");
    // The run was killed while it wrote.
    assert_eq!(streamed(&redactor, &[b"x correct-horse-ba"]), "x ********");
}

#[test]
fn values_within_a_secret_are_secrets() {
    let redactor = redactor(&[
        r#"{"user": "bob", "nested": [{"token": "tok\"en 123"}]}"#,
        &STANDARD.encode("user: bob\npassword: x1y2z3"),
    ]);
    assert_eq!(redactor.redact_text("tok\"en 123").as_deref(), Some(REPLACEMENT));
    assert_eq!(
        redactor.redact_text("  password: x1y2z3").as_deref(),
        Some("  ********")
    );
    assert_eq!(redactor.redact_text("bob"), None);
}

#[test]
fn secrets_that_are_no_text_are_found() {
    let secret: Vec<u8> = (0..96_u8).map(|index| index.wrapping_mul(167) ^ 0x80).collect();
    let redactor = Redactor::new([secret.as_slice()]);
    let out = |pieces: &[&[u8]]| streamed(&redactor, pieces);
    assert_eq!(out(&[b"a ", &secret[..50], &secret[50..], b" b\n"]), "a ******** b\n");
    let replaced = String::from_utf8_lossy(&secret).replace('\u{fffd}', "?");
    assert_eq!(redactor.redact_text(&replaced).as_deref(), Some(REPLACEMENT));
    let python = secret
        .iter()
        .fold(String::new(), |text, byte| format!("{text}\\x{byte:02x}"));
    assert_eq!(
        redactor.redact_text(&format!("b'{python}'")).as_deref(),
        Some("b'********'")
    );
    assert_eq!(
        redactor.redact_text(&String::from_utf8_lossy(&secret)).as_deref(),
        Some(REPLACEMENT)
    );
    assert_eq!(
        redactor.redact_text(&STANDARD.encode(&secret)).as_deref(),
        Some(REPLACEMENT)
    );
}

#[test]
fn output_is_handed_out_as_soon_as_it_can_be() {
    let key = key(3, 40);
    let redactor = redactor(&[&key, "hunter22", "(secret)"]);
    let (mut held, mut out) = (HeldOutput::default(), Vec::new());
    let mut feed = |bytes: &str| {
        out.clear();
        held.feed(&redactor, bytes.as_bytes(), &mut out);
        String::from_utf8(out.clone()).unwrap()
    };
    assert_eq!(feed("TASK [x] ***\nok: [web1]\n"), "TASK [x] ***\nok: [web1]\n");
    assert_eq!(feed("a line that has no"), "");
    assert_eq!(feed(" end\n"), "a line that has no end\n");
    assert_eq!(
        feed("it ends with hunt\n"),
        "it ends with ",
        "it may be a line that a terminal broke"
    );
    assert_eq!(feed("ed animals\n"), "hunt\ned animals\n");
    let middle = key.lines().take(20).collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!(feed(&format!("the key:\n{middle}")), "the key:\n");
    assert_eq!(feed(&format!("{}done\n", &key[middle.len()..])), "********\ndone\n");
    assert_eq!(feed(&format!("{middle}and no more\n")), "********\nand no more\n");
}

#[test]
fn what_is_held_is_bounded() {
    let secret = ("x".repeat(60) + "\n").repeat(700) + "y";
    let redactor = redactor(&[&secret]);
    let (mut held, mut out, mut taken) = (HeldOutput::with_most(20 * 1024), Vec::new(), 0);
    for (index, piece) in secret.as_bytes().chunks(4 * 1024).enumerate() {
        taken += held.feed(&redactor, piece, &mut out);
        assert!((index + 1) * 4 * 1024 - taken <= 28 * 1024, "{index} {taken}");
    }
    held.finish(&redactor, &mut out);
    assert!(!out.contains(&b'x') && !out.contains(&b'y'), "{}", out.len());
}

#[test]
fn secrets_that_are_much_alike_are_all_found() {
    let secrets: Vec<String> = (10..90)
        .flat_map(|number| {
            [
                format!("prod-{number}-2024"),
                format!("a-long-and-common-beginning-{number}-and-end-of-it"),
            ]
        })
        .collect();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let redactor = redactor(&secrets);
    for secret in &secrets {
        assert_eq!(redactor.redact_text(secret).as_deref(), Some(REPLACEMENT), "{secret}");
    }
    assert_eq!(
        redactor.redact_text("prod-95-2024 a-long-and-common-beginning-95-and-end-of-it"),
        None
    );
    let zeros = [[0_u8; 4096].as_slice(), b"x"].concat();
    let redactor = Redactor::new([zeros.as_slice()]);
    assert_eq!(
        redactor.redact_text(&STANDARD.encode(&zeros)).as_deref(),
        Some("********g=")
    );
}

#[test]
fn nothing_shows_in_debug() {
    assert!(!format!("{:?}", redactor(&["hunter22"])).contains("hunter"));
}

#[test]
fn whole_words_are_told_from_parts_of_others() {
    for (secrets, text, expected) in [
        (&["abcd", "cdefgh"][..], "abcdefgh", "********"),
        (&["abcd", "xabcdx"], "xabcdx abcd", "******** ********"),
        (&["p@ss:word"], "http://p%40ss%3Aword@host", "http://********@host"),
        (&["ab'cd"], "x='ab'\\''cd'", "x='********'"),
        (
            &["two words"],
            "two\n   words two  words twowords",
            "******** ******** twowords",
        ),
        (&["C:\\new"], r#""C:\\new""#, r#""********""#),
        (
            &["naïve"],
            "na\\u00efve na\\xefve na%C3%AFve na\\303\\257ve",
            "******** ******** ******** ********",
        ),
        (&["a\u{1f600}b!"], r"a\ud83d\ude00b!", "********"),
        (&["abcd"], "\u{1b}[31mab\u{1b}[0mcd", "\u{1b}[31m********\u{1b}[0m"),
        (&["abcd"], "ab cd ab-cd a.b.c.d ABCD", "ab cd ab-cd a.b.c.d ABCD"),
    ] {
        assert_eq!(redacted(secrets, text), expected, "{text}");
    }
}

type Writer = fn(&str) -> String;

/// Ways in which programs write a text.
const WRITERS: &[(&str, Writer)] = &[
    ("as it is", str::to_owned),
    ("JSON", json_text),
    ("JSON as Python writes it", ascii_json),
    ("JSON in JSON", |text| json_text(&json_text(text))),
    ("JSON in JSON in JSON, as Python writes it", |text| {
        ascii_json(&ascii_json(&ascii_json(text)))
    }),
    ("Python", python),
    ("Python in JSON", |text| json_text(&python(text))),
    ("Python's bytes", python_bytes),
    ("YAML in single quotes", |text| yaml_single(text, usize::MAX)),
    ("YAML in single quotes, folded", |text| yaml_single(text, 12)),
    ("YAML in double quotes", |text| yaml_double(text, usize::MAX)),
    ("YAML in double quotes, folded", |text| yaml_double(text, 12)),
    ("YAML in double quotes, folded, in JSON", |text| {
        json_text(&yaml_double(text, 9))
    }),
    ("a YAML block", |text| {
        format!("|-\n      {}", text.replace('\n', "\n      "))
    }),
    ("a YAML block in JSON", |text| {
        json_text(&format!("|-\n    {}", text.replace('\n', "\n    ")))
    }),
    ("shell, single quotes", |text| {
        format!("'{}'", text.replace('\'', "'\\''"))
    }),
    ("shell, as Python quotes", |text| {
        format!("'{}'", text.replace('\'', "'\"'\"'"))
    }),
    ("shell, as Python quotes, in JSON", |text| {
        json_text(&format!("'{}'", text.replace('\'', "'\"'\"'")))
    }),
    ("shell, twice", |text| {
        let once = format!("'{}'", text.replace('\'', "'\\''"));
        format!("'{}'", once.replace('\'', "'\\''"))
    }),
    ("shell, double quotes", |text| {
        let special = |c: char| {
            if "\"\\$`".contains(c) {
                format!("\\{c}")
            } else {
                c.to_string()
            }
        };
        format!("\"{}\"", text.chars().map(special).collect::<String>())
    }),
    ("shell, backslashes", |text| {
        let special = |c: char| match c {
            '\n' => "$'\\n'".to_owned(),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => format!("\\{c}"),
            c => c.to_string(),
        };
        text.chars().map(special).collect()
    }),
    ("shell, escapes", |text| {
        let special = |c: char| match c {
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            '\'' | '\\' => format!("\\{c}"),
            c if !c.is_ascii() => {
                let bytes = c.to_string().into_bytes();
                bytes
                    .iter()
                    .fold(String::new(), |text, byte| format!("{text}\\{byte:03o}"))
            }
            c => c.to_string(),
        };
        format!("$'{}'", text.chars().map(special).collect::<String>())
    }),
    ("an address", |text| percent(text, "-._~", "%20", true)),
    ("an address, in lower case", |text| percent(text, "-._~", "%20", false)),
    ("a form", |text| percent(text, "-._*", "+", true)),
    ("an address, hardly escaped", |text| {
        percent(text, "-._~!$&'()*+,;=:@/?#[]", "%20", true)
    }),
    ("an address in an address", |text| {
        percent(&percent(text, "-._~", "%20", true), "-._~", "%20", true)
    }),
    ("JSON in an address", |text| {
        percent(&json_text(text), "-._~", "+", true)
    }),
    ("a web page", |text| {
        let escape = |c: char| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            c => c.to_string(),
        };
        text.chars().map(escape).collect()
    }),
    ("base64", |text| STANDARD.encode(text)),
    ("base64 in JSON", |text| {
        json_text(&STANDARD.encode(text)).replace('/', "\\/")
    }),
    ("base64 without padding", |text| STANDARD_NO_PAD.encode(text)),
    ("base64 for addresses", |text| URL_SAFE.encode(text)),
    ("base64 for addresses without padding", |text| {
        URL_SAFE_NO_PAD.encode(text)
    }),
    ("base64, one byte on", |text| {
        STANDARD.encode(format!(":{text}"))[2..].to_owned()
    }),
    ("base64, two bytes on", |text| {
        STANDARD.encode(format!("u:{text} "))[3..].to_owned()
    }),
    ("base64 in lines", |text| wrapped(&STANDARD.encode(text), 76, "\n")),
    ("base64 in lines of a YAML block", |text| {
        wrapped(&STANDARD.encode(text), 64, "\n    ")
    }),
    ("base64 in lines in JSON", |text| {
        json_text(&wrapped(&STANDARD.encode(text), 64, "\n"))
    }),
    ("base64 in a list", |text| {
        wrapped(&STANDARD.encode(text), 76, "\",\n        \"")
    }),
    ("base64 in a list of Python", |text| {
        wrapped(&STANDARD.encode(text), 76, "', '")
    }),
    ("hexadecimal", |text| hex::encode(text)),
    ("hexadecimal in upper case", |text| hex::encode_upper(text)),
    ("hexadecimal in lines", |text| wrapped(&hex::encode(text), 60, "\n")),
    ("a terminal of 7 columns", |text| wrapped(text, 7, "\n")),
    ("coloured lines", |text| {
        format!("\u{1b}[0;32m{}\u{1b}[0m", text.replace('\n', "\u{1b}[0m\n\u{1b}[0;32m"))
    }),
    ("coloured letters", |text| wrapped(text, 1, "\u{1b}[1m\u{1b}[0;31m")),
    ("a difference", |text| format!("+{}", text.replace('\n', "\n+"))),
    ("folded YAML, line by line in a coloured list", |text| {
        let folded = yaml_double(text, 9);
        let lines: Vec<String> = folded.split('\n').map(json_text).collect();
        lines.join("\",\u{1b}[0m\n\u{1b}[0;33m        \"")
    }),
    ("folded YAML, line by line in a coloured list of YAML", |text| {
        let folded = yaml_double(text, 9);
        let lines: Vec<String> = folded.split('\n').map(|line| line.replace('\'', "''")).collect();
        lines.join("'\u{1b}[0m\n\u{1b}[0;32m    - '")
    }),
    ("lines in a list", |text| {
        text.split('\n')
            .map(json_text)
            .collect::<Vec<_>>()
            .join("\",\n        \"")
    }),
];

fn json_text(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for c in json_text(text).chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| write!(out, "\\u{unit:04x}").unwrap());
        }
    }
    out
}

fn python(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let special = |c: char| match c {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c == quote => format!("\\{c}"),
        c if c.is_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("{quote}{}{quote}", text.chars().map(special).collect::<String>())
}

fn python_bytes(text: &str) -> String {
    let special = |byte: u8| match byte {
        b'\n' => "\\n".to_owned(),
        b'\\' | b'\'' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    };
    format!("b'{}'", text.bytes().map(special).collect::<String>())
}

/// As PyYAML does it: the line ends at a single blank behind the column, and an end of line becomes two.
fn yaml_single(text: &str, columns: usize) -> String {
    let mut out = "'".to_owned();
    let mut column = 0;
    let chars: Vec<char> = text.chars().collect();
    for (index, c) in chars.iter().enumerate() {
        column += 1;
        let alone = |index: usize| chars.get(index).is_some_and(|c| !" \n".contains(*c));
        match c {
            ' ' if column > columns && index > 0 && alone(index - 1) && alone(index + 1) => {
                out.push_str("\n    ");
                column = 0;
            }
            '\n' => out.push_str(if index > 0 && chars[index - 1] == '\n' {
                "\n    "
            } else {
                "\n\n    "
            }),
            '\'' => out.push_str("''"),
            c => out.push(*c),
        }
    }
    out + "'"
}

fn yaml_double(text: &str, columns: usize) -> String {
    let mut out = "\"".to_owned();
    let mut column = 0;
    for c in text.chars() {
        column += 1;
        match c {
            ' ' if column > columns => {
                out.push_str("\\\n    \\ ");
                column = 0;
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' => write!(out, "\\{c}").unwrap(),
            ' '..='~' => out.push(c),
            c if u32::from(c) < 0x100 => write!(out, "\\x{:02X}", u32::from(c)).unwrap(),
            c if u32::from(c) < 0x1_0000 => write!(out, "\\u{:04X}", u32::from(c)).unwrap(),
            c => write!(out, "\\U{:08X}", u32::from(c)).unwrap(),
        }
    }
    out + "\""
}

fn percent(text: &str, kept: &str, blank: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match char::from(byte) {
            ' ' => out.push_str(blank),
            c if c.is_ascii_alphanumeric() || kept.contains(c) => out.push(c),
            _ if upper => write!(out, "%{byte:02X}").unwrap(),
            _ => write!(out, "%{byte:02x}").unwrap(),
        }
    }
    out
}

fn wrapped(text: &str, columns: usize, between: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(columns)
        .map(|line| line.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join(between)
}

/// Secrets as people have them.
fn secret() -> impl Strategy<Value = String> {
    let secret = prop_oneof![
        3 => "[a-zA-Z0-9]{4,24}",
        3 => "[ -~]{4,40}",
        3 => "\\PC{4,30}",
        1 => "[!-/:-@\\[-`{-~]{4,12}",
        1 => "[абвгдежзüöä€😀 ]{4,20}",
        2 => "([ -~]{0,30}\n){1,5}[ -~]{1,20}",
        1 => "-----BEGIN X-----\n([a-zA-Z0-9+/]{64}\n){1,6}[a-zA-Z0-9+/]{5,60}=\n-----END X-----\n",
        1 => "\\{\"[a-z]{1,9}\": \"[ -!#-\\[\\]-~]{8,20}\"\\}",
        1 => "https?://[a-z]{2,8}:[ -~]{4,12}@[a-z]{3,9}\\.example/[a-z%&\\\\]{1,12}",
    ];
    let secret = secret.prop_map(|secret| secret.trim_ascii().to_owned());
    secret.prop_filter("long enough, and not what takes its place", |secret| {
        secret.len() >= SHORTEST && secret.chars().any(|c| c != '*' && c != '_')
    })
}

/// What is left of a secret between the marks, without colours and without backslashes: of a row of them it cannot be told how many
/// were the secret's.
fn legible(text: &str) -> String {
    let begin = text.find("⟨").map_or(0, |at| at + "⟨".len());
    let end = text.rfind("⟩").unwrap_or(text.len());
    let mut left = Vec::new();
    let text = text[begin..end].replace(REPLACEMENT, "").into_bytes();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if let Some(end) = escapes::control_sequence(&text, at) {
            at = end;
        } else {
            left.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(left)
        .unwrap()
        .replace("%25", "%")
        .replace("%5C", "")
        .replace("%5c", "")
}

proptest! {
    #[test]
    fn no_way_of_writing_lets_a_secret_through(secret in secret(), others in prop::collection::vec(secret(), 0..3)) {
        let others: Vec<&str> = others.iter().map(String::as_str).chain([secret.as_str()]).collect();
        let redactor = redactor(&others);
        for (name, write) in WRITERS {
            let text = format!("before ⟨{}⟩ after", write(&secret));
            let Some(redacted) = redactor.redact_text(&text) else {
                return Err(TestCaseError::fail(format!("{name}: nothing is found in {text}")));
            };
            let left = legible(&redacted);
            let letters = left.chars().filter(|c| c.is_alphanumeric()).count();
            prop_assert!(letters <= 5 && redacted.contains(REPLACEMENT), "{}: {:?} is left of {}", name, left, text);
        }
    }

    #[test]
    fn no_cut_lets_a_secret_through(
        secrets in prop::collection::vec(secret(), 1..4),
        writer in 0..WRITERS.len(),
        lines in "([a-z ]{0,12}\n){0,3}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let (name, write) = WRITERS[writer];
        let text = format!("{lines}before ⟨{}⟩ after\n{lines}", write(secrets[0]));
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        let redactor = redactor(&secrets);
        let out = streamed(&redactor, &pieces);
        let left = legible(&out);
        let letters = left.chars().filter(|c| c.is_alphanumeric()).count();
        prop_assert!(letters <= 5 && out.contains(REPLACEMENT), "{}: {:?} is left of {:?}", name, left, pieces);
        // Events are redacted value by value.
        let line = json!({"event": "e", "result": {"msg": text, "nested": [{"lines": [text.clone()]}]}}).to_string();
        let redacted = redactor.redact_line(&line).expect("it is found");
        let event: Value = serde_json::from_str(&redacted).expect("still JSON");
        for text in [&event["result"]["msg"], &event["result"]["nested"][0]["lines"][0]] {
            let left = legible(text.as_str().expect("text"));
            prop_assert!(left.chars().filter(|c| c.is_alphanumeric()).count() <= 5, "{}: {:?} is left", name, left);
        }
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is(
        secrets in prop::collection::vec("[n-zN-Z5-9é¡%&'\"\\\\ \n+-]{4,40}[n-z]", 1..6),
        text in prop::collection::vec(any::<u8>().prop_map(|byte| if b"nopqrstuvwxyzNOPQRSTUVWXYZ56789".contains(&byte) { b'\\' } else { byte }), 0..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = redactor(&secrets);
        // What ends in the middle of something may be a secret that was cut off.
        let text = [text, b"a\n".to_vec()].concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
        at.sort_unstable();
        let (mut held, mut out) = (HeldOutput::default(), Vec::new());
        for pair in at.windows(2) {
            held.feed(&redactor, &text[pair[0]..pair[1]], &mut out);
        }
        held.finish(&redactor, &mut out);
        prop_assert_eq!(&out, &text);
    }

    #[test]
    fn no_encoded_file_lets_a_secret_through(secret in secret(), writer in 0..WRITERS.len(), before in 0..3_usize) {
        let redactor = redactor(&[&secret]);
        let (name, write) = WRITERS[writer];
        let frame = ("x".repeat(before) + "Some file: <", ">, and More of it");
        let encode = |content: &str| STANDARD.encode(format!("{}{content}{}", frame.0, frame.1));
        let once = encode(&write(&secret));
        for (text, levels) in [
            (format!("content: {once}"), 1),
            (format!("\"{}\"", wrapped(&once, 76, "\\n")), 1),
            (wrapped(&once, 64, "\n      "), 1),
            (STANDARD.encode(&once), 2),
        ] {
            let redacted = redactor.redact_text(&text).unwrap_or_default();
            // What is left is that of an empty file, and a few letters of an escape or a colour in between.
            let most = (0..levels - 1).fold(encode(""), |text, _| STANDARD.encode(text)).len() + 60;
            let left = redacted.replace(REPLACEMENT, "").len();
            prop_assert!(redacted.contains(REPLACEMENT) && left <= most, "{}: {} of {}", name, redacted, text);
        }
    }
}

#[test]
fn a_text_full_of_cut_marks_takes_no_more_time_than_others() {
    let text = "\u{2026}[truncated ".repeat(20_000);
    assert_eq!(cut_marks(text.as_bytes()).len(), MOST_CUTS);
}
