//! The other way round: files as an archive.

use crate::domain::playbook::PlaybookFile;
use flate2::{Compression, GzBuilder};
use std::io::{self, Write as _};
use tar::{Builder, EntryType, Header};

/// Files as a tar archive compressed with gzip: [`super::read`] makes the same files of it. The same files make the same bytes.
///
/// Fails only when a path cannot be in an archive.
pub fn pack(files: &[PlaybookFile]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()));
    for file in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, &file.path, file.content.as_slice())?;
    }
    let mut compressed = archive.into_inner()?;
    compressed.flush()?;
    compressed.finish()
}
