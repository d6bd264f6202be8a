//! What a trace must stand before it is trusted.

use std::collections::HashMap;
use std::sync::Arc;

use burgeon_graph::{ChannelMap, Parameter, Role, Source};
use burn::backend::{DispatchTensor, TensorMetadata};
use burn::module::Module;
use burn::tensor::Tensor;

use super::record::record;
use super::{Trace, hold};
use crate::any::{AnyInput, AnyModel};
use crate::copies::{inference, separate};
use crate::edits::select_channels;
use crate::error::NnError;
use crate::growable::Growable;
use crate::ports::{Input, Output};
use crate::replay::Network;
use crate::samples::Samples;

/// Samples on which a replay is compared with the model.
const COMPARED: usize = 3;

/// Traces `model` for samples like `samples`, and checks the trace: that its replay answers as
/// the model does, to the last bit, which sites the model's own forward pass lets grow, and which
/// stacks of blocks may become longer.
///
/// # Errors
/// As [`Trace::of`]; [`NnError::Operation`] for an operation that a replay does not know, or whose
/// replay differs.
pub fn trace<M: Growable>(model: &M, samples: &Samples<M::Input>) -> Result<Trace, NnError> {
    let (model, example) = (AnyModel::new(model.clone())?, example(samples));
    let trace = unchecked(&model, &example)?;
    trace.compare(&model, &example)?;
    Ok(trace)
}

/// [`trace`] without the comparison: of a model that was compared, and has grown since.
///
/// # Errors
/// As [`Trace::of`].
pub fn retrace<M: Growable>(model: &M, samples: &Samples<M::Input>) -> Result<Trace, NnError> {
    unchecked(&AnyModel::new(model.clone())?, &example(samples))
}

fn unchecked(model: &AnyModel, example: &AnyInput) -> Result<Trace, NnError> {
    let mut trace = Trace::of(model, example, |model: &AnyModel, input| {
        model.clone().rebuilt().predict(input)
    })?;
    trace.deepen(model, example)?;
    Ok(trace)
}

fn example<I: Input>(samples: &Samples<I>) -> AnyInput {
    let first: Vec<usize> = (0..samples.len().min(COMPARED)).collect();
    AnyInput::new(samples.inputs().select_rows(&first))
}

/// [`trace`], to be shared.
pub(crate) fn traced<M: Growable>(
    model: &M,
    samples: &Samples<M::Input>,
) -> Result<Arc<Trace>, NnError> {
    trace(model, samples).map(Arc::new)
}

impl Trace {
    /// Checks that the replay of `example` is what the model answers.
    fn compare(&self, model: &AnyModel, example: &AnyInput) -> Result<(), NnError> {
        let network = Network::of(Arc::new(self.clone()), model)?;
        let batch = example.len();
        let replayed = network.forward(&example.clone().into_values(), batch)?;
        let own = inference(model).predict(example.clone()).into_value();
        if bits(&own) == bits(&replayed) {
            return Ok(());
        }
        // Where the two part is behind the first operation whose result is not what it was.
        let last = self.graph().nodes().len().saturating_sub(1);
        Err(network.refused(
            last,
            "the replay of the model up to here does not answer as the model does: \
             `predict` makes data of its own for each batch, or depends on values",
        ))
    }

    /// Freezes the sites that the model's forward pass cannot follow, because widths stand in
    /// fields of its own or of its layers.
    pub(super) fn hold_fixed<M: Module, I: Input, O: Output>(
        &mut self,
        model: &M,
        example: &I,
        forward: &dyn Fn(&M, I) -> O,
    ) {
        let groups: Vec<_> = self.graph().growable().map(|site| site.group()).collect();
        let widened = |groups: &[burgeon_graph::GroupId]| {
            let sites = self.graph().growable();
            let sites = sites.filter(|site| groups.contains(&site.group()));
            let maps: HashMap<_, _> = sites
                .map(|site| {
                    let mut map = ChannelMap::identity(site.width());
                    map.sources.push(Source::kept(0));
                    (site.group(), map)
                })
                .collect();
            let edits = select_channels(self.graph(), &maps);
            record(separate(model), example.clone(), forward, Some(&edits)).map(|_| ())
        };
        if groups.is_empty() || widened(&groups).is_ok() {
            return;
        }
        let mut fixed = Vec::new();
        for group in groups {
            if let Err(error) = widened(&[group]) {
                fixed.push((group, error));
            }
        }
        for (group, error) in fixed {
            let along = self.graph().parameters().iter();
            let along = along.filter(|p| p.axes.iter().any(|axis| axis.groups().contains(&group)));
            // A convolution that is not depthwise has no width in its groups.
            let kernels = |p: &&Parameter| {
                let is_convolution = p.container.contains("Conv");
                !is_convolution || p.roles.contains(&Some(Role::Kernel))
            };
            let containers = along.filter(kernels).flat_map(|p| p.container.split('.'));
            let reason = hold::field(containers).unwrap_or_else(|| {
                format!(
                    "the model's forward pass cannot follow, a width stands in a field of its \
                     own: read it off a weight, or set it in `Growable::rebuilt` ({error})"
                )
            });
            self.graph.freeze(group, reason);
        }
    }
}

/// The bits of all numbers.
fn bits(value: &DispatchTensor) -> Vec<u64> {
    let plain = match value.dtype().is_float() {
        true => value.clone(),
        false => return Vec::new(),
    };
    let data = Tensor::<1>::from_dispatch(plain).into_data();
    data.iter::<f64>().map(f64::to_bits).collect()
}
