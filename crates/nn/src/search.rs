//! Line searches over the step of a plan, and what a plan would bring.

use burgeon_core::{LineSearch, Plan, Trial};
use burgeon_graph::Graph;
use burn::tensor::Tensor;

use crate::copies::inference;
use crate::error::NnError;
use crate::growable::{Evaluation, Growable, evaluate, predict, scalar, try_predict};
use crate::objective::Objective;
use crate::passes::{ForwardPasses, Losses};
use crate::ports::Output;
use crate::samples::Samples;
use crate::surgery::{Resolution, apply_plan};
use crate::trace::traced;

impl<M: Growable> ForwardPasses<M> {
    /// Tries each step of `grid` under `plan`: the losses are means over the samples. The network
    /// is replayed from the plan's first site on; nothing is operated on.
    ///
    /// # Errors
    /// As [`line_search`].
    pub fn line_search(
        &self,
        plan: &Plan,
        grid: &[f64],
        objective: &dyn Objective,
    ) -> Result<LineSearch, NnError> {
        let is_resolved = resolved(self, plan, grid)?;
        let steps = grid.iter().copied().zip(&is_resolved);
        let sound: Vec<f64> = steps
            .filter(|(_, sound)| **sound)
            .map(|(step, _)| step)
            .collect();
        let Losses { baseline, grown } = self.losses(plan, &sound, objective)?;
        let mut trials = Vec::with_capacity(grid.len());
        let mut grown = grown.into_iter();
        for (&epsilon, sound) in grid.iter().zip(is_resolved) {
            let loss = if sound { grown.next() } else { None };
            let loss = loss.filter(|loss| loss.is_finite());
            trials.push(Trial { epsilon, loss });
        }
        Ok(LineSearch { baseline, trials })
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

/// The held loss and accuracy that `model` would have under `plan` with step
/// `epsilon`; the model stays as it is.
///
/// # Errors
/// As [`apply_plan`] and [`evaluate`].
pub fn preview<M: Growable>(
    model: &M,
    plan: &Plan,
    epsilon: f64,
    objective: &dyn Objective,
    held: &Samples<M::Input>,
    batch_size: usize,
) -> Result<Evaluation, NnError> {
    let trace = traced(model, held)?;
    let (grown, _) = apply_plan(model, trace.graph(), plan, epsilon)?;
    evaluate(&grown, objective, held, batch_size)
}

/// Tries each step of `grid` on `held` samples; one below what the type of the weights resolves
/// has no loss. Over samples that were captured,
/// [`ForwardPasses::line_search`] does the same for less.
///
/// # Errors
/// As [`preview`]; [`NnError::Plan`] if no step is resolved.
pub fn line_search<M: Growable>(
    model: &M,
    plan: &Plan,
    grid: &[f64],
    objective: &dyn Objective,
    held: &Samples<M::Input>,
    batch_size: usize,
) -> Result<LineSearch, NnError> {
    ForwardPasses::new(model, held, batch_size)?.line_search(plan, grid, objective)
}

/// Largest change of an output under `plan` at ε = 0, relative to the largest
/// output: rounding only, for a right surgery.
///
/// # Errors
/// As [`apply_plan`]; [`NnError::Model`] if the grown model does not run.
pub fn output_change_at_zero<M: Growable>(
    model: &M,
    plan: &Plan,
    samples: &Samples<M::Input>,
    batch_size: usize,
) -> Result<f64, NnError> {
    output_change_of(
        model,
        traced(model, samples)?.graph(),
        plan,
        samples,
        batch_size,
    )
}

/// [`output_change_at_zero`] of a model of which the graph is known.
pub fn output_change_of<M: Growable>(
    model: &M,
    graph: &Graph,
    plan: &Plan,
    samples: &Samples<M::Input>,
    batch_size: usize,
) -> Result<f64, NnError> {
    let (grown, _) = apply_plan(model, graph, plan, 0.0)?;
    let run = |grown: &M| -> Result<Tensor<2>, String> {
        let model = inference(grown);
        let batches = samples.batches(batch_size);
        let outputs = batches.map(|batch| try_predict(&model, batch.inputs().clone()));
        let outputs = outputs.map(|output| output.map(Output::into_rows));
        Ok(Tensor::cat(outputs.collect::<Result<_, _>>()?, 0))
    };
    let after = run(&grown).map_err(|said| {
        let sites: Vec<&str> = plan.growths().map(|growth| growth.site()).collect();
        NnError::Model(format!(
            "grown at {} it does not run: {said}",
            sites.join(", ")
        ))
    })?;
    let before = predict(model, samples, batch_size);
    let scale = scalar::<f64>(before.clone().abs().max().try_into_scalar())?;
    let change = scalar::<f64>((after - before).abs().max().try_into_scalar())?;
    Ok(change / scale.max(f64::MIN_POSITIVE))
}
