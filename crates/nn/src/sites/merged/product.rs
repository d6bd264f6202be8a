//! Products of producers and readers, and of the channels of their inputs that moved.

use burgeon_core::Window;
use burn::backend::ir::TensorId;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor, TensorData, module};

use crate::replay::Value;
use crate::sites::form::Reads;
use crate::trace::Trace;

/// How a weight is multiplied with an input whose channels are at axis 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Product {
    /// Rows `[n, k]` by a matrix `[k, m]`.
    Rows,
    /// Maps `[b, c, h, w]` by filters `[m, c, kh, kw]`.
    Maps {
        window: Window,
        /// By this project's kernels.
        is_ours: bool,
    },
}

impl Product {
    pub fn of(trace: &Trace, reads: Reads, weight: TensorId) -> Self {
        match reads {
            Reads::Rows => Self::Rows,
            Reads::Maps(window) | Reads::Signals(window) => Self::Maps {
                window,
                is_ours: trace.fast.contains(&weight),
            },
        }
    }

    /// The axis of a weight that counts outputs.
    pub fn output_axis(self) -> usize {
        match self {
            Self::Rows => 1,
            Self::Maps { .. } => 0,
        }
    }

    /// The axis of a weight that counts inputs.
    pub fn input_axis(self) -> usize {
        1 - self.output_axis()
    }

    pub fn apply<const D: usize>(self, input: Tensor<D>, weight: Tensor<D>) -> Tensor<D> {
        let Self::Maps { window, is_ours } = self else {
            return input.matmul(weight);
        };
        let [input, weight] = [input, weight].map(maps);
        let product = match is_ours {
            true => burgeon_ops::conv2d(input, weight, None, window, 1),
            false => {
                let padding = window.padding.map(|[before, after]| (before, after));
                let (stride, dilation) = (window.stride, window.dilation);
                let options = ConvOptions::new_with_padding(stride, padding, dilation, 1);
                module::conv2d(input, weight, None, options)
            }
        };
        Tensor::from_dispatch(product.into_dispatch())
    }

    /// `sum` plus the product, written over `sum` where nothing else holds it.
    fn add<const D: usize>(self, sum: Tensor<D>, input: Tensor<D>, weight: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Maps {
                window,
                is_ours: true,
            } => {
                let [sum, input, weight] = [sum, input, weight].map(maps);
                let sum = burgeon_ops::add_conv2d(sum, input, weight, window, 1);
                Tensor::from_dispatch(sum.into_dispatch())
            }
            _ => sum + self.apply(input, weight),
        }
    }
}

fn maps<const D: usize>(tensor: Tensor<D>) -> Tensor<4> {
    Tensor::from_dispatch(tensor.into_dispatch())
}

/// A product whose input differs from what it was, in all channels or in some.
pub(super) struct Renewed {
    product: Product,
    /// The channels of the input that differ; `None` if all may.
    moved: Option<Value>,
    /// The slices of the weight that multiply them.
    weight: Value,
}

/// The latest input of a product, as far as it differs, and what came out.
pub(super) struct Latest {
    input: Value,
    output: Value,
}

impl Renewed {
    /// `weight` times an input that differs in the channels `moved`, or in any.
    pub fn new<const D: usize>(
        product: Product,
        weight: Tensor<D>,
        moved: Option<&[usize]>,
    ) -> Self {
        let inputs = weight.dims()[product.input_axis()];
        // Past that, gathering channels costs more than it saves.
        let few = moved.filter(|moved| 2 * moved.len() <= inputs);
        let moved = few.map(|few| indices(few.iter().copied(), &weight.device()));
        let weight = match &moved {
            Some(moved) => weight.select(product.input_axis(), moved.clone()),
            None => weight,
        };
        Self {
            product,
            moved: moved.map(Tensor::into_dispatch),
            weight: weight.into_dispatch(),
        }
    }

    /// Where `output` is known of `input`.
    pub fn from<const D: usize>(&self, input: Tensor<D>, output: Tensor<D>) -> Latest {
        Latest {
            input: self.moving(input).into_dispatch(),
            output: output.into_dispatch(),
        }
    }

    /// What comes out of `input`; only differences are multiplied.
    pub fn next<const D: usize>(&self, latest: Latest, input: Tensor<D>) -> (Latest, Tensor<D>) {
        let input = self.moving(input);
        let difference = input.clone() - Tensor::from_dispatch(latest.input);
        let weight = Tensor::from_dispatch(self.weight.clone());
        let output = Tensor::from_dispatch(latest.output);
        let output = self.product.add(output, difference, weight);
        let latest = Latest {
            input: input.into_dispatch(),
            output: output.clone().into_dispatch(),
        };
        (latest, output)
    }

    fn moving<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match &self.moved {
            Some(moved) => input.select(1, Tensor::<1, Int>::from_dispatch(moved.clone())),
            None => input,
        }
    }
}

pub(super) fn indices(values: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
