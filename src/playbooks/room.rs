//! How much room a folder takes on the disk while a program that is not trusted fills it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

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

/// Bytes of all files below a folder, as far as they can be counted while others write there.
pub(super) fn size(folder: &Path) -> u64 {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
