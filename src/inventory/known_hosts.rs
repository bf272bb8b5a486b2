//! OpenSSH's `known_hosts` file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

/// One host and one of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHost {
    /// Address or name, without brackets.
    pub host: String,
    /// 22 unless the entry names another.
    pub port: u16,
    /// Such as `ssh-ed25519`.
    pub key_type: String,
    /// Key type and base64, without a comment.
    pub public_key: String,
}

/// The file's text for `(host, port, public key line)`. What could not be one host's entry is left out: an unknown host
/// is noticed by SSH, a forged line is not.
pub fn render<Text: AsRef<str>>(entries: &[(Text, i32, Text)]) -> String {
    let mut text = String::new();
    for (host, port, line) in entries {
        let (Some(name), Some((key_type, key))) = (entry_name(host.as_ref(), *port), key_words(line.as_ref())) else {
            continue;
        };
        for word in [&name, " ", key_type, " ", key, "\n"] {
            text.push_str(word);
        }
    }
    text
}

/// One host and one of its keys, as they stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Address or name, without brackets.
    pub host: &'a str,
    /// 22 unless the entry names another.
    pub port: u16,
    /// Such as `ssh-ed25519`.
    pub key_type: &'a str,
    /// The key in base64.
    pub key: &'a str,
}

/// The entries that name a host. Left out: hashed names, patterns, revoked keys and certificate authorities.
pub fn parse(text: &str) -> Vec<KnownHost> {
    let owned = |entry: Entry<'_>| KnownHost {
        host: entry.host.to_owned(),
        port: entry.port,
        key_type: entry.key_type.to_owned(),
        public_key: format!("{} {}", entry.key_type, entry.key),
    };
    entries(text).map(owned).collect()
}

/// The same one by one, for text that is not trusted: a line with a long key and a million names is a million long keys.
pub fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    text.lines().filter_map(line_parts).flat_map(|(names, key_type, key)| {
        names.split(',').filter_map(move |name| {
            let (host, port) = host_and_port(name)?;
            Some(Entry {
                host,
                port,
                key_type,
                key,
            })
        })
    })
}

/// Names, key type and key of a line.
fn line_parts(line: &str) -> Option<(&str, &str, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '@', '|']) {
        return None;
    }
    let (names, rest) = line.split_once([' ', '\t'])?;
    let (key_type, key) = key_words(rest)?;
    Some((names, key_type, key))
}

fn host_and_port(name: &str) -> Option<(&str, u16)> {
    let (host, port) = match name.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']')?;
            (host, port.strip_prefix(':').map_or(Some(22), |port| port.parse().ok())?)
        }
        None => (name, 22),
    };
    is_plain_host(host).then_some((host, port))
}

/// SSH looks names up in lower case, and in brackets with the port when it is not 22.
fn entry_name(host: &str, port: i32) -> Option<String> {
    if !is_plain_host(host) || !(1..=65535).contains(&port) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    Some(if port == 22 { host } else { format!("[{host}]:{port}") })
}

fn is_plain_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%'))
}

fn key_words(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (key_type, key) = (words.next()?, words.next()?);
    let is_type = key_type
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'@' | b'.'));
    let is_key = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    (is_type && is_key).then_some((key_type, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_line_for_each_key() {
        let text = render(&[
            ("Web.example.org", 22, "ssh-ed25519 AAAA comment here"),
            ("192.0.2.1", 2222, "ssh-rsa BBBB"),
            ("2001:db8::1", 22, "ssh-rsa CCCC"),
            ("::1", 2222, "ssh-rsa DDDD\nevil ssh-rsa EEEE"),
            ("*", 22, "ssh-rsa FFFF"),
            ("a b", 22, "ssh-rsa FFFF"),
            ("@revoked", 22, "ssh-rsa FFFF"),
            ("a", 0, "ssh-rsa FFFF"),
            ("a", 22, "ssh-rsa"),
        ]);
        insta::assert_snapshot!(text, @r"
        web.example.org ssh-ed25519 AAAA
        [192.0.2.1]:2222 ssh-rsa BBBB
        2001:db8::1 ssh-rsa CCCC
        [::1]:2222 ssh-rsa DDDD
        ");
    }

    #[test]
    fn other_lines_are_left_out() {
        let text = "# comment\n\n@revoked a ssh-rsa AAAA\n|1|x=|y= ssh-rsa AAAA\n*.org ssh-rsa AAAA\na,[b]:99,!c ssh-rsa AAAA x\r\nbroken\n[d ssh-rsa AAAA\n";
        let found: Vec<_> = parse(text)
            .into_iter()
            .map(|known| (known.host, known.port, known.public_key))
            .collect();
        let key = || "ssh-rsa AAAA".to_owned();
        assert_eq!(found, [("a".to_owned(), 22, key()), ("b".to_owned(), 99, key())]);
    }

    #[test]
    fn a_line_with_many_names_and_a_long_key_takes_no_more_memory_than_it_has_bytes() {
        // A terabyte, if each name got a copy of the key.
        let text = format!("{}web ssh-rsa {}\n", "x,".repeat(1_000_000), "A".repeat(1_000_000));
        let found: Vec<_> = entries(&text).filter(|entry| entry.host == "web").collect();
        assert_eq!((found.len(), found[0].key.len()), (1, 1_000_000));
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back(host in "[a-z0-9][a-z0-9.:-]{0,20}", port in 1..=65535i32, key in "[A-Za-z0-9+/]{1,40}={0,2}") {
            let line = format!("ssh-ed25519 {key}");
            let known = parse(&render(&[(host.as_str(), port, line.as_str())]));
            let expected = KnownHost { host, port: port as u16, key_type: "ssh-ed25519".to_owned(), public_key: line };
            prop_assert_eq!(known, [expected]);
        }
    }
}
