//! Zip archives, by their central directory, each entry checked against its own header.

use super::{
    ArchiveError, CHUNK, EntryFault, MAX_ENTRIES, MAX_RATIO, RATIO_MATTERS,
    tree::{Place, Tree},
};
use flate2::{Crc, read::DeflateDecoder};
use rawzip::{CompressionMethod, ErrorKind, ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};
use std::io::Read;

const KIND: u32 = 0o170_000;
const KIND_LINK: u32 = 0o120_000;
const KIND_FOLDER: u32 = 0o040_000;
const KIND_FILE: u32 = 0o100_000;
const MSDOS_FOLDER: u32 = 0x10;

pub(super) fn read(bytes: &[u8], tree: &mut Tree) -> Result<(), ArchiveError> {
    let archive = ZipArchive::from_slice(bytes).map_err(|error| structure(&error))?;
    if archive.end_offset() != bytes.len() as u64 {
        return Err(ArchiveError::GoesOn);
    }
    if archive.entries_hint() > MAX_ENTRIES as u64 {
        return Err(ArchiveError::TooManyEntries);
    }
    let mut used = Vec::new();
    for record in archive.entries() {
        let record = record.map_err(|error| structure(&error))?;
        let range = entry(&archive, &record, tree)?;
        used.push((range, record.file_path()));
    }
    if used.len() as u64 != archive.entries_hint() {
        return Err(ArchiveError::Damaged(
            "its directory has another number of entries than it says",
        ));
    }
    used.sort_unstable_by_key(|(range, _)| *range);
    for pair in used.windows(2) {
        if let [((_, end), _), ((start, _), name)] = pair
            && end > start
        {
            return Err(ArchiveError::raw_entry(name.as_bytes(), EntryFault::Overlap));
        }
    }
    match used.last() {
        Some(((_, end), name)) if *end > archive.directory_offset() => {
            Err(ArchiveError::raw_entry(name.as_bytes(), EntryFault::Overlap))
        }
        _ => Ok(()),
    }
}

/// Takes one entry; the answer is where in the archive it lies, header and all.
fn entry(
    archive: &ZipSliceArchive<&[u8]>,
    record: &ZipFileHeaderRecord<'_>,
    tree: &mut Tree,
) -> Result<(u64, u64), ArchiveError> {
    let path = record.file_path();
    let name = path.as_bytes();
    let refuse = |fault| ArchiveError::raw_entry(name, fault);
    let place = tree.place(name)?;
    let stored = archive
        .get_entry(record.wayfinder())
        .map_err(|_| refuse(EntryFault::Damaged))?;
    let header = stored.local_header();
    let (_, end) = stored.compressed_data_range();
    let range = (record.local_header_offset(), end);
    let Place::Path { path, is_folder } = place else {
        return Ok(range);
    };
    let agree = header.file_path().as_bytes() == name && header.compression_method() == record.compression_method();
    if !agree {
        return Err(refuse(EntryFault::TwoAccounts));
    }
    for flags in [record.flags(), header.flags()] {
        if flags.is_encrypted() || flags.has_strong_encryption() || flags.is_masked() {
            return Err(refuse(EntryFault::Encrypted));
        }
    }
    // As on Unix, whatever system the archive says it comes from: others leave this half empty, and have a bit for folders.
    let attributes = record.external_attributes();
    let mode = attributes >> 16;
    let is_folder = match mode & KIND {
        KIND_LINK => return Err(refuse(EntryFault::Link)),
        KIND_FOLDER => true,
        KIND_FILE => is_folder,
        0 => is_folder || attributes & MSDOS_FOLDER != 0,
        _ => return Err(refuse(EntryFault::Special)),
    };
    if is_folder {
        if record.uncompressed_size_hint() > 0 {
            return Err(refuse(EntryFault::FolderWithContent));
        }
        tree.add_folder(path)?;
        return Ok(range);
    }
    let data = stored.data();
    let room = tree.room();
    let content = match record.compression_method() {
        CompressionMethod::STORE => {
            if data.len() as u64 > room {
                return Err(ArchiveError::TooLarge);
            }
            data.to_vec()
        }
        CompressionMethod::DEFLATE => inflate(data, room, name)?,
        other => return Err(refuse(EntryFault::Method(other.to_string()))),
    };
    if content.len() as u64 != record.uncompressed_size_hint() {
        return Err(refuse(EntryFault::WrongSize));
    }
    let mut crc = Crc::new();
    crc.update(&content);
    if crc.sum() != record.crc32() {
        return Err(refuse(EntryFault::Damaged));
    }
    tree.add_file(path, mode & 0o100 != 0, content)?;
    Ok(range)
}

fn inflate(data: &[u8], room: u64, name: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let mut decoder = DeflateDecoder::new(data);
    let mut content = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        let count = decoder
            .read(&mut chunk)
            .map_err(|_| ArchiveError::raw_entry(name, EntryFault::Damaged))?;
        if count == 0 {
            break;
        }
        let size = (content.len() + count) as u64;
        if size > RATIO_MATTERS && size / MAX_RATIO > data.len() as u64 {
            return Err(ArchiveError::raw_entry(name, EntryFault::Ratio));
        }
        if size > room {
            return Err(ArchiveError::TooLarge);
        }
        content.extend_from_slice(&chunk[..count]);
    }
    if decoder.total_in() == data.len() as u64 {
        Ok(content)
    } else {
        Err(ArchiveError::raw_entry(name, EntryFault::Damaged))
    }
}

fn structure(error: &rawzip::Error) -> ArchiveError {
    match error.kind() {
        ErrorKind::MissingEndOfCentralDirectory | ErrorKind::Eof => ArchiveError::BreaksOff,
        _ => ArchiveError::Damaged("its directory cannot be read"),
    }
}
