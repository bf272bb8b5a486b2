//! How much room a folder takes on the disk while a program that is not trusted fills it.

use crate::runner::measure_tree;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Files and folders that are counted.
const MAX_ENTRIES: u64 = 1_000_000;
/// Bytes that a look at a package may leave in its folder, which may lie in memory: 512 MiB. The package's own files count.
pub(super) const MAX_SCRATCH: u64 = 512 * 1024 * 1024;
/// Said when it left more.
pub(super) const SCRATCH_FULL: &str =
    "the check was ended because it wrote more than 512 MiB to the disk of the controller";
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Ends when the folder holds more than `limit` bytes.
pub(super) async fn used_up(folder: PathBuf, limit: u64) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let folder = folder.clone();
        let used = tokio::task::spawn_blocking(move || size(&folder)).await.unwrap_or(0);
        if used > limit {
            return;
        }
    }
}

/// Bytes of all files below a folder, as far as they can be counted while others write there. A folder that cannot be measured, because
/// of how deep it is or how much lies in it, takes more room than there is.
pub(super) fn size(folder: &Path) -> u64 {
    match measure_tree(folder, MAX_ENTRIES) {
        Ok(extent) if extent.too_deep || extent.closed || extent.entries >= MAX_ENTRIES => u64::MAX,
        Ok(extent) => extent.bytes.max(extent.largest_file),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_of_any_depth_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), vec![1; 10_000]).unwrap();
        assert!((10_000..1_000_000).contains(&size(folder.path())));
        fs::create_dir_all(folder.path().join(vec!["d"; 1000].join("/"))).unwrap();
        assert_eq!(size(folder.path()), u64::MAX);
        assert_eq!(size(&folder.path().join("none")), 0);
    }
}
