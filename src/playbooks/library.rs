//! The library: two folders of playbooks, built-in and custom.

use super::{
    ansible::{self, AnsibleTools, SyntaxError},
    front_matter::FrontMatter,
    outline::{Outline, outline},
    snapshot::{self, Snapshot},
};
use crate::domain::playbook::{Playbook, PlaybookId, PlaybookOrigin};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard};

/// A playbook's own file is read up to this size, in bytes.
const MAX_PLAYBOOK_BYTES: u64 = 1024 * 1024;
/// Folders below the origin's root that are looked into.
const MAX_FOLDERS: usize = 2;
/// What Ansible keeps beside playbooks: YAML, but no playbooks.
const NOT_PLAYBOOKS: &[&str] = &[
    "roles",
    "tasks",
    "vars",
    "group_vars",
    "host_vars",
    "templates",
    "files",
    "handlers",
    "defaults",
    "meta",
    "library",
    "collections",
    "node_modules",
    "__pycache__",
];

/// Where the library finds things.
#[derive(Debug, Clone)]
pub struct LibraryConfig {
    /// Where [`super::builtin::unpack`] wrote the built-in playbooks.
    pub builtin_folder: PathBuf,
    /// The custom playbooks; need not exist.
    pub custom_folder: PathBuf,
    /// Checks their syntax.
    pub ansible: AnsibleTools,
}

/// Why the library could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// No such playbook.
    #[error("no playbook {0:?} in the library")]
    NotFound(String),
    /// A symlink leads out of the library.
    #[error("{0:?} is a link that leads out of the library")]
    LeavesLibrary(String),
    /// A device, a socket, a pipe.
    #[error("{0:?} is neither a file nor a folder")]
    NotAFile(String),
    /// Folders inside folders without end.
    #[error("{0:?} is nested too deeply")]
    TooDeep(String),
    /// More than [`super::MAX_FILES`].
    #[error("there are more than 10,000 files beside the playbook; put it in a folder of its own")]
    TooManyFiles,
    /// More than [`super::MAX_TOTAL_BYTES`].
    #[error("there are more than 64 MiB of files beside the playbook; put it in a folder of its own")]
    TooLarge,
    /// A name that no inventory or database can hold.
    #[error("the file name {0:?} is not UTF-8")]
    NameNotUtf8(String),
    /// The disk said no.
    #[error("failed to read {path:?}")]
    Read {
        /// Relative to the origin's folder.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The work was given up because the process is ending.
    #[error("the library is shutting down")]
    Stopped,
}

/// The playbooks that can be launched. Reads the disk anew each time: what is put into the folder is there at once.
#[derive(Debug, Clone)]
pub struct Library {
    config: LibraryConfig,
    syntax_turn: Arc<Mutex<()>>,
}

impl Library {
    /// A library over these folders.
    pub fn new(config: LibraryConfig) -> Self {
        Self {
            config,
            syntax_turn: Arc::default(),
        }
    }

    /// The Ansible that checks and runs the playbooks.
    pub fn ansible(&self) -> &AnsibleTools {
        &self.config.ansible
    }

    /// All playbooks whose id, name or description holds `search`, built-in first, then by path.
    pub async fn list(&self, search: Option<&str>) -> Result<Vec<Playbook>, LibraryError> {
        let config = self.config.clone();
        let search = search.unwrap_or_default().to_lowercase();
        blocking(move || {
            let mut playbooks = Vec::new();
            for &origin in PlaybookOrigin::ALL {
                for (path, outline) in find_playbooks(folder(&config, origin)) {
                    if let Ok(id) = PlaybookId::new(origin, path) {
                        playbooks.push(describe(&id, outline));
                    }
                }
            }
            let holds = |text: &str| text.to_lowercase().contains(&search);
            playbooks.retain(|playbook| {
                holds(&playbook.id) || holds(&playbook.name) || playbook.description.as_deref().is_some_and(holds)
            });
            Ok(playbooks)
        })
        .await
    }

    /// One playbook and its file's content.
    pub async fn read(&self, id: &PlaybookId) -> Result<(Playbook, Vec<u8>), LibraryError> {
        let (config, id) = (self.config.clone(), id.clone());
        blocking(move || {
            let (text, outline) = open(&config, &id)?;
            Ok((describe(&id, outline), text.into_bytes()))
        })
        .await
    }

    /// Freezes a playbook and the files beside it.
    pub async fn snapshot(&self, id: &PlaybookId) -> Result<Snapshot, LibraryError> {
        let (config, id) = (self.config.clone(), id.clone());
        blocking(move || {
            open(&config, &id)?;
            snapshot::take(folder(&config, id.origin()), id)
        })
        .await
    }

    /// Held by whoever checks a syntax and keeps the outcome.
    pub async fn syntax_turn(&self) -> MutexGuard<'_, ()> {
        self.syntax_turn.lock().await
    }

    /// Lets Ansible check a snapshot. `extra_vars` is the text of an extra-vars file, for playbooks that need variables to be read.
    pub async fn syntax_check(&self, snapshot: &Snapshot, extra_vars: Option<&str>) -> Result<(), SyntaxError> {
        ansible::syntax_check(&self.config.ansible, &snapshot.files, &snapshot.entry_path, extra_vars).await
    }
}

fn folder(config: &LibraryConfig, origin: PlaybookOrigin) -> &Path {
    match origin {
        PlaybookOrigin::BuiltIn => &config.builtin_folder,
        PlaybookOrigin::Custom => &config.custom_folder,
    }
}

fn describe(id: &PlaybookId, outline: Outline) -> Playbook {
    let file = id.path().rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let (front_matter, error) = match outline.front_matter {
        Ok(front_matter) => (front_matter, None),
        Err(error) => (
            FrontMatter::default(),
            Some(format!("the front matter `# admiral:` cannot be read: {error}")),
        ),
    };
    Playbook {
        id: id.to_string(),
        origin: id.origin(),
        path: id.path().to_owned(),
        name: outline.name.unwrap_or_else(|| stem.to_owned()),
        description: outline.description,
        accelerator: front_matter.accelerator,
        error,
    }
}

/// Opens what the library would list, and nothing else.
fn open(config: &LibraryConfig, id: &PlaybookId) -> Result<(String, Outline), LibraryError> {
    let missing = || LibraryError::NotFound(id.to_string());
    let root = folder(config, id.origin()).canonicalize().map_err(|_| missing())?;
    let parts: Vec<&str> = id.path().split('/').collect();
    let (folders, file) = parts.split_at(parts.len() - 1);
    if folders.len() > MAX_FOLDERS || !folders.iter().all(|name| may_hold_playbooks(name)) || !may_be_playbook(file[0])
    {
        return Err(missing());
    }
    let path = root.join(id.path()).canonicalize().map_err(|_| missing())?;
    if !path.starts_with(&root) {
        return Err(LibraryError::LeavesLibrary(id.path().to_owned()));
    }
    let text = read_text(&path).ok_or_else(missing)?;
    let outline = outline(&text).ok_or_else(missing)?;
    Ok((text, outline))
}

/// All playbooks below `root`, by path. What cannot be read is left out: one bad file must not hide the others.
pub(super) fn find_playbooks(root: &Path) -> Vec<(String, Outline)> {
    let mut found = Vec::new();
    if let Ok(root) = root.canonicalize() {
        walk(&root, &root, "", 0, &mut found);
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn walk(root: &Path, folder: &Path, relative: &str, depth: usize, found: &mut Vec<(String, Outline)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let Ok(path) = entry.path().canonicalize() else {
            continue;
        };
        if !path.starts_with(root) {
            continue;
        }
        let relative = if relative.is_empty() {
            name.clone()
        } else {
            format!("{relative}/{name}")
        };
        if path.is_dir() {
            if depth < MAX_FOLDERS && may_hold_playbooks(&name) {
                walk(root, &path, &relative, depth + 1, found);
            }
        } else if may_be_playbook(&name)
            && let Some(outline) = read_text(&path).as_deref().and_then(outline)
        {
            found.push((relative, outline));
        }
    }
}

fn may_hold_playbooks(folder: &str) -> bool {
    !folder.starts_with('.') && !NOT_PLAYBOOKS.contains(&folder)
}

fn may_be_playbook(file: &str) -> bool {
    !file.starts_with('.') && (has_extension(file, "yml") || has_extension(file, "yaml"))
}

fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == extension)
}

/// The text of a YAML file; `None` when it is something else, too large or not UTF-8.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    // Only a plain file: opening a pipe would wait for ever.
    if !path.metadata().ok()?.is_file() || !(has_extension(name, "yml") || has_extension(name, "yaml")) {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path)
        .ok()?
        .take(MAX_PLAYBOOK_BYTES + 1)
        .read_to_string(&mut text)
        .ok()?;
    (text.len() as u64 <= MAX_PLAYBOOK_BYTES).then_some(text)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LibraryError> + Send + 'static,
) -> Result<T, LibraryError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(LibraryError::Stopped))
}
