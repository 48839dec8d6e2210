//! Every kept input of every target again, without a fuzzer.

use fuzz_bodies::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A corpus stays small enough to be read and replayed in a moment, in bytes.
const LARGEST_CORPUS: u64 = 100_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn names(dir: &Path, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.strip_suffix(ending).map(str::to_owned)
    };
    entries
        .filter_map(|entry| name(entry.expect("an entry")))
        .collect()
}

#[test]
fn every_kept_input_is_taken() {
    for (name, target) in TARGETS {
        let dir = fuzz().join("corpus").join(name);
        let files = names(&dir, "");
        assert!(!files.is_empty(), "{name} has no corpus");
        let mut size = 0;
        for file in files {
            let input = fs::read(dir.join(&file)).expect("an input");
            size += input.len() as u64;
            // Seen only if the target panics.
            println!("{name}/{file}");
            target(&input);
        }
        assert!(size <= LARGEST_CORPUS, "{name}: {size} bytes; minimise it");
    }
}

#[test]
fn every_target_is_fuzzed_and_replayed() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(names(&fuzz().join("corpus"), ""), targets);
    assert_eq!(names(&fuzz().join("fuzz_targets"), ".rs"), targets);
}
