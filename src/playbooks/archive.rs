//! Uploads: one playbook, or an archive of a package, read in memory within hard limits. Nothing is ever unpacked to the disk.
//!
//! The rules are stricter than those of the tools that make archives. What two tools might read in two ways is refused: an entry
//! that is there twice, whose name differs between a zip's directory and its header, or whose size is not what it says; and
//! bytes before, between or after what belongs to the archive. No size that an archive tells of is trusted.

mod entry_name;
mod error;
mod pack;
mod tarball;
mod tree;
mod zip;

pub use entry_name::{MAX_PATH_BYTES, check_path};
pub use error::{ArchiveError, EntryFault};
pub use pack::pack;

use crate::domain::playbook::PlaybookFile;
use tree::Tree;

/// More files and folders than this are refused.
pub const MAX_ENTRIES: usize = super::MAX_FILES;
/// The largest upload, in bytes.
pub const MAX_UPLOAD_BYTES: usize = 64 * 1024 * 1024;

/// What inflates to more than this many times its size is refused...
const MAX_RATIO: u64 = 200;
/// ...once it is larger than this, in bytes.
const RATIO_MATTERS: u64 = 1024 * 1024;
/// How much is inflated between two looks at the limits, in bytes.
const CHUNK: usize = 16 * 1024;

/// What an upload is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Playbook,
    Zip,
    TarGz,
    Tar,
}

const EXTENSIONS: [(&str, Format); 6] = [
    (".yml", Format::Playbook),
    (".yaml", Format::Playbook),
    (".zip", Format::Zip),
    (".tar.gz", Format::TarGz),
    (".tgz", Format::TarGz),
    (".tar", Format::Tar),
];

/// The files of an upload, sorted by path, with modes 0o644 and 0o755.
///
/// `file_name` tells the format, and `bytes` have to agree with it. A top folder that holds everything else is taken away, unless
/// Ansible gives its name a meaning (`roles`). What no run needs (`.git`, `__pycache__`) is left out.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<Vec<PlaybookFile>, ArchiveError> {
    let (_, format) = split_extension(file_name).ok_or_else(|| ArchiveError::unsupported(file_name))?;
    let found = recognise(bytes);
    let expected = match format {
        Format::Playbook => None,
        Format::Zip => Some(Content::Zip),
        Format::TarGz => Some(Content::Gzip),
        Format::Tar => Some(Content::Tar),
    };
    if found != expected.unwrap_or(Content::Other) {
        return Err(match (format, found) {
            (Format::Playbook, found) => ArchiveError::NoPlaybookText(found.as_str()),
            (_, found) => ArchiveError::WrongContent {
                expected: expected.unwrap_or(Content::Other).as_str(),
                found: found.as_str(),
            },
        });
    }
    let mut tree = Tree::default();
    match format {
        Format::Playbook => return playbook(file_name, bytes).map(|file| vec![file]),
        Format::Zip => zip::read(bytes, &mut tree)?,
        Format::TarGz => tarball::read(tarball::Source::gzip(bytes), &mut tree)?,
        Format::Tar => tarball::read(tarball::Source::plain(bytes), &mut tree)?,
    }
    tree.finish()
}

/// What a package might be called that was uploaded as `file_name`: always a name that
/// [`is_package_name`](crate::domain::package::is_package_name) takes.
pub fn suggest_name(file_name: &str) -> String {
    let file_name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = split_extension(file_name).map_or(file_name, |(stem, _)| stem);
    let mut name = String::new();
    for character in stem.chars() {
        if character.is_ascii_alphanumeric() || (!name.is_empty() && "._".contains(character)) {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(100);
    let name = name.trim_end_matches(['-', '.', '_']);
    if name.is_empty() {
        "package".to_owned()
    } else {
        name.to_owned()
    }
}

fn split_extension(file_name: &str) -> Option<(&str, Format)> {
    EXTENSIONS.iter().find_map(|(extension, format)| {
        let at = file_name.len().checked_sub(extension.len())?;
        let (stem, end) = file_name.split_at_checked(at)?;
        end.eq_ignore_ascii_case(extension).then_some((stem, *format))
    })
}

fn playbook(file_name: &str, bytes: &[u8]) -> Result<PlaybookFile, ArchiveError> {
    let (path, _) = entry_name::parse(file_name.as_bytes()).map_err(|fault| ArchiveError::entry(file_name, fault))?;
    if path.contains('/') {
        return Err(ArchiveError::entry(file_name, EntryFault::NotOneName));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(ArchiveError::NoPlaybookText("text that is not UTF-8"));
    }
    Ok(PlaybookFile {
        path,
        mode: 0o644,
        content: bytes.to_vec(),
    })
}

/// What bytes are, by how they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Zip,
    Gzip,
    Tar,
    Bzip2,
    Xz,
    Zstd,
    SevenZip,
    Rar,
    Other,
}

impl Content {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Zip => "a zip archive",
            Self::Gzip => "data compressed with gzip",
            Self::Tar => "a tar archive",
            Self::Bzip2 => "data compressed with bzip2",
            Self::Xz => "data compressed with xz",
            Self::Zstd => "data compressed with zstd",
            Self::SevenZip => "a 7z archive",
            Self::Rar => "a rar archive",
            Self::Other => "something else",
        }
    }
}

fn recognise(bytes: &[u8]) -> Content {
    const MAGIC: [(&[u8], Content); 8] = [
        (b"PK\x03\x04", Content::Zip),
        // One without entries begins with its end.
        (b"PK\x05\x06", Content::Zip),
        (b"\x1f\x8b", Content::Gzip),
        (b"BZh", Content::Bzip2),
        (b"\xfd7zXZ\0", Content::Xz),
        (b"\x28\xb5\x2f\xfd", Content::Zstd),
        (b"7z\xbc\xaf\x27\x1c", Content::SevenZip),
        (b"Rar!\x1a\x07", Content::Rar),
    ];
    let by_magic = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
    match by_magic {
        Some((_, content)) => *content,
        None if tarball::is_tar(bytes) => Content::Tar,
        None => Content::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::package::is_package_name;

    #[test]
    fn suggested_names_are_names() {
        for (file_name, name) in [
            ("site.yml", "site"),
            ("shop-1.2.TAR.GZ", "shop-1.2"),
            ("My Playbooks (1).zip", "My-Playbooks-1"),
            ("C:\\fakepath\\web.tgz", "web"),
            (".zip", "package"),
            ("Ünï.zip", "n"),
            ("--..zip", "package"),
            ("", "package"),
        ] {
            assert_eq!(suggest_name(file_name), name, "{file_name:?}");
            assert!(is_package_name(name));
        }
        assert!(is_package_name(&suggest_name(&"x y".repeat(100))));
    }

    #[test]
    fn a_single_playbook_keeps_its_name() {
        let files = read("Site.YML", b"- hosts: all\n").unwrap();
        assert_eq!((files[0].path.as_str(), files[0].mode), ("Site.YML", 0o644));
        for (name, bytes) in [
            ("../site.yml", b"- hosts: all\n".as_slice()),
            ("a/site.yml", b"- hosts: all\n"),
            ("site.yml/", b"- hosts: all\n"),
            ("site.yml", b"\xff\xfe"),
            ("site.yml", b"PK\x03\x04"),
            ("site.txt", b"- hosts: all\n"),
            ("site", b"- hosts: all\n"),
            ("", b""),
        ] {
            assert!(read(name, bytes).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let file = |path: &str, mode, content: &[u8]| PlaybookFile {
            path: path.to_owned(),
            mode,
            content: content.to_vec(),
        };
        let long = format!("{}/{}", "long-folder-name/".repeat(20), "x".repeat(200)).replace("//", "/");
        let files = vec![
            file("files/run.sh", 0o755, b"#!/bin/sh\n"),
            file(&long, 0o644, b""),
            file("site.yml", 0o644, b"- hosts: all\n"),
        ];
        let packed = pack(&files).unwrap();
        assert_eq!(read("x.tar.gz", &packed).unwrap(), files);
        assert_eq!(pack(&files).unwrap(), packed);
    }
}
