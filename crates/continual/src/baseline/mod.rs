//! What growth is compared with, all of them networks of fixed widths.

mod consolidation;
mod heads;
mod joint;
mod multi_head;
mod separate;
mod sequential;

pub use consolidation::{Consolidation, fisher_diagonal};
pub use heads::HeadsCrossEntropy;
pub use joint::Joint;
pub use multi_head::MultiHead;
pub use separate::Separate;
pub use sequential::{Elastic, Sequential};
