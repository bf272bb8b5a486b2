//! Folders that a run may have filled: given to its account, measured and removed, whatever lies in them.
//!
//! Nothing here follows a link, and every entry is reached through the descriptor of its folder: a path could come to mean
//! something else in between. Nothing recurses, and no more than a few descriptors are open: how deep a tree is, is up to the run.

use std::{
    ffi::{CStr, CString, OsStr},
    io,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Uid, fchmod, fchown, fstat, openat, renameat_with,
        statat, unlinkat,
    },
    io::Errno,
};

use super::account::RunAccount;

/// How deep a run's folders may be nested.
pub(super) const MAX_DEPTH: usize = 200;
/// A folder that is closed again as soon as it was opened up is tried this often.
const OPEN_ATTEMPTS: usize = 100;

/// Gives a folder and all below it to the account, and lets nobody but it and us look inside.
///
/// A program that was stopped a moment ago may still be changing the tree: ownership is never changed by path.
pub fn give(folder: &Path, account: RunAccount) -> io::Result<()> {
    if !account.is_other() {
        return Ok(());
    }
    let top = open_folder(folder)?;
    fchown(&top, Some(Uid::from_raw(account.uid)), Some(Gid::from_raw(account.gid)))?;
    let mut levels = vec![Level::open(top)?];
    while let Some((depth, name)) = next_entry(&mut levels)? {
        let level = &levels[depth - 1];
        let stat = statat(&level.folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        chownat(&level.folder, &name, account, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if depth >= MAX_DEPTH {
                return Err(too_deep());
            }
            let below = open_below(&level.folder, &name)?;
            levels.push(Level::open(below)?);
        }
    }
    Ok(())
}

/// The next entry of the deepest folder, and how many folders are open, of which that is the last. Folders that were read to the end are
/// closed; `None` when all were.
fn next_entry(levels: &mut Vec<Level>) -> io::Result<Option<(usize, CString)>> {
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.next()? {
            return Ok(Some((levels.len(), name)));
        }
        levels.pop();
    }
    Ok(None)
}

fn too_deep() -> io::Error {
    io::Error::other(format!("folders are nested deeper than {MAX_DEPTH} levels"))
}

/// Takes a folder and all below it from the account that had it, for everybody to read. Only when no process of the account is left.
pub fn take_back(folder: &Path) -> io::Result<()> {
    let own = RunAccount::own();
    let mut levels = vec![Level::open(open_folder(folder)?)?];
    open_to_all(&levels[0].folder, own)?;
    while let Some((depth, name)) = next_entry(&mut levels)? {
        let level = &levels[depth - 1];
        let stat = statat(&level.folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth >= MAX_DEPTH => return Err(too_deep()),
            FileType::Directory => {
                let below = open_below(&level.folder, &name)?;
                open_to_all(&below, own)?;
                levels.push(Level::open(below)?);
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                open_to_all(&openat(&level.folder, &name, flags, Mode::empty())?, own)?;
            }
            FileType::Symlink => chownat(&level.folder, &name, own, AtFlags::SYMLINK_NOFOLLOW)?,
            // Pipes, sockets and devices are of no use to anybody.
            _ => unlinkat(&level.folder, &name, AtFlags::empty())?,
        }
    }
    Ok(())
}

/// Gives a file or a folder to us; others may read it, and enter or execute it where its owner may.
fn open_to_all(file: &OwnedFd, own: RunAccount) -> io::Result<()> {
    fchown(file, Some(Uid::from_raw(own.uid)), Some(Gid::from_raw(own.gid)))?;
    let mode = Mode::from_raw_mode(fstat(file)?.st_mode) & Mode::RWXU | Mode::RUSR;
    let for_all = if mode.contains(Mode::XUSR) { 0o555 } else { 0o444 };
    Ok(fchmod(file, mode | Mode::from_raw_mode(for_all))?)
}

fn chownat(folder: &OwnedFd, name: &CStr, own: RunAccount, flags: AtFlags) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(own.uid), Gid::from_raw(own.gid));
    Ok(rustix::fs::chownat(folder, name, Some(uid), Some(gid), flags)?)
}

/// What a folder takes up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes on the disk: holes do not count.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
    /// The size of the largest file, holes included.
    pub largest_file: u64,
    /// Some folder is nested deeper than `MAX_DEPTH`; what lies below is not counted.
    pub too_deep: bool,
    /// Some folder was closed to us again and again; what lies below is not counted.
    pub closed: bool,
}

/// Measures a folder while it may be changing. Stops at `max_entries`. Folders that their owner made unreadable are opened up.
///
/// Whatever the run does in the meantime, such as removing a folder that is being read, the rest is measured all the same.
pub fn measure(folder: &Path, max_entries: u64) -> io::Result<Extent> {
    let mut extent = Extent::default();
    let mut levels = Vec::new();
    match open_level(rustix::fs::CWD, &c_name(folder.as_os_str())?) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => extent.closed = true,
        opened => levels.push(opened?),
    }
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else {
            return Ok(extent);
        };
        let Ok(Some(name)) = level.next() else {
            levels.pop();
            continue;
        };
        let Ok(stat) = statat(&level.folder, &name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        extent.entries += 1;
        extent.bytes += (stat.st_blocks as u64) * 512;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => extent.largest_file = extent.largest_file.max(stat.st_size as u64),
            FileType::Directory if depth >= MAX_DEPTH => extent.too_deep = true,
            FileType::Directory => match open_level(&level.folder, &name) {
                Ok(below) => levels.push(below),
                Err(error) => {
                    let is_ours = stat.st_uid == RunAccount::own().uid;
                    extent.closed |= is_ours && error.kind() == io::ErrorKind::PermissionDenied;
                }
            },
            _ => {}
        }
        if extent.entries >= max_entries {
            return Ok(extent);
        }
    }
}

/// Opens a folder whose owner may be closing it over and over.
fn open_level(parent: impl AsFd, name: &CStr) -> io::Result<Level> {
    let mut attempts = 0;
    loop {
        match open_below(&parent, name).and_then(Level::open) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && attempts < OPEN_ATTEMPTS => attempts += 1,
            opened => return opened,
        }
    }
}

/// Removes a folder and all below it; that it is gone already is fine, and a file or a link of that name is removed as well.
///
/// Folders inside folders are first moved to the top, so that only one level is ever open.
pub fn remove(folder: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} cannot be removed", folder.display()),
        ));
    };
    let parent = match openat(
        rustix::fs::CWD,
        parent,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(parent) => parent,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let name = c_name(name)?;
    match unlinkat(&parent, &name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let top = open_below(&parent, &name)?;
    empty(&top)?;
    match unlinkat(&parent, &name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes everything in a folder.
fn empty(top: &OwnedFd) -> io::Result<()> {
    let mut moved: u64 = 0;
    // Each round empties the folders that lie at the top, and moves those that lie in them there.
    loop {
        let mut folders = Vec::new();
        for name in Level::open(rustix::io::dup(top)?)?.names()? {
            if !remove_entry(top, &name)? {
                folders.push(name);
            }
        }
        if folders.is_empty() {
            return Ok(());
        }
        for name in folders {
            let below = match open_below(top, &name) {
                Ok(below) => below,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for inner in Level::open(rustix::io::dup(&below)?)?.names()? {
                if remove_entry(&below, &inner)? {
                    continue;
                }
                // To be moved, a folder has to be writable itself: its `..` changes.
                drop(open_below(&below, &inner)?);
                loop {
                    moved += 1;
                    let aside = c_name(OsStr::new(&format!(".moved-{moved}")))?;
                    match renameat_with(&below, &inner, top, &aside, RenameFlags::NOREPLACE) {
                        Ok(()) => break,
                        Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            match unlinkat(top, &name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Removes a file, or a folder that is empty. `false`: it is a folder with something in it.
fn remove_entry(folder: &OwnedFd, name: &CStr) -> io::Result<bool> {
    for flags in [AtFlags::empty(), AtFlags::REMOVEDIR] {
        match unlinkat(folder, name, flags) {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            Err(Errno::ISDIR | Errno::PERM | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        Ok(false)
    } else {
        // As with the immutable flag, which takes a right that no run has.
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    open_below(rustix::fs::CWD, &c_name(path.as_os_str())?)
}

/// Opens a folder, and opens it up for us first when its owner took the right to read, write or enter it away.
fn open_below(parent: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(&parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // Through a descriptor, since the name may have become a link. fchmod(2) takes no `O_PATH` descriptor, its file in
            // /proc does.
            let path_only = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let closed = openat(&parent, name, path_only, Mode::empty())?;
            rustix::fs::chmod(format!("/proc/self/fd/{}", closed.as_raw_fd()), Mode::RWXU)?;
            openat(&closed, c".", flags, Mode::empty())?
        }
        opened => opened?,
    };
    let stat = fstat(&opened)?;
    if stat.st_mode & Mode::RWXU.bits() != Mode::RWXU.bits() {
        fchmod(&opened, Mode::from_raw_mode(stat.st_mode) | Mode::RWXU)?;
    }
    Ok(opened)
}

/// A folder that is being read.
struct Level {
    folder: OwnedFd,
    entries: Dir,
}

impl Level {
    fn open(folder: OwnedFd) -> io::Result<Self> {
        let mut entries = Dir::read_from(&folder)?;
        entries.rewind();
        Ok(Self { folder, entries })
    }

    fn next(&mut self) -> io::Result<Option<CString>> {
        for entry in self.entries.by_ref() {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn names(mut self) -> io::Result<Vec<CString>> {
        std::iter::from_fn(|| self.next().transpose()).collect()
    }
}

fn c_name(name: &OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    };

    use super::*;

    /// Nests `depth` folders by descriptor: no path of that length can be given to the system.
    fn nest(folder: &Path, depth: usize) {
        let mut current = open_folder(folder).expect("a folder");
        for _ in 0..depth {
            let name = c"d";
            rustix::fs::mkdirat(&current, name, Mode::RWXU).expect("made");
            current = open_below(&current, name).expect("opened");
        }
    }

    #[test]
    fn a_tree_is_removed_however_deep_and_whatever_its_modes() {
        let root = tempfile::tempdir().expect("a folder");
        let outside = root.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("kept"), "kept").expect("written");
        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("closed/inside")).expect("made");
        fs::write(tree.join("closed/inside/file"), "x").expect("written");
        symlink(&outside, tree.join("link")).expect("linked");
        symlink(&outside, tree.join("closed/link")).expect("linked");
        fs::write(tree.join(".moved-1"), "in the way").expect("written");
        rustix::fs::mkfifoat(rustix::fs::CWD, tree.join("pipe"), Mode::RUSR).expect("made");
        nest(&tree, 3000);
        for path in ["closed/inside", "closed"] {
            fs::set_permissions(tree.join(path), fs::Permissions::from_mode(0o000)).expect("closed");
        }
        remove(&tree).expect("removed");
        assert!(!tree.exists());
        assert_eq!(fs::read_to_string(outside.join("kept")).expect("still there"), "kept");
        remove(&tree).expect("nothing to do");
        remove(&root.path().join("none/at/all")).expect("nothing to do");
    }

    #[test]
    fn a_link_is_removed_and_not_what_it_leads_to() {
        let root = tempfile::tempdir().expect("a folder");
        let outside = root.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("kept"), "kept").expect("written");
        symlink(&outside, root.path().join("link")).expect("linked");
        remove(&root.path().join("link")).expect("removed");
        assert!(!root.path().join("link").is_symlink());
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn what_is_taken_back_is_ours_and_can_be_read_by_all() {
        let root = tempfile::tempdir().expect("a folder");
        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("closed")).expect("made");
        fs::write(tree.join("closed/program"), "x").expect("written");
        symlink("/etc/passwd", tree.join("link")).expect("linked");
        rustix::fs::mkfifoat(rustix::fs::CWD, tree.join("pipe"), Mode::RUSR).expect("made");
        let mode = |path: &str| tree.join(path).metadata().expect("it is there").permissions().mode() & 0o7777;
        let set =
            |path: &str, mode| fs::set_permissions(tree.join(path), fs::Permissions::from_mode(mode)).expect("set");
        set("closed/program", 0o4700);
        set("closed", 0o700);
        let before = fs::metadata("/etc/passwd").expect("it is there").permissions().mode();
        give(&tree, RunAccount::for_looking()).expect("given");
        take_back(&tree).expect("taken back");
        assert_eq!(
            (mode("."), mode("closed"), mode("closed/program")),
            (0o755, 0o755, 0o755)
        );
        assert!(tree.join("link").is_symlink() && !tree.join("pipe").exists());
        assert_eq!(
            fs::metadata("/etc/passwd").expect("it is there").permissions().mode(),
            before
        );
        nest(&tree, MAX_DEPTH + 5);
        assert!(take_back(&tree).is_err());
    }

    #[test]
    fn only_what_lies_in_the_folder_is_given() {
        let root = tempfile::tempdir().expect("a folder");
        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("below")).expect("made");
        fs::write(tree.join("below/file"), "x").expect("written");
        fs::write(root.path().join("outside"), "x").expect("written");
        symlink(root.path(), tree.join("folder")).expect("linked");
        symlink(root.path().join("outside"), tree.join("link")).expect("linked");
        let account = RunAccount::for_looking();
        give(&tree, account).expect("given");
        let owner = |path: &str| fs::symlink_metadata(root.path().join(path)).expect("it is there").uid();
        for path in ["tree", "tree/below", "tree/below/file", "tree/folder", "tree/link"] {
            assert_eq!(owner(path), account.uid, "{path}");
        }
        assert_eq!([owner("."), owner("outside")], [RunAccount::own().uid; 2]);
        if account.is_other() {
            nest(&tree, MAX_DEPTH + 5);
            assert!(give(&tree, account).is_err());
        }
    }

    #[test]
    fn a_tree_is_measured_while_its_folders_come_and_go() {
        let root = tempfile::tempdir().expect("a folder");
        let tree = root.path().join("tree");
        fs::create_dir(&tree).expect("made");
        fs::write(tree.join("kept"), vec![1; 100_000]).expect("written");
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    for name in ["a", "b", "c"] {
                        fs::create_dir(tree.join(name)).expect("made");
                    }
                    for name in ["a", "b", "c"] {
                        fs::remove_dir(tree.join(name)).expect("removed");
                    }
                }
            });
            let measured: Vec<_> = (0..2000).map(|_| measure(&tree, 1000)).collect();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            for extent in measured {
                assert!(extent.expect("measured").bytes >= 100_000);
            }
        });
    }

    #[test]
    fn a_tree_is_measured_without_following_links_and_without_counting_holes() {
        let root = tempfile::tempdir().expect("a folder");
        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("a/closed")).expect("made");
        fs::write(tree.join("a/closed/file"), vec![1; 100_000]).expect("written");
        fs::set_permissions(tree.join("a/closed"), fs::Permissions::from_mode(0o000)).expect("closed");
        fs::File::create(tree.join("sparse"))
            .expect("made")
            .set_len(1 << 40)
            .expect("a hole");
        symlink("/usr", tree.join("link")).expect("linked");
        let extent = measure(&tree, 1000).expect("measured");
        assert_eq!(
            (extent.entries, extent.too_deep, extent.largest_file),
            (5, false, 1 << 40)
        );
        assert!((100_000..10_000_000).contains(&extent.bytes), "{extent:?}");
        assert_eq!(measure(&tree, 2).expect("measured").entries, 2);
        nest(&tree, MAX_DEPTH + 5);
        assert!(measure(&tree, 10_000).expect("measured").too_deep);
        assert!(measure(&root.path().join("none"), 10).is_err());
    }
}
