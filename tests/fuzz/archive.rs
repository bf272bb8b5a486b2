//! Any bytes as an upload, in each format: what is read keeps to the limits, and nothing makes it panic.
//!
//! Checksums would keep most changes from getting far; so they are mended after each change.

#![no_main]

#[path = "../it/support/archives.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod archives;
mod seeds;

use admiral::{
    domain::playbook::PlaybookFile,
    playbooks::{
        MAX_TOTAL_BYTES,
        archive::{self, MAX_ENTRIES},
    },
};
use flate2::{Compression, Crc, read::DeflateDecoder, read::MultiGzDecoder, write::GzEncoder};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::io::{Read as _, Write as _};

/// What is inflated to be changed, at most.
const INFLATED: u64 = 1024 * 1024;

fuzz_target!(init: seeds::write_if_asked(begin), |bytes: &[u8]| {
    for name in ["x.zip", "x.tar.gz", "x.tar", "x.yml"] {
        let files = match archive::read(name, bytes) {
            Ok(files) => files,
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control), "{error}");
                continue;
            }
        };
        assert!(!files.is_empty() && files.len() <= MAX_ENTRIES);
        let total: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        assert!(total <= MAX_TOTAL_BYTES);
        assert!(files.is_sorted_by(|a, b| a.path < b.path));
        for file in &files {
            assert!(archive::check_path(&file.path).is_ok(), "{:?}", file.path);
            assert!(file.path.split('/').count() <= 32, "{:?}", file.path);
            assert!(file.mode == 0o644 || file.mode == 0o755);
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    if data[..size].starts_with(b"\x1f\x8b")
        && let Some(size) = change_inside(data, size, max_size)
    {
        return size;
    }
    let size = fuzzer_mutate(data, size, max_size);
    mend(&mut data[..size]);
    size
});

/// Hostile archives and good ones.
fn begin() -> Vec<Vec<u8>> {
    let mut uploads: Vec<Vec<u8>> = archives::hostile().into_iter().map(|hostile| hostile.bytes).collect();
    let file = |path: &str, mode, content: &[u8]| PlaybookFile {
        path: path.to_owned(),
        mode,
        content: content.to_vec(),
    };
    let files = [
        file("shop/site.yml", 0o644, archives::SITE),
        file("shop/roles/web/tasks/main.yml", 0o644, b"- ansible.builtin.ping:\n"),
        file("shop/files/run.sh", 0o755, b"#!/bin/sh\n"),
        file(&format!("shop/{}/x", "long".repeat(50)), 0o644, b""),
    ];
    for files in [&files[..], &files[..1]] {
        uploads.extend(archives::every_format(files).into_iter().map(|(_, bytes)| bytes));
    }
    uploads
}

/// Changes what is compressed, and compresses it again.
fn change_inside(data: &mut [u8], size: usize, max_size: usize) -> Option<usize> {
    let mut inside = Vec::new();
    MultiGzDecoder::new(&data[..size])
        .take(INFLATED)
        .read_to_end(&mut inside)
        .ok()?;
    let length = inside.len();
    inside.resize(length + 1024, 0);
    let length = fuzzer_mutate(&mut inside, length, length + 1024);
    mend_tar(&mut inside[..length]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&inside[..length]).ok()?;
    let packed = encoder.finish().ok()?;
    if packed.len() > max_size {
        return None;
    }
    data[..packed.len()].copy_from_slice(&packed);
    Some(packed.len())
}

fn mend(data: &mut [u8]) {
    if data.starts_with(b"PK") {
        mend_zip(data);
    } else {
        mend_tar(data);
    }
}

/// Each block that looks like a header gets the checksum that it should have.
fn mend_tar(data: &mut [u8]) {
    for block in data.as_chunks_mut::<512>().0 {
        if &block[257..262] == b"ustar" {
            let sum: u32 = block[..148]
                .iter()
                .chain(&[b' '; 8])
                .chain(&block[156..])
                .map(|byte| u32::from(*byte))
                .sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

/// Each entry of the directory gets the checksum and the size of what it leads to.
fn mend_zip(data: &mut [u8]) {
    let mut mended = Vec::new();
    if let Ok(archive) = rawzip::ZipArchive::from_slice(&*data) {
        for record in archive.entries().map_while(Result::ok).take(100) {
            let Ok(entry) = archive.get_entry(record.wayfinder()) else {
                continue;
            };
            let mut content = Vec::new();
            if record.compression_method() == rawzip::CompressionMethod::STORE {
                content.extend_from_slice(entry.data());
            } else if DeflateDecoder::new(entry.data())
                .take(INFLATED)
                .read_to_end(&mut content)
                .is_err()
            {
                continue;
            }
            let mut crc = Crc::new();
            crc.update(&content);
            mended.push((
                record.central_directory_offset() as usize,
                crc.sum(),
                content.len() as u32,
            ));
        }
    }
    for (at, crc, size) in mended {
        if let Some(place) = data.get_mut(at + 16..at + 28) {
            place[..4].copy_from_slice(&crc.to_le_bytes());
            place[8..].copy_from_slice(&size.to_le_bytes());
        }
    }
}
