//! What the fuzz targets begin with. A target that is started with `ADMIRAL_FUZZ_SEEDS=FOLDER` writes it there and does nothing else:
//! a program of its own could not be linked, as the counters are libFuzzer's.

use std::{fs, path::Path};

/// Larger inputs are slow to try.
const LARGEST: usize = 16 * 1024;

/// Ends the process when it was started to write the seeds of its target.
pub fn write_if_asked(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    if let Some(folder) = std::env::var_os("ADMIRAL_FUZZ_SEEDS") {
        write(Path::new(&folder), seeds());
        std::process::exit(0);
    }
}

fn write(folder: &Path, seeds: Vec<Vec<u8>>) {
    fs::create_dir_all(folder).expect("a folder for the seeds");
    for (number, seed) in seeds.iter().filter(|seed| seed.len() <= LARGEST).enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("a seed is written");
    }
}
