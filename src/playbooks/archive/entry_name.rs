//! Which names entries may have: relative, normal, and the same to every tool.

use super::EntryFault;

/// The longest path of a file, in bytes: with its package's name it is still a playbook's id.
pub const MAX_PATH_BYTES: usize = 900;
/// The longest that a file system takes.
const MAX_PART_BYTES: usize = 255;

/// Checks the path of a package's file: relative, normal, parts separated by `/`.
pub fn check_path(path: &str) -> Result<(), EntryFault> {
    if path.starts_with("./") {
        return Err(EntryFault::EmptyPart);
    }
    match parse(path.as_bytes())? {
        (parsed, false) if !parsed.is_empty() => Ok(()),
        _ => Err(EntryFault::EmptyPart),
    }
}

/// The path of an entry, and whether its name says that it is a folder. Empty for the archive's own root (`./`).
pub(super) fn parse(name: &[u8]) -> Result<(String, bool), EntryFault> {
    let name = std::str::from_utf8(name).map_err(|_| EntryFault::NotUtf8)?;
    if name.len() > MAX_PATH_BYTES {
        return Err(EntryFault::TooLong);
    }
    if name.chars().any(is_control) {
        return Err(EntryFault::Control);
    }
    if name.contains('\\') {
        return Err(EntryFault::Backslash);
    }
    if name.starts_with('/') {
        return Err(EntryFault::Absolute);
    }
    if matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return Err(EntryFault::Drive);
    }
    // `tar -c .` writes every name like this.
    let rest = if name == "." {
        ""
    } else {
        name.strip_prefix("./").unwrap_or(name)
    };
    let (path, is_folder) = rest.strip_suffix('/').map_or((rest, false), |path| (path, true));
    if rest.is_empty() {
        return if name.is_empty() {
            Err(EntryFault::EmptyPart)
        } else {
            Ok((String::new(), true))
        };
    }
    for part in path.split('/') {
        match part {
            ".." => return Err(EntryFault::Parent),
            "" | "." => return Err(EntryFault::EmptyPart),
            part if part.len() > MAX_PART_BYTES => return Err(EntryFault::TooLong),
            _ => {}
        }
    }
    Ok((path.to_owned(), is_folder))
}

/// Also what separates lines or turns the direction of text, so that a name is what it looks like.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken() {
        for (name, path, is_folder) in [
            ("site.yml", "site.yml", false),
            ("./site.yml", "site.yml", false),
            ("roles/web/", "roles/web", true),
            ("./", "", true),
            (".", "", true),
            ("a b/ü…/..x/x..", "a b/ü…/..x/x..", false),
            ("ab:c", "ab:c", false),
        ] {
            assert_eq!(parse(name.as_bytes()), Ok((path.to_owned(), is_folder)), "{name:?}");
        }
        assert_eq!(check_path("roles/web/tasks/main.yml"), Ok(()));
    }

    #[test]
    fn all_others_are_refused() {
        for (name, fault) in [
            ("", EntryFault::EmptyPart),
            ("/", EntryFault::Absolute),
            ("/etc/passwd", EntryFault::Absolute),
            ("//x", EntryFault::Absolute),
            ("..", EntryFault::Parent),
            ("../x", EntryFault::Parent),
            ("./../x", EntryFault::Parent),
            ("a/..", EntryFault::Parent),
            ("a/../../x", EntryFault::Parent),
            ("a//b", EntryFault::EmptyPart),
            (".//b", EntryFault::EmptyPart),
            ("a/./b", EntryFault::EmptyPart),
            ("././b", EntryFault::EmptyPart),
            ("a//", EntryFault::EmptyPart),
            ("a\\b", EntryFault::Backslash),
            ("..\\x", EntryFault::Backslash),
            ("C:\\x", EntryFault::Backslash),
            ("C:/x", EntryFault::Drive),
            ("c:x", EntryFault::Drive),
            ("a\0b", EntryFault::Control),
            ("a\nb", EntryFault::Control),
            ("a\u{1b}[2Jb", EntryFault::Control),
            ("a\u{202e}lmy.b", EntryFault::Control),
        ] {
            assert_eq!(parse(name.as_bytes()), Err(fault), "{name:?}");
        }
        assert_eq!(parse(b"a\xff"), Err(EntryFault::NotUtf8));
        assert_eq!(parse("a".repeat(256).as_bytes()), Err(EntryFault::TooLong));
        assert_eq!(parse("a/".repeat(451).as_bytes()), Err(EntryFault::TooLong));
        for path in ["./a", "a/", ".", "", "/a", "a/../b"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }
}
