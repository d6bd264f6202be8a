//! What the fuzz targets have in common: a watch on memory.

use peak_alloc::PeakAlloc;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

/// What a reader may take for a small file.
const MOST_BYTES: usize = 256 << 20;

/// Hands `bytes` to `read`.
///
/// # Panics
/// Where it takes more memory than a small file is worth.
pub fn watched(read: fn(&[u8]), bytes: &[u8]) {
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    read(bytes);
    let taken = PEAK.peak_usage().saturating_sub(before);
    assert!(taken < MOST_BYTES, "{taken} bytes were taken");
}
