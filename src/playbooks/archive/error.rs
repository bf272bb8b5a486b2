//! Why an upload is refused.

/// Longest part of an entry's name that is shown, in characters.
const SHOWN: usize = 120;

/// Why an upload is refused; each reads on after "the upload".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Its name tells no format that is read.
    #[error("is named {0}: a playbook (.yml, .yaml) or an archive (.zip, .tar.gz, .tgz, .tar) is needed")]
    Unsupported(String),
    /// Its name and its content do not agree.
    #[error("is named like {expected}, but holds {found}")]
    WrongContent {
        /// What the name tells.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Named like a playbook, but no text.
    #[error("is named like a playbook, but holds {0}")]
    NoPlaybookText(&'static str),
    /// Compressed, but no archive.
    #[error("holds no tar archive when inflated")]
    NoTar,
    /// There is nothing in it, or nothing that a run needs.
    #[error("holds no file")]
    Empty,
    /// Archives of archives are not opened.
    #[error("holds nothing but other archives, which are not opened; upload one of them")]
    OnlyArchives,
    /// More than [`MAX_ENTRIES`](super::MAX_ENTRIES).
    #[error("holds more than 10,000 files and folders")]
    TooManyEntries,
    /// More than [`MAX_TOTAL_BYTES`](crate::playbooks::MAX_TOTAL_BYTES), or far more than that with what is left out.
    #[error("holds more than 64 MiB when inflated")]
    TooLarge,
    /// A bomb.
    #[error("inflates to more than 200 times its size")]
    Ratio,
    /// It ends too early.
    #[error("breaks off before its end")]
    BreaksOff,
    /// Something follows its end.
    #[error("goes on after its end")]
    GoesOn,
    /// It cannot be made sense of.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    /// One of its entries is to blame.
    #[error("holds {name}, {fault}")]
    Entry {
        /// The entry's name, quoted, escaped and cut for people.
        name: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
}

/// What is wrong with an entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// `/etc/passwd`.
    #[error("whose name is absolute")]
    Absolute,
    /// `C:x`.
    #[error("whose name begins with a drive letter")]
    Drive,
    /// `a/../../b`.
    #[error("whose name has \"..\" in it")]
    Parent,
    /// `a//b`, `a/./b`.
    #[error("whose name has an empty part or \".\" in it")]
    EmptyPart,
    /// A separator elsewhere.
    #[error("whose name has a backslash in it")]
    Backslash,
    /// NUL, line breaks, escape sequences, and what makes text read in another order than it is written.
    #[error("whose name has control characters in it")]
    Control,
    /// No inventory or database can hold it.
    #[error("whose name is not UTF-8")]
    NotUtf8,
    /// More than [`MAX_PATH_BYTES`](super::MAX_PATH_BYTES), or one part more than 255 bytes.
    #[error("whose name is too long (900 bytes, and 255 in each part)")]
    TooLong,
    /// A single file's name with folders in it.
    #[error("whose name has folders in it")]
    NotOneName,
    /// Folders inside folders.
    #[error("which is nested more than 32 folders deep")]
    TooDeep,
    /// Symbolic or hard.
    #[error("which is a link")]
    Link,
    /// Also sockets.
    #[error("which is a device, a pipe or a socket")]
    Special,
    /// Sparse files, parts of several volumes, what only one tool knows.
    #[error("which is of a kind that is not read")]
    UnknownKind,
    /// There is no password to open it with.
    #[error("which is encrypted")]
    Encrypted,
    /// Neither stored nor deflated.
    #[error("which is compressed by a method that is not read ({0}); only deflate is")]
    Method(String),
    /// Two entries of one name.
    #[error("which is there twice")]
    Twice,
    /// `a` and `a/b`.
    #[error("which is a file and a folder at once")]
    FileAndFolder,
    /// A folder of a zip with content.
    #[error("which is a folder with content of its own")]
    FolderWithContent,
    /// As in zip bombs that use the same data over and over.
    #[error("whose data overlap another entry's")]
    Overlap,
    /// Tools would disagree about its name, or about how it is compressed.
    #[error("which the archive's directory and its own header describe differently")]
    TwoAccounts,
    /// A bomb.
    #[error("which inflates to more than 200 times its size")]
    Ratio,
    /// The size in the archive is made up.
    #[error("which is not of the size that the archive says")]
    WrongSize,
    /// The checksum is wrong, or the data make no sense.
    #[error("whose data are damaged")]
    Damaged,
}

impl ArchiveError {
    pub(super) fn unsupported(file_name: &str) -> Self {
        Self::Unsupported(shown(file_name))
    }

    pub(super) fn entry(name: &str, fault: EntryFault) -> Self {
        Self::Entry {
            name: shown(name),
            fault,
        }
    }

    pub(super) fn raw_entry(name: &[u8], fault: EntryFault) -> Self {
        Self::entry(&String::from_utf8_lossy(name), fault)
    }
}

/// Quoted and escaped: names are made by others.
fn shown(name: &str) -> String {
    if name.chars().nth(SHOWN).is_none() {
        format!("{name:?}")
    } else {
        let begin: String = name.chars().take(SHOWN).collect();
        format!("{begin:?}…")
    }
}
