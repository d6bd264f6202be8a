//! Tables and figures as data, and a results folder as one HTML page that needs nothing else: no
//! network, no other file. It is read on a phone, printed, by keyboard, in light and dark.
//!
//! ```
//! use burgeon_report::{AxisScale, Figure, Page, Point, Report, Series};
//!
//! let point = |x: f64| Point { x, y: x.sqrt(), deviation: 0.1 };
//! let figure = Figure {
//!     name: "roots".into(),
//!     title: "Square roots".into(),
//!     x_label: "number".into(),
//!     y_label: "root".into(),
//!     x_scale: AxisScale::Linear,
//!     y_scale: AxisScale::Linear,
//!     series: vec![Series {
//!         label: "root".into(),
//!         points: (1..9).map(|x| point(x.into())).collect(),
//!         joined: true,
//!     }],
//!     diagonal: false,
//! };
//! assert!(figure.to_svg().is_some_and(|drawing| drawing.starts_with("<svg")));
//! let report = Report { tables: Vec::new(), figures: vec![figure] };
//! let page = Page::new("Roots").with_section("roots", "What roots are", report);
//! assert!(page.to_html().contains("<svg"));
//! ```

mod axis;
mod chart;
mod data;
mod error;
mod folder;
mod growth;
mod page;
mod style;

pub use data::{AxisScale, Figure, Point, Report, Series, Table};
pub use error::ReportError;
pub use folder::{REPORT, read};
pub use page::Page;
