//! A network's forward passes over samples, from which line searches start.

use std::marker::PhantomData;
use std::sync::Arc;

use burgeon_core::{Plan, Team};
use burgeon_graph::Graph;
use burn::backend::TensorMetadata;
use rayon::prelude::*;

use crate::error::NnError;
use crate::growable::{Growable, check_positions, check_targets, scalar};
use crate::objective::Objective;
use crate::part::{Part, Total};
use crate::ports::{Input, Output};
use crate::replay::{Network, NoProbe, Value, Values};
use crate::samples::Samples;
use crate::sites::VirtualGrowth;
use crate::trace::{Trace, traced};

/// A network in inference mode, samples, and the tensors of its passes over them, as far
/// as they were kept.
pub struct ForwardPasses<M: Growable> {
    network: Network,
    samples: Samples<M::Input>,
    batch_size: usize,
    /// With which the samples are shared, if with anyone.
    team: Option<Team>,
    /// Of each batch, or of none.
    kept: Vec<Values>,
    model: PhantomData<fn() -> M>,
}

/// Losses of a model on samples.
#[derive(Debug, PartialEq)]
pub(crate) struct Losses {
    /// As it is.
    pub baseline: f64,
    /// Under each step.
    pub grown: Vec<f64>,
}

impl<M: Growable> ForwardPasses<M> {
    /// The passes of `model` over `samples`, of which nothing is kept yet.
    ///
    /// # Errors
    /// As [`trace`](crate::trace()).
    pub fn new(model: &M, samples: &Samples<M::Input>, batch_size: usize) -> Result<Self, NnError> {
        Self::of(model, traced(model, samples)?, samples, batch_size)
    }

    pub(crate) fn of(
        model: &M,
        trace: Arc<Trace>,
        samples: &Samples<M::Input>,
        batch_size: usize,
    ) -> Result<Self, NnError> {
        Ok(Self {
            network: Network::of(trace, model)?,
            samples: samples.clone(),
            batch_size,
            team: None,
            kept: Vec::new(),
            model: PhantomData,
        })
    }

    pub(crate) fn with_team(mut self, team: Option<Team>) -> Self {
        self.team = team;
        self
    }

    pub(crate) fn with_values(mut self, kept: Vec<Values>) -> Self {
        self.kept = kept;
        self
    }

    /// What the network computes.
    pub fn graph(&self) -> &Graph {
        self.network.trace.graph()
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.kept.iter().map(bytes_of).sum()
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// The losses under `plan` with each ε of `grid`.
    pub(crate) fn losses(
        &self,
        plan: &Plan,
        grid: &[f64],
        objective: &dyn Objective,
    ) -> Result<Losses, NnError> {
        let grown = match grid {
            [] => None,
            _ => Some(VirtualGrowth::of(&self.network, plan, grid)?),
        };
        let network = grown.as_ref().map_or(&self.network, VirtualGrowth::network);
        // What was kept is of the network as it is.
        let is_own = Arc::ptr_eq(&network.trace, &self.network.trace);
        let kept = if is_own { &self.kept[..] } else { &[] };
        // Batches side by side: what each costs besides products would else run on one thread.
        let part = Part::of(&self.samples, self.batch_size, self.team.as_ref());
        let of_batch = |(index, batch): (usize, &Samples<M::Input>)| {
            let loss = |output: Value| -> Result<f64, NnError> {
                let output = M::Output::from_value(output).into_rows();
                // Batches run side by side, so that none can rely on what another found.
                check_targets(&output, objective, batch.targets())?;
                check_positions(&output, batch.targets())?;
                let mean = objective.loss(output, batch.targets());
                Ok(scalar::<f64>(mean.try_into_scalar())? * batch.len() as f64)
            };
            let inputs = batch.inputs().clone().into_values();
            let rows = batch.len();
            let mut found = Values::new();
            let keeps = |id| grown.as_ref().is_some_and(|g| g.needs().contains(&id));
            let values = match kept.get(index) {
                Some(values) => values,
                None => {
                    let run = network.run(&inputs, rows, &keeps, &mut NoProbe)?;
                    found = run.1;
                    found.insert(network.trace.output, run.0);
                    &found
                }
            };
            let mut losses = Vec::with_capacity(1 + grid.len());
            let before = values.get(&network.trace.output).cloned();
            let before = before.ok_or_else(|| NnError::Trace("it answers nothing".into()))?;
            losses.push(loss(before)?);
            if let Some(grown) = &grown {
                for output in grown.outputs(values, rows)? {
                    losses.push(loss(output)?);
                }
            }
            drop(found);
            Ok(losses)
        };
        let sums = part
            .batches
            .par_iter()
            .enumerate()
            .map(of_batch)
            .collect::<Result<Vec<Vec<f64>>, NnError>>()?;
        let mut total = Total::over(part.pieces, part.team.as_ref());
        sums.into_iter().for_each(|sums| total.add(sums));
        let sums = total.finish()?;
        let count = self.samples.len() as f64;
        let mean = |k: usize| sums.get(k).copied().unwrap_or(0.0) / count;
        Ok(Losses {
            baseline: mean(0),
            grown: (1..=grid.len()).map(mean).collect(),
        })
    }
}

/// Bytes of the tensors of a pass.
pub(crate) fn bytes_of(values: &Values) -> usize {
    let bytes = |value: &Value| value.shape().num_elements() * value.dtype().size();
    values.values().map(bytes).sum()
}
