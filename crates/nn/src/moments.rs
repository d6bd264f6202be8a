//! Second moments of a network's sites over samples.

use burgeon_core::cost::Macs;
use burgeon_core::{CostModel, Moments, SplitBackend};
use burn::tensor::Tensor;

use crate::cost::graph_layers;
use crate::error::NnError;
use crate::gradient::PASS;
use crate::growable::{Growable, check_positions, check_targets};
use crate::objective::Objective;
use crate::part::{Part, finished};
use crate::ports::{Input, Output};
use crate::replay::{Network, Value};
use crate::sites::MomentSums;

/// Which of the two rounds of a sum.
#[derive(Clone, Copy, PartialEq)]
enum Round {
    First,
    Second,
}

/// The moments of all sites that may grow, means over all samples of which `part` is this rank's, and the
/// multiply-accumulates that they took. The samples are passed twice: what the weights there are
/// can express must be known before what is left can be summed.
///
/// # Errors
/// [`NnError::Core`] where a moment is not finite, [`NnError::Data`] where outputs do not fit
/// targets, [`NnError::Operation`] where the network does not run.
pub(crate) fn site_moments<M: Growable>(
    network: &Network,
    objective: &dyn Objective,
    part: &Part<M::Input>,
    backend: &dyn SplitBackend,
) -> Result<(Vec<Moments>, u64), NnError> {
    let mut sums = MomentSums::new(network, backend.accumulation_dtype());
    let count = part.count;
    if !sums.has_any() {
        return Ok((sums.into_moments(count), 0));
    }
    for round in [Round::First, Round::Second] {
        let mut shards = part.sums();
        for batch in &part.batches {
            let share = batch.len() as f64 / count.max(1) as f64;
            let recorded = batch.to_autodiff();
            let inputs = batch.inputs().clone().into_values();
            let loss = |output: Value| -> Result<Tensor<1>, NnError> {
                let output = M::Output::from_value(output).into_rows();
                check_targets(&output, objective, recorded.targets())?;
                check_positions(&output, recorded.targets())?;
                Ok(objective.loss(output, recorded.targets()).mul_scalar(share))
            };
            match round {
                Round::First => sums.first_round(&inputs, batch.len(), &loss)?,
                Round::Second => sums.second_round(&inputs, batch.len(), &loss)?,
            }
            if let Some(shards) = &mut shards {
                let numbers = sums.numbers(round == Round::First);
                shards.push(numbers.map(std::mem::take).collect());
            }
        }
        if let Some(shards) = shards {
            let found = finished(shards)?;
            sums.numbers(round == Round::First)
                .zip(found)
                .for_each(|(number, found)| *number = found);
        }
        if round == Round::First {
            sums.express()?;
        }
    }
    let forward = Macs.cost(&graph_layers(network.trace.graph()));
    sums.macs = part.total(sums.macs)?;
    let passes = forward
        .saturating_mul(2 * PASS)
        .saturating_mul(count as u64);
    let macs = passes.saturating_add(sums.macs);
    Ok((sums.into_moments(count), macs))
}
