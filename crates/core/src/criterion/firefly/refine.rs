//! A few bounded gradient steps on the numbers of growths.

use super::moving::Moving;
use crate::error::CoreError;
use crate::gradient::{GradientRequest, GradientSamples};
use crate::landscape::Landscape;

/// How candidates are optimised before they are ranked: RMSprop with momentum, minibatch by
/// minibatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refinement {
    steps: Option<usize>,
    learning_rate: f64,
    momentum: f64,
    decay: f64,
}

impl Refinement {
    /// What the paper's code has: one pass over the samples, rate 1e-3, momentum 0.1, squares
    /// averaged with decay 0.9.
    pub const PAPER: Self = Self {
        steps: None,
        learning_rate: 1e-3,
        momentum: 0.1,
        decay: 0.9,
    };

    /// With so many steps, whatever the samples are; 0 leaves candidates as they are drawn.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = Some(steps);
        self
    }

    /// With another learning rate.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if it is not above 0.
    pub fn with_learning_rate(mut self, rate: f64) -> Result<Self, CoreError> {
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(CoreError::Parameter {
                name: "the learning rate of candidates",
                value: rate.to_string(),
                expected: "above 0",
            });
        }
        self.learning_rate = rate;
        Ok(self)
    }

    /// Moves the numbers of all candidates at once, the network having all of them in it.
    pub(super) fn apply(
        &self,
        landscape: &dyn Landscape,
        candidates: &mut [Moving],
    ) -> Result<(), CoreError> {
        let steps = self.steps.unwrap_or_else(|| landscape.minibatches());
        let sizes = candidates.iter().map(Moving::len);
        let mut states: Vec<Vec<State>> = sizes.map(|n| vec![State::default(); n]).collect();
        for step in 0..steps {
            let plan = Moving::plan(candidates);
            let at = GradientRequest::at(1.0).over(GradientSamples::Minibatch(step));
            let gradient = landscape.gradient(&plan, &at)?;
            for ((candidate, state), found) in candidates
                .iter_mut()
                .zip(&mut states)
                .zip(&gradient.growths)
            {
                let slopes = candidate.gradient(found);
                for ((number, state), slope) in candidate.numbers_mut().zip(state).zip(slopes) {
                    *number -= self.learning_rate * state.direction(slope, self);
                }
                candidate.bound();
            }
        }
        Ok(())
    }
}

impl Default for Refinement {
    fn default() -> Self {
        Self::PAPER
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    square: f64,
    momentum: f64,
}

impl State {
    fn direction(&mut self, slope: f64, how: &Refinement) -> f64 {
        self.square = how.decay * self.square + (1.0 - how.decay) * slope * slope;
        self.momentum = how.momentum * self.momentum + slope / (self.square.sqrt() + 1e-8);
        self.momentum
    }
}
