//! What an experiment reports: tables and figures as data.

pub use burgeon_report::{AxisScale, Figure, Point, Report, Series, Table};
