//! One instrumented forward-backward pass over data.

use std::collections::HashMap;

use burgeon_core::{Capture, Curvature, CurvatureBlock, Site};
use burn::tensor::Tensor;

use crate::error::NnError;
use crate::growable::{Growable, check_output, scalar};
use crate::objective::Objective;
use crate::recording::{self, Passage};
use crate::samples::Samples;

/// Captures every site of `model` on `samples`: inputs, pre-activations and the
/// gradient at the post-activation, joined to curvature weights.
///
/// The model runs in inference mode (running statistics are used and not
/// updated), and only the probes require gradients. Where `curvature` is false
/// nothing is run but the loss.
///
/// # Errors
/// [`NnError::Topology`] if a site's layer was not used by `predict`,
/// [`NnError::Core`] for a NaN, [`NnError::Data`] if outputs do not fit targets.
pub fn capture<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    curvature: bool,
) -> Result<Capture, NnError> {
    let topology = model.topology()?;
    let mut blocks: HashMap<String, Vec<CurvatureBlock>> = HashMap::new();
    let mut loss = 0.0;
    if curvature {
        let frozen = crate::surgery::detached(model).freeze();
        for (index, batch) in samples.batches(batch_size).enumerate() {
            let share = batch.len() as f64 / samples.len() as f64;
            let batch = batch.to_autodiff();
            let (output, passages) = recording::record(|| frozen.predict(batch.inputs().clone()));
            if index == 0 {
                check_output(&output, objective, &batch)?;
            }
            // The shares turn the means over batches into one mean over all samples.
            let mean = objective.loss(output, batch.targets()).mul_scalar(share);
            let gradients = mean.backward();
            loss += scalar::<f64>(mean.inner().try_into_scalar())?;
            for passage in passages {
                let Some(site) = topology.site_name(passage.weight) else {
                    continue;
                };
                let site = site.to_owned();
                if let Some(block) = block(passage, &gradients) {
                    blocks.entry(site).or_default().push(block);
                }
            }
        }
    } else {
        loss = crate::growable::evaluate(model, objective, samples, batch_size)?.loss;
    }
    let sites = topology
        .sites()
        .zip(topology.widths())
        .map(|((name, spec), (_, neurons))| {
            let curvature = match (curvature, blocks.remove(name)) {
                (false, _) => None,
                (true, Some(blocks)) => Some(Curvature::new(name, blocks)?),
                (true, None) => {
                    return Err(NnError::Topology(format!(
                        "`predict` does not use the layer `{name}`, or no gradient reaches it"
                    )));
                }
            };
            Ok(Site {
                name: name.to_owned(),
                neurons,
                dim: spec.dim,
                cost_per_neuron: topology.cost_per_neuron(name).unwrap_or(0),
                curvature,
            })
        })
        .collect::<Result<Vec<_>, NnError>>()?;
    Ok(Capture {
        sites,
        samples: samples.len(),
        loss,
    })
}

/// `W = g ∘ σ″(z) ∘ c²` with the input it belongs to.
fn block(passage: Passage, gradients: &burn::tensor::Gradients) -> Option<CurvatureBlock> {
    let gradient = (passage.gradient)(gradients)?;
    let mut weights: Tensor<2> =
        gradient * passage.activation.second_derivative(passage.pre_activation);
    if let Some(scale) = passage.scale {
        weights = weights * scale.square().unsqueeze_dim::<2>(0);
    }
    Some(CurvatureBlock {
        input: passage.input,
        bias: passage.bias,
        weights,
    })
}
