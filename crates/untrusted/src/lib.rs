//! Every reader of bytes that others wrote, as a function of those bytes that must not fail.
//!
//! Each function hands its bytes to one reader, and what comes out to what usually follows: a
//! network is asked for predictions, a plan is applied. Whatever the bytes are, it returns: it does
//! not panic, not loop, and not take more memory than a small file is worth. The fuzz targets in
//! `fuzz/` call these functions, and a test calls them with every file that fuzzing is begun from or
//! has found. Where a reader takes two files, the first two bytes say, little-endian, how long the
//! first one is.
//!
//! ```
//! // No table, and no panic.
//! burgeon_untrusted::csv(b"\0a,b\n1");
//! ```

mod files;
#[cfg(feature = "networks")]
mod networks;
#[cfg(feature = "networks")]
mod random;
#[cfg(feature = "networks")]
mod runs;
#[cfg(all(test, feature = "networks"))]
mod seeds;
mod tables;

#[cfg(feature = "networks")]
pub use networks::{layers, run_folder, state_dict, weights};
#[cfg(feature = "networks")]
pub use random::model;
#[cfg(feature = "networks")]
pub use runs::{board, checkpoint, journal, plan, study};
pub use tables::{archive, cifar, csv, exported, idx, picture, results};

/// A reader, by the name of its fuzz target and of its folder in `fuzz/corpus`.
pub type Reader = (&'static str, fn(&[u8]));

/// Readers that need no Burn.
pub const PLAIN: [Reader; 7] = [
    ("archive", archive),
    ("cifar", cifar),
    ("csv", csv),
    ("exported", exported),
    ("idx", idx),
    ("picture", picture),
    ("results", results),
];

/// Readers of networks, and of what growing them leaves.
#[cfg(feature = "networks")]
pub const OF_NETWORKS: [Reader; 10] = [
    ("board", board),
    ("checkpoint", checkpoint),
    ("journal", journal),
    ("layers", layers),
    ("model", model),
    ("plan", plan),
    ("run_folder", run_folder),
    ("state_dict", state_dict),
    ("study", study),
    ("weights", weights),
];
