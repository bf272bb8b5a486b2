//! What a program consists of besides its own file: a Python environment may lie anywhere, in somebody's home too.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// Folders that a program needs to be started: its own, its virtual environment, its interpreter's.
pub(super) fn needed(program: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for program in [program.to_owned()].into_iter().chain(fs::canonicalize(program)) {
        add_environment(&program, &mut folders);
        if let Some(interpreter) = interpreter(&program) {
            add_environment(&interpreter, &mut folders);
            if let Ok(interpreter) = fs::canonicalize(interpreter) {
                add_environment(&interpreter, &mut folders);
            }
        }
    }
    folders
}

/// The prefix that a program is installed below, if it has one of its own: `PREFIX/bin/program`.
fn add_environment(program: &Path, folders: &mut Vec<PathBuf>) {
    let Some(folder) = program.parent() else { return };
    let mut found = vec![folder.to_owned()];
    if let Some(prefix) = folder.parent().filter(|_| folder.ends_with("bin")) {
        if prefix.join("pyvenv.cfg").is_file() {
            found = vec![prefix.to_owned()];
        } else {
            // Not all of it: beside what `pip install --user` installs lies what other programs keep.
            found.extend(
                ["lib", "lib64"]
                    .map(|name| prefix.join(name))
                    .into_iter()
                    .filter(|lib| lib.is_dir()),
            );
        }
    }
    for folder in found {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
}

/// The interpreter that a script's first line names; execve(2).
fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut line = Vec::new();
    BufReader::new(File::open(program).ok()?.take(256))
        .read_until(b'\n', &mut line)
        .ok()?;
    let line = String::from_utf8(line).ok()?;
    let interpreter = line.strip_prefix("#!")?.split_whitespace().next()?;
    Some(PathBuf::from(interpreter)).filter(|path| path.is_absolute())
}

/// The base of `pip install --user`, when the program was installed so: Python looks for it below `HOME`, which is another one in a run.
pub fn python_user_base(program: &Path) -> Option<PathBuf> {
    let base = program.parent()?.parent()?;
    let is_user_base = base.ends_with(".local") && !base.join("pyvenv.cfg").exists() && base.join("lib").is_dir();
    is_user_base.then(|| base.to_owned())
}
