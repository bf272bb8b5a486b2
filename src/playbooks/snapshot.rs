//! The files of a package, frozen.

use super::{LibraryError, archive};
use crate::domain::playbook::{ManifestEntry, PlaybookFile};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A snapshot with more files than this is refused.
pub const MAX_FILES: usize = 10_000;
/// A snapshot with more bytes than this is refused.
pub const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;

/// Folders below one another.
pub(super) const MAX_DEPTH: usize = 32;
/// Entries that are looked at, those behind links to folders once for each link.
pub(super) const MAX_VISITS: usize = 10 * MAX_FILES;
/// What version control, Python, other tools and macOS keep beside the files that matter.
const LEFT_OUT: &[&str] = &[".git", "__pycache__", "node_modules", ".venv", ".DS_Store", "__MACOSX"];

/// The files of a package, frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// SHA-256 over path, mode and digest of every file: the same files have the same digest.
    pub digest: String,
    /// Every file, sorted by path.
    pub manifest: Vec<ManifestEntry>,
    /// The same files with their content.
    pub files: Vec<PlaybookFile>,
}

impl Snapshot {
    /// Of a folder, whole, by the rules of the watched folder.
    pub fn of_folder(folder: &Path) -> Result<Self, LibraryError> {
        let root = folder.canonicalize().map_err(|source| LibraryError::Read {
            path: folder.to_string_lossy().into_owned(),
            source,
        })?;
        take(&root, "", &BTreeSet::new())
    }

    /// Of these files.
    pub fn new(mut files: Vec<PlaybookFile>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let manifest: Vec<ManifestEntry> = files
            .iter()
            .map(|file| ManifestEntry {
                path: file.path.clone(),
                mode: file.mode,
                digest: hex::encode(Sha256::digest(&file.content)),
            })
            .collect();
        Self {
            digest: digest(&manifest),
            manifest,
            files,
        }
    }
}

/// Takes a snapshot of the package in the top folder `package` of `root`, or, when that is empty, of `root` itself without the top
/// folders `left_out`. Links are followed as long as they stay below `root`.
pub(super) fn take(root: &Path, package: &str, left_out: &BTreeSet<String>) -> Result<Snapshot, LibraryError> {
    let folder = root.join(package);
    let mut collector = Collector {
        root: root.to_owned(),
        above: folder.canonicalize().into_iter().collect(),
        files: Vec::new(),
        total: 0,
        visits: 0,
    };
    for (path, name) in entries(&folder)? {
        if !left_out.contains(&name) {
            collector.entry(&path, &name, 1)?;
        }
    }
    Ok(Snapshot::new(collector.files))
}

fn digest(manifest: &[ManifestEntry]) -> String {
    let mut hash = Sha256::new();
    for entry in manifest {
        // A path holds no NUL, so the fields cannot run into one another.
        hash.update(format!("{}\0{:o}\0{}\n", entry.path, entry.mode, entry.digest));
    }
    hex::encode(hash.finalize())
}

struct Collector {
    root: PathBuf,
    /// Where the folders really are that lead to what is looked at.
    above: Vec<PathBuf>,
    files: Vec<PlaybookFile>,
    total: u64,
    visits: usize,
}

impl Collector {
    fn folder(&mut self, folder: &Path, relative: &str, depth: usize) -> Result<(), LibraryError> {
        for (path, name) in entries(folder)? {
            self.entry(&path, &format!("{relative}/{name}"), depth + 1)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, relative: &str, depth: usize) -> Result<(), LibraryError> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(LibraryError::TooManyFiles);
        }
        let target = match path.canonicalize() {
            Ok(target) => target,
            // A link to nothing, or a file that was taken away since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => {
                return Err(LibraryError::Read {
                    path: relative.to_owned(),
                    source,
                });
            }
        };
        if !target.starts_with(&self.root) {
            return Err(LibraryError::LeavesLibrary(relative.to_owned()));
        }
        let metadata = target.metadata().map_err(|source| LibraryError::Read {
            path: relative.to_owned(),
            source,
        })?;
        if metadata.is_dir() {
            if self.above.contains(&target) {
                return Err(LibraryError::Loop(relative.to_owned()));
            }
            if depth >= MAX_DEPTH {
                return Err(LibraryError::TooDeep(relative.to_owned()));
            }
            self.above.push(target);
            let outcome = self.folder(path, relative, depth);
            self.above.pop();
            return outcome;
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

/// Whether a path stays inside its package and can be laid out on every disk: what an upload may hold, too.
pub(super) fn is_plain_path(path: &str) -> bool {
    let is_deep = path.split('/').count() > MAX_DEPTH;
    archive::check_path(path).is_ok() && !is_deep && !path.split('/').any(is_left_out)
}

/// What is in a folder, sorted, without what no run needs.
pub(super) fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, LibraryError> {
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
        if !is_left_out(&name) {
            found.push((entry.path(), name));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether no run needs what is called `name`, be it a file or a folder.
pub(super) fn is_left_out(name: &str) -> bool {
    let has_extension = |extension| Path::new(name).extension().is_some_and(|found| found == extension);
    // Emacs's locks are links to nowhere; copies and swap files hold what is not saved yet; `._x` is macOS's about `x`.
    let is_swap = has_extension("swp") || name.starts_with('.') && (has_extension("swo") || has_extension("swx"));
    let is_copy = name.ends_with('~') || name.len() > 1 && name.starts_with('#') && name.ends_with('#');
    let is_editors = name.starts_with(".#") || is_copy || is_swap;
    is_editors || has_extension("retry") || name.starts_with("._") || LEFT_OUT.contains(&name)
}
