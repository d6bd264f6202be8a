//! Losses under a plan without surgery.
//!
//! Copies `σ(θ_iᵀx)` whose outgoing weights are `w_i` times the parent's do to their consumers
//! what one neuron of post-activation `Σ w_i σ(θ_iᵀx)` does, as long as what lies between is
//! linear in each channel. So a forward pass of the network as it is, whose split neurons
//! answer with that sum, has the outputs of the grown network. For the steps of a line search
//! this saves most of the arithmetic: the pre-activations of the first split layer are
//! `z + ε δᵀx` for each ε, and a layer behind it that reads both split and other channels is
//! computed anew for the split ones only.
//!
//! Where the sum is not what consumers would read (behind max pooling, or a depthwise layer
//! with an activation), a few samples show it, and surgery is done instead.

mod layer;
mod split;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::{HashSet, VecDeque};

use burgeon_core::Plan;
use burn::module::ParamId;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use crate::error::NnError;
use crate::growable::{Growable, check_targets, predict, predict_batch, scalar};
use crate::mode::{Mode, in_mode};
use crate::objective::Objective;
use crate::passes::{Answer, ForwardPasses};
use crate::samples::Samples;
use crate::surgery::apply_plan;
use crate::topology::Topology;

pub(crate) use layer::{Folded, Rehearsed, forward};
use split::SplitSites;

/// Samples on which the grown network is compared with its rehearsal.
const COMPARED: usize = 16;

/// Largest difference of an output between the two, relative to the largest change of an
/// output under the plan.
const DIFFERENCE: f64 = 1e-2;

/// What the layers of one forward pass share.
pub(crate) struct Rehearsal {
    sites: SplitSites,
    /// What layers answered to the same inputs before, in the order of their use.
    known: VecDeque<Answer>,
    /// The step; `None` in the pass that the others start from.
    epsilon: Option<f64>,
    /// What each layer kept of the first pass, in the order of their use.
    calls: Vec<Box<dyn Any + Send>>,
    next: usize,
    /// The call of the last split layer behind this point of the pass.
    changed: Option<usize>,
    met: HashSet<ParamId>,
    /// Whether a pass used other layers than the first one.
    strayed: bool,
}

/// Losses of a model on samples.
#[derive(Debug, PartialEq)]
pub(crate) struct Losses {
    /// As it is.
    pub baseline: f64,
    /// Under each step.
    pub grown: Vec<f64>,
}

/// The losses that the model of `passes` has on their samples under `plan` with each ε of
/// `grid`; `None` where only surgery tells them.
///
/// # Errors
/// As [`apply_plan`] and [`evaluate`](crate::growable::evaluate).
pub(crate) fn rehearse<M: Growable>(
    passes: &ForwardPasses<M>,
    plan: &Plan,
    grid: &[f64],
    objective: &dyn Objective,
) -> Result<Option<Losses>, NnError> {
    let ForwardPasses {
        model,
        topology,
        samples,
        batch_size,
        ..
    } = passes;
    let Some(sites) = SplitSites::of(topology, plan) else {
        return Ok(None);
    };
    if !is_faithful(model, topology, plan, &sites, grid, samples)? {
        return Ok(None);
    }
    // Batches side by side: what each costs besides products would else run on one thread.
    let batches: Vec<Samples<M::Input>> = samples.batches(*batch_size).collect();
    let sums = batches
        .par_iter()
        .enumerate()
        .map(|(index, batch)| {
            let rehearsal = Rehearsal::new(sites.clone(), passes.answers(index));
            let outputs = run(model, rehearsal, grid, batch)?;
            check_targets(&outputs[0], objective, batch.targets())?;
            let loss = |output| {
                let mean = objective.loss(output, batch.targets());
                Ok(scalar::<f64>(mean.try_into_scalar())? * batch.len() as f64)
            };
            outputs.into_iter().map(loss).collect()
        })
        .collect::<Result<Vec<Vec<f64>>, NnError>>()?;
    let mean = |k: usize| sums.iter().map(|sums| sums[k]).sum::<f64>() / samples.len() as f64;
    Ok(Some(Losses {
        baseline: mean(0),
        grown: (1..=grid.len()).map(mean).collect(),
    }))
}

/// Whether the grown network's outputs are those of the rehearsal, on a few samples and at
/// the largest step.
fn is_faithful<M: Growable>(
    model: &M,
    topology: &Topology,
    plan: &Plan,
    sites: &SplitSites,
    grid: &[f64],
    samples: &Samples<M::Input>,
) -> Result<bool, NnError> {
    let Some(largest) = grid
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
    else {
        return Ok(false);
    };
    let few: Vec<usize> = (0..COMPARED.min(samples.len())).collect();
    let few = samples.subset(&few)?;
    let mut rehearsal = Rehearsal::new(sites.clone(), &[]);
    let before = rehearsal.pass(None, || predict_batch(model, &few))?;
    let after = rehearsal.pass(Some(largest), || predict_batch(model, &few))?;
    if rehearsal.strayed || !sites.ids().all(|id| rehearsal.met.contains(&id)) {
        return Ok(false);
    }
    let (grown, _) = apply_plan(model, topology, plan, largest)?;
    let grown = predict(&grown, &few, COMPARED);
    let largest = |tensor: Tensor<2>| scalar::<f64>(tensor.abs().max().try_into_scalar());
    let rounding = match before.dtype() {
        DType::F64 => 1e-12,
        _ => 1e-5,
    };
    let change = largest(grown.clone() - before.clone())?;
    let allowed = DIFFERENCE * change + rounding * largest(before)?;
    Ok(largest(grown - after)? <= allowed)
}

/// Outputs of `model` as it is, and under each ε of `grid`.
fn run<M: Growable>(
    model: &M,
    mut rehearsal: Rehearsal,
    grid: &[f64],
    batch: &Samples<M::Input>,
) -> Result<Vec<Tensor<2>>, NnError> {
    std::iter::once(None)
        .chain(grid.iter().copied().map(Some))
        .map(|epsilon| rehearsal.pass(epsilon, || predict_batch(model, batch)))
        .collect()
}

impl Rehearsal {
    fn new(sites: SplitSites, known: &[Answer]) -> Self {
        Self {
            sites,
            known: known.to_vec().into(),
            epsilon: None,
            calls: Vec::new(),
            next: 0,
            changed: None,
            met: HashSet::new(),
            strayed: false,
        }
    }

    /// What the next layer, of this weight, is known to answer.
    fn known(&mut self, weight: ParamId) -> Option<Answer> {
        while let Some(answer) = self.known.pop_front() {
            if answer.weight == weight {
                return Some(answer);
            }
        }
        None
    }

    fn pass<T>(&mut self, epsilon: Option<f64>, forward: impl FnOnce() -> T) -> T {
        let placeholder = Self::new(SplitSites::default(), &[]);
        let mut this = std::mem::replace(self, placeholder);
        this.epsilon = epsilon;
        this.next = 0;
        this.changed = None;
        let (output, mode) = in_mode(Mode::Rehearsing(Box::new(this)), forward);
        if let Mode::Rehearsing(this) = mode {
            *self = *this;
        }
        output
    }
}
