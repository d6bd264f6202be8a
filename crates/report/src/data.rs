//! Tables and figures as data.

use serde::{Deserialize, Serialize};

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// File name without extension.
    pub name: String,
    /// Heading, with the scale of the run.
    pub title: String,
    /// Column heads.
    pub columns: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// Sentences below the table.
    pub notes: Vec<String>,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AxisScale {
    /// Equal steps.
    Linear,
    /// Equal ratios; all values are positive.
    Log,
}

/// A point with its standard deviation in y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Half the length of the error bar; 0 draws none.
    pub deviation: f64,
}

/// One series of a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The legend's text.
    pub label: String,
    /// Its points.
    pub points: Vec<Point>,
    /// Whether the points are joined by a line.
    pub joined: bool,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// File name without extension.
    pub name: String,
    /// Heading, with the scale of the run.
    pub title: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Scale of the horizontal axis.
    pub x_scale: AxisScale,
    /// Scale of the vertical axis.
    pub y_scale: AxisScale,
    /// The series.
    pub series: Vec<Series>,
    /// Whether the diagonal y = x is drawn.
    pub diagonal: bool,
}

/// Everything an experiment reports.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its tables.
    pub tables: Vec<Table>,
    /// Its figures.
    pub figures: Vec<Figure>,
}
