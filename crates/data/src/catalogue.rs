//! The data sets there are, their files and hashes.
//!
//! ```
//! use burgeon_data::{DataSet, Status};
//!
//! let set = DataSet::named("letter")?;
//! assert!(set.is_table());
//! assert_eq!(set.status("no such folder".as_ref()), Status::Absent);
//! assert_eq!(set.files()[0].sha256.len(), 64);
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

use std::path::Path;

use crate::cifar::{self, Layout};
use crate::error::DataError;
use crate::files::{
    CIFAR_10, DataFile, FASHION_MNIST, LETTER, MNIST, PENBASED, PHONEME, SATIMAGE, SEGMENT,
    SPAMBASE, SPOKEN_DIGITS,
};
use crate::hash::read_verified;
use crate::images::ImageSet;
use crate::{idx, optdigits, spoken};

/// A data set that can be loaded by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataSet {
    /// UCI optical digits, embedded.
    Optdigits,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// CIFAR-10.
    Cifar10,
    /// Spoken digits as cepstral coefficients.
    SpokenDigits,
    /// UCI letter recognition, a table.
    Letter,
    /// UCI pen-based digits, a table.
    Penbased,
    /// UCI Statlog Landsat satellite, a table with its official split.
    Satimage,
    /// UCI image segmentation, a table.
    Segment,
    /// UCI spambase, a table.
    Spambase,
    /// ELENA's phoneme, a table.
    Phoneme,
}

/// Where a data set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Part of the program.
    Embedded,
    /// All files are there.
    Present,
    /// Some file is missing.
    Absent,
}

impl DataSet {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Optdigits,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::SpokenDigits,
        Self::Letter,
        Self::Penbased,
        Self::Satimage,
        Self::Segment,
        Self::Spambase,
        Self::Phoneme,
    ];

    /// The data set's name, also that of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Optdigits => "optdigits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
            Self::SpokenDigits => "spoken-digits",
            Self::Letter => "letter",
            Self::Penbased => "penbased",
            Self::Satimage => "satimage",
            Self::Segment => "segment",
            Self::Spambase => "spambase",
            Self::Phoneme => "phoneme",
        }
    }

    /// One line on what it is.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Optdigits => "UCI optical digits, 8x8, 10 classes, 3,823 + 1,797 (CC BY 4.0)",
            Self::Mnist => "MNIST, 28x28, 10 classes, 60,000 + 10,000",
            Self::FashionMnist => "Fashion-MNIST, 28x28, 10 classes, 60,000 + 10,000 (MIT)",
            Self::Cifar10 => "CIFAR-10, 3x32x32, 10 classes, 50,000 + 10,000",
            Self::SpokenDigits => {
                "spoken digits (FSDD), 48 frames of 13 MFCC, 2,400 + 600 (CC BY-SA)"
            }
            Self::Letter => "UCI letters, a table: 16 columns, 26 classes, 20,000",
            Self::Penbased => "UCI pen-based digits, a table: 16 columns, 10 classes, 10,992",
            Self::Satimage => "UCI Landsat, a table: 36 columns, 6 classes, 4,435 + 2,000",
            Self::Segment => "UCI image segments, a table: 19 columns, 7 classes, 2,310",
            Self::Spambase => "UCI spambase, a table: 57 columns, 2 classes, 4,597",
            Self::Phoneme => "ELENA phonemes, a table: 5 columns, 2 classes, 5,404",
        }
    }

    /// The data set of that name.
    ///
    /// # Errors
    /// [`DataError::Unknown`], naming those there are.
    pub fn named(name: &str) -> Result<Self, DataError> {
        let found = Self::ALL.into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| DataError::Unknown {
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }

    /// Its files; none for an embedded one.
    pub const fn files(self) -> &'static [DataFile] {
        match self {
            Self::Optdigits => &[],
            Self::Mnist => &MNIST,
            Self::FashionMnist => &FASHION_MNIST,
            Self::Cifar10 => &CIFAR_10,
            Self::SpokenDigits => &SPOKEN_DIGITS,
            Self::Letter => &LETTER,
            Self::Penbased => &PENBASED,
            Self::Satimage => &SATIMAGE,
            Self::Segment => &SEGMENT,
            Self::Spambase => &SPAMBASE,
            Self::Phoneme => &PHONEME,
        }
    }

    /// Whether its files are in `directory/NAME`; their contents are not read.
    pub fn status(self, directory: &Path) -> Status {
        let folder = directory.join(self.name());
        if self.files().is_empty() {
            Status::Embedded
        } else if self
            .files()
            .iter()
            .all(|file| folder.join(file.name).is_file())
        {
            Status::Present
        } else {
            Status::Absent
        }
    }

    /// Compares every file's hash with the published one.
    ///
    /// # Errors
    /// [`DataError::Absent`] if a file is missing, [`DataError::Hash`] if one differs.
    pub fn verify(self, directory: &Path) -> Result<(), DataError> {
        match self {
            Self::Optdigits => optdigits::verify(),
            _ => self.read(directory).map(|_| ()),
        }
    }

    /// Whether it is a table, which [`load_table`](crate::load_table) reads, and not images.
    pub const fn is_table(self) -> bool {
        !matches!(
            self,
            Self::Optdigits | Self::Mnist | Self::FashionMnist | Self::Cifar10 | Self::SpokenDigits
        )
    }

    pub(crate) fn read(self, directory: &Path) -> Result<Vec<Vec<u8>>, DataError> {
        if self.status(directory) == Status::Absent {
            return Err(DataError::Absent {
                name: self.name(),
                directory: directory.join(self.name()),
                files: self
                    .files()
                    .iter()
                    .map(|f| f.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        let folder = directory.join(self.name());
        self.files()
            .iter()
            .map(|file| read_verified(&folder.join(file.name), file.sha256))
            .collect()
    }
}

/// Loads a data set of images from `directory/NAME`, after checking its files' hashes.
///
/// # Errors
/// [`DataError::Absent`] with what to do if it is not there, [`DataError::Hash`] or
/// [`DataError::Format`] if it is not what it should be, or a table.
pub fn load(set: DataSet, directory: &Path) -> Result<ImageSet, DataError> {
    if set.is_table() {
        return Err(DataError::format(
            set.name(),
            "it is a table: read it by `load_table`",
        ));
    }
    if set == DataSet::Optdigits {
        return optdigits::load();
    }
    let mut files = set.read(directory)?;
    let (train, test) = match set {
        DataSet::Cifar10 => {
            let test = files.split_off(5);
            (
                cifar::parse("cifar-10 train", &files, Layout::Cifar10)?,
                cifar::parse("cifar-10 test", &test, Layout::Cifar10)?,
            )
        }
        DataSet::SpokenDigits => {
            let [train, test] = spoken::parse("spoken-digits", &files[0])?;
            (train, test)
        }
        _ => (
            idx::parse(&format!("{} train", set.name()), &files[0], &files[1])?,
            idx::parse(&format!("{} test", set.name()), &files[2], &files[3])?,
        ),
    };
    ImageSet {
        name: set.name(),
        classes: 10,
        train,
        test,
    }
    .checked()
}
