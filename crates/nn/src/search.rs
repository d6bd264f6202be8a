//! Line searches over the step of a plan.

use burgeon_core::Plan;

use crate::error::NnError;
use crate::growable::Growable;
use crate::objective::Objective;
use crate::passes::{ForwardPasses, Losses};
use crate::records::Trial;
use crate::surgery::Resolution;

impl<M: Growable> ForwardPasses<M> {
    /// Tries each step of `grid` under `plan`: the losses are means over the samples. The network
    /// is replayed from the plan's first site on; nothing is operated on.
    ///
    /// # Errors
    /// As [`line_search`](crate::grower::line_search).
    pub fn line_search(
        &self,
        plan: &Plan,
        grid: &[f64],
        objective: &dyn Objective,
    ) -> Result<LineSearch, NnError> {
        LineSearch::of(self, plan, grid, objective)
    }
}

/// What a line search found.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSearch {
    /// Loss of the model as it is.
    pub baseline: f64,
    /// The steps tried.
    pub trials: Vec<Trial>,
    /// The step of least loss, with that loss, finite but not always below
    /// the baseline.
    pub best: Option<(f64, f64)>,
}

impl LineSearch {
    pub(crate) fn of<M: Growable>(
        passes: &ForwardPasses<M>,
        plan: &Plan,
        grid: &[f64],
        objective: &dyn Objective,
    ) -> Result<Self, NnError> {
        let is_resolved = resolved(passes, plan, grid)?;
        let steps = grid.iter().copied().zip(&is_resolved);
        let sound: Vec<f64> = steps
            .filter(|(_, sound)| **sound)
            .map(|(step, _)| step)
            .collect();
        let Losses { baseline, grown } = passes.losses(plan, &sound, objective)?;
        let mut trials = Vec::with_capacity(grid.len());
        let mut best: Option<(f64, f64)> = None;
        let mut grown = grown.into_iter();
        for (&epsilon, sound) in grid.iter().zip(is_resolved) {
            let loss = if sound { grown.next() } else { None };
            let loss = loss.filter(|loss| loss.is_finite());
            trials.push(Trial { epsilon, loss });
            if let Some(loss) = loss
                && best.is_none_or(|(_, least)| loss < least)
            {
                best = Some((epsilon, loss));
            }
        }
        Ok(Self {
            baseline,
            trials,
            best,
        })
    }
}

/// Which steps of `grid` the type of the weights resolves.
///
/// # Errors
/// [`NnError::Plan`] if it resolves none.
fn resolved<M: Growable>(
    passes: &ForwardPasses<M>,
    plan: &Plan,
    grid: &[f64],
) -> Result<Vec<bool>, NnError> {
    let resolution = Resolution::of_network(passes.network(), plan);
    let mut problem = None;
    let mut is_resolved = |epsilon: &f64| match resolution.check(*epsilon) {
        Ok(()) => true,
        Err(error) => {
            problem.get_or_insert(error);
            false
        }
    };
    let found: Vec<bool> = grid.iter().map(&mut is_resolved).collect();
    match problem {
        Some(problem) if !found.contains(&true) => Err(problem),
        _ => Ok(found),
    }
}
