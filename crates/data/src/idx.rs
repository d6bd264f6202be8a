//! The IDX format of MNIST and Fashion-MNIST.
//!
//! ```
//! use burgeon_data::idx::parse;
//!
//! // Two images of one pixel, and their labels.
//! let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 255];
//! let labels = [0, 0, 8, 1, 0, 0, 0, 2, 5, 9];
//! let read = parse("mine", &images, &labels)?;
//! assert_eq!((read.pixels, read.labels), (vec![0.0, 1.0], vec![5, 9]));
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

use crate::error::DataError;
use crate::images::Images;

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// Joins an image file and a label file; bytes 0 to 255 are scaled to 0 to 1.
///
/// # Errors
/// [`DataError::Format`] for another magic number, a cut file, or counts that differ.
pub fn parse(what: &str, images: &[u8], labels: &[u8]) -> Result<Images, DataError> {
    let (sizes, pixels) = parse_array(&format!("{what} images"), images, IMAGES, 3)?;
    let (counts, labels) = parse_array(&format!("{what} labels"), labels, LABELS, 1)?;
    if sizes[0] != counts[0] {
        let problem = format!("{} images but {} labels", sizes[0], counts[0]);
        return Err(DataError::format(what, problem));
    }
    Ok(Images {
        shape: [1, sizes[1], sizes[2]],
        pixels: pixels
            .iter()
            .map(|pixel| f32::from(*pixel) / 255.0)
            .collect(),
        labels: labels.iter().map(|label| usize::from(*label)).collect(),
    })
}

fn parse_array<'a>(
    what: &str,
    bytes: &'a [u8],
    magic: u32,
    rank: usize,
) -> Result<(Vec<usize>, &'a [u8]), DataError> {
    let header = 4 * (rank + 1);
    if bytes.len() < header {
        return Err(DataError::format(what, "the file is cut within its header"));
    }
    let mut words = bytes[..header]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_be_bytes(*word));
    let found = words.next().unwrap_or_default();
    if found != magic {
        let problem = format!("magic number {found:#06x} instead of {magic:#06x}: not an IDX file");
        return Err(DataError::format(what, problem));
    }
    let sizes: Vec<usize> = words.map(|word| word as usize).collect();
    let expected = sizes.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
    let body = &bytes[header..];
    if expected != Some(body.len()) {
        let problem = format!("{} bytes for sizes {sizes:?}: the file is cut", body.len());
        return Err(DataError::format(what, problem));
    }
    Ok((sizes, body))
}
