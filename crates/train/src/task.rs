//! What a model is trained on.

use burgeon_nn::{Objective, Samples};

/// What a model is trained on.
#[derive(Debug)]
pub struct Task<I> {
    /// The loss.
    pub objective: Box<dyn Objective>,
    /// The samples that training sees and sites are captured on.
    pub train: Samples<I>,
    /// The samples that choose ε and judge growth and accuracy; never the test set.
    pub held: Samples<I>,
}
