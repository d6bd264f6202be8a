//! The parts of one growth step after the selector: preview, line search, checks.

use burgeon_core::{CostModel, Plan};
use burgeon_graph::Graph;

use crate::copies::inference;
use crate::cost::{grown_shapes, parameters_added};
use crate::error::NnError;
use crate::growable::{Evaluation, Growable, evaluate, is_finite, predict, try_predict};
use crate::objective::Objective;
use crate::passes::ForwardPasses;
use crate::samples::Samples;
use crate::search::LineSearch;
use crate::surgery::apply_plan;
use crate::trace::traced;

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
pub(crate) fn output_change_of<M: Growable>(
    model: &M,
    graph: &Graph,
    plan: &Plan,
    samples: &Samples<M::Input>,
    batch_size: usize,
) -> Result<f64, NnError> {
    let (grown, _) = apply_plan(model, graph, plan, 0.0)?;
    let first = samples.subset(&[0])?;
    try_predict(&inference(&grown), first.inputs().clone()).map_err(|said| {
        let sites: Vec<&str> = plan.growths.iter().map(|g| g.site.as_str()).collect();
        NnError::Model(format!(
            "grown at {} it does not run: {said}",
            sites.join(", ")
        ))
    })?;
    let before = predict(model, samples, batch_size);
    let after = predict(&grown, samples, batch_size);
    let scale = crate::growable::scalar::<f64>(before.clone().abs().max().try_into_scalar())?;
    let change = crate::growable::scalar::<f64>((after - before).abs().max().try_into_scalar())?;
    Ok(change / scale.max(f64::MIN_POSITIVE))
}

/// Drops growths from the plan's end until the grown network has at most `budget`
/// parameters: candidates are priced one by one, but a neuron in each of two
/// neighbouring layers also adds the weight between them.
pub fn fit_budget(graph: &Graph, plan: &mut Plan, parameters: u64, budget: u64) {
    while !plan.is_empty() && parameters + parameters_added(graph, plan) > budget {
        plan.growths.pop();
    }
}

/// As [`fit_budget`], for a cost model's `budget`.
pub fn fit_cost_budget(graph: &Graph, plan: &mut Plan, model: &dyn CostModel, budget: u64) {
    while !plan.is_empty() && model.cost(&grown_shapes(graph, plan)) > budget {
        plan.growths.pop();
    }
}

/// Refuses a model that holds NaN or an infinity.
pub(crate) fn check_finite<M: Growable>(model: &M) -> Result<(), NnError> {
    if is_finite(model) {
        return Ok(());
    }
    Err(NnError::Settings(
        "the model's weights hold NaN or an infinity: start from sound weights".into(),
    ))
}
