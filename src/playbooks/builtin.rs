//! The playbooks that ship inside the binary.

use rust_embed::RustEmbed;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Component, Path},
};

#[derive(RustEmbed)]
#[folder = "ansible/playbooks/"]
struct Embedded;

/// Names what an earlier start unpacked, so that a playbook that no longer ships is taken away and nothing else is.
const RECORD: &str = ".admiral-builtin";

/// Writes the built-in playbooks into `folder`, which is made if need be. A file that is right already is left alone; each other
/// one is replaced at once, so that several processes may do this together.
pub fn unpack(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut shipped = BTreeSet::new();
    for name in Embedded::iter() {
        let Some(file) = Embedded::get(&name) else { continue };
        write_changed(folder, &name, &file.data)?;
        shipped.insert(name.into_owned());
    }
    let record = folder.join(RECORD);
    for stale in fs::read_to_string(&record)
        .unwrap_or_default()
        .lines()
        .filter(|name| !shipped.contains(*name))
    {
        let plain = Path::new(stale)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if plain && !stale.is_empty() {
            match fs::remove_file(folder.join(stale)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    let names: Vec<String> = shipped.into_iter().collect();
    write_changed(folder, RECORD, names.join("\n").as_bytes())
}

fn write_changed(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    if fs::read(&path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let mut temporary = tempfile::Builder::new().prefix(".unpack-").tempfile_in(parent)?;
    io::Write::write_all(&mut temporary, content)?;
    temporary.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_again_repairs_and_takes_away_only_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("builtin");
        unpack(&path).unwrap();
        let ping = fs::read(path.join("ping.yml")).unwrap();
        fs::write(path.join("ping.yml"), "changed").unwrap();
        fs::write(path.join("gone.yml"), "x").unwrap();
        fs::write(path.join("mine.yml"), "x").unwrap();
        fs::write(folder.path().join("outside.yml"), "x").unwrap();
        fs::write(path.join(RECORD), "gone.yml\n../outside.yml\nping.yml\n").unwrap();
        unpack(&path).unwrap();
        assert_eq!(fs::read(path.join("ping.yml")).unwrap(), ping);
        assert!(!path.join("gone.yml").exists());
        assert!(path.join("mine.yml").exists());
        assert!(folder.path().join("outside.yml").exists());
    }
}
