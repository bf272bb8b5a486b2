//! Archives made byte by byte, also such as no tool would make.

use admiral::{domain::playbook::PlaybookFile, playbooks::archive};
use flate2::{Compression, Crc, write::DeflateEncoder, write::GzEncoder};
use std::io::Write as _;
use tar::Header;

/// A playbook.
pub const SITE: &[u8] = b"- name: Site\n  hosts: all\n  roles: [web]\n";

/// An entry of a zip archive; each field as it stands in the file.
#[derive(Debug, Clone)]
pub struct ZipEntry {
    pub name: Vec<u8>,
    /// In the entry's own header, when it differs from the directory's.
    pub header_name: Option<Vec<u8>>,
    /// As it is stored.
    pub data: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    pub crc: u32,
    /// When inflated.
    pub size: u32,
    /// Type and permissions as in `st_mode`.
    pub mode: u32,
    /// Points to the entry before, instead of one of its own.
    pub is_alias: bool,
}

impl ZipEntry {
    /// A deflated file.
    pub fn file(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        Self {
            data: deflate(content),
            method: 8,
            ..Self::stored(name, content)
        }
    }

    /// A file as it is.
    pub fn stored(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        Self {
            name: name.as_ref().to_vec(),
            header_name: None,
            data: content.to_vec(),
            method: 0,
            flags: 0,
            crc: crc.sum(),
            size: content.len() as u32,
            mode: 0o100_644,
            is_alias: false,
        }
    }

    /// The same with a change.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn fields(&self, name: &[u8]) -> Vec<u8> {
        let mut fields = Vec::new();
        for short in [self.flags, self.method, 0, 0x21] {
            fields.extend(short.to_le_bytes());
        }
        for long in [self.crc, self.data.len() as u32, self.size] {
            fields.extend(long.to_le_bytes());
        }
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend(0_u16.to_le_bytes());
        fields
    }
}

/// A zip archive.
pub fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let mut offset = 0_u32;
    for entry in entries {
        if !entry.is_alias {
            offset = bytes.len() as u32;
            let name = entry.header_name.as_ref().unwrap_or(&entry.name);
            bytes.extend(b"PK\x03\x04\x14\x00");
            bytes.extend(entry.fields(name));
            bytes.extend(name);
            bytes.extend(&entry.data);
        }
        // Made by version 2.0 on Unix, read by version 2.0.
        directory.extend(b"PK\x01\x02\x14\x03\x14\x00");
        directory.extend(entry.fields(&entry.name));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        bytes.extend((entries.len() as u16).to_le_bytes());
    }
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes
}

/// Raw deflate.
pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// gzip.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// One entry of a tar archive: header, content, padding. `kind` is `b'0'` for a file.
pub fn tar_entry(kind: u8, name: &[u8], content: &[u8]) -> Vec<u8> {
    tar_entry_with(kind, name, content, |_| {})
}

/// The same with a change of the header, whose checksum is made afterwards.
pub fn tar_entry_with(kind: u8, name: &[u8], content: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[156] = kind;
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    change(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// One record of a pax header.
pub fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while format!("{length}{rest}").len() != length {
        length += 1;
    }
    format!("{length}{rest}").into_bytes()
}

/// A tar archive of entries, with its end.
pub fn tarball(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend([0; 1024]);
    bytes
}

/// Files as a zip archive.
pub fn zip_of(files: &[PlaybookFile]) -> Vec<u8> {
    let entries: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let entry = if index % 2 == 0 {
                ZipEntry::file(&file.path, &file.content)
            } else {
                ZipEntry::stored(&file.path, &file.content)
            };
            entry.with(|entry| entry.mode = 0o100_000 | file.mode)
        })
        .collect();
    zip(&entries)
}

/// An upload that must be refused.
pub struct Hostile {
    /// What is wrong with it.
    pub about: &'static str,
    pub file_name: &'static str,
    pub bytes: Vec<u8>,
    /// Part of the reason that is given.
    pub reason: &'static str,
}

/// Those that need not be large to be bad.
pub fn hostile() -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut add = |about, file_name, reason, bytes| {
        all.push(Hostile {
            about,
            file_name,
            bytes,
            reason,
        });
    };
    let site = || ZipEntry::file("site.yml", SITE);
    let site_tar = || tar_entry(b'0', b"site.yml", SITE);

    // Names.
    for (about, name, reason) in [
        ("traversal", b"../evil.yml".as_slice(), "has \"..\" in it"),
        ("traversal inside", b"roles/../../evil.yml", "has \"..\" in it"),
        ("traversal at the end", b"roles/..", "has \"..\" in it"),
        ("absolute", b"/etc/cron.d/evil", "is absolute"),
        ("two slashes", b"//evil", "is absolute"),
        ("drive", b"C:/evil.yml", "drive letter"),
        ("backslash", b"..\\evil.yml", "backslash"),
        ("UNC", b"\\\\host\\evil", "backslash"),
        ("line break", b"a\nb.yml", "control characters"),
        ("escape sequence", b"a\x1b[2J.yml", "control characters"),
        ("turned text", "a\u{202e}lmy.b".as_bytes(), "control characters"),
        ("not UTF-8", b"a\xff\xfe.yml", "not UTF-8"),
        ("empty part", b"a//b.yml", "empty part"),
        ("dot inside", b"a/./b.yml", "empty part or \".\""),
    ] {
        add(about, "x.zip", reason, zip(&[site(), ZipEntry::file(name, b"x")]));
        add(
            about,
            "x.tar.gz",
            reason,
            gzip(&tarball(&[site_tar(), tar_entry(b'0', name, b"x")])),
        );
        let mut long = name.to_vec();
        long.push(0);
        let entries = [
            site_tar(),
            tar_entry(b'L', b"././@LongLink", &long),
            tar_entry(b'0', b"good.yml", b"x"),
        ];
        add("GNU long name", "x.tar", reason, tarball(&entries));
        if let Ok(name) = std::str::from_utf8(name) {
            let entries = [
                site_tar(),
                tar_entry(b'x', b"pax", &pax("path", name)),
                tar_entry(b'0', b"good.yml", b"x"),
            ];
            add("pax name", "x.tar.gz", reason, gzip(&tarball(&entries)));
        }
    }
    add(
        "NUL",
        "x.zip",
        "control characters",
        zip(&[site(), ZipEntry::file("a\0b", b"x")]),
    );
    add(
        "empty name",
        "x.zip",
        "empty part",
        zip(&[site(), ZipEntry::file("", b"x")]),
    );
    let long = "a".repeat(256);
    add(
        "long part",
        "x.zip",
        "too long",
        zip(&[site(), ZipEntry::file(&long, b"x")]),
    );
    let long = "ab/".repeat(400) + "x";
    add(
        "long path",
        "x.tgz",
        "too long",
        gzip(&tarball(&[
            tar_entry(b'L', b"x", long.as_bytes()),
            tar_entry(b'0', b"x", b""),
        ])),
    );
    let deep = "d/".repeat(33) + "x";
    add(
        "deep",
        "x.zip",
        "nested more than 32",
        zip(&[site(), ZipEntry::file(&deep, b"x")]),
    );

    // Kinds.
    for (about, mode, reason) in [
        ("symbolic link", 0o120_777, "is a link"),
        ("device", 0o020_644, "is a device"),
        ("block device", 0o060_644, "is a device"),
        ("pipe", 0o010_644, "is a device"),
        ("socket", 0o140_644, "is a device"),
    ] {
        let entry = ZipEntry::stored("evil", b"/etc/passwd").with(|entry| entry.mode = mode);
        add(about, "x.zip", reason, zip(&[site(), entry]));
    }
    for (about, kind, reason) in [
        ("hard link", b'1', "is a link"),
        ("symbolic link", b'2', "is a link"),
        ("device", b'3', "is a device"),
        ("block device", b'4', "is a device"),
        ("pipe", b'6', "is a device"),
        ("sparse file", b'S', "of a kind that is not read"),
        ("volume label", b'V', "of a kind that is not read"),
        ("part of another volume", b'M', "of a kind that is not read"),
        ("unknown", b'Z', "of a kind that is not read"),
    ] {
        let entry = tar_entry_with(kind, b"evil", b"", |header| {
            header.set_link_name("/etc/passwd").unwrap();
        });
        add(about, "x.tar.gz", reason, gzip(&tarball(&[site_tar(), entry])));
    }
    // The link first, then a file through it.
    let through = [
        tar_entry_with(b'2', b"out", b"", |header| header.set_link_name("/tmp").unwrap()),
        tar_entry(b'0', b"out/evil", b"x"),
        site_tar(),
    ];
    add("file through a link", "x.tar", "is a link", tarball(&through));
    let sparse = [
        tar_entry(b'x', b"pax", &pax("GNU.sparse.major", "1")),
        tar_entry(b'0', b"evil", b"x"),
        site_tar(),
    ];
    add("sparse by pax", "x.tar", "of a kind that is not read", tarball(&sparse));

    // The same place twice.
    let twice = [site(), site()];
    add("duplicate", "x.zip", "there twice", zip(&twice));
    add(
        "duplicate",
        "x.tar",
        "there twice",
        tarball(&[site_tar(), tar_entry(b'0', b"./site.yml", b"- hosts: evil\n")]),
    );
    add(
        "file and folder",
        "x.zip",
        "a file and a folder",
        zip(&[ZipEntry::file("site.yml/evil", b"x"), site()]),
    );
    add(
        "file and folder",
        "x.tar",
        "a file and a folder",
        tarball(&[tar_entry(b'5', b"site.yml/", b""), site_tar()]),
    );

    // Zips that tell two stories.
    let other = ZipEntry::file("site.yml", SITE).with(|entry| entry.header_name = Some(b"evil.yml".to_vec()));
    add("two names", "x.zip", "describe differently", zip(&[other]));
    let alias = ZipEntry::file("b.yml", SITE).with(|entry| {
        entry.is_alias = true;
        entry.name = b"site.yml".to_vec();
    });
    add("the same data twice", "x.zip", "there twice", zip(&[site(), alias]));
    add("data that overlap", "x.zip", "overlap", overlapping());
    let encrypted = site().with(|entry| entry.flags = 1);
    add("encrypted", "x.zip", "is encrypted", zip(&[encrypted]));
    let bzip2 = site().with(|entry| entry.method = 12);
    add("bzip2", "x.zip", "by a method that is not read", zip(&[bzip2]));
    let unknown = site().with(|entry| entry.method = 9999);
    add(
        "unknown method",
        "x.zip",
        "by a method that is not read",
        zip(&[unknown]),
    );
    let lie = ZipEntry::stored("site.yml", SITE).with(|entry| entry.method = 8);
    add("not what it is compressed with", "x.zip", "damaged", zip(&[lie]));
    let lie = site().with(|entry| entry.method = 0);
    add("not what it is stored as", "x.zip", "not of the size", zip(&[lie]));
    let lie = site().with(|entry| entry.size = 1);
    add("smaller than it is", "x.zip", "not of the size", zip(&[lie]));
    let lie = site().with(|entry| entry.size = u32::MAX - 1);
    add("larger than it is", "x.zip", "not of the size", zip(&[lie]));
    let lie = site().with(|entry| entry.crc ^= 1);
    add("wrong checksum", "x.zip", "damaged", zip(&[lie]));
    let more = site().with(|entry| entry.data.extend(b"more"));
    add("more than its data", "x.zip", "damaged", zip(&[more]));
    let folder = ZipEntry::file("roles/", b"x");
    add(
        "folder with content",
        "x.zip",
        "content of its own",
        zip(&[site(), folder]),
    );
    let whole = zip(&[site()]);
    add("cut", "x.zip", "breaks off", whole[..whole.len() - 5].to_vec());
    add("cut early", "x.zip", "breaks off", whole[..40].to_vec());
    let mut longer = whole.clone();
    longer.extend(b"more");
    add("goes on", "x.zip", "goes on", longer);
    let mut before = b"#!/bin/sh\n".to_vec();
    before.extend(&whole);
    add("something before it", "x.zip", "holds something else", before);
    let mut count = whole.clone();
    let at = count.len() - 12;
    count[at - 2..at + 2].copy_from_slice(&[7, 0, 7, 0]);
    add("another number of entries", "x.zip", "another number of entries", count);

    // Tars that are damaged.
    let whole = tarball(&[site_tar(), tar_entry(b'0', b"b", &[7; 2000])]);
    add("no end", "x.tar", "breaks off", whole[..whole.len() - 1024].to_vec());
    add("cut in the content", "x.tar", "breaks off", whole[..1600].to_vec());
    add("cut in the header", "x.tar", "breaks off", whole[..1100].to_vec());
    let packed = gzip(&whole);
    add("cut", "x.tar.gz", "breaks off", packed[..packed.len() - 9].to_vec());
    add(
        "checksum cut",
        "x.tgz",
        "breaks off",
        packed[..packed.len() - 3].to_vec(),
    );
    let mut wrong = packed.clone();
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    add("wrong checksum", "x.tar.gz", "damaged", wrong);
    let mut longer = packed.clone();
    longer.extend(b"more than its end");
    add("goes on", "x.tar.gz", "damaged", longer);
    let mut wrong = whole.clone();
    wrong[512 * 2] ^= 1;
    add("wrong header", "x.tar", "header cannot be read", wrong);
    let mut longer = whole.clone();
    longer.extend(site_tar());
    add("goes on", "x.tar", "goes on", longer);
    for (about, size, reason) in [
        ("larger than the rest", 100_000, "breaks off"),
        ("larger than all", 65 * 1024 * 1024, "more than 64 MiB"),
        ("as large as can be", u64::MAX, "more than 64 MiB"),
    ] {
        let lie = tar_entry_with(b'0', b"big", b"", |header| header.set_size(size));
        add(about, "x.tar", reason, tarball(&[site_tar(), lie]));
        let skipped = tar_entry_with(b'5', b"big", b"", |header| header.set_size(size));
        let reason = if size < 1_000_000 { reason } else { "breaks off" };
        add("the same as a folder", "x.tar", reason, tarball(&[site_tar(), skipped]));
    }
    let two_sizes = [
        tar_entry(b'x', b"pax", &pax("size", "1024")),
        tar_entry(b'0', b"big", b""),
        site_tar(),
        vec![0; 512],
    ];
    add("two sizes", "x.tar", "not of the size", tarball(&two_sizes));
    let global = [tar_entry(b'g', b"pax", &pax("path", "evil")), site_tar()];
    add(
        "one name for all",
        "x.tar",
        "one name or size for all",
        tarball(&global),
    );
    for records in [
        "7 path=x\n",
        "99 path=x\n",
        "x path=x\n",
        "-1 path=x\n",
        "9 pathxx\n",
        "3 a",
        " ",
    ] {
        let entries = [tar_entry(b'x', b"pax", records.as_bytes()), site_tar()];
        add("broken pax records", "x.tar", "cannot be read", tarball(&entries));
    }
    let announced = [site_tar(), tar_entry(b'L', b"x", b"evil\0")];
    add("announced and not there", "x.tar", "announced", tarball(&announced));
    let huge = vec![b'a'; 300 * 1024];
    add(
        "endless name",
        "x.tar",
        "too long",
        tarball(&[tar_entry(b'L', b"x", &huge), site_tar()]),
    );
    let lie = tar_entry_with(b'1', b".git/x", b"", |header| header.set_size(512));
    add(
        "link with content where nothing is kept",
        "x.tar",
        "not of the size",
        tarball(&[lie, site_tar()]),
    );

    // Formats.
    let good = tarball(&[site_tar()]);
    add("not compressed", "x.tar.gz", "holds a tar archive", good.clone());
    add("compressed", "x.tar", "compressed with gzip", gzip(&good));
    add("zip as tar.gz", "x.tar.gz", "holds a zip archive", zip(&[site()]));
    add("tar.gz as zip", "x.zip", "compressed with gzip", gzip(&good));
    add("bzip2", "x.tar.gz", "compressed with bzip2", b"BZh91AY&SY".to_vec());
    add("xz", "x.tar.gz", "compressed with xz", b"\xfd7zXZ\0\0\x04".to_vec());
    add("zstd", "x.tgz", "compressed with zstd", b"\x28\xb5\x2f\xfd".to_vec());
    add("7z", "x.zip", "a 7z archive", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec());
    add("text as zip", "x.zip", "holds something else", SITE.to_vec());
    add("text as tar.gz", "x.tar.gz", "no tar archive", gzip(SITE));
    add("zip as playbook", "x.yml", "holds a zip archive", zip(&[site()]));
    add("no text", "x.yml", "not UTF-8", vec![0xff, 0xfe, 0]);
    add("no known format", "x.rar", "is needed", b"Rar!\x1a\x07\x00".to_vec());
    add("no file", "x.zip", "holds no file", zip(&[]));
    add(
        "nothing but folders",
        "x.tar",
        "holds no file",
        tarball(&[tar_entry(b'5', b"a/", b"")]),
    );
    let ignored = tarball(&[tar_entry(b'0', b".git/config", b"x")]);
    add("nothing that is kept", "x.tar", "holds no file", ignored);
    add("nothing at all", "x.zip", "holds something else", Vec::new());

    all
}

/// Those that are bad by their size: bombs, and too many entries.
pub fn oversized() -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut add = |about, file_name, reason, bytes| {
        all.push(Hostile {
            about,
            file_name,
            bytes,
            reason,
        });
    };
    let site = || ZipEntry::file("site.yml", SITE);
    let site_tar = || tar_entry(b'0', b"site.yml", SITE);
    let zeros = vec![0; 70 * 1024 * 1024];
    add(
        "zip bomb",
        "x.zip",
        "200 times",
        zip(&[site(), ZipEntry::file("zeros", &zeros)]),
    );
    let lie = ZipEntry::file("zeros", &zeros).with(|entry| entry.size = 10);
    add("zip bomb that lies", "x.zip", "200 times", zip(&[site(), lie]));
    add("gzip bomb", "x.tar.gz", "200 times", gzip(&zeros));
    let zeros_tar = tarball(&[site_tar(), tar_entry(b'0', b"zeros", &zeros[..60 * 1024 * 1024])]);
    add("tar.gz bomb", "x.tar.gz", "200 times", gzip(&zeros_tar));
    // Never more than eight times its size, and too much all the same.
    let slow = slow_to_inflate(70 * 1024 * 1024);
    add(
        "too large",
        "x.zip",
        "more than 64 MiB",
        zip(&[site(), ZipEntry::file("slow", &slow)]),
    );
    let (a, b) = slow.split_at(35 * 1024 * 1024);
    let halves = [ZipEntry::file("a", a), ZipEntry::file("b", b), site()];
    add("too large together", "x.zip", "more than 64 MiB", zip(&halves));
    let halves = tarball(&[tar_entry(b'0', b"a", a), tar_entry(b'0', b"b", b)]);
    add("too large together", "x.tar.gz", "more than 64 MiB", gzip(&halves));
    // As 42.zip: zips of zips of zips; nobody opens the inner ones.
    let mut inner = zip(&[ZipEntry::file("0.dll", &zeros[..1024 * 1024])]);
    for _ in 0..4 {
        let names: Vec<String> = (0..16).map(|number| format!("lib {number:x}.zip")).collect();
        let copies: Vec<_> = names.iter().map(|name| ZipEntry::file(name, &inner)).collect();
        inner = zip(&copies);
    }
    add("zips of zips", "42.zip", "nothing but other archives", inner);

    let many: Vec<_> = (0..100_000)
        .map(|number| ZipEntry::stored(format!("f{number}"), b""))
        .collect();
    add("100,000 entries", "x.zip", "more than 10,000", zip(&many));
    let many: Vec<_> = (0..10_001)
        .map(|number| ZipEntry::stored(format!("f{number}"), b""))
        .collect();
    add("10,001 entries", "x.zip", "more than 10,000", zip(&many));
    let many: Vec<_> = (0..100_000)
        .map(|number| tar_entry(b'0', format!("f{number}").as_bytes(), b""))
        .collect();
    add("100,000 entries", "x.tar.gz", "more than 10,000", gzip(&tarball(&many)));
    let many: Vec<_> = (0..10_001).map(|_| tar_entry(b'5', b"a/", b"")).collect();
    add(
        "10,001 times the same folder",
        "x.tar",
        "more than 10,000",
        tarball(&many),
    );
    all
}

/// Two entries, of which the second one lies within the data of the first.
fn overlapping() -> Vec<u8> {
    let inner = zip(&[ZipEntry::stored("site.yml", SITE)]);
    let header = inner.len() - 22 - (46 + "site.yml".len());
    let outer = ZipEntry::stored("outer", &inner[..header]);
    let bytes = zip(&[outer, ZipEntry::stored("site.yml", SITE)]);
    // The second directory entry comes to point into the first entry's data.
    let directory = bytes.len() - 22 - (46 + "site.yml".len());
    let mut bytes = bytes;
    let inside = (30 + "outer".len()) as u32;
    bytes[directory + 42..directory + 46].copy_from_slice(&inside.to_le_bytes());
    bytes
}

/// Text that deflates to about an eighth.
fn slow_to_inflate(size: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(4);
    let mut bytes = Vec::with_capacity(size + 512);
    while bytes.len() < size {
        let piece: Vec<u8> = (0..64).map(|_| random.u8(..)).collect();
        for _ in 0..8 {
            bytes.extend(&piece);
        }
    }
    bytes.truncate(size);
    bytes
}

/// Files in every format that is read, with the name that tells it.
pub fn every_format(files: &[PlaybookFile]) -> Vec<(&'static str, Vec<u8>)> {
    let packed = archive::pack(files).unwrap();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut plain).unwrap();
    vec![
        ("shop.zip", zip_of(files)),
        ("shop.tar.gz", packed.clone()),
        ("SHOP.TGZ", packed),
        ("shop.tar", plain),
    ]
}
