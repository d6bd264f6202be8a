//! Every file that fuzzing is begun from, or has found, is read again.

use std::fs;
use std::path::Path;

use burgeon_untrusted::{OF_NETWORKS, PLAIN};
use peak_alloc::PeakAlloc;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

/// What a reader may take for a file of a few kB.
const MOST_BYTES: usize = 256 << 20;

/// The largest file of a corpus.
const MOST_FILE: u64 = 32 << 10;

#[test]
fn every_file_of_the_corpora_is_read_without_a_panic_and_in_little_memory() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, read) in PLAIN.iter().chain(&OF_NETWORKS) {
        let mut files = Vec::new();
        for file in fs::read_dir(corpora.join(name)).expect("a corpus for each reader") {
            files.push(file.expect("readable").path());
        }
        files.sort();
        assert!(!files.is_empty(), "{name} has no file");
        for path in files {
            let bytes = fs::read(&path).expect("readable");
            assert!(bytes.len() as u64 <= MOST_FILE, "{}", path.display());
            println!("{}", path.display());
            let before = PEAK.current_usage();
            PEAK.reset_peak_usage();
            read(&bytes);
            let taken = PEAK.peak_usage().saturating_sub(before);
            assert!(taken < MOST_BYTES, "{}: {taken} bytes", path.display());
        }
    }
    let folders = fs::read_dir(&corpora).expect("readable").count();
    assert_eq!(folders, PLAIN.len() + OF_NETWORKS.len());
}
