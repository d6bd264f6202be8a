//! What a model is trained on.

use std::fmt;

use burgeon_nn::{AnyInput, AnySource, Input, Objective, Samples, Source};

/// What a model is trained on.
pub struct Task<I: Input> {
    /// The loss.
    pub objective: Box<dyn Objective>,
    /// The samples that training sees and sites are captured on: [`Samples`] in memory, or what
    /// reads them when they are needed.
    pub train: Box<dyn Source<I>>,
    /// The samples that choose ε and judge growth and accuracy; never the test set.
    pub held: Samples<I>,
}

impl<I: Input> Task<I> {
    /// Training on `train`, judged on `held`.
    pub fn new(
        objective: impl Objective + 'static,
        train: impl Source<I> + 'static,
        held: Samples<I>,
    ) -> Self {
        Self {
            objective: Box::new(objective),
            train: Box::new(train),
            held,
        }
    }

    /// The same task, whose type of input the code that handles it need not know.
    pub(crate) fn into_any(self) -> Task<AnyInput> {
        Task {
            objective: self.objective,
            train: Box::new(AnySource::new(self.train)),
            held: self.held.into_any(),
        }
    }
}

impl<I: Input> fmt::Debug for Task<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("objective", &self.objective.name())
            .field("train", &self.train.len())
            .field("held", &self.held.len())
            .finish()
    }
}
