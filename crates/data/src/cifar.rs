//! The binary format of CIFAR-10 and CIFAR-100.
//!
//! ```
//! use burgeon_data::cifar::{Layout, parse};
//!
//! // A synthetic file: one record, class 7, all black.
//! let mut file = vec![7];
//! file.extend([0; 3 * 32 * 32]);
//! let images = parse("mine", &[file], Layout::Cifar10)?;
//! assert_eq!((images.shape, images.labels[0]), ([3, 32, 32], 7));
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

use crate::error::DataError;
use crate::images::Images;

/// Pixels of one image: 3 planes of 32×32.
pub(crate) const PIXELS: usize = 3 * 32 * 32;

/// The two layouts of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One label byte, then the pixels.
    Cifar10,
    /// A coarse and a fine label byte, then the pixels; the fine label is read.
    Cifar100,
}

impl Layout {
    fn label_bytes(self) -> usize {
        match self {
            Self::Cifar10 => 1,
            Self::Cifar100 => 2,
        }
    }

    fn classes(self) -> usize {
        match self {
            Self::Cifar10 => 10,
            Self::Cifar100 => 100,
        }
    }
}

/// Joins the records of `files`; bytes 0 to 255 are scaled to 0 to 1.
///
/// # Errors
/// [`DataError::Format`] for a cut file or a label out of range.
pub fn parse(what: &str, files: &[Vec<u8>], layout: Layout) -> Result<Images, DataError> {
    let labels = layout.label_bytes();
    let record = labels + PIXELS;
    let mut images = Images {
        shape: [3, 32, 32],
        pixels: Vec::new(),
        labels: Vec::new(),
    };
    for bytes in files {
        if bytes.is_empty() || bytes.len() % record != 0 {
            let problem = format!(
                "{} bytes are no whole number of records of {record}: the file is cut",
                bytes.len()
            );
            return Err(DataError::format(what, problem));
        }
        for entry in bytes.chunks_exact(record) {
            let label = usize::from(entry[labels - 1]);
            if label >= layout.classes() {
                let problem = format!("label {label} with {} classes", layout.classes());
                return Err(DataError::format(what, problem));
            }
            images.labels.push(label);
            let scaled = entry[labels..]
                .iter()
                .map(|pixel| f32::from(*pixel) / 255.0);
            images.pixels.extend(scaled);
        }
    }
    Ok(images)
}
