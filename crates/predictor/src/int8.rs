//! Weights as int8, by Burn's quantisation.
//!
//! Weights of linear layers and convolutions become whole numbers from −127 to 127 with a scale for
//! each output: Burn's symmetric 8-bit scheme, applied to the weights of one output at a time.
//! Biases and norms stay as they are, and so does all arithmetic, which is in f32.

use burgeon::backend::flex::FLEX;
use burgeon::core::SplitBackend;
use burgeon::nn::stored::{Weight, Weights};
use burgeon_exchange::Int8Weight;
use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, QuantizedBytes, ScaleDtype};
use burn::tensor::{DType, Tensor, TensorData};

/// The weights of two or more axes as int8, by their paths.
pub(crate) fn quantised(weights: &Weights) -> Vec<(String, Int8Weight)> {
    let found = weights.iter().filter_map(|(path, weight)| {
        let data = weight.data.clone();
        let shape = data.shape().to_vec();
        // `[inputs, outputs]` of a linear layer, `[outputs, …]` of a convolution.
        let (axis, outputs) = match shape[..] {
            [_, outputs] => (1, outputs),
            [outputs, _, ..] => (0, outputs),
            _ => return None,
        };
        let floats: Vec<f32> = data.iter::<f32>().collect();
        let inner = if axis == 1 {
            1
        } else {
            floats.len() / outputs.max(1)
        };
        let of = |index: usize| index / inner.max(1) % outputs;
        let mut own = Int8Weight {
            shape,
            axis,
            values: vec![0; floats.len()],
            scales: Vec::with_capacity(outputs),
        };
        for output in 0..outputs {
            let places: Vec<usize> = (0..floats.len()).filter(|at| of(*at) == output).collect();
            let row = places.iter().map(|at| floats[*at]).collect();
            let (values, scale) = quantised_row(row);
            own.scales.push(scale);
            for (at, value) in places.into_iter().zip(values) {
                own.values[at] = value;
            }
        }
        Some((path.clone(), own))
    });
    found.collect()
}

/// All weights, those of [`quantised`] as their int8 stand for.
pub(crate) fn rounded(weights: &Weights) -> Weights {
    let mut rounded = weights.clone();
    for (path, own) in quantised(weights) {
        if let Some(weight) = rounded.get_mut(&path) {
            *weight = Weight {
                id: weight.id,
                data: TensorData::new(own.floats(), own.shape.clone()),
            };
        }
    }
    rounded
}

/// The numbers of one output, and their scale.
fn quantised_row(row: Vec<f32>) -> (Vec<i8>, f32) {
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(QuantStore::Native)
        .per_tensor(ScaleDtype::F32);
    let length = row.len();
    let data = TensorData::new(row, [length]);
    let data = Tensor::<1>::from_data(data, &FLEX.device())
        .quantize_dynamic(&scheme)
        .into_data();
    let scheme = match data.dtype() {
        DType::QFloat(scheme) => scheme,
        _ => scheme,
    };
    let bytes = QuantizedBytes {
        shape: data.shape().clone(),
        bytes: data.into_bytes(),
        scheme,
    };
    let (values, parameters) = bytes.into_vec_i8();
    (values, parameters.block.first().copied().unwrap_or(1.0))
}
