//! A playbook and the files beside it, frozen.

use super::{LibraryError, library};
use crate::domain::playbook::{ManifestEntry, PlaybookFile, PlaybookId};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A snapshot with more files than this is refused.
pub const MAX_FILES: usize = 10_000;
/// A snapshot with more bytes than this is refused.
pub const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;

const MAX_DEPTH: usize = 32;
const LEFT_OUT: &[&str] = &[".git", "__pycache__", "node_modules", ".venv"];

/// The files a playbook is launched with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The playbook.
    pub id: PlaybookId,
    /// SHA-256 over path, mode and digest of every file: the same files have the same digest.
    pub digest: String,
    /// Every file, sorted by path.
    pub manifest: Vec<ManifestEntry>,
    /// The same files with their content.
    pub files: Vec<PlaybookFile>,
    /// The playbook itself among the files.
    pub entry_path: String,
}

/// Takes a snapshot: of the top folder that the playbook is in, or, for a playbook at the root of its origin, of everything at the
/// root except folders that hold playbooks of their own and that no YAML file at the root refers to.
pub(super) fn take(root: &Path, id: PlaybookId) -> Result<Snapshot, LibraryError> {
    let root = root
        .canonicalize()
        .map_err(|_| LibraryError::NotFound(id.to_string()))?;
    let mut collector = Collector {
        root: root.clone(),
        files: Vec::new(),
        total: 0,
    };
    if let Some((top, _)) = id.path().split_once('/') {
        collector.folder(&root.join(top), top, 1)?;
    } else {
        let left_out = folders_of_others(&root);
        for (path, name) in entries(&root)? {
            if !left_out.contains(&name) {
                collector.entry(&path, &name, 1)?;
            }
        }
    }
    let mut files = collector.files;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if !files.iter().any(|file| file.path == id.path()) {
        return Err(LibraryError::NotFound(id.to_string()));
    }
    let manifest: Vec<ManifestEntry> = files
        .iter()
        .map(|file| ManifestEntry {
            path: file.path.clone(),
            mode: file.mode,
            digest: hex::encode(Sha256::digest(&file.content)),
        })
        .collect();
    Ok(Snapshot {
        digest: digest(&manifest),
        entry_path: id.path().to_owned(),
        id,
        manifest,
        files,
    })
}

fn digest(manifest: &[ManifestEntry]) -> String {
    let mut hash = Sha256::new();
    for entry in manifest {
        // A path holds no NUL, so the fields cannot run into one another.
        hash.update(format!("{}\0{:o}\0{}\n", entry.path, entry.mode, entry.digest));
    }
    hex::encode(hash.finalize())
}

/// Top folders that hold playbooks of their own and that nothing at the root mentions as `FOLDER/`.
fn folders_of_others(root: &Path) -> BTreeSet<String> {
    let playbooks = library::find_playbooks(root);
    let texts: Vec<String> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| library::read_text(&entry.ok()?.path()))
        .collect();
    let tops = playbooks
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(top, _)| top.to_owned());
    tops.filter(|top| !texts.iter().any(|text| text.contains(&format!("{top}/"))))
        .collect()
}

struct Collector {
    root: PathBuf,
    files: Vec<PlaybookFile>,
    total: u64,
}

impl Collector {
    fn folder(&mut self, folder: &Path, relative: &str, depth: usize) -> Result<(), LibraryError> {
        for (path, name) in entries(folder)? {
            self.entry(&path, &format!("{relative}/{name}"), depth + 1)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, relative: &str, depth: usize) -> Result<(), LibraryError> {
        let target = path.canonicalize().map_err(|source| LibraryError::Read {
            path: relative.to_owned(),
            source,
        })?;
        if !target.starts_with(&self.root) {
            return Err(LibraryError::LeavesLibrary(relative.to_owned()));
        }
        let metadata = target.metadata().map_err(|source| LibraryError::Read {
            path: relative.to_owned(),
            source,
        })?;
        if metadata.is_dir() {
            // Also what ends a symlink to a folder above itself.
            if depth >= MAX_DEPTH {
                return Err(LibraryError::TooDeep(relative.to_owned()));
            }
            return self.folder(path, relative, depth);
        }
        if !metadata.is_file() {
            return Err(LibraryError::NotAFile(relative.to_owned()));
        }
        if self.files.len() >= MAX_FILES {
            return Err(LibraryError::TooManyFiles);
        }
        // Read one byte more than is allowed: the file may have grown since it was looked at.
        let mut content = Vec::new();
        let room = MAX_TOTAL_BYTES - self.total;
        fs::File::open(&target)
            .and_then(|file| file.take(room + 1).read_to_end(&mut content))
            .map_err(|source| LibraryError::Read {
                path: relative.to_owned(),
                source,
            })?;
        if content.len() as u64 > room {
            return Err(LibraryError::TooLarge);
        }
        self.total += content.len() as u64;
        let mode = if metadata.permissions().mode() & 0o100 == 0 {
            0o644
        } else {
            0o755
        };
        self.files.push(PlaybookFile {
            path: relative.to_owned(),
            mode,
            content,
        });
        Ok(())
    }
}

/// What is in a folder, sorted, without what no run needs.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, LibraryError> {
    let unreadable = |source| LibraryError::Read {
        path: folder.to_string_lossy().into_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| LibraryError::NameNotUtf8(name.to_string_lossy().into_owned()))?;
        let is_retry = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "retry");
        // Emacs's locks are links to nowhere; copies and swap files hold what is not saved yet.
        let is_swap = Path::new(&name).extension().is_some_and(|extension| extension == "swp");
        let is_editors = name.starts_with(".#") || name.ends_with('~') || is_swap;
        if !is_retry && !is_editors && !LEFT_OUT.contains(&name.as_str()) {
            found.push((entry.path(), name));
        }
    }
    found.sort();
    Ok(found)
}
