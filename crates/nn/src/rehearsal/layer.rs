//! How a growable layer answers in a rehearsal.

use std::sync::Arc;

use burgeon_core::Activation;
use burgeon_ops::{activate, activate_copies, activate_first, differing_channels, share_memory};
use burn::module::ParamId;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Rehearsal;
use super::split::SplitSite;
use crate::layers::FanInLayout;
use crate::mode;
use crate::recording::Outputs;

/// A layer `σ(norm(W x + b))` whose channels are at axis 1, of its input and of its output.
pub(crate) trait Rehearsed<const D: usize> {
    /// The axis of the weight that counts inputs.
    const INPUT_AXIS: usize;

    /// The id of the weight, which names the layer.
    fn id(&self) -> ParamId;

    /// The activation.
    fn activation(&self) -> Activation;

    /// The layer up to its activation, its normalisation in inference mode, as one affine map.
    fn folded(&self) -> Folded<D>;

    /// The linear map of `weight`, plus `offset` `[M]`.
    fn apply(&self, weight: Tensor<D>, offset: Option<Tensor<1>>, input: Tensor<D>) -> Tensor<D>;

    /// `z` plus the linear map of `weight`.
    fn add(&self, z: Tensor<D>, weight: Tensor<D>, input: Tensor<D>) -> Tensor<D> {
        z + self.apply(weight, None, input)
    }

    /// What such a layer answers; `None` of another kind.
    fn read(outputs: Outputs) -> Option<Tensor<D>>;
}

/// An affine map `W x + b` that already holds what a normalisation does.
pub(crate) struct Folded<const D: usize> {
    /// W.
    pub weight: Tensor<D>,
    /// b, `[M]`.
    pub offset: Tensor<1>,
    /// What each neuron's own parameters were multiplied with, `[M]`, where they were.
    pub scale: Option<Tensor<1>>,
}

/// What a layer keeps of the first pass.
struct Call<const D: usize> {
    id: ParamId,
    input: Tensor<D>,
    /// Of the neurons, then of the directions.
    map: Folded<D>,
    /// What the map gives for the input of the first pass.
    z: PreActivations<D>,
    /// What it gives for the latest input that differs in some channels, if one did.
    latest: Option<Latest<D>>,
    /// Post-activations.
    output: Tensor<D>,
    split: Option<Arc<SplitSite>>,
    /// The latest answer in which only split neurons differ from `output`.
    answer: Option<Tensor<D>>,
}

impl<const D: usize> Call<D> {
    /// The channels in which `tensor` may differ from the first pass, if it is this call's
    /// answer and its consumer therefore reads no other tensor.
    fn moved(&self, tensor: &Tensor<D>) -> Option<Vec<usize>> {
        let (answer, site) = self.answer.as_ref().zip(self.split.as_ref())?;
        share_memory(tensor, answer).then(|| site.split.clone())
    }
}

/// An input that differs from the first pass's in some channels, and what the map gives.
struct Latest<const D: usize> {
    moved: Vec<usize>,
    /// Those channels of the input.
    input: Tensor<D>,
    z: Tensor<D>,
}

/// Pre-activations of a layer's neurons and what its directions give.
struct PreActivations<const D: usize> {
    /// Of the neurons, then of the directions.
    z: Tensor<D>,
    /// Of the directions, where `z` does not have them.
    motion: Option<Tensor<D>>,
}

impl<const D: usize> PreActivations<D> {
    fn joined(z: Tensor<D>) -> Self {
        Self { z, motion: None }
    }

    /// One after the other.
    fn joined_parts(&self) -> Tensor<D> {
        match &self.motion {
            Some(motion) => Tensor::cat(vec![self.z.clone(), motion.clone()], 1),
            None => self.z.clone(),
        }
    }

    /// As [`activate_copies`] reads them.
    fn parts(&self) -> [Tensor<D>; 2] {
        let motion = self.motion.as_ref().unwrap_or(&self.z);
        [self.z.clone(), motion.clone()]
    }
}

/// The layer's answer to `input` where the thread rehearses.
pub(crate) fn forward<const D: usize>(
    layer: &impl Rehearsed<D>,
    input: &Tensor<D>,
) -> Option<Tensor<D>> {
    mode::with_rehearsal(|rehearsal| match rehearsal.epsilon {
        None => first_pass(layer, input, rehearsal),
        Some(epsilon) => later_pass(layer, input, rehearsal, epsilon),
    })
}

fn first_pass<const D: usize, L: Rehearsed<D>>(
    layer: &L,
    input: &Tensor<D>,
    rehearsal: &mut Rehearsal,
) -> Tensor<D> {
    let id = layer.id();
    rehearsal.met.insert(id);
    let site = rehearsal.sites.get(id);
    let mut map = layer.folded();
    let neurons = map.offset.dims()[0];
    if let Some(site) = &site {
        map = with_directions(map, site);
    }
    let known = rehearsal.known(id);
    let z = match known.and_then(|known| L::read(known.pre_activation)) {
        Some(z) => beside(layer, z, &map, input),
        None => {
            let z = layer.apply(map.weight.clone(), Some(map.offset.clone()), input.clone());
            PreActivations::joined(z)
        }
    };
    let output = activate_first(layer.activation(), z.z.clone(), neurons);
    rehearsal.calls.push(Box::new(Call {
        id,
        input: input.clone(),
        map,
        z,
        latest: None,
        output: output.clone(),
        split: site,
        answer: None,
    }));
    output
}

/// Pre-activations `z` that are known, and what the directions of `map` give.
fn beside<const D: usize, L: Rehearsed<D>>(
    layer: &L,
    z: Tensor<D>,
    map: &Folded<D>,
    input: &Tensor<D>,
) -> PreActivations<D> {
    let (neurons, all) = (z.dims()[1], map.offset.dims()[0]);
    if neurons == all {
        return PreActivations::joined(z);
    }
    let weight = map.weight.clone();
    let weight = weight.narrow(1 - L::INPUT_AXIS, neurons, all - neurons);
    let offset = map.offset.clone().narrow(0, neurons, all - neurons);
    let motion = layer.apply(weight, Some(offset), input.clone());
    let motion = Some(motion);
    PreActivations { z, motion }
}

fn later_pass<const D: usize>(
    layer: &impl Rehearsed<D>,
    input: &Tensor<D>,
    rehearsal: &mut Rehearsal,
    epsilon: f64,
) -> Tensor<D> {
    let index = rehearsal.next;
    rehearsal.next += 1;
    let place = index.min(rehearsal.calls.len());
    let (before, rest) = rehearsal.calls.split_at_mut(place);
    let call = rest
        .first_mut()
        .and_then(|call| call.downcast_mut::<Call<D>>());
    let Some(call) = call.filter(|call| call.id == layer.id()) else {
        rehearsal.strayed = true;
        let map = layer.folded();
        let z = layer.apply(map.weight, Some(map.offset), input.clone());
        return activate(layer.activation(), z);
    };
    let moved = rehearsal.changed.and_then(|index| {
        let source = before[index].downcast_ref::<Call<D>>();
        changed(layer, input, call, source)
    });
    let Some(site) = &call.split else {
        return match moved {
            Some(z) => activate_first(layer.activation(), z, call.output.dims()[1]),
            None => call.output.clone(),
        };
    };
    rehearsal.changed = Some(index);
    if let Some(z) = moved {
        call.answer = None;
        let output = activate_first(layer.activation(), z.clone(), call.output.dims()[1]);
        return activate_copies(
            layer.activation(),
            [z.clone(), z],
            output,
            &site.copies,
            epsilon,
        );
    }
    let output = call.answer.take().unwrap_or_else(|| call.output.clone());
    let answer = activate_copies(
        layer.activation(),
        call.z.parts(),
        output,
        &site.copies,
        epsilon,
    );
    call.answer = Some(answer.clone());
    answer
}

/// `map` with further outputs `δᵀx`, scaled as their neurons are.
fn with_directions<const D: usize>(map: Folded<D>, site: &SplitSite) -> Folded<D> {
    let Folded {
        weight,
        offset,
        scale,
    } = map;
    let device = weight.device();
    let dtype = weight.dtype();
    let count = site.directions.len();
    let owners = site.copies.neurons.iter().copied().cycle().take(count);
    let of_owners = scale
        .clone()
        .map(|scale| scale.select(0, indices(owners, &device)));
    let fan_in = site.spec.dim - usize::from(site.spec.bias.is_some());
    let part = |take: &dyn Fn(&[f64]) -> &[f64]| -> Vec<f64> {
        let directions = site.directions.iter();
        directions.flat_map(|d| take(d).to_vec()).collect()
    };
    let floats = |values: Vec<f64>, shape: [usize; 2]| {
        Tensor::<2>::from_data(
            TensorData::new(values, shape).convert_dtype(dtype),
            (&device, dtype),
        )
    };
    let mut rows = floats(part(&|d| &d[..fan_in]), [count, fan_in]);
    let mut constants = match site.spec.bias {
        Some(_) => floats(part(&|d| &d[fan_in..]), [count, 1]),
        None => Tensor::zeros([count, 1], (&device, dtype)),
    }
    .squeeze_dim::<1>(1);
    if let Some(scale) = of_owners {
        rows = rows * scale.clone().reshape([count, 1]);
        constants = constants * scale;
    }
    let mut shape = weight.dims();
    let (axis, rows) = match site.spec.layout {
        FanInLayout::Column => (1, rows.transpose()),
        FanInLayout::Row => (0, rows),
    };
    shape[axis] = count;
    Folded {
        weight: Tensor::cat(vec![weight, rows.reshape(shape)], axis),
        offset: Tensor::cat(vec![offset, constants], 0),
        scale,
    }
}

/// Pre-activations for an input that is not that of the first pass; `None` where it is. `source`
/// is the call of the last split layer before, if it is of this kind.
fn changed<const D: usize, L: Rehearsed<D>>(
    layer: &L,
    input: &Tensor<D>,
    call: &mut Call<D>,
    source: Option<&Call<D>>,
) -> Option<Tensor<D>> {
    let moved = match source.and_then(|source| source.moved(input)) {
        Some(moved) => moved,
        None => differing_channels(input.clone(), call.input.clone()),
    };
    if moved.is_empty() {
        return None;
    }
    let map = &call.map;
    if 2 * moved.len() > input.dims()[1] {
        let offset = Some(map.offset.clone());
        return Some(layer.apply(map.weight.clone(), offset, input.clone()));
    }
    let indices = indices(moved.iter().copied(), &input.device());
    let of_moved = |input: &Tensor<D>| input.clone().select(1, indices.clone());
    let after = of_moved(input);
    // From the latest input the pre-activations can be written over.
    let latest = call.latest.take().filter(|latest| latest.moved == moved);
    let (before, z) = match latest {
        Some(latest) => (latest.input, latest.z),
        None => (of_moved(&call.input), call.z.joined_parts()),
    };
    let weight = map.weight.clone().select(L::INPUT_AXIS, indices.clone());
    let z = layer.add(z, weight, after.clone() - before);
    call.latest = Some(Latest {
        moved,
        input: after,
        z: z.clone(),
    });
    Some(z)
}

fn indices(values: impl IntoIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
