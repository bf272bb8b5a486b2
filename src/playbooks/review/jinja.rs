//! What expressions in a text name, as far as words and strings tell. Nothing is evaluated.

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, also of a filter, a function or an operator such as `and`.
    Name(String),
    /// A string, without its quotes.
    Text(String),
    /// A number.
    Number,
    /// Anything else, one character each.
    Symbol(char),
}

/// A call of `lookup` or one of its likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    /// The plugin, without a collection.
    pub plugin: String,
    /// What is handed over as plain strings.
    pub texts: Vec<String>,
    /// Whether something else is handed over too.
    pub has_variables: bool,
}

const WORDS: [&str; 16] = [
    "if", "else", "and", "or", "not", "in", "is", "true", "false", "none", "True", "False", "None", "for", "set",
    "endif",
];

/// Whether the text holds an expression or a statement.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The end of the expression, statement or comment that begins at `start` (with `{{`, `{%` or `{#`): the byte behind it.
pub(super) fn end_of_template(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let close: &[u8; 2] = match bytes.get(start + 1) {
        Some(b'{') => b"}}",
        Some(b'%') => b"%}",
        _ => b"#}",
    };
    let mut quote = None;
    let mut at = start + 2;
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(open) if byte == open => quote = None,
            None if bytes[at..].starts_with(close) => return at + 2,
            None if (byte == b'\'' || byte == b'"') && close != b"#}" => quote = Some(byte),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The tokens of every expression and statement in the text.
pub(super) fn expressions(text: &str) -> Vec<Vec<Token>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find('{') {
        let start = at + next;
        match text.as_bytes().get(start + 1) {
            Some(b'{' | b'%') => {
                let end = end_of_template(text, start);
                let inner = text.get(start + 2..end.saturating_sub(2)).unwrap_or_default();
                found.push(tokens(inner));
                at = end;
            }
            Some(b'#') => at = end_of_template(text, start),
            _ => at = start + 1,
        }
    }
    found
}

/// The tokens of one expression.
pub(super) fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\'' || c == '"' {
            let mut text = String::new();
            while let Some(inner) = rest.next() {
                match inner {
                    '\\' => text.extend(rest.next()),
                    inner if inner == c => break,
                    inner => text.push(inner),
                }
            }
            tokens.push(Token::Text(text));
        } else if c.is_alphabetic() || c == '_' {
            let mut name = String::from(c);
            while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                name.push(next);
            }
            tokens.push(Token::Name(name));
        } else if c.is_ascii_digit() {
            while rest.next_if(char::is_ascii_alphanumeric).is_some() {}
            tokens.push(Token::Number);
        } else if !c.is_whitespace() {
            tokens.push(Token::Symbol(c));
        }
    }
    tokens
}

/// The variables of an expression, each with the attributes and keys that are taken of it: `a.b['c']` is `[a, b, c]`.
pub(super) fn variables(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Token::Name(name) = &tokens[at] else {
            at += 1;
            continue;
        };
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        // What follows `|` is a filter, what follows `is` a test.
        let is_filter = before == Some(&Token::Symbol('|'))
            || matches!(before, Some(Token::Name(word)) if word == "is")
            || (matches!(before, Some(Token::Name(word)) if word == "not")
                && matches!(tokens.get(at.wrapping_sub(2)), Some(Token::Name(word)) if word == "is"));
        at += 1;
        let next = (tokens.get(at), tokens.get(at + 1));
        let is_argument_name = next.0 == Some(&Token::Symbol('=')) && next.1 != Some(&Token::Symbol('='));
        let is_call = next.0 == Some(&Token::Symbol('('));
        if is_filter || is_argument_name || is_call || WORDS.contains(&name.as_str()) {
            // The collection of a filter: `ansible.builtin.b64decode`.
            while is_filter && tokens.get(at) == Some(&Token::Symbol('.')) {
                at += 2;
            }
            continue;
        }
        let mut path = vec![name.clone()];
        loop {
            match (tokens.get(at), tokens.get(at + 1), tokens.get(at + 2)) {
                (Some(Token::Symbol('.')), Some(Token::Name(part)), after) => {
                    at += 2;
                    // A method is no attribute.
                    if after != Some(&Token::Symbol('(')) {
                        path.push(part.clone());
                    }
                }
                (Some(Token::Symbol('[')), Some(Token::Text(part)), Some(Token::Symbol(']'))) => {
                    path.push(part.clone());
                    at += 3;
                }
                (Some(Token::Symbol('[' | '.')), Some(Token::Number), _) => {
                    at += 2;
                    if tokens.get(at) == Some(&Token::Symbol(']')) {
                        at += 1;
                    }
                }
                _ => break,
            }
        }
        found.push(path);
    }
    found
}

/// Whether the expression gives a value to what may be undefined or empty.
pub(super) fn has_default(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| {
        pair[0] == Token::Symbol('|') && matches!(&pair[1], Token::Name(name) if name == "default" || name == "d")
    })
}

/// The lookups of an expression.
pub(super) fn lookups(tokens: &[Token]) -> Vec<Lookup> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_lookup = matches!(token, Token::Name(name) if ["lookup", "query", "q"].contains(&name.as_str()));
        let (Some(Token::Symbol('(')), Some(Token::Text(plugin))) = (tokens.get(at + 1), tokens.get(at + 2)) else {
            continue;
        };
        if !is_lookup {
            continue;
        }
        let mut lookup = Lookup {
            plugin: plugin.rsplit('.').next().unwrap_or_default().to_owned(),
            texts: Vec::new(),
            has_variables: false,
        };
        let mut depth = 1;
        let arguments = tokens[at + 3..].iter().take_while(|token| {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') => depth -= 1,
                _ => {}
            }
            depth > 0
        });
        let arguments: Vec<Token> = arguments.cloned().collect();
        for argument in &arguments {
            if let Token::Text(text) = argument {
                lookup.texts.push(text.clone());
            }
        }
        lookup.has_variables = !variables(&arguments).is_empty();
        found.push(lookup);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        expressions(text)
            .iter()
            .flat_map(|tokens| variables(tokens))
            .map(|path| path.join("."))
            .collect()
    }

    #[test]
    fn variables_are_told_from_all_else() {
        for (text, expected) in [
            ("no expression", vec![]),
            ("{{ a }}", vec!["a"]),
            ("{{ a.b['c'][0].d }}-{{e}}", vec!["a.b.c.d", "e"]),
            ("{{ a | default('b') | community.general.x }}", vec!["a"]),
            (
                "{{ 'a' if b is defined and c is not none else d }}",
                vec!["b", "c", "d"],
            ),
            ("{{ lookup('file', path, errors=strict) }}", vec!["path", "strict"]),
            ("{{ a.split(',') }}", vec!["a"]),
            ("{% if x == 1 %}{{ '}}' ~ y }}{% endif %}", vec!["x", "y"]),
            ("{# {{ a }} #}", vec![]),
            ("{{ a", vec![]),
            ("{{", vec![]),
            ("{", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn lookups_are_found() {
        let found: Vec<Lookup> =
            expressions("{{ x ~ lookup('ansible.builtin.pipe', 'id ' ~ (y)) ~ query('file', '/a') }}")
                .iter()
                .flat_map(|tokens| lookups(tokens))
                .collect();
        assert_eq!(
            found,
            [
                Lookup {
                    plugin: "pipe".to_owned(),
                    texts: vec!["id ".to_owned()],
                    has_variables: true
                },
                Lookup {
                    plugin: "file".to_owned(),
                    texts: vec!["/a".to_owned()],
                    has_variables: false
                },
            ]
        );
        assert!(has_default(&tokens("a | default('x')")));
        assert!(!has_default(&tokens("default")));
    }
}
