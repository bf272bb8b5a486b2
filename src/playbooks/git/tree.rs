//! The files of a commit, put together from what git lists. Pure.
//!
//! Nothing is ever checked out: no hook, no filter and no attribute of the repository has a say, and a link is looked up in what the
//! commit itself holds.

use crate::{
    domain::playbook::PlaybookFile,
    playbooks::snapshot::{self, MAX_DEPTH, MAX_FILES, MAX_TOTAL_BYTES},
};
use std::collections::{BTreeMap, HashMap};

/// Longest path of a file, in bytes.
const MAX_PATH: usize = 1000;
/// Longest target of a link, in bytes.
pub(super) const MAX_LINK: u64 = 4096;
/// Links that lead to links, as in the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// Entries that are looked at, those behind links to folders once for each link.
const MAX_VISITS: usize = 10 * MAX_FILES;

/// Why a commit's files are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A name that is no name of a file.
    #[error("the repository holds {0:?}, which no checkout may hold; nothing of it was taken")]
    Name(String),
    /// Two things of one name.
    #[error("the repository holds {0:?} twice")]
    Twice(String),
    /// Bytes that no inventory or database can hold.
    #[error("the repository holds a file whose name is not UTF-8: {0:?}")]
    NotUtf8(String),
    /// Longer than any real one.
    #[error("the repository holds a path of more than {MAX_PATH} bytes: {0:?}…")]
    TooLong(String),
    /// A link to somewhere else.
    #[error("{0:?} is a link that leads out of the repository")]
    Leaves(String),
    /// A link that never ends.
    #[error("{0:?} is a link that leads back to itself")]
    Loop(String),
    /// Folders inside folders without end.
    #[error("{0:?} is nested too deeply")]
    TooDeep(String),
    /// More than a package may hold.
    #[error("the repository has more than 10,000 files")]
    TooManyFiles,
    /// More than a package may hold.
    #[error("the repository has more than 64 MiB of files")]
    TooLarge,
    /// git says something else than it always does.
    #[error("git lists the files in a way that is not understood")]
    NotUnderstood,
}

/// One line of `git ls-tree -r -l -z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) kind: Kind,
    /// Of the content, or a submodule's commit.
    pub(super) object: String,
    /// Bytes; none for a submodule.
    pub(super) size: u64,
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File { executable: bool },
    Link,
    Submodule,
}

/// Reads what git lists; refuses names that could lead anywhere.
pub(super) fn parse_listing(listing: &[u8]) -> Result<Vec<Listed>, TreeError> {
    listing
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
        .map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Result<Listed, TreeError> {
    let tab = line
        .iter()
        .position(|byte| *byte == b'\t')
        .ok_or(TreeError::NotUnderstood)?;
    let head = std::str::from_utf8(&line[..tab]).map_err(|_| TreeError::NotUnderstood)?;
    let path = check_path(&line[tab + 1..])?;
    let mut words = head.split_ascii_whitespace();
    let (Some(mode), Some(_), Some(object), Some(size)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(TreeError::NotUnderstood);
    };
    let kind = match mode {
        "120000" => Kind::Link,
        "160000" => Kind::Submodule,
        _ if mode.starts_with("100") => Kind::File {
            executable: u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o100 != 0),
        },
        _ => return Err(TreeError::NotUnderstood),
    };
    let is_object = object.len() >= 40 && object.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_object {
        return Err(TreeError::NotUnderstood);
    }
    Ok(Listed {
        kind,
        object: object.to_owned(),
        size: size.parse().unwrap_or(0),
        path,
    })
}

/// A path as git stores it is a list of names; a crafted tree may hold any bytes.
fn check_path(path: &[u8]) -> Result<String, TreeError> {
    let shown = || String::from_utf8_lossy(path).chars().take(200).collect::<String>();
    if path.len() > MAX_PATH {
        return Err(TreeError::TooLong(shown()));
    }
    let path = std::str::from_utf8(path).map_err(|_| TreeError::NotUtf8(shown()))?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && name.len() <= 255
            && !name.eq_ignore_ascii_case(".git")
            && !name.contains(char::is_control)
    };
    if path.split('/').all(is_name) {
        Ok(path.to_owned())
    } else {
        Err(TreeError::Name(shown()))
    }
}

/// Whether an entry has a place in the tree; refuses one that lies too deep. Each of its folders takes memory, and a few hundred bytes
/// of a repository can name millions.
pub(super) fn has_place(path: &str) -> Result<bool, TreeError> {
    if path.split('/').count() <= MAX_DEPTH + 1 {
        return Ok(true);
    }
    if path.split('/').any(snapshot::is_left_out) {
        return Ok(false);
    }
    Err(TreeError::TooDeep(path.chars().take(200).collect()))
}

#[derive(Debug)]
enum Node {
    Folder(BTreeMap<String, Node>),
    File {
        executable: bool,
        object: String,
        size: u64,
    },
    Link {
        target: String,
    },
}

/// All that a commit and its submodules hold.
#[derive(Debug)]
pub(super) struct Tree {
    root: BTreeMap<String, Node>,
}

impl Tree {
    /// Of these entries. `targets` holds where links lead, by object.
    pub(super) fn new(entries: &[Listed], targets: &HashMap<String, Vec<u8>>) -> Result<Self, TreeError> {
        let mut root = BTreeMap::new();
        for entry in entries {
            let node = match entry.kind {
                Kind::Submodule => Node::Folder(BTreeMap::new()),
                Kind::File { executable } => Node::File {
                    executable,
                    object: entry.object.clone(),
                    size: entry.size,
                },
                Kind::Link => Node::Link {
                    target: targets
                        .get(&entry.object)
                        .and_then(|target| String::from_utf8(target.clone()).ok())
                        .filter(|target| !target.contains('\0'))
                        .ok_or_else(|| TreeError::Leaves(entry.path.clone()))?,
                },
            };
            insert(&mut root, &entry.path, node)?;
        }
        Ok(Self { root })
    }

    /// Every file by its path, links replaced by what they lead to. Links to nothing are left out.
    pub(super) fn files(&self) -> Result<Vec<TreeFile>, TreeError> {
        let mut walk = Walk {
            tree: self,
            found: Vec::new(),
            total: 0,
            visits: 0,
        };
        walk.folder(&self.root, &mut Vec::new(), "", 0)?;
        Ok(walk.found)
    }

    fn folder(&self, path: &[&str]) -> Option<&BTreeMap<String, Node>> {
        let mut folder = &self.root;
        for name in path {
            match folder.get(*name) {
                Some(Node::Folder(inner)) => folder = inner,
                _ => return None,
            }
        }
        Some(folder)
    }
}

/// A file, and which object holds its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeFile {
    pub(super) path: String,
    pub(super) executable: bool,
    pub(super) object: String,
}

impl TreeFile {
    /// With its content.
    pub(super) fn with(self, contents: &HashMap<String, Vec<u8>>) -> Result<PlaybookFile, TreeError> {
        Ok(PlaybookFile {
            mode: if self.executable { 0o755 } else { 0o644 },
            content: contents.get(&self.object).ok_or(TreeError::NotUnderstood)?.clone(),
            path: self.path,
        })
    }
}

fn insert(root: &mut BTreeMap<String, Node>, path: &str, node: Node) -> Result<(), TreeError> {
    let twice = || TreeError::Twice(path.to_owned());
    let mut folder = root;
    let mut names: Vec<&str> = path.split('/').collect();
    let last = names.pop().ok_or(TreeError::NotUnderstood)?;
    for name in names {
        let inner = folder
            .entry(name.to_owned())
            .or_insert_with(|| Node::Folder(BTreeMap::new()));
        folder = match inner {
            Node::Folder(inner) => inner,
            _ => return Err(twice()),
        };
    }
    match (folder.get(last), &node) {
        (None, _) => {
            folder.insert(last.to_owned(), node);
            Ok(())
        }
        // A submodule's place, listed after what was found in it.
        (Some(Node::Folder(_)), Node::Folder(_)) => Ok(()),
        _ => Err(twice()),
    }
}

enum Place<'a> {
    Folder(&'a BTreeMap<String, Node>, Vec<&'a str>),
    File(&'a Node),
    Nowhere,
}

struct Walk<'a> {
    tree: &'a Tree,
    found: Vec<TreeFile>,
    total: u64,
    visits: usize,
}

impl<'a> Walk<'a> {
    /// `real` is where the folder lies, `shown` how it was reached.
    fn folder(
        &mut self,
        folder: &'a BTreeMap<String, Node>,
        real: &mut Vec<&'a str>,
        shown: &str,
        depth: usize,
    ) -> Result<(), TreeError> {
        if depth > MAX_DEPTH {
            return Err(TreeError::TooDeep(shown.to_owned()));
        }
        for (name, node) in folder {
            self.visits += 1;
            if self.visits > MAX_VISITS {
                return Err(TreeError::TooManyFiles);
            }
            if snapshot::is_left_out(name) {
                continue;
            }
            let path = if shown.is_empty() {
                name.clone()
            } else {
                format!("{shown}/{name}")
            };
            if path.len() > MAX_PATH {
                return Err(TreeError::TooLong(path.chars().take(200).collect()));
            }
            match node {
                Node::Folder(inner) => {
                    real.push(name);
                    self.folder(inner, real, &path, depth + 1)?;
                    real.pop();
                }
                Node::File { .. } => self.file(path, node)?,
                Node::Link { target } => match self.follow(real, target, &path)? {
                    Place::Folder(inner, mut inner_real) => self.folder(inner, &mut inner_real, &path, depth + 1)?,
                    Place::File(file) => self.file(path, file)?,
                    Place::Nowhere => {}
                },
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, node: &Node) -> Result<(), TreeError> {
        let Node::File {
            executable,
            object,
            size,
        } = node
        else {
            return Ok(());
        };
        if self.found.len() >= MAX_FILES {
            return Err(TreeError::TooManyFiles);
        }
        self.total = self.total.saturating_add(*size);
        if self.total > MAX_TOTAL_BYTES {
            return Err(TreeError::TooLarge);
        }
        self.found.push(TreeFile {
            path,
            executable: *executable,
            object: object.clone(),
        });
        Ok(())
    }

    /// Where a link in the folder `from` leads.
    fn follow(&self, from: &[&'a str], target: &'a str, link: &str) -> Result<Place<'a>, TreeError> {
        let leaves = || TreeError::Leaves(link.to_owned());
        let mut place: Vec<&'a str> = from.to_vec();
        let mut ahead: Vec<&'a str> = target.split('/').rev().collect();
        if target.starts_with('/') || target.is_empty() {
            return Err(leaves());
        }
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match name {
                "" | "." => continue,
                ".." => {
                    place.pop().ok_or_else(leaves)?;
                    continue;
                }
                _ => {}
            }
            let Some(folder) = self.tree.folder(&place) else {
                return Ok(Place::Nowhere);
            };
            match folder.get_key_value(name) {
                None => return Ok(Place::Nowhere),
                Some((name, Node::Folder(_))) => place.push(name),
                Some((_, file @ Node::File { .. })) => {
                    let is_last = ahead.iter().all(|name| name.is_empty() || *name == ".");
                    return Ok(if is_last { Place::File(file) } else { Place::Nowhere });
                }
                Some((_, Node::Link { target })) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(TreeError::Loop(link.to_owned()));
                    }
                    if target.starts_with('/') || target.is_empty() {
                        return Err(leaves());
                    }
                    ahead.extend(target.split('/').rev());
                }
            }
        }
        match self.tree.folder(&place) {
            // A folder that holds the link itself would be copied into itself without end.
            Some(_) if from.starts_with(&place) => Err(TreeError::Loop(link.to_owned())),
            Some(folder) => Ok(Place::Folder(folder, place)),
            None => Ok(Place::Nowhere),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// `(path, "-" for a file, "x" for one that may be executed, "@" for a submodule, or where a link leads)`.
    fn files(entries: &[(&str, &str)]) -> Result<Vec<String>, TreeError> {
        let mut targets = HashMap::new();
        let listed: Vec<Listed> = entries
            .iter()
            .enumerate()
            .map(|(index, (path, what))| {
                let object = format!("{index:040}");
                let kind = match *what {
                    "-" => Kind::File { executable: false },
                    "x" => Kind::File { executable: true },
                    "@" => Kind::Submodule,
                    target => {
                        targets.insert(object.clone(), target.as_bytes().to_vec());
                        Kind::Link
                    }
                };
                Listed {
                    kind,
                    object,
                    size: 1,
                    path: (*path).to_owned(),
                }
            })
            .collect();
        let files = Tree::new(&listed, &targets)?.files()?;
        Ok(files
            .into_iter()
            .map(|file| {
                format!(
                    "{}{}={}",
                    file.path,
                    if file.executable { "*" } else { "" },
                    file.object.trim_start_matches('0')
                )
            })
            .collect())
    }

    #[test]
    fn a_listing_is_read() {
        let text = format!(
            "100644 blob {OBJECT}      12\tsite.yml\0100755 blob {OBJECT} 3\tbin/ü run\0120000 blob {OBJECT} 4\tlink\0160000 commit {OBJECT}       -\tsub\0"
        );
        let listed = parse_listing(text.as_bytes()).unwrap();
        let kinds: Vec<_> = listed
            .iter()
            .map(|entry| (entry.path.as_str(), entry.kind, entry.size))
            .collect();
        assert_eq!(
            kinds,
            [
                ("site.yml", Kind::File { executable: false }, 12),
                ("bin/ü run", Kind::File { executable: true }, 3),
                ("link", Kind::Link, 4),
                ("sub", Kind::Submodule, 0),
            ]
        );
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "./a",
            "..",
            ".git/config",
            "a/.GIT/hooks/post-checkout",
            ".gIt",
            "a\nb",
            "a\rb",
            "a\u{7f}",
            "a/",
        ] {
            let line = format!("100644 blob {OBJECT} 1\t{name}\0");
            assert!(
                matches!(parse_listing(line.as_bytes()), Err(TreeError::Name(_))),
                "{name:?}"
            );
        }
        let line = [format!("100644 blob {OBJECT} 1\t").as_bytes(), b"\xff.yml\0"].concat();
        assert!(matches!(parse_listing(&line), Err(TreeError::NotUtf8(_))));
        let line = format!("100644 blob {OBJECT} 1\t{}\0", "a/".repeat(600) + "b");
        assert!(matches!(parse_listing(line.as_bytes()), Err(TreeError::TooLong(_))));
        for line in ["nothing", "040000 tree x\ty", "100644 blob zz 1\tx"] {
            assert_eq!(parse_listing(line.as_bytes()), Err(TreeError::NotUnderstood));
        }
    }

    #[test]
    fn links_are_replaced_by_what_they_lead_to() {
        let found = files(&[
            ("a/real.yml", "x"),
            ("a/link.yml", "real.yml"),
            ("b/up.yml", "../a/./link.yml"),
            ("folder", "a"),
            ("through", "folder/real.yml"),
            ("nowhere", "missing"),
            ("below-a-file", "a/real.yml/x"),
            ("sub", "@"),
            ("sub/file", "-"),
        ])
        .unwrap();
        assert_eq!(
            found,
            [
                "a/link.yml*=",
                "a/real.yml*=",
                "b/up.yml*=",
                "folder/link.yml*=",
                "folder/real.yml*=",
                "sub/file=8",
                "through*="
            ]
        );
    }

    #[test]
    fn links_that_leave_or_never_end_are_refused() {
        let leaves = |entries: &[(&str, &str)]| matches!(files(entries), Err(TreeError::Leaves(_)));
        assert!(leaves(&[("x", "/etc/passwd")]));
        assert!(leaves(&[("x", "../x")]));
        assert!(leaves(&[("a/x", "../../etc/passwd")]));
        assert!(leaves(&[("a/b/x", "../y"), ("a/y", "../../z")]));
        assert!(leaves(&[("x", "")]));
        let is_loop = |entries: &[(&str, &str)]| matches!(files(entries), Err(TreeError::Loop(_)));
        assert!(is_loop(&[("one", "two"), ("two", "one")]));
        assert!(is_loop(&[("x", ".")]));
        assert!(is_loop(&[("a/b/x", "../..")]));
        let bomb = files(&[("a/1", "../b"), ("a/2", "../b"), ("b/1", "../a"), ("b/2", "../a")]);
        assert!(
            matches!(bomb, Err(TreeError::TooDeep(_) | TreeError::TooManyFiles)),
            "{bomb:?}"
        );
    }

    #[test]
    fn what_lies_too_deep_has_no_place() {
        let folders = |count: usize| "a/".repeat(count);
        assert_eq!(has_place(&format!("{}x", folders(MAX_DEPTH))), Ok(true));
        assert_eq!(has_place(&format!("node_modules/{}x", folders(MAX_DEPTH))), Ok(false));
        let deep = format!("{}x", folders(MAX_DEPTH + 1));
        assert_eq!(has_place(&deep), Err(TreeError::TooDeep(deep)));
    }

    #[test]
    fn nothing_is_there_twice_and_what_no_run_needs_is_left_out() {
        assert_eq!(
            files(&[("a", "-"), ("a/b", "-")]),
            Err(TreeError::Twice("a/b".to_owned()))
        );
        assert_eq!(files(&[("a", "-"), ("a", "-")]), Err(TreeError::Twice("a".to_owned())));
        let kept = files(&[("a", "-"), ("node_modules/x", "-"), ("site.retry", "-"), ("b~", "-")]).unwrap();
        assert_eq!(kept, ["a="]);
    }
}
