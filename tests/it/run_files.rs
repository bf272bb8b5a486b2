//! Every file that a process outside reads from a run, and everything that a hostile run could put in its place: reading never
//! waits, never follows, and ends in the stated outcome.

use admiral::{
    domain::clock::new_id,
    runner::{RunFolder, Tail},
};
use std::{
    fs::{self, File},
    os::unix::fs::{chown, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

/// What may lie where a file is expected.
const PLACED: [&str; 8] = [
    "a link",
    "a link to nothing",
    "a pipe",
    "a folder",
    "a device",
    "a sparse file",
    "another account's file",
    "nothing",
];
/// In the file that links lead to.
const SECRET: &str = "{\"version\":1,\"secret\":\"canary-19c0\"}";

/// Reads one of the files, and says what came of it in one line.
type Reading = fn(&RunFolder) -> String;

/// Each file, by name, with every way in which it is read.
const READINGS: [(&str, Reading); 9] = [
    ("spec.json", |folder| outcome(folder.read_spec().map(|_| ()))),
    ("started.json", |folder| {
        outcome(folder.read_started().map(|found| found.map(|_| ())))
    }),
    ("exit.json", |folder| {
        outcome(folder.read_exit().map(|found| found.map(|_| ())))
    }),
    ("output.log", |folder| outcome(folder.read_output_end(1000))),
    ("supervise.log", |folder| {
        outcome(
            folder
                .read_supervisor_log(1000)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        )
    }),
    ("known_hosts", |folder| {
        outcome(
            folder
                .read_known_hosts()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        )
    }),
    ("events.jsonl", |folder| tail(&folder.events())),
    ("output.log", |folder| tail(&folder.output())),
    ("spec.json", |folder| format!("unused: {}", folder.is_unused())),
];

fn outcome<T: std::fmt::Debug, E: std::error::Error>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("read: {value:?}"),
        Err(error) => {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            format!(
                "refused: {}",
                causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
            )
        }
    }
}

fn tail(path: &Path) -> String {
    outcome(Tail::open(path, 0).read_available(1000).map(|chunk| {
        format!(
            "{} bytes {}",
            chunk.bytes.len(),
            String::from_utf8_lossy(&chunk.bytes).replace('\0', "")
        )
    }))
}

fn place(what: &str, path: &Path, secret: &Path) {
    let _there = fs::remove_file(path);
    match what {
        "a link" => symlink(secret, path).unwrap(),
        "a link to nothing" => symlink("/nonexistent/file", path).unwrap(),
        "a pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "a folder" => fs::create_dir(path).unwrap(),
        // Reading this one would wait for a key to be pressed, or for ever.
        "a device" => assert!(
            Command::new("mknod")
                .arg(path)
                .args(["c", "5", "0"])
                .status()
                .unwrap()
                .success()
        ),
        "a sparse file" => File::create(path).unwrap().set_len(10 << 30).unwrap(),
        "another account's file" => {
            fs::write(path, SECRET).unwrap();
            chown(path, Some(5), Some(60)).unwrap();
        }
        _ => {}
    }
}

/// In time, or not at all: a reading that waits fails the test instead of holding it up.
fn in_time(reading: Reading, folder: RunFolder) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(reading(&folder)));
    receiver.recv_timeout(Duration::from_mins(1)).ok()
}

#[test]
fn nothing_in_the_place_of_a_file_is_followed_waited_for_or_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let secret = root.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let mut wrong = Vec::new();
    for what in PLACED {
        for (number, (name, reading)) in READINGS.into_iter().enumerate() {
            let folder = RunFolder::create(&root.path().join("runs"), new_id()).unwrap();
            let path: PathBuf = folder.path().join(name);
            place(what, &path, &secret);
            let label = format!("{what} in the place of {name} (reading {number})");
            match in_time(reading, folder) {
                None => wrong.push(format!("{label}: it waits")),
                Some(said) if said.contains("canary") => wrong.push(format!("{label}: {said}")),
                Some(said) if said.len() > 5000 => wrong.push(format!("{label}: {} bytes", said.len())),
                Some(said) if what != "a sparse file" && what != "nothing" && said.starts_with("read: \"") => {
                    wrong.push(format!("{label}: {said}"));
                }
                Some(_) => {}
            }
            let _there = fs::remove_file(&path);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_takes_the_place_of_a_file_that_is_being_followed_is_not_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path(), new_id()).unwrap();
    fs::write(folder.events(), "one\n").unwrap();
    let mut tail = Tail::open(folder.events(), 0);
    assert_eq!(tail.read_available(100).unwrap().bytes, b"one\n");
    let secret = root.path().join("secret");
    fs::write(&secret, format!("one\n{SECRET}")).unwrap();
    fs::remove_file(folder.events()).unwrap();
    symlink(&secret, folder.events()).unwrap();
    assert_eq!(tail.read_available(100).unwrap().bytes, b"");
}

/// What a run made of its folders goes with them, and nothing that they lead to.
#[test]
fn a_folder_that_a_run_has_turned_into_links_is_removed_without_following_them() {
    let root = tempfile::tempdir().unwrap();
    let outside = root.path().join("outside");
    fs::create_dir_all(outside.join("inside")).unwrap();
    fs::write(outside.join("inside/file"), "kept").unwrap();
    for entry in ["work", "work/project", "events.jsonl"] {
        let folder = RunFolder::create(&root.path().join("runs"), new_id()).unwrap();
        let path = folder.path().join(entry);
        let _there = fs::remove_dir(&path).or_else(|_| fs::remove_file(&path));
        symlink(&outside, &path).unwrap();
        let gone = folder.path().to_owned();
        folder.remove().unwrap();
        assert!(!gone.exists(), "{entry}");
        assert_eq!(
            fs::read_to_string(outside.join("inside/file")).unwrap(),
            "kept",
            "{entry}"
        );
    }
}
