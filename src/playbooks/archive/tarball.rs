//! Tar archives, plain or compressed with gzip, block by block.

use super::{
    ArchiveError, CHUNK, EntryFault, MAX_RATIO, RATIO_MATTERS,
    tree::{Place, Tree},
};
use crate::playbooks::MAX_TOTAL_BYTES;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Everything, with headers, padding and what is left out, in bytes.
const MAX_STREAM_BYTES: u64 = 4 * MAX_TOTAL_BYTES;
/// What may stand before an entry: its long name, times, extended attributes; in bytes.
const MAX_EXTENSION_BYTES: u64 = 256 * 1024;

/// Whether bytes begin with the header of a tar archive that names its format, or with the end of an empty one.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes
        .first_chunk::<BLOCK>()
        .is_some_and(|block| is_zero(block) || is_header(block))
}

/// The blocks of an archive.
pub(super) struct Source<'a> {
    reader: Reader<'a>,
    compressed: usize,
    read: u64,
}

enum Reader<'a> {
    Plain(&'a [u8]),
    Gzip(Box<MultiGzDecoder<&'a [u8]>>),
}

impl<'a> Source<'a> {
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self::of(Reader::Plain(bytes), bytes)
    }

    pub(super) fn gzip(bytes: &'a [u8]) -> Self {
        Self::of(Reader::Gzip(Box::new(MultiGzDecoder::new(bytes))), bytes)
    }

    fn of(reader: Reader<'a>, bytes: &[u8]) -> Self {
        Self {
            reader,
            compressed: bytes.len(),
            read: 0,
        }
    }

    /// Some bytes; none at the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let (count, consumed) = match &mut self.reader {
            Reader::Plain(bytes) => (bytes.read(buffer), None),
            Reader::Gzip(decoder) => {
                let count = decoder.read(buffer);
                (count, Some(self.compressed - decoder.get_ref().len()))
            }
        };
        let count = count.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::BreaksOff,
            _ => ArchiveError::Damaged("its compressed data make no sense"),
        })?;
        self.read += count as u64;
        if consumed.is_some_and(|consumed| self.read > RATIO_MATTERS && self.read / MAX_RATIO > consumed as u64) {
            return Err(ArchiveError::Ratio);
        }
        if self.read > MAX_STREAM_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        Ok(count)
    }

    /// Reads the next block; says whether there was one.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, ArchiveError> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.read(&mut block[filled..])? {
                0 => return Ok(false),
                count => filled += count,
            }
        }
        Ok(true)
    }

    /// Hands `size` bytes on, piece by piece, and passes over what fills their last block.
    fn data(&mut self, size: u64, mut take: impl FnMut(&[u8])) -> Result<(), ArchiveError> {
        let mut chunk = [0; CHUNK];
        let mut left = size;
        let mut padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        while left > 0 || padding > 0 {
            let wanted = if left > 0 { left } else { padding }.min(CHUNK as u64) as usize;
            let count = self.read(&mut chunk[..wanted])?;
            if count == 0 {
                return Err(ArchiveError::BreaksOff);
            }
            if left > 0 {
                take(&chunk[..count]);
                left -= count as u64;
            } else {
                padding -= count as u64;
            }
        }
        Ok(())
    }

    fn content(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut content = Vec::new();
        self.data(size, |piece| content.extend_from_slice(piece))?;
        Ok(content)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > MAX_EXTENSION_BYTES {
            return Err(ArchiveError::Damaged("what it says about an entry is too long"));
        }
        self.content(size)
    }

    /// Nothing but zeros may follow.
    fn rest_is_zero(&mut self) -> Result<(), ArchiveError> {
        let mut chunk = [0; CHUNK];
        loop {
            match self.read(&mut chunk)? {
                0 => return Ok(()),
                count if is_zero(&chunk[..count]) => {}
                _ => return Err(ArchiveError::GoesOn),
            }
        }
    }
}

/// What stands before an entry and is about it.
#[derive(Default, PartialEq, Eq)]
struct Extensions {
    gnu_name: Option<Vec<u8>>,
    pax_name: Option<Vec<u8>>,
    pax_size: Option<Vec<u8>>,
    is_sparse: bool,
}

pub(super) fn read(mut source: Source<'_>, tree: &mut Tree) -> Result<(), ArchiveError> {
    let mut extensions = Extensions::default();
    let mut is_begun = false;
    let mut block = [0; BLOCK];
    loop {
        let is_whole = source.block(&mut block)?;
        if is_whole && is_zero(&block) {
            source.rest_is_zero()?;
            if extensions != Extensions::default() {
                return Err(ArchiveError::Damaged("an entry is announced and does not come"));
            }
            return Ok(());
        }
        match (is_begun, is_whole) {
            _ if is_whole && is_header(&block) => is_begun = true,
            (false, _) => return Err(ArchiveError::NoTar),
            (true, false) => return Err(ArchiveError::BreaksOff),
            (true, true) => return Err(ArchiveError::Damaged("an entry's header cannot be read")),
        }
        let header = Header::from_byte_slice(&block);
        let size = header
            .entry_size()
            .map_err(|_| ArchiveError::raw_entry(&header.path_bytes(), EntryFault::WrongSize))?;
        match header.entry_type() {
            EntryType::GNULongName => {
                let mut name = source.extension(size)?;
                if name.last() == Some(&0) {
                    name.pop();
                }
                extensions.gnu_name = Some(name);
            }
            // A link's long target; the link itself is refused.
            EntryType::GNULongLink => source.extension(size).map(drop)?,
            EntryType::XHeader => {
                let records = source.extension(size)?;
                extensions.add_pax(&records)?;
            }
            // Holds for all entries: the commit that `git archive` notes, but nothing that could matter.
            EntryType::XGlobalHeader => {
                let mut global = Extensions::default();
                global.add_pax(&source.extension(size)?)?;
                if global.pax_name.is_some() || global.pax_size.is_some() || global.is_sparse {
                    return Err(ArchiveError::Damaged("it has one name or size for all entries"));
                }
            }
            kind => entry(&mut source, header, kind, size, std::mem::take(&mut extensions), tree)?,
        }
    }
}

fn entry(
    source: &mut Source<'_>,
    header: &Header,
    kind: EntryType,
    size: u64,
    extensions: Extensions,
    tree: &mut Tree,
) -> Result<(), ArchiveError> {
    let name = extensions
        .pax_name
        .or(extensions.gnu_name)
        .unwrap_or_else(|| header.path_bytes().into_owned());
    let refuse = |fault| Err(ArchiveError::raw_entry(&name, fault));
    let place = tree.place(&name)?;
    if extensions
        .pax_size
        .is_some_and(|told| told != size.to_string().as_bytes())
    {
        return refuse(EntryFault::WrongSize);
    }
    let has_data = !matches!(
        kind,
        EntryType::Link | EntryType::Symlink | EntryType::Char | EntryType::Block | EntryType::Fifo
    );
    let Place::Path { path, is_folder } = place else {
        // Tools differ in whether data follow here.
        if !has_data && size > 0 {
            return refuse(EntryFault::WrongSize);
        }
        return source.data(size, |_| {});
    };
    if extensions.is_sparse {
        return refuse(EntryFault::UnknownKind);
    }
    match kind {
        EntryType::Directory => {
            source.data(size, |_| {})?;
            tree.add_folder(path)
        }
        // Before there was a kind for folders.
        EntryType::Regular if is_folder && size == 0 => tree.add_folder(path),
        EntryType::Regular | EntryType::Continuous if !is_folder => {
            if size > tree.room() {
                return Err(ArchiveError::TooLarge);
            }
            let Ok(mode) = header.mode() else {
                return refuse(EntryFault::Damaged);
            };
            let content = source.content(size)?;
            tree.add_file(path, mode & 0o100 != 0, content)
        }
        EntryType::Link | EntryType::Symlink => refuse(EntryFault::Link),
        EntryType::Char | EntryType::Block | EntryType::Fifo => refuse(EntryFault::Special),
        _ => refuse(EntryFault::UnknownKind),
    }
}

impl Extensions {
    /// Takes over what matters of the records `LENGTH KEY=VALUE\n`, each as long as it says (POSIX, pax interchange format).
    fn add_pax(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        const DAMAGED: ArchiveError = ArchiveError::Damaged("what it says about an entry cannot be read");
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or(DAMAGED)?;
            let length: usize = std::str::from_utf8(&records[..space])
                .ok()
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok())
                .ok_or(DAMAGED)?;
            let record = records.get(space + 1..length).ok_or(DAMAGED)?;
            let record = record.strip_suffix(b"\n").ok_or(DAMAGED)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(DAMAGED)?;
            let value = record[equals + 1..].to_vec();
            match &record[..equals] {
                // An empty value takes back what stood there before.
                b"path" => self.pax_name = Some(value).filter(|value| !value.is_empty()),
                b"size" => self.pax_size = Some(value).filter(|value| !value.is_empty()),
                key if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The mark of the format and the checksum: the sum of all bytes, with blanks in its own place.
fn is_header(block: &[u8; BLOCK]) -> bool {
    let header = Header::from_byte_slice(block);
    let sum: u32 = block[..148]
        .iter()
        .chain(&[b' '; 8])
        .chain(&block[156..])
        .map(|byte| u32::from(*byte))
        .sum();
    (header.as_ustar().is_some() || header.as_gnu().is_some()) && header.cksum().is_ok_and(|told| told == sum)
}
