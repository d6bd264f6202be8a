//! Colours and lines of pages and drawings.

pub(crate) const STYLE: &str = include_str!("assets/style.css");
