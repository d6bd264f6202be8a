//! Burn's layers under PyTorch's names and in its layouts.

use std::collections::HashSet;

use burgeon_nn::NnError;
use burgeon_nn::stored::{Weight, Weights, restore};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData};

use super::state_dict::StateDict;
use crate::error::ExchangeError;

/// PyTorch counts batches beside the running statistics, which only matters for norms without a
/// momentum.
const COUNTER: &str = "num_batches_tracked";

/// A parameter or running statistic of a layer.
struct Entry {
    /// The path of its layer.
    layer: String,
    /// The kind of its layer.
    kind: String,
    /// Its own name in the layer.
    name: String,
    weight: Weight,
}

impl Entry {
    fn path(&self) -> String {
        match self.layer.as_str() {
            "" => self.name.clone(),
            layer => format!("{layer}.{}", self.name),
        }
    }

    /// What PyTorch calls it, and whether its two axes are the other way round there.
    fn theirs(&self) -> Result<(&'static str, bool), ExchangeError> {
        Ok(match (self.kind.as_str(), self.name.as_str()) {
            ("Linear", "weight") => ("weight", true),
            (
                "Conv1d" | "Conv2d" | "Conv3d" | "ConvTranspose1d" | "ConvTranspose2d"
                | "FastConv2d" | "DepthwiseConv2d" | "Embedding",
                "weight",
            ) => ("weight", false),
            (
                "Linear" | "Conv1d" | "Conv2d" | "Conv3d" | "ConvTranspose1d" | "ConvTranspose2d"
                | "FastConv2d" | "DepthwiseConv2d",
                "bias",
            ) => ("bias", false),
            ("BatchNorm" | "FastBatchNorm" | "LayerNorm" | "GroupNorm", "gamma") => {
                ("weight", false)
            }
            ("BatchNorm" | "FastBatchNorm" | "LayerNorm" | "GroupNorm", "beta") => ("bias", false),
            ("BatchNorm" | "FastBatchNorm", "running_mean") => ("running_mean", false),
            ("BatchNorm" | "FastBatchNorm", "running_var") => ("running_var", false),
            _ => {
                return Err(ExchangeError::UnsupportedLayer {
                    layer: self.layer.clone(),
                    kind: self.kind.clone(),
                });
            }
        })
    }
}

/// The floats of `model`, which has PyTorch's layers, as a state dict; `rename` says what PyTorch
/// calls the layer of a path in the model.
///
/// ```
/// use burgeon_exchange::{from_state_dict, to_state_dict};
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     hidden: Linear,
///     output: Linear,
/// }
///
/// let device = Device::flex();
/// let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&device);
/// let model = Mlp { hidden: linear(3, 5), output: linear(5, 2) };
/// // `torch.nn.Sequential(Linear, ReLU, Linear)`.
/// let rename = |layer: &str| if layer == "hidden" { "0" } else { "2" }.to_owned();
/// let state = to_state_dict(&model, rename)?;
/// assert_eq!(state.shape("0.weight"), Some(vec![5, 3]));
///
/// let other = Mlp { hidden: linear(3, 5), output: linear(5, 2) };
/// let same = from_state_dict(&other, &state, rename)?;
/// assert_eq!(same.hidden.weight.to_data(), model.hidden.weight.to_data());
/// # Ok::<(), burgeon_exchange::ExchangeError>(())
/// ```
///
/// # Errors
/// [`ExchangeError::UnsupportedLayer`] for a layer that PyTorch does not have under a name known
/// here.
pub fn to_state_dict<M: Module>(
    model: &M,
    rename: impl Fn(&str) -> String,
) -> Result<StateDict, ExchangeError> {
    let mut state = StateDict::new();
    for entry in entries(model) {
        let (name, is_turned) = entry.theirs()?;
        let layer = rename(&entry.layer);
        let data = match is_turned {
            true => transposed(&entry.weight.data),
            false => entry.weight.data.clone(),
        };
        state.insert(joined(&layer, name), data);
        if name == "running_var" {
            let counter = TensorData::new(vec![0_i64], Vec::<usize>::new());
            state.insert(joined(&layer, COUNTER), counter);
        }
    }
    Ok(state)
}

/// `model` with the floats of a state dict, in its own types; `rename` as for [`to_state_dict`].
/// The model must have the widths that the state dict has.
///
/// # Errors
/// The first tensor that is missing, of another shape or no float, by its name in the file; tensors
/// for which the model has no place.
pub fn from_state_dict<M: Module>(
    model: &M,
    state: &StateDict,
    rename: impl Fn(&str) -> String,
) -> Result<M, ExchangeError> {
    let mut weights = Weights::new();
    let mut used = HashSet::new();
    for entry in entries(model) {
        let (name, is_turned) = entry.theirs()?;
        let name = joined(&rename(&entry.layer), name);
        let mut expected = entry.weight.data.shape().to_vec();
        if is_turned {
            expected.reverse();
        }
        let data = state.floats(&name, &expected)?;
        let data = match is_turned {
            true => transposed(data),
            false => data.clone(),
        };
        let weight = Weight {
            id: entry.weight.id,
            data: data.convert_dtype(entry.weight.data.dtype()),
        };
        weights.insert(entry.path(), weight);
        used.insert(name);
    }
    let unknown = state.names().filter(|name| {
        let is_counter = name.rsplit('.').next() == Some(COUNTER);
        !used.contains(*name) && !is_counter
    });
    let unknown: Vec<String> = unknown.map(str::to_owned).collect();
    if !unknown.is_empty() {
        return Err(ExchangeError::UnknownTensors {
            path: state.path().to_owned(),
            tensors: unknown,
            network: "the network that the other tensors make".to_owned(),
        });
    }
    Ok(restore(model, &weights).map_err(NnError::Model)?)
}

fn joined(layer: &str, name: &str) -> String {
    match layer {
        "" => name.to_owned(),
        layer => format!("{layer}.{name}"),
    }
}

/// All floats, in the model's order.
fn entries<M: Module>(model: &M) -> Vec<Entry> {
    #[derive(Default)]
    struct Collector {
        path: Vec<String>,
        kinds: Vec<String>,
        entries: Vec<Entry>,
    }
    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.push(name.to_owned());
            self.kinds.push(container.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
            self.kinds.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (name, layer) = match self.path.split_last() {
                Some((name, layer)) => (name.clone(), layer.join(".")),
                None => return,
            };
            let kinds = self.kinds.iter().rev();
            let kind = kinds.filter_map(|kind| kind.strip_prefix("Struct:")).next();
            let tensor = match param.val() {
                tensor if tensor.is_autodiff() => tensor.inner(),
                tensor => tensor,
            };
            self.entries.push(Entry {
                layer,
                kind: kind.unwrap_or_default().to_owned(),
                name,
                weight: Weight {
                    id: param.id,
                    data: tensor.into_data(),
                },
            });
        }
    }
    let mut collector = Collector::default();
    model.visit(&mut collector);
    collector.entries
}

/// A matrix with its axes the other way round.
fn transposed(data: &TensorData) -> TensorData {
    let &[rows, columns] = data.shape().as_slice() else {
        return data.clone();
    };
    let dtype = data.dtype();
    let bytes = data.as_bytes();
    let size = DType::size(&dtype);
    let mut turned = Vec::with_capacity(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let at = (row * columns + column) * size;
            turned.extend_from_slice(&bytes[at..at + size]);
        }
    }
    TensorData::from_bytes_vec(turned, [columns, rows], dtype)
}
