//! Labelled images in memory.
//!
//! ```
//! use burgeon_data::Images;
//!
//! let images = Images { shape: [1, 1, 2], pixels: vec![0.0, 0.5, 1.0, 0.0], labels: vec![1, 1] };
//! assert_eq!((images.len(), images.histogram(2)), (2, vec![0, 2]));
//! ```

use crate::error::DataError;

/// Labelled images of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Values in 0 to 1, `[n, channels, height, width]`, row-major.
    pub pixels: Vec<f32>,
    /// A class for each image.
    pub labels: Vec<usize>,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Images of each class.
    pub fn histogram(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }
}

/// A data set with its official split.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSet {
    /// The data set's name.
    pub name: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// The training images.
    pub train: Images,
    /// The test images.
    pub test: Images,
}

impl ImageSet {
    /// Checks that both parts hold images of one size with labels in range.
    ///
    /// # Errors
    /// [`DataError::Format`] that names what is wrong.
    pub fn checked(self) -> Result<Self, DataError> {
        for (part, images) in [("train", &self.train), ("test", &self.test)] {
            let what = || format!("{} {part}", self.name);
            let size: usize = images.shape.iter().product();
            if images.is_empty() {
                return Err(DataError::format(what(), "it holds no image"));
            }
            if images.pixels.len() != size * images.len() || images.shape != self.train.shape {
                return Err(DataError::format(what(), "its images differ in size"));
            }
            if let Some(label) = images.labels.iter().find(|label| **label >= self.classes) {
                let problem = format!("label {label} with {} classes", self.classes);
                return Err(DataError::format(what(), problem));
            }
        }
        Ok(self)
    }
}
