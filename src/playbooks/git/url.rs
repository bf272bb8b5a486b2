//! Addresses of repositories. Pure.
//!
//! git takes far more than addresses: `ext::` runs a command, `file://` reads this machine, and what starts with `-` is an option
//! to git or to `ssh` (CVE-2017-1000117 and its kin). So an address is taken apart here, each part is held to a list of what it may
//! hold, and git gets it only as put together again.

use std::{fmt, net::Ipv6Addr};

/// Longest address, in bytes.
const MAX_URL: usize = 1024;

/// Where a repository is: `https` or `ssh`, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    scheme: Scheme,
    /// Lower case; an IPv6 address in brackets.
    host: String,
    port: Option<u16>,
    /// Without the slash before it.
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scheme {
    Https,
    /// `ssh://[user@]host[:port]/path`: the path begins at the root.
    Ssh {
        user: Option<String>,
    },
    /// `user@host:path`: the path begins at the user's home.
    Scp {
        user: String,
    },
}

/// Why an address is refused. None of the messages repeats a part of it that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing there.
    #[error("is required: https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH")]
    Empty,
    /// Longer than any real one.
    #[error("must have at most {MAX_URL} characters")]
    TooLong,
    /// A line break, a blank, a control character: the rest would be read as something else.
    #[error("must not hold blanks, line breaks or control characters")]
    Blank,
    /// Would be read as an option.
    #[error("must not begin with \"-\": git would take it for an option")]
    Option,
    /// A part would be read as an option.
    #[error("must not have a {0} that begins with \"-\": it would be taken for an option")]
    PartIsOption(&'static str),
    /// `ext::sh -c …` and the like.
    #[error("must not name a transport helper (\"NAME::\"): helpers run commands on the server")]
    Helper,
    /// `http://`.
    #[error("must not use http, which anybody on the way can read and change; use https")]
    Http,
    /// `git://`.
    #[error("must not use git://, which anybody on the way can read and change; use https or ssh")]
    GitProtocol,
    /// A path on this machine.
    #[error("must not name files on the server's own disk; put a folder into the watched folder instead")]
    Local,
    /// Any other scheme.
    #[error("must use https or ssh, not {0}")]
    Scheme(String),
    /// `user:password@`.
    #[error("must not hold a password: it would be stored and shown in plain; put it into the field token")]
    Password,
    /// `https://user@`.
    #[error("must not hold a user name with https; put it into the field username")]
    User,
    /// `host:path`, which might be anything.
    #[error("must name a user before the host (USER@HOST:PATH), or be written ssh://HOST/PATH")]
    NoUser,
    /// A user that no system has.
    #[error("must have a user of letters, digits, \".\", \"_\" and \"-\"")]
    BadUser,
    /// No host.
    #[error("must name a host")]
    NoHost,
    /// Not a host.
    #[error("must have a host of letters, digits, \".\", \"_\" and \"-\", or an IPv6 address in brackets")]
    BadHost,
    /// Not a port.
    #[error("must have a port between 1 and 65535")]
    BadPort,
    /// No path.
    #[error("must name a repository after the host")]
    NoPath,
    /// `..` and the like.
    #[error("must not have \".\", \"..\" or an empty part in its path")]
    Traversal,
    /// `%` where nothing needs it.
    #[error("must not use \"%\" in the {0} to write what can be written plainly, or must not be there at all")]
    Encoded(&'static str),
    /// `\`.
    #[error("must not hold a backslash")]
    Backslash,
    /// `?` or `#`.
    #[error("must not have a query or a fragment (\"?\", \"#\")")]
    Query,
    /// Anything else.
    #[error("must not have {0:?} in its path")]
    BadPath(char),
}

impl GitUrl {
    /// Takes an address apart; refuses what is not plainly one.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        check_text(text)?;
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "https" => Self::parse_https(rest),
                "ssh" => Self::parse_ssh(rest),
                "http" => Err(UrlError::Http),
                "git" => Err(UrlError::GitProtocol),
                "file" => Err(UrlError::Local),
                _ if !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c)) => Err(UrlError::BadHost),
                other => Err(UrlError::Scheme(other.to_owned())),
            };
        }
        Self::parse_scp(text)
    }

    /// The address that a submodule's names: a whole one, or `./…` or `../…` from this one (gitsubmodules(7)).
    pub fn resolve(&self, text: &str) -> Result<Self, UrlError> {
        if !(text.starts_with("./") || text.starts_with("../")) {
            return Self::parse(text);
        }
        check_text(text)?;
        let mut parts: Vec<&str> = self.path.trim_end_matches('/').split('/').collect();
        let mut rest = text;
        loop {
            if let Some(after) = rest.strip_prefix("./") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("../") {
                parts.pop().ok_or(UrlError::Traversal)?;
                rest = after;
            } else {
                break;
            }
        }
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() {
            return Err(UrlError::NoPath);
        }
        let path = parts.into_iter().chain([rest]).collect::<Vec<_>>().join("/");
        check_path(&path, self.scheme == Scheme::Https)?;
        Ok(Self { path, ..self.clone() })
    }

    /// Whether it is read over SSH.
    pub fn is_ssh(&self) -> bool {
        self.scheme != Scheme::Https
    }

    /// The host, for messages; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether both are on the same host, reached in the same way: what may see the credentials of one may see those of the other.
    pub fn shares_credentials_with(&self, other: &Self) -> bool {
        let user = |url: &Self| match &url.scheme {
            Scheme::Https => None,
            Scheme::Ssh { user } => user.clone(),
            Scheme::Scp { user } => Some(user.clone()),
        };
        self.is_ssh() == other.is_ssh()
            && self.host == other.host
            && self.effective_port() == other.effective_port()
            && user(self) == user(other)
    }

    /// `https://HOST[:PORT]`, as git compares it with `credential.URL.helper`; `None` for SSH.
    pub fn https_origin(&self) -> Option<String> {
        (self.scheme == Scheme::Https).then(|| format!("https://{}{}", self.host, self.port_suffix()))
    }

    fn effective_port(&self) -> u16 {
        self.port.unwrap_or(if self.is_ssh() { 22 } else { 443 })
    }

    fn port_suffix(&self) -> String {
        self.port.map(|port| format!(":{port}")).unwrap_or_default()
    }

    fn parse_https(rest: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(rest)?;
        if let Some((user, _)) = authority.rsplit_once('@') {
            return Err(if user.contains(':') {
                UrlError::Password
            } else {
                UrlError::User
            });
        }
        let (host, port) = parse_host_and_port(authority)?;
        check_path(path, true)?;
        Ok(Self {
            scheme: Scheme::Https,
            host,
            port,
            path: path.to_owned(),
        })
    }

    fn parse_ssh(rest: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(rest)?;
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(parse_user(user)?), authority),
            None => (None, authority),
        };
        let (host, port) = parse_host_and_port(authority)?;
        check_path(path, false)?;
        Ok(Self {
            scheme: Scheme::Ssh { user },
            host,
            port,
            path: path.to_owned(),
        })
    }

    fn parse_scp(text: &str) -> Result<Self, UrlError> {
        if text.starts_with(['/', '.', '~']) {
            return Err(UrlError::Local);
        }
        let Some((user, rest)) = text.split_once('@') else {
            return Err(if text.contains(':') {
                UrlError::NoUser
            } else {
                UrlError::Local
            });
        };
        if user.contains('/') {
            return Err(UrlError::Local);
        }
        let user = parse_user(user)?;
        // `user:password@host:path` has been refused with the user; a second `@` belongs to the path.
        let Some((host, path)) = rest.split_once(':') else {
            return Err(UrlError::NoPath);
        };
        let host = parse_host(host)?;
        if path.starts_with('-') {
            return Err(UrlError::PartIsOption("path"));
        }
        let (scheme, path) = match path.strip_prefix('/') {
            Some(path) => (Scheme::Ssh { user: Some(user) }, path),
            None => (Scheme::Scp { user }, path),
        };
        check_path(path, false)?;
        Ok(Self {
            scheme,
            host,
            port: None,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for GitUrl {
    /// As git gets it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, path, .. } = self;
        let port = self.port_suffix();
        match &self.scheme {
            Scheme::Https => write!(f, "https://{host}{port}/{path}"),
            Scheme::Ssh { user: Some(user) } => write!(f, "ssh://{user}@{host}{port}/{path}"),
            Scheme::Ssh { user: None } => write!(f, "ssh://{host}{port}/{path}"),
            Scheme::Scp { user } => write!(f, "{user}@{host}:{path}"),
        }
    }
}

fn check_text(text: &str) -> Result<(), UrlError> {
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    if text.len() > MAX_URL {
        return Err(UrlError::TooLong);
    }
    if text.starts_with('-') {
        return Err(UrlError::Option);
    }
    // `NAME::ADDRESS`, as git reads it: a name of letters, digits, `+`, `.` and `-` before two colons (gitremote-helpers(7)).
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "+.-_".contains(c));
    if text.split_once("::").is_some_and(|(name, _)| is_name(name)) {
        return Err(UrlError::Helper);
    }
    // What cannot be seen counts as well: an address must be what it looks like.
    let is_invisible = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || is_invisible(c)) {
        return Err(UrlError::Blank);
    }
    if text.contains('\\') {
        return Err(UrlError::Backslash);
    }
    Ok(())
}

/// What stands before the first slash, and what comes after it.
fn split_authority(rest: &str) -> Result<(&str, &str), UrlError> {
    if rest.contains(['?', '#']) {
        return Err(UrlError::Query);
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('%') {
        return Err(UrlError::Encoded("host"));
    }
    if authority.is_empty() {
        return Err(UrlError::NoHost);
    }
    Ok((authority, path))
}

fn parse_user(user: &str) -> Result<String, UrlError> {
    if user.contains(':') {
        return Err(UrlError::Password);
    }
    if user.starts_with('-') {
        return Err(UrlError::PartIsOption("user"));
    }
    let fits = (1..=64).contains(&user.len()) && user.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c));
    if fits {
        Ok(user.to_owned())
    } else {
        Err(UrlError::BadUser)
    }
}

fn parse_host_and_port(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    let colon = match authority.rfind(']') {
        Some(end) => authority[end..].find(':').map(|at| end + at),
        None => authority.find(':'),
    };
    let Some(colon) = colon else {
        return Ok((parse_host(authority)?, None));
    };
    let host = parse_host(&authority[..colon])?;
    let digits = &authority[colon + 1..];
    let port = Some(digits)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|port| *port > 0)
        .ok_or(UrlError::BadPort)?;
    Ok((host, Some(port)))
}

fn parse_host(host: &str) -> Result<String, UrlError> {
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if host.starts_with('-') {
        return Err(UrlError::PartIsOption("host"));
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| UrlError::BadHost)?;
        return Ok(format!("[{address}]"));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(UrlError::BadHost);
    }
    Ok(host.to_ascii_lowercase())
}

/// `path` without the slash before it; one at the end is fine.
fn check_path(path: &str, may_be_encoded: bool) -> Result<(), UrlError> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Err(UrlError::NoPath);
    }
    if path.starts_with('-') {
        return Err(UrlError::PartIsOption("path"));
    }
    if path
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..")
    {
        return Err(UrlError::Traversal);
    }
    if path.contains('%') {
        // git decodes what is in an ssh address before it hands it on, and not what is in an https one.
        if !may_be_encoded || !is_well_encoded(path) {
            return Err(UrlError::Encoded("path"));
        }
    }
    if path.contains(['?', '#']) {
        return Err(UrlError::Query);
    }
    match path
        .chars()
        .find(|c| !(c.is_alphanumeric() || "-._~/@:+,=()&!%".contains(*c)))
    {
        Some(found) => Err(UrlError::BadPath(found)),
        None => Ok(()),
    }
}

/// Whether each `%` stands for a character that cannot stand there itself, and for none that means something to a path or a line.
fn is_well_encoded(path: &str) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return false;
        };
        let meant = (high * 16 + low) as u8;
        let is_plain = meant.is_ascii_alphanumeric() || b"-._~/\\%".contains(&meant);
        if is_plain || meant.is_ascii_control() {
            return false;
        }
        decoded.push(meant);
    }
    std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, normal) in [
            (
                "https://example.org/infra/site.git",
                "https://example.org/infra/site.git",
            ),
            ("HTTPS://Example.ORG:8443/a", "https://example.org:8443/a"),
            (
                "https://example.org/My%20Project/_git/site",
                "https://example.org/My%20Project/_git/site",
            ),
            ("https://example.org/gr%C3%BCn/x", "https://example.org/gr%C3%BCn/x"),
            ("https://example.org/grün/x/", "https://example.org/grün/x/"),
            ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
            (
                "ssh://git@example.org/infra/site.git",
                "ssh://git@example.org/infra/site.git",
            ),
            ("ssh://example.org:2222/srv/git/a", "ssh://example.org:2222/srv/git/a"),
            ("ssh://git@example.org/~/a.git", "ssh://git@example.org/~/a.git"),
            ("git@example.org:infra/site.git", "git@example.org:infra/site.git"),
            ("git@Example.org:/srv/site.git", "ssh://git@example.org/srv/site.git"),
            ("org-1234@example.org:a/b.git", "org-1234@example.org:a/b.git"),
        ] {
            let url = GitUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.to_string(), normal);
            assert_eq!(GitUrl::parse(normal).unwrap(), url, "what git gets reads the same");
        }
    }

    #[test]
    fn hostile_addresses_are_refused_with_a_reason() {
        use UrlError as E;
        for (text, reason) in [
            ("", E::Empty),
            (&"x".repeat(2000), E::TooLong),
            ("--upload-pack=touch /tmp/x", E::Option),
            ("--upload-pack=id", E::Option),
            ("-oProxyCommand=id", E::Option),
            ("https://example.org/a\nb", E::Blank),
            ("https://example.org/a b", E::Blank),
            ("https://example.org/a\u{200b}", E::Blank),
            ("https://example.org/a\u{a0}b", E::Blank),
            ("https://example.org/\0", E::Blank),
            ("ext::sh -c id", E::Helper),
            ("ext::sh%20-c%20id", E::Helper),
            ("fd::17", E::Helper),
            ("https::https://example.org/a", E::Helper),
            ("::x", E::Helper),
            ("http://example.org/a", E::Http),
            ("HTTP://example.org/a", E::Http),
            ("git://example.org/a", E::GitProtocol),
            ("file:///etc", E::Local),
            ("/srv/git/a", E::Local),
            ("./a", E::Local),
            ("../a", E::Local),
            ("~/a", E::Local),
            ("a/b", E::Local),
            ("a/b@c:d", E::Local),
            ("ftp://example.org/a", E::Scheme("ftp".to_owned())),
            ("ftps://example.org/a", E::Scheme("ftps".to_owned())),
            ("git+ssh://example.org/a", E::Scheme("git+ssh".to_owned())),
            ("https://user:secret@example.org/a", E::Password),
            ("https://user@example.org/a", E::User),
            ("ssh://git:secret@example.org/a", E::Password),
            ("git:secret@example.org:a", E::Password),
            ("ssh://-oProxyCommand=id/a", E::PartIsOption("host")),
            ("ssh://git@-oProxyCommand=id/a", E::PartIsOption("host")),
            ("ssh://-oProxyCommand=id@example.org/a", E::PartIsOption("user")),
            ("-x@example.org:a", E::Option),
            ("git@-example.org:a", E::PartIsOption("host")),
            ("git@example.org:-a", E::PartIsOption("path")),
            ("ssh://example.org/-a", E::PartIsOption("path")),
            ("https://example.org/--upload-pack=id", E::PartIsOption("path")),
            ("ssh://example.org/a;id", E::BadPath(';')),
            ("ssh://example.org/$(id)", E::BadPath('$')),
            ("ssh://example.org/`id`", E::BadPath('`')),
            ("https://example.org/a'b", E::BadPath('\'')),
            ("https:///a", E::NoHost),
            ("ssh://@/a", E::BadUser),
            ("ssh://git@/a", E::NoHost),
            ("git@:a", E::NoHost),
            ("https://example.org", E::NoPath),
            ("https://example.org/", E::NoPath),
            ("git@example.org", E::NoPath),
            ("git@example.org:", E::NoPath),
            ("https://exa%6dple.org/a", E::Encoded("host")),
            ("https://example.org/%2e%2e/a", E::Encoded("path")),
            ("https://example.org/a%2fb", E::Encoded("path")),
            ("https://example.org/a%0ab", E::Encoded("path")),
            ("https://example.org/a%00", E::Encoded("path")),
            ("https://example.org/%2dx", E::Encoded("path")),
            ("https://example.org/a%5cb", E::Encoded("path")),
            ("https://example.org/a%", E::Encoded("path")),
            ("https://example.org/a%zz", E::Encoded("path")),
            ("https://example.org/a%ff", E::Encoded("path")),
            ("ssh://example.org/a%20b", E::Encoded("path")),
            ("https://example.org/../a", E::Traversal),
            ("https://example.org//a", E::Traversal),
            ("https://example.org/a/./b", E::Traversal),
            ("git@example.org:../a", E::Traversal),
            ("https://example.org\\@evil.example/a", E::Backslash),
            ("https://example.org/a?x=1", E::Query),
            ("https://example.org/a#b", E::Query),
            ("https://example.org:0/a", E::BadPort),
            ("https://example.org:99999/a", E::BadPort),
            ("https://example.org:/a", E::BadPort),
            ("https://example.org:+22/a", E::BadPort),
            ("https://exämple.org/a", E::BadHost),
            ("https://[::1/a", E::BadHost),
            ("https://[fe80::1%25eth0]/a", E::Encoded("host")),
            ("https://a..b/c", E::BadHost),
            ("example.org:a/b", E::NoUser),
            ("C:/a", E::NoUser),
        ] {
            assert_eq!(GitUrl::parse(text), Err(reason.clone()), "{text:?}");
            assert!(!reason.to_string().contains("secret"));
        }
    }

    #[test]
    fn addresses_of_submodules_start_from_their_parents() {
        let parent = GitUrl::parse("https://example.org/infra/site.git").unwrap();
        let resolved = |text: &str| parent.resolve(text).map(|url| url.to_string());
        assert_eq!(resolved("../roles.git").unwrap(), "https://example.org/infra/roles.git");
        assert_eq!(resolved("../../a/b").unwrap(), "https://example.org/a/b");
        assert_eq!(resolved("./sub").unwrap(), "https://example.org/infra/site.git/sub");
        assert_eq!(
            resolved("ssh://git@other.example/x").unwrap(),
            "ssh://git@other.example/x"
        );
        let scp = GitUrl::parse("git@example.org:infra/site.git").unwrap();
        assert_eq!(
            scp.resolve("../roles.git").unwrap().to_string(),
            "git@example.org:infra/roles.git"
        );
        assert_eq!(resolved("../../../../x"), Err(UrlError::Traversal));
        assert_eq!(resolved("../a/../../b"), Err(UrlError::Traversal));
        assert_eq!(resolved("../"), Err(UrlError::NoPath));
        assert_eq!(resolved("../../-x"), Err(UrlError::PartIsOption("path")));
        assert_eq!(resolved("-u./payload"), Err(UrlError::Option));
        assert_eq!(resolved("ext::sh"), Err(UrlError::Helper));
        assert_eq!(resolved("/etc"), Err(UrlError::Local));
    }

    #[test]
    fn credentials_are_for_one_host_only() {
        let shares = |a: &str, b: &str| {
            GitUrl::parse(a)
                .unwrap()
                .shares_credentials_with(&GitUrl::parse(b).unwrap())
        };
        assert!(shares("https://example.org/a", "https://EXAMPLE.org:443/b"));
        assert!(!shares("https://example.org/a", "https://example.org:8443/a"));
        assert!(!shares("https://example.org/a", "https://example.org.evil.example/a"));
        assert!(!shares("https://example.org/a", "ssh://example.org/a"));
        assert!(shares("git@example.org:a", "ssh://git@example.org:22/b"));
        assert!(!shares("git@example.org:a", "ssh://root@example.org/b"));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_the_same_again(text in "(https|ssh)://[a-z0-9.@:-]{1,12}/[a-zA-Z0-9%./~:@-]{0,20}|[a-z-]{1,4}@[a-z.-]{1,6}:[a-z/.-]{0,8}") {
            if let Ok(url) = GitUrl::parse(&text) {
                let normal = url.to_string();
                prop_assert!(!normal.starts_with('-'));
                prop_assert_eq!(GitUrl::parse(&normal).unwrap(), url);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,40}") {
            let _ = GitUrl::parse(&text);
        }
    }
}
