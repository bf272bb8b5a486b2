//! What was read so far, and how much more may come.

use super::{ArchiveError, Content, EntryFault, MAX_ENTRIES, entry_name, recognise};
use crate::{
    domain::playbook::PlaybookFile,
    playbooks::{
        MAX_TOTAL_BYTES, folder,
        snapshot::{self, MAX_DEPTH},
    },
};
use std::{collections::BTreeMap, ops::Bound};

/// Where an entry belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: no run needs it, or it is the root itself.
    LeftOut,
    /// Relative to the archive's root.
    Path {
        path: String,
        /// Its name ends with `/`.
        is_folder: bool,
    },
}

#[derive(Debug)]
enum Node {
    Folder,
    File(PlaybookFile),
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
    entries: usize,
    total: u64,
}

impl Tree {
    /// Counts an entry, and says where it belongs.
    pub(super) fn place(&mut self, name: &[u8]) -> Result<Place, ArchiveError> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(ArchiveError::TooManyEntries);
        }
        let (path, is_folder) = entry_name::parse(name).map_err(|fault| ArchiveError::raw_entry(name, fault))?;
        if path.is_empty() || path.split('/').any(snapshot::is_left_out) {
            return Ok(Place::LeftOut);
        }
        Ok(Place::Path { path, is_folder })
    }

    /// How many more bytes of content may come.
    pub(super) fn room(&self) -> u64 {
        MAX_TOTAL_BYTES - self.total
    }

    /// Notes a folder; it may be there more than once.
    pub(super) fn add_folder(&mut self, path: String) -> Result<(), ArchiveError> {
        match self.nodes.get(&path) {
            Some(Node::File(_)) => Err(ArchiveError::entry(&path, EntryFault::FileAndFolder)),
            Some(Node::Folder) => Ok(()),
            None => {
                self.nodes.insert(path, Node::Folder);
                Ok(())
            }
        }
    }

    /// Takes a file, whose content fits in [`Tree::room`].
    pub(super) fn add_file(&mut self, path: String, is_executable: bool, content: Vec<u8>) -> Result<(), ArchiveError> {
        match self.nodes.get(&path) {
            Some(Node::File(_)) => return Err(ArchiveError::entry(&path, EntryFault::Twice)),
            Some(Node::Folder) => return Err(ArchiveError::entry(&path, EntryFault::FileAndFolder)),
            None => {}
        }
        self.total = self.total.saturating_add(content.len() as u64);
        if self.total > MAX_TOTAL_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        let file = PlaybookFile {
            path: path.clone(),
            mode: if is_executable { 0o755 } else { 0o644 },
            content,
        };
        self.nodes.insert(path, Node::File(file));
        Ok(())
    }

    /// All files, without a top folder around them.
    pub(super) fn finish(self) -> Result<Vec<PlaybookFile>, ArchiveError> {
        self.check_folders()?;
        let mut files: Vec<PlaybookFile> = self
            .nodes
            .into_values()
            .filter_map(|node| match node {
                Node::File(file) => Some(file),
                Node::Folder => None,
            })
            .collect();
        if files.is_empty() {
            return Err(ArchiveError::Empty);
        }
        if let Some(top) = common_top(&files) {
            for file in &mut files {
                file.path.drain(..=top.len());
            }
        }
        if let Some(deep) = files.iter().find(|file| file.path.split('/').count() > MAX_DEPTH) {
            return Err(ArchiveError::entry(&deep.path, EntryFault::TooDeep));
        }
        let is_archive = |file: &PlaybookFile| !matches!(recognise(&file.content), Content::Other);
        if files.iter().all(is_archive) {
            return Err(ArchiveError::OnlyArchives);
        }
        Ok(files)
    }

    /// No file may be the folder of another.
    fn check_folders(&self) -> Result<(), ArchiveError> {
        for (path, node) in &self.nodes {
            let below = format!("{path}/");
            let next = self
                .nodes
                .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
                .next();
            if matches!(node, Node::File(_)) && next.is_some_and(|(next, _)| next.starts_with(&below)) {
                return Err(ArchiveError::entry(path, EntryFault::FileAndFolder));
            }
        }
        Ok(())
    }
}

/// The folder that everything is in, as `git archive` and most people make it; not one that means something to Ansible.
fn common_top(files: &[PlaybookFile]) -> Option<String> {
    let (top, _) = files.first()?.path.split_once('/')?;
    let is_common = files
        .iter()
        .all(|file| file.path.split_once('/').is_some_and(|(first, _)| first == top));
    (is_common && folder::may_hold_playbooks(top)).then(|| top.to_owned())
}
