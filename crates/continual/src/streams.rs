//! Independent seeds of one run.

/// An independent seed for each purpose and index (FNV-1a).
pub(crate) fn stream(seed: u64, purpose: &str, index: usize) -> u64 {
    let parts = [
        &seed.to_le_bytes()[..],
        purpose.as_bytes(),
        &(index as u64).to_le_bytes(),
    ];
    let bytes = parts.into_iter().flatten();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
