//! Rows of columns, and images, as they were read.

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Finite numbers.
    Numbers(Vec<f64>),
    /// Texts, which stand for categories.
    Texts(Vec<String>),
}

impl Cells {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A column with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// A cell for each row.
    pub cells: Cells,
}

/// Columns of equal length, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns, with different names.
    pub columns: Vec<Column>,
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Images of one size with the names of their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledImages {
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Values in 0 to 1, `[n, channels, height, width]`, row-major.
    pub pixels: Vec<f32>,
    /// A class for each image; empty where the images have none.
    pub labels: Vec<String>,
}

impl LabelledImages {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.iter().product::<usize>().max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }
}
