//! UCI optical recognition of handwritten digits, embedded.
//!
//! 8×8 grey images of 10 classes, official split of 3,823 and 1,797 (E. Alpaydin,
//! C. Kaynak, 1998; CC BY 4.0; DOI 10.24432/C50P49).
//!
//! ```
//! let set = burgeon_data::optdigits::load()?;
//! assert_eq!((set.train.len(), set.test.len()), (3823, 1797));
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

use std::io::Read;

use flate2::read::GzDecoder;

use crate::error::DataError;
use crate::hash::sha256;
use crate::images::{ImageSet, Images};

const TRAIN: &[u8] = include_bytes!("../assets/optdigits-train.csv.gz");
const TEST: &[u8] = include_bytes!("../assets/optdigits-test.csv.gz");

/// SHA-256 of the embedded files, training and test.
pub(crate) const HASHES: [&str; 2] = [
    "3273a01fdf5de3baade88e85bc0057491dd425404ac58f87879824e19fd06502",
    "e31b7ccbf8cc2b158de948b1bb7a67bf39a856fb064b3aa8ef489f12a2dc4b63",
];

/// The data set; pixel counts 0 to 16 are scaled to 0 to 1.
///
/// # Errors
/// [`DataError::Format`] if the embedded files are damaged.
pub fn load() -> Result<ImageSet, DataError> {
    verify()?;
    ImageSet {
        name: "optdigits",
        classes: 10,
        train: parse("optdigits train", TRAIN)?,
        test: parse("optdigits test", TEST)?,
    }
    .checked()
}

/// Compares the embedded files' hashes.
///
/// # Errors
/// [`DataError::Hash`] if one differs.
pub fn verify() -> Result<(), DataError> {
    for (name, bytes, expected) in [("train", TRAIN, HASHES[0]), ("test", TEST, HASHES[1])] {
        let found = sha256(bytes);
        if found != expected {
            return Err(DataError::Hash {
                path: format!("embedded optdigits {name}").into(),
                expected: expected.to_owned(),
                found,
            });
        }
    }
    Ok(())
}

fn parse(what: &str, compressed: &[u8]) -> Result<Images, DataError> {
    let mut text = String::new();
    GzDecoder::new(compressed)
        .read_to_string(&mut text)
        .map_err(|error| DataError::format(what, error))?;
    let mut images = Images {
        shape: [1, 8, 8],
        pixels: Vec::new(),
        labels: Vec::new(),
    };
    for (line, row) in text.lines().enumerate() {
        let values = row
            .split(',')
            .map(|value| value.trim().parse::<u8>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| DataError::format(what, format!("line {}: {error}", line + 1)))?;
        let Some((label, pixels)) = values.split_last().filter(|(_, p)| p.len() == 64) else {
            let problem = format!("line {} has {} values, not 65", line + 1, values.len());
            return Err(DataError::format(what, problem));
        };
        images.labels.push(usize::from(*label));
        let scaled = pixels.iter().map(|pixel| f32::from(*pixel) / 16.0);
        images.pixels.extend(scaled);
    }
    Ok(images)
}
