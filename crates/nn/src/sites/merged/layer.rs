//! A layer whose split neurons answer for their copies.

use burgeon_core::Activation;
use burgeon_core::growth::Split;
use burgeon_graph::Site;
use burgeon_ops::{NeuronCopies, activate_copies, activate_first};
use burn::backend::ir::TensorId;
use burn::tensor::{Tensor, TensorData};

use super::product::{Latest, Product, Renewed, indices};
use super::split::SplitNeurons;
use crate::error::NnError;
use crate::replay::{Network, Value, Values};
use crate::sites::form::{Pointwise, Reads};
use crate::sites::pass::scale;

/// A layer from what its producer reads to its post-activations, in inference mode:
/// `z = c (θᵀx) + …`, so that an offset `ε δ` of θ adds `ε c δᵀx`.
pub(super) struct SplitLayer {
    pub input: TensorId,
    pub z: TensorId,
    pub a: TensorId,
    /// The neurons that are split.
    pub split: Vec<usize>,
    product: Product,
    activation: Activation,
    copies: NeuronCopies,
    directions: Option<Directions>,
    /// Where the input changes: `c W` and the directions.
    renewed: Option<Renewed>,
}

/// The offsets of all copies, `c δ`.
struct Directions {
    /// As the producer's weight.
    weight: Value,
    /// Of the bias, `[directions]`, if θ has one.
    constants: Option<Value>,
}

/// What a layer keeps of one batch.
pub(super) struct LayerState {
    /// What the directions give for the input as it was.
    motion: Option<Value>,
    /// The latest answer in which only split neurons differ.
    answer: Option<Value>,
    /// Where the input changes: the pre-activations, then what the directions give.
    latest: Option<Latest>,
}

impl LayerState {
    /// Its post-activations, where it reads what it always did.
    pub fn answer(&self) -> Option<&Value> {
        self.answer.as_ref()
    }
}

impl SplitLayer {
    /// The layer of `site`, whose input differs in the channels `moved`, in all (`None` within),
    /// or not at all; `None` where splits do not fit.
    pub fn of(
        network: &Network,
        site: &Site,
        form: &Pointwise,
        splits: &[&Split],
        moved: Option<Option<&[usize]>>,
    ) -> Result<Option<Self>, NnError> {
        let (trace, graph) = (&*network.trace, network.trace.graph());
        let is_linear = matches!(form.reads, Reads::Rows);
        let neurons = SplitNeurons::of(splits, site.width(), site.dim(), is_linear);
        let (Some(neurons), Some(activation)) = (neurons, form.activation) else {
            return Ok(None);
        };
        let part = &site.fan_in()[0];
        let id = graph.parameters()[part.parameter].id;
        let operation = &trace.operations[form.chain[0]];
        let mut operands = operation.inputs().map(|tensor| tensor.id);
        let weight = operands.find(|tensor| trace.parameters.get(tensor) == Some(&id));
        let value = network.parameters.get(&id).cloned();
        let (Some(tensor), Some(value)) = (weight, value) else {
            return Ok(None);
        };
        let product = Product::of(trace, form.reads, tensor);
        let scale = scale(network, &form.norms);
        let weighted = match product {
            Product::Rows => Self::weighted::<2>,
            Product::Maps { .. } => Self::weighted::<4>,
        };
        let layer = Self {
            input: form.input,
            z: form.z,
            a: form.a,
            split: neurons.split,
            product,
            activation,
            copies: neurons.copies,
            directions: None,
            renewed: None,
        };
        weighted(layer, value, scale, (&neurons.directions, part.size), moved).map(Some)
    }

    /// With the producer's weight, and what its products are scaled by.
    fn weighted<const D: usize>(
        mut self,
        weight: Value,
        scale: Option<Tensor<1>>,
        (directions, fan_in): (&[Vec<f64>], usize),
        moved: Option<Option<&[usize]>>,
    ) -> Result<Self, NnError> {
        let weight = Tensor::<D>::from_dispatch(weight);
        let (device, dtype) = (weight.device(), weight.dtype());
        let axis = self.product.output_axis();
        let mut joined = Vec::with_capacity(2);
        if moved.is_some() {
            let mut along = [1; D];
            along[axis] = weight.dims()[axis];
            joined.push(match &scale {
                Some(scale) => weight.clone() * scale.clone().reshape(along),
                None => weight.clone(),
            });
        }
        if !directions.is_empty() {
            let count = directions.len();
            let owners = self.copies.neurons.iter().copied().cycle().take(count);
            let of_owners = scale.map(|scale| scale.select(0, indices(owners, &device)));
            let floats = |values: Vec<f64>, shape: [usize; 2]| {
                let data = TensorData::new(values, shape).convert_dtype(dtype);
                Tensor::<2>::from_data(data, (&device, dtype))
            };
            let rows = directions.iter().flat_map(|d| &d[..fan_in]).copied();
            let mut rows = floats(rows.collect(), [count, fan_in]);
            let constants = directions.iter().flat_map(|d| &d[fan_in..]).copied();
            let constants: Vec<f64> = constants.collect();
            let mut constants = match constants.is_empty() {
                true => None,
                false => Some(floats(constants, [count, 1]).squeeze_dim::<1>(1)),
            };
            if let Some(scale) = of_owners {
                rows = rows * scale.clone().reshape([count, 1]);
                constants = constants.map(|constants| constants * scale);
            }
            let mut shape = weight.dims();
            shape[axis] = count;
            let rows = match self.product {
                Product::Rows => rows.transpose(),
                Product::Maps { .. } => rows,
            };
            let rows = rows.reshape(shape);
            if moved.is_some() {
                joined.push(rows.clone());
            }
            self.directions = Some(Directions {
                weight: rows.into_dispatch(),
                constants: constants.map(Tensor::into_dispatch),
            });
        }
        if let Some(moved) = moved {
            let weight = Tensor::cat(joined, axis);
            self.renewed = Some(Renewed::new(self.product, weight, moved));
        }
        Ok(self)
    }

    /// Whether what it reads does not change.
    pub fn is_first(&self) -> bool {
        self.renewed.is_none()
    }

    /// What it keeps of a batch of which `before` is known.
    pub fn state(&self, before: &Values) -> Option<LayerState> {
        match self.product {
            Product::Rows => self.state_of::<2>(before),
            Product::Maps { .. } => self.state_of::<4>(before),
        }
    }

    fn state_of<const D: usize>(&self, before: &Values) -> Option<LayerState> {
        let of = |id: TensorId| Some(Tensor::<D>::from_dispatch(before.get(&id)?.clone()));
        let (input, z) = (of(self.input)?, of(self.z)?);
        let motion = self.directions.as_ref().map(|directions| {
            let weight = Tensor::from_dispatch(directions.weight.clone());
            let motion = self.product.apply(input.clone(), weight);
            match &directions.constants {
                Some(constants) => {
                    let constants = Tensor::<1>::from_dispatch(constants.clone());
                    let mut along = [1; D];
                    along[1] = constants.dims()[0];
                    motion + constants.reshape(along)
                }
                None => motion,
            }
        });
        // Computed again, it takes no memory until here, and can be written over.
        let answer = self.is_first().then(|| {
            let neurons = z.dims()[1];
            activate_first(self.activation, z.clone(), neurons).into_dispatch()
        });
        let latest = self.renewed.as_ref().map(|renewed| {
            let parts = [z].into_iter().chain(motion.clone());
            renewed.from(input, Tensor::cat(parts.collect(), 1))
        });
        Some(LayerState {
            motion: motion.map(Tensor::into_dispatch),
            answer,
            latest,
        })
    }

    /// The post-activations with step `epsilon`; `input` is what it reads, if that changed.
    pub fn answer(
        &self,
        state: &mut LayerState,
        before: &Values,
        input: Option<&Value>,
        epsilon: f64,
    ) -> Option<Value> {
        let answer = match self.product {
            Product::Rows => Self::answer_of::<2>,
            Product::Maps { .. } => Self::answer_of::<4>,
        };
        answer(self, state, before, input, epsilon)
    }

    fn answer_of<const D: usize>(
        &self,
        state: &mut LayerState,
        before: &Values,
        input: Option<&Value>,
        epsilon: f64,
    ) -> Option<Value> {
        let tensor = |value: &Value| Tensor::<D>::from_dispatch(value.clone());
        let z = tensor(before.get(&self.z)?);
        if let (Some(renewed), Some(input)) = (&self.renewed, input) {
            let (latest, joined) = renewed.next(state.latest.take()?, tensor(input));
            state.latest = Some(latest);
            let output = activate_first(self.activation, joined.clone(), z.dims()[1]);
            let parts = [joined.clone(), joined];
            let answer = activate_copies(self.activation, parts, output, &self.copies, epsilon);
            return Some(answer.into_dispatch());
        }
        let output = Tensor::<D>::from_dispatch(state.answer.take()?);
        let motion = state.motion.as_ref().map_or_else(|| z.clone(), tensor);
        let answer = activate_copies(self.activation, [z, motion], output, &self.copies, epsilon);
        let answer = answer.into_dispatch();
        // Written over by the next step, once nothing else reads it.
        state.answer = Some(answer.clone());
        Some(answer)
    }
}
