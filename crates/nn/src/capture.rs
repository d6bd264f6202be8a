//! One instrumented forward-backward pass over data.

use std::collections::HashMap;

use burgeon_core::{Capture, Curvature, CurvatureBlock, Site, SplitBackend};

use crate::error::NnError;
use crate::growable::{Growable, check_targets, evaluate, predict_batch, scalar};
use crate::objective::Objective;
use crate::passes::Answer;
use crate::recording::{self, Outputs, Passage};
use crate::samples::{Samples, Targets};
use crate::topology::Topology;

/// Captures every site of `model` on `samples`: inputs, pre-activations and the
/// gradient at the post-activation, joined to curvature weights.
///
/// The model runs in inference mode (running statistics are used and not
/// updated), and only the probes require gradients. The weights are computed by `backend`;
/// without one nothing is run but the loss.
///
/// # Errors
/// [`NnError::Topology`] if a site's layer was not used by `predict`,
/// [`NnError::Core`] for a NaN, [`NnError::Data`] if outputs do not fit targets.
pub fn capture<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    backend: Option<&dyn SplitBackend>,
) -> Result<Capture, NnError> {
    let Some(backend) = backend else {
        return Ok(Capture {
            sites: sites(&model.topology()?, |_| None)?,
            samples: samples.len(),
            loss: evaluate(model, objective, samples, batch_size)?.loss,
            bytes: 0,
        });
    };
    let pass = Pass::new(model, objective, samples, batch_size, backend)?;
    let mut blocks: HashMap<String, Vec<CurvatureBlock>> = HashMap::new();
    let (mut loss, mut bytes) = (0.0, 0);
    for batch in 0..pass.batches() {
        let captured = pass.run(batch, false)?;
        loss += captured.loss;
        for (site, block) in captured.blocks {
            bytes += block.bytes();
            blocks.entry(site).or_default().push(block);
        }
    }
    let sites = sites(pass.topology(), |name| {
        let blocks = blocks.remove(name);
        Some(match blocks {
            Some(blocks) => Curvature::new(name, blocks).map_err(NnError::from),
            None => Err(pass.unused(name)),
        })
    })?;
    Ok(Capture {
        sites,
        samples: samples.len(),
        loss,
        bytes,
    })
}

/// The sites of `topology` with the curvature that `curvature` has for them.
pub(crate) fn sites(
    topology: &Topology,
    mut curvature: impl FnMut(&str) -> Option<Result<Curvature, NnError>>,
) -> Result<Vec<Site>, NnError> {
    let widths = topology.widths();
    let sites = topology.sites().zip(widths);
    sites
        .map(|((name, spec), (_, neurons))| {
            Ok(Site {
                name: name.to_owned(),
                channels: topology.channels_of(name).unwrap_or(name).to_owned(),
                neurons,
                dim: spec.dim,
                added_costs: std::array::from_fn(|index| {
                    let cost = topology.cost_per_neuron(name).unwrap_or(0);
                    cost * (index as u64 + 1)
                }),
                curvature: curvature(name).transpose()?,
                spectra: None,
            })
        })
        .collect()
}

/// An instrumented forward-backward pass over samples, batch by batch.
pub(crate) struct Pass<'a, M: Growable> {
    frozen: M,
    topology: Topology,
    objective: &'a dyn Objective,
    batches: Vec<Samples<M::Input>>,
    /// Of all batches.
    targets: Targets,
    batch_size: usize,
    samples: usize,
    backend: &'a dyn SplitBackend,
}

impl<'a, M: Growable> Pass<'a, M> {
    pub fn new(
        model: &M,
        objective: &'a dyn Objective,
        samples: &Samples<M::Input>,
        batch_size: usize,
        backend: &'a dyn SplitBackend,
    ) -> Result<Self, NnError> {
        Ok(Self {
            topology: model.topology()?,
            frozen: crate::surgery::detached(model).freeze(),
            objective,
            batches: samples.batches(batch_size).collect(),
            targets: samples.targets().clone(),
            batch_size,
            samples: samples.len(),
            backend,
        })
    }

    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    pub fn backend(&self) -> &'a dyn SplitBackend {
        self.backend
    }

    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The share of all samples that a batch has.
    pub fn share(&self, batch: usize) -> f64 {
        self.batches[batch].len() as f64 / self.samples as f64
    }

    /// Runs a batch; the layers' answers are kept where `keeps` says so.
    pub fn run(&self, batch: usize, keeps: bool) -> Result<CapturedBatch, NnError> {
        let share = self.share(batch);
        let samples = self.batches[batch].to_autodiff();
        let (output, passages) = recording::record(|| predict_batch(&self.frozen, &samples));
        let output = output?;
        if batch == 0 {
            check_targets(&output, self.objective, &self.targets)?;
        }
        // The shares turn the means over batches into one mean over all samples.
        let mean = self.objective.loss(output, samples.targets());
        let mean = mean.mul_scalar(share);
        let gradients = mean.backward();
        let loss = scalar::<f64>(mean.inner().try_into_scalar())?;
        let mut answers = Vec::new();
        if keeps {
            answers.extend(passages.iter().map(Answer::of));
        }
        let named = passages.into_iter().filter_map(|passage| {
            let site = self.topology.site_name(passage.weight)?.to_owned();
            Some((site, block(passage, &gradients, self.backend)?))
        });
        Ok(CapturedBatch {
            loss,
            blocks: named.collect(),
            answers,
        })
    }

    /// The error for a site of which a pass found nothing.
    pub fn unused(&self, site: &str) -> NnError {
        NnError::Topology(format!(
            "`predict` does not use the layer `{site}`, or no gradient reaches it"
        ))
    }
}

/// What a pass found.
pub(crate) struct CapturedBatch {
    /// The share of the mean loss.
    pub loss: f64,
    /// The curvature of each site, with its name.
    pub blocks: Vec<(String, CurvatureBlock)>,
    /// What the layers answered, in the order of their use, if it is kept.
    pub answers: Vec<Answer>,
}

/// `W = g ∘ σ″(z) ∘ c²` with the input it belongs to.
fn block(
    passage: Passage,
    gradients: &burn::tensor::Gradients,
    backend: &dyn SplitBackend,
) -> Option<CurvatureBlock> {
    let Passage {
        activation, scale, ..
    } = passage;
    let weights = match (passage.pre_activation, (passage.gradient)(gradients)?) {
        (Outputs::Rows(z), Outputs::Rows(gradient)) => {
            backend.curvature_weights(activation, z, gradient, scale)
        }
        (Outputs::Maps(z), Outputs::Maps(gradient)) => {
            backend.curvature_weights_of_maps(activation, z, gradient, scale)
        }
        _ => return None,
    };
    Some(CurvatureBlock {
        input: passage.input,
        bias: passage.bias,
        weights,
    })
}
