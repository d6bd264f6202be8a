//! One forward and backward pass with probes where sites are captured.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use burgeon_core::backend::rows_of_maps;
use burgeon_core::{CurvatureBlock, SiteInput, SplitBackend};
use burn::backend::capture::TensorId;
use burn::backend::ir::{ModuleOperationIr, OperationIr};
use burn::backend::{AutodiffBackend, Dispatch, TensorMetadata};
use burn::tensor::{Gradients, Tensor};

use super::form::{Form, Pointwise, Reads};
use super::jets::JetBatch;
use super::{SiteForm, still};
use crate::error::NnError;
use crate::replay::{Jet, Network, Probes, Value, Values, jet};

/// What a pass found of one batch.
pub(crate) struct Captured {
    /// The batch's share of the mean loss.
    pub loss: f64,
    /// Of each site.
    pub sites: Vec<CapturedSite>,
    /// Tensors of the pass, if they are kept.
    pub values: Values,
}

/// What a pass found of one site.
pub(crate) enum CapturedSite {
    Block(Box<CurvatureBlock>),
    Jets(JetBatch),
}

impl CapturedSite {
    /// Numbers that it holds, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Block(block) => block.bytes(),
            Self::Jets(jets) => jets.bytes(),
        }
    }
}

/// Runs `network` on `inputs` of `batch` rows with a probe at each of `sites`, and captures
/// them. `loss` is the batch's share of the mean loss of an output on the graph. Tensors for which
/// `keep` says so are kept.
pub(crate) fn capture(
    network: &Network,
    sites: &[SiteForm],
    inputs: &[Value],
    batch: usize,
    loss: &dyn Fn(Value) -> Result<Tensor<1>, NnError>,
    backend: &dyn SplitBackend,
    keep: &dyn Fn(TensorId) -> bool,
) -> Result<Captured, NnError> {
    let mut probes = GradientProbes::default();
    let mut needed: HashSet<TensorId> = HashSet::new();
    for site in sites {
        match &site.form {
            Form::Pointwise(form) => {
                probes.made.insert(form.a);
                needed.extend([form.input, form.z]);
                // What σ reads besides (slopes of a PReLU in another shape).
                let operations = form.sigma.iter().map(|i| &network.trace.operations[*i]);
                needed.extend(operations.flat_map(|o| o.inputs().map(|tensor| tensor.id)));
            }
            Form::Jets => {
                for edge in &site.edges {
                    probes.reads.insert(*edge);
                }
                needed.extend(&site.needs);
            }
        }
    }
    let keeps = |id| needed.contains(&id) || keep(id);
    let (output, mut values) = network.run(inputs, batch, &keeps, &mut probes)?;
    let share = loss(output)?;
    let loss = crate::growable::scalar::<f64>(share.clone().inner().try_into_scalar())?;
    if sites.is_empty() {
        // Nothing asks for a gradient.
        return Ok(Captured {
            loss,
            sites: Vec::new(),
            values,
        });
    }
    let gradients = share.backward();
    let mut captured = Vec::with_capacity(sites.len());
    for site in sites {
        captured.push(match &site.form {
            Form::Pointwise(form) => {
                let gradient = probes.at(form.a, &gradients);
                let gradient = gradient.ok_or_else(|| unreached(&site.name))?;
                CapturedSite::Block(Box::new(block(
                    network, form, &values, gradient, batch, backend,
                )?))
            }
            Form::Jets => {
                let read: Vec<TensorId> = distinct(site.edges.iter().map(|edge| edge.1));
                let found = read
                    .into_iter()
                    .filter_map(|id| Some((id, probes.at_reads(id, &gradients)?)));
                let gradients: HashMap<TensorId, Value> = found.collect();
                if gradients.is_empty() {
                    return Err(unreached(&site.name));
                }
                let known = site.needs.iter();
                let known = known.filter_map(|id| Some((*id, values.get(id)?.clone())));
                CapturedSite::Jets(JetBatch {
                    values: known.collect(),
                    gradients,
                    batch,
                })
            }
        });
    }
    values.retain(|id, _| keep(*id));
    Ok(Captured {
        loss,
        sites: captured,
        values,
    })
}

pub(super) fn unreached(site: &str) -> NnError {
    NnError::Model(format!(
        "no gradient reaches `{site}`: the loss does not depend on it"
    ))
}

fn distinct(ids: impl Iterator<Item = TensorId>) -> Vec<TensorId> {
    let mut seen = HashSet::new();
    ids.filter(|id| seen.insert(*id)).collect()
}

/// `W = g ∘ σ″(z) ∘ c²` with the input it belongs to.
fn block(
    network: &Network,
    form: &Pointwise,
    values: &Values,
    gradient: Value,
    batch: usize,
    backend: &dyn SplitBackend,
) -> Result<CurvatureBlock, NnError> {
    let of = |id: TensorId| {
        let value = values.get(&id).cloned();
        value.ok_or_else(|| NnError::Trace("a pass lost a tensor".into()))
    };
    let (x, z) = (of(form.input)?, of(form.z)?);
    let scale = scale(network, &form.norms);
    let second = match form.activation {
        Some(_) => None,
        None => Some(second_derivative(network, form, values, &z, batch)?),
    };
    let (input, weights) = match form.reads {
        Reads::Rows => {
            let x = rows(x);
            let (z, gradient) = (rows(z), rows(gradient));
            let weights = match (form.activation, second) {
                (Some(activation), _) => backend.curvature_weights(activation, z, gradient, scale),
                (None, second) => scaled(product(gradient, second.map(rows)), scale),
            };
            (SiteInput::Rows(x), weights)
        }
        Reads::Maps(window) | Reads::Signals(window) => {
            let (x, z, gradient) = (maps(x), maps(z), maps(gradient));
            let weights = match (form.activation, second) {
                (Some(activation), _) => {
                    backend.curvature_weights_of_maps(activation, z, gradient, scale)
                }
                (None, second) => scaled(rows_of_maps(product(gradient, second.map(maps))), scale),
            };
            (SiteInput::Maps(x, window), weights)
        }
    };
    Ok(CurvatureBlock {
        input,
        bias: form.bias,
        weights,
    })
}

fn product<const D: usize>(gradient: Tensor<D>, second: Option<Tensor<D>>) -> Tensor<D> {
    match second {
        Some(second) => gradient * second,
        None => gradient.zeros_like(),
    }
}

fn scaled(weights: Tensor<2>, scale: Option<Tensor<1>>) -> Tensor<2> {
    match scale {
        Some(scale) => weights * scale.square().unsqueeze_dim::<2>(0),
        None => weights,
    }
}

/// σ″ at `z`, by a jet along a direction of 1 everywhere.
fn second_derivative(
    network: &Network,
    form: &Pointwise,
    values: &Values,
    z: &Value,
    batch: usize,
) -> Result<Value, NnError> {
    let ones = Tensor::<1>::from_dispatch(z.clone()).ones_like();
    let along = Jet::new(z.clone(), Some(ones.into_dispatch()), None);
    let mut jets: HashMap<TensorId, Jet> = HashMap::from([(form.z, along)]);
    for &index in &form.sigma {
        let operation = &network.trace.operations[index];
        let missing = Cell::new(false);
        let found = network.in_frame(batch, |frame| {
            jet(operation, frame, None, &|tensor| {
                let known = jets.get(&tensor.id).cloned();
                let still = || still(network, values, tensor, frame).map(Jet::still);
                known.or_else(still).unwrap_or_else(|| {
                    missing.set(true);
                    Jet::still(z.clone())
                })
            })
        });
        if missing.get() {
            return Err(network.refused(index, "an operand is not known"));
        }
        let found = found.map_err(|error| network.refused(index, &error.to_string()))?;
        if let Some(made) = crate::replay::output_of(operation) {
            jets.insert(made, found);
        }
    }
    let Some(found) = jets.remove(&form.a) else {
        return Err(NnError::Trace("a pass lost a tensor".into()));
    };
    Ok(found.second.unwrap_or_else(|| {
        Tensor::<1>::from_dispatch(z.clone())
            .zeros_like()
            .into_dispatch()
    }))
}

/// What the normalisations in inference mode multiply each neuron's `θᵀx` with, `[M]`.
pub(super) fn scale(network: &Network, norms: &[usize]) -> Option<Tensor<1>> {
    let scales = norms.iter().filter_map(|&index| {
        let OperationIr::Module(ModuleOperationIr::BatchNorm(o)) = &network.trace.operations[index]
        else {
            return None;
        };
        let of = |id: TensorId| {
            let id = network.trace.parameters.get(&id)?;
            let value = network.parameters.get(id)?.clone();
            Some(Tensor::<1>::from_dispatch(value))
        };
        let epsilon: f64 = o.epsilon.elem();
        Some(of(o.gamma.id)? / of(o.variance.id)?.add_scalar(epsilon).sqrt())
    });
    scales.reduce(|a, b| a * b)
}

/// Rows `[n, k]` of a tensor whose last axis is `k`.
pub(super) fn rows(value: Value) -> Tensor<2> {
    let shape = value.shape();
    let last = shape.iter().last().copied().unwrap_or(1);
    let count = shape.num_elements() / last.max(1);
    Tensor::<1>::from_dispatch(value).reshape([count, last])
}

/// Maps `[b, c, h, w]`; signals `[b, c, l]` have one row.
pub(super) fn maps(value: Value) -> Tensor<4> {
    let shape: Vec<usize> = value.shape().iter().copied().collect();
    match shape[..] {
        [b, c, l] => Tensor::<1>::from_dispatch(value).reshape([b, c, 1, l]),
        _ => Tensor::from_dispatch(value),
    }
}

/// Probes whose gradients are those at tensors of the pass.
#[derive(Default)]
pub(super) struct GradientProbes {
    reads: HashSet<(usize, TensorId)>,
    pub made: HashSet<TensorId>,
    at_reads: Vec<(TensorId, Tensor<1>)>,
    at_made: HashMap<TensorId, Tensor<1>>,
}

impl GradientProbes {
    pub fn at(&self, id: TensorId, gradients: &Gradients) -> Option<Value> {
        let gradient = self.at_made.get(&id)?.grad(gradients)?;
        Some(gradient.into_dispatch())
    }

    /// The sum of the gradients where the tensor is read.
    fn at_reads(&self, id: TensorId, gradients: &Gradients) -> Option<Value> {
        let found = self.at_reads.iter().filter(|(at, _)| *at == id);
        let found = found.filter_map(|(_, probe)| probe.grad(gradients));
        found.reduce(|a, b| a + b).map(Tensor::into_dispatch)
    }
}

fn probed(value: Value) -> (Value, Tensor<1>) {
    let (seen, probe) = burgeon_ops::probed(Tensor::<1>::from_dispatch(value));
    (seen.into_dispatch(), probe)
}

impl Probes for GradientProbes {
    fn lifted(&mut self, value: Value) -> Value {
        match value.dtype().is_float() {
            true => Dispatch::from_inner(value),
            false => value,
        }
    }

    fn read(&mut self, operation: usize, id: TensorId, value: Value) -> Value {
        if !self.reads.contains(&(operation, id)) {
            return value;
        }
        let (seen, probe) = probed(value);
        self.at_reads.push((id, probe));
        seen
    }

    fn made(&mut self, id: TensorId, value: Value) -> Value {
        if !self.made.contains(&id) {
            return value;
        }
        let (seen, probe) = probed(value);
        self.at_made.insert(id, probe);
        seen
    }

    fn plain(&self, value: Value) -> Value {
        let floats = value.dtype().is_float();
        match floats && Tensor::<1>::from_dispatch(value.clone()).is_autodiff() {
            true => Dispatch::inner(value),
            false => value,
        }
    }
}
